/** One bit for each item, the first in the highest bit of the first byte: the order of BEP 3's bitfield. */

/** False for an index beyond the end. */
export function bitAt(bits: Uint8Array, index: number): boolean {
  return ((bits[index >>> 3] ?? 0) & (0x80 >>> (index & 7))) !== 0;
}

export function setBit(bits: Uint8Array, index: number): void {
  const at = index >>> 3;
  bits[at] = (bits[at] ?? 0) | (0x80 >>> (index & 7));
}

export function clearBit(bits: Uint8Array, index: number): void {
  const at = index >>> 3;
  bits[at] = (bits[at] ?? 0) & ~(0x80 >>> (index & 7));
}

/** Number of set bits among the first `count`. */
export function countBits(bits: Uint8Array, count: number): number {
  let total = 0;
  for (let index = 0; index < count; index++) if (bitAt(bits, index)) total++;
  return total;
}
