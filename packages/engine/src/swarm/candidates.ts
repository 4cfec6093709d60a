// The addresses of a torrent's possible peers: who is worth dialling, when, and who never again.
// One entry for an address and port, bounded, with back-off; what a better source names displaces hearsay, never the other
// way. A private torrent (BEP 27) takes none from strangers. Bans are by address and port, and by address and peer id: a peer
// id alone proves nothing, since whoever has seen it can send it.

import {
  addressClass,
  type Endpoint,
  endpointKey,
  isMartian,
  isPublic,
  networkOf,
} from '@bt/endpoint';
import {
  BANNED_PORTS_PER_ADDRESS,
  MAX_BANS,
  MAX_CANDIDATES,
  MAX_DIAL_FAILURES,
  MAX_HEARSAY_PORTS,
  MAX_UNPROVED_PORTS,
  REDIAL_FIRST_MS,
  REDIAL_KEPT_MAX_MS,
  REDIAL_MAX_MS,
} from '../limits.ts';
import {
  isAllowedForPrivate,
  isHearsay,
  PEER_SOURCES,
  type PeerSource,
  sourceRank,
} from './peer-source.ts';

export interface Candidate {
  readonly endpoint: Endpoint;
  /** Everybody who has named it. */
  readonly sources: Set<PeerSource>;
  /** The best of them. What the `user` names is kept and tried for ever. */
  source: PeerSource;
  /** Larger is dialled sooner, among equals (BEP 40). */
  priority: number;
  /** In a row. */
  failures: number;
  /** Not before this time. */
  dialAtMs: number;
  state: 'idle' | 'dialling' | 'connected';
  /** It had everything when we last saw it. */
  isSeed: boolean;
  /** Other peers say so (BEP 11), and nobody better has named it. */
  isSaidToSeed: boolean;
  /** Of a hybrid torrent: it is dialled under the v2 info-hash (BEP 52). */
  isV2: boolean;
}

export interface CandidatesOptions {
  /** From 0 up to 1. */
  readonly random: () => number;
  /** BEP 27. */
  readonly isPrivate?: boolean;
  /** BEP 40. Absent: all are equal. */
  readonly priorities?: Priorities;
  /** Trackers, the DHT and other peers name us as well. Absent: nobody is known to be us. */
  readonly isOwn?: (endpoint: Endpoint) => boolean;
}

export interface Priorities {
  /** Grows when answers may have changed. */
  readonly version: number;
  of(endpoint: Endpoint): number;
}

export class Candidates {
  readonly #options: CandidatesOptions;
  #isPrivate: boolean;
  #entries = new Map<string, Candidate>();
  #prioritiesVersion = 0;
  /** Entries of one public network (`networkOf`: an address, of IPv6 a /64). */
  #ports = new Map<string, number>();
  /** By network, as the peer ids. */
  #bannedPorts = new Map<string, number>();
  #bannedKeys = new Set<string>();
  #bannedPeerIds = new Set<string>();
  /** Cache of `nextDialMs`, for the question asked last; undefined when something has changed since. */
  #nextMs: number | undefined;
  #nextSkipsSeeds = false;

  constructor(options: CandidatesOptions) {
    this.#options = options;
    this.#isPrivate = options.isPrivate ?? false;
  }

