// What the connections of a swarm are for: the info dictionary while only a magnet link is known (BEP 9), then the pieces.
// The swarm lets peers in, greets them, keeps them awake and closes them; all else is its exchange's, which can change
// while the connections stay.

import type {
  ExtendedHandshake,
  Handshake,
  MetadataMessage,
  WireHandler,
  WirePieces,
} from '@bt/wire';
import type { Peer } from '../peer.ts';

/** What is done with one peer's message may throw a `PeerFault` to end its connection. */
export interface Exchange {
  /** What bounds messages about pieces; absent until the info dictionary is known. */
  readonly pieces?: WirePieces;
  /** Nothing is wanted any more: seeds are of no use. */
  readonly isDone: boolean;
  /** We say that we want nothing (BEP 21). */
  readonly isUploadOnly: boolean;
  /** Takes in a connection, whose handshake may be done: the result is told what the peer says. */
  admit(peer: Peer): WireHandler;
  /** Both handshakes are done, and we have sent our extended one: the first messages. */
  greet(peer: Peer): void;
  /** The peer's extended handshake, of which it may send several (BEP 10). */
  extendedHandshake(peer: Peer, handshake: ExtendedHandshake): void;
  /** The peer has answered to a request for metadata (BEP 9). */
  metadataAnswered(peer: Peer, message: MetadataAnswer): void;
  /** The peer has said whether it wants pieces (BEP 21): `peer.isUploadOnly`. */
  uploadOnlyChanged(peer: Peer): void;
  /** Something has come from the peer. */
  attend(peer: Peer): void;
  /** About once a second, for each peer whose handshakes are done. */
  watch(peer: Peer): void;
  /** The same for all of them, behind it. */
  tick(): void;
  /** The connection has ended. */
  leave(peer: Peer): void;
}

export type MetadataAnswer = Exclude<MetadataMessage, { type: 'request' }>;

/** What whoever handles a peer's messages passes on to the swarm. */
export interface GreetingObserver {
  handshakeDone(peer: Peer, handshake: Handshake): void;
  extended(peer: Peer, extendedId: number, payload: Uint8Array): void;
  nodeTold(peer: Peer, port: number): void;
}
