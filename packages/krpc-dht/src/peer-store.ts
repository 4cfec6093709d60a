// The peers that were announced to this node (BEP 5), by info-hash, as bytes in typed arrays; what a scrape (BEP 33) and a
// sample of info-hashes (BEP 51) say of them.
//
// One public address has at most 4 peers under an info-hash (a fifth takes the place of its oldest) and 1,000 in all, one network
// (a /24, or an IPv6 /48) 4,000. Caps refuse: a flood can't drive out those who are there, and what it filled is free after half
// an hour. But so that no few can hold all info-hashes for ever, one that a single peer is listed under makes room for another,
// if his network has more of the store than the newcomer's.
import { type AddressFamily, isMartianAt } from '@bt/endpoint';
import { AddressCount } from './address-count.ts';
import { BloomFilter } from './bloom-filter.ts';
import {
  EVICTION_PROBES,
  ID_BYTES,
  MAX_CACHED_FILTERS,
  MAX_HASHES,
  MAX_PEERS,
  MAX_PEERS_PER_ADDRESS,
  MAX_PEERS_PER_HASH,
  MAX_PEERS_PER_NETWORK,
  MAX_SAMPLES,
  PEER_LIFETIME_MS,
  SAMPLE_INTERVAL_MS,
  SCRAPE_LIFETIME_MS,
  SWEEP_INTERVAL_MS,
} from './constants.ts';
import { idKey } from './node-id.ts';
import { PeerList } from './peer-list.ts';

export interface PeerStoreOptions {
  /** Numbers in [0, 1) that nobody can guess. */
  readonly random: () => number;
  readonly maxHashes?: number | undefined;
  readonly maxPeers?: number | undefined;
  /** Of each family. */
  readonly maxPeersPerHash?: number | undefined;
}

/** `stored` (or refreshed), `full` (a cap keeps it out), `martian` (port 0, or no address of a peer). */
export type StoreOutcome = 'stored' | 'full' | 'martian';

/** What an info-hash takes beside its records: key, place in the map, lists, headers of arrays (measured on Node 20). */
const HASH_BYTES = 600;

export class PeerStore {
  readonly #random: () => number;
  readonly #maxHashes: number;
  readonly #maxPeers: number;
  readonly #maxPeersPerHash: number;
  readonly #swarms = new Map<string, Swarm>();
  readonly #ofAddress: AddressCount;
  readonly #ofNetwork: AddressCount;
  readonly #scrapes = new Map<string, Scrape>();
  #peerCount = 0;
  /** The time that seconds count from: that of the first call. */
  #beginMs: number | undefined;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #samples: Uint8Array<ArrayBuffer> = new Uint8Array();
  #sampledAt = Number.NEGATIVE_INFINITY;

  constructor(options: PeerStoreOptions) {
    this.#random = options.random;
    this.#maxHashes = options.maxHashes ?? MAX_HASHES;
    this.#maxPeers = options.maxPeers ?? MAX_PEERS;
    this.#maxPeersPerHash = options.maxPeersPerHash ?? MAX_PEERS_PER_HASH;
    this.#ofAddress = new AddressCount(options.random);
    this.#ofNetwork = new AddressCount(options.random, 'network');
  }

  get hashCount(): number {
    return this.#swarms.size;
  }

  /** Expired ones count until the next sweep, a minute at most while there is traffic. */
  get peerCount(): number {
    return this.#peerCount;
  }

  /** Memory in use: the lengths of the arrays, and a measured sum for each info-hash. */
  get memoryBytes(): number {
    let bytes = 0;
    for (const { ipv4, ipv6 } of this.#swarms.values()) {
      bytes += HASH_BYTES + ipv4.bytes.length + ipv6.bytes.length;
    }
    return bytes;
  }

