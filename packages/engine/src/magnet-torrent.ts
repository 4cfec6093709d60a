// A torrent of which only a magnet link is known (BEP 9): it finds peers and gets the info dictionary from them. A machine like
// Torrent, with the same verbs and the same contract (torrent.ts), which it precedes: when the dictionary is there the owner
// is told (`metadata`), opens the files, and makes a Torrent that takes over `presence`: candidates, connections, trackers.

import type { Endpoint } from '@bt/endpoint';
import type { AnnounceFailure, AnnounceResponse } from '@bt/tracker';
import { EngineError } from './errors.ts';
import type { TorrentState, TorrentStats } from './events.ts';
import { MAX_PEERS_PER_TORRENT } from './limits.ts';
import { MetadataExchange } from './metadata/metadata-exchange.ts';
import type { Peer, PeerTransport } from './peer.ts';
import { Presence, type PresenceOptions } from './presence.ts';
import type { RateLimit } from './rate-limit.ts';
import type { PeerSource } from './swarm/peer-source.ts';
import type { NewPeer } from './swarm/swarm.ts';
import type { TorrentEffect } from './torrent-options.ts';
import { emptyStats } from './torrent-stats.ts';

const TICK_MS = 1_000;
const MiB = 1024 * 1024;

export interface MagnetTorrentOptions
  extends Omit<PresenceOptions, 'infoHash' | 'infoHashV2' | 'maxPeers' | 'isPrivate'> {
  /** 20 bytes. One of the two at least. */
  readonly infoHashV1?: Uint8Array | undefined;
  /** 32 bytes. */
  readonly infoHashV2?: Uint8Array | undefined;
  readonly downLimit: RateLimit;
  readonly maxPeers?: number | undefined;
  /** A longer info dictionary isn't fetched. Default 8 MiB, at most 16. */
  readonly maxMetadataBytes?: number | undefined;
}

export class MagnetTorrent {
  /** For the Torrent that follows. */
  readonly presence: Presence;
  readonly #exchange: MetadataExchange;
  readonly #downLimit: RateLimit;
  readonly #startedMs: number;
  #nextTickMs: number;
  #isComplete = false;
  #isStopped = false;
  #hasWarned = false;

