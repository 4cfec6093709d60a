// Where no gap is left, the picker names blocks here and there: of begun pieces, and in the end game. One request reads
// those that lie close together.

import type { SeedRange } from './file-span.ts';

export interface ScatteredBlock {
  readonly pieceIndex: number;
  readonly blockIndex: number;
}

export interface BlockShape {
  readonly blockLength: number;
  blockCount(pieceIndex: number): number;
  blockSize(pieceIndex: number, blockIndex: number): number;
}

/** The range of the first blocks, with no more than `maxSkipBytes` between two of them; the others are `left`. */
export function scatteredRange(
  shape: BlockShape,
  blocks: readonly ScatteredBlock[],
  maxSkipBytes: number,
): { readonly range: SeedRange; readonly left: readonly ScatteredBlock[] } | undefined {
  const sorted = [...blocks].sort(
    (a, b) => a.pieceIndex - b.pieceIndex || a.blockIndex - b.blockIndex,
  );
  const [first] = sorted;
  if (first === undefined) return undefined;
  const maxSkip = maxSkipBytes / shape.blockLength;
  let last = first;
  let count = 1;
  for (const block of sorted.slice(1)) {
    if (blocksBetween(shape, last, block, maxSkip) > maxSkip) break;
    last = block;
    count += 1;
  }
  const { blockLength } = shape;
  const range = {
    pieceIndex: first.pieceIndex,
    blockOffset: first.blockIndex * blockLength,
    endPiece: last.pieceIndex,
    endOffset: last.blockIndex * blockLength + shape.blockSize(last.pieceIndex, last.blockIndex),
  };
  return { range, left: sorted.slice(count) };
}

/** Counts no further than beyond `limit`. */
function blocksBetween(
  shape: BlockShape,
  from: ScatteredBlock,
  to: ScatteredBlock,
  limit: number,
): number {
  let blocks = -from.blockIndex - 1;
  for (let piece = from.pieceIndex; piece < to.pieceIndex && blocks <= limit; piece += 1) {
    blocks += shape.blockCount(piece);
  }
  return blocks + to.blockIndex;
}
