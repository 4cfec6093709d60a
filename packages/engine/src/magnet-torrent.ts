// A torrent of which only a magnet link is known (BEP 9): it finds peers and gets the info dictionary from them. A machine like
// Torrent, with the same verbs and the same contract (torrent-machine.ts), which it precedes: when the dictionary is there the owner
// is told (`metadata`), opens the files, and makes a Torrent that takes over `presence`: candidates, connections, trackers.

import { EngineError } from './errors.ts';
import type { TorrentState, TorrentStats } from './events.ts';
import { MAX_PEERS_PER_TORRENT } from './limits.ts';
import { MetadataExchange } from './metadata/metadata-exchange.ts';
import { Presence, type PresenceOptions } from './presence.ts';
import type { RateLimit } from './rate-limit.ts';
import { TorrentMachine } from './torrent-machine.ts';
import { emptyStats } from './torrent-stats.ts';

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

export class MagnetTorrent extends TorrentMachine {
  readonly #exchange: MetadataExchange;
  readonly #downLimit: RateLimit;
  readonly #startedMs: number;
  #isComplete = false;
  #hasWarned = false;

  constructor(options: MagnetTorrentOptions) {
    const { now, infoHashV1, infoHashV2 } = options;
    const infoHash = infoHashV1 ?? infoHashV2?.subarray(0, 20);
    if (infoHash === undefined) throw new EngineError('bad-argument', 'no info-hash');
    const maxPeers = options.maxPeers ?? MAX_PEERS_PER_TORRENT;
    super(new Presence({ ...options, infoHash, maxPeers }), now);
    this.#downLimit = options.downLimit;
    this.#startedMs = now;
    this.#exchange = new MetadataExchange({
      moment: this.presence.moment,
      swarm: this.presence.swarm,
      peers: this.presence.peers,
      infoHashV1,
      infoHashV2,
      maxBytes: options.maxMetadataBytes,
      tooLong: (lengthBytes) => this.#tooLong(lengthBytes),
      contradicted: () => {
        const message = 'the info-hashes of the magnet link are those of two different torrents';
        this.presence.push({ type: 'failed', error: new EngineError('bad-magnet', message) });
      },
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
    if (this.isStopped) return;
    this.isStopped = true;
    this.presence.stop();
    this.presence.emit({ type: 'state', state: 'stopped' });
    this.settle();
  }

  /** The info dictionary is that of a private torrent (BEP 27). */
  becomePrivate(now: number): void {
    this.presence.moment.now = now;
    this.presence.becomePrivate();
    this.settle();
  }

  // What it knows.

  /** `checking` once the dictionary is there: the owner looks at the files. */
  get state(): TorrentState {
    if (this.isStopped) return 'stopped';
    return this.#isComplete ? 'checking' : 'fetching-metadata';
  }

  get isDone(): boolean {
    return false;
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

  protected override charge(lengthBytes: number): void {
    // There is too little of it to wait for; the pieces wait for what it has used up.
    this.#downLimit.charge(this.presence.moment.now, lengthBytes);
  }

  protected override settle(): void {
    if (this.isStopped) this.presence.drainAnnouncing();
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
