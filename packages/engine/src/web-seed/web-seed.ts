// One web seed (BEP 19): reads a range of the torrent over HTTP, one request for each file in it, and judges what the
// server answers. What it is to read next, and when it may try again, is decided in web-seeds.ts.

import { type Info, PADDING } from '@bt/metainfo';
import type { PeerHandle, Picker } from '@bt/picker';
import type { BlockWriter } from '@bt/storage';
import type { BlockSource, Download } from '../download.ts';
import {
  MAX_WEB_FETCHES,
  MAX_WEB_SKIP_BYTES,
  MAX_WEB_WASTE_BYTES,
  WEB_AHEAD_BYTES,
  WEB_CLAIM_MS,
} from '../limits.ts';
import type { Moment } from '../moment.ts';
import { RateMeter } from '../rates.ts';
import { judgeAnswer, type WebAnswer } from './answer.ts';
import { fileSpanAt, type SeedRange } from './file-span.ts';
import { RangeReader } from './range-reader.ts';
import { seedFileUrl } from './seed-url.ts';
import { WebFetch, type WebFetchEffect, type WebFetchFailure } from './web-fetch.ts';

/** Blame for wrong data finds a seed by it. */
export interface WebSeedIdentity {
  suspicions: number;
  isBanned: boolean;
  /** Its place in the list of the torrent's web seeds. */
  readonly webSeed: number;
}

/** Why a seed has stopped reading. */
export interface SeedFault {
  /** `busy`: later, perhaps; `bad`: an answer against the rules; `forbidden`: never again. */
  readonly kind: 'busy' | 'bad' | 'forbidden';
  readonly message: string;
  /** Not before, as the server wishes. */
  readonly retryMs?: number | undefined;
}

/** What happens at a seed. It has stopped reading when it is called, but for `serving`. */
export interface SeedObserver {
  /** The server answers what it was asked for. */
  serving(seed: WebSeed): void;
  /** The range is read, or not worth reading on. */
  finished(seed: WebSeed): void;
  failed(seed: WebSeed, fault: SeedFault): void;
  fileMissing(seed: WebSeed, fileIndex: number, message: string): void;
}

/** What the seeds of a torrent share. */
export interface SeedParts {
  readonly moment: Moment;
  readonly info: Info;
  readonly picker: Picker;
  readonly download: Download;
  readonly observer: SeedObserver;
  /** What one seed may claim. */
  readonly maxClaimBytes: () => number;
  readonly push: (effect: WebFetchEffect) => void;
  readonly nextFetchId: () => number;
}

/** A file's bytes that are on their way, or padding. */
type Stretch = WebFetch | { readonly paddingBytes: number };

export class WebSeed implements BlockSource {
  readonly url: string;
  readonly identity: WebSeedIdentity;
  readonly writer: BlockWriter;
  readonly down: RateMeter;
  /** In the picker; only to be used while the seed is there. */
  handle: PeerHandle = -1;
  blockPiece = 0;
  blockOffset = 0;
  blockLength = 0;
  /** Where its last range ended. */
  nextPiece: number | undefined;
  /** Blocks that were lacking have come since it last failed. */
  hasServed = false;
  /** The same since it began to read its range. */
  isFruitful = false;
  /** When the last of them came. */
  lastAcceptedMs = Number.NEGATIVE_INFINITY;
  readonly #parts: SeedParts;
  #reader: RangeReader | undefined;
  /** What is under way, in the order of the torrent; only the first is read. */
  #stretches: Stretch[] = [];
  /** Where the last of them ends. */
  #askedTo = { pieceIndex: 0, offset: 0 };
  #isPaused = false;

  constructor(index: number, url: string, writer: BlockWriter, parts: SeedParts) {
    this.url = url;
    this.writer = writer;
    this.identity = { suspicions: 0, isBanned: false, webSeed: index };
    this.down = new RateMeter(parts.moment.now);
    this.#parts = parts;
  }

  get isReading(): boolean {
    return this.#reader !== undefined;
  }

