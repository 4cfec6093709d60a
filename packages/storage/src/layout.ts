/**
 * From a piece to the files on disk: the spans that a worker reads or writes in one go. BEP 3 puts the files one after the
 * other, so that a piece may begin in one file, contain many, and end in another; padding (BEP 47, BEP 52) is zeros that no
 * file holds.
 */
import type { Geometry } from '@bt/metainfo';
import { bitAt } from './bits.ts';

/** The part of a torrent's geometry that says where bytes lie; `Geometry` of `@bt/metainfo` is one. */
export type SpanSource = Pick<Geometry, 'fileSpans'>;

/** `file` of a span that is padding. */
export const PADDING_SPAN = -1;

/**
 * Spans in order, three numbers each: `[file, fileOffset, length, ...]`, where `file` is an index into `files`, or
 * {@link PADDING_SPAN}. Flat, since it goes to a worker with every piece.
 */
export interface SpanList {
  /** Indices of the files in the torrent, in the order of the spans. */
  readonly files: readonly number[];
  readonly spans: readonly number[];
}

/** Gathers the spans of one range or of several that follow each other; runs that touch are joined into one. */
export class SpanBuilder implements SpanList {
  readonly files: number[] = [];
  readonly spans: number[] = [];
  readonly #add = (fileIndex: number, fileOffset: number, length: number): void => {
    this.#append(fileIndex, fileOffset, length);
  };

  /** Add `length` bytes of a piece from `offset` on. */
  add(geometry: SpanSource, pieceIndex: number, offset: number, length: number): void {
    geometry.fileSpans(pieceIndex, offset, length, this.#add);
  }

  #append(fileIndex: number, fileOffset: number, length: number): void {
    const { files, spans } = this;
    const end = spans.length;
    let file = PADDING_SPAN;
    if (fileIndex >= 0) {
      if (files.at(-1) !== fileIndex) files.push(fileIndex);
      file = files.length - 1;
    }
    if (end > 0 && spans[end - 3] === file) {
      const touches = file === PADDING_SPAN || spans[end - 2]! + spans[end - 1]! === fileOffset;
      if (touches) {
        spans[end - 1]! += length;
        return;
      }
    }
    spans.push(file, fileOffset, length);
  }
}

/** The spans of a range within one piece. */
export function spansOf(
  geometry: SpanSource,
  pieceIndex: number,
  offset: number,
  length: number,
): SpanList {
  const builder = new SpanBuilder();
  builder.add(geometry, pieceIndex, offset, length);
  return builder;
}

/** How many bytes of spans come before the padding at their end: of a piece of a v2 or hybrid torrent, the file's. */
export function contentLength(spans: readonly number[]): number {
  let end = 0;
  let at = 0;
  for (let index = 0; index < spans.length; index += 3) {
    at += spans[index + 2]!;
    if (spans[index] !== PADDING_SPAN) end = at;
  }
  return end;
}

/** Where a list of spans has padding, put zeros (BEP 47): whoever sent something else there has sent nothing. */
export function zeroPadding(spans: readonly number[], data: Uint8Array): void {
  let at = 0;
  for (let index = 0; index < spans.length; index += 3) {
    const end = at + spans[index + 2]!;
    if (spans[index] === PADDING_SPAN) data.fill(0, at, end);
    at = end;
  }
}

/** How many pieces of each file are missing, from a bitfield of the pieces that are there. Files without bytes lack none. */
export function countMissing(
  geometry: Pick<Geometry, 'pieceCount' | 'fileCount' | 'filePieces'>,
  have: Uint8Array,
): Uint32Array {
  const missingBefore = new Uint32Array(geometry.pieceCount + 1);
  for (let pieceIndex = 0; pieceIndex < geometry.pieceCount; pieceIndex++) {
    missingBefore[pieceIndex + 1] = missingBefore[pieceIndex]! + (bitAt(have, pieceIndex) ? 0 : 1);
  }
  const missing = new Uint32Array(geometry.fileCount);
  for (let fileIndex = 0; fileIndex < geometry.fileCount; fileIndex++) {
    const pieces = geometry.filePieces(fileIndex);
    if (pieces === undefined) continue;
    missing[fileIndex] = missingBefore[pieces.last + 1]! - missingBefore[pieces.first]!;
  }
  return missing;
}
