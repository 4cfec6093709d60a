// The short code that both ends of a channel show, for people to compare: made of both certificates' fingerprints, so that who sits
// between two channels shows two different ones. The idea is that of ZRTP's short authentication string (RFC 6189 section 4.5.2).
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';

/** Of twelve digits: who sits between has to try 2^39 certificates in the seconds before the channel opens. */
const GROUPS = 4;

/**
 * Twelve digits in four groups, such as `042 917 388 105`; the same at both ends whatever their order.
 *
 * @param fingerprints SHA-256 of each end's certificate, 32 bytes each
 */
export function shortCode(fingerprints: readonly [Uint8Array, Uint8Array]): string {
  const [first, second] = [...fingerprints].sort(compare) as [Uint8Array, Uint8Array];
  const hash = hmac(sha256, utf8ToBytes('nat-punch short code'), concatBytes(first, second));
  const view = new DataView(hash.buffer, hash.byteOffset);
  const groups: string[] = [];
  for (let group = 0; group < GROUPS; group += 1) {
    // 2^32 is 4,294,967 thousands and a bit: no group is likelier than another by more than a millionth.
    groups.push(String(view.getUint32(group * 4) % 1000).padStart(3, '0'));
  }
  return groups.join(' ');
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (const [index, byte] of a.entries()) {
    const difference = byte - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
