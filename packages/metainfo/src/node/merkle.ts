// Merkle trees of SHA-256 (BEP 52) with the platform's hash, for the bulk of work that creating and checking a torrent is.
import { hash } from 'node:crypto';
import { BLOCK_LENGTH } from '../geometry.ts';

/** Roots of trees of nothing but zero hashes, by height: what stands for blocks beyond the end of a file. */
const padding: Buffer[] = [Buffer.alloc(32)];

/**
 * Joins `count` hashes at the start of `nodes` pair by pair until one is left, which ends up in its first 32 bytes: the root of
 * a tree `width` (a power of two) hashes wide. Missing hashes are padding of `height` above the blocks. Overwrites `nodes`.
 */
export function joinPairs(nodes: Buffer, count: number, width: number, height: number): void {
  let level = height;
  let left = count;
  for (let size = width; size > 1; size /= 2) {
    if (left % 2 === 1) paddingAt(level).copy(nodes, left * 32);
    left = Math.ceil(left / 2);
    for (let index = 0; index < left; index++) {
      const pair = nodes.subarray(index * 64, index * 64 + 64);
      nodes.write(hash('sha256', pair, 'binary'), index * 32, 'latin1');
    }
    level++;
  }
}

/** A file's `pieces root` from its layer of piece hashes, each the root of a tree over `pieceLength` bytes. */
export function piecesRootOf(layer: Uint8Array, pieceLength: number): Uint8Array {
  const count = layer.length / 32;
  if (count === 1) return Uint8Array.from(layer);
  let width = 1;
  while (width < count) width *= 2;
  const nodes = Buffer.alloc(width * 32);
  nodes.set(layer);
  joinPairs(nodes, count, width, Math.log2(pieceLength / BLOCK_LENGTH));
  return Uint8Array.from(nodes.subarray(0, 32));
}

function paddingAt(height: number): Buffer {
  while (padding.length <= height) {
    const below = padding.at(-1) as Buffer;
    padding.push(Buffer.from(hash('sha256', Buffer.concat([below, below]), 'hex'), 'hex'));
  }
  return padding[height] as Buffer;
}
