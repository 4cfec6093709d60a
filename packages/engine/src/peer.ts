// One connection to one peer: its wire session, what it has, what we asked of it and what it asked of us.
// Data and small accessors; what happens with them stands in conversation.ts, download.ts and upload.ts.

import type { Endpoint } from '@bt/endpoint';
import type { PeerHandle } from '@bt/picker';
import type { BlockWriter } from '@bt/storage';
import { RemoteExtensions, type WireSession } from '@bt/wire';
import {
  IDLE_INTEREST_MS,
  MAX_LAPSED_REQUESTS,
  MAX_OUTPUT_BYTES,
  MAX_QUEUED_UPLOADS,
  MAX_REQUESTS_PER_PEER,
  OUTPUT_TIMEOUT_MS,
  USELESS_PEER_MS,
} from './limits.ts';
import { Pipeline } from './pipeline.ts';
import { RateMeter } from './rates.ts';
import { RequestLog } from './request-log.ts';
import type { Candidate } from './swarm/candidates.ts';
import type { PeerSource } from './swarm/peer-source.ts';

/**
 * What carries the bytes: a socket, or one end of a simulated stream. Calls don't call back. What is handed over must not
 * be changed afterwards; `sendBlock`'s two parts leave in one write.
 */
export interface PeerTransport {
  send(bytes: Uint8Array): void;
  sendBlock(header: Uint8Array, block: Uint8Array): void;
  /** Bytes accepted and not yet with the operating system. `handleWritable` follows when they are gone. */
  readonly queuedBytes: number;
  /** Stop reading, go on reading. */
  pause(): void;
  resume(): void;
  close(): void;
}

export type Direction = 'in' | 'out';

/** The picker doesn't know the peer. */
const NO_HANDLE: PeerHandle = -1;

/** Who is at the other end, as far as we know. It outlives the connection: blame for wrong data finds it later. */
export interface Identity {
  suspicions: number;
  /** Where it came from, or where we dialled. */
  readonly endpoint: Endpoint;
  /** Where it listens: the dialled endpoint, or the port of its extended handshake. */
  listensAt: Endpoint | undefined;
  /** Hex. */
  peerId: string | undefined;
  isBanned: boolean;
}

export interface PeerOptions {
  readonly id: number;
  readonly now: number;
  readonly transport: PeerTransport;
  readonly session: WireSession;
  readonly endpoint: Endpoint;
  readonly direction: Direction;
  readonly source: PeerSource;
  readonly candidate: Candidate | undefined;
}

export class Peer {
  readonly id: number;
  readonly transport: PeerTransport;
  readonly session: WireSession;
  readonly direction: Direction;
  readonly source: PeerSource;
  readonly identity: Identity;
  candidate: Candidate | undefined;
  readonly connectedMs: number;
  #isReady = false;
  isClosed = false;
  client = '';
  /** The ids under which it takes extended messages (BEP 10). */
  readonly extensions = new RemoteExtensions();
  /** Of its connections (BEP 10 `e`); ours are all in plain. */
  prefersEncryption = false;
  /** It says that it will never download (BEP 21). */
  isUploadOnly = false;

  // Given by the exchange of pieces; while only the metadata is fetched nothing asks for them.
  handle: PeerHandle = NO_HANDLE;
  writer!: BlockWriter;

  // What we ask of it.
  readonly pipeline = new Pipeline();
  readonly requests = new RequestLog(MAX_REQUESTS_PER_PEER);
  /** Cancelled, timed-out and choked-away requests whose blocks may still come. */
  readonly lapsed = new RequestLog(MAX_LAPSED_REQUESTS);
  readonly down: RateMeter;
  lastBlockMs: number | undefined;
  /** Since when there have been requests in flight without a block. */
  waitingSinceMs = 0;
  /** No requests before this time: it has rejected too many. */
  askAgainMs = 0;
  rejectsInARow = 0;
  unrequestedBlocks = 0;
  /** The block that is arriving. */
  blockPiece = 0;
  blockOffset = 0;
  blockLength = 0;

  // What it asks of us.
  readonly uploads = new RequestLog(MAX_QUEUED_UPLOADS);
  readonly up: RateMeter;
  readsPending = 0;
  readingBytes = 0;
  excessRequests = 0;
  isUploadWaiting = false;
  #queuedBlocks = 0;
  unchokedMs: number | undefined;

  // The connection.
  /** When something came last, by the clock of `listeningMs`. */
  lastReceivedMs: number;
  lastSentMs: number;
  /** Since when there has been an older connection with its peer id, of which the other end is to close one. */
  duplicateSinceMs: number | undefined;
  /** Since when neither side has been interested in the other. */
  uselessSinceMs: number;
  /** When a block has passed last, by the clock of `listeningMs`. */
  #lastTransferMs: number;
  /** Since when more output waits than it may leave waiting; it isn't read meanwhile. */
  #overfullSinceMs: number | undefined;
  /** When some of the output was taken last, or there was none. */
  #outputTakenMs: number;
  #handedBytes = 0;
  #takenBytes = 0;
  #isGateShut = false;
  /** Since when it isn't read because the gate is shut. */
  #unreadSinceMs: number | undefined;
  /** For so long it wasn't read before that. */
  #unreadMs = 0;
  #isPaused = false;
  /** It has output to flush, and stands in the list of those. */
  isDirty = false;

