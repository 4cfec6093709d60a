// The signalling messages between a client and the rendezvous server: JSON texts over a WebSocket. How they are written and read is in
// `rendezvous-codec.ts`.
import type { Endpoint } from '@bt/endpoint';

/** The version of this protocol; a server refuses any other. */
export const SIGNALLING_VERSION = 1;

/** Where on the server's TCP port the WebSocket is. */
export const SIGNALLING_PATH = '/signal';

/** The secret that makes two joins the same client, over reconnects and other servers: 16 random bytes in hexadecimal. */
export const CLIENT_ID_BYTES = 16;
export const PAIR_KEY_BYTES = 32;

export type ClientKind = 'terminal' | 'browser';

/** Any JSON object; the server passes it on as it is. */
export type SignalData = { readonly [field: string]: unknown };

/** A pair that the client is in touch with: the server makes no new one of it (see {@link JoinMessage.pairs}). */
export interface HeldPair {
  /** The other's `clientTag`. */
  readonly clientTag: string;
  readonly pairKey: Uint8Array;
}

/** The first message, and again over the same connection when the pairs have changed that the server does not know of. */
export interface JoinMessage {
  readonly type: 'join';
  readonly version: number;
  readonly pool: string;
  /** See {@link CLIENT_ID_BYTES}. Nobody but the servers may learn it. */
  readonly client: string;
  readonly kind: ClientKind;
  readonly name?: string;
  /**
   * Present when the client has been a member before: whom it is in touch with. A server that has restarted keeps those pairs, with their
   * keys, when the other side says the same.
   */
  readonly pairs?: readonly HeldPair[];
}

/**
 * Data for the other one of a pair. Both sides number what they send from 1 and say the last number that has come, so that what a broken
 * connection has lost is sent again (see `SignalLane`); a message without data only acknowledges.
 */
export interface SignalMessage {
  readonly type: 'signal';
  /** To the server: whom it is for. From the server: whom it is from. A member's id. */
  readonly peer: string;
  readonly number: number;
  readonly acknowledged: number;
  readonly data?: SignalData;
}

export interface PingMessage {
  readonly type: 'ping';
  readonly id: number;
}

export interface LeaveMessage {
  readonly type: 'leave';
}

/** There is nothing to say to this peer, which does not know the phrase, say: the two are paired no more, neither now nor later. */
export interface RejectMessage {
  readonly type: 'reject';
  readonly peer: string;
}

export type ClientMessage =
  | JoinMessage
  | SignalMessage
  | PingMessage
  | LeaveMessage
  | RejectMessage;

export interface RelayCredentials {
  readonly username: string;
  readonly password: string;
  readonly realm: string;
  readonly expiresInMs: number;
}

export interface ServerPorts {
  /** UDP ports that answer Binding requests, that of the server first. */
  readonly stun: readonly number[];
  /** UDP and TCP. */
  readonly turn: number;
  /** Whether TLS is spoken on the TCP port. */
  readonly tls: boolean;
}

/** The answer to a join, and again when credentials are renewed. */
export interface WelcomeMessage {
  readonly type: 'welcome';
  /** Our id in the pool. Another one than before: the server has forgotten us, and all pairs are named anew. */
  readonly member: string;
  readonly roomSize: number;
  /** Where the server sees our signalling come from. */
  readonly observed: Endpoint;
  readonly credentials: RelayCredentials;
  readonly ports: ServerPorts;
  /** The server's second address (RFC 5780). */
  readonly alternateAddress?: string;
}

/** The pool is full; so many others wait before us. */
export interface WaitingMessage {
  readonly type: 'waiting';
  readonly ahead: number;
}

/** Both of a pair get it at one time; again after a reconnect, with the same key. */
export interface PeerMessage {
  readonly type: 'peer';
  readonly peer: string;
  /** What stays the same when the other one connects anew, whatever its id: a hash of the pool and its client id. */
  readonly clientTag: string;
  readonly name?: string;
  readonly kind: ClientKind;
  /** 32 bytes that only the two and the servers know. Another key than before: the other one has begun anew. */
  readonly pairKey: Uint8Array;
  /** Exactly one of the two is; which one does not change while the pair lives. */
  readonly isControlling: boolean;
  /** IP addresses that the server itself saw the other one send from. */
  readonly seen: readonly string[];
  /** When to begin: evens out how long this message takes to each of the two. */
  readonly startInMs: number;
}

/** All IP addresses that the server itself has seen the other one send from. */
export interface PeerSeenMessage {
  readonly type: 'peer-seen';
  readonly peer: string;
  readonly seen: readonly string[];
}

/** The signalling connection of the other one is cut, or back; its path may live all the time. */
export interface PeerPresenceMessage {
  readonly type: 'peer-away' | 'peer-back';
  readonly peer: string;
}

export interface PeerLeftMessage {
  readonly type: 'peer-left';
  readonly peer: string;
  /** `timeout`: it did not come back in time. `rejected`: one of the two has rejected the other. */
  readonly reason: LeaveReason;
}

export type LeaveReason = (typeof LEAVE_REASONS)[number];

export const LEAVE_REASONS = ['left', 'timeout', 'rejected'] as const;

export interface PongMessage {
  readonly type: 'pong';
  readonly id: number;
}

export interface ErrorMessage {
  readonly type: 'error';
  readonly code: SignallingErrorCode;
  /** A sentence for people. */
  readonly message: string;
}

/**
 * The client's fault, for which it is closed: `invalid-message`, `version`, `not-joined`.
 *
 * To be tried again later: `crowded` (too many from this address), `full` (no room for more pools or members), `too-fast`, `replaced` (the
 * same client has connected again), `restarting` (at once; there may be another server), `unavailable` (a server behind this one is).
 */
export type SignallingErrorCode = (typeof SIGNALLING_ERROR_CODES)[number];

export const SIGNALLING_ERROR_CODES = [
  'invalid-message',
  'version',
  'not-joined',
  'crowded',
  'full',
  'too-fast',
  'replaced',
  'restarting',
  'unavailable',
] as const;

export type ServerMessage =
  | WelcomeMessage
  | WaitingMessage
  | PeerMessage
  | PeerSeenMessage
  | PeerPresenceMessage
  | PeerLeftMessage
  | SignalMessage
  | PongMessage
  | ErrorMessage;
