// What we have and what we want: pieces saved and verified, the selection of files, and their sums in bytes.

import type { FileTable, Geometry } from '@bt/metainfo';

export class Holdings {
  /** BEP 3 bitfield of what we have: piece 0 is the high bit of the first byte. */
  readonly bits: Uint8Array;
  /** Pieces we have. */
  count = 0;
  /** Bytes of wanted pieces, and how many of these we have. Padding (BEP 47) is nobody's to fetch and doesn't count. */
  wantedBytes = 0;
  verifiedBytes = 0;
  readonly #geometry: Geometry;
  readonly #files: FileTable;
  /** One where a piece belongs to a wanted file. */
  readonly #wanted: Uint8Array;
  #wantedMissing = 0;
  /** Of all pieces we have. */
  #haveBytes = 0;

  constructor(geometry: Geometry, files: FileTable) {
    this.#geometry = geometry;
    this.#files = files;
    this.bits = new Uint8Array((geometry.pieceCount + 7) >>> 3);
    this.#wanted = new Uint8Array(geometry.pieceCount).fill(1);
    this.#sum();
  }

  get pieceCount(): number {
    return this.#geometry.pieceCount;
  }

  /** Every piece, wanted or not. */
  get isWhole(): boolean {
    return this.count === this.pieceCount;
  }

  /** Every piece of the wanted files. */
  get isDone(): boolean {
    return this.#wantedMissing === 0;
  }

  /** BEP 3 `left`; 0 says that we are a seed, so it must not be said by somebody who wanted only some files. */
  get leftBytes(): number {
    if (this.isWhole) return 0;
    return Math.max(1, this.#files.contentLength - this.#haveBytes);
  }

  has(pieceIndex: number): boolean {
    return (this.bits[pieceIndex >>> 3]! & (0x80 >>> (pieceIndex & 7))) !== 0;
  }

  isWanted(pieceIndex: number): boolean {
    return this.#wanted[pieceIndex] === 1;
  }

  /** False when we had it. */
  add(pieceIndex: number): boolean {
    if (this.has(pieceIndex)) return false;
    this.bits[pieceIndex >>> 3]! |= 0x80 >>> (pieceIndex & 7);
    this.count += 1;
    const content = this.#geometry.contentSize(pieceIndex);
    this.#haveBytes += content;
    if (!this.isWanted(pieceIndex)) return true;
    this.#wantedMissing -= 1;
    this.verifiedBytes += content;
    return true;
  }

  remove(pieceIndex: number): void {
    if (!this.has(pieceIndex)) return;
    this.bits[pieceIndex >>> 3]! &= ~(0x80 >>> (pieceIndex & 7));
    this.count -= 1;
    const content = this.#geometry.contentSize(pieceIndex);
    this.#haveBytes -= content;
    if (!this.isWanted(pieceIndex)) return;
    this.#wantedMissing += 1;
    this.verifiedBytes -= content;
  }

  /** Wants these files and no others; undefined wants all. Pad files are never wanted for themselves. */
  select(fileIndices: readonly number[] | undefined): void {
    if (fileIndices === undefined) {
      this.#wanted.fill(1);
    } else {
      this.#wanted.fill(0);
      for (const fileIndex of fileIndices) {
        if (this.#files.isPad(fileIndex)) continue;
        const pieces = this.#geometry.filePieces(fileIndex);
        if (pieces !== undefined) this.#wanted.fill(1, pieces.first, pieces.last + 1);
      }
    }
    this.#sum();
  }

  /** Every piece of the file is there. */
  hasFile(fileIndex: number): boolean {
    const pieces = this.#geometry.filePieces(fileIndex);
    if (pieces === undefined) return true;
    for (let piece = pieces.first; piece <= pieces.last; piece += 1) {
      if (!this.has(piece)) return false;
    }
    return true;
  }

  #sum(): void {
    this.wantedBytes = 0;
    this.verifiedBytes = 0;
    this.#wantedMissing = 0;
    for (let piece = 0; piece < this.pieceCount; piece += 1) {
      if (!this.isWanted(piece)) continue;
      const content = this.#geometry.contentSize(piece);
      this.wantedBytes += content;
      if (this.has(piece)) this.verifiedBytes += content;
      else this.#wantedMissing += 1;
    }
  }
}
