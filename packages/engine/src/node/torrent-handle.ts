// One torrent of a session, as its user sees it: events, statistics, files as streams, stop. It drives the pure Torrent:
// every call into it goes through `#act`, which then carries out what the machine wants.

import type { Endpoint } from '@bt/endpoint';
import { type Metainfo, swarmHashes, toHex } from '@bt/metainfo';
import type { DiskEvents } from '@bt/storage';
import { FileStore } from '@bt/storage/node';
import { redactUrl } from '@bt/tracker';
import type { ExternalAddress } from '../discovery/external-address.ts';
import { EngineError } from '../errors.ts';
import type { TorrentEvent, TorrentState, TorrentStats } from '../events.ts';
import type { Peer } from '../peer.ts';
import type { RateLimit } from '../rate-limit.ts';
import { defaultStrategies, type Strategies } from '../strategies.ts';
import type { PeerSource } from '../swarm/peer-source.ts';
import type { NewPeer } from '../swarm/swarm.ts';
import { Torrent } from '../torrent.ts';
import type { TorrentEffect } from '../torrent-options.ts';
import { emptyStats } from '../torrent-stats.ts';
import type { Connections } from './connections.ts';
import type { DhtLookups } from './dht-lookups.ts';
import type { Dialler } from './dial.ts';
import { EventQueue } from './event-queue.ts';
import { FileStreams, type StreamOptions } from './file-streams.ts';
import type { PeerSocket } from './peer-socket.ts';
import { resolvePeer } from './resolve-peer.ts';
import { clockNow, Wakeup } from './timer.ts';
import { TrackerCalls } from './tracker-calls.ts';
import { WebSeedRequests } from './web-seed-requests.ts';

export interface AddTorrentOptions {
  /** The torrent's name is made under it. */
  readonly dir: string;
  /** Dialled at once, and again whenever they are not connected. */
  readonly peers?: readonly { readonly host: string; readonly port: number }[];
  /** Indices of the files wanted; absent: all. */
  readonly files?: readonly number[];
  readonly strategies?: Partial<Strategies>;
  /** Pieces in order. */
  readonly sequential?: boolean;
  /**
   * Keep peers until the piece layers that the .torrent lacks are there (the event `piece-layers`), also when all wanted files
   * are. Default false.
   */
  readonly wantsPieceLayers?: boolean;
  /** `auto` trusts a clean resume record, `full` hashes everything that is there. Default `auto`. */
  readonly check?: 'auto' | 'full';
  /**
   * Hash what is there, tell (`checked`), and stop: no peers, no trackers, nothing written to the folder. `complete` resolves
   * when all that is wanted was found.
   */
  readonly checkOnly?: boolean;
  /** Stop seeding at this ratio of uploaded to downloaded bytes. */
  readonly seedRatio?: number;
  /** Stop after seeding for so long. */
  readonly seedTimeMs?: number;
  /** Announce to the torrent's trackers. Default true. */
  readonly trackers?: boolean;
  /** Download from the torrent's web seeds (BEP 19) as well. Default true. */
  readonly webSeeds?: boolean;
  /** Tell peers of each other, and hear of more (BEP 11); not for a private torrent. Default true. */
  readonly peerExchange?: boolean;
  /** Tell the local network of it, where the session does so (BEP 14). Default true. */
  readonly localDiscovery?: boolean;
  /** Look for peers in the DHT, where the session has one (BEP 5). Default true. */
  readonly dht?: boolean;
  /** Connections at a time. Default 500. */
  readonly maxPeers?: number;
  /** Upload slots; default: by the upload rate. */
  readonly uploadSlots?: number;
  /** Aborting it stops the torrent. */
  readonly signal?: AbortSignal;
}

/** What a torrent has of its session. */
export interface SessionParts {
  readonly peerId: Uint8Array;
  /** 0: nowhere. */
  readonly listenPort: number;
  readonly bindAddress: string | undefined;
  readonly resumeDir: string | null | undefined;
  readonly external: ExternalAddress;
  readonly random: () => number;
  readonly downLimit: RateLimit;
  readonly upLimit: RateLimit;
  readonly dialler: Dialler;
  readonly connections: Connections;
  readonly dht: DhtLookups | undefined;
  /** The torrent takes part in its swarm from now on. */
  readonly begun: (handle: TorrentHandle) => void;
  /** The torrent has stopped and leaves the session. */
  readonly removed: (handle: TorrentHandle) => void;
}

