// What the race of a pair is told when it begins, and what it wants done.
import type { Endpoint } from '@bt/endpoint';
import type { Candidate, NatTraits, PathSignal } from './candidate.ts';
import type { PathDescription, PathSocket } from './path.ts';
import type { GuessWay } from './port-guesser.ts';

/** What we have to offer: gathered by the owner. */
export interface LocalSide {
  readonly sockets: readonly PathSocket[];
  readonly candidates: readonly Candidate[];
  readonly nat: NatTraits;
}

export interface PuncherOptions {
  /** 32 bytes that only the two members and the server know. */
  readonly pairKey: Uint8Array;
  /** Of two sides exactly one is. */
  readonly isControlling: boolean;
  readonly random: () => number;
  /** What nobody can guess: an answer proves by it that a probe has come. */
  readonly randomBytes: (length: number) => Uint8Array;
  /** When both sides begin: the server evens out its ways to them. */
  readonly startInMs?: number;
  /** IP addresses that the server has seen the peer send from. */
  readonly peerSeen: readonly string[];
  /** IP addresses of the server and its relay. */
  readonly serverAddresses: readonly string[];
  /** Whether the server is on loopback, and so the peer may be. */
  readonly allowLoopback?: boolean;
}

export type PuncherEffect =
  | {
      readonly type: 'send';
      readonly socketId: number;
      readonly to: Endpoint;
      readonly bytes: Uint8Array;
      readonly ttl?: number;
    }
  | { readonly type: 'signal'; readonly data: PathSignal }
  /** Gather again and call `setLocal`; with new sockets if `isFresh`: those in use may stand on mappings that are spoilt. */
  | { readonly type: 'gather'; readonly isFresh: boolean }
  /** Open sockets and call `addGuessSockets`; for a prediction with the port that the first one is mapped to. */
  | { readonly type: 'open'; readonly way: GuessWay; readonly count: number }
  /** These have served. */
  | { readonly type: 'release'; readonly socketIds: readonly number[] }
  /** Have the relays let in what comes from this address: of a relayed one the port counts, too; else it is 0. */
  | { readonly type: 'permit'; readonly peer: Endpoint }
  | { readonly type: 'path'; readonly path: PathDescription | undefined };
