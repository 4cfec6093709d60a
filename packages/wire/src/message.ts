// What the decoder tells, and what it has to know: the callbacks of a connection (BEP 3, 5, 6, 10, 52), the shape of the torrent,
// and the limits.
import { type DEFAULT_LIMITS, MESSAGE_ID, type MessageName } from './constants.ts';
import type { Handshake } from './handshake.ts';
import type { HashRequest } from './hash-request.ts';

/**
 * Receives what a connection says, synchronously and in order, from inside `handleBytes`. Views are valid during the call only.
 * Every callback may be left out. One that throws ends the connection, and the error comes out of `handleBytes`.
 *
 * The callbacks of blocks are direct for speed: numbers and the chunk itself, nothing made for each block.
 */
export interface WireHandler {
  /** Not called for a handshake that the session was made with. */
  onHandshake?(handshake: Handshake): void;
  onKeepAlive?(): void;
  onChoke?(): void;
  onUnchoke?(): void;
  onInterested?(): void;
  onNotInterested?(): void;
  /** A piece that the remote has now. */
  onHave?(pieceIndex: number): void;
  /** A view of exactly as many bytes as the torrent needs, spare bits zero. */
  onBitfield?(bits: Uint8Array): void;
  onHaveAll?(): void;
  onHaveNone?(): void;
  onRequest?(pieceIndex: number, blockOffset: number, lengthBytes: number): void;
  onCancel?(pieceIndex: number, blockOffset: number, lengthBytes: number): void;
  onReject?(pieceIndex: number, blockOffset: number, lengthBytes: number): void;
  onSuggest?(pieceIndex: number): void;
  onAllowedFast?(pieceIndex: number): void;
  /** UDP port of the remote's DHT node. */
  onPort?(port: number): void;
  /**
   * A block begins. Return true to have its bytes; with false (or no callback) they are skipped, and neither `onBlockData`
   * nor `onBlockEnd` follows.
   */
  onBlockStart?(pieceIndex: number, blockOffset: number, lengthBytes: number): boolean;
  /** `chunk[start..end)` are the block's bytes from `offsetInBlock` on: copy them, the chunk may be reused. */
  onBlockData?(chunk: Uint8Array, start: number, end: number, offsetInBlock: number): void;
  onBlockEnd?(): void;
  /** The payload behind the extended id, which is ours to give (0 is the handshake). */
  onExtended?(extendedId: number, payload: Uint8Array): void;
  onHashRequest?(request: HashRequest): void;
  /** `hashes` are as many as the request asks for, 32 bytes each. */
  onHashes?(request: HashRequest, hashes: Uint8Array): void;
  onHashReject?(request: HashRequest): void;
}

/** What of a torrent bounds its messages. The geometry of `@bt/metainfo` is one. */
export interface WirePieces {
  readonly pieceCount: number;
  /** Bytes of every piece but perhaps the last. */
  readonly pieceLength: number;
  /** Bytes of one piece, for exact checks of blocks. */
  pieceSize?(pieceIndex: number): number;
}

/** Limits of one connection; see {@link DEFAULT_LIMITS}. */
export type WireLimits = { readonly [name in keyof typeof DEFAULT_LIMITS]: number };

/** The name of a message id; `undefined` when it is unknown. */
export function messageName(messageId: number): MessageName | undefined {
  return NAMES.get(messageId);
}

const NAMES: ReadonlyMap<number, MessageName> = /* @__PURE__ */ new Map(
  (Object.keys(MESSAGE_ID) as MessageName[]).map((name) => [MESSAGE_ID[name], name]),
);
