// The addresses of a torrent's possible peers: who is worth dialling, when, and who never again.
// One entry for an address and port, bounded, with back-off; bans are by address and port, and by address and peer id:
// a peer id alone proves nothing, since whoever has seen it can send it.

import { addressClass, type Endpoint, endpointKey, isMartian, isPublic } from '@bt/endpoint';
import {
  BANNED_PORTS_PER_ADDRESS,
  MAX_BANS,
  MAX_CANDIDATES,
  MAX_DIAL_FAILURES,
  REDIAL_FIRST_MS,
  REDIAL_KEPT_MAX_MS,
  REDIAL_MAX_MS,
} from '../limits.ts';

/** Who named a peer. `user` is kept and tried for ever. */
export type PeerSource = 'user' | 'tracker' | 'incoming' | 'dht' | 'pex' | 'lsd' | 'magnet';

export interface Candidate {
  readonly endpoint: Endpoint;
  source: PeerSource;
  /** In a row. */
  failures: number;
  /** Not before this time. */
  dialAtMs: number;
  state: 'idle' | 'dialling' | 'connected';
  /** It had everything when we last saw it. */
  isSeed: boolean;
  /** Of a hybrid torrent: it is dialled under the v2 info-hash (BEP 52). */
  isV2: boolean;
}

export class Candidates {
  #entries = new Map<string, Candidate>();
  #bannedPorts = new Map<string, number>();
  #bannedKeys = new Set<string>();
  #bannedPeerIds = new Set<string>();
  readonly #random: () => number;
  /** Cache of `nextDialMs`, for the question asked last; undefined when something has changed since. */
  #nextMs: number | undefined;
  #nextSkipsSeeds = false;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Entries, the connected ones included. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Takes note of an address. Port 0, unspecified, multicast and broadcast are refused, and loopback where a teller that
   * isn't on loopback names it. Undefined when it was refused.
   */
  add(
    now: number,
    endpoint: Endpoint,
    source: PeerSource,
    tellerIsLoopback: boolean,
  ): Candidate | undefined {
    if (isMartian(endpoint, { tellerIsLoopback: tellerIsLoopback || source === 'user' })) return;
    if (this.isBanned(endpoint)) return;
    const key = endpointKey(endpoint);
    const known = this.#entries.get(key);
    if (known !== undefined) {
      if (source === 'user' && known.source !== 'user') this.#keep(now, known);
      return known;
    }
    if (this.#entries.size >= MAX_CANDIDATES && !this.#dropWorst()) return;
    const entry: Candidate = {
      endpoint,
      source,
      failures: 0,
      dialAtMs: now,
      state: 'idle',
      isSeed: false,
      isV2: false,
    };
    this.#entries.set(key, entry);
    this.#nextMs = undefined;
    return entry;
  }

  find(endpoint: Endpoint): Candidate | undefined {
    return this.#entries.get(endpointKey(endpoint));
  }

  /** The next one to dial, marked as being dialled. Seeds are passed over when we have everything ourselves. */
  take(now: number, skipSeeds: boolean): Candidate | undefined {
    let best: Candidate | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'idle' || entry.dialAtMs > now || (skipSeeds && entry.isSeed)) continue;
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
      if (entry.state !== 'idle' || (skipSeeds && entry.isSeed)) continue;
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
      this.#entries.delete(endpointKey(entry.endpoint));
      return;
    }
    const maxMs = isKept ? REDIAL_KEPT_MAX_MS : REDIAL_MAX_MS;
    const firstMs = isKept ? REDIAL_FIRST_MS / 15 : REDIAL_FIRST_MS;
    // Spread by a quarter, so that a swarm that was cut off doesn't come back in step.
    const waitMs = Math.min(firstMs * 2 ** (entry.failures - 1), maxMs);
    entry.dialAtMs = now + waitMs * (0.75 + 0.5 * this.#random());
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

  /** Never dial or accept this one again. `endpoint` is where it listens, as far as that is known. */
  ban(endpoint: Endpoint, peerId: string | undefined): void {
    const key = endpointKey(endpoint);
    this.#nextMs = undefined;
    this.#entries.delete(key);
    if (!this.#bannedKeys.has(key)) {
      const ports = (this.#bannedPorts.get(endpoint.address) ?? 0) + 1;
      this.#bannedPorts.set(endpoint.address, ports);
      remember(this.#bannedKeys, key);
    }
    if (peerId !== undefined) remember(this.#bannedPeerIds, `${endpoint.address} ${peerId}`);
    if (this.#bannedPorts.size > MAX_BANS) {
      const [oldest] = this.#bannedPorts.keys();
      if (oldest !== undefined) this.#bannedPorts.delete(oldest);
    }
  }

  isBanned(endpoint: Endpoint, peerId?: string): boolean {
    if (this.#bannedKeys.has(endpointKey(endpoint))) return true;
    if (peerId !== undefined && this.#bannedPeerIds.has(`${endpoint.address} ${peerId}`)) {
      return true;
    }
    const ports = this.#bannedPorts.get(endpoint.address) ?? 0;
    return ports >= BANNED_PORTS_PER_ADDRESS && isPublic(endpoint.address);
  }

  entries(): Iterable<Candidate> {
    return this.#entries.values();
  }

  /** The user has named what somebody else had named before: it is tried at once, and for ever. */
  #keep(now: number, entry: Candidate): void {
    this.#nextMs = undefined;
    entry.source = 'user';
    entry.failures = 0;
    entry.dialAtMs = now;
  }

  /** Makes room: the entry with the most failures that isn't in use. */
  #dropWorst(): boolean {
    let worst: Candidate | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'idle' || entry.source === 'user') continue;
      if (worst === undefined || entry.failures > worst.failures) worst = entry;
    }
    if (worst === undefined || worst.failures === 0) return false;
    this.#entries.delete(endpointKey(worst.endpoint));
    return true;
  }
}

/** True where several peers of one swarm may well stand behind the same address. */
export function isLocalAddress(address: string): boolean {
  const kind = addressClass(address);
  return kind === 'loopback' || kind === 'private' || kind === 'link-local';
}

function isBefore(a: Candidate, b: Candidate): boolean {
  if ((a.source === 'user') !== (b.source === 'user')) return a.source === 'user';
  if (a.failures !== b.failures) return a.failures < b.failures;
  return a.dialAtMs < b.dialAtMs;
}

function remember(set: Set<string>, key: string): void {
  set.add(key);
  if (set.size <= MAX_BANS) return;
  const [oldest] = set;
  if (oldest !== undefined) set.delete(oldest);
}
