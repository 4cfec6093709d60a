// The web seeds of a torrent (BEP 19): which of them read what, beside the peers; what becomes of one that fails.
// Peers and seeds share the picker: what a seed is on its way to is claimed there piece by piece, so no block is asked of
// two before the end game.

import type { Info } from '@bt/metainfo';
import { type Picker, PRIORITY_URGENT } from '@bt/picker';
import type { Disk, PieceBuffers } from '@bt/storage';
import { redactUrl } from '@bt/tracker';
import type { Download } from '../download.ts';
import type { TorrentEvent } from '../events.ts';
import type { Holdings } from '../holdings.ts';
import {
  FIRST_WEB_RANGE_BYTES,
  MAX_ACTIVE_WEB_SEEDS,
  MAX_BAD_WEB_ANSWERS,
  MAX_NO_FILE_EVENTS,
  MAX_WEB_CLAIM_BYTES,
  MAX_WEB_CLAIMS_BYTES,
  MAX_WEB_RANGE_BYTES,
  MAX_WEB_SCATTERED_BLOCKS,
  MAX_WEB_SEEDS,
  MAX_WEB_SKIP_BYTES,
  MIN_WEB_RANGE_BYTES,
  WEB_RANGE_MS,
  WEB_RETRY_FIRST_MS,
  WEB_RETRY_MAX_MS,
} from '../limits.ts';
import type { Moment } from '../moment.ts';
import type { TorrentEffect } from '../torrent-options.ts';
import type { WebAnswer } from './answer.ts';
import type { SeedRange } from './file-span.ts';
import { chooseGap, type GapView, gapAt } from './gap.ts';
import { scatteredRange } from './scattered.ts';
import type { WebFetchFailure } from './web-fetch.ts';
import { type SeedFault, type SeedObserver, type SeedParts, WebSeed } from './web-seed.ts';

export interface WebSeedsOptions {
  readonly moment: Moment;
  readonly info: Info;
  /** http and https; of others and of doubles no notice is taken. */
  readonly urls: readonly string[];
  readonly picker: Picker;
  readonly buffers: PieceBuffers;
  readonly disk: Pick<Disk, 'stalledBy'>;
  readonly download: Download;
  readonly holdings: Holdings;
  readonly random: () => number;
  readonly isSequential: boolean;
  readonly push: (effect: TorrentEffect) => void;
}

/** How things stand with a seed. */
interface Standing {
  readonly seed: WebSeed;
  isDropped: boolean;
  isInPicker: boolean;
  /** It has answered since it was last told of as failing. */
  isTold: boolean;
  /** In a row. */
  failures: number;
  badAnswers: number;
  /** Ranges in a row of which nothing was lacking any more. */
  barrenReads: number;
  /** Not before this time. */
  retryAtMs: number;
  readonly missingFiles: Set<number>;
}

/** A seed without a range looks again after this long: peers may have given something up. */
const LOOK_AGAIN_MS = 1_000;

export class WebSeeds implements SeedObserver {
  readonly #options: WebSeedsOptions;
  readonly #moment: Moment;
  readonly #standings: Standing[];
  #lastFetchId = 0;
  #isPaused = false;
  #isStarted = false;
  #mustPlan = false;
  #lookAgainMs = Number.POSITIVE_INFINITY;
  #lastUsefulMs = Number.NEGATIVE_INFINITY;

