/**
 * The parts that `piece-buffer.ts` is made of: a piece in flight, a segment of it in memory, and a connection's writer.
 * Internal to the package.
 */
import { bitAt, setBit } from './bits.ts';
import { StorageError } from './errors.ts';

/**
 * - `taken`: the block is complete and this sender's bytes are kept
 * - `last`: the same, and it was the last block of its piece: call `PieceBuffers.save`
 * - `duplicate`: somebody else's bytes were first, or the piece was dropped; these bytes are gone
 */
export type BlockOutcome = 'taken' | 'last' | 'duplicate';

/** One connection's place to write one block at a time; made by `PieceBuffers.createWriter` and reused for every block. */
export interface BlockWriter {
  /**
   * A block begins. False when its bytes are not needed (the block is there already, or offset and length are not those of
   * a block): skip them. To be called only for blocks which the picker still wants, since a piece that has gone to the
   * disk is unknown here. A block that was under way in this writer is given up.
   */
  start(pieceIndex: number, blockOffset: number, lengthBytes: number): boolean;
  /** The bytes `start` to `end` of `chunk` follow in the block, at `offsetInBlock`, which must be where the last write ended. */
  write(chunk: Uint8Array, start: number, end: number, offsetInBlock: number): void;
  /** All bytes of the block have been written. Throws when they have not. */
  end(): BlockOutcome;
  /** The block won't be completed: the connection ended. Without effect when no block has begun. */
  abort(): void;
}

/** What a writer asks of its `PieceBuffers`. */
export interface WriterHost {
  readonly blockLength: number;
  /** The piece of a block, if the arguments name a whole block that is not complete yet. */
  claim(pieceIndex: number, blockOffset: number, lengthBytes: number): PieceInFlight | undefined;
  /** The segment of a block; undefined when there is no memory for one. */
  segmentFor(piece: PieceInFlight, blockIndex: number): Segment | undefined;
  takeBlockBuffer(): ArrayBuffer;
  giveBlockBuffer(buffer: ArrayBuffer): void;
  /** Send a block to the disk in the buffer that was taken for it. */
  writeOutBlock(piece: PieceInFlight, blockOffset: number, data: Uint8Array<ArrayBuffer>): void;
  /** A block is complete, in its segment or on its way to the disk. */
  finishBlock(piece: PieceInFlight, segment: Segment | undefined, blockIndex: number): BlockOutcome;
  /** A block was given up: free what nobody uses any more. */
  tidy(piece: PieceInFlight, segment: Segment | undefined): void;
}

/** Which blocks of a piece are complete, and the buffers of those that are not on disk. */
export class PieceInFlight {
  readonly pieceIndex: number;
  readonly blockCount: number;
  /** By segment index. */
  readonly segments = new Map<number, Segment>();
  readonly #done: Uint8Array;
  /** Undefined where there is none. */
  readonly #padding: Uint8Array | undefined;
  #doneCount = 0;
  #paddingCount = 0;
  /** Writers with a block of this piece under way, in a segment or in a buffer of their own. */
  writerCount = 0;
  /** Some blocks have gone to the disk without their piece. */
  isOnDisk = false;
  /** Saved or dropped: writers that still hold it have lost. */
  isGone = false;

