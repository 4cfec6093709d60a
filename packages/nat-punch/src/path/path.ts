// One way between the two members of a pair: a socket or relay of ours and an endpoint at which the other side is, or may be.
import type { AddressFamily, Endpoint } from '@bt/endpoint';
import type { Via } from './probe.ts';

/** How a direct path was found. */
export type PathOrigin = 'host' | 'punched' | 'predicted' | 'birthday';

export type PathMethod = PathOrigin | 'relay-udp' | 'relay-tcp' | 'relay-tls';

/** What the user of a path may know of it. */
export interface PathDescription {
  readonly kind: 'direct' | 'relay';
  readonly method: PathMethod;
  /** Ours; with a relay of ours its address there. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Why it is this one, in half a sentence. */
  readonly reason: string;
}

/** A socket, or an allocation on a relay, that datagrams can be sent from. */
export interface PathSocket {
  readonly id: number;
  readonly via: Via;
  readonly family: AddressFamily;
  readonly local: Endpoint;
}

/** After so long without an answer a path in use counts as dead. */
export const DEAD_AFTER_MS = 3_000;
/** After so long without an answer another path that has answered since is better. */
export const SUSPECT_AFTER_MS = 1_200;
/** What hasn't answered for so long is forgotten. */
const FORGOTTEN_AFTER_MS = 12_000;

/** When the probes of a path that hasn't answered yet are sent, from the first one on. There are no more of them. */
export const CHECK_TIMES_MS = [0, 40, 90, 160, 260, 400, 600, 900, 1_350, 2_000] as const;

const HEARTBEAT_MS = 500;
/** Paths in reserve: often enough for NATs that forget a mapping after 5 s. */
const RESERVE_HEARTBEAT_MS = 2_000;
/** While an answer is missing. */
const REPEAT_MS = 120;
const MIN_ANSWER_WAIT_MS = 150;

export class Path {
  readonly socket: PathSocket;
  readonly remote: Endpoint;
  origin: PathOrigin;
  /** How the other side reaches the network here. */
  remoteVia: Via = 'socket';
  /** Whether it has answered a probe, and so works in both directions. */
  isValid = false;
  /** Whether something of the other side has come this way. */
  isHeard = false;
  /** Probes since the last answer. */
  unanswered = 0;
  lastAnswerMs = Number.NEGATIVE_INFINITY;
  lastProbeMs = Number.NEGATIVE_INFINITY;
  /** When the first probe was sent that hasn't been answered since. */
  waitingSinceMs = Number.POSITIVE_INFINITY;
  nextProbeMs: number;
  roundTripMs = 100;

  constructor(now: number, socket: PathSocket, remote: Endpoint, origin: PathOrigin) {
    this.socket = socket;
    this.remote = remote;
    this.origin = origin;
    this.nextProbeMs = now;
  }

  get key(): string {
    return pathKey(this.socket.id, this.remote);
  }

  get isRelayed(): boolean {
    return this.socket.via !== 'socket' || this.remoteVia !== 'socket';
  }

  get method(): PathMethod {
    const via =
      VIA_RANK[this.socket.via] >= VIA_RANK[this.remoteVia] ? this.socket.via : this.remoteVia;
    return via === 'socket' ? this.origin : via;
  }

  /** Less is better: the local network, then any direct path, then relays by what carries them and how often they are passed. */
  get rank(): number {
    if (!this.isRelayed) return this.origin === 'host' ? 0 : 1;
    const isTwice = this.socket.via !== 'socket' && this.remoteVia !== 'socket';
    return 2 * VIA_RANK[this.method as Via] + (isTwice ? 1 : 0);
  }

  isDead(now: number): boolean {
    return !this.isValid || now - this.waitingSinceMs >= DEAD_AFTER_MS;
  }

  isSuspect(now: number): boolean {
    return now - this.waitingSinceMs >= SUSPECT_AFTER_MS;
  }

  isForgotten(now: number): boolean {
    if (this.isValid) return now - this.waitingSinceMs >= FORGOTTEN_AFTER_MS;
    if (this.nextProbeMs !== Number.POSITIVE_INFINITY) return false;
    return this.unanswered === 0 || now - this.waitingSinceMs >= DEAD_AFTER_MS;
  }

  /** Begins its checks anew. */
  checkAgain(now: number): void {
    if (this.isValid) return;
    this.unanswered = 0;
    this.waitingSinceMs = Number.POSITIVE_INFINITY;
    this.nextProbeMs = Math.min(this.nextProbeMs, now);
  }

  /** Notes that a probe goes out, and when the next one does. */
  handleProbeSent(now: number, isInUse: boolean): void {
    if (this.waitingSinceMs === Number.POSITIVE_INFINITY) this.waitingSinceMs = now;
    this.unanswered += 1;
    this.lastProbeMs = now;
    if (!this.isValid) {
      const next = CHECK_TIMES_MS[this.unanswered];
      this.nextProbeMs = next === undefined ? Number.POSITIVE_INFINITY : this.waitingSinceMs + next;
    } else if (this.unanswered > 1) {
      this.nextProbeMs = now + (isInUse ? REPEAT_MS : HEARTBEAT_MS);
    } else {
      this.nextProbeMs = now + (isInUse ? this.#answerWaitMs() : HEARTBEAT_MS);
    }
  }

  handleAnswer(now: number, sentMs: number, isInUse: boolean): void {
    this.isValid = true;
    this.unanswered = 0;
    this.waitingSinceMs = Number.POSITIVE_INFINITY;
    this.lastAnswerMs = now;
    this.roundTripMs = now - sentMs;
    this.nextProbeMs = now + (isInUse ? HEARTBEAT_MS : RESERVE_HEARTBEAT_MS);
  }

  /** Asks whether it still works, soon, since the one in use is silent. */
  hurry(now: number): void {
    this.nextProbeMs = Math.min(this.nextProbeMs, Math.max(now, this.lastProbeMs + REPEAT_MS));
  }

  #answerWaitMs(): number {
    return Math.min(HEARTBEAT_MS, Math.max(MIN_ANSWER_WAIT_MS, 2 * this.roundTripMs));
  }
}

export function pathKey(socketId: number, remote: Endpoint): string {
  return `${socketId} ${remote.address} ${remote.port}`;
}

const VIA_RANK: Record<Via, number> = { socket: 0, 'relay-udp': 1, 'relay-tcp': 2, 'relay-tls': 3 };
