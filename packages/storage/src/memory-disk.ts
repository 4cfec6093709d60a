/**
 * A {@link Disk} without a disk: pieces in memory, results when the owner says so. For tests and simulated swarms, where time is an
 * argument: nothing happens before {@link MemoryDisk.deliver}, and then in the order of the calls.
 */
import {
  expectedPiece,
  type Info,
  MERKLE_HASH_LENGTH,
  merkleLeaves,
  merkleRoot,
} from '@bt/metainfo';
import { sha1 } from '@noble/hashes/legacy.js';
import { bitAt, clearBit, setBit } from './bits.ts';
import {
  type Disk,
  type DiskEvents,
  MAX_BLOCK_HASHED_PIECE_BYTES,
  MAX_READ_BYTES,
  type PieceCheckOptions,
  type PieceResult,
} from './disk.ts';
import { StorageError, storageError } from './errors.ts';
import { contentLength, spansOf, zeroPadding } from './layout.ts';
import type { PartialBlocks } from './resume.ts';

export interface MemoryDiskOptions {
  readonly info: Pick<Info, 'geometry'> & Partial<Info>;
  readonly pieceLayers?: ReadonlyMap<string, Uint8Array>;
  /** Pieces that are there from the start: one bit each. They need `content`, or bytes put there by `put`. */
  readonly have?: Uint8Array;
  /**
   * The right bytes of the torrent, where they can be computed. Then none are kept, and a piece is right when it equals
   * them: thousands of simulated peers fit in memory.
   */
  readonly content?: (pieceIndex: number, offset: number, lengthBytes: number) => Uint8Array;
  /** Called when a result waits and none did before: the moment to plan a `deliver`. */
  readonly onPending?: () => void;
}

interface Operation {
  readonly bytes: number;
  readonly isWrite: boolean;
  run(events: DiskEvents): void;
  giveUp(events: DiskEvents): void;
}

interface Piece extends PartialBlocks {
  readonly data: Uint8Array;
}

export class MemoryDisk implements Disk {
  readonly have: Uint8Array;
  queuedBytes = 0;
  stalledBy: StorageError | undefined;
  readonly #options: MemoryDiskOptions;
  readonly #pieces = new Map<number, Piece>();
  #events: DiskEvents | undefined;
  #queue: Operation[] = [];
  #refusal: StorageError | undefined;
  #readRefusal: StorageError | undefined;
  #retries = false;
  #isClosed = false;

  constructor(options: MemoryDiskOptions) {
    this.#options = options;
    this.have =
      options.have?.slice() ?? new Uint8Array(Math.ceil(options.info.geometry.pieceCount / 8));
  }

