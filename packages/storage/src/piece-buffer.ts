/**
 * Pieces in flight: where blocks are collected until their piece can go to the disk. BEP 3 names only pieces; blocks of
 * 16 KiB are what clients ask for.
 *
 * A block's bytes are copied once, from the socket's chunk into the buffer of its piece. Buffers are plain ArrayBuffers, since
 * a transfer to a worker and back costs next to nothing, while a copy into a SharedArrayBuffer goes word by word. They are
 * pooled, and their total is bounded:
 *
 * - a piece up to `MAX_WHOLE_PIECE_BYTES` has one buffer and goes to the disk in one transfer (`Disk.savePiece`);
 * - a larger piece has a buffer for each segment of `SEGMENT_BYTES` that is being filled; a full segment is written at
 *   once (`Disk.saveBlocks`) and the piece is hashed from disk in the end (`Disk.finishPiece`);
 * - when the pieces being filled take more than half of `maxBytes`, the segment touched longest ago is written as it is;
 * - when nothing can be written either, a block goes through a buffer of its own, 16 KiB for each connection.
 *
 * Two connections may send the same block at once (end game). The first to begin writes in place, the other into a
 * buffer of its own, and whoever finishes first wins, so a block's bytes always come from one sender.
 */
import { bitAt } from './bits.ts';
import {
  type BlockOutcome,
  type BlockWriter,
  PieceInFlight,
  Segment,
  Writer,
} from './block-writer.ts';
import { type Disk, MAX_WHOLE_PIECE_BYTES, type PieceCheckOptions, SEGMENT_BYTES } from './disk.ts';
import { StorageError } from './errors.ts';

/** What the buffers have to know of a torrent's geometry; `Geometry` of `@bt/metainfo` is one. */
export interface PieceShape {
  readonly pieceCount: number;
  readonly pieceLength: number;
  readonly blockLength: number;
  pieceSize(pieceIndex: number): number;
  blockCount(pieceIndex: number): number;
  /** The block is nothing but padding (BEP 47): zeros that nobody sends, complete from the start. Absent: no block is. */
  isPaddingBlock?(pieceIndex: number, blockIndex: number): boolean;
}

export interface PieceBuffersOptions {
  readonly geometry: PieceShape;
  readonly disk: Pick<Disk, 'savePiece' | 'saveBlocks' | 'finishPiece' | 'forgetBlocks'>;
  /** Bound on all buffers that are being filled or are with the disk. Default `DEFAULT_BUFFER_BYTES`. */
  readonly maxBytes?: number;
}

/** 48 MiB: a pipeline of 2,000 requests of 16 KiB, and half as much again that is being written. */
export const DEFAULT_BUFFER_BYTES = 48 * 1024 * 1024;

/** Free 16 KiB buffers kept for blocks that don't go in place. */
const MAX_FREE_BLOCKS = 64;

export class PieceBuffers {
  readonly #shape: PieceShape;
  readonly #disk: PieceBuffersOptions['disk'];
  readonly #maxBytes: number;
  /** Blocks to a buffer: a whole piece's, or a segment's. */
  readonly #segmentBlocks: number;
  /** Size of a pooled buffer. */
  readonly #slotBytes: number;
  readonly #pieces = new Map<number, PieceInFlight>();
  readonly #resident = new Set<Segment>();
  readonly #freeSlots: ArrayBuffer[] = [];
  readonly #freeBlocks: ArrayBuffer[] = [];
  #fillingBytes = 0;
  #atDiskBytes = 0;
  #isFull = false;
  #blocksDone = 0;

  constructor(options: PieceBuffersOptions) {
    const { geometry } = options;
    this.#shape = geometry;
    this.#disk = options.disk;
    this.#maxBytes = options.maxBytes ?? DEFAULT_BUFFER_BYTES;
    const { pieceLength, blockLength } = geometry;
    this.#slotBytes = pieceLength <= MAX_WHOLE_PIECE_BYTES ? pieceLength : SEGMENT_BYTES;
    this.#segmentBlocks = Math.ceil(this.#slotBytes / blockLength);
  }

  /** Bytes of the buffers that are being filled or are with the disk. */
  get heldBytes(): number {
    return this.#fillingBytes + this.#atDiskBytes;
  }