const PROGRESS_MS = 1_000;
/** Files with a problem that are named one by one. */
const MAX_FILE_WARNINGS = 10;

export class TorrentHandle {
  /** Its piece layers grow until the event `piece-layers` where some were missing (a v2 or hybrid magnet link). */
  readonly metainfo: Metainfo;
  /** Lower-case hex, 40 digits. */
  readonly infoHashHex: string;
  readonly name: string;
  /** Every wanted byte is verified and written. Rejects with what stopped the torrent before. */
  readonly complete: Promise<void>;
  /** Everything is closed. Never rejects. */
  readonly stopped: Promise<void>;
  readonly #pieceLayers: Map<string, Uint8Array>;
  readonly #session: SessionParts;
  readonly #options: AddTorrentOptions;
  readonly #queues = new Set<EventQueue>();
  readonly #pieceQueues = new Set<EventQueue>();
  readonly #wakeup: Wakeup;
  readonly #streams: FileStreams;
  readonly #trackers: TrackerCalls;
  readonly #webSeeds: WebSeedRequests;
  readonly #abort = new AbortController();
  readonly #onAbort = () => void this.stop();
  readonly #startedMs = clockNow();
  #torrent: Torrent | undefined;
  /** The files, while they are being opened and then. */
  #opening: Promise<FileStore> | undefined;
  #state: TorrentState = 'checking';
  #checkedShare = 0;
  #lastStats: TorrentStats;
  #seedingSinceMs: number | undefined;
  #progressTimer: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;
  #error: Error | undefined;
  #resolveComplete!: () => void;
  #rejectComplete!: (error: Error) => void;
  #resolveStopped!: () => void;

