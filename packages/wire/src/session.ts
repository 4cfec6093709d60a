// One connection from our side: the handshake, the decoder, what may be said now (session-state.ts), and the bytes to send.
// It does no I/O and knows no time: bytes come in by `handleBytes` and go out by `takeOutput`.

import { bitfieldLength, spareBitsAreZero } from './bitfield.ts';
import { sameBytes } from './bytes.ts';
import {
  BLOCK_LENGTH,
  DEFAULT_LIMITS,
  HANDSHAKE_LENGTH,
  HASH_LENGTH,
  MESSAGE_ID,
} from './constants.ts';
import { WireDecoder } from './decode.ts';
import type { EarlyRoom } from './early-pieces.ts';
import * as encode from './encode.ts';
import { WireError } from './errors.ts';
import {
  type Handshake,
  type HandshakeInput,
  HandshakeReader,
  type WireFeatures,
  writeHandshake,
} from './handshake.ts';
import { answerHashCount, type HashRequest, HashRequestBook } from './hash-request.ts';
import { messageName, type WireHandler, type WireLimits, type WirePieces } from './message.ts';
import { OutputBuffer } from './output.ts';
import { isRequestFutile, Speaker } from './session-state.ts';

export interface WireSessionOptions {
  /**
   * What we say first. Who accepts a v1 connection of a hybrid torrent may answer with the v2 info-hash, if the remote's
   * features offer that; who dials offers it by `features.v2`.
   */
  readonly handshake: HandshakeInput;
  /** What the remote said, when it was read already: by who accepts a connection, to find the torrent. */
  readonly remoteHandshake?: Handshake;
  /** The torrent's v2 info-hash cut to 20 bytes, if it has one: a connection under it may carry hash messages (BEP 52). */
  readonly infoHashV2?: Uint8Array;
  /** Absent until the metadata is known. */
  readonly pieces?: WirePieces;
  readonly limits?: Partial<WireLimits>;
  /** Shared by the connections of a torrent: what they keep until the metadata is known. Default: no bound in sum. */
  readonly earlyRoom?: EarlyRoom;
}

/**
 * A connection. Messages to send are methods: each is checked, appended to the output, and changes the state; one that is
 * not legal now throws a `WireError` with fault `local` and changes nothing.
 */
export class WireSession {
  readonly #options: WireSessionOptions;
  readonly #local = new Speaker();
  readonly #remote = new Speaker();
  readonly #decoder: WireDecoder;
  readonly #output = new OutputBuffer();
  readonly #hashRequests = new HashRequestBook();
  #reader: HandshakeReader | undefined;
  #remoteHandshake: Handshake | undefined;
  #pieces: WirePieces | undefined;
  #features: WireFeatures = NOTHING_AGREED;

