// The allowed fast set (BEP 6, "Allowed Fast Set Generation"): the pieces that a peer may have from us while we choke it, the
// same for all the addresses of its /24.
import { sha1 } from '@noble/hashes/legacy.js';
import { readUint32, writeUint32 } from './bytes.ts';
import { WireError } from './errors.ts';

export interface AllowedFastOptions {
  /** 4 bytes: the address of the peer that gets the set. BEP 6 has none for IPv6. */
  readonly address: Uint8Array;
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  readonly pieceCount: number;
  /** Pieces in the set, by default 10 (BEP 6); a smaller torrent has them all in its set. At most 64. */
  readonly count?: number;
}

/**
 * Piece indices in the order of the BEP: a longer set begins with the shorter one. Empty for an IPv6 address.
 *
 * @throws {WireError} `invalid-argument` (local).
 */
export function allowedFastSet(options: AllowedFastOptions): number[] {
  const { address, infoHash, pieceCount, count = 10 } = options;
  if (
    infoHash.length !== 20 ||
    (address.length !== 4 && address.length !== 16) ||
    !Number.isInteger(pieceCount) ||
    pieceCount < 0
  ) {
    throw new WireError('invalid-argument', 'local', 'not an address, info-hash and piece count');
  }
  if (address.length === 16) return [];
  const wanted = Math.min(count, MAX_COUNT, pieceCount);
  const set = new Set<number>();
  let hash: Uint8Array = new Uint8Array(24);
  writeUint32(hash, 0, readUint32(address, 0) & 0xffff_ff00);
  hash.set(infoHash, 4);
  while (set.size < wanted) {
    hash = sha1(hash);
    for (let i = 0; i < 20 && set.size < wanted; i += 4) set.add(readUint32(hash, i) % pieceCount);
  }
  return [...set];
}

/** A set for starting peers: more than this is no start any more, and costs a hash for every five pieces. */
const MAX_COUNT = 64;
