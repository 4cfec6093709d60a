// Reads a range of the torrent in order, byte by byte as it comes, into blocks. Ahead of the place of reading it claims
// blocks in the picker; what it meets that is not its own (had, or asked of somebody else) it reads past.

import type { Geometry } from '@bt/metainfo';
import type { Picker } from '@bt/picker';
import type { BlockSource, Download } from '../download.ts';
import type { SeedRange } from './file-span.ts';

export interface RangeReaderOptions {
  readonly geometry: Geometry;
  readonly picker: Picker;
  readonly download: Download;
  readonly source: BlockSource;
  readonly range: SeedRange;
  /** The picker has written down the blocks of the range that are wanted: nothing more is claimed. */
  readonly isClaimed: boolean;
  /** A block has come that was lacking. */
  readonly accepted: () => void;
}

export class RangeReader {
  readonly #geometry: Geometry;
  readonly #picker: Picker;
  readonly #download: Download;
  readonly #source: BlockSource;
  readonly #accepted: () => void;
  #range: SeedRange;
  #pieceIndex: number;
  /** Where the block that is arriving begins in its piece, how long it is, and how much of it has come. */
  #blockOffset: number;
  #blockLength = 0;
  #blockDone = 0;
  #isTaking = false;
  #isPadding = false;
  /** The next piece to claim. */
  #claimPiece: number;
  #maxClaimBlocks = 1;
  /** Set while the block that is arriving is nobody's. */
  isSkipping = false;
  /** A block has come whole, of use or not. */
  hasBlock = false;

  constructor(options: RangeReaderOptions) {
    this.#geometry = options.geometry;
    this.#picker = options.picker;
    this.#download = options.download;
    this.#source = options.source;
    this.#accepted = options.accepted;
    this.#range = options.range;
    this.#pieceIndex = options.range.pieceIndex;
    this.#blockOffset = options.range.blockOffset;
    this.#claimPiece = options.isClaimed ? Number.POSITIVE_INFINITY : this.#pieceIndex;
  }

  get range(): SeedRange {
    return this.#range;
  }

  /** The piece that is being read. */
  get pieceIndex(): number {
    return this.#pieceIndex;
  }

  /** Everything has been read. */
  get isOver(): boolean {
    const { endPiece, endOffset } = this.#range;
    if (this.#pieceIndex !== endPiece) return this.#pieceIndex > endPiece;
    return this.#blockOffset + this.#blockDone >= endOffset;
  }

  /** Reads on up to the end of this piece. */
  extendTo(endPiece: number): void {
    if (endPiece < this.#range.endPiece) return;
    const endOffset = this.#geometry.pieceSize(endPiece);
    this.#range = { ...this.#range, endPiece, endOffset };
  }

  /** Claims whole pieces until blocks of so many bytes are claimed and have not come. */
  claim(maxBytes: number): void {
    this.#maxClaimBlocks = Math.max(1, maxBytes / this.#geometry.blockLength);
    this.#claim();
  }

  /** A block that is wanted comes within so many bytes. */
  isWorthwhile(maxSkipBytes: number): boolean {
    const { handle } = this.#source;
    if (this.#isTaking) return true;
    if (this.#picker.outstanding(handle) === 0) return false;
    if (maxSkipBytes === Number.POSITIVE_INFINITY) return true;
    const { blockLength } = this.#geometry;
    let piece = this.#pieceIndex;
    let block = this.#blockOffset / blockLength;
    for (let skipped = 0; skipped <= maxSkipBytes; skipped += blockLength) {
      if (piece > this.#range.endPiece) return false;
      if (this.#picker.isRequested(handle, piece, block)) return true;
      block += 1;
      if (block < this.#geometry.blockCount(piece)) continue;
      piece += 1;
      block = 0;
    }
    return false;
  }

  /** Padding follows: zeros that no server sends. */
  feedPadding(lengthBytes: number, isGone: () => boolean): void {
    this.#isPadding = true;
    for (let left = lengthBytes; left > 0 && !isGone(); left -= ZEROS.length) {
      this.feed(ZEROS, 0, Math.min(left, ZEROS.length), isGone);
    }
    this.#isPadding = false;
  }

  /** The bytes that follow. Ends early when the source is given up meanwhile (`isGone`). */
  feed(chunk: Uint8Array, start: number, end: number, isGone: () => boolean): void {
    let at = start;
    while (at < end) {
      if (this.#blockDone === 0) this.#beginBlock();
      const take = Math.min(end - at, this.#blockLength - this.#blockDone);
      if (this.#isTaking) this.#source.writer.write(chunk, at, at + take, this.#blockDone);
      this.#blockDone += take;
      at += take;
      if (this.#blockDone < this.#blockLength) continue;
      const isTaking = this.#isTaking;
      this.#nextBlock();
      this.hasBlock = true;
      if (isTaking && this.#download.blockEnd(this.#source)) this.#accepted();
      if (isGone()) return;
    }
  }

  /** Gives up the block that is arriving and all that is claimed. */
  abandon(): void {
    if (this.#isTaking) this.#source.writer.abort();
    this.#isTaking = false;
    this.#picker.releaseAll(this.#source.handle);
  }

  #claim(): void {
    const { handle, identity } = this.#source;
    const { endPiece } = this.#range;
    while (
      this.#claimPiece <= endPiece &&
      this.#picker.outstanding(handle) < this.#maxClaimBlocks
    ) {
      const options = { parole: identity.suspicions > 0 };
      this.#picker.pickPiece(handle, this.#claimPiece, ignore, options);
      this.#claimPiece += 1;
    }
  }

  #beginBlock(): void {
    this.#claim();
    const blockIndex = this.#blockOffset / this.#geometry.blockLength;
    const lengthBytes = this.#geometry.blockSize(this.#pieceIndex, blockIndex);
    this.#blockLength = lengthBytes;
    const isOurs = this.#picker.isRequested(this.#source.handle, this.#pieceIndex, blockIndex);
    if (!isOurs && !this.#isPadding) this.#download.countDuplicate(this.#source, lengthBytes);
    this.#isTaking =
      isOurs &&
      this.#download.takeBlock(this.#source, this.#pieceIndex, this.#blockOffset, lengthBytes);
    this.isSkipping = !this.#isTaking;
  }

  #nextBlock(): void {
    this.#isTaking = false;
    this.#blockDone = 0;
    this.#blockOffset += this.#blockLength;
    if (this.#blockOffset < this.#geometry.pieceSize(this.#pieceIndex)) return;
    this.#pieceIndex += 1;
    this.#blockOffset = 0;
  }
}

const ZEROS = new Uint8Array(16_384);

function ignore(): void {}
