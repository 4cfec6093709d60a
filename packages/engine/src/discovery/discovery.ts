// How a torrent finds peers beside its trackers: peer exchange (BEP 11), the DHT (BEP 5), and what peers say of our own
// address (BEP 10), which BEP 40 needs. Local discovery (BEP 14) is one for a session: local-discovery.ts. A private torrent
// (BEP 27) has none of them.

import { type Endpoint, isPublic } from '@bt/endpoint';
import type { ExtendedHandshake } from '@bt/wire';
import type { Moment } from '../moment.ts';
import type { Peer } from '../peer.ts';
import type { Candidates } from '../swarm/candidates.ts';
import type { Peers } from '../swarm/peers.ts';
import { DhtSchedule } from './dht-schedule.ts';
import type { ExternalAddress } from './external-address.ts';
import { PeerExchange } from './peer-exchange.ts';

/** What the owner is to do. */
export type DiscoveryEffect =
  /** Look for peers in the DHT and announce us there; `lookupEnded` follows. */
  | { readonly type: 'dht-lookup' }
  /** Break it off: nobody is to be asked or told any more. `lookupEnded` may follow. */
  | { readonly type: 'dht-lookup-cancel' }
  /** A peer says that it has a DHT node here: one to ping, not to trust. */
  | { readonly type: 'dht-node'; readonly endpoint: Endpoint };

export interface DiscoveryOptions {
  readonly moment: Moment;
  readonly peers: Peers;
  readonly candidates: Candidates;
  readonly external: ExternalAddress;
  readonly random: () => number;
  /** BEP 27. */
  readonly isPrivate: boolean;
  readonly peerExchange: boolean;
  /** The UDP port of our DHT node; 0: we have none. */
  readonly dhtPort: number;
}

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #effects: DiscoveryEffect[] = [];
  /** Who has told where its DHT node is: once a connection. */
  readonly #nodeTellers = new WeakSet<Peer>();
  #exchange: PeerExchange | undefined;
  #schedule: DhtSchedule | undefined;

  constructor(options: DiscoveryOptions) {
    const { isPrivate, peerExchange, dhtPort, random } = options;
    this.#options = options;
    if (isPrivate) return;
    if (peerExchange) this.#exchange = new PeerExchange(options);
    if (dhtPort !== 0) this.#schedule = new DhtSchedule(random);
  }

  /** Absent: there is no peer exchange. */
  get exchange(): PeerExchange | undefined {
    return this.#exchange;
  }

  /** We have a DHT node, and say so. */
  get hasDht(): boolean {
    return this.#schedule !== undefined;
  }

  /** The info dictionary has come, and it is that of a private torrent. */
  becomePrivate(): void {
    this.#exchange = undefined;
    if (this.#schedule?.isRunning === true) this.#effects.push({ type: 'dht-lookup-cancel' });
    this.#schedule = undefined;
  }

  start(now: number): void {
    this.#schedule?.start(now);
  }

  stop(): void {
    this.#schedule?.stop();
  }

  /** Whether peers are lacking. */
  peersNeeded(needsPeers: boolean): void {
    this.#schedule?.peersNeeded(needsPeers);
  }

  /** The lookup of the last `dht-lookup` has ended; `hasFailed`: nobody has answered. */
  lookupEnded(now: number, hasFailed: boolean): void {
    this.#schedule?.ended(now, hasFailed);
  }

  // Peers.

  /** Handshakes are done. */
  greeted(peer: Peer): void {
    const { session } = peer;
    if (!this.hasDht || !session.features.dht) return;
    const { dhtPort, external } = this.#options;
    // Neighbours reach us without the gateway.
    session.port(isPublic(peer.endpoint.address) ? external.dhtPortOf(dhtPort) : dhtPort);
  }

  extendedHandshake(peer: Peer, { yourAddress, prefersEncryption }: ExtendedHandshake): void {
    if (prefersEncryption !== undefined) peer.prefersEncryption = prefersEncryption;
    if (yourAddress !== undefined) this.#options.external.vote(peer.endpoint.address, yourAddress);
  }

  /** A peer's `port` message (BEP 5). */
  nodeTold(peer: Peer, port: number): void {
    if (!this.hasDht || port === 0 || this.#nodeTellers.has(peer)) return;
    this.#nodeTellers.add(peer);
    const { address } = peer.endpoint;
    this.#effects.push({ type: 'dht-node', endpoint: { address, port } });
  }

  leave(peer: Peer): void {
    this.#exchange?.leave(peer);
  }

  // Time, and what goes out.

  /** About once a second while there are peers. */
  tick(): void {
    this.#exchange?.tick();
  }

  deadline(): number {
    return this.#schedule?.deadline() ?? Number.POSITIVE_INFINITY;
  }

  poll(): DiscoveryEffect | undefined {
    if (this.#schedule?.take(this.#options.moment.now) === true) return { type: 'dht-lookup' };
    return this.#effects.shift();
  }
}
