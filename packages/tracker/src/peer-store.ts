// The peers that a tracker knows, per torrent: listed, sampled, expired, capped. Pure; the servers over HTTP and UDP share it.
import {
  type AddressFamily,
  addressFamily,
  type Endpoint,
  endpointKey,
  isPublic,
  networkOf,
} from '@bt/endpoint';
import type { AnnounceRequest, ScrapeEntry } from './announce.ts';
import type { ListedPeer } from './http-answer.ts';

export interface PeerStoreOptions {
  /** When a peer is to come again; it is forgotten after twice as long. */
  readonly intervalSeconds: number;
  readonly maxTorrents: number;
  readonly maxPeers: number;
  readonly maxPeersPerTorrent: number;
  /** Of one public address, an IPv6 /64 being one. Elsewhere many hosts may share an address, and none is counted. */
  readonly maxPeersPerNetwork: number;
  readonly maxPeersPerNetworkAndTorrent: number;
  /** Numbers in [0, 1). */
  readonly random: () => number;
}

/** Why a peer was not listed: there is no room, or none for more of its network. */
export type PeerStoreRefusal = 'full' | 'crowded';

export class PeerStore {
  readonly #options: PeerStoreOptions;
  readonly #torrents = new Map<string, Swarm>();
  readonly #networks = new NetworkCount();
  #peerCount = 0;

  constructor(options: PeerStoreOptions) {
    this.#options = options;
  }

  get torrentCount(): number {
    return this.#torrents.size;
  }

  get peerCount(): number {
    return this.#peerCount;
  }

