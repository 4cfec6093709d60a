// How many pieces each file still lacks, so that the end of a file is noticed without looking at all its pieces.

import { type FileTable, type Geometry, PADDING } from '@bt/metainfo';
import type { Holdings } from './holdings.ts';

export class FileProgress {
  readonly #geometry: Geometry;
  readonly #files: FileTable;
  readonly #missing: Int32Array;

  constructor(geometry: Geometry, files: FileTable, holdings: Holdings) {
    this.#geometry = geometry;
    this.#files = files;
    this.#missing = new Int32Array(files.count);
    for (let fileIndex = 0; fileIndex < files.count; fileIndex += 1) {
      const pieces = geometry.filePieces(fileIndex);
      if (pieces === undefined) continue;
      for (let piece = pieces.first; piece <= pieces.last; piece += 1) {
        if (!holdings.has(piece)) this.#missing[fileIndex]! += 1;
      }
    }
  }

  /** Whole from the beginning: no piece will tell of them. */
  emptyFiles(wanted: readonly number[] = [...this.#missing.keys()]): number[] {
    const files = this.#files;
    return wanted.filter((index) => files.lengthOf(index) === 0 && !files.isPad(index));
  }

  /** A piece has come: tells of each file that is whole now. */
  pieceAdded(pieceIndex: number, fileDone: (fileIndex: number) => void): void {
    this.#visit(pieceIndex, (fileIndex) => {
      this.#missing[fileIndex]! -= 1;
      if (this.#missing[fileIndex] === 0) fileDone(fileIndex);
    });
  }

  pieceLost(pieceIndex: number): void {
    this.#visit(pieceIndex, (fileIndex) => {
      this.#missing[fileIndex]! += 1;
    });
  }

  #visit(pieceIndex: number, visit: (fileIndex: number) => void): void {
    const size = this.#geometry.pieceSize(pieceIndex);
    let last = PADDING;
    this.#geometry.fileSpans(pieceIndex, 0, size, (fileIndex) => {
      if (fileIndex !== PADDING && fileIndex !== last) visit(fileIndex);
      last = fileIndex;
    });
  }
}