  /** It is of use: blocks come, or would if we read. */
  get isUseful(): boolean {
    return this.isServing && (this.hasServed || this.#isPaused);
  }

  /** The server is sending, or would if we read. */
  get isServing(): boolean {
    const [head] = this.#stretches;
    return head instanceof WebFetch && head.isAnswered;
  }

  /** What is still to be read, as pieces. */
  get reserved(): { readonly first: number; readonly last: number } | undefined {
    const reader = this.#reader;
    return reader && { first: reader.pieceIndex, last: reader.range.endPiece };
  }

  /** Begins to read. `isClaimed`: the picker has written down the blocks that are wanted. */
  read(range: SeedRange, isClaimed: boolean): void {
    const { pieceIndex, blockOffset } = range;
    this.isFruitful = false;
    this.#reader = this.#makeReader(range, isClaimed);
    this.#askedTo = { pieceIndex, offset: blockOffset };
    this.#goOn();
  }

  /** Stops reading; what was claimed is free. */
  stop(): void {
    for (const stretch of this.#stretches) this.#cancel(stretch);
    this.#stretches = [];
    const reader = this.#reader;
    if (reader === undefined) return;
    this.nextPiece = reader.pieceIndex;
    this.#reader = undefined;
    reader.abandon();
  }

  /** Nothing is to be read, or everything again. */
  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#updatePause();
  }

  countBlock(now: number, lengthBytes: number): void {
    this.down.add(now, lengthBytes);
    const [head] = this.#stretches;
    if (head instanceof WebFetch) head.block.reset(now);
  }

  // What the server does.

  answered(fetchId: number, answer: WebAnswer): void {
    const fetch = this.#find(fetchId);
    if (fetch === undefined || fetch.isAnswered) return;
    const { observer, moment } = this.#parts;
    const verdict = judgeAnswer(answer, fetch);
    if (verdict.kind === 'no-file') {
      this.#lacksFile(fetch.fileIndex, verdict.message);
      return;
    }
    if (verdict.kind === 'bad' || verdict.kind === 'busy') {
      this.#fail(verdict);
      return;
    }
    fetch.answered(moment.now);
    if (verdict.kind === 'range') {
      fetch.isShort = verdict.end < fetch.end;
      fetch.end = verdict.end;
    } else if (!this.#takeWhole(fetch)) {
      this.#lacksFile(fetch.fileIndex, 'the server sends whole files only');
      return;
    }
    observer.serving(this);
  }

  received(fetchId: number, chunk: Uint8Array): void {
    const fetch = this.#find(fetchId);
    const reader = this.#reader;
    if (fetch === undefined || reader === undefined || fetch !== this.#stretches[0]) return;
    const { now } = this.#parts.moment;
    fetch.silence.reset(now);
    const length = Math.min(chunk.length, fetch.remainingBytes);
    const discarded = Math.min(length, Math.max(0, fetch.readFrom - fetch.position));
    if (discarded > 0) this.#parts.download.countDuplicate(this, discarded);
    fetch.position += length;
    reader.feed(chunk, discarded, length, this.#isGone);
    if (this.#reader === undefined) return;
    reader.claim(this.#claimBytes());
    if (length < chunk.length && !fetch.isWhole) {
      this.#fail({ kind: 'bad', message: 'more than was asked for' });
    } else if (fetch.isWhole && fetch.remainingBytes === 0 && fetch.end < fetch.fileLength) {
      this.#finish();
    } else if (reader.isSkipping && !reader.isOver && !reader.isWorthwhile(maxSkip(fetch))) {
      this.#finish();
    }
  }

  /** The answer is over: as HTTP frames it, or by a failure. */
  ended(fetchId: number, failure: WebFetchFailure | undefined): void {
    const fetch = this.#find(fetchId);
    if (fetch === undefined) return;
    if (failure !== undefined) {
      const { message, code } = failure;
      const kind = code === 'connection' ? 'busy' : code === 'bad-answer' ? 'bad' : 'forbidden';
      this.#fail({ kind, message });
    } else if (!fetch.isAnswered || fetch.remainingBytes > 0) {
      this.#fail({ kind: 'busy', message: 'the answer ends too early' });
    } else if (fetch.isShort) {
      this.#stretches.shift();
      if (this.#reader?.hasBlock === true) this.#finish();
      else this.#fail({ kind: 'bad', message: 'less than a block of what was asked for' });
    } else {
      this.#stretches.shift();
      this.#goOn();
    }
  }

  // Time.

  deadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const stretch of this.#stretches) {
      if (stretch instanceof WebFetch) next = Math.min(next, stretch.deadline());
    }
    return next;
  }

  handleTimeout(): void {
    const { now } = this.#parts.moment;
    for (const fetch of this.#stretches) {
      if (!(fetch instanceof WebFetch) || fetch.deadline() > now) continue;
      // Nothing is wrong with a range that takes long: the rest is asked for anew.
      const isLong = !fetch.isWhole && fetch.whole.isOver(now) && this.hasServed;
      if (isLong) this.#finish();
      else this.#fail({ kind: 'busy', message: 'the server is silent or too slow' });
      return;
    }
  }

  // Inside.

  readonly #accepted = (): void => {
    this.hasServed = true;
    this.isFruitful = true;
    this.lastAcceptedMs = this.#parts.moment.now;
  };

  readonly #isGone = (): boolean => this.#reader === undefined;

  #makeReader(range: SeedRange, isClaimed: boolean): RangeReader {
    const { picker, download, info } = this.#parts;
    const { geometry } = info;
    const reader = new RangeReader({
      geometry,
      picker,
      download,
      source: this,
      range,
      isClaimed,
      accepted: this.#accepted,
    });
    reader.claim(this.#claimBytes());
    return reader;
  }

  #claimBytes(): number {
    const rate = this.down.rate(this.#parts.moment.now);
    return Math.min((rate * WEB_CLAIM_MS) / 1000, this.#parts.maxClaimBytes());
  }

  #find(fetchId: number): WebFetch | undefined {
    for (const stretch of this.#stretches) {
      if (stretch instanceof WebFetch && stretch.id === fetchId) return stretch;
    }
    return undefined;
  }

  /** Asks for what follows, reads padding where it is the next, and lets the first request be read. */
  #goOn(): void {
    for (;;) {
      this.#askAhead();
      const [head] = this.#stretches;
      if (head === undefined) {
        this.#finish();
        return;
      }
      if (head instanceof WebFetch) break;
      this.#stretches.shift();
      this.#reader?.feedPadding(head.paddingBytes, this.#isGone);
      if (this.#reader === undefined) return;
    }
    this.#updatePause();
  }

  #askAhead(): void {
    const { range } = this.#reader!;
    while (this.#mayAskAhead()) {
      const { pieceIndex, offset } = this.#askedTo;
      if (pieceIndex > range.endPiece) return;
      if (pieceIndex === range.endPiece && offset >= range.endOffset) return;
      const { geometry, files } = this.#parts.info;
      const lengthOf = (fileIndex: number) => files.lengthOf(fileIndex);
      const span = fileSpanAt(geometry, lengthOf, this.#askedTo, range);
      this.#askedTo = this.#placeAfter(span.lengthBytes);
      if (span.fileIndex === PADDING) this.#stretches.push({ paddingBytes: span.lengthBytes });
      else this.#ask(span.fileIndex, span.fileOffset, span.lengthBytes);
    }
  }

  #mayAskAhead(): boolean {
    if (this.#stretches.length === 0) return true;
    if (this.#stretches.length >= MAX_WEB_FETCHES) return false;
    let aheadBytes = 0;
    for (const stretch of this.#stretches) {
      if (stretch instanceof WebFetch) aheadBytes += stretch.remainingBytes;
    }
    return aheadBytes < WEB_AHEAD_BYTES;
  }

  #placeAfter(lengthBytes: number): { pieceIndex: number; offset: number } {
    const { geometry } = this.#parts.info;
    let { pieceIndex, offset } = this.#askedTo;
    let left = lengthBytes;
    for (;;) {
      const room = geometry.pieceSize(pieceIndex) - offset;
      if (left < room) return { pieceIndex, offset: offset + left };
      left -= room;
      pieceIndex += 1;
      offset = 0;
      if (left === 0) return { pieceIndex, offset };
    }
  }

  #ask(fileIndex: number, start: number, lengthBytes: number): void {
    const { info, moment, push, nextFetchId } = this.#parts;
    const fileLength = info.files.lengthOf(fileIndex);
    const end = start + lengthBytes;
    const isPaused = this.#isPaused || this.#stretches.length > 0;
    const span = { fileIndex, start, end, fileLength };
    const fetch = new WebFetch(moment.now, nextFetchId(), span, isPaused);
    this.#stretches.push(fetch);
    push({
      type: 'web-fetch',
      fetchId: fetch.id,
      seedIndex: this.identity.webSeed,
      url: seedFileUrl(this.url, info, fileIndex),
      start,
      end,
      fileLength,
      isPaused,
    });
  }

  /**
   * The server sends the whole file. Read from its beginning, unless more of it would be thrown away than used; false then.
   * What follows the range in the file comes anyway, so it is read, too.
   */
  #takeWhole(fetch: WebFetch): boolean {
    const { geometry } = this.#parts.info;
    fetch.isWhole = true;
    if (fetch.end - fetch.start === fetch.fileLength) return true;
    const pieces = geometry.filePieces(fetch.fileIndex)!;
    if (fetch.start === 0) {
      // The beginning of the range's last file: what comes after it may be had as well.
      if (fetch === this.#stretches.at(-1)) this.#readToFileEnd(fetch, pieces.last);
      return true;
    }
    if (!this.#isWholeWorthwhile(fetch, pieces)) return false;
    for (const stretch of this.#stretches) if (stretch !== fetch) this.#cancel(stretch);
    this.#stretches = [fetch];
    this.#reader?.abandon();
    const place = geometry.fileStart(fetch.fileIndex);
    const { blockLength } = geometry;
    const blocksBefore = Math.ceil(place.offset / blockLength);
    const isNextPiece = blocksBefore * blockLength >= geometry.pieceSize(place.pieceIndex);
    const pieceIndex = place.pieceIndex + (isNextPiece ? 1 : 0);
    const blockOffset = isNextPiece ? 0 : blocksBefore * blockLength;
    const skipped = isNextPiece
      ? geometry.pieceSize(place.pieceIndex) - place.offset
      : blockOffset - place.offset;
    fetch.restart(skipped);
    const endOffset = geometry.pieceSize(pieces.last);
    const range = { pieceIndex, blockOffset, endPiece: pieces.last, endOffset };
    this.#reader = this.#makeReader(range, false);
    this.#readToFileEnd(fetch, pieces.last);
    return true;
  }

  #readToFileEnd(fetch: WebFetch, lastPiece: number): void {
    fetch.end = fetch.fileLength;
    this.#reader?.extendTo(lastPiece);
    const { geometry } = this.#parts.info;
    const { pieceIndex, offset } = geometry.fileStart(fetch.fileIndex);
    this.#askedTo = { pieceIndex, offset };
    this.#askedTo = this.#placeAfter(fetch.fileLength);
  }

  #isWholeWorthwhile(
    fetch: WebFetch,
    pieces: { readonly first: number; readonly last: number },
  ): boolean {
    const { picker, info } = this.#parts;
    let usefulBytes = 0;
    for (let piece = pieces.first; piece <= pieces.last; piece += 1) {
      if (!picker.hasPiece(piece) && picker.piecePriority(piece) > 0) {
        usefulBytes += info.geometry.pieceSize(piece);
      }
    }
    return fetch.fileLength - usefulBytes <= Math.max(usefulBytes, MAX_WEB_WASTE_BYTES);
  }

  #updatePause(): void {
    const [head] = this.#stretches;
    if (!(head instanceof WebFetch) || head.isPaused === this.#isPaused) return;
    head.setPaused(this.#parts.moment.now, this.#isPaused);
    this.#parts.push({ type: 'web-fetch-pause', fetchId: head.id, isPaused: head.isPaused });
  }

  #cancel(stretch: Stretch): void {
    if (!(stretch instanceof WebFetch)) return;
    this.#parts.push({ type: 'web-fetch-cancel', fetchId: stretch.id });
  }

  #finish(): void {
    this.stop();
    this.#parts.observer.finished(this);
  }

  #fail(fault: SeedFault): void {
    this.stop();
    this.#parts.observer.failed(this, fault);
  }

  #lacksFile(fileIndex: number, message: string): void {
    this.stop();
    this.#parts.observer.fileMissing(this, fileIndex, message);
  }
}

function maxSkip(fetch: WebFetch): number {
  return fetch.isWhole ? Number.POSITIVE_INFINITY : MAX_WEB_SKIP_BYTES;
}