  constructor(options: WebSeedsOptions) {
    this.#options = options;
    this.#moment = options.moment;
    const { moment, info, picker, download, buffers } = options;
    const parts: SeedParts = {
      moment,
      info,
      picker,
      download,
      observer: this,
      maxClaimBytes: () => {
        const share = MAX_WEB_CLAIMS_BYTES / Math.max(1, this.activeCount);
        return Math.min(MAX_WEB_CLAIM_BYTES, share);
      },
      push: options.push,
      nextFetchId: () => {
        this.#lastFetchId += 1;
        return this.#lastFetchId;
      },
    };
    this.#standings = usableUrls(options.urls).map(([index, url]) => ({
      seed: new WebSeed(index, url, buffers.createWriter(), parts),
      isDropped: false,
      isInPicker: false,
      isTold: false,
      failures: 0,
      badAnswers: 0,
      barrenReads: 0,
      retryAtMs: 0,
      missingFiles: new Set(),
    }));
    shuffle(this.#standings, options.random);
  }

  /** Seeds that are sending, or would if we read. */
  get servingCount(): number {
    return count(this.#standings, ({ seed }) => seed.isServing);
  }

  /** Seeds in use. */
  get activeCount(): number {
    return count(this.#standings, ({ isInPicker }) => isInPicker);
  }

  /** Payload of all of them. */
  get downloadedBytes(): number {
    return this.#standings.reduce((sum, { seed }) => sum + seed.down.totalBytes, 0);
  }

  /** When a block was last had of a seed that sends, or would have been if it weren't for the disk. */
  lastUseful(now: number): number {
    const { disk, download } = this.#options;
    const waitsForDisk =
      (disk.stalledBy !== undefined || download.savingCount > 0) &&
      this.#standings.some(({ isDropped }) => !isDropped);
    if (waitsForDisk) this.#lastUsefulMs = now;
    for (const { seed } of this.#standings) {
      const usefulMs = seed.isUseful ? now : seed.lastAcceptedMs;
      this.#lastUsefulMs = Math.max(this.#lastUsefulMs, usefulMs);
    }
    return this.#lastUsefulMs;
  }

  start(): void {
    this.#isStarted = this.#standings.length > 0;
    this.#mustPlan = this.#isStarted;
  }

  stop(): void {
    this.#isStarted = false;
    for (const standing of this.#standings) this.#leavePicker(standing);
  }

  /** Something has become free, or is wanted that wasn't. */
  wake(): void {
    this.#mustPlan = this.#isStarted;
  }

  /** To be called at the end of every turn. `isGateShut`: nothing is to be read. */
  run(isGateShut: boolean): void {
    if (!this.#isStarted) return;
    const { holdings, disk } = this.#options;
    const isPaused = isGateShut || disk.stalledBy !== undefined;
    if (isPaused !== this.#isPaused) {
      this.#isPaused = isPaused;
      for (const { seed } of this.#standings) seed.setPaused(isPaused);
    }
    if (holdings.isDone) this.#rest();
    else if (this.#mustPlan && !isPaused) this.#plan();
  }

  handleTimeout(): void {
    if (!this.#isStarted) return;
    const { now } = this.#moment;
    for (const { seed } of this.#standings) seed.handleTimeout();
    if (now >= this.#nextLook()) this.#mustPlan = true;
  }

  deadline(): number {
    if (!this.#isStarted) return Number.POSITIVE_INFINITY;
    let next = this.#isPaused ? Number.POSITIVE_INFINITY : this.#nextLook();
    for (const { seed } of this.#standings) next = Math.min(next, seed.deadline());
    return next;
  }

  // What comes in.

  handleAnswer(fetchId: number, answer: WebAnswer): void {
    for (const { seed } of this.#standings) seed.answered(fetchId, answer);
  }

  handleBytes(fetchId: number, chunk: Uint8Array): void {
    for (const { seed } of this.#standings) seed.received(fetchId, chunk);
  }

  handleEnd(fetchId: number, failure: WebFetchFailure | undefined): void {
    for (const { seed } of this.#standings) seed.ended(fetchId, failure);
  }

  /** It has sent wrong data, beyond doubt. */
  ban(index: number): void {
    const standing = this.#standings.find(({ seed }) => seed.identity.webSeed === index);
    if (standing === undefined || standing.seed.identity.isBanned) return;
    standing.seed.identity.isBanned = true;
    standing.isDropped = true;
    this.#leavePicker(standing);
    this.#tell(standing, 'banned', 'sent wrong data');
    this.#mustPlan = true;
  }

  // What the seeds tell.

  serving(seed: WebSeed): void {
    const standing = this.#standingOf(seed);
    if (standing.isTold) return;
    standing.isTold = true;
    this.#tell(standing, 'serving', undefined);
  }

  finished(seed: WebSeed): void {
    const standing = this.#standingOf(seed);
    if (seed.hasServed) standing.badAnswers = 0;
    standing.barrenReads = seed.isFruitful ? 0 : standing.barrenReads + 1;
    // Once it is nobody's fault: somebody else was faster. Again and again it is asked in vain, and not at once.
    if (standing.barrenReads < 2) this.#mustPlan = true;
    else this.#lookAgainMs = this.#moment.now + LOOK_AGAIN_MS;
  }

  failed(seed: WebSeed, fault: SeedFault): void {
    const standing = this.#standingOf(seed);
    this.#leavePicker(standing);
    this.#mustPlan = true;
    standing.isTold = false;
    if (fault.kind === 'bad') standing.badAnswers += 1;
    if (fault.kind === 'forbidden' || standing.badAnswers >= MAX_BAD_WEB_ANSWERS) {
      this.#drop(standing, fault.message);
      return;
    }
    standing.failures = seed.hasServed ? 1 : standing.failures + 1;
    seed.hasServed = false;
    const backOffMs = Math.min(WEB_RETRY_FIRST_MS * 2 ** (standing.failures - 1), WEB_RETRY_MAX_MS);
    // Spread by a quarter: a busy server isn't to see everybody again in the same second.
    const waitMs = Math.max(backOffMs * (0.75 + 0.5 * this.#options.random()), fault.retryMs ?? 0);
    standing.retryAtMs = this.#moment.now + waitMs;
    this.#tell(standing, 'waiting', fault.message, { retryMs: Math.round(waitMs) });
  }

  fileMissing(seed: WebSeed, fileIndex: number, message: string): void {
    const standing = this.#standingOf(seed);
    this.#mustPlan = true;
    standing.missingFiles.add(fileIndex);
    if (standing.missingFiles.size <= MAX_NO_FILE_EVENTS) {
      this.#tell(standing, 'no-file', message, { fileIndex });
    }
    this.#leavePicker(standing);
    if (!this.#hasPieces(standing)) this.#drop(standing, 'it has no piece of the torrent');
  }

  // What to read.

  #plan(): void {
    const { buffers, download, holdings } = this.#options;
    if (buffers.isFull || download.isHalted || holdings.isDone) return;
    this.#mustPlan = false;
    this.#lookAgainMs = Number.POSITIVE_INFINITY;
    for (const standing of this.#standings) {
      if (!this.#mayPlan(standing)) continue;
      if (standing.seed.isReading) {
        this.#serveReader(standing);
        continue;
      }
      this.#enterPicker(standing);
      this.#begin(standing);
      if (!standing.seed.isReading) this.#lookAgainMs = this.#moment.now + LOOK_AGAIN_MS;
    }
  }

  #mayPlan(standing: Standing): boolean {
    if (standing.isDropped || standing.retryAtMs > this.#moment.now) return false;
    return standing.isInPicker || this.activeCount < MAX_ACTIVE_WEB_SEEDS;
  }

  #begin(standing: Standing): void {
    const { seed } = standing;
    const { picker } = this.#options;
    if (!picker.isInteresting(seed.handle)) return;
    const gap = this.#urgentGap(seed) ?? (picker.firstUrgent === undefined && this.#gap(seed));
    if (gap) {
      const endPiece = gap.firstPiece + gap.pieceCount - 1;
      const endOffset = this.#options.info.geometry.pieceSize(endPiece);
      seed.read({ pieceIndex: gap.firstPiece, blockOffset: 0, endPiece, endOffset }, false);
      return;
    }
    const range = this.#scattered(seed);
    if (range !== undefined) seed.read(range, true);
  }

  /** A reader of a file waits for something that is far from where the seed is reading. */
  #serveReader(standing: Standing): void {
    const { picker, info } = this.#options;
    const { seed } = standing;
    const urgent = picker.firstUrgent;
    const reserved = seed.reserved;
    if (urgent === undefined || reserved === undefined) return;
    if (!picker.peerHas(seed.handle, urgent)) return;
    if (picker.piecePriority(reserved.first) === PRIORITY_URGENT) return;
    const distanceBytes = (urgent - reserved.first) * info.geometry.pieceLength;
    const isOnItsWay = urgent >= reserved.first && urgent <= reserved.last;
    if (isOnItsWay && distanceBytes <= MAX_WEB_SKIP_BYTES) return;
    seed.stop();
    this.#begin(standing);
  }

  #urgentGap(seed: WebSeed) {
    const urgent = this.#options.picker.firstUrgent;
    if (urgent === undefined) return undefined;
    const gap = gapAt(this.#view(seed), urgent, this.#maxPieces(seed));
    return gap.pieceCount > 0 ? gap : undefined;
  }

  #gap(seed: WebSeed) {
    const { info, random, isSequential } = this.#options;
    return chooseGap(this.#view(seed), {
      maxPieces: this.#maxPieces(seed),
      startPiece: Math.floor(random() * info.geometry.pieceCount),
      nextPiece: seed.nextPiece,
      isSequential,
    });
  }

  /** What the picker would ask a peer for. */
  #scattered(seed: WebSeed): SeedRange | undefined {
    const { picker, info } = this.#options;
    const blocks: { pieceIndex: number; blockIndex: number }[] = [];
    picker.pick(
      seed.handle,
      MAX_WEB_SCATTERED_BLOCKS,
      (pieceIndex, blockIndex) => blocks.push({ pieceIndex, blockIndex }),
      { parole: seed.identity.suspicions > 0 },
    );
    const chosen = scatteredRange(info.geometry, blocks, MAX_WEB_SKIP_BYTES);
    for (const { pieceIndex, blockIndex } of chosen?.left ?? []) {
      picker.releaseRequest(seed.handle, pieceIndex, blockIndex);
    }
    return chosen?.range;
  }

  #view(seed: WebSeed): GapView {
    const { picker, info } = this.#options;
    const reserved = this.#standings.flatMap((other) => other.seed.reserved ?? []);
    return {
      pieceCount: info.geometry.pieceCount,
      isFree: (piece) =>
        picker.isFresh(piece) &&
        picker.peerHas(seed.handle, piece) &&
        !reserved.some(({ first, last }) => piece >= first && piece <= last),
      availability: (piece) => picker.availability(piece),
    };
  }

  #maxPieces(seed: WebSeed): number {
    const { pieceLength } = this.#options.info.geometry;
    const rate = seed.down.rate(this.#moment.now);
    const bytes = seed.down.totalBytes === 0 ? FIRST_WEB_RANGE_BYTES : (rate * WEB_RANGE_MS) / 1000;
    const bounded = Math.max(MIN_WEB_RANGE_BYTES, Math.min(bytes, MAX_WEB_RANGE_BYTES));
    return Math.max(1, Math.round(bounded / pieceLength));
  }

  // The rest.

  #enterPicker(standing: Standing): void {
    if (standing.isInPicker) return;
    const { picker, info } = this.#options;
    standing.isInPicker = true;
    standing.seed.handle = picker.addPeer();
    standing.seed.setPaused(this.#isPaused);
    if (standing.missingFiles.size === 0) picker.peerHaveAll(standing.seed.handle);
    else picker.peerBitfield(standing.seed.handle, piecesWithout(info, standing.missingFiles));
  }

  /** It reads nothing any more, and what it had is not to be had from it. */
  #leavePicker(standing: Standing): void {
    if (!standing.isInPicker) return;
    standing.seed.stop();
    standing.isInPicker = false;
    this.#options.picker.removePeer(standing.seed.handle);
  }

  #drop(standing: Standing, message: string): void {
    standing.isDropped = true;
    this.#tell(standing, 'dropped', message);
  }

  /** Everything is there: nobody is to read on. */
  #rest(): void {
    for (const { seed } of this.#standings) if (seed.isReading) seed.stop();
  }

  #hasPieces({ missingFiles }: Standing): boolean {
    return piecesWithout(this.#options.info, missingFiles).some((byte) => byte !== 0);
  }

  /** A seed that has failed may try again, or one without work looks for some. */
  #nextLook(): number {
    if (this.#options.holdings.isDone) return Number.POSITIVE_INFINITY;
    let next = this.#lookAgainMs;
    const hasRoom = this.activeCount < MAX_ACTIVE_WEB_SEEDS;
    for (const { isDropped, isInPicker, retryAtMs } of this.#standings) {
      if (!isDropped && !isInPicker && hasRoom) next = Math.min(next, retryAtMs);
    }
    return next;
  }

  #standingOf(seed: WebSeed): Standing {
    return this.#standings.find((standing) => standing.seed === seed)!;
  }

  #tell(
    { seed }: Standing,
    outcome: (TorrentEvent & { type: 'web-seed' })['outcome'],
    message: string | undefined,
    more: { readonly fileIndex?: number; readonly retryMs?: number } = {},
  ): void {
    const event: TorrentEvent = {
      type: 'web-seed',
      index: seed.identity.webSeed,
      url: redactUrl(seed.url),
      outcome,
      message,
      fileIndex: more.fileIndex,
      retryMs: more.retryMs,
    };
    this.#options.push({ type: 'event', event });
  }
}

/** With their places in the list. */
function usableUrls(urls: readonly string[]): [number, string][] {
  const seen = new Set<string>();
  const usable: [number, string][] = [];
  for (const [index, url] of urls.entries()) {
    if (usable.length === MAX_WEB_SEEDS) break;
    if (seen.has(url) || !/^https?:\/\//i.test(url)) continue;
    seen.add(url);
    usable.push([index, url]);
  }
  return usable;
}

/** A BEP 3 bitfield of the pieces with no byte in these files. */
function piecesWithout(info: Info, files: ReadonlySet<number>): Uint8Array {
  const { geometry } = info;
  const bits = new Uint8Array((geometry.pieceCount + 7) >>> 3).fill(0xff);
  for (let piece = geometry.pieceCount; piece < bits.length * 8; piece += 1) {
    bits[piece >>> 3]! &= ~(0x80 >>> (piece & 7));
  }
  for (const fileIndex of files) {
    const pieces = geometry.filePieces(fileIndex);
    for (let piece = pieces?.first ?? 0; piece <= (pieces?.last ?? -1); piece += 1) {
      bits[piece >>> 3]! &= ~(0x80 >>> (piece & 7));
    }
  }
  return bits;
}

function count<T>(values: readonly T[], test: (value: T) => boolean): number {
  let sum = 0;
  for (const value of values) if (test(value)) sum += 1;
  return sum;
}

function shuffle<T>(values: T[], random: () => number): void {
  for (let i = values.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
}
