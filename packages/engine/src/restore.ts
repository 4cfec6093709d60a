// What is there from the start: what an earlier life left on disk, whole pieces and blocks of unfinished ones, and pieces of
// nothing but padding.

import type { Geometry } from '@bt/metainfo';
import type { Picker } from '@bt/picker';
import type { PieceBuffers } from '@bt/storage';
import type { Holdings } from './holdings.ts';

export interface EarlierLife {
  /** A BEP 3 bitfield of verified pieces. */
  readonly have: Uint8Array | undefined;
  /** Blocks by piece, one bit each, the first in the highest bit. */
  readonly partialPieces: ReadonlyMap<number, Uint8Array> | undefined;
}

export interface RestoreInto {
  readonly geometry: Geometry;
  readonly holdings: Holdings;
  readonly picker: Picker;
  readonly buffers: PieceBuffers;
}

const NO_BLOCKS = new Uint8Array(0);

/** Returns the pieces of which every block is there, so that they only have to be hashed. */
export function restore(life: EarlierLife, into: RestoreInto): number[] {
  const { geometry, holdings, picker, buffers } = into;
  const complete: number[] = [];
  for (let piece = 0; piece < geometry.pieceCount; piece += 1) {
    if (life.have === undefined || !hasBit(life.have, piece)) continue;
    holdings.add(piece);
    picker.markHave(piece);
  }
  for (let piece = 0; piece < geometry.pieceCount; piece += 1) {
    if (holdings.has(piece) || geometry.contentSize(piece) > 0) continue;
    picker.markBlockHave(piece, 0);
    if (buffers.restore(piece, NO_BLOCKS)) complete.push(piece);
  }
  for (const [piece, blocks] of life.partialPieces ?? []) {
    if (holdings.has(piece) || geometry.contentSize(piece) === 0) continue;
    for (let block = 0; block < geometry.blockCount(piece); block += 1) {
      if (hasBit(blocks, block)) picker.markBlockHave(piece, block);
    }
    if (buffers.restore(piece, blocks)) complete.push(piece);
  }
  return complete;
}

function hasBit(bits: Uint8Array, index: number): boolean {
  return ((bits[index >>> 3] ?? 0) & (0x80 >>> (index & 7))) !== 0;
}