  /** Don't read from sockets while this is true: from `maxBytes` on, until a quarter of it is free again. */
  get isFull(): boolean {
    this.#isFull = this.heldBytes >= (this.#isFull ? this.#maxBytes * 0.75 : this.#maxBytes);
    return this.#isFull;
  }

  /** Pieces that have begun and have not been given to the disk as a whole. */
  get pieceCount(): number {
    return this.#pieces.size;
  }

  /** A writer for one connection. */
  createWriter(): BlockWriter {
    return new Writer({
      blockLength: this.#shape.blockLength,
      claim: (pieceIndex, blockOffset, lengthBytes) =>
        this.#claim(pieceIndex, blockOffset, lengthBytes),
      segmentFor: (piece, blockIndex) => this.#segmentFor(piece, blockIndex),
      takeBlockBuffer: () => this.#takeBlockBuffer(),
      giveBlockBuffer: (buffer) => this.#giveBlockBuffer(buffer),
      writeOutBlock: (piece, blockOffset, data) => this.#writeOutBlock(piece, blockOffset, data),
      finishBlock: (piece, segment, blockIndex) => this.#finishBlock(piece, segment, blockIndex),
      tidy: (piece, segment) => this.#tidy(piece, segment),
    });
  }

  /** True when the block is complete, here or on disk, and its piece has not been saved yet. */
  hasBlock(pieceIndex: number, blockIndex: number): boolean {
    return this.#pieces.get(pieceIndex)?.has(blockIndex) ?? false;
  }

  /**
   * Blocks of an unfinished piece which an earlier life left on disk: one bit a block, the first in the highest bit.
   * Returns true when that is the whole piece, but for its padding: call `save`.
   */
  restore(pieceIndex: number, blocks: Uint8Array): boolean {
    const piece = this.#begin(pieceIndex);
    for (let blockIndex = 0; blockIndex < piece.blockCount; blockIndex++) {
      if (bitAt(blocks, blockIndex) && !piece.has(blockIndex)) piece.mark(blockIndex);
    }
    piece.isOnDisk = true;
    return piece.isComplete;
  }

  /** Give a complete piece to the disk, which tells the result: `onPieceSaved`. Throws when blocks are missing. */
  save(pieceIndex: number, options: PieceCheckOptions = {}): void {
    const piece = this.#pieces.get(pieceIndex);
    if (piece === undefined || !piece.isComplete) {
      throw new StorageError('bad-argument', `piece ${pieceIndex} is not complete`);
    }
    this.#pieces.delete(pieceIndex);
    piece.isGone = true;
    const segment = piece.segments.get(0);
    // A piece of nothing but padding has no segment: the disk knows its bytes as well.
    if (piece.isOnDisk || segment === undefined) {
      for (const each of [...piece.segments.values()]) this.#writeOut(each);
      this.#disk.finishPiece(pieceIndex, options);
      return;
    }
    this.#detach(segment);
    this.#atDiskBytes += segment.data.buffer.byteLength;
    this.#disk.savePiece(pieceIndex, segment.data, options);
  }

  /** Forget all blocks of a piece: it is not wanted any more, or its senders are not to be trusted. */
  drop(pieceIndex: number): void {
    const piece = this.#pieces.get(pieceIndex);
    if (piece === undefined) return;
    this.#pieces.delete(pieceIndex);
    piece.isGone = true;
    for (const segment of [...piece.segments.values()]) {
      this.#detach(segment);
      this.#keep(segment.data.buffer);
    }
    if (piece.isOnDisk) this.#disk.forgetBlocks(pieceIndex);
  }

