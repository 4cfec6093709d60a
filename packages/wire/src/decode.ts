// Incremental framing of peer messages (BEP 3, 5, 6, 10, 52) from a stream that comes in any splits.
//
// A block's bytes are never gathered: they are handed on as ranges of the chunk that they came in. Everything else is small and
// read from the chunk, or from a fixed scratch of 53 bytes when it is split over chunks; only the payloads of bitfields,
// extended messages and hashes are gathered in a buffer, which grows with the bytes that arrive up to the judged length.
// Nothing of a chunk is kept past the call. A length is judged as soon as its four bytes are known, again with the id
// (judge.ts).

import { readUint32 } from './bytes.ts';
import { DEFAULT_LIMITS, HASH_HEADER_LENGTH, MESSAGE_ID } from './constants.ts';
import { EarlyPieces, type EarlyRoom } from './early-pieces.ts';
import { WireError } from './errors.ts';
import { type HashRequest, type HashRequestBook, readHashRequest } from './hash-request.ts';
import { MessageJudge } from './judge.ts';
import type { WireHandler, WireLimits, WirePieces } from './message.ts';
import { MESSAGE_LENGTHS } from './message-length.ts';
import { PayloadBuffer } from './payload.ts';
import { Speaker } from './session-state.ts';

export interface WireDecoderOptions {
  /** Absent until the metadata is known: see {@link WireDecoder.setPieces}. */
  readonly pieces?: WirePieces;
  readonly limits?: Partial<WireLimits>;
  /** Shared by the connections of a torrent: what they keep until the pieces are known. Default: no bound in sum. */
  readonly earlyRoom?: EarlyRoom;
  /** Who is speaking: decides what is legal. By default one that has greeted and agreed to every extension. */
  readonly speaker?: Speaker;
  /** Our open hash requests. By default hashes are taken unasked, up to what one request may ask for. */
  readonly hashRequests?: HashRequestBook;
}

