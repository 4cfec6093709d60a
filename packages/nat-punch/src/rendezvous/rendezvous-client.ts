// A client's side of the signalling: joins a pool, notices a dead connection, connects anew, and finds everything as it was, also behind a
// restart of the server. Pure: whoever has the sockets connects, sends and closes as `poll()` says. Peers are named by their tag, which
// stays the same whatever happens to connections and servers.
import { NatPunchError } from '../errors.ts';
import {
  decodeServerMessage,
  encodeSignalling,
  isMemberName,
  isPoolName,
} from './rendezvous-codec.ts';
import { MAX_ROOM_SIZE } from './rendezvous-limits.ts';
import {
  type ClientKind,
  type ClientMessage,
  type ErrorMessage,
  type LeaveReason,
  type PeerMessage,
  type ServerMessage,
  SIGNALLING_VERSION,
  type SignalData,
  type WelcomeMessage,
} from './rendezvous-message.ts';
import { SignalLane } from './signal-lane.ts';

export interface RendezvousClientOptions {
  readonly pool: string;
  /** 16 random bytes in hexadecimal, new for each stay in the pool and kept secret. */
  readonly client: string;
  readonly kind: ClientKind;
  readonly name?: string | undefined;
}

export type RendezvousClientEffect =
  /** Open a WebSocket to the server, in place of any other. */
  | { readonly type: 'connect' }
  | { readonly type: 'send'; readonly text: string }
  /** Close it; what is still to be sent goes first. */
  | { readonly type: 'disconnect' }
  | { readonly type: 'event'; readonly event: RendezvousClientEvent };

export type RendezvousClientEvent =
  | WelcomeMessage
  | { readonly type: 'waiting'; readonly ahead: number }
  /** Somebody to talk to. One of a tag that was there before has begun anew: what there was with it is over. */
  | (Omit<PeerMessage, 'peer' | 'type'> & { readonly type: 'peer' })
  | { readonly type: 'peer-seen'; readonly clientTag: string; readonly seen: readonly string[] }
  /** The way by the server is cut, or there again; what there is directly may go on. */
  | { readonly type: 'peer-away' | 'peer-back'; readonly clientTag: string }
  /** Behind `timeout` it may yet be reached, and come back, until `release`. */
  | { readonly type: 'peer-left'; readonly clientTag: string; readonly reason: LeaveReason }
  | { readonly type: 'signal'; readonly clientTag: string; readonly data: SignalData }
  | { readonly type: 'connection'; readonly isUp: boolean }
  /** The server won't have us; nothing more happens. */
  | { readonly type: 'refused'; readonly error: ErrorMessage };

/** Something goes to the server at least as often, so that a dead connection is noticed. */
export const HEARTBEAT_MS = 1_000;

/** A connection from which nothing has come for so long is dead, and an attempt that has taken so long has failed. */
export const DEAD_MS = 3_000;

/** Pauses before the first attempts to connect anew; the last one is repeated. */
export const RECONNECT_MS: readonly number[] = [200, 400, 800, 1_600];

/** How long what has come waits for something to go the other way that acknowledges it. */
const ACKNOWLEDGE_MS = 250;

/** What is not acknowledged is sent again after so long, should a server between have lost it without a sign. */
const RESEND_MS = 3_000;

/** Behind a restart of the server: how long it may take others to come back. */
const REUNION_MS = 20_000;

/** A timer that is so late has slept with the whole machine: nothing can be said of the server. */
const STALL_MS = 500;

export class RendezvousClient {
  readonly #options: RendezvousClientOptions;
  readonly #effects: RendezvousClientEffect[] = [];
  readonly #peers = new Map<string, Peer>();
  readonly #tags = new Map<string, string>();
  #state: 'idle' | 'connecting' | 'joining' | 'joined' | 'ended' = 'idle';
  /** When to connect, in state `idle`. */
  #connectAt = 0;
  #attempts = 0;
  #connectingSince = 0;
  #heardAt = 0;
  #pingedAt = 0;
  #pingId = 0;
  /** Our id as a member; undefined before the first welcome. */
  #member: string | undefined;