  /** @throws {WireError} `invalid-argument`; `wrong-info-hash` (remote) when `remoteHandshake` is for another torrent. */
  constructor(options: WireSessionOptions) {
    this.#options = options;
    if (options.infoHashV2 !== undefined && options.infoHashV2.length !== 20) {
      this.#refuse('invalid-argument', 'the v2 info-hash is not cut to 20 bytes');
    }
    this.#decoder = new WireDecoder({
      speaker: this.#remote,
      hashRequests: this.#hashRequests,
      ...(options.pieces && { pieces: options.pieces }),
      ...(options.limits && { limits: options.limits }),
      ...(options.earlyRoom && { earlyRoom: options.earlyRoom }),
    });
    if (options.pieces !== undefined) this.#usePieces(options.pieces);
    if (options.remoteHandshake !== undefined) this.#greeted(options.remoteHandshake);
    else this.#reader = new HandshakeReader();
  }

  /** We choke the remote. */
  get amChoking(): boolean {
    return this.#local.choking;
  }

  /** We are interested in the remote's pieces. */
  get amInterested(): boolean {
    return this.#local.interested;
  }

  /** The remote chokes us. */
  get peerChoking(): boolean {
    return this.#remote.choking;
  }

  /** The remote is interested in our pieces. */
  get peerInterested(): boolean {
    return this.#remote.interested;
  }

  /** The remote's handshake, once it is there. */
  get remoteHandshake(): Handshake | undefined {
    return this.#remoteHandshake;
  }

  /** What both sides offer; all false before the remote's handshake. `v2`: the connection runs under the v2 info-hash. */
  get features(): WireFeatures {
    return this.#features;
  }

  /** Whether the connection has failed or was closed. */
  get isClosed(): boolean {
    return this.#decoder.isClosed;
  }

  /** Our hash requests without an answer. */
  get openHashRequests(): number {
    return this.#hashRequests.size;
  }

  /** Bytes that wait to be taken. */
  get outputLength(): number {
    return this.#output.length;
  }

  /** What is to be sent, to be written in one go; never written to again. `undefined` when there is nothing, or the session is closed. */
  takeOutput(): Uint8Array<ArrayBuffer> | undefined {
    return this.isClosed ? undefined : this.#output.take();
  }

  /** Ends the session: nothing more is read, called back or sent. Also from inside a callback. */
  close(): void {
    this.#decoder.close();
    this.#output.clear();
  }

  /**
   * Reads `chunk[start..end)` and calls `handler` for what it holds. The chunk may be reused afterwards.
   *
   * @throws {WireError} with fault `remote` when the remote broke a rule: close the connection. `closed` (local) after an
   * error, after `close()`, or from inside a callback. An error of a callback comes through, and ends the session.
   */
  handleBytes(chunk: Uint8Array, handler: WireHandler, start = 0, end = chunk.length): void {
    let at = start;
    if (this.#reader !== undefined && !this.isClosed) {
      try {
        at += this.#readHandshake(this.#reader, chunk, start, end, handler);
      } catch (error) {
        this.close();
        throw error;
      }
      if (at === end || this.isClosed) return;
    }
    this.#decoder.handleBytes(chunk, handler, at, end);
  }

  /**
   * The metadata has arrived: what the remote told of its pieces is judged and told to `handler`. May be called from inside
   * a callback.
   *
   * @throws {WireError} `wrong-length`, `spare-bits`, `piece-out-of-range` (remote); `invalid-argument` when the pieces are
   * known already.
   */
  setPieces(pieces: WirePieces, handler: WireHandler): void {
    if (this.isClosed) return;
    if (this.#pieces === undefined) this.#usePieces(pieces);
    this.#decoder.setPieces(pieces, handler);
  }

  /** Says our handshake: the first thing to be said. */
  sendHandshake(): void {
    this.#checkOpen();
    if (this.#local.phase !== 'handshake') this.#refuse('out-of-turn', 'a second handshake');
    const at = this.#output.reserve(HANDSHAKE_LENGTH);
    this.#output.append(writeHandshake(this.#output.slab, at, this.#options.handshake));
    this.#local.greet();
  }

  keepAlive(): void {
    this.#checkOpen();
    if (this.#local.phase === 'handshake')
      this.#refuse('out-of-turn', 'nothing before the handshake');
    const at = this.#output.reserve(encode.MESSAGE_LENGTH.keepAlive);
    this.#output.append(encode.writeKeepAlive(this.#output.slab, at));
  }

  /** Chokes the remote; nothing happens if we do already. The same holds for the next three. */
  choke(): void {
    if (!this.amChoking) this.#sendBare(MESSAGE_ID.choke, encode.writeChoke);
  }

  unchoke(): void {
    if (this.amChoking) this.#sendBare(MESSAGE_ID.unchoke, encode.writeUnchoke);
  }

  interested(): void {
    if (!this.amInterested) this.#sendBare(MESSAGE_ID.interested, encode.writeInterested);
  }

  notInterested(): void {
    if (this.amInterested) this.#sendBare(MESSAGE_ID.notInterested, encode.writeNotInterested);
  }

  /** Declares our pieces; `bits` as {@link Bitfield.bytes}. Once, and before any `have`; also the next two. */
  bitfield(bits: Uint8Array): void {
    this.#check(MESSAGE_ID.bitfield);
    const pieces = this.#pieces;
    if (pieces === undefined || bits.length !== bitfieldLength(pieces.pieceCount)) {
      this.#refuse('wrong-length', `a bitfield of ${bits.length} bytes`);
    }
    if (!spareBitsAreZero(bits, pieces.pieceCount))
      this.#refuse('spare-bits', 'spare bits are set');
    const at = this.#output.reserve(5 + bits.length);
    this.#said(MESSAGE_ID.bitfield, encode.writeBitfield(this.#output.slab, at, bits));
  }

  haveAll(): void {
    this.#sendBare(MESSAGE_ID.haveAll, encode.writeHaveAll);
  }

  haveNone(): void {
    this.#sendBare(MESSAGE_ID.haveNone, encode.writeHaveNone);
  }

  have(pieceIndex: number): void {
    this.#sendPiece(MESSAGE_ID.have, encode.writeHave, pieceIndex);
  }

  suggest(pieceIndex: number): void {
    this.#sendPiece(MESSAGE_ID.suggest, encode.writeSuggest, pieceIndex);
  }

  allowedFast(pieceIndex: number): void {
    this.#sendPiece(MESSAGE_ID.allowedFast, encode.writeAllowedFast, pieceIndex);
  }

  /** Asks for a block of at most 16 KiB. @throws {WireError} `choked` while the remote chokes us without BEP 6. */
  request(pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    if (isRequestFutile(this.#local, this.#remote)) {
      this.#check(MESSAGE_ID.request);
      this.#refuse('choked', 'the remote chokes us and would drop the request');
    }
    if (lengthBytes > BLOCK_LENGTH) this.#refuse('block-out-of-range', `${lengthBytes} bytes`);
    this.#sendBlock(MESSAGE_ID.request, encode.writeRequest, pieceIndex, blockOffset, lengthBytes);
  }

  cancel(pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    this.#sendBlock(MESSAGE_ID.cancel, encode.writeCancel, pieceIndex, blockOffset, lengthBytes);
  }

  /** Refuses a request of the remote (BEP 6). */
  reject(pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    this.#sendBlock(MESSAGE_ID.reject, encode.writeReject, pieceIndex, blockOffset, lengthBytes);
  }

  /**
   * Begins a block: appends its 13-byte header and takes the output. The caller writes what is returned, and right behind it
   * the block's bytes, before anything else.
   */
  blockHeader(
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
  ): Uint8Array<ArrayBuffer> {
    this.#check(MESSAGE_ID.piece);
    this.#checkBlock(pieceIndex, blockOffset, lengthBytes);
    const at = this.#output.reserve(encode.MESSAGE_LENGTH.blockHeader);
    const slab = this.#output.slab;
    this.#said(
      MESSAGE_ID.piece,
      encode.writeBlockHeader(slab, at, pieceIndex, blockOffset, lengthBytes),
    );
    return this.#output.take()!;
  }

  /** Tells the UDP port of our DHT node (BEP 5). */
  port(port: number): void {
    this.#check(MESSAGE_ID.port);
    const at = this.#output.reserve(encode.MESSAGE_LENGTH.port);
    this.#said(MESSAGE_ID.port, encode.writePort(this.#output.slab, at, port));
  }

  /** Sends an extended message under the id that the remote gave to the extension; 0 is the handshake (BEP 10). */
  extended(extendedId: number, payload: Uint8Array): void {
    this.#check(MESSAGE_ID.extended);
    if (2 + payload.length > DEFAULT_LIMITS.maxExtendedLength) {
      this.#refuse('message-too-long', `an extended message of ${payload.length} bytes`);
    }
    const at = this.#output.reserve(6 + payload.length);
    this.#said(
      MESSAGE_ID.extended,
      encode.writeExtended(this.#output.slab, at, extendedId, payload),
    );
  }

  /** Asks for hashes; the answer is one `hashes` or hash reject with the same fields. */
  hashRequest(request: HashRequest): void {
    this.#sendHash(MESSAGE_ID.hashRequest, encode.writeHashRequest, request);
    this.#hashRequests.add(request);
  }

  /** Answers a hash request: as many hashes as `answerHashCount` says, 32 bytes each. */
  hashes(request: HashRequest, hashes: Uint8Array): void {
    this.#check(MESSAGE_ID.hashes);
    const length = HASH_LENGTH * answerHashCount(request.length, request.proofLayers);
    const at = this.#output.reserve(encode.MESSAGE_LENGTH.hash + length);
    this.#said(MESSAGE_ID.hashes, encode.writeHashes(this.#output.slab, at, request, hashes));
  }

  hashReject(request: HashRequest): void {
    this.#sendHash(MESSAGE_ID.hashReject, encode.writeHashReject, request);
  }

  #readHandshake(
    reader: HandshakeReader,
    chunk: Uint8Array,
    start: number,
    end: number,
    handler: WireHandler,
  ): number {
    if (reader.handshake !== undefined) this.#refuse('closed', 'called from its own callback');
    const taken = reader.handleBytes(chunk, start, end);
    if (reader.handshake !== undefined) {
      this.#greeted(reader.handshake);
      handler.onHandshake?.(reader.handshake);
      this.#reader = undefined;
    }
    return taken;
  }

  /** Compares the two handshakes and agrees on what both offer. */
  #greeted(remote: Handshake): void {
    const { handshake: local, infoHashV2 } = this.#options;
    // Who dialled named one info-hash. The answer has the same, or the v2 one if that was offered (BEP 52, "Upgrade Path").
    const isDialler = this.#options.remoteHandshake === undefined;
    const [call, answer] = isDialler ? [local, remote] : [remote, local];
    const isV2 = infoHashV2 !== undefined && sameBytes(answer.infoHash, infoHashV2);
    if (!sameBytes(call.infoHash, answer.infoHash) && !(isV2 && call.features?.v2 === true)) {
      this.close();
      throw new WireError('wrong-info-hash', 'remote', 'the handshakes name different torrents');
    }
    this.#features = {
      dht: remote.features.dht && local.features?.dht === true,
      fast: remote.features.fast && local.features?.fast === true,
      extended: remote.features.extended && local.features?.extended === true,
      v2: isV2,
    };
    this.#remoteHandshake = remote;
    this.#remote.greet();
    for (const agreement of ['fast', 'extended', 'v2'] as const) {
      if (!this.#features[agreement]) continue;
      this.#local.agree(agreement);
      this.#remote.agree(agreement);
    }
  }

  #usePieces(pieces: WirePieces): void {
    this.#pieces = pieces;
    this.#local.agree('pieces');
  }

  #sendBare(id: number, write: (target: Uint8Array, offset: number) => number): void {
    this.#check(id);
    const at = this.#output.reserve(encode.MESSAGE_LENGTH.bare);
    this.#said(id, write(this.#output.slab, at));
  }

  #sendPiece(
    id: number,
    write: (target: Uint8Array, offset: number, pieceIndex: number) => number,
    pieceIndex: number,
  ): void {
    this.#check(id);
    this.#checkPiece(pieceIndex);
    const at = this.#output.reserve(encode.MESSAGE_LENGTH.piece);
    this.#said(id, write(this.#output.slab, at, pieceIndex));
  }

  #sendBlock(
    id: number,
    write: typeof encode.writeRequest,
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
  ): void {
    this.#check(id);
    this.#checkBlock(pieceIndex, blockOffset, lengthBytes);
    const at = this.#output.reserve(encode.MESSAGE_LENGTH.block);
    this.#said(id, write(this.#output.slab, at, pieceIndex, blockOffset, lengthBytes));
  }

  #sendHash(id: number, write: typeof encode.writeHashRequest, request: HashRequest): void {
    this.#check(id);
    const at = this.#output.reserve(encode.MESSAGE_LENGTH.hash);
    this.#said(id, write(this.#output.slab, at, request));
  }

  #said(id: number, end: number): void {
    this.#output.append(end);
    this.#local.advance(id);
  }

  #check(id: number): void {
    this.#checkOpen();
    const objection = this.#local.objection(id);
    if (objection !== undefined) this.#refuse(objection, `${messageName(id)} is not legal now`);
  }

  #checkOpen(): void {
    if (this.isClosed) this.#refuse('closed', 'the session is closed');
  }

  #checkPiece(pieceIndex: number): void {
    const pieceCount = this.#pieces?.pieceCount ?? 0;
    if (!(Number.isInteger(pieceIndex) && pieceIndex >= 0 && pieceIndex < pieceCount)) {
      this.#refuse('piece-out-of-range', `piece ${pieceIndex} of ${pieceCount}`);
    }
  }

  #checkBlock(pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    this.#checkPiece(pieceIndex);
    const pieces = this.#pieces!;
    const size = pieces.pieceSize?.(pieceIndex) ?? pieces.pieceLength;
    if (!(blockOffset >= 0 && lengthBytes > 0 && blockOffset + lengthBytes <= size)) {
      this.#refuse(
        'block-out-of-range',
        `${lengthBytes} bytes at ${blockOffset} of a piece of ${size}`,
      );
    }
  }

  #refuse(code: ConstructorParameters<typeof WireError>[0], message: string): never {
    throw new WireError(code, 'local', message);
  }
}

const NOTHING_AGREED: WireFeatures = { dht: false, fast: false, extended: false, v2: false };
