// What counts as one place on the network, where one place shall not count for many: among public addresses a /24, or an IPv6
// /64; elsewhere each endpoint, since many nodes may live at one address there.
import { type AddressFamily, addressClassAt } from '@bt/endpoint';

/**
 * A key for what one owner may well have: a public /24 or an IPv6 /48, elsewhere an address. For maps; it is exact.
 */
export function ownerOf(bytes: Uint8Array, at: number, family: AddressFamily): string {
  const isPublic = addressClassAt(bytes, at, family) === 'public';
  const length = family === 4 ? (isPublic ? 3 : 4) : isPublic ? 6 : 16;
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/**
 * A number for the place of the compact endpoint at `at`. Exact for IPv4; of IPv6 a hash of 52 bits, by which two may be taken
 * for one.
 */
export function networkOf(bytes: Uint8Array, at: number, family: AddressFamily): number {
  const isPublic = addressClassAt(bytes, at, family) === 'public';
  const length = family === 4 ? (isPublic ? 3 : 6) : isPublic ? 8 : 18;
  if (length <= 6) {
    let network = 0;
    for (let i = 0; i < length; i++) network = network * 256 + bytes[at + i]!;
    return isPublic ? -1 - network : network;
  }
  // Two runs of FNV-1a, which make 52 bits.
  let low = 0x811c9dc5;
  let high = 0x811c9dc5;
  for (let i = 0; i < length; i++) {
    low = Math.imul(low ^ bytes[at + i]!, 0x01000193);
    high = Math.imul(high ^ bytes[at + length - 1 - i]!, 0x01000193);
  }
  const hash = (high & 0xfffff) * 0x1_0000_0000 + (low >>> 0);
  return isPublic ? -1 - hash : hash;
}
