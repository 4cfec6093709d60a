// A web server on virtual time: it has the files of a content, sends at a rate, and misbehaves as a test wants.

import { PADDING } from '@bt/metainfo';
import type { VirtualClock } from '@bt/simulator';
import type { TorrentEffect } from '../../src/index.ts';
import type { WebAnswer } from '../../src/web-seed/answer.ts';
import { seedFileUrl } from '../../src/web-seed/seed-url.ts';
import type { WebFetchEffect, WebFetchFailure } from '../../src/web-seed/web-fetch.ts';
import type { Content } from './content.ts';

export interface SimWebServerOptions {
  readonly latencyMs?: number;
  readonly bytesPerSecond?: number;
  /** Ranges are not known to it. */
  readonly ignoresRanges?: boolean;
  /** The answer to a request that is not what an honest server gives. */
  readonly misbehave?: (request: SimWebRequest) => Misbehaviour | undefined;
}

export interface SimWebRequest {
  readonly fileIndex: number;
  readonly start: number;
  readonly end: number;
  readonly atMs: number;
  /** Requests before this one. */
  readonly number: number;
}

export interface Misbehaviour {
  readonly answer?: Partial<WebAnswer>;
  /** The body ends, or is reset, after so many bytes. */
  readonly endAfter?: number;
  readonly failure?: WebFetchFailure;
  /** Bytes behind what was asked for. */
  readonly extraBytes?: number;
  /** Each byte of the body is changed. */
  readonly isWrong?: boolean;
  /** No answer ever comes. */
  readonly isSilent?: boolean;
  readonly bytesPerSecond?: number;
}

export interface WebOutcome {
  answer(answer: WebAnswer): void;
  bytes(chunk: Uint8Array): void;
  end(failure?: WebFetchFailure): void;
}

export interface SimFetch {
  setPaused(isPaused: boolean): void;
  cancel(): void;
}

const CHUNK_BYTES = 20_000;

export class SimWebServer {
  readonly url: string;
  readonly requests: SimWebRequest[] = [];
  sentBytes = 0;
  cancelled = 0;
  /** Requests under way, and the most there were. */
  open = 0;
  mostOpen = 0;
  readonly #clock: VirtualClock;
  readonly #content: Content;
  readonly #options: SimWebServerOptions;
  #freeAtMs = 0;

  constructor(clock: VirtualClock, content: Content, url: string, options: SimWebServerOptions) {
    this.#clock = clock;
    this.#content = content;
    this.url = url;
    this.#options = options;
  }

  fetch(effect: WebFetchEffect & { type: 'web-fetch' }, outcome: WebOutcome): SimFetch {
    const fileIndex = this.#fileOf(effect.url);
    const { start, end, fileLength } = effect;
    const { length: number } = this.requests;
    const request = { fileIndex, start, end, atMs: this.#clock.now, number };
    this.requests.push(request);
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    const wrong = this.#options.misbehave?.(request) ?? {};
    const isWhole = this.#options.ignoresRanges === true;
    const body = this.#body(fileIndex, isWhole ? 0 : start, isWhole ? fileLength : end, wrong);
    let isPaused = effect.isPaused;
    let isOver = false;
    let isAnswered = false;
    let sent = 0;
    let isWaiting = false;
    const rate = wrong.bytesPerSecond ?? this.#options.bytesPerSecond ?? 10_000_000;
    const chunkBytes = Math.max(1, Math.min(CHUNK_BYTES, rate / 10));
    const over = () => {
      if (!isOver) this.open -= 1;
      isOver = true;
    };
    const step = () => {
      isWaiting = false;
      if (isOver || isPaused) return;
      const limit = Math.min(wrong.endAfter ?? body.length, body.length);
      if (sent >= limit) {
        over();
        outcome.end(wrong.failure);
        return;
      }
      const chunk = body.subarray(sent, Math.min(sent + chunkBytes, limit));
      sent += chunk.length;
      this.sentBytes += chunk.length;
      // The receiver may not keep it.
      const copy = chunk.slice();
      outcome.bytes(copy);
      copy.fill(0xee);
      next();
    };
    const next = () => {
      if (isWaiting || isOver || isPaused) return;
      isWaiting = true;
      const bytes = Math.min(chunkBytes, body.length - sent);
      this.#freeAtMs = Math.max(this.#freeAtMs, this.#clock.now) + (bytes / rate) * 1000;
      this.#clock.after(this.#freeAtMs - this.#clock.now, step);
    };
    if (wrong.isSilent !== true) {
      this.#clock.after(this.#options.latencyMs ?? 20, () => {
        if (isOver) return;
        if (wrong.failure !== undefined && wrong.endAfter === undefined) {
          over();
          outcome.end(wrong.failure);
          return;
        }
        isAnswered = true;
        outcome.answer({
          status: isWhole ? 200 : 206,
          contentRange: isWhole ? undefined : `bytes ${start}-${end - 1}/${fileLength}`,
          contentLength: String(body.length),
          contentEncoding: undefined,
          retryAfterMs: undefined,
          ...wrong.answer,
        });
        next();
      });
    }
    return {
      setPaused: (paused) => {
        isPaused = paused;
        if (isAnswered) next();
      },
      cancel: () => {
        if (!isOver) this.cancelled += 1;
        over();
      },
    };
  }

  #fileOf(url: string): number {
    const { info } = this.#content;
    for (let file = 0; file < info.files.count; file += 1) {
      if (seedFileUrl(this.url, info, file) === url) return file;
    }
    throw new Error(`${url} is not a file of the torrent`);
  }

  /** Bytes of a file, as they stand in the content. */
  #body(fileIndex: number, start: number, end: number, wrong: Misbehaviour): Uint8Array {
    const { info, bytes } = this.#content;
    if (info.files.isPad(fileIndex) || fileIndex === PADDING || start === end) {
      throw new Error('padding and empty files are never asked for');
    }
    const place = info.geometry.fileStart(fileIndex);
    const offset = place.pieceIndex * info.pieceLength + place.offset;
    const extra = wrong.extraBytes ?? 0;
    const body = new Uint8Array(end - start + extra);
    body.set(bytes.subarray(offset + start, offset + end));
    if (wrong.isWrong === true) for (let i = 0; i < body.length; i += 1) body[i]! ^= 0x55;
    return body;
  }
}

export function isWebFetchEffect(effect: TorrentEffect): effect is WebFetchEffect {
  return effect.type.startsWith('web-fetch');
}

/** Carries out what one torrent wants of its web seeds. */
export class SimWebFetches {
  readonly #servers: readonly SimWebServer[];
  readonly #outcome: (fetchId: number) => WebOutcome;
  readonly #fetches = new Map<number, SimFetch>();

  constructor(servers: readonly SimWebServer[], outcome: (fetchId: number) => WebOutcome) {
    this.#servers = servers;
    this.#outcome = outcome;
  }

  carryOut(effect: WebFetchEffect): void {
    const { fetchId } = effect;
    if (effect.type === 'web-fetch') {
      const server = this.#servers[effect.seedIndex]!;
      this.#fetches.set(fetchId, server.fetch(effect, this.#outcome(fetchId)));
    } else if (effect.type === 'web-fetch-pause') {
      this.#fetches.get(fetchId)!.setPaused(effect.isPaused);
    } else {
      this.#fetches.get(fetchId)!.cancel();
    }
  }
}
