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
  #partial = new Map<number, Uint8Array<ArrayBuffer>>();
  readonly #hashKnown: (pieceIndex: number) => boolean;

  /** Pieces whose blocks were hashed for others. */
  hashedPieces = 0;
  /** Hashing them fails. */
  canHash = true;
  /** Pieces that are wrong by their SHA-1, whatever they are. */
  readonly neverRight = new Set<number>();

  /** Which blocks are read wrong: a liar's disk. */
  isWrong: (pieceIndex: number, blockOffset: number) => boolean = () => false;

  /** `hashKnown`: as for a real disk, no piece can be saved before. */
  constructor(
    clock: VirtualClock,
    content: Content,
    delayMs = 1,
    hashKnown: (pieceIndex: number) => boolean = () => true,
  ) {
    this.#hashKnown = hashKnown;
    this.#clock = clock;
    this.#content = content;
    this.#delayMs = delayMs;
  }

  connect(events: DiskEvents): void {
    this.#events = events;
  }

  savePiece(pieceIndex: number, data: Uint8Array<ArrayBuffer>, options?: PieceCheckOptions): void {
    if (!this.#hashKnown(pieceIndex)) throw new Error(`the hash of ${pieceIndex} is not known`);
    const { byteOffset, length } = data;
    this.#queue(data, (buffer) => {
      const saved = new Uint8Array(buffer, byteOffset, length);
      return this.#finish(pieceIndex, saved, options);
    });
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
    this.#queue(data, () => false);
  }

  finishPiece(pieceIndex: number, options?: PieceCheckOptions): void {
    this.#later(() => {
      // Nothing was written of a piece that is all padding.
      const size = this.#content.info.geometry.pieceSize(pieceIndex);
      const data = this.#partial.get(pieceIndex) ?? new Uint8Array(size);
      const { keepWrong, ...rest } = options ?? {};
      if (keepWrong !== true || this.#isRight(pieceIndex, data)) this.#partial.delete(pieceIndex);
      this.#finish(pieceIndex, data, rest);
    });
  }

  forgetBlocks(pieceIndex: number, blockIndices?: readonly number[]): void {
    if (blockIndices === undefined) this.#partial.delete(pieceIndex);
  }

  hashBlocks(pieceIndex: number): void {
    this.hashedPieces += 1;
    this.#clock.after(this.#delayMs, () => {
      const { pieceLength, geometry } = this.#content.info;
      const start = pieceIndex * pieceLength;
      const data = this.#content.bytes.subarray(start, start + geometry.pieceSize(pieceIndex));
      const hashes = this.canHash ? this.#blockHashesOf(pieceIndex, data) : undefined;
      this.#events!.onBlocksHashed(pieceIndex, hashes, undefined);
    });
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

  /** `run` returns whether it keeps the buffer. */
  #queue(data: Uint8Array<ArrayBuffer>, run: (buffer: ArrayBuffer) => boolean): void {
    const { length } = data;
    this.queuedBytes += length;
    const buffer = structuredClone(data.buffer, { transfer: [data.buffer] });
    this.#later(() => {
      this.queuedBytes -= length;
      if (!run(buffer)) this.#events!.onBufferReturned(buffer);
    });
  }

  #later(run: () => void): void {
    this.#clock.after(this.#delayMs, () => {
      if (this.stalledBy !== undefined) this.#stalled.push(run);
      else run();
    });
  }

  #isRight(pieceIndex: number, data: Uint8Array): boolean {
    const start = pieceIndex * this.#content.info.pieceLength;
    const right = this.#content.bytes.subarray(start, start + data.length);
    return Buffer.compare(data, right) === 0 && !this.neverRight.has(pieceIndex);
  }

  /** Returns whether the data has gone with the result. */
  #finish(
    pieceIndex: number,
    data: Uint8Array<ArrayBuffer>,
    options: PieceCheckOptions | undefined,
  ): boolean {
    this.#zeroPadding(pieceIndex, data);
    const isRight = this.#isRight(pieceIndex, data);
    const isKept = !isRight && options?.keepWrong === true;
    const hashes =
      isRight && options?.blockHashes !== true ? undefined : this.#blockHashesOf(pieceIndex, data);
    if (isRight) this.written.set(pieceIndex, (this.written.get(pieceIndex) ?? 0) + 1);
    this.#events!.onPieceSaved(pieceIndex, {
      outcome: isRight ? 'saved' : 'mismatch',
      ...(hashes === undefined ? {} : { blockHashes: hashes }),
      ...(isKept ? { data } : {}),
    });
    return isKept;
  }

  /** As a real disk, which writes no padding (BEP 47). */
  #zeroPadding(pieceIndex: number, data: Uint8Array): void {
    const { geometry } = this.#content.info;
    geometry.fileSpans(pieceIndex, 0, data.length, (fileIndex, _, length, at) => {
      if (fileIndex < 0) data.fill(0, at, at + length);
    });
  }

  #blockHashesOf(pieceIndex: number, data: Uint8Array): Uint8Array {
    let contentBytes = 0;
    const { geometry } = this.#content.info;
    geometry.fileSpans(pieceIndex, 0, data.length, (fileIndex, _, length, at) => {
      if (fileIndex >= 0) contentBytes = at + length;
    });
    const hashes = new Uint8Array(32 * Math.ceil(data.length / 16_384));
    for (let at = 0, to = 0; at < contentBytes; at += 16_384, to += 32) {
      const block = data.subarray(at, Math.min(at + 16_384, contentBytes));
      hashes.set(createHash('sha256').update(block).digest(), to);
    }
    return hashes;
  }
}
