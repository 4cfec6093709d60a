// What a peer tells of its pieces before we know how many there are (a magnet link, BEP 9). It is kept here, bounded, and judged
// when the metadata has arrived.
import { copyBytes } from './bytes.ts';
import { MESSAGE_ID } from './constants.ts';
import type { MessageJudge } from './judge.ts';
import type { WireHandler } from './message.ts';

/** What the connections of a torrent may keep together; beyond it what a peer tells is forgotten. */
export class EarlyRoom {
  readonly maxBytes: number;
  #takenBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** False: there is not so much left. */
  take(lengthBytes: number): boolean {
    if (this.#takenBytes + lengthBytes > this.maxBytes) return false;
    this.#takenBytes += lengthBytes;
    return true;
  }

  give(lengthBytes: number): void {
    this.#takenBytes -= lengthBytes;
  }
}

/** An index of a piece, as JavaScript keeps it. */
const HAVE_BYTES = 8;

export class EarlyPieces {
  readonly #maxHaves: number;
  readonly #room: EarlyRoom | undefined;
  #declared: 'all' | 'none' | Uint8Array | undefined;
  #haves: number[] = [];
  #allowedFast: number[] = [];

  constructor(maxHaves: number, room: EarlyRoom | undefined) {
    this.#maxHaves = maxHaves;
    this.#room = room;
  }

  /**
   * Keeps a copy of the bits, if there is room. Beyond it and the limit of haves what is told is forgotten: the peer is then
   * thought poorer than it is, which harms nobody else.
   */
  declare(declaration: 'all' | 'none' | Uint8Array): void {
    this.#room?.give(bytesOf(this.#declared));
    const hasRoom = this.#room?.take(bytesOf(declaration)) ?? true;
    const kept =
      declaration instanceof Uint8Array && hasRoom ? copyBytes(declaration) : declaration;
    this.#declared = hasRoom ? kept : undefined;
  }

  have(pieceIndex: number): void {
    if (this.#declared === 'all' || this.#haves.length >= this.#maxHaves) return;
    if (this.#room?.take(HAVE_BYTES) !== false) this.#haves.push(pieceIndex);
  }

  /** Nothing is kept any more. */
  release(): void {
    this.#room?.give(bytesOf(this.#declared) + this.#haves.length * HAVE_BYTES);
    this.#declared = undefined;
    this.#haves = [];
    this.#allowedFast = [];
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

function bytesOf(declared: 'all' | 'none' | Uint8Array | undefined): number {
  return declared instanceof Uint8Array ? declared.length : 0;
}

/** BEP 6 sends 10; a peer that sends more than this loses no more than the hints. */
const MAX_EARLY_ALLOWED_FAST = 64;
