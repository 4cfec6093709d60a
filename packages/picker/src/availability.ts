// How many peers have each piece, and the fresh pieces (wanted, missing, not begun) in buckets by priority and
// availability. A have moves one bit from one bucket to the next. A seed is counted in `base` alone, so that one more
// seed touches no piece; of any other bitfield the smaller side is counted, what it has or what it lacks.

import type { Peer } from './peer.ts';
import {
  firstPiece,
  HIGH_BIT,
  lastWordMask,
  type PieceBits,
  PieceSet,
  randomPiece,
} from './piece-set.ts';
import { PRIORITY_DEFAULT, PRIORITY_URGENT } from './view.ts';

/** A peer with no more pieces than this is searched by its own pieces rather than by buckets. */
const FEW_PIECES = 64;

export class Availability {
  readonly pieceCount: number;
  /** What is added to every counter: availability = counter + base. */
  base = 0;
  readonly counters: Int32Array;
  readonly priorities: Uint8Array;
  /** Fresh pieces by priority, whatever their availability. */
  readonly fresh: readonly PieceSet[];
  /** Connected peers, seeds included. */
  peerCount = 0;
  /** What a peer's stored cursor lacks; lowered when counters fall, so that no peer's cursors need be touched. */
  cursorShift = 0;

  /** Fresh pieces by priority and counter; the counter is taken modulo the length, which exceeds the peer count. */
  #levels: (PieceSet | undefined)[][];
  #mask = 15;
  readonly #lowest = new Int32Array(8);
  readonly #spare: PieceSet[] = [];
  readonly #random: () => number;
  readonly #wordCount: number;

  constructor(pieceCount: number, random: () => number) {
    this.pieceCount = pieceCount;
    this.counters = new Int32Array(pieceCount);
    this.priorities = new Uint8Array(pieceCount).fill(PRIORITY_DEFAULT);
    this.fresh = Array.from({ length: 8 }, () => new PieceSet(pieceCount));
    this.#levels = Array.from({ length: 8 }, () => new Array(this.#mask + 1).fill(undefined));
    this.#random = random;
    this.#wordCount = (pieceCount + 31) >>> 5;
    for (let p = 0; p < pieceCount; p += 1) this.insert(p);
  }

  of(pieceIndex: number): number {
    return this.counters[pieceIndex]! + this.base;
  }

  isFresh(pieceIndex: number): boolean {
    return this.fresh[this.priorities[pieceIndex]!]!.has(pieceIndex);
  }

  /** The lowest availability of a fresh piece; undefined when there is none. */
  get rarest(): number | undefined {
    let rarest: number | undefined;
    for (let priority = 1; priority <= PRIORITY_URGENT; priority += 1) {
      if (this.fresh[priority]!.size === 0) continue;
      const availability = this.#lowestLevel(priority) + this.base;
      if (rarest === undefined || availability < rarest) rarest = availability;
    }
    return rarest;
  }

