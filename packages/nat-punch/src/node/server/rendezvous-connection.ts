// One WebSocket of a client at the server: reads its messages within its limits, and closes what is slow or silent.
import type { Endpoint } from '@bt/endpoint';
import type { RawData, WebSocket } from 'ws';
import { NatPunchError } from '../../errors.ts';
import { decodeClientMessage, encodeSignalling } from '../../rendezvous/rendezvous-codec.ts';
import {
  CREDENTIALS_LIFETIME_MS,
  MAX_BACKLOG_BYTES,
  MESSAGE_BYTES_BURST,
  MESSAGE_BYTES_PER_SECOND,
  MESSAGES_BURST,
  MESSAGES_PER_SECOND,
  REQUEST_TIMEOUT_MS,
  SERVER_PATIENCE_MS,
  SERVER_PING_MS,
} from '../../rendezvous/rendezvous-limits.ts';
import type {
  ClientMessage,
  JoinMessage,
  ServerMessage,
  SignallingErrorCode,
} from '../../rendezvous/rendezvous-message.ts';

/** What a connection tells the server that has it. */
export interface ConnectionOwner {
  handleMessage(connection: RendezvousConnection, message: ClientMessage): void;
  handleDelay(connection: RendezvousConnection, delayMs: number): void;
  /** It is time for new credentials. */
  handleRenewal(connection: RendezvousConnection): void;
  /** A message of this client brought up an error of the server's own; the connection is closed. */
  handleFault(connection: RendezvousConnection, error: unknown): void;
  handleEnd(connection: RendezvousConnection): void;
}

export class RendezvousConnection {
  readonly id: string;
  readonly remote: Endpoint;
  /** As of the first join; undefined before it. */
  join: JoinMessage | undefined;
  /** Undefined before the first welcome. */
  member: string | undefined;
  /** One way, as far as known. */
  delayMs = 0;
  readonly #socket: WebSocket;
  readonly #owner: ConnectionOwner;
  readonly #openedAt: number;
  #heardAt: number;
  #pingedAt: number;
  #renewedAt = Number.POSITIVE_INFINITY;
  /** A ping has not been answered yet. */
  #isPinged = false;
  #tokens = MESSAGES_BURST;
  #byteTokens = MESSAGE_BYTES_BURST;
  #tokensAt: number;
  #hasEnded = false;

  constructor(id: string, remote: Endpoint, socket: WebSocket, owner: ConnectionOwner) {
    this.id = id;
    this.remote = remote;
    this.#socket = socket;
    this.#owner = owner;
    const now = performance.now();
    this.#openedAt = now;
    this.#heardAt = now;
    this.#tokensAt = now;
    this.#pingedAt = now;
    socket.on('message', (data, isBinary) => this.#handleData(data, isBinary));
    socket.on('pong', () => this.#handlePong());
    // The socket answers it by itself.
    socket.on('ping', (data) => this.#takeTokens(performance.now(), data.length));
    socket.on('close', () => this.#end());
    // A broken one is closed too, and told of there.
    socket.on('error', () => {});
    // How long a message takes is known before the first join has been read.
    this.#ping(now);
  }

  send(message: ServerMessage): void {
    if (this.#hasEnded) return;
    if (message.type === 'welcome') this.#renewedAt = performance.now();
    this.#socket.send(encodeSignalling(message));
    if (this.#socket.bufferedAmount > MAX_BACKLOG_BYTES) this.terminate();
  }

  /** Says why, and closes. */
  refuse(code: SignallingErrorCode, message: string): void {
    this.send({ type: 'error', code, message });
    this.#end();
    // 1012, service restart; 1008, policy violation (RFC 6455 section 7.4, and the registry it made).
    this.#socket.close(code === 'restarting' ? 1012 : 1008, code);
    // Whoever does not answer the close is cut off.
    setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS).unref();
  }

  terminate(): void {
    this.#socket.terminate();
    this.#end();
  }

  /** To be called about once a second. */
  sweep(now: number): void {
    if (this.join === undefined && now >= this.#openedAt + REQUEST_TIMEOUT_MS) {
      this.refuse('not-joined', 'Nothing was joined in time.');
    } else if (now >= this.#heardAt + SERVER_PATIENCE_MS) {
      this.terminate();
    } else if (now >= this.#pingedAt + SERVER_PING_MS) {
      this.#ping(now);
    }
    if (now >= this.#renewedAt + CREDENTIALS_LIFETIME_MS / 2) this.#owner.handleRenewal(this);
  }

  #ping(now: number): void {
    this.#pingedAt = now;
    this.#isPinged = true;
    this.#socket.ping();
  }

  #handleData(data: RawData, isBinary: boolean): void {
    if (this.#hasEnded) return;
    const now = performance.now();
    this.#heardAt = now;
    if (!this.#takeTokens(now, lengthOf(data))) return;
    let message: ClientMessage;
    try {
      if (isBinary) throw new NatPunchError('invalid-message', 'a signalling message is a text');
      message = decodeClientMessage(data.toString());
    } catch (error) {
      if (!(error instanceof NatPunchError)) throw error;
      this.refuse('invalid-message', `Refused: ${error.message}.`);
      return;
    }
    if (message.type === 'ping') this.send({ type: 'pong', id: message.id });
    else this.#handOver(message);
  }

  /** Whatever goes wrong with a message ends the connection that it came by, and no other one. */
  #handOver(message: ClientMessage): void {
    try {
      this.#owner.handleMessage(this, message);
    } catch (error) {
      this.#owner.handleFault(this, error);
      this.refuse('unavailable', 'The server could not handle a message.');
    }
  }

  #handlePong(): void {
    // What nobody has asked for tells nothing.
    if (!this.#isPinged || this.#hasEnded) return;
    this.#isPinged = false;
    const now = performance.now();
    this.#heardAt = now;
    this.delayMs = (now - this.#pingedAt) / 2;
    this.#owner.handleDelay(this, this.delayMs);
  }

  /** For one message; false when it is one too many, and the connection is refused. */
  #takeTokens(now: number, lengthBytes: number): boolean {
    if (this.#hasEnded) return false;
    const seconds = (now - this.#tokensAt) / 1000;
    this.#tokensAt = now;
    const tokens = this.#tokens + seconds * MESSAGES_PER_SECOND;
    this.#tokens = Math.min(tokens, MESSAGES_BURST) - 1;
    const byteTokens = this.#byteTokens + seconds * MESSAGE_BYTES_PER_SECOND;
    this.#byteTokens = Math.min(byteTokens, MESSAGE_BYTES_BURST) - lengthBytes;
    if (this.#tokens >= 0 && this.#byteTokens >= 0) return true;
    this.refuse('too-fast', 'Too many messages in a short time.');
    return false;
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#owner.handleEnd(this);
  }
}

function lengthOf(data: RawData): number {
  if (!Array.isArray(data)) return data.byteLength;
  return data.reduce((sum, part) => sum + part.byteLength, 0);
}

const CLOSE_TIMEOUT_MS = 2_000;
