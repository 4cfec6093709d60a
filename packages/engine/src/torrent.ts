// One torrent: the join of its presence in the swarm, its pieces and its disk. A machine (torrent-machine.ts) whose blocks and
// bytes for peers don't pass `poll`: they go straight to the disk's and the transport's interface, so that no object is
// made for one.

import type { Info } from '@bt/metainfo';
import { Picker } from '@bt/picker';
import {
  type Disk,
  PieceBuffers,
  type PieceResult,
  type StorageError,
  storageError,
} from '@bt/storage';
import { Blame } from './blame.ts';
import { Choking } from './choking.ts';
import { Completion } from './completion.ts';
import { Download, type Sender } from './download.ts';
import type { TorrentEvent, TorrentState, TorrentStats } from './events.ts';
import { FileProgress } from './file-progress.ts';
import { Gate } from './gate.ts';
import { HashExchange } from './hashes/hash-exchange.ts';
import { Haves } from './haves.ts';
import { Holdings } from './holdings.ts';
import { DISK_RETRY_MS } from './limits.ts';
import type { Moment } from './moment.ts';
import type { Peer } from './peer.ts';
import { presenceOf } from './presence.ts';
import { type Reader, Readers } from './readers.ts';
import { Reads } from './reads.ts';
import { restore } from './restore.ts';
import { SuperSeed } from './super-seed.ts';
import { PieceExchange } from './swarm/piece-exchange.ts';
import { TorrentMachine } from './torrent-machine.ts';
import type { TorrentOptions } from './torrent-options.ts';
import { type StatsParts, torrentStats } from './torrent-stats.ts';
import { Upload } from './upload.ts';
import type { WebAnswer } from './web-seed/answer.ts';
import type { WebFetchFailure } from './web-seed/web-fetch.ts';
import { WebSeeds } from './web-seed/web-seeds.ts';

/** Pieces begun and unfinished, in bytes, beyond which peers are kept to those that are begun. */
const OPEN_PIECES_BYTES = 32 * 1024 * 1024;

export class Torrent extends TorrentMachine {
  readonly info: Info;
  readonly #moment: Moment;
  readonly #disk: Disk;
  readonly #holdings: Holdings;
  readonly #picker: Picker;
  readonly #buffers: PieceBuffers;
  readonly #reads: Reads<Peer | Reader>;
  readonly #download: Download;
  readonly #upload: Upload;
  readonly #choking: Choking;
  readonly #haves: Haves;
  readonly #gate: Gate;
  readonly #exchange: PieceExchange;
  readonly #readers: Readers;
  readonly #hashes: HashExchange;
  readonly #webSeeds: WebSeeds;
  readonly #files: FileProgress;
  /** Of the wanted ones. */
  readonly #emptyFiles: readonly number[];
  readonly #statsParts: StatsParts;
  readonly #startedMs: number;
  readonly #completion: Completion;
  #retryMs = Number.POSITIVE_INFINITY;
  /** Freed requests or new room: everybody is asked at the end of this turn. */
  #mustRequestAll = false;
  #state: TorrentState;

