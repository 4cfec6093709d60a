// What a peer tells of its pieces before we know how many there are (a magnet link, BEP 9). It is kept here, bounded, and judged
// when the metadata has arrived.
import { bitfieldLength, spareBitsAreZero } from './bitfield.ts';
import type { WireErrorCode } from './errors.ts';
import type { WireHandler } from './message.ts';

export class EarlyPieces {
  readonly #maxHaves: number;
  #declared: 'all' | 'none' | Uint8Array | undefined;
  #haves: number[] = [];
  #allowedFast: number[] = [];

  constructor(maxHaves: number) {
    this.#maxHaves = maxHaves;
  }

  declareAll(): void {
    this.#declared = 'all';
  }

  declareNone(): void {
    this.#declared = 'none';
  }

  /** Keeps a copy of the bits. */
  declare(bits: Uint8Array): void {
    this.#declared = bits.slice();
  }

  /** Beyond the limit haves are forgotten: the peer is then thought poorer than it is, which harms nobody else. */
  have(pieceIndex: number): void {
    if (this.#declared === 'all') return;
    if (this.#haves.length < this.#maxHaves) this.#haves.push(pieceIndex);
  }

  allowFast(pieceIndex: number): void {
    if (this.#allowedFast.length < MAX_EARLY_ALLOWED_FAST) this.#allowedFast.push(pieceIndex);
  }

  /** The offence in what was kept, now that the number of pieces is known. */
  offence(pieceCount: number): WireErrorCode | undefined {
    const bits = this.#declared;
    if (bits instanceof Uint8Array) {
      if (bits.length !== bitfieldLength(pieceCount)) return 'wrong-length';
      if (!spareBitsAreZero(bits, pieceCount)) return 'spare-bits';
    }
    const isBeyond = (pieceIndex: number) => pieceIndex >= pieceCount;
    const beyond = this.#haves.some(isBeyond) || this.#allowedFast.some(isBeyond);
    return beyond ? 'piece-out-of-range' : undefined;
  }

  /** Tells a handler what was kept, in an order that could have come, as long as `goOn` says so. */
  replay(handler: WireHandler, goOn: () => boolean): void {
    if (this.#declared === 'all') handler.onHaveAll?.();
    else if (this.#declared === 'none') handler.onHaveNone?.();
    else if (this.#declared !== undefined) handler.onBitfield?.(this.#declared);
    for (const pieceIndex of this.#haves) if (goOn()) handler.onHave?.(pieceIndex);
    for (const pieceIndex of this.#allowedFast) if (goOn()) handler.onAllowedFast?.(pieceIndex);
  }
}

/** BEP 6 sends 10; a peer that sends more than this loses no more than the hints. */
const MAX_EARLY_ALLOWED_FAST = 64;