  /** For the session: use `session.add`. */
  constructor(metainfo: Metainfo, options: AddTorrentOptions, session: SessionParts) {
    this.#pieceLayers = new Map(metainfo.pieceLayers);
    this.metainfo = { ...metainfo, pieceLayers: this.#pieceLayers };
    this.infoHashHex = toHex(metainfo.info.infoHash);
    this.name = metainfo.info.name;
    this.#options = options;
    this.#session = session;
    this.#wakeup = new Wakeup(() => this.#act((torrent, now) => torrent.handleTimeout(now)));
    this.#streams = new FileStreams({
      files: metainfo.info.files,
      act: (call) => this.#act(call),
      isStopped: () => this.#stopping !== undefined,
    });
    this.#trackers = new TrackerCalls(session.bindAddress);
    const { bindAddress: localAddress, connections } = session;
    this.#webSeeds = new WebSeedRequests(
      { localAddress, connections },
      {
        answered: (id, answer) =>
          this.#act((torrent, now) => torrent.handleWebAnswer(now, id, answer)),
        received: (id, chunk) =>
          this.#act((torrent, now) => torrent.handleWebBytes(now, id, chunk)),
        ended: (id, failure) => this.#act((torrent, now) => torrent.handleWebEnd(now, id, failure)),
      },
    );
    this.#lastStats = emptyStats(metainfo.info);
    this.complete = new Promise((resolve, reject) => {
      this.#resolveComplete = resolve;
      this.#rejectComplete = reject;
    });
    // Who doesn't wait for it is told by the `stopped` event.
    this.complete.catch(() => {});
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  /** A queue of its own for each call. It begins with the present state and ends behind `stopped`. Without `pieces` the event `piece` is left out. */
  events(options: { readonly pieces?: boolean } = {}): AsyncIterableIterator<TorrentEvent> {
    const queues = options.pieces === true ? this.#pieceQueues : this.#queues;
    const queue = new EventQueue((ended) => queues.delete(ended));
    if (this.#state === 'stopped') {
      queue.end();
    } else {
      queue.push({ type: 'state', state: this.#state });
      queues.add(queue);
    }
    return queue;
  }

  stats(): TorrentStats {
    if (this.#torrent !== undefined && this.#state !== 'stopped') {
      this.#lastStats = this.#torrent.stats(clockNow());
      return this.#lastStats;
    }
    const state = this.#state;
    const runningMs =
      state === 'stopped' ? this.#lastStats.runningMs : clockNow() - this.#startedMs;
    return { ...this.#lastStats, state, runningMs, checkedShare: this.#checkedShare };
  }

  /**
   * The bytes of a file in order, from `start` to `end` (inclusive), as they come: what is missing is fetched before
   * anything else. Ends with a StorageError, or an EngineError `stopped` or `aborted`.
   */
  createReadStream(
    fileIndex: number,
    options: StreamOptions = {},
  ): AsyncIterableIterator<Uint8Array> {
    return this.#streams.open(fileIndex, options);
  }

  /** Dials a peer and keeps it. Names are resolved, but on a session that is bound to loopback. */
  addPeer(host: string, port: number): void {
    resolvePeer(host, port, this.#session.bindAddress).then(
      (endpoints) => this.addCandidates(endpoints, 'user', true),
      (error: Error) => this.#emit({ type: 'warning', message: error.message }),
    );
  }

  /** Wants these files and no others. */
  selectFiles(indices: readonly number[]): void {
    this.#act((torrent, now) => torrent.selectFiles(now, indices));
  }

  /** Closes connections, keeps what has been received, says goodbye to trackers (3 s at most). */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** For the session: opens the files, checks them, and begins. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    if (signal?.aborted === true) {
      await this.stop();
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#progressTimer = setInterval(() => this.#progress(), PROGRESS_MS);
    try {
      await this.#open();
    } catch (error) {
      if (this.#stopping === undefined) this.#error = asError(error);
      await this.stop();
    }
  }

  /** For the session: an accepted connection that asked for this torrent. */
  addPeerConnection(transport: PeerSocket, added: NewPeer): Peer | undefined {
    let peer: Peer | undefined;
    this.#act((torrent, now) => {
      peer = torrent.addPeer(now, transport, added);
    });
    return peer;
  }

  handleBytes(peer: Peer, chunk: Uint8Array): void {
    this.#act((torrent, now) => torrent.handleBytes(now, peer, chunk));
  }

  handleWritable(peer: Peer): void {
    this.#act((torrent, now) => torrent.handleWritable(now, peer));
  }

  handleClosed(peer: Peer, error: string | undefined): void {
    this.#act((torrent, now) => torrent.handleClosed(now, peer, error));
  }

  addCandidates(endpoints: readonly Endpoint[], source: PeerSource, fromLoopback: boolean): void {
    this.#act((torrent, now) => torrent.handleCandidates(now, endpoints, source, fromLoopback));
  }

  #openStore(): Promise<FileStore> {
    const { info } = this.metainfo;
    const { dir, check, checkOnly, files } = this.#options;
    const wanted = files === undefined ? undefined : new Set(files);
    const { resumeDir } = this.#session;
    return FileStore.open({
      info,
      pieceLayers: this.#pieceLayers,
      folder: dir,
      check: checkOnly === true ? 'full' : (check ?? 'auto'),
      readOnly: checkOnly === true,
      signal: this.#abort.signal,
      onProgress: ({ checkedPieces, totalPieces }) => {
        this.#checkedShare = checkedPieces / Math.max(1, totalPieces);
      },
      ...(resumeDir === undefined ? {} : { stateFolder: resumeDir }),
      ...(wanted === undefined ? {} : { wanted: (fileIndex) => wanted.has(fileIndex) }),
    });
  }

  async #open(): Promise<void> {
    const { checkOnly, peers } = this.#options;
    this.#opening = this.#openStore();
    const store = await this.#opening;
    this.#checkedShare = 1;
    if (this.#stopping !== undefined) return;
    this.#warnOf([...store.problems.values()]);
    // Before the torrent is made: it may have a piece to save that was begun in another life.
    store.connect(this.#diskEvents());
    const torrent = this.#makeTorrent(store);
    const stats = torrent.stats(clockNow());
    this.#lastStats = stats;
    const { piecesHave, pieceCount, verifiedBytes } = stats;
    this.#emit({ type: 'checked', piecesHave, pieceCount, verifiedBytes });
    if (checkOnly === true) {
      if (torrent.isDone) this.#resolveComplete();
      await this.stop();
      return;
    }
    this.#torrent = torrent;
    this.#state = torrent.state;
    this.#act((started, now) => started.start(now));
    this.#streams.started();
    this.#session.begun(this);
    for (const { host, port } of peers ?? []) this.addPeer(host, port);
  }

  /** Files that are in the way or can't be read, as far as the opening gets by without them. */
  #warnOf(problems: readonly Error[]): void {
    for (const { message } of problems.slice(0, MAX_FILE_WARNINGS)) {
      this.#emit({ type: 'warning', message });
    }
    const more = problems.length - MAX_FILE_WARNINGS;
    if (more > 0) this.#emit({ type: 'warning', message: `${more} more files like these` });
  }

  #makeTorrent(store: FileStore): Torrent {
    const { info, announceTiers, webSeeds } = this.metainfo;
    const { strategies, files, sequential, trackers, peerExchange } = this.#options;
    const { maxPeers, uploadSlots } = this.#options;
    const { peerId, listenPort, external, random, downLimit, upLimit } = this.#session;
    return new Torrent({
      now: clockNow(),
      info,
      disk: store,
      have: store.have,
      partialPieces: store.partialPieces,
      pieceLayers: this.#pieceLayers,
      uncheckedPieces: store.uncheckedPieces,
      wantsPieceLayers: this.#options.wantsPieceLayers,
      peerId,
      listenPort,
      externalAddress: external,
      peerExchange,
      dhtPort: this.#session.dht?.port,
      announceTiers: trackers === false ? [] : announceTiers,
      webSeeds: this.#options.webSeeds === false ? [] : webSeeds,
      strategies: { ...defaultStrategies, ...strategies },
      random,
      downLimit,
      upLimit,
      files,
      sequential,
      maxPeers,
      uploadSlots,
    });
  }

  #diskEvents(): DiskEvents {
    return {
      onPieceSaved: (pieceIndex, result) =>
        this.#act((torrent, now) => torrent.handlePieceSaved(now, pieceIndex, result)),
      onBlockRead: (token, bytes, error) =>
        this.#act((torrent, now) => torrent.handleBlockRead(now, token, bytes, error)),
      onPieceVerified: (pieceIndex, isRight) =>
        this.#act((torrent, now) => torrent.handlePieceVerified(now, pieceIndex, isRight)),
      onBlocksHashed: (pieceIndex, hashes, error) =>
        this.#act((torrent, now) => torrent.handleBlocksHashed(now, pieceIndex, hashes, error)),
      onBufferReturned: (buffer) =>
        this.#act((torrent, now) => torrent.handleBufferReturned(now, buffer)),
      onStalled: (error) => this.#act((torrent, now) => torrent.handleStalled(now, error)),
      onResumed: () => this.#act((torrent, now) => torrent.handleResumed(now)),
      onFileChanged: (fileIndex, error) =>
        this.#act((torrent, now) => torrent.handleFileChanged(now, fileIndex, error)),
    };
  }

  /** Calls the machine, carries out its effects, and sets the timer to its deadline. */
  #act(call: (torrent: Torrent, now: number) => void): void {
    const torrent = this.#torrent;
    if (torrent === undefined) return;
    call(torrent, clockNow());
    for (;;) {
      const effect = torrent.poll();
      if (effect === undefined) break;
      this.#carryOut(effect);
    }
    this.#wakeup.set(torrent.deadline());
  }

  #carryOut(effect: TorrentEffect): void {
    switch (effect.type) {
      case 'dial':
        this.#dial(effect.endpoint);
        return;
      case 'announce':
        this.#announce(effect);
        return;
      case 'announce-cancel':
        this.#trackers.cancel(effect.requestId);
        return;
      case 'web-fetch':
      case 'web-fetch-pause':
      case 'web-fetch-cancel':
        this.#webSeeds.carryOut(effect);
        return;
      case 'dht-lookup':
        void this.#lookUp();
        return;
      case 'dht-node':
        this.#session.dht?.addNode(effect.endpoint);
        return;
      case 'chunk':
        this.#streams.deliver(effect.reader, effect.bytes, effect.error);
        return;
      case 'event':
        this.#heard(effect.event);
    }
  }

  #heard(event: TorrentEvent): void {
    if (event.type === 'state') {
      this.#state = event.state;
      if (event.state === 'seeding') this.#seedingSinceMs ??= clockNow();
    }
    this.#emit(event.type === 'tracker' ? withoutPasskey(event) : event);
    if (event.type === 'done') this.#resolveComplete();
  }

  async #lookUp(): Promise<void> {
    const { piecesHave, pieceCount } = this.stats();
    await this.#session.dht?.lookUp({
      infoHashes: swarmHashes(this.metainfo.info),
      listenPort: this.#session.listenPort,
      isSeed: piecesHave === pieceCount,
      signal: this.#abort.signal,
      // The DHT package has dropped loopback peers where the node that tells of them is elsewhere.
      found: (peers, infoHash) =>
        this.#act((torrent, now) => torrent.handleCandidates(now, peers, 'dht', true, infoHash)),
    });
    this.#act((torrent, now) => torrent.handleLookupEnded(now));
  }

  #dial(endpoint: Endpoint): void {
    let peer: Peer | undefined;
    this.#session.dialler.dial(endpoint, {
      onConnected: (transport) => {
        peer = this.addPeerConnection(transport, { endpoint, direction: 'out' });
        return peer !== undefined;
      },
      onFailed: () => this.#act((torrent, now) => torrent.handleDialFailed(now, endpoint)),
      onBytes: (chunk) => {
        if (peer !== undefined) this.handleBytes(peer, chunk);
      },
      onWritable: () => {
        if (peer !== undefined) this.handleWritable(peer);
      },
      onClosed: (error) => {
        if (peer !== undefined) this.handleClosed(peer, error);
      },
    });
  }

  #announce(effect: TorrentEffect & { type: 'announce' }): void {
    const { requestId, url } = effect;
    this.#trackers.announce(effect, {
      answered: (response) =>
        this.#act((torrent, now) => torrent.handleAnnounced(now, requestId, url, response)),
      failed: (failure) =>
        this.#act((torrent, now) => torrent.handleAnnounceFailed(now, requestId, url, failure)),
    });
  }

  #progress(): void {
    if (this.#queues.size + this.#pieceQueues.size > 0) {
      this.#emit({ type: 'progress', stats: this.stats() });
    }
    if (this.#state !== 'seeding' || this.#stopping !== undefined) return;
    const { seedRatio, seedTimeMs } = this.#options;
    const seededMs = clockNow() - (this.#seedingSinceMs ?? clockNow());
    const hasRatio = seedRatio !== undefined && this.stats().ratio >= seedRatio;
    const hasTime = seedTimeMs !== undefined && seededMs >= seedTimeMs;
    if (!hasRatio && !hasTime) return;
    this.#emit({ type: 'seeding-limit', reason: hasRatio ? 'ratio' : 'time' });
    void this.stop();
  }

  async #stop(): Promise<void> {
    clearInterval(this.#progressTimer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#abort.abort();
    const wasDone = this.#torrent?.isDone === true;
    this.#lastStats = this.stats();
    this.#act((torrent, now) => torrent.stop(now));
    this.#streams.close();
    this.#webSeeds.close();
    await Promise.all([this.#trackers.close(), this.#closeStore()]);
    this.#wakeup.clear();
    this.#torrent = undefined;
    this.#state = 'stopped';
    this.#session.removed(this);
    if (!wasDone) {
      const message = `${this.name} was stopped before it was complete`;
      this.#rejectComplete(this.#error ?? new EngineError('aborted', message));
    }
    this.#emit({ type: 'stopped', stats: this.stats(), error: this.#error });
    for (const queue of [...this.#queues, ...this.#pieceQueues]) queue.end();
    this.#queues.clear();
    this.#pieceQueues.clear();
    this.#resolveStopped();
  }

  /** Also while the files are being opened: what that makes, it makes before we have stopped. */
  async #closeStore(): Promise<void> {
    // Why it failed is told by `run`.
    const store = await this.#opening?.catch(() => undefined);
    try {
      await store?.close();
    } catch (error) {
      this.#error ??= asError(error);
    }
  }

  #emit(event: TorrentEvent): void {
    for (const queue of this.#pieceQueues) queue.push(event);
    if (event.type === 'piece') return;
    for (const queue of this.#queues) queue.push(event);
  }
}

/** Events end in logs: private trackers have a secret of the user in the path or query of their URLs. */
function withoutPasskey(event: TorrentEvent & { type: 'tracker' }): TorrentEvent {
  const url = redactUrl(event.url);
  return { ...event, url, message: event.message?.replaceAll(event.url, url) };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
