// From pieces to files: the bytes of one file that follow a place in the torrent, which is what one HTTP request asks for.

import { type Geometry, PADDING } from '@bt/metainfo';

/** Part of the torrent from a block's beginning on. The end is exclusive: 0 < `endOffset` <= size of `endPiece`. */
export interface SeedRange {
  readonly pieceIndex: number;
  readonly blockOffset: number;
  readonly endPiece: number;
  readonly endOffset: number;
}

export interface FileSpan {
  /** `PADDING`: zeros that no server has. */
  readonly fileIndex: number;
  readonly fileOffset: number;
  readonly lengthBytes: number;
}

/** The span that begins at a place before the end of `range`, as far as its file or the range goes. */
export function fileSpanAt(
  geometry: Geometry,
  lengthOf: (fileIndex: number) => number,
  place: { readonly pieceIndex: number; readonly offset: number },
  range: SeedRange,
): FileSpan {
  const { pieceIndex, offset } = place;
  const inPiece = endInPiece(geometry, pieceIndex, range) - offset;
  let found: FileSpan | undefined;
  geometry.fileSpans(pieceIndex, offset, inPiece, (fileIndex, fileOffset, lengthBytes) => {
    found ??= { fileIndex, fileOffset, lengthBytes };
  });
  const { fileIndex, fileOffset, lengthBytes } = found!;
  if (lengthBytes < inPiece || fileIndex === PADDING) return { fileIndex, fileOffset, lengthBytes };
  // The file goes on in the pieces that follow, which are whole up to its last.
  const { endPiece, endOffset } = range;
  const following =
    endPiece === pieceIndex ? 0 : (endPiece - pieceIndex - 1) * geometry.pieceLength + endOffset;
  const rest = lengthOf(fileIndex) - fileOffset;
  return { fileIndex, fileOffset, lengthBytes: Math.min(rest, inPiece + following) };
}

function endInPiece(geometry: Geometry, pieceIndex: number, range: SeedRange): number {
  return pieceIndex === range.endPiece ? range.endOffset : geometry.pieceSize(pieceIndex);
}