  /**
   * Lists, refreshes or strikes out the peer that announces from `endpoint`. A refusal when a cap keeps a new one out;
   * nothing is evicted for it, so that a flood can't drive out those who are there.
   */
  announce(
    now: number,
    endpoint: Endpoint,
    request: AnnounceRequest,
  ): PeerStoreRefusal | undefined {
    const torrentKey = latin1(request.infoHash);
    let swarm = this.#torrents.get(torrentKey);
    if (swarm !== undefined) this.#expire(now, torrentKey, swarm);
    const key = endpointKey(endpoint);
    const known = swarm?.peers.get(key);
    if (request.event === 'stopped') {
      if (swarm !== undefined && known !== undefined) this.#remove(torrentKey, swarm, known);
      return undefined;
    }
    if (swarm !== undefined && !this.#torrents.has(torrentKey)) swarm = undefined;
    const network = isPublic(endpoint.address) ? networkOf(endpoint.address) : undefined;
    if (swarm === undefined || known === undefined) {
      const refusal = this.#refusalOf(swarm, network);
      if (refusal !== undefined) return refusal;
    }
    if (swarm === undefined) {
      swarm = new Swarm();
      this.#torrents.set(torrentKey, swarm);
    } else if (known !== undefined) {
      if (request.event === 'completed' && !known.isSeed) swarm.downloaded++;
      this.#take(swarm, known);
    }
    swarm.add({
      key,
      network,
      endpoint,
      family: addressFamily(endpoint.address) ?? 4,
      peerId: request.peerId.slice(),
      isSeed: request.leftBytes === 0,
      expiresAt: now + 2000 * this.#options.intervalSeconds,
      index: 0,
    });
    this.#networks.add(network, 1);
    this.#peerCount++;
    return undefined;
  }

  /** Up to `count` peers of one family for the one at `asker`: a random stretch; a seed is given no seeds. */
  sample(
    infoHash: Uint8Array,
    asker: { readonly endpoint: Endpoint; readonly isSeed: boolean },
    family: AddressFamily,
    count: number,
  ): ListedPeer[] {
    const sampled: ListedPeer[] = [];
    const list = this.#torrents.get(latin1(infoHash))?.lists[family];
    if (list === undefined || list.length === 0) return sampled;
    const askerKey = endpointKey(asker.endpoint);
    const start = Math.floor(this.#options.random() * list.length);
    for (let i = 0; i < list.length && sampled.length < count; i++) {
      const peer = list[(start + i) % list.length]!;
      if (peer.key === askerKey || (asker.isSeed && peer.isSeed)) continue;
      sampled.push(peer);
    }
    return sampled;
  }

  scrape(now: number, infoHash: Uint8Array): ScrapeEntry | undefined {
    const torrentKey = latin1(infoHash);
    const swarm = this.#torrents.get(torrentKey);
    if (swarm === undefined) return undefined;
    this.#expire(now, torrentKey, swarm);
    return {
      complete: swarm.seeds,
      incomplete: swarm.peers.size - swarm.seeds,
      downloaded: swarm.downloaded,
    };
  }

  /** Forgets all peers whose time is up, and torrents without peers. */
  handleTimeout(now: number): void {
    for (const [key, swarm] of this.#torrents) this.#expire(now, key, swarm);
  }

  /** Peers stand in the order of their last announce, so the expired ones stand first. */
  #expire(now: number, torrentKey: string, swarm: Swarm): void {
    for (const peer of swarm.peers.values()) {
      if (peer.expiresAt > now) return;
      this.#remove(torrentKey, swarm, peer);
    }
  }

  /** Why there is no room for one peer more; `swarm` is undefined for a new torrent. */
  #refusalOf(swarm: Swarm | undefined, network: string | undefined): PeerStoreRefusal | undefined {
    const { maxTorrents, maxPeers, maxPeersPerTorrent } = this.#options;
    const { maxPeersPerNetwork, maxPeersPerNetworkAndTorrent } = this.#options;
    if (swarm === undefined && this.#torrents.size >= maxTorrents) return 'full';
    if (this.#peerCount >= maxPeers) return 'full';
    if (swarm !== undefined && swarm.peers.size >= maxPeersPerTorrent) return 'full';
    const isCrowded =
      this.#networks.get(network) >= maxPeersPerNetwork ||
      (swarm?.networks.get(network) ?? 0) >= maxPeersPerNetworkAndTorrent;
    return isCrowded ? 'crowded' : undefined;
  }

  #take(swarm: Swarm, peer: Peer): void {
    swarm.remove(peer);
    this.#networks.add(peer.network, -1);
    this.#peerCount--;
  }

  #remove(torrentKey: string, swarm: Swarm, peer: Peer): void {
    this.#take(swarm, peer);
    if (swarm.peers.size === 0) this.#torrents.delete(torrentKey);
  }
}

interface Peer extends ListedPeer {
  readonly key: string;
  /** Undefined where it isn't counted. */
  readonly network: string | undefined;
  readonly family: AddressFamily;
  readonly isSeed: boolean;
  readonly expiresAt: number;
  /** Its place in the list of its family. */
  index: number;
}

/** The peers of one torrent: by endpoint, in the order of their last announce, and by family for sampling. */
class Swarm {
  readonly peers = new Map<string, Peer>();
  readonly lists: Record<AddressFamily, Peer[]> = { 4: [], 6: [] };
  readonly networks = new NetworkCount();
  seeds = 0;
  downloaded = 0;

  add(peer: Peer): void {
    this.peers.set(peer.key, peer);
    peer.index = this.lists[peer.family].push(peer) - 1;
    this.networks.add(peer.network, 1);
    if (peer.isSeed) this.seeds++;
  }

  remove(peer: Peer): void {
    this.peers.delete(peer.key);
    const list = this.lists[peer.family];
    const last = list.pop()!;
    if (last !== peer) {
      list[peer.index] = last;
      last.index = peer.index;
    }
    this.networks.add(peer.network, -1);
    if (peer.isSeed) this.seeds--;
  }
}

/** How many peers each network has. */
class NetworkCount {
  readonly #counts = new Map<string, number>();

  get(network: string | undefined): number {
    return (network === undefined ? undefined : this.#counts.get(network)) ?? 0;
  }

  add(network: string | undefined, change: 1 | -1): void {
    if (network === undefined) return;
    const count = this.get(network) + change;
    if (count === 0) this.#counts.delete(network);
    else this.#counts.set(network, count);
  }
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