  constructor(options: MagnetTorrentOptions) {
    const { now, infoHashV1, infoHashV2 } = options;
    const infoHash = infoHashV1 ?? infoHashV2?.subarray(0, 20);
    if (infoHash === undefined) throw new EngineError('bad-argument', 'no info-hash');
    const maxPeers = options.maxPeers ?? MAX_PEERS_PER_TORRENT;
    this.presence = new Presence({ ...options, infoHash, maxPeers });
    this.#downLimit = options.downLimit;
    this.#startedMs = now;
    this.#nextTickMs = now + TICK_MS;
    this.#exchange = new MetadataExchange({
      moment: this.presence.moment,
      swarm: this.presence.swarm,
      peers: this.presence.peers,
      infoHashV1,
      infoHashV2,
      maxBytes: options.maxMetadataBytes,
      tooLong: (lengthBytes) => this.#tooLong(lengthBytes),
      complete: (infoBytes) => {
        this.#isComplete = true;
        this.presence.metadata.infoBytes = infoBytes;
        this.presence.push({ type: 'metadata', infoBytes });
      },
    });
    this.presence.swarm.use(this.#exchange);
  }

  // Beginning and end.

  /** Begins to announce and to dial. */
  start(now: number): void {
    this.presence.moment.now = now;
    this.presence.emit({ type: 'state', state: this.state });
    this.presence.start();
    this.presence.settle();
  }

  /** Closes all connections, and says `stopped` to the trackers. */
  stop(now: number): void {
    this.presence.moment.now = now;
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.presence.stop();
    this.presence.emit({ type: 'state', state: 'stopped' });
    this.#settle();
  }

  /** After `stop`: every tracker has answered or failed. */
  get isSettled(): boolean {
    return this.#isStopped && this.presence.announcing.isStopped;
  }

  // What comes in.

  /** A connection: one that was dialled, or one that was accepted and has sent its handshake. */
  addPeer(now: number, transport: PeerTransport, peer: NewPeer): Peer | undefined {
    this.presence.moment.now = now;
    if (this.#isStopped) return undefined;
    const added = this.presence.swarm.add(transport, peer);
    this.#settle();
    return added;
  }

  handleBytes(now: number, peer: Peer, chunk: Uint8Array): void {
    this.presence.moment.now = now;
    // There is too little of it to wait for; the pieces wait for what it has used up.
    this.#downLimit.charge(now, chunk.length);
    this.presence.swarm.handleBytes(peer, chunk);
    this.#settle();
  }

  /** The peer's transport has passed everything on. */
  handleWritable(now: number, peer: Peer): void {
    this.presence.moment.now = now;
    if (peer.isClosed) return;
    peer.checkOutput(now);
    this.presence.metadata.pump(peer);
    this.#settle();
  }

  handleClosed(now: number, peer: Peer, error?: string): void {
    this.presence.moment.now = now;
    const reason = error === undefined ? 'remote-closed' : 'connection-error';
    this.presence.swarm.close(peer, reason, error);
    this.#settle();
  }

  handleDialFailed(now: number, endpoint: Endpoint, message = 'not reached'): void {
    this.presence.moment.now = now;
    this.presence.swarm.dialFailed(endpoint, message);
    this.#settle();
  }

  /** Addresses of possible peers: see `Presence.addCandidates`. */
  handleCandidates(
    now: number,
    endpoints: readonly Endpoint[],
    source: PeerSource,
    tellerIsLoopback: boolean,
    infoHash?: Uint8Array,
  ): void {
    this.presence.moment.now = now;
    this.presence.addCandidates(endpoints, source, tellerIsLoopback, infoHash);
    this.#settle();
  }

  /** The lookup that a `dht-lookup` effect asked for has ended; the peers that it found came by `handleCandidates`. */
  handleLookupEnded(now: number): void {
    this.presence.moment.now = now;
    this.presence.discovery.lookupEnded(now);
    this.#settle();
  }

  handleAnnounced(now: number, requestId: number, url: string, response: AnnounceResponse): void {
    this.presence.moment.now = now;
    this.presence.announced(requestId, url, response);
    this.#settle();
  }

  handleAnnounceFailed(
    now: number,
    requestId: number,
    url: string,
    failure: AnnounceFailure,
  ): void {
    this.presence.moment.now = now;
    this.presence.announceFailed(requestId, url, failure);
    this.#settle();
  }

  /** The info dictionary is that of a private torrent (BEP 27). */
  becomePrivate(now: number): void {
    this.presence.moment.now = now;
    this.presence.becomePrivate();
    this.#settle();
  }

  // Time, and what goes out.

  handleTimeout(now: number): void {
    this.presence.moment.now = now;
    if (now >= this.#nextTickMs) {
      this.#nextTickMs = now + TICK_MS;
      this.presence.swarm.tick();
    }
    this.presence.handleTimeout();
    this.#settle();
  }

  deadline(): number {
    if (this.#isStopped) return Number.POSITIVE_INFINITY;
    const tickMs = this.presence.peers.size > 0 ? this.#nextTickMs : Number.POSITIVE_INFINITY;
    return Math.min(tickMs, this.presence.deadline());
  }

  /** The next thing to do, until there is none. */
  poll(): TorrentEffect | undefined {
    return this.presence.poll();
  }

  // What it knows.

  /** `checking` once the dictionary is there: the owner looks at the files. */
  get state(): TorrentState {
    if (this.#isStopped) return 'stopped';
    return this.#isComplete ? 'checking' : 'fetching-metadata';
  }

  get isDone(): boolean {
    return false;
  }

  get peers(): Iterable<Peer> {
    return this.presence.peers;
  }

  stats(now: number): TorrentStats {
    const runningMs = now - this.#startedMs;
    return { ...emptyStats(undefined), ...this.swarmStats(now), state: this.state, runningMs };
  }

  /** The numbers that have to do with peers and metadata. */
  swarmStats(now: number): Partial<TorrentStats> {
    const { fetch } = this.#exchange;
    return {
      ...this.presence.counts(),
      metadataShare: fetch.share,
      uselessMs: this.#isComplete ? 0 : now - fetch.lastUsefulMs,
    };
  }

  #settle(): void {
    if (this.#isStopped) this.presence.drainAnnouncing();
    else this.presence.settle();
  }

  /** Once: it may be the truth, and then nothing else would explain why nothing comes. */
  #tooLong(lengthBytes: number): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const size = `${Math.ceil(lengthBytes / MiB)} MiB`;
    const message = `a peer says that the info dictionary has ${size}, which is more than is taken`;
    this.presence.emit({ type: 'warning', message });
  }
}