  constructor(options: PeerOptions) {
    const { now } = options;
    this.id = options.id;
    this.transport = options.transport;
    this.session = options.session;
    this.direction = options.direction;
    this.source = options.source;
    this.candidate = options.candidate;
    this.down = new RateMeter(now);
    this.up = new RateMeter(now);
    this.connectedMs = now;
    this.lastReceivedMs = now;
    this.lastSentMs = now;
    this.uselessSinceMs = now;
    this.#lastTransferMs = now;
    this.#outputTakenMs = now;
    this.identity = {
      suspicions: 0,
      endpoint: options.endpoint,
      listensAt: options.direction === 'out' ? options.endpoint : undefined,
      peerId: undefined,
      isBanned: false,
    };
  }

  /** The handshake is done. */
  get isReady(): boolean {
    return this.#isReady;
  }

  greeted(now: number): void {
    this.#isReady = true;
    this.#updateGate(now);
  }

  get endpoint(): Endpoint {
    return this.identity.endpoint;
  }

  /** A block has come whole. */
  countBlock(now: number, lengthBytes: number): void {
    this.down.add(now, lengthBytes);
    this.lastBlockMs = now;
    this.#lastTransferMs = this.listeningMs(now);
    this.pipeline.isSnubbed = false;
  }

  /** Sends what the session has written. */
  flush(now: number): void {
    this.isDirty = false;
    if (this.isClosed) return;
    const output = this.session.takeOutput();
    if (output === undefined) return;
    this.lastSentMs = now;
    this.#handedBytes += output.length;
    this.transport.send(output);
    this.checkOutput(now);
  }

  sendBlock(now: number, header: Uint8Array, block: Uint8Array): void {
    this.lastSentMs = now;
    this.#lastTransferMs = this.listeningMs(now);
    this.#handedBytes += header.length + block.length;
    this.#queuedBlocks = this.queuedBlocks + 1;
    this.transport.sendBlock(header, block);
    this.up.add(now, block.length);
  }

  /** Blocks that its socket may hold: those that were sent since it was empty. */
  get queuedBlocks(): number {
    return this.transport.queuedBytes === 0 ? 0 : this.#queuedBlocks;
  }

  /** Nothing more is read from a peer that doesn't take what it is sent. */
  checkOutput(now: number): void {
    const { queuedBytes } = this.transport;
    const takenBytes = this.#handedBytes - queuedBytes;
    if (queuedBytes === 0 || takenBytes > this.#takenBytes) this.#outputTakenMs = now;
    this.#takenBytes = takenBytes;
    if (queuedBytes <= MAX_OUTPUT_BYTES) this.#overfullSinceMs = undefined;
    else this.#overfullSinceMs ??= now;
    this.#updatePause();
  }

  /** It has long left too much waiting, or taken nothing of what waits. */
  isDeaf(now: number): boolean {
    const since = Math.min(this.#overfullSinceMs ?? now, this.#outputTakenMs);
    return now - since >= OUTPUT_TIMEOUT_MS;
  }

  /** The torrent reads from nobody but those that have yet to greet, or goes on. */
  setGate(now: number, isShut: boolean): void {
    this.#isGateShut = isShut;
    this.#updateGate(now);
  }

  /** A clock that stands still while the gate keeps the peer from being read: by it its silence is judged. */
  listeningMs(now: number): number {
    return (this.#unreadSinceMs ?? now) - this.#unreadMs;
  }

  /** Neither side wants anything of the other, or has for long got nothing of what it wants. */
  isUseless(now: number): boolean {
    const withoutTransferMs = this.listeningMs(now) - this.#lastTransferMs;
    return now - this.uselessSinceMs >= USELESS_PEER_MS || withoutTransferMs >= IDLE_INTEREST_MS;
  }

  #updateGate(now: number): void {
    if (this.#isGateShut && this.#isReady) {
      this.#unreadSinceMs ??= now;
    } else {
      this.#unreadMs += now - (this.#unreadSinceMs ?? now);
      this.#unreadSinceMs = undefined;
    }
    this.#updatePause();
  }

  #updatePause(): void {
    const isPaused = this.#unreadSinceMs !== undefined || this.#overfullSinceMs !== undefined;
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.transport.pause();
    else this.transport.resume();
  }
}

/** Thrown while a message is handled to end this one connection. */
export class PeerFault extends Error {
  override readonly name = 'PeerFault';
  readonly reason: CloseReason;

  constructor(reason: CloseReason) {
    super(reason);
    this.reason = reason;
  }
}

/** Why a connection ended. */
export type CloseReason =
  | 'remote-closed'
  | 'connection-error'
  | 'protocol-error'
  | 'handshake-timeout'
  | 'idle'
  | 'useless'
  | 'both-seeds'
  | 'own-peer-id'
  | 'duplicate'
  /** It is dialled again under the v2 info-hash, which has just become known. */
  | 'upgraded'
  | 'banned'
  | 'too-many'
  | 'displaced'
  | 'private'
  | 'wrong-torrent'
  | 'unrequested-blocks'
  | 'bad-request'
  | 'request-flood'
  | 'not-reading'
  | 'internal-error'
  | 'stopped';
