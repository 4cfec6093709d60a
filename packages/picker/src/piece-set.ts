// A set of pieces as a bitmap with a summary on top, so that the intersection with what a peer has is found 32 pieces
// at a time and empty stretches of 1,024 pieces cost one comparison. Bits stand as in a BEP 3 bitfield: the high bit
// of a word is its first piece.

/** A bitmap over pieces: `words[i]` covers pieces 32i..32i+31, `summary` has a bit for each word that may not be 0. */
export interface PieceBits {
  readonly words: Int32Array;
  readonly summary: Int32Array;
}

export const HIGH_BIT = 0x8000_0000 | 0;

export class PieceSet implements PieceBits {
  readonly words: Int32Array;
  readonly summary: Int32Array;
  size = 0;

  constructor(pieceCount: number) {
    const wordCount = (pieceCount + 31) >>> 5;
    this.words = new Int32Array(wordCount);
    this.summary = new Int32Array((wordCount + 31) >>> 5);
  }

  has(pieceIndex: number): boolean {
    return (this.words[pieceIndex >>> 5]! & (HIGH_BIT >>> (pieceIndex & 31))) !== 0;
  }

  /** Adds a piece that is not in the set. */
  add(pieceIndex: number): void {
    const w = pieceIndex >>> 5;
    this.words[w] = this.words[w]! | (HIGH_BIT >>> (pieceIndex & 31));
    this.summary[w >>> 5] = this.summary[w >>> 5]! | (HIGH_BIT >>> (w & 31));
    this.size += 1;
  }

  /** Removes a piece that is in the set. */
  delete(pieceIndex: number): void {
    const w = pieceIndex >>> 5;
    const rest = this.words[w]! & ~(HIGH_BIT >>> (pieceIndex & 31));
    this.words[w] = rest;
    if (rest === 0) this.summary[w >>> 5] = this.summary[w >>> 5]! & ~(HIGH_BIT >>> (w & 31));
    this.size -= 1;
  }

  /**
   * The first word at or after `startWord`, wrapping around, that has a piece of this set and of `other` (undefined:
   * of everything), or -1.
   */
  findWord(other: PieceBits | undefined, startWord: number): number {
    if (this.size === 0) return -1;
    const start = startWord >>> 5;
    const tail = -1 >>> (startWord & 31);
    const found = this.#scan(other, start, this.summary.length, tail, -1);
    if (found >= 0 || startWord === 0) return found;
    return this.#scan(other, 0, start + 1, -1, ~tail);
  }

  /** The pieces in word `w` that are in this set and in `other`, as bits. */
  common(other: PieceBits | undefined, w: number): number {
    return other === undefined ? this.words[w]! : this.words[w]! & other.words[w]!;
  }

  #scan(
    other: PieceBits | undefined,
    from: number,
    to: number,
    firstMask: number,
    lastMask: number,
  ): number {
    const { words, summary } = this;
    for (let s = from; s < to; s += 1) {
      let candidates = summary[s]!;
      if (other !== undefined) candidates &= other.summary[s]!;
      if (s === from) candidates &= firstMask;
      if (s === to - 1) candidates &= lastMask;
      while (candidates !== 0) {
        const lead = Math.clz32(candidates);
        const w = (s << 5) | lead;
        if (other === undefined || (words[w]! & other.words[w]!) !== 0) return w;
        candidates &= ~(HIGH_BIT >>> lead);
      }
    }
    return -1;
  }
}

/** The pieces of a BEP 3 bitfield of the right length; spare bits are ignored. */
export function bitsFromBytes(bytes: Uint8Array, pieceCount: number): PieceSet {
  const set = new PieceSet(pieceCount);
  const { words, summary } = set;
  const last = words.length - 1;
  let size = 0;
  for (let w = 0; w <= last; w += 1) {
    const at = w * 4;
    // Beyond the end a typed array reads undefined, which counts as 0 here.
    let bits = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    if (w === last) bits &= lastWordMask(pieceCount);
    if (bits === 0) continue;
    words[w] = bits;
    summary[w >>> 5] = summary[w >>> 5]! | (HIGH_BIT >>> (w & 31));
    size += popCount(bits);
  }
  set.size = size;
  return set;
}

/** The first piece in the word `w` whose bits are `bits` (not 0). */
export function firstPiece(w: number, bits: number): number {
  return (w << 5) | Math.clz32(bits);
}

/** A piece out of the word `w` whose bits are `bits` (not 0), by chance: the first at or after a random bit, wrapping. */
export function randomPiece(w: number, bits: number, random: () => number): number {
  const from = (random() * 32) | 0;
  const after = bits & (-1 >>> from);
  return (w << 5) | Math.clz32(after !== 0 ? after : bits);
}

/** The bits of the last word that stand for pieces. */
export function lastWordMask(pieceCount: number): number {
  const used = pieceCount & 31;
  return used === 0 ? -1 : ~(-1 >>> used);
}

export function popCount(bits: number): number {
  let n = bits - ((bits >>> 1) & 0x5555_5555);
  n = (n & 0x3333_3333) + ((n >>> 2) & 0x3333_3333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
