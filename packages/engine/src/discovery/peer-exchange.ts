// Peer exchange (BEP 11): peers tell each other whom they are connected to. What comes in is hearsay: a peer is believed
// once a minute, and what it names may be dialled after everything better. What goes out are peers that we are connected
// to and that told where they listen, once a minute to each, and what has become of them since.

import { addressClass, type Endpoint, endpointKey, isLoopback, isPublic } from '@bt/endpoint';
import {
  decodePex,
  EXTENSION_NAME,
  encodePex,
  MAX_PEX_PEERS,
  PEX_FLAG,
  PEX_INTERVAL_MS,
  type PexPeer,
} from '@bt/wire';
import { MAX_TOLD_PEERS, PEX_EARLY_MS, PEX_PAUSE_MS } from '../limits.ts';
import type { Moment } from '../moment.ts';
import type { Peer } from '../peer.ts';
import type { Candidates } from '../swarm/candidates.ts';
import type { Peers } from '../swarm/peers.ts';

export interface PeerExchangeOptions {
  readonly moment: Moment;
  readonly peers: Peers;
  readonly candidates: Candidates;
}

/** What passes between us and one peer. */
interface Talk {
  /** Whom it has been told of, by key, and not yet that they have gone. */
  readonly told: Map<string, Endpoint>;
  tellAtMs: number;
  /** When it was believed last. */
  believedMs: number;
}

/** A peer that may be told of, under its key. */
type Contacts = Map<string, { readonly peer: Peer; readonly endpoint: Endpoint }>;

export class PeerExchange {
  /** Messages that came too soon after the one before, or were malformed. */
  ignoredMessages = 0;
  /** Set by whoever knows the pieces. */
  isSeed: (peer: Peer) => boolean = () => false;
  readonly #options: PeerExchangeOptions;
  readonly #talks = new Map<Peer, Talk>();

  constructor(options: PeerExchangeOptions) {
    this.#options = options;
  }

  leave(peer: Peer): void {
    this.#talks.delete(peer);
  }

  /** About once a second: tells those whose minute is over. */
  tick(): void {
    const { now } = this.#options.moment;
    let contacts: Contacts | undefined;
    for (const peer of this.#options.peers) {
      const extendedId = peer.extensions.idOf(EXTENSION_NAME.pex);
      if (extendedId === undefined) continue;
      const talk = this.#talkWith(peer);
      if (now < talk.tellAtMs) continue;
      contacts ??= this.#contacts();
      this.#tell(peer, extendedId, talk, contacts);
    }
  }

  /** A message from a peer. Nothing in it is an offence. */
  received(peer: Peer, payload: Uint8Array): void {
    const { now } = this.#options.moment;
    const talk = this.#talkWith(peer);
    if (now - talk.believedMs < PEX_INTERVAL_MS - PEX_EARLY_MS) {
      this.ignoredMessages += 1;
      return;
    }
    talk.believedMs = now;
    const teller = peer.endpoint.address;
    const tellerIsLoopback = isLoopback(teller);
    for (const named of this.#decode(payload, tellerIsLoopback)) {
      if (!isWorthTelling(named.address, teller)) continue;
      this.#hear(named, tellerIsLoopback);
    }
  }

  #decode(payload: Uint8Array, tellerIsLoopback: boolean): readonly PexPeer[] {
    try {
      // Who was dropped may well be there for others: `dropped` says nothing to us.
      return onePublicPort(decodePex(payload, { tellerIsLoopback }).added);
    } catch {
      this.ignoredMessages += 1;
      return [];
    }
  }

  #hear({ flags, ...endpoint }: PexPeer, tellerIsLoopback: boolean): void {
    const { candidates, moment } = this.#options;
    const wasKnown = candidates.find(endpoint) !== undefined;
    const candidate = candidates.add(moment.now, endpoint, 'pex', tellerIsLoopback);
    if (candidate !== undefined && !wasKnown) {
      candidate.isSaidToSeed = (flags & PEX_FLAG.seed) !== 0;
    }
  }

  #tell(peer: Peer, extendedId: number, talk: Talk, contacts: Contacts): void {
    const dropped: Endpoint[] = [];
    for (const [key, endpoint] of talk.told) {
      if (dropped.length === MAX_PEX_PEERS) break;
      if (!contacts.has(key)) dropped.push(endpoint);
    }
    for (const endpoint of dropped) talk.told.delete(endpointKey(endpoint));
    const added: PexPeer[] = [];
    for (const [key, contact] of contacts) {
      if (added.length === MAX_PEX_PEERS || talk.told.size === MAX_TOLD_PEERS) break;
      const { address } = contact.endpoint;
      if (contact.peer === peer || talk.told.has(key)) continue;
      if (!isWorthTelling(address, peer.endpoint.address)) continue;
      added.push({ ...contact.endpoint, flags: this.#flagsOf(contact.peer) });
      talk.told.set(key, contact.endpoint);
    }
    const { now } = this.#options.moment;
    if (added.length === 0 && dropped.length === 0) {
      talk.tellAtMs = now + PEX_PAUSE_MS;
      return;
    }
    talk.tellAtMs = now + PEX_INTERVAL_MS;
    peer.session.extended(extendedId, encodePex({ added, dropped }));
    this.#options.peers.markDirty(peer);
  }

  /** Everybody who may be told of; those that we have reached ourselves first. */
  #contacts(): Contacts {
    const contacts: Contacts = new Map();
    for (const direction of ['out', 'in'] as const) {
      for (const peer of this.#options.peers) {
        const { listensAt } = peer.identity;
        if (peer.direction !== direction || !peer.isReady || listensAt === undefined) continue;
        const key = endpointKey(listensAt);
        if (!contacts.has(key)) contacts.set(key, { peer, endpoint: listensAt });
      }
    }
    return contacts;
  }

  #flagsOf(peer: Peer): number {
    const hasHolepunch = peer.extensions.idOf('ut_holepunch') !== undefined;
    return (
      (peer.prefersEncryption ? PEX_FLAG.prefersEncryption : 0) |
      (peer.isUploadOnly || this.isSeed(peer) ? PEX_FLAG.seed : 0) |
      (hasHolepunch ? PEX_FLAG.holepunch : 0) |
      (peer.direction === 'out' ? PEX_FLAG.reachable : 0)
    );
  }

  #talkWith(peer: Peer): Talk {
    let talk = this.#talks.get(peer);
    if (talk === undefined) {
      const tellAtMs = peer.connectedMs + PEX_PAUSE_MS;
      talk = { told: new Map(), tellAtMs, believedMs: Number.NEGATIVE_INFINITY };
      this.#talks.set(peer, talk);
    }
    return talk;
  }
}

/** A local network's addresses mean something in it alone: they are told to, and believed from, those within. */
function isWorthTelling(address: string, other: string): boolean {
  const kind = addressClass(address);
  if (kind === 'public') return true;
  return kind === 'loopback' ? isLoopback(other) : !isPublic(other);
}

/** BEP 11, "Security Considerations": further ports of one public address are ignored. */
function onePublicPort(named: readonly PexPeer[]): PexPeer[] {
  const addresses = new Set<string>();
  return named.filter(({ address }) => {
    if (addresses.has(address)) return false;
    if (isPublic(address)) addresses.add(address);
    return true;
  });
}
