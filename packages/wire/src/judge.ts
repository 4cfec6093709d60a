// Whether a message that arrives keeps the rules: may it come now, is its length right, is what it names inside the torrent
// (BEP 3, 5, 6, 10, 52). Every method throws a `WireError` with fault `remote`, or lets the message pass.
import { bitfieldLength, spareBitsAreZero } from './bitfield.ts';
import { MESSAGE_ID } from './constants.ts';
import { WireError, type WireErrorCode } from './errors.ts';
import { type HashRequest, type HashRequestBook, hashesMessageLength } from './hash-request.ts';
import { messageName, type WireLimits, type WirePieces } from './message.ts';
import { MAX_HASHES_LENGTH, MESSAGE_LENGTHS } from './message-length.ts';
import type { Speaker } from './session-state.ts';

export class MessageJudge {
  readonly #limits: WireLimits;
  readonly #speaker: Speaker;
  readonly #hashRequests: HashRequestBook | undefined;
  #pieces: WirePieces | undefined;
  #maxLength = 0;
  #unknownBytes = 0;

  constructor(
    limits: WireLimits,
    speaker: Speaker,
    hashRequests: HashRequestBook | undefined,
    pieces: WirePieces | undefined,
  ) {
    this.#limits = limits;
    this.#speaker = speaker;
    this.#hashRequests = hashRequests;
    this.usePieces(pieces);
  }

  usePieces(pieces: WirePieces | undefined): void {
    this.#pieces = pieces;
    if (pieces !== undefined) this.#speaker.agree('pieces');
    this.#maxLength = Math.max(
      9 + this.#limits.maxBlockLength,
      this.#limits.maxExtendedLength,
      this.#limits.maxUnknownLength,
      this.#maxBitfieldMessageLength(),
      MAX_HASHES_LENGTH,
    );
  }

  /** Judges a length prefix by itself: no message of any id may be longer. */
  checkLength(length: number): void {
    if (length > this.#maxLength) fail('message-too-long', `a message of length ${length}`);
  }

  /**
   * Judges a message by its length prefix and id, and returns how many of its bytes are its head: all of them, or those in
   * front of a payload.
   */
  headLength(length: number, id: number): number {
    const objection = this.#speaker.objection(id);
    if (objection !== undefined) fail(objection, `${describe(id)} is not legal now`);
    const rule = MESSAGE_LENGTHS[id];
    if (rule === undefined) {
      this.#checkUnknown(length, id);
      return 5;
    }
    if (length < rule.least || (rule.isFixed && length !== rule.least)) failLength(length, id);
    if (!rule.isFixed) this.#checkPayload(length, id);
    return rule.headLength;
  }

  checkPiece(id: number, pieceIndex: number): void {
    const pieceCount = this.#pieces?.pieceCount ?? this.#limits.maxPieceCount;
    if (pieceIndex >= pieceCount) {
      fail('piece-out-of-range', `${describe(id)}: piece ${pieceIndex} of ${pieceCount}`);
    }
  }

  checkBlock(id: number, pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    this.checkPiece(id, pieceIndex);
    const pieces = this.#pieces!;
    const size = pieces.pieceSize?.(pieceIndex) ?? pieces.pieceLength;
    if (
      lengthBytes === 0 ||
      (lengthBytes > this.#limits.maxRequestLength && id !== MESSAGE_ID.piece) ||
      blockOffset + lengthBytes > size
    ) {
      fail(
        'block-out-of-range',
        `${describe(id)}: ${lengthBytes} bytes at ${blockOffset} of a piece of ${size}`,
      );
    }
  }

  checkBitfield(bits: Uint8Array): void {
    const pieceCount = this.#pieces?.pieceCount;
    if (pieceCount === undefined) return;
    // The length was judged in advance, unless the metadata has come since.
    if (bits.length !== bitfieldLength(pieceCount))
      failLength(1 + bits.length, MESSAGE_ID.bitfield);
    if (!spareBitsAreZero(bits, pieceCount)) fail('spare-bits', 'the bitfield has spare bits set');
  }

  /** Hashes or a hash reject: they answer a request of ours, and are as long as it wants. */
  checkAnswer(id: number, answer: HashRequest, length: number): void {
    if (this.#hashRequests?.settle(answer) === false) {
      fail('unasked-hashes', `${describe(id)} answers no request of ours`);
    }
    if (id === MESSAGE_ID.hashes && length !== hashesMessageLength(answer)) failLength(length, id);
  }

  #checkPayload(length: number, id: number): void {
    let most = MAX_HASHES_LENGTH;
    if (id === MESSAGE_ID.piece) most = 9 + this.#limits.maxBlockLength;
    else if (id === MESSAGE_ID.extended) most = this.#limits.maxExtendedLength;
    else if (id === MESSAGE_ID.bitfield) {
      most = this.#maxBitfieldMessageLength();
      if (this.#pieces !== undefined && length !== most) failLength(length, id);
    }
    if (length > most) fail('message-too-long', `${describe(id)} of length ${length}`);
  }

  #maxBitfieldMessageLength(): number {
    return 1 + bitfieldLength(this.#pieces?.pieceCount ?? this.#limits.maxPieceCount);
  }

  #checkUnknown(length: number, id: number): void {
    if (length > this.#limits.maxUnknownLength) {
      fail('message-too-long', `${describe(id)} of length ${length}`);
    }
    this.#unknownBytes += length;
    if (this.#unknownBytes > this.#limits.maxUnknownTotalBytes) {
      fail('unknown-flood', `${this.#unknownBytes} bytes of unknown messages`);
    }
  }
}

function describe(messageId: number): string {
  return messageName(messageId) ?? `message ${messageId}`;
}

function failLength(length: number, id: number): never {
  fail('wrong-length', `${describe(id)} of length ${length}`);
}

function fail(code: WireErrorCode, message: string): never {
  throw new WireError(code, 'remote', message);
}
