/**
 * Hashing of pieces on `node:crypto`: SHA-1 of the whole (BEP 3), or the SHA-256 Merkle root over blocks of 16 KiB (BEP 52).
 */
import { createHash, type Hash, hash } from 'node:crypto';
import type { ExpectedHash } from './protocol.ts';

/** Leaf of a Merkle tree (BEP 52), and the block of a request. */
export const BLOCK_BYTES = 16384;

const sha256 = (data: Uint8Array): Uint8Array => hash('sha256', data, 'buffer');

/** True when a piece that is in memory whole has the expected hash. */
export function isRightPiece(data: Uint8Array, expected: ExpectedHash): boolean {
  if (expected.kind === 'sha1') return hash('sha1', data, 'hex') === expected.hex;
  const root = new MerkleRoot();
  root.pushBlocks(data);
  return root.finish(expected.leafCount) === expected.hex;
}

/**
 * SHA-256 of each block, 32 bytes each: the leaves of a v2 file's tree. From `contentBytes` on there is padding, which is no
 * part of the file: blocks of nothing else get zeros.
 */
export function hashBlocks(data: Uint8Array, contentBytes: number): Uint8Array<ArrayBuffer> {
  const hashes = new Uint8Array(32 * Math.ceil(data.length / BLOCK_BYTES));
  for (let at = 0, to = 0; at < contentBytes; at += BLOCK_BYTES, to += 32) {
    const end = Math.min(at + BLOCK_BYTES, contentBytes);
    hashes.set(sha256(data.subarray(at, end)), to);
  }
  return hashes;
}

/** Hashes a piece that is too large for memory, in chunks; all but the last are whole blocks. */
export class PieceStream {
  readonly #expected: ExpectedHash;
  readonly #sha1: Hash | undefined;
  readonly #root: MerkleRoot | undefined;

  constructor(expected: ExpectedHash) {
    this.#expected = expected;
    if (expected.kind === 'sha1') this.#sha1 = createHash('sha1');
    else this.#root = new MerkleRoot();
  }

  push(chunk: Uint8Array): void {
    this.#sha1?.update(chunk);
    this.#root?.pushBlocks(chunk);
  }

  isRight(): boolean {
    const { hex, leafCount } = this.#expected;
    return (this.#sha1?.digest('hex') ?? this.#root?.finish(leafCount)) === hex;
  }
}

/** A Merkle root leaf by leaf: keeps one hash for each level, so that a piece of 2^36 bytes needs 22 of them. */
class MerkleRoot {
  /** The left half of an unfinished pair, by level. */
  readonly #left: (Uint8Array | undefined)[] = [];

  pushBlocks(data: Uint8Array): void {
    for (let at = 0; at < data.length; at += BLOCK_BYTES) {
      this.#push(sha256(data.subarray(at, at + BLOCK_BYTES)));
    }
  }

  /** The root in hex over the leaves and as many zero leaves as make `leafCount`, a power of two. */
  finish(leafCount: number): string {
    // A subtree of zero leaves (`padding`) stands to the right of the leaves that there are, level by level.
    let padding: Uint8Array = new Uint8Array(32);
    let node: Uint8Array | undefined;
    for (let level = 0; 2 ** level < leafCount; level++) {
      const left = this.#left[level];
      if (left !== undefined) node = pair(left, node ?? padding);
      else if (node !== undefined) node = pair(node, padding);
      padding = pair(padding, padding);
    }
    const root = node ?? this.#left[Math.log2(leafCount)] ?? padding;
    return Buffer.from(root).toString('hex');
  }

  #push(leaf: Uint8Array): void {
    let node = leaf;
    let level = 0;
    for (let left = this.#left[level]; left !== undefined; left = this.#left[level]) {
      node = pair(left, node);
      this.#left[level] = undefined;
      level++;
    }
    this.#left[level] = node;
  }
}

function pair(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(64);
  both.set(left);
  both.set(right, 32);
  return sha256(both);
}