  /** Fresh pieces that at least one peer has. */
  get reachableFreshCount(): number {
    let count = 0;
    for (let priority = 1; priority <= PRIORITY_URGENT; priority += 1) {
      const all = this.fresh[priority]!.size;
      if (all > 0) count += all - (this.#levels[priority]![-this.base & this.#mask]?.size ?? 0);
    }
    return count;
  }

  /** A piece becomes fresh; its priority is not 0. Peers' cursors are the caller's affair. */
  insert(pieceIndex: number): void {
    const priority = this.priorities[pieceIndex]!;
    this.fresh[priority]!.add(pieceIndex);
    this.#place(priority, this.counters[pieceIndex]!, pieceIndex);
  }

  /** A fresh piece is begun, had or not wanted any more. */
  remove(pieceIndex: number): void {
    const priority = this.priorities[pieceIndex]!;
    this.fresh[priority]!.delete(pieceIndex);
    this.#unplace(priority, this.counters[pieceIndex]!, pieceIndex);
  }

  /** The peer may have this fresh piece: its search must not begin beyond it. */
  lowerCursor(peer: Peer, pieceIndex: number): void {
    const priority = this.priorities[pieceIndex]!;
    const cursor = this.counters[pieceIndex]! - this.cursorShift;
    if (peer.cursors[priority]! > cursor) peer.cursors[priority] = cursor;
  }

  addPeer(): void {
    this.peerCount += 1;
    if (this.peerCount >= this.#mask) this.#widen();
  }

  removePeer(): void {
    this.peerCount -= 1;
  }

  have(pieceIndex: number): void {
    this.#shiftOne(pieceIndex, 1);
  }

  addSeed(): void {
    this.base += 1;
  }

  removeSeed(): void {
    this.base -= 1;
  }

  /** A peer with these pieces joins. */
  join(pieces: PieceSet): void {
    if (pieces.size * 2 <= this.pieceCount) this.#shiftMany(pieces, 0, 1);
    else {
      this.base += 1;
      this.cursorShift -= 1;
      this.#shiftMany(pieces, -1, -1);
    }
  }

  /** A peer with these pieces leaves. */
  leave(pieces: PieceSet): void {
    if (pieces.size * 2 <= this.pieceCount) {
      this.cursorShift -= 1;
      this.#shiftMany(pieces, 0, -1);
    } else {
      this.base -= 1;
      this.#shiftMany(pieces, -1, 1);
    }
  }

  /**
   * A fresh piece of the peer's that is rarest among those of the highest priority not above `top`, ties by chance; or -1.
   */
  findRarest(peer: Peer, top: number): number {
    const pieces = peer.pieces;
    if (!peer.isSeed && pieces !== undefined && pieces.size <= FEW_PIECES) {
      return this.#findAmong(pieces, top);
    }
    const start = (this.#random() * this.#wordCount) | 0;
    const last = this.peerCount - this.base;
    for (let priority = top; priority > 0; priority -= 1) {
      if (this.fresh[priority]!.size === 0) continue;
      const levels = this.#levels[priority]!;
      let counter = this.#lowestLevel(priority);
      if (counter < 1 - this.base) counter = 1 - this.base;
      const cursor = peer.cursors[priority]! + this.cursorShift;
      if (!peer.isSeed && counter < cursor) counter = cursor;
      for (; counter <= last; counter += 1) {
        const level = levels[counter & this.#mask];
        if (level === undefined) continue;
        const w = level.findWord(pieces, start);
        if (w < 0) continue;
        peer.cursors[priority] = counter - this.cursorShift;
        return randomPiece(w, level.common(pieces, w), this.#random);
      }
      peer.cursors[priority] = counter - this.cursorShift;
    }
    return -1;
  }

  /** A fresh piece of the peer's by chance among those of the highest priority not above `top`, or -1. */
  findRandom(peer: Peer, top: number): number {
    const start = (this.#random() * this.#wordCount) | 0;
    for (let priority = top; priority > 0; priority -= 1) {
      const set = this.fresh[priority]!;
      const w = set.findWord(peer.pieces, start);
      if (w >= 0) return randomPiece(w, set.common(peer.pieces, w), this.#random);
    }
    return -1;
  }

  /** The first fresh piece of the peer's among those of the highest priority not above `top`, or -1. */
  findFirst(peer: Peer, top: number): number {
    for (let priority = top; priority > 0; priority -= 1) {
      const set = this.fresh[priority]!;
      const w = set.findWord(peer.pieces, 0);
      if (w >= 0) return firstPiece(w, set.common(peer.pieces, w));
    }
    return -1;
  }

  /** The fresh pieces of this priority and availability. */
  level(priority: number, availability: number): PieceSet | undefined {
    return this.#levels[priority]![(availability - this.base) & this.#mask];
  }

  #findAmong(pieces: PieceSet, top: number): number {
    let best = -1;
    let bestPriority = 1;
    let bestCounter = 0;
    let ties = 0;
    for (let w = pieces.findWord(undefined, 0); w >= 0; w = nextWord(pieces, w)) {
      for (let bits = pieces.words[w]!; bits !== 0; ) {
        const lead = Math.clz32(bits);
        bits &= ~(HIGH_BIT >>> lead);
        const p = (w << 5) | lead;
        if (!this.isFresh(p)) continue;
        const priority = this.priorities[p]!;
        if (priority > top) continue;
        const counter = this.counters[p]!;
        if (
          best < 0 ||
          priority > bestPriority ||
          (priority === bestPriority && counter < bestCounter)
        ) {
          best = p;
          bestPriority = priority;
          bestCounter = counter;
          ties = 1;
        } else if (priority === bestPriority && counter === bestCounter) {
          ties += 1;
          if (this.#random() * ties < 1) best = p;
        }
      }
    }
    return best;
  }

  /** Adds `by` to the counter of every piece whose bit differs from `flip`'s. */
  #shiftMany(pieces: PieceBits, flip: 0 | -1, by: 1 | -1): void {
    const { words } = pieces;
    const lastWord = words.length - 1;
    for (let w = 0; w <= lastWord; w += 1) {
      let bits = words[w]! ^ flip;
      if (w === lastWord) bits &= lastWordMask(this.pieceCount);
      while (bits !== 0) {
        const lead = Math.clz32(bits);
        bits &= ~(HIGH_BIT >>> lead);
        this.#shiftOne((w << 5) | lead, by);
      }
    }
  }

  #shiftOne(pieceIndex: number, by: 1 | -1): void {
    const counter = this.counters[pieceIndex]!;
    this.counters[pieceIndex] = counter + by;
    const priority = this.priorities[pieceIndex]!;
    if (!this.fresh[priority]!.has(pieceIndex)) return;
    this.#unplace(priority, counter, pieceIndex);
    this.#place(priority, counter + by, pieceIndex);
  }

  #place(priority: number, counter: number, pieceIndex: number): void {
    const levels = this.#levels[priority]!;
    const at = counter & this.#mask;
    let level = levels[at];
    if (level === undefined) {
      level = this.#spare.pop() ?? new PieceSet(this.pieceCount);
      levels[at] = level;
      if (counter < this.#lowest[priority]!) this.#lowest[priority] = counter;
    }
    level.add(pieceIndex);
  }

  #unplace(priority: number, counter: number, pieceIndex: number): void {
    const levels = this.#levels[priority]!;
    const at = counter & this.#mask;
    const level = levels[at]!;
    level.delete(pieceIndex);
    if (level.size > 0) return;
    levels[at] = undefined; // an empty set is all zeros: it can serve any level
    this.#spare.push(level);
  }

  /** The lowest counter of this priority with a fresh piece; there is one. */
  #lowestLevel(priority: number): number {
    const levels = this.#levels[priority]!;
    let counter = Math.max(this.#lowest[priority]!, -this.base);
    while (levels[counter & this.#mask] === undefined) counter += 1;
    this.#lowest[priority] = counter;
    return counter;
  }

  #widen(): void {
    const narrow = this.#levels;
    const narrowMask = this.#mask;
    this.#mask = narrowMask * 2 + 1;
    // Counters lie in -base .. -base + peers, fewer than the narrow ring had places.
    this.#levels = narrow.map((levels) => {
      const wide = new Array<PieceSet | undefined>(this.#mask + 1).fill(undefined);
      for (let i = 0; i <= narrowMask; i += 1) {
        const counter = i - this.base;
        wide[counter & this.#mask] = levels[counter & narrowMask];
      }
      return wide;
    });
  }
}

function nextWord(pieces: PieceSet, w: number): number {
  if (w + 1 >= pieces.words.length) return -1;
  const next = pieces.findWord(undefined, w + 1);
  return next > w ? next : -1;
}
