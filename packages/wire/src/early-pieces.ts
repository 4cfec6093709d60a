// What a peer tells of its pieces before we know how many there are (a magnet link, BEP 9). It is kept here, bounded, and judged
// when the metadata has arrived.
import { copyBytes } from './bytes.ts';
import { MESSAGE_ID } from './constants.ts';
import type { MessageJudge } from './judge.ts';
import type { WireHandler } from './message.ts';

export class EarlyPieces {
  readonly #maxHaves: number;
  #declared: 'all' | 'none' | Uint8Array | undefined;
  #haves: number[] = [];
  #allowedFast: number[] = [];

  constructor(maxHaves: number) {
    this.#maxHaves = maxHaves;
  }

  /** Keeps a copy of the bits. */
  declare(declaration: 'all' | 'none' | Uint8Array): void {
    this.#declared = declaration instanceof Uint8Array ? copyBytes(declaration) : declaration;
  }

  /** Beyond the limit haves are forgotten: the peer is then thought poorer than it is, which harms nobody else. */
  have(pieceIndex: number): void {
    if (this.#declared !== 'all' && this.#haves.length < this.#maxHaves) {
      this.#haves.push(pieceIndex);
    }
  }

  allowFast(pieceIndex: number): void {
    if (this.#allowedFast.length < MAX_EARLY_ALLOWED_FAST) this.#allowedFast.push(pieceIndex);
  }

  /** Judges what was kept by the pieces that `judge` knows now. @throws {WireError} as the messages would have. */
  check(judge: MessageJudge): void {
    if (this.#declared instanceof Uint8Array) judge.checkBitfield(this.#declared);
    for (const pieceIndex of this.#haves) judge.checkPiece(MESSAGE_ID.have, pieceIndex);
    for (const pieceIndex of this.#allowedFast) {
      judge.checkPiece(MESSAGE_ID.allowedFast, pieceIndex);
    }
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