  /** Entries, the connected ones included. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Takes note of an address. Port 0, unspecified, multicast and broadcast are refused, loopback where a teller that isn't
   * on loopback names it, and an address that strangers name with one port after the other. Undefined when it was refused.
   */
  add(
    now: number,
    endpoint: Endpoint,
    source: PeerSource,
    tellerIsLoopback: boolean,
  ): Candidate | undefined {
    if (this.#isPrivate && !isAllowedForPrivate(source)) return;
    if (isMartian(endpoint, { tellerIsLoopback: tellerIsLoopback || source === 'user' })) return;
    if (this.isBanned(endpoint) || this.#options.isOwn?.(endpoint) === true) return;
    const known = this.#entries.get(endpointKey(endpoint));
    if (known !== undefined) {
      if (source === 'user' && known.source !== 'user') this.#keep(now, known);
      known.sources.add(source);
      if (sourceRank(source) < sourceRank(known.source)) {
        known.source = source;
        known.isSaidToSeed = false;
        this.#nextMs = undefined;
      }
      return known;
    }
    const isUnproved = source === 'lsd' || source === 'magnet';
    if (isUnproved && this.#portsNamedBy(source, endpoint) >= MAX_UNPROVED_PORTS) return;
    if ((isUnproved || isHearsay(source)) && this.#portsOf(endpoint) >= MAX_HEARSAY_PORTS) return;
    if (this.#entries.size >= MAX_CANDIDATES && !this.#makeRoom(source)) return;
    const entry: Candidate = {
      endpoint,
      sources: new Set([source]),
      source,
      priority: this.#options.priorities?.of(endpoint) ?? 0,
      failures: 0,
      dialAtMs: now,
      state: 'idle',
      isSeed: false,
      isSaidToSeed: false,
      isV2: false,
    };
    this.#insert(entry);
    return entry;
  }

  /** A peer that came to us says where it listens: it is dialled when the connection has ended, and not before. */
  adopt(now: number, endpoint: Endpoint): Candidate | undefined {
    const entry = this.add(now, endpoint, 'incoming', true);
    if (entry?.state !== 'idle') return undefined;
    this.connected(entry);
    return entry;
  }

  /** BEP 27: forgets what may not be known of a private torrent. */
  becomePrivate(): void {
    this.#isPrivate = true;
    for (const entry of this.#entries.values()) {
      for (const source of entry.sources) {
        if (!isAllowedForPrivate(source)) entry.sources.delete(source);
      }
      if (entry.sources.size === 0) this.#delete(entry);
      else entry.source = PEER_SOURCES.find((source) => entry.sources.has(source)) ?? entry.source;
    }
  }

  find(endpoint: Endpoint): Candidate | undefined {
    return this.#entries.get(endpointKey(endpoint));
  }

  /** The next one to dial, marked as being dialled. Seeds are passed over when we have everything ourselves. */
  take(now: number, skipSeeds: boolean): Candidate | undefined {
    this.#updatePriorities();
    let best: Candidate | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'idle' || entry.dialAtMs > now) continue;
      if (skipSeeds && isTakenForSeed(entry)) continue;
      if (best === undefined || isBefore(entry, best)) best = entry;
    }
    if (best !== undefined) best.state = 'dialling';
    this.#nextMs = undefined;
    return best;
  }

  /** When `take` may have something next; Infinity for never. */
  nextDialMs(skipSeeds: boolean): number {
    if (this.#nextMs !== undefined && this.#nextSkipsSeeds === skipSeeds) return this.#nextMs;
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'idle' || (skipSeeds && isTakenForSeed(entry))) continue;
      if (entry.dialAtMs < next) next = entry.dialAtMs;
    }
    this.#nextMs = next;
    this.#nextSkipsSeeds = skipSeeds;
    return next;
  }

  /** Could not be reached, or nothing useful came of it: later again, twice as late each time. */
  failed(now: number, entry: Candidate): void {
    this.#nextMs = undefined;
    entry.state = 'idle';
    entry.failures += 1;
    const isKept = entry.source === 'user';
    if (!isKept && entry.failures >= MAX_DIAL_FAILURES) {
      this.#delete(entry);
      return;
    }
    const maxMs = isKept ? REDIAL_KEPT_MAX_MS : REDIAL_MAX_MS;
    const firstMs = isKept ? REDIAL_FIRST_MS / 15 : REDIAL_FIRST_MS;
    // Spread by a quarter, so that a swarm that was cut off doesn't come back in step.
    const waitMs = Math.min(firstMs * 2 ** (entry.failures - 1), maxMs);
    entry.dialAtMs = now + waitMs * (0.75 + 0.5 * this.#options.random());
  }

  connected(entry: Candidate): void {
    this.#nextMs = undefined;
    entry.state = 'connected';
  }

  /** A connection that worked has ended: back soon, as with a first failure. */
  disconnected(now: number, entry: Candidate): void {
    entry.failures = 0;
    this.failed(now, entry);
  }

  /** Nothing was wrong with it: it is dialled again at once. */
  redial(now: number, entry: Candidate): void {
    this.disconnected(now, entry);
    entry.failures = 0;
    entry.dialAtMs = now;
  }

  /** Never dial or accept this one again. `endpoint` is where it listens, as far as that is known. */
  ban(endpoint: Endpoint, peerId: string | undefined): void {
    const key = endpointKey(endpoint);
    const network = networkOf(endpoint.address);
    const known = this.#entries.get(key);
    if (known !== undefined) this.#delete(known);
    if (!this.#bannedKeys.has(key)) {
      const ports = (this.#bannedPorts.get(network) ?? 0) + 1;
      this.#bannedPorts.set(network, ports);
      remember(this.#bannedKeys, key);
    }
    if (peerId !== undefined) remember(this.#bannedPeerIds, `${network} ${peerId}`);
    if (this.#bannedPorts.size > MAX_BANS) {
      const [oldest] = this.#bannedPorts.keys();
      if (oldest !== undefined) this.#bannedPorts.delete(oldest);
    }
  }

  isBanned(endpoint: Endpoint, peerId?: string): boolean {
    if (this.#bannedKeys.has(endpointKey(endpoint))) return true;
    const network = networkOf(endpoint.address);
    if (peerId !== undefined && this.#bannedPeerIds.has(`${network} ${peerId}`)) return true;
    const ports = this.#bannedPorts.get(network) ?? 0;
    return ports >= BANNED_PORTS_PER_ADDRESS && isPublic(endpoint.address);
  }

  entries(): Iterable<Candidate> {
    return this.#entries.values();
  }

  /** Our own address may have changed, and with it all of them. */
  #updatePriorities(): void {
    const { priorities } = this.#options;
    if (priorities === undefined || priorities.version === this.#prioritiesVersion) return;
    this.#prioritiesVersion = priorities.version;
    for (const entry of this.#entries.values()) entry.priority = priorities.of(entry.endpoint);
  }

  /** The user has named what somebody else had named before: it is tried at once, and for ever. */
  #keep(now: number, entry: Candidate): void {
    this.#nextMs = undefined;
    entry.failures = 0;
    entry.dialAtMs = now;
  }

  #insert(entry: Candidate): void {
    const { endpoint } = entry;
    this.#entries.set(endpointKey(endpoint), entry);
    this.#nextMs = undefined;
    if (!isPublic(endpoint.address)) return;
    this.#ports.set(networkOf(endpoint.address), this.#portsOf(endpoint) + 1);
  }

  #delete(entry: Candidate): void {
    const { endpoint } = entry;
    if (!this.#entries.delete(endpointKey(endpoint))) return;
    this.#nextMs = undefined;
    const network = networkOf(endpoint.address);
    const ports = this.#portsOf(endpoint) - 1;
    if (ports > 0) this.#ports.set(network, ports);
    else this.#ports.delete(network);
  }

  #portsOf({ address }: Endpoint): number {
    return this.#ports.get(networkOf(address)) ?? 0;
  }

  /** Counted anew each time: local discovery and links name few. */
  #portsNamedBy(source: PeerSource, { address }: Endpoint): number {
    let ports = 0;
    for (const entry of this.#entries.values()) {
      if (entry.source === source && entry.endpoint.address === address) ports += 1;
    }
    return ports;
  }

  /**
   * Drops the worst entry that isn't in use: of the worst source, and there the one with the most failures. An entry of a
   * better source than the newcomer's stays, and one of the same source unless it has failed.
   */
  #makeRoom(source: PeerSource): boolean {
    let worst: Candidate | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'idle' || entry.source === 'user') continue;
      if (worst === undefined || isWorse(entry, worst)) worst = entry;
    }
    if (worst === undefined) return false;
    const isBetter = sourceRank(source) < sourceRank(worst.source);
    const isEqual = source === worst.source && worst.failures > 0;
    if (!isBetter && !isEqual) return false;
    this.#delete(worst);
    return true;
  }
}

/** True where several peers of one swarm may well stand behind the same address. */
export function isLocalAddress(address: string): boolean {
  const kind = addressClass(address);
  return kind === 'loopback' || kind === 'private' || kind === 'link-local';
}

function isTakenForSeed({ isSeed, isSaidToSeed }: Candidate): boolean {
  return isSeed || isSaidToSeed;
}

function isBefore(a: Candidate, b: Candidate): boolean {
  if ((a.source === 'user') !== (b.source === 'user')) return a.source === 'user';
  if (a.failures !== b.failures) return a.failures < b.failures;
  if (a.source !== b.source) return sourceRank(a.source) < sourceRank(b.source);
  if (a.priority !== b.priority) return a.priority > b.priority;
  return a.dialAtMs < b.dialAtMs;
}

function isWorse(a: Candidate, b: Candidate): boolean {
  if (a.source !== b.source) return sourceRank(a.source) > sourceRank(b.source);
  return a.failures > b.failures;
}

function remember(set: Set<string>, key: string): void {
  set.add(key);
  if (set.size <= MAX_BANS) return;
  const [oldest] = set;
  if (oldest !== undefined) set.delete(oldest);
}
