// Which bytes of which file make up a piece and a block. BEP 3 (one flat space), BEP 47 (pad files), BEP 52 (every file
// begins on a piece boundary). A position is a pair (pieceIndex, offset), so that nothing is rounded beyond 2^53.
import { MetainfoError } from './errors.ts';

/** The unit of a request: 16 KiB (BEP 3 by usage, BEP 52 by law: the leaf of a Merkle tree). */
export const BLOCK_LENGTH = 16384;

/** Bytes of a SHA-256 hash: a node of a v2 file's Merkle tree. */
export const MERKLE_HASH_LENGTH = 32;

/** Pieces of a torrent that is read or made. */
export const MAX_PIECES = 2_000_000;

/** A piece of 64 GiB: the largest exponent that mktorrent takes (36). */
export const MAX_PIECE_LENGTH = 2 ** 36;

/** A piece index is 32 bits on the wire (BEP 3). */
const MAX_PIECE_COUNT = 2 ** 32 - 1;

/** The file index of bytes that are zeros and never on disk: pad files (BEP 47) and the gaps behind v2 files (BEP 52). */
export const PADDING = -1;

export interface GeometryOptions {
  readonly pieceLength: number;
  /** Bytes per file, in order; each an integer from 0 to 2^53 - 1. */
  readonly lengths: ArrayLike<number>;
  /** Which files are padding. Default: none. */
  readonly isPad?: ((fileIndex: number) => boolean) | undefined;
  /** True for v2-only torrents: each file that has bytes begins on a piece boundary, with a gap before it. */
  readonly aligned?: boolean | undefined;
  /** Refuse more pieces than this. Default: what the 32 bits of the wire can name. */
  readonly maxPieces?: number | undefined;
}

/** Called once per run of bytes; `rangeOffset` counts from the start of the range that was asked for. */
export type VisitSpan = (
  fileIndex: number,
  fileOffset: number,
  length: number,
  rangeOffset: number,
) => void;

/** Piece, block and file arithmetic of one torrent. Immutable. Answers in constant time, or log2(files) for spans. */
export class Geometry {
  readonly pieceCount: number;
  readonly pieceLength: number;
  readonly blockLength: number = BLOCK_LENGTH;
  readonly fileCount: number;
  /** The sum of all pieces' sizes. Pad files count, the gaps of a v2-only torrent do not. */
  readonly totalLengthExact: bigint;
  /** {@link totalLengthExact} as a number; rounded when it is beyond 2^53 - 1. */
  readonly totalLength: number;
  readonly #lengths: Float64Array;
  readonly #pads: Uint8Array | undefined;
  /** Where each file begins: the piece, and the offset in it. */
  readonly #startPiece: Float64Array;
  readonly #startOffset: Float64Array;
  /** Only when files are aligned: the pieces that are cut short by their file's end, at most one per file. */
  readonly #shortPieces: ReadonlyMap<number, number> | undefined;
  readonly #lastPieceSize: number;

