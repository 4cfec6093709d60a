// Incremental framing of peer messages (BEP 3, 5, 6, 10, 52) from a stream that comes in any splits.
//
// A block's bytes are never gathered: they are handed on as ranges of the chunk that they came in. Everything else is small and
// read from the chunk, or from a fixed scratch of 53 bytes when it is split over chunks; only the payloads of bitfields,
// extended messages and hashes are gathered in a buffer, which grows with the bytes that arrive up to the judged length.
// Nothing of a chunk is kept past the call. A length is judged as soon as its four bytes are known, again with the id.
import { bitfieldLength, spareBitsAreZero } from './bitfield.ts';
import { DEFAULT_LIMITS, HASH_HEADER_LENGTH, MESSAGE_ID } from './constants.ts';
import { EarlyPieces } from './early-pieces.ts';
import { WireError, type WireErrorCode } from './errors.ts';
import {
  type HashRequest,
  type HashRequestBook,
  hashesMessageLength,
  readHashRequest,
} from './hash-request.ts';
import { readUint32 } from './integers.ts';
import { messageName, type WireHandler, type WireLimits, type WirePieces } from './message.ts';
import { MAX_HASHES_LENGTH, MESSAGE_LENGTHS } from './message-length.ts';
import { PayloadBuffer } from './payload.ts';
import { Speaker } from './session-state.ts';

export interface WireDecoderOptions {
  /** Absent until the metadata is known: see {@link WireDecoder.setPieces}. */
  readonly pieces?: WirePieces;
  readonly limits?: Partial<WireLimits>;
  /** Who is speaking: decides what is legal. By default one that has greeted and agreed to every extension. */
  readonly speaker?: Speaker;
  /** Our open hash requests. By default hashes are taken unasked, up to what one request may ask for. */
  readonly hashRequests?: HashRequestBook;
}

/** Reads the messages of one direction of one connection. After an error it takes no more bytes. */
export class WireDecoder {
  readonly #limits: WireLimits;
  readonly #speaker: Speaker;
  readonly #hashRequests: HashRequestBook | undefined;
  #pieces: WirePieces | undefined;
  #early: EarlyPieces | undefined;
  /** No message of any kind may be longer. */
  #maxLength = 0;
  #unknownBytes = 0;

  #status: 'idle' | 'running' | 'dead' = 'idle';
  #mode: 'head' | 'block' | 'payload' | 'skip' = 'head';
  // head: the bytes of it that came in earlier chunks, and how many it takes to go on.
  readonly #scratch = new Uint8Array(4 + HASH_HEADER_LENGTH);
  #gathered = 0;
  #need = 4;
  // block, skip: what is left of the message.
  #remaining = 0;
  #offsetInBlock = 0;
  // payload: of which message, and what has arrived.
  readonly #payload = new PayloadBuffer();
  #payloadId = 0;
  #extendedId = 0;
  #hashes: HashRequest | undefined;

  constructor(options: WireDecoderOptions = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#speaker = options.speaker ?? talkative();
    this.#hashRequests = options.hashRequests;
    if (options.pieces !== undefined) this.#usePieces(options.pieces);
    else this.#early = new EarlyPieces(this.#limits.maxEarlyHaves);
    this.#judgeMaxLength();
  }

  /** Whether it has failed or was closed. */
  get isClosed(): boolean {
    return this.#status === 'dead';
  }

  /** Takes no more bytes and calls nothing back any more; also from inside a callback. */
  close(): void {
    this.#status = 'dead';
    this.#payload.clear();
    this.#early = undefined;
  }