  constructor(pieceIndex: number, blockCount: number, isPadding: (blockIndex: number) => boolean) {
    this.pieceIndex = pieceIndex;
    this.blockCount = blockCount;
    this.#done = new Uint8Array(Math.ceil(blockCount / 8));
    let padding: Uint8Array | undefined;
    for (let blockIndex = 0; blockIndex < blockCount; blockIndex++) {
      if (!isPadding(blockIndex)) continue;
      padding ??= new Uint8Array(this.#done.length);
      setBit(padding, blockIndex);
      this.#paddingCount++;
    }
    this.#padding = padding;
  }

  /** Blocks that have come. */
  get doneCount(): number {
    return this.#doneCount;
  }

  get isComplete(): boolean {
    return this.#doneCount + this.#paddingCount === this.blockCount;
  }

  /** The block has come, or is padding. */
  has(blockIndex: number): boolean {
    return bitAt(this.#done, blockIndex) || this.isPadding(blockIndex);
  }

  isPadding(blockIndex: number): boolean {
    return this.#padding !== undefined && bitAt(this.#padding, blockIndex);
  }

  mark(blockIndex: number): void {
    setBit(this.#done, blockIndex);
    this.#doneCount++;
  }
}

const FREE = 0;
const WRITING = 1;
const FILLED = 2;
const PADDING = 3;

/**
 * One buffer, which of its blocks are filled, and who writes others in place. Padding is zeros from the start, and never
 * written out.
 */
export class Segment {
  readonly piece: PieceInFlight;
  readonly segmentIndex: number;
  readonly firstBlock: number;
  readonly blockCount: number;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly #states: Uint8Array;
  /** The writers of blocks that are being written in place; few. */
  readonly writers: Writer[] = [];
  filledCount = 0;
  #paddingCount = 0;
  /** Number of the last block that was completed here, counted over all pieces. */
  touched = 0;

  constructor(
    piece: PieceInFlight,
    segmentIndex: number,
    firstBlock: number,
    blockCount: number,
    blockLength: number,
    data: Uint8Array<ArrayBuffer>,
  ) {
    this.piece = piece;
    this.segmentIndex = segmentIndex;
    this.firstBlock = firstBlock;
    this.blockCount = blockCount;
    this.data = data;
    this.#states = new Uint8Array(blockCount);
    for (let index = 0; index < blockCount; index++) {
      if (!piece.isPadding(firstBlock + index)) continue;
      this.#states[index] = PADDING;
      this.#paddingCount++;
      data.fill(0, index * blockLength, (index + 1) * blockLength);
    }
  }

  /** Nothing is left to come. */
  get isComplete(): boolean {
    return this.filledCount + this.#paddingCount === this.blockCount;
  }

  isFilled(index: number): boolean {
    return this.#states[index] === FILLED;
  }

  fill(index: number): void {
    this.#states[index] = FILLED;
    this.filledCount++;
  }

  /** True when the block is now the writer's to write in place; false when another has it. */
  enter(index: number, writer: Writer): boolean {
    if (this.#states[index] !== FREE) return false;
    this.#states[index] = WRITING;
    this.writers.push(writer);
    return true;
  }

  leave(index: number, writer: Writer): void {
    this.#states[index] = FREE;
    this.writers.splice(this.writers.indexOf(writer), 1);
  }
}

/** Writes in place into its segment, or into a buffer of its own when the place is taken or memory is short. */
export class Writer implements BlockWriter {
  readonly #host: WriterHost;
  #piece: PieceInFlight | undefined;
  /** Where the block is written in place; undefined when it is written into `#own`. */
  #segment: Segment | undefined;
  #own: ArrayBuffer | undefined;
  #blockIndex = 0;
  #lengthBytes = 0;
  #writtenBytes = 0;
  /** The block's first byte is at `#target[#targetOffset]`. */
  #target: Uint8Array = new Uint8Array(0);
  #targetOffset = 0;

  constructor(host: WriterHost) {
    this.#host = host;
  }

  /** The block that is under way. */
  get blockIndex(): number {
    return this.#blockIndex;
  }

  start(pieceIndex: number, blockOffset: number, lengthBytes: number): boolean {
    this.abort();
    const piece = this.#host.claim(pieceIndex, blockOffset, lengthBytes);
    if (piece === undefined) return false;
    this.#piece = piece;
    piece.writerCount++;
    this.#blockIndex = blockOffset / this.#host.blockLength;
    this.#lengthBytes = lengthBytes;
    this.#writtenBytes = 0;
    const segment = this.#host.segmentFor(piece, this.#blockIndex);
    const index = segment === undefined ? 0 : this.#blockIndex - segment.firstBlock;
    if (segment?.enter(index, this)) {
      this.#segment = segment;
      this.#target = segment.data;
      this.#targetOffset = index * this.#host.blockLength;
    } else {
      this.#writeAside();
    }
    return true;
  }

  write(chunk: Uint8Array, start: number, end: number, offsetInBlock: number): void {
    const piece = this.#piece;
    if (
      piece === undefined ||
      offsetInBlock !== this.#writtenBytes ||
      end - start > this.#lengthBytes - offsetInBlock
    ) {
      throw new StorageError('bad-argument', `write at ${offsetInBlock} is not what follows`);
    }
    this.#writtenBytes = offsetInBlock + end - start;
    if (piece.isGone || piece.has(this.#blockIndex)) return;
    const isWhole = start === 0 && end === chunk.length;
    this.#target.set(
      isWhole ? chunk : chunk.subarray(start, end),
      this.#targetOffset + offsetInBlock,
    );
  }

  end(): BlockOutcome {
    const piece = this.#piece;
    if (piece === undefined || this.#writtenBytes !== this.#lengthBytes) {
      throw new StorageError('bad-argument', 'the block is not complete');
    }
    if (piece.isGone || piece.has(this.#blockIndex)) {
      this.abort();
      return 'duplicate';
    }
    const blockIndex = this.#blockIndex;
    let segment = this.#segment;
    if (segment !== undefined) {
      segment.leave(blockIndex - segment.firstBlock, this);
    } else {
      segment = this.#settleAside(piece);
    }
    this.#letGo(piece);
    return this.#host.finishBlock(piece, segment, blockIndex);
  }

  abort(): void {
    const piece = this.#piece;
    if (piece === undefined) return;
    const segment = this.#segment;
    segment?.leave(this.#blockIndex - segment.firstBlock, this);
    if (this.#own !== undefined) this.#host.giveBlockBuffer(this.#own);
    this.#letGo(piece);
    if (!piece.isGone) this.#host.tidy(piece, segment);
  }

  /** The segment is going to the disk, or somebody else was first: go on in a buffer of our own. */
  leaveSegment(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    const from = this.#targetOffset;
    segment.leave(this.#blockIndex - segment.firstBlock, this);
    this.#segment = undefined;
    this.#writeAside();
    this.#target.set(segment.data.subarray(from, from + this.#writtenBytes), 0);
  }

  #writeAside(): void {
    this.#own = this.#host.takeBlockBuffer();
    this.#target = new Uint8Array(this.#own, 0, this.#lengthBytes);
    this.#targetOffset = 0;
  }

  /** The block in our own buffer is complete: move it into its segment, or send it to the disk where there is none. */
  #settleAside(piece: PieceInFlight): Segment | undefined {
    const own = this.#own!;
    const data = new Uint8Array(own, 0, this.#lengthBytes);
    const segment = this.#host.segmentFor(piece, this.#blockIndex);
    this.#own = undefined;
    if (segment === undefined) {
      this.#host.writeOutBlock(piece, this.#blockIndex * this.#host.blockLength, data);
      return undefined;
    }
    const index = this.#blockIndex - segment.firstBlock;
    for (const writer of [...segment.writers]) {
      if (writer.blockIndex === this.#blockIndex) writer.leaveSegment();
    }
    segment.data.set(data, index * this.#host.blockLength);
    this.#host.giveBlockBuffer(own);
    return segment;
  }

  #letGo(piece: PieceInFlight): void {
    piece.writerCount--;
    this.#piece = undefined;
    this.#segment = undefined;
    this.#own = undefined;
  }
}