  /**
   * A piece that was saved with `keepWrong` has failed: take it up again without its wrong blocks. `data`: what the disk
   * gave back, if it was in memory.
   */
  reopen(
    pieceIndex: number,
    data: Uint8Array<ArrayBuffer> | undefined,
    wrongBlocks: readonly number[],
  ): void {
    const piece = this.#begin(pieceIndex);
    const isWrong = new Set(wrongBlocks);
    const isKept = (index: number) => !isWrong.has(index) && !piece.has(index);
    if (data === undefined) {
      this.#disk.forgetBlocks(pieceIndex, wrongBlocks);
      piece.isOnDisk = true;
      for (let index = 0; index < piece.blockCount; index++) if (isKept(index)) piece.mark(index);
      this.#tidy(piece, undefined);
      return;
    }
    this.#atDiskBytes -= data.buffer.byteLength;
    const segment = this.#addSegment(piece, 0, data);
    segment.touched = ++this.#blocksDone;
    for (let index = 0; index < piece.blockCount; index++) {
      if (!isKept(index)) continue;
      piece.mark(index);
      segment.fill(index);
    }
    this.#tidy(piece, segment);
  }

  /** Of a piece that was saved with `keepWrong` and has failed, nothing is to be kept. */
  discard(pieceIndex: number, data: Uint8Array<ArrayBuffer> | undefined): void {
    if (data === undefined) this.#disk.forgetBlocks(pieceIndex);
    else this.recycle(data.buffer);
  }

  /** Write out all complete blocks, so that a clean close can keep them. Blocks half received are not kept. */
  flush(): void {
    for (const segment of [...this.#resident]) {
      if (segment.filledCount > 0) this.#writeOut(segment);
    }
  }

  /** A buffer came back from the disk (`DiskEvents.onBufferReturned`). */
  recycle(buffer: ArrayBuffer): void {
    this.#atDiskBytes -= buffer.byteLength;
    this.#keep(buffer);
  }

  #claim(pieceIndex: number, blockOffset: number, lengthBytes: number): PieceInFlight | undefined {
    const { pieceCount, blockLength } = this.#shape;
    if (!Number.isInteger(pieceIndex) || pieceIndex < 0 || pieceIndex >= pieceCount) {
      return undefined;
    }
    const sizeBytes = this.#shape.pieceSize(pieceIndex);
    if (!(blockOffset >= 0 && blockOffset < sizeBytes) || blockOffset % blockLength !== 0) {
      return undefined;
    }
    if (lengthBytes !== Math.min(blockLength, sizeBytes - blockOffset)) return undefined;
    const piece = this.#begin(pieceIndex);
    if (!piece.has(blockOffset / blockLength)) return piece;
    this.#tidy(piece, undefined);
    return undefined;
  }

