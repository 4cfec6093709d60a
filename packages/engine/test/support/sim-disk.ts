// A disk on virtual time for many peers of one content: a piece is right when its bytes are the content's, and what is
// read comes from the content, so that a swarm of fifty costs the memory of one.

import { createHash } from 'node:crypto';
import type { VirtualClock } from '@bt/simulator';
import type { Disk, DiskEvents, PieceCheckOptions, StorageError } from '@bt/storage';
import type { Content } from './content.ts';

export class SimDisk implements Disk {
  queuedBytes = 0;
  stalledBy: StorageError | undefined;
  /** Pieces that are written, and how often each was. */
  readonly written = new Map<number, number>();
  readonly #clock: VirtualClock;
  readonly #content: Content;
  readonly #delayMs: number;
  #events: DiskEvents | undefined;
  #stalled: (() => void)[] = [];
  #partial = new Map<number, Uint8Array>();

  /** Which blocks are read wrong: a liar's disk. */
  isWrong: (pieceIndex: number, blockOffset: number) => boolean = () => false;

  constructor(clock: VirtualClock, content: Content, delayMs = 1) {
    this.#clock = clock;
    this.#content = content;
    this.#delayMs = delayMs;
  }

  connect(events: DiskEvents): void {
    this.#events = events;
  }

  savePiece(pieceIndex: number, data: Uint8Array<ArrayBuffer>, options?: PieceCheckOptions): void {
    const copy = data.slice();
    this.#queue(data, () => this.#finish(pieceIndex, copy, options));
  }

  saveBlocks(
    pieceIndex: number,
    offset: number,
    data: Uint8Array<ArrayBuffer>,
    runs: readonly number[],
  ): void {
    const size = this.#content.info.geometry.pieceSize(pieceIndex);
    const kept = this.#partial.get(pieceIndex) ?? new Uint8Array(size);
    this.#partial.set(pieceIndex, kept);
    for (let i = 0; i < runs.length; i += 2) {
      kept.set(data.subarray(runs[i]!, runs[i + 1]!), offset + runs[i]!);
    }
    this.#queue(data, () => {});
  }

  finishPiece(pieceIndex: number, options?: PieceCheckOptions): void {
    this.#later(() => {
      // Nothing was written of a piece that is all padding.
      const size = this.#content.info.geometry.pieceSize(pieceIndex);
      const data = this.#partial.get(pieceIndex) ?? new Uint8Array(size);
      this.#partial.delete(pieceIndex);
      this.#finish(pieceIndex, data, options);
    });
  }

  forgetBlocks(pieceIndex: number): void {
    this.#partial.delete(pieceIndex);
  }

  readBlock(
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
    token: number,
  ): Uint8Array | undefined {
    const start = pieceIndex * this.#content.info.pieceLength + blockOffset;
    let bytes = this.#content.bytes.subarray(start, start + lengthBytes);
    if (this.isWrong(pieceIndex, blockOffset)) {
      bytes = bytes.slice();
      bytes[7]! ^= 0xff;
    }
    // As a read-ahead does: the first block of each 256 KiB has to wait.
    if (blockOffset % (256 * 1024) !== 0) return bytes;
    this.#clock.after(this.#delayMs, () => this.#events!.onBlockRead(token, bytes, undefined));
    return undefined;
  }

  verifyPiece(pieceIndex: number): void {
    this.#clock.after(this.#delayMs, () => {
      this.#events!.onPieceVerified(pieceIndex, this.written.has(pieceIndex), undefined);
    });
  }

  /** Writing fails from now on. */
  stall(error: StorageError): void {
    this.stalledBy = error;
    this.#clock.after(0, () => this.#events!.onStalled(error));
  }

  /** What was wrong has gone: the next `retry` will go on. */
  isRepaired = true;

  retry(): void {
    if (this.stalledBy === undefined || !this.isRepaired) return;
    this.stalledBy = undefined;
    const waiting = this.#stalled;
    this.#stalled = [];
    this.#clock.after(0, () => this.#events!.onResumed());
    for (const run of waiting) this.#later(run);
  }

  #queue(data: Uint8Array<ArrayBuffer>, run: () => void): void {
    const { length } = data;
    this.queuedBytes += length;
    const buffer = structuredClone(data.buffer, { transfer: [data.buffer] });
    this.#later(() => {
      this.queuedBytes -= length;
      run();
      this.#events!.onBufferReturned(buffer);
    });
  }

  #later(run: () => void): void {
    this.#clock.after(this.#delayMs, () => {
      if (this.stalledBy !== undefined) this.#stalled.push(run);
      else run();
    });
  }

  #finish(pieceIndex: number, data: Uint8Array, options: PieceCheckOptions | undefined): void {
    const start = pieceIndex * this.#content.info.pieceLength;
    const right = this.#content.bytes.subarray(start, start + data.length);
    const isRight = Buffer.compare(data, right) === 0;
    const hashes = isRight && options?.blockHashes !== true ? undefined : blockHashesOf(data);
    if (isRight) this.written.set(pieceIndex, (this.written.get(pieceIndex) ?? 0) + 1);
    this.#events!.onPieceSaved(pieceIndex, {
      outcome: isRight ? 'saved' : 'mismatch',
      ...(hashes === undefined ? {} : { blockHashes: hashes }),
    });
  }
}

function blockHashesOf(data: Uint8Array): Uint8Array {
  const count = Math.ceil(data.length / 16_384);
  const hashes = new Uint8Array(20 * count);
  for (let block = 0; block < count; block += 1) {
    const bytes = data.subarray(block * 16_384, (block + 1) * 16_384);
    hashes.set(createHash('sha1').update(bytes).digest(), 20 * block);
  }
  return hashes;
}