  /**
   * @throws MetainfoError `invalid-argument` when a length or the piece length is not a usable integer,
   *   `limit-exceeded` when there are too many pieces.
   */
  constructor(options: GeometryOptions) {
    const { pieceLength, lengths, isPad, aligned = false, maxPieces = MAX_PIECE_COUNT } = options;
    if (!Number.isInteger(pieceLength) || pieceLength < 1 || pieceLength > MAX_PIECE_LENGTH) {
      throw new MetainfoError(
        'invalid-argument',
        'pieceLength',
        'The piece length must be from 1 to 2^36.',
      );
    }
    const fileCount = lengths.length;
    this.pieceLength = pieceLength;
    this.fileCount = fileCount;
    this.#lengths = Float64Array.from(lengths);
    this.#startPiece = new Float64Array(fileCount);
    this.#startOffset = new Float64Array(fileCount);
    let pads: Uint8Array | undefined;
    let piece = 0;
    let offset = 0;
    for (let file = 0; file < fileCount; file++) {
      const length = this.#lengths[file]!;
      if (!Number.isSafeInteger(length) || length < 0) {
        throw new MetainfoError(
          'invalid-argument',
          `lengths[${file}]`,
          'A file length must be an integer from 0 to 2^53 - 1.',
        );
      }
      if (isPad?.(file)) {
        pads ??= new Uint8Array(fileCount);
        pads[file] = 1;
      }
      if (aligned && length > 0 && offset > 0) {
        piece++;
        offset = 0;
      }
      this.#startPiece[file] = piece;
      this.#startOffset[file] = offset;
      // Exact: the remainder is, and (length - remainder) is a multiple of the piece length below 2^53.
      const remainder = length % pieceLength;
      piece += (length - remainder) / pieceLength;
      offset += remainder;
      if (offset >= pieceLength) {
        offset -= pieceLength;
        piece++;
      }
    }
    this.#pads = pads;
    this.pieceCount = offset > 0 ? piece + 1 : piece;
    if (this.pieceCount > maxPieces) {
      throw new MetainfoError(
        'limit-exceeded',
        'pieces',
        `The torrent has ${this.pieceCount} pieces; the limit is ${maxPieces}.`,
      );
    }
    this.#lastPieceSize = offset > 0 ? offset : pieceLength;
    let total = BigInt(piece) * BigInt(pieceLength) + BigInt(offset);
    if (aligned) {
      const short = new Map<number, number>();
      total = 0n;
      for (let file = 0; file < fileCount; file++) {
        const length = this.#lengths[file]!;
        total += BigInt(length);
        const tail = length % pieceLength;
        if (tail > 0) short.set(this.#startPiece[file]! + (length - tail) / pieceLength, tail);
      }
      this.#shortPieces = short;
    }
    this.totalLengthExact = total;
    this.totalLength = Number(total);
  }

  /** Bytes of a piece: what is requested, hashed and written. In a v2-only torrent a piece ends where its file ends. */
  pieceSize(pieceIndex: number): number {
    this.#checkPiece(pieceIndex);
    const short = this.#shortPieces?.get(pieceIndex);
    if (short !== undefined) return short;
    return pieceIndex === this.pieceCount - 1 ? this.#lastPieceSize : this.pieceLength;
  }

  /** Bytes of a piece that are files': its size without padding. */
  contentSize(pieceIndex: number): number {
    const size = this.pieceSize(pieceIndex);
    if (this.#pads === undefined) return size;
    let content = 0;
    this.fileSpans(pieceIndex, 0, size, (fileIndex, _, length) => {
      if (fileIndex !== PADDING) content += length;
    });
    return content;
  }

  /**
   * The end of what a peer may request of a piece. It differs from {@link pieceSize} only in v2-only torrents, where
   * libtorrent up to 2.0.12 asks for whole blocks beyond a file's end and expects zeros there: it is the piece length.
   */
  paddedPieceSize(pieceIndex: number): number {
    const size = this.pieceSize(pieceIndex);
    return this.#shortPieces === undefined ? size : this.pieceLength;
  }

  blockCount(pieceIndex: number): number {
    return Math.ceil(this.pieceSize(pieceIndex) / BLOCK_LENGTH);
  }

  /** Bytes of a block: 16 KiB, or less for the last of a piece. */
  blockSize(pieceIndex: number, blockIndex: number): number {
    const rest = this.pieceSize(pieceIndex) - blockIndex * BLOCK_LENGTH;
    if (!Number.isInteger(blockIndex) || blockIndex < 0 || rest <= 0) {
      throw new RangeError(`block ${blockIndex} of piece ${pieceIndex} does not exist`);
    }
    return Math.min(rest, BLOCK_LENGTH);
  }

  /** Whether a block is nothing but padding: it need not be asked of anybody, it is zeros. */
  isPaddingBlock(pieceIndex: number, blockIndex: number): boolean {
    const length = this.blockSize(pieceIndex, blockIndex);
    if (this.#pads === undefined) return false;
    let padding = 0;
    this.fileSpans(pieceIndex, blockIndex * BLOCK_LENGTH, length, (fileIndex, _, spanLength) => {
      if (fileIndex === PADDING) padding += spanLength;
    });
    return padding === length;
  }

  /**
   * Visits every byte of a range within one piece once, in order, as runs of one file each. Padding is visited with
   * {@link PADDING} as its file; files without bytes are not visited. Calls back directly, without allocating: this
   * stands on the path of piece data.
   */
  fileSpans(pieceIndex: number, offset: number, length: number, visit: VisitSpan): void {
    if (
      !Number.isInteger(offset) ||
      !Number.isInteger(length) ||
      offset < 0 ||
      length < 0 ||
      offset + length > this.paddedPieceSize(pieceIndex)
    ) {
      throw new RangeError(`bytes ${offset}+${length} of piece ${pieceIndex} do not exist`);
    }
    if (length === 0) return;
    let done = 0;
    let file = this.fileAt(pieceIndex, offset);
    // Whole pieces first, so that no partial sum goes beyond the file's length (and 2^53).
    const pieces = pieceIndex - this.#startPiece[file]!;
    const inPiece = offset - this.#startOffset[file]!;
    let fileOffset =
      pieces === 0 ? inPiece : (pieces - 1) * this.pieceLength + (this.pieceLength + inPiece);
    while (done < length) {
      const rest = this.#lengths[file]! - fileOffset;
      if (rest > 0) {
        const span = Math.min(rest, length - done);
        visit(this.#pads?.[file] === 1 ? PADDING : file, fileOffset, span, done);
        done += span;
      }
      file++;
      fileOffset = 0;
      if (done < length) {
        // Only a v2-only torrent has a gap here, and it lasts until the piece is over: files with bytes are aligned.
        const gap =
          this.#shortPieces === undefined ? 0 : this.#gapBefore(file, pieceIndex, offset + done);
        if (gap > 0) {
          visit(PADDING, 0, Math.min(gap, length - done), done);
          done += Math.min(gap, length - done);
        }
      }
    }
  }

  /** The file that holds the byte at a position; for a gap, a file that ends before it. */
  fileAt(pieceIndex: number, offset: number): number {
    let low = 0;
    let high = this.fileCount - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const start = this.#startPiece[middle]!;
      if (start < pieceIndex || (start === pieceIndex && this.#startOffset[middle]! <= offset)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  /** Where a file begins; for an empty one, where it would. */
  fileStart(fileIndex: number): { readonly pieceIndex: number; readonly offset: number } {
    this.#checkFile(fileIndex);
    return { pieceIndex: this.#startPiece[fileIndex]!, offset: this.#startOffset[fileIndex]! };
  }

  /** The first and the last piece that hold bytes of a file; undefined when it has none. */
  filePieces(fileIndex: number): { readonly first: number; readonly last: number } | undefined {
    this.#checkFile(fileIndex);
    const length = this.#lengths[fileIndex]!;
    if (length === 0) return undefined;
    const first = this.#startPiece[fileIndex]!;
    // The last byte, so that a file that ends on a boundary does not reach into the next piece.
    const tail = (length - 1) % this.pieceLength;
    const whole = (length - 1 - tail) / this.pieceLength;
    const carry = this.#startOffset[fileIndex]! + tail >= this.pieceLength ? 1 : 0;
    return { first, last: first + whole + carry };
  }

  #gapBefore(file: number, pieceIndex: number, offset: number): number {
    const rest = this.paddedPieceSize(pieceIndex) - offset;
    if (file >= this.fileCount || this.#startPiece[file]! > pieceIndex) return rest;
    return Math.max(0, Math.min(rest, this.#startOffset[file]! - offset));
  }

  #checkPiece(pieceIndex: number): void {
    if (!(pieceIndex >= 0 && pieceIndex < this.pieceCount && Number.isInteger(pieceIndex))) {
      throw new RangeError(`piece ${pieceIndex} does not exist (there are ${this.pieceCount})`);
    }
  }

  #checkFile(fileIndex: number): void {
    if (!(fileIndex >= 0 && fileIndex < this.fileCount && Number.isInteger(fileIndex))) {
      throw new RangeError(`file ${fileIndex} does not exist (there are ${this.fileCount})`);
    }
  }
}
