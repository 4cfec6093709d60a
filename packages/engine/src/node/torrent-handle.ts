// One torrent of a session, as its user sees it: events, statistics, files as streams, stop. It begins with a .torrent, or with a
// magnet link, whose info dictionary comes from the last run or from peers (BEP 9). What the machines of a torrent want done
// is done by the driver (torrent-driver.ts).

import type { Endpoint } from '@bt/endpoint';
import { type Magnet, type Metainfo, parseInfo, toHex } from '@bt/metainfo';
import { MemoryDisk } from '@bt/storage';
import { FileStore } from '@bt/storage/node';
import { redactUrl } from '@bt/tracker';
import { EngineError } from '../errors.ts';
import type { TorrentEvent, TorrentState, TorrentStats } from '../events.ts';
import { PieceLayers } from '../hashes/piece-layers.ts';
import { MagnetTorrent } from '../magnet-torrent.ts';
import type { Direction, Peer } from '../peer.ts';
import { defaultStrategies } from '../strategies.ts';
import type { PeerSource } from '../swarm/peer-source.ts';
import type { NewPeer } from '../swarm/swarm.ts';
import { Torrent } from '../torrent.ts';
import type { TorrentOptions } from '../torrent-options.ts';
import { emptyStats } from '../torrent-stats.ts';
import type { AddTorrentOptions } from './add-torrent-options.ts';
import { diskEvents } from './disk-events.ts';
import { EventQueues } from './event-queues.ts';
import { FileStreams, type StreamOptions } from './file-streams.ts';
import { checkPeer, findLinkPeers, isBoundToLoopback, resolvePeer } from './named-peers.ts';
import type { PeerSocket } from './peer-socket.ts';
import { SavedMetadata } from './saved-metadata.ts';
import type { SessionParts } from './session-parts.ts';
import { clockNow } from './timer.ts';
import { TorrentDriver } from './torrent-driver.ts';
import {
  checkFiles,
  filesOfLink,
  infoHashesOf,
  isMeantBy,
  metainfoOf,
  type TorrentSource,
} from './torrent-source.ts';

const PROGRESS_MS = 1_000;
/** Files with a problem that are named one by one. */
const MAX_FILE_WARNINGS = 10;

export class TorrentHandle {
  /** Lower-case hex, 40 digits: of the v1 info-hash, where the .torrent or magnet link tells it. */
  readonly infoHashHex: string;
  /**
   * The .torrent: at once, or when the info dictionary of a magnet link is there. Its piece layers grow until the event
   * `piece-layers`, if some were missing (v2 and hybrid). Rejects with what stopped the torrent before.
   */
  readonly metadata: Promise<Metainfo>;
  /** Every wanted byte is verified and written. Rejects with what stopped the torrent before. */
  readonly complete: Promise<void>;
  /** Everything is closed. Never rejects. */
  readonly stopped: Promise<void>;
  readonly #magnet: Magnet | undefined;
  #metainfo: Metainfo | undefined;
  readonly #pieceLayers = new Map<string, Uint8Array>();
  readonly #session: SessionParts;
  readonly #options: AddTorrentOptions;
  readonly #events = new EventQueues();
  readonly #driver: TorrentDriver;
  readonly #streams: FileStreams;
  readonly #saved: SavedMetadata;
  readonly #abort = new AbortController();
  readonly #onAbort = () => void this.stop();
  readonly #startedMs = clockNow();
  /** The files, while they are being opened and then. */
  #opening: Promise<FileStore> | undefined;
  #state: TorrentState;
  #store: FileStore | undefined;
  /** All that `metadataOnly` asks for is there. */
  #isFetched = false;
  #hasWarnedOfRecord = false;
  #checkedShare = 0;
  #lastStats: TorrentStats;
  #seedingSinceMs: number | undefined;
  #progressTimer: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;
  #error: Error | undefined;
  /** Everything is over: the event `stopped` has been told. */
  #isClosed = false;
  #resolveComplete!: () => void;
  #rejectComplete!: (error: Error) => void;
  #resolveMetadata!: (metainfo: Metainfo) => void;
  #rejectMetadata!: (error: Error) => void;
  #resolveStopped!: () => void;
  /** The dictionary of a magnet link has come from peers. */
  #infoCame: (infoBytes: Uint8Array<ArrayBuffer>) => void = () => {};
  #layersCame: () => void = () => {};

