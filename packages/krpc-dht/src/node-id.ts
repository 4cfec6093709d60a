// Node ids: 160 bits, their distance by XOR (BEP 5 "Overview"), and ids that are bound to an address (BEP 42).
// Ids are 20 bytes at an offset of some array, so that tables of them need no objects; the caller answers for the bounds.
import { type AddressFamily, addressClassAt } from '@bt/endpoint';
import { ID_BYTES } from './constants.ts';

/**
 * Which of two ids is nearer to a target by XOR: negative for `a`, positive for `b`, 0 when they are the same id.
 */
export function compareDistance(
  a: Uint8Array,
  aAt: number,
  b: Uint8Array,
  bAt: number,
  target: Uint8Array,
  targetAt: number,
): number {
  for (let i = 0; i < ID_BYTES; i++) {
    const x = a[aAt + i]!;
    const y = b[bAt + i]!;
    if (x !== y) {
      const t = target[targetAt + i]!;
      return (x ^ t) - (y ^ t);
    }
  }
  return 0;
}

/** How many leading bits two ids share: 0 to 160, 160 when they are the same id. */
export function commonPrefixBits(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): number {
  for (let i = 0; i < ID_BYTES; i++) {
    const difference = a[aAt + i]! ^ b[bAt + i]!;
    if (difference !== 0) return 8 * i + Math.clz32(difference) - 24;
  }
  return 8 * ID_BYTES;
}

export function equalIds(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  for (let i = 0; i < ID_BYTES; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

/** An id as a key of a `Map`: a string of 20 characters. */
export function idKey(ids: Uint8Array, at: number): string {
  // One call is three times as fast as a loop, and twice as fast as `apply` (measured).
  return String.fromCharCode(
    ids[at]!,
    ids[at + 1]!,
    ids[at + 2]!,
    ids[at + 3]!,
    ids[at + 4]!,
    ids[at + 5]!,
    ids[at + 6]!,
    ids[at + 7]!,
    ids[at + 8]!,
    ids[at + 9]!,
    ids[at + 10]!,
    ids[at + 11]!,
    ids[at + 12]!,
    ids[at + 13]!,
    ids[at + 14]!,
    ids[at + 15]!,
    ids[at + 16]!,
    ids[at + 17]!,
    ids[at + 18]!,
    ids[at + 19]!,
  );
}

/** 20 random bytes. `random` gives numbers in [0, 1). */
export function randomId(random: () => number): Uint8Array<ArrayBuffer> {
  const id = new Uint8Array(ID_BYTES);
  for (let i = 0; i < ID_BYTES; i++) id[i] = random() * 256;
  return id;
}

/** A random id whose first `prefixBits` bits are those of `id`; the rest is random. */
export function randomIdWithPrefix(
  id: Uint8Array,
  prefixBits: number,
  random: () => number,
): Uint8Array<ArrayBuffer> {
  const result = randomId(random);
  const whole = prefixBits >>> 3;
  result.set(id.subarray(0, whole));
  const rest = prefixBits & 7;
  if (rest > 0) {
    const mask = (0xff00 >>> rest) & 0xff;
    result[whole] = (id[whole]! & mask) | (result[whole]! & ~mask);
  }
  return result;
}

/** A random id that shares exactly `prefixBits` leading bits with `id`: one for that bucket of a table around `id`. */
export function randomIdInBucket(
  id: Uint8Array,
  prefixBits: number,
  random: () => number,
): Uint8Array<ArrayBuffer> {
  const result = randomIdWithPrefix(id, prefixBits, random);
  if (prefixBits < 8 * ID_BYTES) {
    const bit = 0x80 >>> (prefixBits & 7);
    const at = prefixBits >>> 3;
    result[at] = (result[at]! & ~bit) | (~id[at]! & bit);
  }
  return result;
}

/** BEP 42: a random id for a node that is seen from outside at this address of 4 or 16 bytes. */
export function idForAddress(address: Uint8Array, random: () => number): Uint8Array<ArrayBuffer> {
  const id = randomId(random);
  const r = id[ID_BYTES - 1]! & 7;
  const crc = addressChecksum(address, 0, address.length === 4 ? 4 : 6, r);
  id[0] = crc >>> 24;
  id[1] = crc >>> 16;
  id[2] = ((crc >>> 8) & 0xf8) | (id[2]! & 7);
  return id;
}

/**
 * BEP 42: whether the id at `idAt` fits the address of 4 or 16 bytes at `addressAt`. True for any id at an address that is
 * not public.
 */
export function isIdOfAddress(
  ids: Uint8Array,
  idAt: number,
  addresses: Uint8Array,
  addressAt: number,
  family: AddressFamily,
): boolean {
  if (addressClassAt(addresses, addressAt, family) !== 'public') return true;
  const crc = addressChecksum(addresses, addressAt, family, ids[idAt + ID_BYTES - 1]! & 7);
  return (
    ids[idAt] === crc >>> 24 &&
    ids[idAt + 1] === ((crc >>> 16) & 0xff) &&
    (ids[idAt + 2]! & 0xf8) === ((crc >>> 8) & 0xf8)
  );
}

/** BEP 42: what of an address counts, from its first byte on. */
const IPV4_MASK = [0x03, 0x0f, 0x3f, 0xff] as const;
const IPV6_MASK = [0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff] as const;

/** CRC32C (RFC 3720 section 12.1) of the masked address with `r` in its first three bits. */
function addressChecksum(
  addresses: Uint8Array,
  addressAt: number,
  family: AddressFamily,
  r: number,
): number {
  const mask = family === 4 ? IPV4_MASK : IPV6_MASK;
  let crc = 0xffffffff;
  for (let i = 0; i < mask.length; i++) {
    let byte = addresses[addressAt + i]! & mask[i]!;
    if (i === 0) byte |= r << 5;
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}