/** Reads the messages of one direction of one connection. After an error it takes no more bytes. */
export class WireDecoder {
  readonly #speaker: Speaker;
  readonly #judge: MessageJudge;
  /** Until the pieces are known. */
  #early: EarlyPieces | undefined;
  #status: 'idle' | 'running' | 'closed' = 'idle';
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
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#speaker = options.speaker ?? agreeable();
    this.#judge = new MessageJudge(limits, this.#speaker, options.hashRequests, options.pieces);
    if (options.pieces === undefined) {
      this.#early = new EarlyPieces(limits.maxEarlyHaves, options.earlyRoom);
    }
  }

  /** Whether it has failed or was closed. */
  get isClosed(): boolean {
    return this.#status === 'closed';
  }

  /** Takes no more bytes and calls nothing back any more; also from inside a callback. */
  close(): void {
    this.#status = 'closed';
    this.#payload.clear();
    this.#early?.release();
    this.#early = undefined;
  }

  /**
   * The metadata is known. What the peer told of its pieces before is judged now, and told to `handler`. May be called from
   * inside a callback; does nothing after {@link close}.
   *
   * @throws {WireError} `wrong-length`, `spare-bits`, `piece-out-of-range` (remote); `invalid-argument` (local) when the
   * pieces are known already.
   */
  setPieces(pieces: WirePieces, handler: WireHandler): void {
    if (this.#status === 'closed') return;
    const early = this.#early;
    if (early === undefined) {
      throw new WireError('invalid-argument', 'local', 'the pieces are known already');
    }
    this.#early = undefined;
    try {
      this.#judge.usePieces(pieces);
      early.check(this.#judge);
      early.replay(handler, () => this.#status !== 'closed');
    } catch (error) {
      this.close();
      throw error;
    } finally {
      early.release();
    }
  }

  /**
   * Reads `chunk[start..end)` and calls `handler` for what it holds.
   *
   * @throws {WireError} with fault `remote` for a broken rule; `closed` (local) after an error or when called from inside a
   * callback. An error of a callback comes through.
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
    if (this.#gathered > 0 || end - start < 5) return this.#gatherHead(chunk, start, end, handler);
    const length = readUint32(chunk, start);
    if (length === 0) {
      handler.onKeepAlive?.();
      return start + 4;
    }
    const id = chunk[start + 4]!;
    const headLength = this.#judge.headLength(length, id);
    if (end - start < headLength) return this.#gatherHead(chunk, start, end, handler);
    this.#handleHead(chunk, start, length, id, handler);
    return start + headLength;
  }

  /** The same in steps: four bytes for the length, one for the id, then the rest of the head. */
  #gatherHead(chunk: Uint8Array, start: number, end: number, handler: WireHandler): number {
    const scratch = this.#scratch;
    let at = start;
    for (;;) {
      while (this.#gathered < this.#need && at < end) scratch[this.#gathered++] = chunk[at++]!;
      if (this.#gathered < this.#need) return at;
      const length = readUint32(scratch, 0);
      if (length === 0) {
        this.#gathered = 0;
        handler.onKeepAlive?.();
        return at;
      }
      if (this.#need === 4) {
        this.#judge.checkLength(length);
        this.#need = 5;
        continue;
      }
      const id = scratch[4]!;
      if (this.#need === 5) this.#need = this.#judge.headLength(length, id);
      if (this.#gathered === this.#need) {
        this.#gathered = 0;
        this.#need = 4;
        this.#handleHead(scratch, 0, length, id, handler);
        return at;
      }
    }
  }

  /** A judged head is at `source[start]`: tells of it, or sets up the reading of what follows. */
  #handleHead(
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
      this.#hashes = readHashRequest(source, at);
      this.#judge.checkAnswer(id, this.#hashes, length);
      this.#startPayload(id, length - HASH_HEADER_LENGTH, handler);
    } else if (MESSAGE_LENGTHS[id] !== undefined) {
      this.#tell(id, source, at, handler);
    } else {
      this.#startSkip(length - 1);
    }
  }

  /** Calls back for a message that is complete, with its fields at `source[at]`. */
  #tell(id: number, source: Uint8Array, at: number, handler: WireHandler): void {
    switch (id) {
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
        if (this.#early !== undefined) this.#early.declare('all');
        else handler.onHaveAll?.();
        break;
      case MESSAGE_ID.haveNone:
        if (this.#early !== undefined) this.#early.declare('none');
        else handler.onHaveNone?.();
        break;
      case MESSAGE_ID.port:
        handler.onPort?.((source[at]! << 8) | source[at + 1]!);
        break;
      case MESSAGE_ID.hashRequest:
        handler.onHashRequest?.(readHashRequest(source, at));
        break;
      case MESSAGE_ID.hashReject: {
        const answer = readHashRequest(source, at);
        this.#judge.checkAnswer(id, answer, HASH_HEADER_LENGTH);
        handler.onHashReject?.(answer);
        break;
      }
      case MESSAGE_ID.request:
      case MESSAGE_ID.cancel:
      case MESSAGE_ID.reject: {
        const blockOffset = readUint32(source, at + 4);
        const lengthBytes = readUint32(source, at + 8);
        this.#tellBlock(id, readUint32(source, at), blockOffset, lengthBytes, handler);
        break;
      }
      default:
        this.#tellPiece(id, readUint32(source, at), handler);
    }
  }

  #tellPiece(id: number, pieceIndex: number, handler: WireHandler): void {
    this.#judge.checkPiece(id, pieceIndex);
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
    this.#judge.checkBlock(id, pieceIndex, blockOffset, lengthBytes);
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
    this.#judge.checkBlock(MESSAGE_ID.piece, pieceIndex, blockOffset, lengthBytes);
    if (handler.onBlockStart?.(pieceIndex, blockOffset, lengthBytes) === true) {
      this.#mode = 'block';
      this.#remaining = lengthBytes;
      this.#offsetInBlock = 0;
    } else this.#startSkip(lengthBytes);
  }

  #readBlock(chunk: Uint8Array, start: number, end: number, handler: WireHandler): number {
    const taken = Math.min(this.#remaining, end - start);
    const offsetInBlock = this.#offsetInBlock;
    this.#offsetInBlock += taken;
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#mode = 'head';
    handler.onBlockData?.(chunk, start, start + taken, offsetInBlock);
    if (this.#remaining === 0 && this.#isRunning()) handler.onBlockEnd?.();
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
      this.#judge.checkBitfield(payload);
      if (this.#early !== undefined) this.#early.declare(payload);
      else handler.onBitfield?.(payload);
    } else {
      const request = this.#hashes!;
      this.#hashes = undefined;
      handler.onHashes?.(request, payload);
    }
  }
}

const EMPTY = /* @__PURE__ */ new Uint8Array(0);

function agreeable(): Speaker {
  const speaker = new Speaker();
  speaker.greet();
  for (const agreement of ['fast', 'extended', 'v2'] as const) speaker.agree(agreement);
  return speaker;
}