  #begin(pieceIndex: number): PieceInFlight {
    let piece = this.#pieces.get(pieceIndex);
    if (piece === undefined) {
      const shape = this.#shape;
      const isPadding = (blockIndex: number) =>
        shape.isPaddingBlock?.(pieceIndex, blockIndex) ?? false;
      piece = new PieceInFlight(pieceIndex, shape.blockCount(pieceIndex), isPadding);
      this.#pieces.set(pieceIndex, piece);
    }
    return piece;
  }

  #segmentFor(piece: PieceInFlight, blockIndex: number): Segment | undefined {
    const segmentIndex = Math.floor(blockIndex / this.#segmentBlocks);
    const known = piece.segments.get(segmentIndex);
    if (known !== undefined) return known;
    const offset = segmentIndex * this.#slotBytes;
    const sizeBytes = Math.min(this.#slotBytes, this.#shape.pieceSize(piece.pieceIndex) - offset);
    // A piece much smaller than the others (the end of a v2 file) gets a buffer of its own size, outside the pool.
    const bufferBytes = sizeBytes * 2 <= this.#slotBytes ? sizeBytes : this.#slotBytes;
    if (!this.#makeRoom(bufferBytes)) return undefined;
    const pooled = bufferBytes === this.#slotBytes ? this.#freeSlots.pop() : undefined;
    const buffer = pooled ?? new ArrayBuffer(bufferBytes);
    return this.#addSegment(piece, segmentIndex, new Uint8Array(buffer, 0, sizeBytes));
  }

  #addSegment(piece: PieceInFlight, segmentIndex: number, data: Uint8Array<ArrayBuffer>): Segment {
    this.#fillingBytes += data.buffer.byteLength;
    const segment = new Segment(
      piece,
      segmentIndex,
      segmentIndex * this.#segmentBlocks,
      Math.ceil(data.length / this.#shape.blockLength),
      this.#shape.blockLength,
      data,
    );
    piece.segments.set(segmentIndex, segment);
    this.#resident.add(segment);
    return segment;
  }

  /** Half of `maxBytes` is for filling; the first buffer is always granted, so that no bound is too small to work. */
  #makeRoom(bytes: number): boolean {
    const limit = this.#maxBytes / 2;
    while (this.#fillingBytes > 0 && this.#fillingBytes + bytes > limit) {
      let oldest: Segment | undefined;
      for (const segment of this.#resident) {
        if (segment.filledCount === 0) continue;
        if (oldest === undefined || segment.touched < oldest.touched) oldest = segment;
      }
      if (oldest === undefined) return false;
      this.#writeOut(oldest);
    }
    return true;
  }

  #finishBlock(
    piece: PieceInFlight,
    segment: Segment | undefined,
    blockIndex: number,
  ): BlockOutcome {
    piece.mark(blockIndex);
    if (segment !== undefined) {
      segment.fill(blockIndex - segment.firstBlock);
      segment.touched = ++this.#blocksDone;
      const isPart = segment.blockCount < piece.blockCount;
      if (isPart && segment.isComplete) this.#writeOut(segment);
    }
    return piece.isComplete ? 'last' : 'taken';
  }

  #tidy(piece: PieceInFlight, segment: Segment | undefined): void {
    if (segment !== undefined && segment.filledCount === 0 && segment.writers.length === 0) {
      this.#detach(segment);
      this.#keep(segment.data.buffer);
    }
    if (piece.doneCount === 0 && piece.writerCount === 0) this.#pieces.delete(piece.pieceIndex);
  }

  /** Send the filled blocks of a segment to the disk. Blocks half received go on in buffers of their writers. */
  #writeOut(segment: Segment): void {
    const { blockLength } = this.#shape;
    const runs: number[] = [];
    for (let index = 0; index < segment.blockCount; index++) {
      if (!segment.isFilled(index)) continue;
      const start = index * blockLength;
      const end = Math.min(start + blockLength, segment.data.length);
      if (runs.at(-1) === start) runs[runs.length - 1] = end;
      else runs.push(start, end);
    }
    this.#detach(segment);
    if (runs.length === 0) {
      this.#keep(segment.data.buffer);
      return;
    }
    const { piece, firstBlock, data } = segment;
    piece.isOnDisk = true;
    this.#atDiskBytes += data.buffer.byteLength;
    this.#disk.saveBlocks(piece.pieceIndex, firstBlock * blockLength, data, runs);
  }

  #writeOutBlock(piece: PieceInFlight, blockOffset: number, data: Uint8Array<ArrayBuffer>): void {
    piece.isOnDisk = true;
    this.#fillingBytes -= data.buffer.byteLength;
    this.#atDiskBytes += data.buffer.byteLength;
    this.#disk.saveBlocks(piece.pieceIndex, blockOffset, data, [0, data.length]);
  }

  #detach(segment: Segment): void {
    for (const writer of [...segment.writers]) writer.leaveSegment();
    this.#resident.delete(segment);
    segment.piece.segments.delete(segment.segmentIndex);
    this.#fillingBytes -= segment.data.buffer.byteLength;
  }

  #takeBlockBuffer(): ArrayBuffer {
    const buffer = this.#freeBlocks.pop() ?? new ArrayBuffer(this.#shape.blockLength);
    this.#fillingBytes += buffer.byteLength;
    return buffer;
  }

  #giveBlockBuffer(buffer: ArrayBuffer): void {
    this.#fillingBytes -= buffer.byteLength;
    this.#keep(buffer);
  }

  /**
   * Keep a free buffer for the next piece, as long as all buffers together stay within `maxBytes`: to make one anew costs
   * its pages, its zeros and a collection.
   */
  #keep(buffer: ArrayBuffer): void {
    if (buffer.byteLength === this.#slotBytes) {
      const freeBytes = (this.#freeSlots.length + 1) * this.#slotBytes;
      if (this.heldBytes + freeBytes <= this.#maxBytes) this.#freeSlots.push(buffer);
    } else if (buffer.byteLength === this.#shape.blockLength) {
      if (this.#freeBlocks.length < MAX_FREE_BLOCKS) this.#freeBlocks.push(buffer);
    }
  }
}
