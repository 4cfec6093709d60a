// What the STUN and TURN machines know of a client's 5-tuple (RFC 8656 section 3): where it is, where it came in, how bytes go back to it.
import type { Endpoint } from '@bt/endpoint';
import type { TurnAllocation } from './turn/turn-allocation.ts';

/** How a client reaches the server. */
export type ClientTransport = 'udp' | 'tcp' | 'tls';

/** The place where datagrams of a client come in, and what RFC 5780 calls the alternate address and port. */
export interface ServerPlace {
  readonly address: string;
  readonly port: number;
  /** The other port that answers may come from; over TCP there is none. */
  readonly otherPort?: number | undefined;
  /** The other address that answers may come from, with both ports. */
  readonly otherAddress?: string | undefined;
}

/** From where an answer is to come (RFC 5780 section 7.2). */
export interface SourceChange {
  readonly address: boolean;
  readonly port: boolean;
}

/** A client's 5-tuple. One is made for each request; it is kept from {@link ClientLink.keep} to {@link ClientLink.release}. */
export interface ClientLink {
  readonly transport: ClientTransport;
  readonly remote: Endpoint;
  readonly place: ServerPlace;
  /** Kept here, so that a datagram finds its allocation without a search. */
  allocation: TurnAllocation | 'pending' | undefined;
  /** Sends a STUN message, over UDP from another place when asked to. */
  send(message: Uint8Array, from?: SourceChange): void;
  /**
   * Room for a message of relayed data, `lengthBytes` of it; undefined when the client takes no more: the datagram is to be dropped. No object
   * is made for a datagram.
   */
  reserve(lengthBytes: number): Uint8Array | undefined;
  /** Sends the first bytes of what `reserve` gave. */
  commit(lengthBytes: number): void;
  /** The link has an allocation from now on: what comes by it has to find this object. */
  keep(): void;
  release(): void;
}