  /**
   * The metadata is known. What the peer told of its pieces before is judged now, and told to `handler`. May be called from
   * inside a callback; does nothing after {@link close}.
   *
   * @throws {WireError} `wrong-length`, `spare-bits`, `piece-out-of-range` (remote); `invalid-argument` when the pieces are
   * known already.
   */
  setPieces(pieces: WirePieces, handler: WireHandler): void {
    if (this.#status === 'dead') return;
    const early = this.#early;
    if (early === undefined) {
      throw new WireError('invalid-argument', 'local', 'the pieces are known already');
    }
    const offence = early.offence(pieces.pieceCount);
    if (offence !== undefined) {
      this.#fail(offence, 'what the peer told before the metadata does not fit the torrent');
    }
    this.#usePieces(pieces);
    this.#early = undefined;
    this.#judgeMaxLength();
    early.replay(handler, () => this.#status !== 'dead');
  }

  /**
   * Reads `chunk[start..end)` and calls `handler` for what it holds.
   *
   * @throws {WireError} with fault `remote` for a broken rule; `closed` (local) after an error or when called from inside a
   * callback.
   */
  handleBytes(chunk: Uint8Array, handler: WireHandler, start = 0, end = chunk.length): void {
    if (this.#status !== 'idle') {
      throw new WireError('closed', 'local', `the decoder is ${this.#status}`);
    }
    this.#status = 'running';
    try {
      let at = start;
      while (at < end && this.#isRunning()) {
        if (this.#mode === 'head') at = this.#readHead(chunk, at, end, handler);
        else if (this.#mode === 'block') at = this.#readBlock(chunk, at, end, handler);
        else if (this.#mode === 'payload') at = this.#readPayload(chunk, at, end, handler);
        else at = this.#skip(at, end);
      }
    } catch (error) {
      this.close();
      throw error;
    }
    if (this.#isRunning()) this.#status = 'idle';
  }

  #isRunning(): boolean {
    return this.#status === 'running';
  }

  /** Reads one message's head, in place when all of it is in the chunk. */
  #readHead(chunk: Uint8Array, start: number, end: number, handler: WireHandler): number {
    if (this.#gathered === 0 && end - start >= 5) {
      const length = readUint32(chunk, start);
      if (length === 0) {
        handler.onKeepAlive?.();
        return start + 4;
      }
      const id = chunk[start + 4]!;
      const headLength = this.#judge(length, id);
      if (end - start >= headLength) {
        this.#dispatch(chunk, start, length, id, handler);
        return start + headLength;
      }
    }
    return this.#gatherHead(chunk, start, end, handler);
  }

  /** The same in steps: four bytes for the length, one for the id, then the rest of the head. */
  #gatherHead(chunk: Uint8Array, start: number, end: number, handler: WireHandler): number {
    let at = start;
    const scratch = this.#scratch;
    for (;;) {
      while (this.#gathered < this.#need && at < end) scratch[this.#gathered++] = chunk[at++]!;
      if (this.#gathered < this.#need) return at;
      const length = readUint32(scratch, 0);
      if (this.#need === 4) {
        if (length === 0) {
          this.#gathered = 0;
          handler.onKeepAlive?.();
          return at;
        }
        if (length > this.#maxLength) this.#failTooLong(length, undefined);
        this.#need = 5;
      } else {
        const id = scratch[4]!;
        const headLength = this.#need === 5 ? this.#judge(length, id) : this.#need;
        if (headLength === this.#need) {
          this.#gathered = 0;
          this.#need = 4;
          this.#dispatch(scratch, 0, length, id, handler);
          return at;
        }
        this.#need = headLength;
      }
    }
  }

  /** Judges a message by its length and id, and returns the bytes of its head: all of it, or what is in front of a payload. */
  #judge(length: number, id: number): number {
    const objection = this.#speaker.objection(id);
    if (objection !== undefined) {
      this.#fail(objection, `${describe(id)} is not legal now`);
    }
    const rule = MESSAGE_LENGTHS[id];
    if (rule === undefined) {
      if (length > this.#limits.maxUnknownLength) this.#failTooLong(length, id);
      this.#unknownBytes += length;
      if (this.#unknownBytes > this.#limits.maxUnknownTotalBytes) {
        this.#fail('unknown-flood', `${this.#unknownBytes} bytes of unknown messages`);
      }
      return 5;
    }
    const isExact = rule.isFixed || (id === MESSAGE_ID.bitfield && this.#pieces !== undefined);
    const most = rule.isFixed ? rule.least : this.#mostOf(id);
    if (isExact ? length !== most : length < rule.least) {
      this.#fail('wrong-length', `${describe(id)} of length ${length}`);
    }
    if (length > most) this.#failTooLong(length, id);
    return rule.headLength;
  }

  /** The longest that a message with a payload may be. */
  #mostOf(id: number): number {
    if (id === MESSAGE_ID.piece) return 9 + this.#limits.maxBlockLength;
    if (id === MESSAGE_ID.extended) return this.#limits.maxExtendedLength;
    if (id === MESSAGE_ID.bitfield) {
      return 1 + bitfieldLength(this.#pieces?.pieceCount ?? this.#limits.maxPieceCount);
    }
    if (this.#hashRequests?.size === 0) this.#fail('unasked-hashes', 'hashes without a request');
    return MAX_HASHES_LENGTH;
  }

  #judgeMaxLength(): void {
    this.#maxLength = Math.max(
      9 + this.#limits.maxBlockLength,
      this.#limits.maxExtendedLength,
      this.#limits.maxUnknownLength,
      this.#mostOf(MESSAGE_ID.bitfield),
      MAX_HASHES_LENGTH,
    );
  }

  /** A whole head is at `source[start]`: acts on it, or sets up the reading of what follows. */
  #dispatch(
    source: Uint8Array,
    start: number,
    length: number,
    id: number,
    handler: WireHandler,
  ): void {
    this.#speaker.advance(id);
    const at = start + 5;
    if (id === MESSAGE_ID.piece) {
      this.#startBlock(readUint32(source, at), readUint32(source, at + 4), length - 9, handler);
    } else if (id === MESSAGE_ID.bitfield) {
      this.#startPayload(id, length - 1, handler);
    } else if (id === MESSAGE_ID.extended) {
      this.#extendedId = source[at]!;
      this.#startPayload(id, length - 2, handler);
    } else if (id === MESSAGE_ID.hashes) {
      this.#startHashes(readHashRequest(source, at), length, handler);
    } else if (MESSAGE_LENGTHS[id] !== undefined) {
      this.#tell(id, source, at, handler);
    } else {
      this.#startSkip(length - 1);
    }
  }

  /** Calls back for a message that is complete, with its fields at `source[at]`. */
  #tell(id: number, source: Uint8Array, at: number, handler: WireHandler): void {
    switch (id) {
      case MESSAGE_ID.request:
      case MESSAGE_ID.cancel:
      case MESSAGE_ID.reject: {
        const blockOffset = readUint32(source, at + 4);
        const lengthBytes = readUint32(source, at + 8);
        this.#tellBlock(id, readUint32(source, at), blockOffset, lengthBytes, handler);
        break;
      }
      case MESSAGE_ID.have:
      case MESSAGE_ID.suggest:
      case MESSAGE_ID.allowedFast:
        this.#tellPiece(id, readUint32(source, at), handler);
        break;
      case MESSAGE_ID.choke:
        handler.onChoke?.();
        break;
      case MESSAGE_ID.unchoke:
        handler.onUnchoke?.();
        break;
      case MESSAGE_ID.interested:
        handler.onInterested?.();
        break;
      case MESSAGE_ID.notInterested:
        handler.onNotInterested?.();
        break;
      case MESSAGE_ID.haveAll:
        if (this.#early !== undefined) this.#early.declareAll();
        else handler.onHaveAll?.();
        break;
      case MESSAGE_ID.haveNone:
        if (this.#early !== undefined) this.#early.declareNone();
        else handler.onHaveNone?.();
        break;
      case MESSAGE_ID.port:
        handler.onPort?.((source[at]! << 8) | source[at + 1]!);
        break;
      case MESSAGE_ID.hashRequest:
        handler.onHashRequest?.(readHashRequest(source, at));
        break;
      case MESSAGE_ID.hashReject: {
        const request = readHashRequest(source, at);
        this.#settle(request);
        handler.onHashReject?.(request);
      }
    }
  }

  #tellPiece(id: number, pieceIndex: number, handler: WireHandler): void {
    const pieceCount = this.#pieces?.pieceCount ?? this.#limits.maxPieceCount;
    if (pieceIndex >= pieceCount) this.#failPiece(id, pieceIndex);
    const early = this.#early;
    if (early !== undefined) {
      // A suggestion is for the moment; it is not worth keeping.
      if (id === MESSAGE_ID.have) early.have(pieceIndex);
      else if (id === MESSAGE_ID.allowedFast) early.allowFast(pieceIndex);
    } else if (id === MESSAGE_ID.have) handler.onHave?.(pieceIndex);
    else if (id === MESSAGE_ID.suggest) handler.onSuggest?.(pieceIndex);
    else handler.onAllowedFast?.(pieceIndex);
  }

  #tellBlock(
    id: number,
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
    handler: WireHandler,
  ): void {
    if (lengthBytes > this.#limits.maxRequestLength) {
      this.#fail('block-out-of-range', `${describe(id)} of ${lengthBytes} bytes`);
    }
    this.#checkBlock(id, pieceIndex, blockOffset, lengthBytes);
    if (id === MESSAGE_ID.request) handler.onRequest?.(pieceIndex, blockOffset, lengthBytes);
    else if (id === MESSAGE_ID.cancel) handler.onCancel?.(pieceIndex, blockOffset, lengthBytes);
    else handler.onReject?.(pieceIndex, blockOffset, lengthBytes);
  }

  #startBlock(
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
    handler: WireHandler,
  ): void {
    this.#checkBlock(MESSAGE_ID.piece, pieceIndex, blockOffset, lengthBytes);
    if (handler.onBlockStart?.(pieceIndex, blockOffset, lengthBytes) === true) {
      this.#mode = 'block';
      this.#remaining = lengthBytes;
      this.#offsetInBlock = 0;
    } else this.#startSkip(lengthBytes);
  }

  #checkBlock(id: number, pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    const pieces = this.#pieces;
    if (pieces === undefined || pieceIndex >= pieces.pieceCount) this.#failPiece(id, pieceIndex);
    const size = pieces.pieceSize?.(pieceIndex) ?? pieces.pieceLength;
    if (lengthBytes === 0 || blockOffset + lengthBytes > size) {
      this.#fail(
        'block-out-of-range',
        `${describe(id)}: ${lengthBytes} bytes at ${blockOffset} of a piece of ${size}`,
      );
    }
  }

  #readBlock(chunk: Uint8Array, start: number, end: number, handler: WireHandler): number {
    const taken = Math.min(this.#remaining, end - start);
    const offsetInBlock = this.#offsetInBlock;
    this.#offsetInBlock += taken;
    this.#remaining -= taken;
    handler.onBlockData?.(chunk, start, start + taken, offsetInBlock);
    if (this.#remaining === 0 && this.#isRunning()) {
      this.#mode = 'head';
      handler.onBlockEnd?.();
    }
    return start + taken;
  }

  #startSkip(lengthBytes: number): void {
    if (lengthBytes === 0) return;
    this.#mode = 'skip';
    this.#remaining = lengthBytes;
  }