  /** @throws {NatPunchError} `invalid-argument` for a pool or a name that can't be one. */
  constructor(options: RendezvousClientOptions) {
    if (!isPoolName(options.pool)) {
      throw new NatPunchError(
        'invalid-argument',
        'a pool is a text of 1 to 64 characters, without control characters',
      );
    }
    if (options.name !== undefined && !isMemberName(options.name)) {
      throw new NatPunchError(
        'invalid-argument',
        'a name has 1 to 64 bytes of UTF-8, and no control characters',
      );
    }
    this.#options = options;
  }

  get isJoined(): boolean {
    return this.#state === 'joined';
  }

  handleOpen(now: number): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'joining';
    this.#heardAt = now;
    this.#join();
  }

  /** A text that no server sends closes the connection. */
  handleMessage(now: number, text: string): void {
    if (this.#state !== 'joining' && this.#state !== 'joined') return;
    this.#heardAt = now;
    let message: ServerMessage;
    try {
      message = decodeServerMessage(text);
    } catch {
      this.#reconnect(now);
      return;
    }
    this.#handle(now, message);
  }

  /** The connection has ended, or could not be made. */
  handleClose(now: number): void {
    if (this.#state === 'idle' || this.#state === 'ended') return;
    this.#lose(now);
  }

  handleTimeout(now: number): void {
    if (this.#state === 'ended') return;
    const lateMs = now - this.deadline();
    if (lateMs < 0) return;
    if (this.#state === 'idle' && now >= this.#connectAt) {
      this.#state = 'connecting';
      this.#connectingSince = now;
      this.#effects.push({ type: 'connect' });
    } else if (this.#state === 'connecting') {
      if (now >= this.#connectingSince + DEAD_MS) this.#reconnect(now);
    } else if (this.#state !== 'idle') {
      // What the server has said in the meantime may not have been read yet.
      if (lateMs > STALL_MS) this.#heardAt = Math.max(this.#heardAt, now - DEAD_MS + HEARTBEAT_MS);
      if (now >= this.#heardAt + DEAD_MS) this.#reconnect(now);
      else if (now >= this.#pingAt()) this.#ping(now);
    }
    this.#peersTimeout(now);
  }

  /** When `handleTimeout` is to be called; Infinity for never. */
  deadline(): number {
    if (this.#state === 'ended') return Number.POSITIVE_INFINITY;
    let earliest =
      this.#state === 'idle'
        ? this.#connectAt
        : this.#state === 'connecting'
          ? this.#connectingSince + DEAD_MS
          : Math.min(this.#heardAt + DEAD_MS, this.#pingAt());
    for (const peer of this.#peers.values()) {
      if (peer.isMissing) earliest = Math.min(earliest, peer.missedAt);
      if (this.#state !== 'joined' || peer.id === undefined) continue;
      if (peer.lane.owesAcknowledgement) earliest = Math.min(earliest, peer.acknowledgeAt);
      if (peer.lane.hasUnacknowledged && !peer.isAway) earliest = Math.min(earliest, peer.resendAt);
    }
    return earliest;
  }

  poll(): RendezvousClientEffect | undefined {
    return this.#effects.shift();
  }

  /**
   * Sends data to a peer: once, in order with the rest, also when it or we are without a connection now. To a peer that is not there
   * it goes nowhere. Returns false when so much is on its way to the peer that this is dropped: say it again later.
   *
   * @throws {NatPunchError} `invalid-argument` for data that are no JSON, too long or nested too deep.
   */
  send(now: number, clientTag: string, data: SignalData): boolean {
    const peer = this.#peers.get(clientTag);
    if (peer === undefined || this.#state === 'ended') return true;
    encodeSignalling({ type: 'signal', peer: NOBODY, number: HUGE, acknowledged: HUGE, data });
    const message = peer.lane.send(data);
    if (message === undefined) return false;
    if (this.#state !== 'joined' || peer.id === undefined) return true;
    peer.resendAt = now + RESEND_MS;
    if (!peer.isAway) this.#send({ type: 'signal', peer: peer.id, ...message });
    return true;
  }

  /** There is nothing left with a peer that has gone: should it come back it is a new one. */
  release(clientTag: string): void {
    const peer = this.#peers.get(clientTag);
    if (peer === undefined || peer.id !== undefined) return;
    this.#drop(clientTag, peer);
    // The server should not keep the pair either.
    if (this.#state === 'joined') this.#join();
  }

  /** There is nothing to say to a peer: it is told no more of it, and of us it neither, nor are the two paired again. */
  reject(clientTag: string): void {
    const peer = this.#peers.get(clientTag);
    if (peer === undefined) return;
    this.#drop(clientTag, peer);
    const { id } = peer;
    if (this.#state === 'joined' && id !== undefined) this.#send({ type: 'reject', peer: id });
  }

  /** Gives the place in the pool up; nothing more happens. */
  leave(): void {
    if (this.#state === 'ended') return;
    if (this.#state === 'joining' || this.#state === 'joined') this.#send({ type: 'leave' });
    if (this.#state !== 'idle') this.#effects.push({ type: 'disconnect' });
    this.#state = 'ended';
  }

  #handle(now: number, message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#welcome(now, message);
        break;
      case 'waiting':
        this.#event(message);
        break;
      case 'peer':
        this.#meet(now, message);
        break;
      case 'error':
        this.#fail(now, message);
        break;
      case 'pong':
        break;
      default:
        this.#handleOfPeer(now, message);
    }
  }

  #handleOfPeer(now: number, message: Extract<ServerMessage, { peer: string }>): void {
    const clientTag = this.#tags.get(message.peer);
    const peer = clientTag === undefined ? undefined : this.#peers.get(clientTag);
    if (clientTag === undefined || peer === undefined) return;
    switch (message.type) {
      case 'peer-seen':
        this.#event({ type: 'peer-seen', clientTag, seen: message.seen });
        break;
      case 'peer-away':
        this.#setAway(clientTag, peer, true);
        break;
      case 'peer-back':
        this.#setAway(clientTag, peer, false);
        this.#resend(now, peer);
        break;
      case 'peer-left':
        this.#tags.delete(message.peer);
        peer.id = undefined;
        peer.isAway = true;
        this.#event({ type: 'peer-left', clientTag, reason: message.reason });
        if (message.reason !== 'timeout') this.#drop(clientTag, peer);
        // To the server the pair is over; that we may still be in touch it has to be told.
        else this.#join();
        break;
      case 'signal': {
        const wasOwed = peer.lane.owesAcknowledgement;
        const data = peer.lane.handle(message);
        if (!wasOwed && peer.lane.owesAcknowledgement) peer.acknowledgeAt = now + ACKNOWLEDGE_MS;
        if (data !== undefined) this.#event({ type: 'signal', clientTag, data });
      }
    }
  }

  #welcome(now: number, message: WelcomeMessage): void {
    const isNew = message.member !== this.#member;
    const wasJoined = this.#state === 'joined';
    this.#member = message.member;
    this.#state = 'joined';
    this.#attempts = 0;
    if (isNew) {
      // The server knows nobody of before; they have to be named again.
      this.#tags.clear();
      for (const [clientTag, peer] of this.#peers) {
        if (peer.id === undefined) continue;
        peer.id = undefined;
        peer.isMissing = true;
        peer.missedAt = now + REUNION_MS;
        this.#setAway(clientTag, peer, true);
      }
    }
    if (!wasJoined) this.#event({ type: 'connection', isUp: true });
    this.#event(message);
  }

  #meet(now: number, message: PeerMessage): void {
    const { peer: id, type: _, ...facts } = message;
    const { clientTag, pairKey } = facts;
    const known = this.#peers.get(clientTag);
    if (known !== undefined && sameKey(known.pairKey, pairKey)) {
      if (known.id !== undefined) this.#tags.delete(known.id);
      known.id = id;
      known.isMissing = false;
      this.#tags.set(id, clientTag);
      this.#setAway(clientTag, known, false);
      this.#event({ type: 'peer-seen', clientTag, seen: message.seen });
      this.#resend(now, known);
      return;
    }
    if (known !== undefined) this.#drop(clientTag, known);
    this.#makeRoom();
    this.#tags.set(id, clientTag);
    this.#peers.set(clientTag, {
      id,
      pairKey,
      lane: new SignalLane(),
      isAway: false,
      isMissing: false,
      missedAt: 0,
      acknowledgeAt: 0,
      resendAt: 0,
    });
    this.#event({ type: 'peer', ...facts });
  }

  /** As many peers as a room has: of those that have gone the oldest is given up. */
  #makeRoom(): void {
    if (this.#peers.size < MAX_ROOM_SIZE - 1) return;
    for (const [clientTag, peer] of this.#peers) {
      if (peer.id !== undefined) continue;
      this.#event({ type: 'peer-left', clientTag, reason: 'left' });
      this.#drop(clientTag, peer);
      return;
    }
  }

  #drop(clientTag: string, peer: Peer): void {
    this.#peers.delete(clientTag);
    if (peer.id !== undefined) this.#tags.delete(peer.id);
  }

  #setAway(clientTag: string, peer: Peer, isAway: boolean): void {
    if (peer.isAway === isAway) return;
    peer.isAway = isAway;
    this.#event({ type: isAway ? 'peer-away' : 'peer-back', clientTag });
  }

  #fail(now: number, error: ErrorMessage): void {
    const isFinal =
      error.code === 'invalid-message' ||
      error.code === 'version' ||
      error.code === 'not-joined' ||
      // Who was never a member has no reason to wait for a place.
      (this.#member === undefined && (error.code === 'full' || error.code === 'crowded'));
    if (!isFinal) {
      this.#reconnect(now);
      return;
    }
    this.#state = 'ended';
    this.#effects.push({ type: 'disconnect' });
    this.#event({ type: 'refused', error });
  }

  #reconnect(now: number): void {
    this.#effects.push({ type: 'disconnect' });
    this.#lose(now);
  }

  #lose(now: number): void {
    const wasJoined = this.#state === 'joined';
    this.#state = 'idle';
    this.#connectAt = now + RECONNECT_MS[Math.min(this.#attempts, RECONNECT_MS.length - 1)]!;
    this.#attempts += 1;
    if (wasJoined) this.#event({ type: 'connection', isUp: false });
  }

  #join(): void {
    const { pool, client, kind, name } = this.#options;
    const pairs = [...this.#peers].map(([clientTag, { pairKey }]) => ({ clientTag, pairKey }));
    this.#send({
      type: 'join',
      version: SIGNALLING_VERSION,
      pool,
      client,
      kind,
      ...(name === undefined ? {} : { name }),
      ...(this.#member === undefined ? {} : { pairs }),
    });
  }

  #resend(now: number, peer: Peer): void {
    const { id } = peer;
    if (id === undefined) return;
    peer.resendAt = now + RESEND_MS;
    for (const message of peer.lane.resend()) {
      this.#send({ type: 'signal', peer: id, ...message });
    }
  }

  #peersTimeout(now: number): void {
    for (const [clientTag, peer] of this.#peers) {
      if (peer.isMissing && now >= peer.missedAt) {
        peer.isMissing = false;
        this.#event({ type: 'peer-left', clientTag, reason: 'timeout' });
      }
      const { id, lane } = peer;
      if (this.#state !== 'joined' || id === undefined) continue;
      if (lane.hasUnacknowledged && !peer.isAway && now >= peer.resendAt) this.#resend(now, peer);
      if (lane.owesAcknowledgement && now >= peer.acknowledgeAt) {
        this.#send({ type: 'signal', peer: id, ...lane.acknowledge() });
      }
    }
  }

  #pingAt(): number {
    return Math.max(this.#heardAt, this.#pingedAt) + HEARTBEAT_MS;
  }

  #ping(now: number): void {
    this.#pingedAt = now;
    this.#pingId += 1;
    this.#send({ type: 'ping', id: this.#pingId });
  }

  #send(message: ClientMessage): void {
    this.#effects.push({ type: 'send', text: encodeSignalling(message) });
  }

  #event(event: RendezvousClientEvent): void {
    this.#effects.push({ type: 'event', event });
  }
}

interface Peer {
  /** As a member; undefined while the server does not know of the pair. */
  id: string | undefined;
  readonly pairKey: Uint8Array;
  readonly lane: SignalLane;
  isAway: boolean;
  /** The server has restarted, and has not named it since. */
  isMissing: boolean;
  missedAt: number;
  acknowledgeAt: number;
  resendAt: number;
}

/** The longest that can stand around the data of a signal. */
const NOBODY = '0'.repeat(16);
const HUGE = Number.MAX_SAFE_INTEGER;

function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