  /** Results that wait for `deliver`; those that a refusing disk keeps are not counted. */
  get pendingCount(): number {
    if (this.stalledBy === undefined || this.#retries) return this.#queue.length;
    return this.#queue.reduce((count, operation) => count + (operation.isWrite ? 0 : 1), 0);
  }

  /** Blocks of pieces that are not complete, as a clean close would keep them. */
  get partialPieces(): ReadonlyMap<number, Uint8Array> {
    const partial = new Map<number, Uint8Array>();
    for (const [pieceIndex, { blocks }] of this.#pieces) {
      if (!bitAt(this.have, pieceIndex)) partial.set(pieceIndex, blocks);
    }
    return partial;
  }

  connect(events: DiskEvents): void {
    this.#events = events;
  }

  /** Do what was asked for before this call, and tell the results. Returns how many operations that were. */
  deliver(): number {
    const events = this.#events;
    if (events === undefined) return 0;
    const due = this.#queue;
    const kept: Operation[] = [];
    this.#queue = [];
    let count = 0;
    if (this.#retries && this.#refusal === undefined) {
      this.stalledBy = undefined;
      events.onResumed();
    }
    this.#retries = false;
    for (const operation of due) {
      if (operation.isWrite && this.#refusal !== undefined && this.stalledBy === undefined) {
        this.stalledBy = this.#refusal;
        events.onStalled(this.#refusal);
      }
      if (operation.isWrite && this.stalledBy !== undefined) {
        kept.push(operation);
        continue;
      }
      this.queuedBytes -= operation.bytes;
      operation.run(events);
      count++;
    }
    this.#queue = [...kept, ...this.#queue];
    if (this.#isClosed) this.#giveUp(events);
    return count;
  }

  /** From now on writing is refused with this error; undefined lets it go on, after a `retry`. */
  refuseWrites(error: StorageError | undefined): void {
    this.#refusal = error;
  }

  /** From now on reading and verifying fail with this error; undefined lets them succeed. */
  refuseReads(error: StorageError | undefined): void {
    this.#readRefusal = error;
  }

  /** Bytes of a piece as they would be found on disk, whatever they are: to start with, or to damage what is there. */
  put(pieceIndex: number, data: Uint8Array): void {
    const piece = this.#piece(pieceIndex);
    piece.data.set(data);
    piece.blocks.fill(0xff);
  }

  /** What is kept of a piece; undefined when nothing is. */
  bytes(pieceIndex: number): Uint8Array | undefined {
    return this.#pieces.get(pieceIndex)?.data;
  }

  /** As a store that is closed: with the next `deliver` what waits is done, and what is refused is given up. Later calls throw. */
  close(): void {
    this.#isClosed = true;
    this.#options.onPending?.();
  }

  savePiece(
    pieceIndex: number,
    data: Uint8Array<ArrayBuffer>,
    options: PieceCheckOptions = {},
  ): void {
    this.#check(pieceIndex);
    if (data.length !== this.#size(pieceIndex)) {
      throw new StorageError('bad-argument', `piece ${pieceIndex} has another size`);
    }
    this.#add({
      bytes: data.buffer.byteLength,
      isWrite: true,
      run: (events) => {
        zeroPadding(this.#spans(pieceIndex), data);
        const isRight = this.#isRight(pieceIndex, data);
        const result = this.#result(pieceIndex, isRight, data, options);
        if (isRight) {
          if (this.#options.content === undefined) this.put(pieceIndex, data);
          setBit(this.have, pieceIndex);
        }
        const isKept = !isRight && options.keepWrong === true;
        if (!isKept) events.onBufferReturned(data.buffer);
        events.onPieceSaved(pieceIndex, isKept ? { ...result, data } : result);
      },
      giveUp: (events) => {
        events.onBufferReturned(data.buffer);
        events.onPieceSaved(pieceIndex, { outcome: 'failed', error: storageError('closed') });
      },
    });
  }

  saveBlocks(
    pieceIndex: number,
    offset: number,
    data: Uint8Array<ArrayBuffer>,
    runs: readonly number[],
  ): void {
    this.#check(pieceIndex);
    this.#add({
      bytes: data.buffer.byteLength,
      isWrite: true,
      run: (events) => {
        const piece = this.#piece(pieceIndex);
        const { blockLength } = this.#options.info.geometry;
        for (let index = 0; index < runs.length; index += 2) {
          const [start = 0, end = 0] = runs.slice(index, index + 2);
          piece.data.set(data.subarray(start, end), offset + start);
          for (let at = offset + start; at < offset + end; at += blockLength) {
            setBit(piece.blocks, at / blockLength);
          }
        }
        events.onBufferReturned(data.buffer);
      },
      giveUp: (events) => events.onBufferReturned(data.buffer),
    });
  }

  finishPiece(pieceIndex: number, options: PieceCheckOptions = {}): void {
    this.#check(pieceIndex);
    this.#add({
      bytes: 0,
      isWrite: true,
      run: (events) => {
        const { data } = this.#piece(pieceIndex);
        const isRight = this.#isRight(pieceIndex, data);
        const result = this.#result(pieceIndex, isRight, data, options);
        if (isRight) setBit(this.have, pieceIndex);
        const isKept = isRight ? this.#options.content === undefined : options.keepWrong === true;
        if (!isKept) this.#pieces.delete(pieceIndex);
        events.onPieceSaved(pieceIndex, result);
      },
      giveUp: (events) => {
        events.onPieceSaved(pieceIndex, { outcome: 'failed', error: storageError('closed') });
      },
    });
  }

  forgetBlocks(pieceIndex: number, blockIndices?: readonly number[]): void {
    this.#check(pieceIndex);
    const run = (): void => {
      const blocks = this.#pieces.get(pieceIndex)?.blocks;
      if (bitAt(this.have, pieceIndex) || blocks === undefined) return;
      for (const blockIndex of blockIndices ?? []) clearBit(blocks, blockIndex);
      if (blockIndices === undefined) this.#pieces.delete(pieceIndex);
    };
    this.#add({ bytes: 0, isWrite: true, run, giveUp: () => {} });
  }

  readBlock(
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
    token: number,
  ): undefined {
    this.#check(pieceIndex);
    const padded = this.#options.info.geometry.paddedPieceSize(pieceIndex);
    const isOfSize = lengthBytes > 0 && lengthBytes <= MAX_READ_BYTES;
    if (!isOfSize || !(blockOffset >= 0 && blockOffset + lengthBytes <= padded)) {
      throw new StorageError('bad-argument', `piece ${pieceIndex} has no such bytes`);
    }
    const run = (events: DiskEvents): void => {
      const bytes =
        this.#readRefusal === undefined
          ? this.#read(pieceIndex, blockOffset, lengthBytes)
          : undefined;
      const error =
        bytes === undefined ? (this.#readRefusal ?? storageError('missing')) : undefined;
      events.onBlockRead(token, bytes, error);
    };
    this.#add({ bytes: 0, isWrite: false, run, giveUp: run });
  }

  verifyPiece(pieceIndex: number): void {
    this.#check(pieceIndex);
    const run = (events: DiskEvents): void => {
      const size = this.#size(pieceIndex);
      const bytes = this.#readRefusal ? undefined : this.#read(pieceIndex, 0, size);
      const isRight = bytes !== undefined && this.#isRight(pieceIndex, bytes);
      if (isRight) setBit(this.have, pieceIndex);
      else clearBit(this.have, pieceIndex);
      events.onPieceVerified(pieceIndex, isRight, this.#readRefusal);
    };
    this.#add({ bytes: 0, isWrite: false, run, giveUp: run });
  }

  hashBlocks(pieceIndex: number): void {
    this.#check(pieceIndex);
    const run = (events: DiskEvents): void => {
      const size = this.#size(pieceIndex);
      const bytes = this.#readRefusal ? undefined : this.#read(pieceIndex, 0, size);
      const isRight = bytes !== undefined && this.#isRight(pieceIndex, bytes);
      const hashes = isRight ? this.#hashBlocks(pieceIndex, bytes) : undefined;
      events.onBlocksHashed(pieceIndex, hashes, this.#readRefusal);
    };
    this.#add({ bytes: 0, isWrite: false, run, giveUp: run });
  }

  retry(): void {
    if (this.stalledBy === undefined) return;
    this.#retries = true;
    this.#options.onPending?.();
  }

  #giveUp(events: DiskEvents): void {
    for (const operation of this.#queue.splice(0)) {
      this.queuedBytes -= operation.bytes;
      operation.giveUp(events);
    }
  }

  #add(operation: Operation): void {
    this.queuedBytes += operation.bytes;
    const wasIdle = this.pendingCount === 0;
    this.#queue.push(operation);
    if (wasIdle && this.pendingCount > 0) this.#options.onPending?.();
  }

  #read(pieceIndex: number, offset: number, lengthBytes: number): Uint8Array | undefined {
    const size = this.#size(pieceIndex);
    const kept = this.#pieces.get(pieceIndex)?.data;
    const inPiece = Math.max(0, Math.min(lengthBytes, size - offset));
    const bytes =
      kept?.subarray(offset, offset + inPiece) ??
      (bitAt(this.have, pieceIndex)
        ? this.#options.content?.(pieceIndex, offset, inPiece)
        : undefined);
    if (bytes === undefined || inPiece === lengthBytes) return bytes;
    const padded = new Uint8Array(lengthBytes);
    padded.set(bytes);
    return padded;
  }

  #isRight(pieceIndex: number, data: Uint8Array): boolean {
    const { content, info, pieceLayers = new Map() } = this.#options;
    if (content !== undefined) return isEqual(data, content(pieceIndex, 0, data.length));
    const expected = expectedPiece(info as Info, pieceLayers, pieceIndex);
    if (expected === undefined) return false;
    if (expected.kind === 'sha1') return isEqual(sha1(data), expected.hash);
    const width = expected.leafCount;
    return isEqual(merkleRoot(merkleLeaves(data), { width }), expected.hash);
  }

  #result(
    pieceIndex: number,
    isRight: boolean,
    data: Uint8Array,
    options: PieceCheckOptions,
  ): PieceResult {
    const outcome = isRight ? 'saved' : 'mismatch';
    if (isRight && !options.blockHashes) return { outcome };
    if (data.length > MAX_BLOCK_HASHED_PIECE_BYTES) return { outcome };
    return { outcome, blockHashes: this.#hashBlocks(pieceIndex, data) };
  }

  #hashBlocks(pieceIndex: number, data: Uint8Array): Uint8Array {
    const { geometry } = this.#options.info;
    const hashes = new Uint8Array(MERKLE_HASH_LENGTH * geometry.blockCount(pieceIndex));
    hashes.set(merkleLeaves(data.subarray(0, contentLength(this.#spans(pieceIndex)))));
    return hashes;
  }

  #spans(pieceIndex: number): readonly number[] {
    const { geometry } = this.#options.info;
    return spansOf(geometry, pieceIndex, 0, geometry.pieceSize(pieceIndex)).spans;
  }

  #piece(pieceIndex: number): Piece {
    let piece = this.#pieces.get(pieceIndex);
    if (piece === undefined) {
      const blockCount = this.#options.info.geometry.blockCount(pieceIndex);
      const blocks = new Uint8Array(Math.ceil(blockCount / 8));
      piece = { data: new Uint8Array(this.#size(pieceIndex)), blockCount, blocks };
      this.#pieces.set(pieceIndex, piece);
    }
    return piece;
  }

  #size(pieceIndex: number): number {
    return this.#options.info.geometry.pieceSize(pieceIndex);
  }

  #check(pieceIndex: number): void {
    if (this.#isClosed) throw storageError('closed');
    const { pieceCount } = this.#options.info.geometry;
    if (!Number.isInteger(pieceIndex) || pieceIndex < 0 || pieceIndex >= pieceCount) {
      throw new StorageError('bad-argument', `there is no piece ${pieceIndex}`);
    }
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
