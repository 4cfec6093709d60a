// BEP 33: the filters of 256 bytes by which nodes tell how many seeds and downloaders a torrent has.
import { sha1 } from '@noble/hashes/legacy.js';
import { BLOOM_FILTER_BYTES } from './constants.ts';

/** BEP 33: bits of a filter (`m`), and bits that an address sets (`k`). */
const BITS = 8 * BLOOM_FILTER_BYTES;
const BITS_PER_ADDRESS = 2;

/** A filter: addresses are put in, and those of several nodes can be joined. */
export class BloomFilter {
  /** The 256 bytes, as they stand in a message. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(BLOOM_FILTER_BYTES);

  /** Puts in an address of 4 or 16 bytes. */
  add(address: Uint8Array): void {
    for (const bit of bitsOf(address)) this.bytes[bit >>> 3]! |= 1 << (bit & 7);
  }

  /** Whether an address of 4 or 16 bytes is in it: surely not, or probably. */
  has(address: Uint8Array): boolean {
    return bitsOf(address).every((bit) => (this.bytes[bit >>> 3]! & (1 << (bit & 7))) !== 0);
  }

  /** Joins in the 256 bytes at `offset`, so that what was in either is in this one. */
  join(source: Uint8Array, offset = 0): void {
    for (let i = 0; i < BLOOM_FILTER_BYTES; i++) this.bytes[i]! |= source[offset + i]!;
  }

  /** About how many different addresses are in it. Good up to 6,000; at most 7,806. */
  estimate(): number {
    let zeroBits = 0;
    for (const byte of this.bytes) {
      for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) === 0) zeroBits++;
    }
    if (zeroBits === BITS) return 0;
    const counted = Math.max(1, zeroBits);
    return Math.log(counted / BITS) / (BITS_PER_ADDRESS * Math.log(1 - 1 / BITS));
  }
}

function bitsOf(address: Uint8Array): number[] {
  const hash = sha1(address);
  return Array.from(
    { length: BITS_PER_ADDRESS },
    (_, i) => (hash[2 * i]! | (hash[2 * i + 1]! << 8)) % BITS,
  );
}