  /** Lists or refreshes the peer whose compact endpoint stands at `endpointAt`, under the info-hash at `hashAt`. */
  announce(
    now: number,
    hashes: Uint8Array,
    hashAt: number,
    endpoints: Uint8Array,
    endpointAt: number,
    family: AddressFamily,
    isSeed: boolean,
  ): StoreOutcome {
    if (isMartianAt(endpoints, endpointAt, family, true)) return 'martian';
    const expirySeconds = this.#seconds(now) + PEER_LIFETIME_MS / 1000;
    if (now - this.#sweptAt >= SWEEP_INTERVAL_MS) this.handleTimeout(now);
    const key = idKey(hashes, hashAt);
    let swarm = this.#swarms.get(key);
    const list = swarm?.of(family);
    if (list !== undefined) {
      let at = list.find(endpoints, endpointAt);
      if (at < 0) at = list.findToReplace(endpoints, endpointAt);
      if (at >= 0) {
        // One of the same address (IPv6: of the same /64) takes its place, so that the counts stay.
        list.write(at, endpoints, endpointAt, expirySeconds, isSeed);
        return 'stored';
      }
      if (list.count >= this.#maxPeersPerHash) return 'full';
    }
    if (this.#peerCount >= this.#maxPeers) return 'full';
    if (this.#ofAddress.get(endpoints, endpointAt, family) >= MAX_PEERS_PER_ADDRESS) return 'full';
    if (this.#ofNetwork.get(endpoints, endpointAt, family) >= MAX_PEERS_PER_NETWORK) return 'full';
    if (swarm === undefined) {
      if (this.#swarms.size >= this.#maxHashes) {
        const evicted = this.#findToEvict(endpoints, endpointAt, family);
        if (evicted === undefined) return 'full';
        this.#evict(evicted);
      }
      swarm = new Swarm();
      this.#swarms.set(key, swarm);
    }
    swarm
      .of(family)
      .add(endpoints, endpointAt, expirySeconds, isSeed, this.#maxPeersPerHash, this.#random);
    this.#count(endpoints, endpointAt, family, 1);
    return 'stored';
  }

  /**
   * Whether a peer at `address`, of 4 or 16 bytes, can be stored under an info-hash: there is room, or he is listed already. When
   * not, a node withholds its token (BEP 33), and the announce goes to its neighbours.
   */
  hasRoom(hashes: Uint8Array, hashAt: number, family: AddressFamily, address: Uint8Array): boolean {
    const swarm = this.#swarms.get(idKey(hashes, hashAt));
    const isFull = this.#peerCount >= this.#maxPeers;
    if (swarm === undefined) {
      if (isFull) return false;
      if (this.#swarms.size < this.#maxHashes) return true;
      return this.#findToEvict(address, 0, family) !== undefined;
    }
    const list = swarm.of(family);
    return (!isFull && list.count < this.#maxPeersPerHash) || list.hasAddress(address);
  }

  /**
   * Writes up to `count` peers, a random choice, one compact endpoint behind the other into `target` at `offset`, and returns
   * the offset behind them. `noSeed` leaves out seeds (BEP 33).
   */
  sample(
    now: number,
    hashes: Uint8Array,
    hashAt: number,
    family: AddressFamily,
    noSeed: boolean,
    count: number,
    target: Uint8Array,
    offset: number,
  ): number {
    const list = this.#swarms.get(idKey(hashes, hashAt))?.of(family);
    if (list === undefined || list.count === 0) return offset;
    const seconds = this.#seconds(now);
    const { bytes, recordBytes } = list;
    const end = list.count * recordBytes;
    const endpointBytes = family === 4 ? 6 : 18;
    let from = Math.floor(this.#random() * list.count) * recordBytes;
    let at = offset;
    for (let left = list.count, wanted = count; left > 0 && wanted > 0; left--) {
      if (list.expirySeconds(from) > seconds && !(noSeed && list.isSeed(from))) {
        for (let i = 0; i < endpointBytes; i++) target[at++] = bytes[from + i]!;
        wanted--;
      }
      from += recordBytes;
      if (from === end) from = 0;
    }
    return at;
  }

  /**
   * BEP 33: filters of the seeds and the downloaders of an info-hash, of both families, at most a minute old; undefined when it
   * has no peers.
   */
  filters(now: number, hashes: Uint8Array, hashAt: number): Scrape | undefined {
    const key = idKey(hashes, hashAt);
    const swarm = this.#swarms.get(key);
    if (swarm === undefined) return undefined;
    const known = this.#scrapes.get(key);
    if (known !== undefined && now - known.madeAt < SCRAPE_LIFETIME_MS) return known;
    const scrape = makeScrape(now, this.#seconds(now), swarm);
    this.#scrapes.delete(key);
    this.#scrapes.set(key, scrape);
    if (this.#scrapes.size > MAX_CACHED_FILTERS) {
      for (const oldest of this.#scrapes.keys()) {
        this.#scrapes.delete(oldest);
        break;
      }
    }
    return scrape;
  }

  /**
   * BEP 51: up to 20 info-hashes, one behind the other, and when to ask again. All of them when there are no more, else the
   * same choice for 5 minutes.
   */
  sampleHashes(now: number): { readonly samples: Uint8Array; readonly intervalSeconds: number } {
    if (now - this.#sweptAt >= SWEEP_INTERVAL_MS) this.handleTimeout(now);
    const isChoice = this.#samples.length === MAX_SAMPLES * ID_BYTES;
    if (!isChoice || now - this.#sampledAt >= SAMPLE_INTERVAL_MS) {
      this.#samples = this.#chooseHashes();
      this.#sampledAt = now;
    }
    const left = this.#sampledAt + SAMPLE_INTERVAL_MS - now;
    return { samples: this.#samples, intervalSeconds: Math.ceil(left / 1000) };
  }

  /** Forgets what has expired. Worth a call each minute; an announce makes it by itself. */
  handleTimeout(now: number): void {
    this.#sweptAt = now;
    const seconds = this.#seconds(now);
    for (const [key, swarm] of this.#swarms) {
      this.#expire(seconds, swarm.ipv4);
      this.#expire(seconds, swarm.ipv6);
      if (swarm.ipv4.count === 0 && swarm.ipv6.count === 0) this.#swarms.delete(key);
    }
    for (const [key, { madeAt }] of this.#scrapes) {
      if (now - madeAt >= SCRAPE_LIFETIME_MS) this.#scrapes.delete(key);
    }
  }

  #expire(seconds: number, list: PeerList): void {
    let at = (list.count - 1) * list.recordBytes;
    for (; at >= 0; at -= list.recordBytes) {
      if (list.expirySeconds(at) > seconds) continue;
      this.#count(list.bytes, at, list.family, -1);
      list.remove(at);
    }
    list.shrink();
  }

  #count(endpoints: Uint8Array, at: number, family: AddressFamily, change: 1 | -1): void {
    this.#ofAddress.add(endpoints, at, family, change);
    this.#ofNetwork.add(endpoints, at, family, change);
    this.#peerCount += change;
  }

  /**
   * The key of an info-hash that may make room for one of the peer at `at`: of the next few with one peer each that whose network
   * has most of the store, if that is more than the newcomer's will have.
   */
  #findToEvict(endpoints: Uint8Array, at: number, family: AddressFamily): string | undefined {
    let most = this.#ofNetwork.get(endpoints, at, family) + 1;
    let found: string | undefined;
    let probes = 0;
    for (const [key, swarm] of this.#swarms) {
      if (probes++ === EVICTION_PROBES) break;
      // The others get their turn.
      this.#swarms.delete(key);
      this.#swarms.set(key, swarm);
      if (swarm.ipv4.count + swarm.ipv6.count > 1) continue;
      const list = swarm.ipv4.count > 0 ? swarm.ipv4 : swarm.ipv6;
      const count = this.#ofNetwork.get(list.bytes, 0, list.family);
      if (count <= most) continue;
      most = count;
      found = key;
    }
    return found;
  }

  #evict(key: string): void {
    const swarm = this.#swarms.get(key)!;
    for (const list of [swarm.ipv4, swarm.ipv6]) {
      for (let i = 0; i < list.count; i++) {
        this.#count(list.bytes, i * list.recordBytes, list.family, -1);
      }
    }
    this.#swarms.delete(key);
    this.#scrapes.delete(key);
  }

  /** A random choice out of all, each as likely (Knuth, selection sampling). */
  #chooseHashes(): Uint8Array<ArrayBuffer> {
    let wanted = Math.min(MAX_SAMPLES, this.#swarms.size);
    let left = this.#swarms.size;
    const samples = new Uint8Array(wanted * ID_BYTES);
    let at = 0;
    for (const key of this.#swarms.keys()) {
      if (wanted === 0) break;
      if (this.#random() * left-- >= wanted) continue;
      wanted--;
      for (let i = 0; i < ID_BYTES; i++) samples[at++] = key.charCodeAt(i);
    }
    return samples;
  }

  #seconds(now: number): number {
    this.#beginMs ??= now;
    return Math.floor((now - this.#beginMs) / 1000);
  }
}

/** The filters of BEP 33, 256 bytes each. */
export interface Scrape {
  readonly madeAt: number;
  readonly seeds: Uint8Array;
  readonly downloaders: Uint8Array;
}

/** The peers of one info-hash. */
class Swarm {
  readonly ipv4 = new PeerList(4);
  readonly ipv6 = new PeerList(6);

  of(family: AddressFamily): PeerList {
    return family === 4 ? this.ipv4 : this.ipv6;
  }
}

function makeScrape(now: number, seconds: number, swarm: Swarm): Scrape {
  const seeds = new BloomFilter();
  const downloaders = new BloomFilter();
  for (const list of [swarm.ipv4, swarm.ipv6]) {
    const addressBytes = list.family === 4 ? 4 : 16;
    for (let i = 0; i < list.count; i++) {
      const at = i * list.recordBytes;
      if (list.expirySeconds(at) <= seconds) continue;
      const filter = list.isSeed(at) ? seeds : downloaders;
      filter.add(list.bytes.subarray(at, at + addressBytes));
    }
  }
  return { madeAt: now, seeds: seeds.bytes, downloaders: downloaders.bytes };
}