  #skip(start: number, end: number): number {
    const taken = Math.min(this.#remaining, end - start);
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#mode = 'head';
    return start + taken;
  }

  #startPayload(id: number, lengthBytes: number, handler: WireHandler): void {
    this.#payloadId = id;
    if (lengthBytes === 0) {
      this.#tellPayload(EMPTY, handler);
      return;
    }
    this.#mode = 'payload';
    this.#payload.start(lengthBytes);
  }

  #readPayload(chunk: Uint8Array, start: number, end: number, handler: WireHandler): number {
    const stop = start + Math.min(this.#payload.missing, end - start);
    const payload = this.#payload.take(chunk, start, stop);
    if (payload !== undefined) {
      this.#mode = 'head';
      this.#tellPayload(payload, handler);
    }
    return stop;
  }

  #tellPayload(payload: Uint8Array, handler: WireHandler): void {
    if (this.#payloadId === MESSAGE_ID.extended) {
      handler.onExtended?.(this.#extendedId, payload);
    } else if (this.#payloadId === MESSAGE_ID.bitfield) {
      this.#tellBitfield(payload, handler);
    } else {
      const request = this.#hashes!;
      this.#hashes = undefined;
      handler.onHashes?.(request, payload);
    }
  }

  #tellBitfield(bits: Uint8Array, handler: WireHandler): void {
    const pieces = this.#pieces;
    if (pieces === undefined) {
      this.#early?.declare(bits);
      return;
    }
    // The length is compared here and not only in advance: the metadata may have come in between.
    if (bits.length !== bitfieldLength(pieces.pieceCount)) {
      this.#fail('wrong-length', `a bitfield of ${bits.length} bytes`);
    }
    if (!spareBitsAreZero(bits, pieces.pieceCount)) {
      this.#fail('spare-bits', 'spare bits of the bitfield are set');
    }
    handler.onBitfield?.(bits);
  }

  #startHashes(answer: HashRequest, length: number, handler: WireHandler): void {
    this.#settle(answer);
    if (length !== hashesMessageLength(answer)) {
      this.#fail('wrong-length', `hashes of length ${length}`);
    }
    this.#hashes = answer;
    this.#startPayload(MESSAGE_ID.hashes, length - HASH_HEADER_LENGTH, handler);
  }

  #settle(answer: HashRequest): void {
    if (this.#hashRequests?.settle(answer) === false) {
      this.#fail('unasked-hashes', 'hashes that answer no request of ours');
    }
  }

  #usePieces(pieces: WirePieces): void {
    this.#pieces = pieces;
    this.#speaker.agree('pieces');
  }

  #failPiece(id: number, pieceIndex: number): never {
    this.#fail(
      'piece-out-of-range',
      `${describe(id)}: piece ${pieceIndex} of ${this.#pieces?.pieceCount ?? 'a torrent not known yet'}`,
    );
  }

  #failTooLong(length: number, id: number | undefined): never {
    const what = id === undefined ? 'a message' : describe(id);
    this.#fail('message-too-long', `${what} of length ${length}`);
  }

  #fail(code: WireErrorCode, message: string): never {
    this.close();
    throw new WireError(code, 'remote', message);
  }
}

const EMPTY = /* @__PURE__ */ new Uint8Array(0);

function describe(messageId: number): string {
  return messageName(messageId) ?? `message ${messageId}`;
}

function talkative(): Speaker {
  const speaker = new Speaker();
  speaker.greet();
  for (const agreement of ['fast', 'extended', 'v2'] as const) speaker.agree(agreement);
  return speaker;
}