  /** For the session: use `session.add`. */
  constructor(source: TorrentSource, options: AddTorrentOptions, session: SessionParts) {
    const [infoHash] = infoHashesOf(source);
    this.infoHashHex = toHex(infoHash!);
    this.#magnet = source.magnet;
    this.#options = options;
    this.#session = session;
    this.#saved = new SavedMetadata(session.resumeDir, this.infoHashHex);
    this.#driver = new TorrentDriver(session, {
      heard: (event) => this.#heard(event),
      chunkRead: (reader, bytes, error) => this.#streams.deliver(reader, bytes, error),
      metadataCame: (infoBytes) => this.#infoCame(infoBytes),
      failed: (error) => this.#failed(error),
      infoHashes: () => this.infoHashes,
    });
    this.#streams = new FileStreams({
      files: () => this.#metainfo?.info.files,
      act: (call) => this.#driver.actOn(call),
      isStopped: () => this.#stopping !== undefined,
    });
    this.metadata = new Promise((resolve, reject) => {
      this.#resolveMetadata = resolve;
      this.#rejectMetadata = reject;
    });
    this.complete = new Promise((resolve, reject) => {
      this.#resolveComplete = resolve;
      this.#rejectComplete = reject;
    });
    // Who doesn't wait for them is told by the `stopped` event.
    this.metadata.catch(() => {});
    this.complete.catch(() => {});
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
    this.#state = source.magnet === undefined ? 'checking' : 'fetching-metadata';
    this.#lastStats = emptyStats(source.metainfo?.info);
    if (source.metainfo !== undefined) this.#setMetainfo(source.metainfo);
  }

  /** The .torrent, as far as it is known: see `metadata`. */
  get metainfo(): Metainfo | undefined {
    return this.#metainfo;
  }

  /** The info dictionary is known, and every piece layer (BEP 52): a .torrent can be written. */
  get isMetadataComplete(): boolean {
    const info = this.#metainfo?.info;
    return info !== undefined && new PieceLayers(info, this.#pieceLayers, undefined).isComplete;
  }

  /** Until the info dictionary is known what the magnet link says, or the info-hash. */
  get name(): string {
    return this.#metainfo?.info.name ?? this.#magnet?.name ?? this.infoHashHex;
  }

  /** Under which peers of the torrent meet, as far as they are known: 20 bytes each. */
  get infoHashes(): readonly Uint8Array[] {
    const metainfo = this.#metainfo;
    if (metainfo === undefined) return infoHashesOf({ magnet: this.#magnet! });
    return infoHashesOf({ metainfo });
  }

  /**
   * A queue of its own for each call. It begins with the present state and ends behind `stopped`, also when that has been
   * already. Without `pieces` the event `piece` is left out.
   */
  events(options: { readonly pieces?: boolean } = {}): AsyncIterableIterator<TorrentEvent> {
    const queue = this.#events.open(options.pieces === true);
    queue.push({ type: 'state', state: this.#state });
    if (this.#isClosed) {
      queue.push(this.#stoppedEvent());
      this.#events.end();
    }
    return queue;
  }

  stats(): TorrentStats {
    const { dht } = this.#session;
    const hasDht = dht !== undefined && this.#metainfo?.info.isPrivate !== true;
    return { ...this.#machineStats(), dhtNodes: hasDht ? dht.nodeCount : undefined };
  }

  #machineStats(): TorrentStats {
    const { machine } = this.#driver;
    if (machine instanceof Torrent && this.#state !== 'stopped') {
      this.#lastStats = machine.stats(clockNow());
      return this.#lastStats;
    }
    const state = this.#state;
    const checkedShare = this.#checkedShare;
    if (state === 'stopped') return { ...this.#lastStats, state, checkedShare };
    const runningMs = clockNow() - this.#startedMs;
    const swarm = machine instanceof MagnetTorrent ? machine.swarmStats(clockNow()) : {};
    return { ...this.#lastStats, ...swarm, state, runningMs, checkedShare };
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

  /**
   * Dials a peer and keeps it. Names are resolved, but on a session that is bound to loopback; one that isn't found is told
   * by `warning`.
   *
   * @throws {EngineError} `bad-argument`: no host, or no port
   */
  addPeer(host: string, port: number): void {
    checkPeer(host, port);
    resolvePeer(host, port, this.#session.bindAddress).then(
      (endpoints) => this.addCandidates(endpoints, 'user', true),
      (error: Error) => this.#events.push({ type: 'warning', message: error.message }),
    );
  }

  /**
   * Wants these files and no others. Takes effect once the files are open: before that see `AddTorrentOptions.files`.
   *
   * @throws {EngineError} `bad-argument`: there is no such file
   */
  selectFiles(indices: readonly number[]): void {
    if (this.#metainfo !== undefined) checkFiles(indices, this.#metainfo.info);
    this.#driver.actOn((torrent, now) => torrent.selectFiles(now, indices));
    const wanted = new Set(indices);
    void this.#store
      ?.want((fileIndex) => wanted.has(fileIndex))
      .then((problems) => this.#warnOf([...problems.values()]));
  }

  /** Closes connections, keeps what has been received, says goodbye to trackers (3 s at most). */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** For the session: gets the info dictionary where it lacks, opens the files, checks them, and begins. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    if (signal?.aborted === true) {
      await this.stop();
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#progressTimer = setInterval(() => this.#progress(), PROGRESS_MS);
    try {
      if (this.#metainfo === undefined) await this.#findMetadata();
      if (this.#stopping !== undefined) return;
      if (this.#options.metadataOnly === true) await this.#findLayers();
      else await this.#open();
    } catch (error) {
      this.#failed(error);
      await this.stop();
    }
  }

  #failed(error: unknown): void {
    if (this.#stopping !== undefined) return;
    this.#error = asError(error);
    void this.stop();
  }

  /** For the session: what concerns all its torrents. */
  tell(event: TorrentEvent): void {
    this.#events.push(event);
  }

  /** For the session: an accepted connection that asked for this torrent. */
  addPeerConnection(transport: PeerSocket, added: NewPeer): Peer | undefined {
    return this.#driver.addPeerConnection(transport, added);
  }

  handleBytes(peer: Peer, chunk: Uint8Array): void {
    this.#driver.handleBytes(peer, chunk);
  }

  handleWritable(peer: Peer): void {
    this.#driver.handleWritable(peer);
  }

  handleClosed(peer: Peer, error: string | undefined): void {
    this.#driver.handleClosed(peer, error);
  }

  addCandidates(endpoints: readonly Endpoint[], source: PeerSource, fromLoopback: boolean): void {
    this.#driver.addCandidates(endpoints, source, fromLoopback);
  }

  // The info dictionary of a magnet link.

  /** From the last run, or from peers. */
  async #findMetadata(): Promise<void> {
    const magnet = this.#magnet!;
    const saved = await this.#saved.load();
    if (this.#stopping !== undefined) return;
    if (saved !== undefined && isMeantBy(magnet, saved.info)) {
      this.#setMetainfo(metainfoOf(magnet, saved.info, saved.pieceLayers));
      this.#announceMetadata();
      return;
    }
    const came = new Promise<Uint8Array>((resolve) => {
      this.#infoCame = resolve;
    });
    this.#driver.start(this.#makeMagnetTorrent(magnet));
    this.#session.begun(this);
    this.#dialNamed();
    const infoBytes = await Promise.race([came, aborted(this.#abort.signal)]);
    if (infoBytes === undefined) return;
    this.#setMetainfo(metainfoOf(magnet, parseInfo(infoBytes)));
    this.#announceMetadata();
    void this.#saveMetadata();
  }

  /** The piece layers, without any piece (BEP 52). Where there is nothing to get, nobody is asked. */
  async #findLayers(): Promise<void> {
    const metainfo = this.#metainfo!;
    const { info } = metainfo;
    if (!this.isMetadataComplete) {
      const isFirst = this.#driver.machine === undefined;
      const came = new Promise<true>((resolve) => {
        this.#layersCame = () => resolve(true);
      });
      const disk = new MemoryDisk({ info });
      this.#driver.start(this.#makeTorrent({ disk, hashesOnly: true, webSeeds: [] }));
      this.#session.begun(this);
      if (isFirst) this.#dialNamed();
      if ((await Promise.race([came, aborted(this.#abort.signal)])) === undefined) return;
    }
    this.#isFetched = true;
    await this.stop();
  }

  #setMetainfo(metainfo: Metainfo): void {
    for (const [rootHex, layer] of metainfo.pieceLayers) this.#pieceLayers.set(rootHex, layer);
    this.#metainfo = { ...metainfo, pieceLayers: this.#pieceLayers };
    this.#lastStats = emptyStats(metainfo.info);
    if (this.#options.metadataOnly !== true) this.#resolveMetadata(this.#metainfo);
  }

  /** @throws {EngineError} `duplicate-torrent` */
  #announceMetadata(): void {
    const { info } = this.#metainfo!;
    const { name, version, files, geometry } = info;
    this.#session.identified(this);
    // Not left until the files are open: peers that may not be known are let go at once (BEP 27).
    if (info.isPrivate) {
      const { machine } = this.#driver;
      if (machine instanceof MagnetTorrent)
        this.#driver.act((_, now) => machine.becomePrivate(now));
      this.#session.begun(this);
    }
    this.#events.push({
      type: 'metadata',
      name,
      version,
      totalBytes: files.contentLength,
      pieceCount: geometry.pieceCount,
      fileCount: Array.from(files).filter(({ isPad }) => !isPad).length,
    });
    this.#heard({ type: 'state', state: 'checking' });
  }

  /** A run that can't save it has to ask peers again the next time, and is no worse for it. */
  async #saveMetadata(): Promise<void> {
    try {
      await this.#saved.save(this.#metainfo!);
    } catch (error) {
      this.#events.push({
        type: 'warning',
        message: `the info dictionary could not be kept: ${asError(error).message}`,
      });
    }
  }

  /** Peers that the user names, and those that the link does. */
  #dialNamed(): void {
    for (const { host, port } of this.#options.peers ?? []) this.addPeer(host, port);
    const { bindAddress } = this.#session;
    void findLinkPeers(this.#magnet?.peers ?? [], {
      bindAddress,
      isStopped: () => this.#stopping !== undefined,
      found: (endpoints) => this.addCandidates(endpoints, 'magnet', isBoundToLoopback(bindAddress)),
    });
  }

  /** Those that the user wants, or the link; undefined for all. @throws {EngineError} `bad-argument`, `bad-magnet` */
  #filesOf({ info }: Metainfo): readonly number[] | undefined {
    const { files } = this.#options;
    const named = typeof files === 'function' ? files(this.#metainfo!) : files;
    checkFiles(named, info);
    return named ?? (this.#magnet && filesOfLink(this.#magnet, info));
  }

  // The files.

  #openStore(files: readonly number[] | undefined): Promise<FileStore> {
    const { info } = this.#metainfo!;
    const { dir, check, checkOnly } = this.#options;
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
    const { checkOnly } = this.#options;
    const files = this.#filesOf(this.#metainfo!);
    this.#opening = this.#openStore(files);
    const store = await this.#opening;
    this.#checkedShare = 1;
    if (this.#stopping !== undefined) return;
    this.#store = store;
    this.#warnOf([...store.problems.values()]);
    // Before the torrent is made: it may have a piece to save that was begun in another life.
    store.connect(diskEvents(this.#driver));
    const torrent = this.#makeTorrent({
      disk: store,
      have: store.have,
      partialPieces: store.partialPieces,
      uncheckedPieces: store.uncheckedPieces,
      files,
    });
    const stats = torrent.stats(clockNow());
    this.#lastStats = stats;
    const { piecesHave, pieceCount, verifiedBytes } = stats;
    this.#events.push({ type: 'checked', piecesHave, pieceCount, verifiedBytes });
    if (checkOnly === true) {
      if (torrent.isDone) this.#resolveComplete();
      await this.stop();
      return;
    }
    const isFirst = this.#driver.machine === undefined;
    this.#driver.start(torrent);
    this.#streams.started();
    this.#session.begun(this);
    if (isFirst) this.#dialNamed();
  }

  /** Files that are in the way or can't be read, as far as the opening gets by without them. */
  #warnOf(problems: readonly Error[]): void {
    for (const { message } of problems.slice(0, MAX_FILE_WARNINGS)) {
      this.#events.push({ type: 'warning', message });
    }
    const more = problems.length - MAX_FILE_WARNINGS;
    if (more > 0) this.#events.push({ type: 'warning', message: `${more} more files like these` });
  }

  /** Once. Without a record all is hashed the next time, and its lock keeps no other process out. */
  #warnOfRecord(): void {
    const error = this.#store?.recordError;
    if (error === undefined || this.#hasWarnedOfRecord) return;
    this.#hasWarnedOfRecord = true;
    const message = `the resume record can't be kept, so that all is hashed the next time and nothing keeps a second program out: ${error.message}`;
    this.#events.push({ type: 'warning', message });
  }

  #makeMagnetTorrent({ infoHashV1, infoHashV2, trackers }: Magnet): MagnetTorrent {
    return new MagnetTorrent({
      ...this.#swarmOptions(trackers.map((url) => [url])),
      infoHashV1,
      infoHashV2,
      maxMetadataBytes: this.#options.maxMetadataBytes,
    });
  }

  #makeTorrent(parts: Partial<TorrentOptions> & Pick<TorrentOptions, 'disk'>): Torrent {
    const { info, announceTiers, webSeeds } = this.#metainfo!;
    const { strategies, sequential, uploadSlots, checkOnly, wantsPieceLayers } = this.#options;
    const { machine } = this.#driver;
    const isTakenOver = machine instanceof MagnetTorrent && checkOnly !== true;
    return new Torrent({
      ...this.#swarmOptions(announceTiers),
      info,
      pieceLayers: this.#pieceLayers,
      wantsPieceLayers,
      webSeeds: this.#options.webSeeds === false ? [] : webSeeds,
      strategies: { ...defaultStrategies, ...strategies },
      sequential,
      uploadSlots,
      presence: isTakenOver ? machine.presence : undefined,
      ...parts,
    });
  }

  /** What both machines take. */
  #swarmOptions(announceTiers: readonly (readonly string[])[]) {
    const { trackers, peerExchange, maxPeers } = this.#options;
    const { peerId, listenPort, external, random, downLimit, upLimit, dht } = this.#session;
    const { connections } = this.#session;
    return {
      now: clockNow(),
      peerId,
      listenPort,
      externalAddress: external,
      peerExchange,
      dhtPort: dht?.port,
      announceTiers: trackers === false ? [] : announceTiers,
      random,
      downLimit,
      upLimit,
      maxPeers,
      sessionShare: (direction: Direction) => connections.share(direction),
    };
  }

  #heard(event: TorrentEvent): void {
    if (event.type === 'state') {
      // Every queue has begun with it.
      if (event.state === this.#state) return;
      this.#state = event.state;
      if (event.state === 'seeding') this.#seedingSinceMs ??= clockNow();
    }
    this.#events.push(event.type === 'tracker' ? withoutPasskey(event) : event);
    if (event.type === 'done') this.#resolveComplete();
    if (event.type !== 'piece-layers') return;
    this.#layersCame();
    if (this.#magnet !== undefined) void this.#saveMetadata();
  }

  #progress(): void {
    this.#warnOfRecord();
    if (!this.#events.isEmpty) this.#events.push({ type: 'progress', stats: this.stats() });
    if (this.#state !== 'seeding' || this.#stopping !== undefined) return;
    const { seedRatio, seedTimeMs } = this.#options;
    const seededMs = clockNow() - (this.#seedingSinceMs ?? clockNow());
    const hasRatio = seedRatio !== undefined && this.stats().ratio >= seedRatio;
    const hasTime = seedTimeMs !== undefined && seededMs >= seedTimeMs;
    if (!hasRatio && !hasTime) return;
    this.#events.push({ type: 'seeding-limit', reason: hasRatio ? 'ratio' : 'time' });
    void this.stop();
  }

  async #stop(): Promise<void> {
    clearInterval(this.#progressTimer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#abort.abort();
    const wasDone = this.#driver.machine?.isDone === true;
    this.#lastStats = this.stats();
    const goodbye = this.#driver.stop();
    this.#streams.close();
    await Promise.all([goodbye, this.#closeStore(), this.#saved.idle()]);
    this.#driver.close();
    this.#state = 'stopped';
    this.#session.removed(this);
    if (this.#isFetched) {
      // Not before: whoever has waited for it adds the torrent again, to go on with.
      this.#resolveMetadata(this.#metainfo!);
      this.#resolveComplete();
    }
    const message = `${this.name} was stopped before it was complete`;
    const error = this.#error ?? new EngineError('aborted', message);
    this.#rejectMetadata(error);
    if (!wasDone) this.#rejectComplete(error);
    this.#isClosed = true;
    this.#events.push(this.#stoppedEvent());
    this.#events.end();
    this.#resolveStopped();
  }

  #stoppedEvent(): TorrentEvent {
    return { type: 'stopped', stats: this.stats(), error: this.#error };
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
}

/** Events end in logs: private trackers have a secret of the user in the path or query of their URLs. */
function withoutPasskey(event: TorrentEvent & { type: 'tracker' }): TorrentEvent {
  const url = redactUrl(event.url);
  return { ...event, url, message: event.message?.replaceAll(event.url, url) };
}

/** Resolves to nothing when the signal fires. */
function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