  constructor(options: TorrentOptions) {
    const { info, disk, strategies, random, now } = options;
    const { geometry } = info;
    const presence = options.presence ?? presenceOf(options);
    super(presence, now);
    this.info = info;
    this.#moment = presence.moment;
    presence.join(info);
    this.#disk = disk;
    this.#startedMs = now;
    this.#holdings = new Holdings(geometry, info.files);
    this.#picker = new Picker({
      pieceCount: geometry.pieceCount,
      blockCount: (pieceIndex) => geometry.blockCount(pieceIndex),
      isPadding: (pieceIndex, blockIndex) => geometry.isPaddingBlock(pieceIndex, blockIndex),
      takeOver: (pieceIndex, owner, newcomer) =>
        this.#download.takeOver(pieceIndex, owner, newcomer),
      random,
      rarestFirst: strategies.rarestFirst,
      endGame: strategies.endGame,
      bbsPlus: strategies.bbsPlus,
      sequential: options.sequential ?? false,
      maxOpenPieces: Math.max(16, Math.ceil(OPEN_PIECES_BYTES / geometry.pieceLength)),
    });
    this.#buffers = new PieceBuffers({
      geometry,
      disk,
      ...(options.bufferBytes === undefined ? {} : { maxBytes: options.bufferBytes }),
    });
    this.#reads = new Reads(disk);
    const moment = this.#moment;
    const holdings = this.#holdings;
    const picker = this.#picker;
    const buffers = this.#buffers;
    const { peers } = presence;
    this.#download = new Download({
      moment,
      geometry,
      picker,
      buffers,
      disk,
      peers,
      blame: new Blame<Sender>(),
      holdings,
      observer: {
        pieceSaved: (pieceIndex) => {
          this.#completion.fetched();
          this.#pieceSaved(pieceIndex);
        },
        pieceFailed: (pieceIndex) => this.#pieceFailed(pieceIndex),
        saveFailed: (pieceIndex, error) => this.#saveFailed(pieceIndex, error),
        liarFound: (sender) => {
          if ('webSeed' in sender) this.#webSeeds.ban(sender.webSeed);
          else presence.swarm.ban(sender);
        },
        pieceContradicted: (pieceIndex) => this.#pieceContradicted(pieceIndex),
      },
    });
    this.#upload = new Upload({
      moment,
      geometry,
      reads: this.#reads,
      holdings,
      peers,
      limit: options.upLimit,
      readFailed: (pieceIndex, error) => this.#pieceInDoubt(pieceIndex, error),
    });
    this.#choking = new Choking({
      moment,
      peers,
      upload: this.#upload,
      strategies,
      limit: options.upLimit,
      random,
      slots: options.uploadSlots,
      isSeeding: () => holdings.isDone,
    });
    this.#haves = new Haves(moment, peers, picker);
    this.#gate = new Gate(moment, peers, buffers, disk, options.downLimit);
    this.#hashes = new HashExchange({
      moment,
      info,
      pieceLayers: options.pieceLayers,
      uncheckedPieces: options.uncheckedPieces,
      wantsLayers: options.wantsPieceLayers ?? false,
      disk,
      peers,
      picker,
      holdings,
      download: this.#download,
      upLimit: options.upLimit,
      observer: {
        layersCame: (pieces) => this.#layersCame(pieces),
        pieceInDoubt: (pieceIndex, error) => this.#pieceInDoubt(pieceIndex, error),
        liarFound: (identity) => presence.swarm.ban(identity),
      },
    });
    this.#readers = new Readers({
      geometry,
      holdings,
      picker,
      isPickable: (pieceIndex) => this.#hashes.layers.isPickable(pieceIndex),
      reads: this.#reads,
      deliver: (reader, bytes, error) => {
        presence.push({ type: 'chunk', reader, bytes, error });
      },
    });
    const { have, partialPieces } = options;
    this.#hashes.unhashed = restore(
      { have, partialPieces },
      { geometry, holdings, picker, buffers },
    );
    if (options.files !== undefined) holdings.select(options.files);
    this.#readers.applySelection();
    const superSeed =
      holdings.isWhole && !options.upLimit.isUnlimited
        ? new SuperSeed({ moment, geometry, picker, peers, upload: this.#upload, random })
        : undefined;
    this.#exchange = new PieceExchange({
      moment,
      info,
      swarm: presence.swarm,
      peers,
      picker,
      buffers,
      holdings,
      download: this.#download,
      upload: this.#upload,
      hashes: this.#hashes,
      superSeed,
      hashesOnly: options.hashesOnly,
      peersChanged: () => this.#choking.peersChanged(),
    });
    presence.announcing.numbers = () => ({
      uploadedBytes: this.#upload.meter.totalBytes,
      downloadedBytes: this.#download.meter.totalBytes,
      leftBytes: holdings.leftBytes,
    });
    this.#webSeeds = new WebSeeds({
      moment,
      info,
      urls: options.webSeeds ?? [],
      picker,
      buffers,
      disk,
      download: this.#download,
      holdings,
      random,
      isSequential: options.sequential ?? false,
      push: (effect) => presence.push(effect),
    });
    this.#files = new FileProgress(geometry, info.files, holdings);
    this.#emptyFiles = this.#files.emptyFiles(options.files);
    this.#statsParts = {
      info,
      holdings,
      picker,
      buffers,
      presence,
      exchange: this.#exchange,
      download: this.#download,
      upload: this.#upload,
      webSeeds: this.#webSeeds,
    };
    this.#state = holdings.isDone ? 'seeding' : 'downloading';
    this.#completion = new Completion(now, holdings.isDone, holdings.isWhole);
    presence.metadata.infoBytes = info.bytes;
    if (options.hashesOnly === true) {
      this.#download.isHalted = true;
      this.#state = 'fetching-metadata';
    }
    const { exchange } = presence.discovery;
    if (exchange !== undefined) exchange.isSeed = (peer) => this.#picker.isSeed(peer.handle);
    if (info.isPrivate) presence.becomePrivate();
    presence.swarm.use(this.#exchange);
    for (const peer of peers) this.#gate.admit(peer);
  }

  // Beginning and end.

  /** Begins to announce and to dial. */
  start(now: number): void {
    this.#moment.now = now;
    this.#emit({ type: 'state', state: this.#state });
    this.#hashes.start();
    this.presence.start();
    this.#webSeeds.start();
    if (this.#holdings.isDone) this.#emit({ type: 'done', stats: this.stats(now) });
    else for (const fileIndex of this.#emptyFiles) this.#emit({ type: 'file', fileIndex });
    this.settle();
  }

  /** Closes all connections, hands what is complete to the disk, and says `stopped` to the trackers. */
  stop(now: number): void {
    this.#moment.now = now;
    if (this.isStopped) return;
    this.isStopped = true;
    this.#download.isHalted = true;
    this.#haves.flush(true);
    this.presence.stop();
    this.#webSeeds.stop();
    this.#hashes.stop();
    this.#buffers.flush();
    this.#setState('stopped');
    this.presence.drainAnnouncing();
  }

  // What comes in.

  override handleClosed(now: number, peer: Peer, error?: string): void {
    this.#mustRequestAll = true;
    super.handleClosed(now, peer, error);
  }

  /** The head of a web seed's answer to `fetchId`, redirects followed. */
  handleWebAnswer(now: number, fetchId: number, answer: WebAnswer): void {
    this.#moment.now = now;
    this.#webSeeds.handleAnswer(fetchId, answer);
    this.settle();
  }

  /** Bytes of its body, which are used during the call. */
  handleWebBytes(now: number, fetchId: number, chunk: Uint8Array): void {
    this.#moment.now = now;
    this.#gate.charge(chunk.length);
    this.#webSeeds.handleBytes(fetchId, chunk);
    this.settle();
  }

  /** The answer is over, or came to nothing. Not after `web-fetch-cancel`. */
  handleWebEnd(now: number, fetchId: number, failure?: WebFetchFailure): void {
    this.#moment.now = now;
    this.#webSeeds.handleEnd(fetchId, failure);
    this.settle();
  }

  // What the disk tells (storage's DiskEvents, with the time).

  handlePieceSaved(now: number, pieceIndex: number, result: PieceResult): void {
    this.#moment.now = now;
    this.#download.pieceResult(pieceIndex, result);
    this.settle();
  }

  handleBlockRead(
    now: number,
    token: number,
    bytes: Uint8Array | undefined,
    error: StorageError | undefined,
  ): void {
    this.#moment.now = now;
    const read = this.#reads.take(token);
    if (read === undefined) return;
    const { owner } = read;
    if ('session' in owner) this.#upload.blockRead({ ...read, owner }, bytes, error);
    else this.#readers.chunkRead(owner, bytes, error);
    this.settle();
  }

  handlePieceVerified(now: number, pieceIndex: number, isRight: boolean): void {
    this.#moment.now = now;
    this.#hashes.layers.checked(pieceIndex);
    this.#readers.applySelection(pieceIndex, pieceIndex);
    this.#exchange.prospects.noteUse(now);
    if (isRight) this.#regain(pieceIndex);
    else this.#mustRequestAll = true;
    this.settle();
  }

  handleBlocksHashed(
    now: number,
    pieceIndex: number,
    blockHashes: Uint8Array | undefined,
    error: StorageError | undefined,
  ): void {
    this.#moment.now = now;
    this.#hashes.blocksHashed(pieceIndex, blockHashes, error);
    this.settle();
  }

  handleBufferReturned(now: number, buffer: ArrayBuffer): void {
    this.#moment.now = now;
    this.#buffers.recycle(buffer);
    this.settle();
  }

  handleStalled(now: number, error: StorageError): void {
    this.#moment.now = now;
    this.#retryMs = now + DISK_RETRY_MS;
    this.#emit({ type: 'disk-error', error });
    this.#setState('paused');
    this.settle();
  }

  handleResumed(now: number): void {
    this.#moment.now = now;
    this.#retryMs = Number.POSITIVE_INFINITY;
    this.#mustRequestAll = true;
    this.#setState(this.#holdings.isDone ? 'seeding' : 'downloading');
    this.settle();
  }

  handleFileChanged(now: number, fileIndex: number, error: StorageError): void {
    this.#moment.now = now;
    this.#emit({ type: 'warning', message: error.message });
    const pieces = this.info.geometry.filePieces(fileIndex);
    if (pieces !== undefined) {
      for (let piece = pieces.first; piece <= pieces.last; piece += 1) this.#pieceInDoubt(piece);
    }
    this.settle();
  }

  // What the user wants.

  selectFiles(now: number, files: readonly number[] | undefined): void {
    this.#moment.now = now;
    this.#holdings.select(files);
    this.#completion.selected();
    this.#readers.applySelection();
    this.#hashes.selectionChanged();
    this.#mustRequestAll = true;
    this.#checkDone();
    this.settle();
  }

  /** Reads part of a file, from disk where it is there, and fetched first where it isn't. */
  openReader(now: number, fileIndex: number, start: number, lengthBytes: number): Reader {
    this.#moment.now = now;
    const reader = this.#readers.open(fileIndex, start, lengthBytes);
    this.#mustRequestAll = true;
    this.settle();
    return reader;
  }

  /** The reader wants its next chunk: a `chunk` effect follows, now or when the piece has come. */
  pull(now: number, reader: Reader): void {
    this.#moment.now = now;
    reader.isWaiting = true;
    this.#readers.serve();
    this.settle();
  }

  closeReader(now: number, reader: Reader): void {
    this.#moment.now = now;
    this.#readers.close(reader);
    this.settle();
  }

  // What it knows.

  get state(): TorrentState {
    return this.#state;
  }

  get isDone(): boolean {
    return this.#holdings.isDone;
  }

  /** BEP 52: every file has its piece layer, so that a .torrent can be written. */
  get hasPieceLayers(): boolean {
    return this.#hashes.layers.isComplete;
  }

  has(pieceIndex: number): boolean {
    return this.#holdings.has(pieceIndex);
  }

  /** Requests in flight. */
  get requestCount(): number {
    return this.#download.requestCount;
  }

  stats(now: number): TorrentStats {
    return torrentStats(this.#statsParts, {
      now,
      state: this.#state,
      startedMs: this.#startedMs,
      doneMs: this.#completion.doneMs,
    });
  }

  // Inside.

  #pieceSaved(pieceIndex: number): void {
    this.#haves.add(pieceIndex);
    this.#emit({ type: 'piece', pieceIndex });
    this.#files.pieceAdded(pieceIndex, (fileIndex) => this.#emit({ type: 'file', fileIndex }));
    this.#readers.serve();
    this.#checkDone();
  }

  #pieceFailed(pieceIndex: number): void {
    this.#mustRequestAll = true;
    this.#emit({ type: 'piece-failed', pieceIndex });
  }

  /** A hybrid torrent that is two torrents (BEP 52, "upgrade path"): what is right for one half is wrong for the other. */
  #pieceContradicted(pieceIndex: number): void {
    this.#hashes.layers.contradicted(pieceIndex);
    this.#readers.applySelection(pieceIndex, pieceIndex);
    const message = `piece ${pieceIndex} can't be had: the torrent's v1 and v2 hashes of it contradict each other`;
    this.#emit({ type: 'warning', message });
  }

  #saveFailed(pieceIndex: number, error: StorageError | undefined): void {
    // A disk that was closed by the stop gives up on what it still had.
    if (this.isStopped) return;
    this.#mustRequestAll = true;
    this.#emit({ type: 'save-failed', pieceIndex, error: error ?? storageError('io') });
  }

  #checkDone(): void {
    const { now } = this.#moment;
    if (!this.#holdings.isDone) {
      if (this.#state === 'seeding') this.#setState('downloading');
      this.#completion.lacking();
      return;
    }
    if (this.#completion.doneMs !== undefined) return;
    const isNews = this.#completion.reached(now);
    this.#haves.flush(true);
    this.#setState('seeding');
    if (this.#holdings.isWhole && this.#completion.completed()) {
      this.presence.announcing.complete(now);
    }
    if (isNews) this.#emit({ type: 'done', stats: this.stats(now) });
    this.#exchange.updateInterests();
  }

  /** Bytes that were right are not to be read, or not to be trusted, any more. */
  #pieceInDoubt(pieceIndex: number, error?: StorageError): void {
    if (!this.#holdings.has(pieceIndex) || this.isStopped) return;
    if (error !== undefined) this.#emit({ type: 'warning', message: error.message });
    this.#holdings.remove(pieceIndex);
    this.#picker.loseHave(pieceIndex);
    this.#files.pieceLost(pieceIndex);
    this.#hashes.verify(pieceIndex);
    this.#readers.applySelection(pieceIndex, pieceIndex);
    this.#exchange.prospects.noteUse(this.#moment.now);
    this.#checkDone();
  }

  /** The hashes of these pieces are known now (first and last of each file): they can be asked for. */
  #layersCame(pieces: readonly { readonly first: number; readonly last: number }[]): void {
    for (const { first, last } of pieces) this.#readers.applySelection(first, last);
    if (this.hasPieceLayers) this.#emit({ type: 'piece-layers' });
    this.#mustRequestAll = true;
    this.#exchange.updateInterests();
  }

  /** A piece in doubt is right after all. */
  #regain(pieceIndex: number): void {
    // What is being saved has its own verdict on the way.
    if (this.#download.isSaving(pieceIndex) || !this.#holdings.add(pieceIndex)) return;
    this.#buffers.drop(pieceIndex);
    this.#picker.markHave(pieceIndex);
    this.#pieceSaved(pieceIndex);
  }

  protected override admit(peer: Peer): void {
    this.#gate.admit(peer);
  }

  protected override charge(lengthBytes: number): void {
    this.#gate.charge(lengthBytes);
  }

  protected override pump(peer: Peer): void {
    super.pump(peer);
    this.#upload.pump(peer);
  }

  protected override timePassed(): void {
    const { now } = this.#moment;
    if (now >= this.#retryMs) {
      this.#retryMs = now + DISK_RETRY_MS;
      this.#disk.retry();
    }
    this.#webSeeds.handleTimeout();
    this.#upload.pumpWaiting();
  }

  protected override ownDeadline(): number {
    const { now } = this.#moment;
    return Math.min(
      this.#choking.deadline(),
      this.#haves.deadline(),
      this.#upload.deadline(now),
      this.#gate.deadline(now),
      this.#hashes.deadline(),
      this.#webSeeds.deadline(),
      this.#retryMs,
    );
  }

  /** In this order. */
  protected override settle(): void {
    if (this.isStopped) {
      this.presence.drainAnnouncing();
      return;
    }
    if (this.#gate.update()) this.#mustRequestAll = true;
    this.#choking.run();
    if (this.#haves.flush()) this.#exchange.updateInterests();
    if (this.#mustRequestAll) {
      this.#mustRequestAll = false;
      this.#exchange.requestAll();
      this.#webSeeds.wake();
    }
    this.#webSeeds.run(this.#gate.isShut);
    this.#hashes.pump();
    this.presence.settle();
  }

  #setState(state: TorrentState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#emit({ type: 'state', state });
  }

  #emit(event: TorrentEvent): void {
    this.presence.emit(event);
  }
}
