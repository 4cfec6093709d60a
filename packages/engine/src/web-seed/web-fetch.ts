// One HTTP request for one span of a file: what the owner of a torrent is to do, and how far it has come.

import {
  WEB_ANSWER_TIMEOUT_MS,
  WEB_BLOCK_TIMEOUT_MS,
  WEB_RANGE_TIMEOUT_MS,
  WEB_SILENCE_TIMEOUT_MS,
} from '../limits.ts';
import { Stopwatch } from './stopwatch.ts';

/** What the owner is to do. The outcome comes through `handleWebAnswer`, `handleWebBytes` and `handleWebEnd`. */
export type WebFetchEffect =
  | {
      readonly type: 'web-fetch';
      readonly fetchId: number;
      /** Which of the torrent's web seeds; requests to one may share connections. */
      readonly seedIndex: number;
      readonly url: string;
      /** Bytes `start` to `end` (exclusive) of a file of `fileLength`. */
      readonly start: number;
      readonly end: number;
      readonly fileLength: number;
      /** The body is not to be read yet. */
      readonly isPaused: boolean;
    }
  | { readonly type: 'web-fetch-pause'; readonly fetchId: number; readonly isPaused: boolean }
  | { readonly type: 'web-fetch-cancel'; readonly fetchId: number };

/** Why a request came to nothing, as the owner tells it. The message holds no URL and nothing that was received. */
export interface WebFetchFailure {
  /**
   * - `forbidden`: the URL is none, or it or a redirect leads where it may not
   * - `bad-answer`: not HTTP, headers without end, redirects without end
   * - `connection`: anything else: no such name, refused, reset, TLS
   */
  readonly code: 'forbidden' | 'bad-answer' | 'connection';
  readonly message: string;
}

export interface WebFetchSpan {
  readonly fileIndex: number;
  readonly start: number;
  readonly end: number;
  readonly fileLength: number;
}

export class WebFetch {
  readonly id: number;
  readonly fileIndex: number;
  readonly fileLength: number;
  /** Where what was asked for begins, in the file. */
  readonly start: number;
  /** Bytes before this one are thrown away. */
  readFrom: number;
  /** Where reading ends. */
  end: number;
  /** The next byte to come. */
  position: number;
  isAnswered = false;
  /** The body goes on to the end of the file, whatever was asked for. */
  isWhole = false;
  /** The server has cut the range short: what follows has to be asked for anew. */
  isShort = false;
  isPaused: boolean;
  readonly answering = new Stopwatch(WEB_ANSWER_TIMEOUT_MS);
  readonly silence = new Stopwatch(WEB_SILENCE_TIMEOUT_MS);
  readonly block = new Stopwatch(WEB_BLOCK_TIMEOUT_MS);
  readonly whole = new Stopwatch(WEB_RANGE_TIMEOUT_MS);

  constructor(now: number, id: number, span: WebFetchSpan, isPaused: boolean) {
    this.id = id;
    this.fileIndex = span.fileIndex;
    this.fileLength = span.fileLength;
    this.start = span.start;
    this.readFrom = span.start;
    this.end = span.end;
    this.position = span.start;
    this.isPaused = isPaused;
    this.answering.run(now);
  }

  get remainingBytes(): number {
    return this.end - this.position;
  }

  /** The head of the answer has come. */
  answered(now: number): void {
    this.isAnswered = true;
    this.answering.hold(now);
    this.setPaused(now, this.isPaused);
  }

  /** The body is the whole file, of which so much at the beginning is of no use. */
  restart(readFrom: number): void {
    this.position = 0;
    this.readFrom = readFrom;
  }

  /** What is not read doesn't count as silent. */
  setPaused(now: number, isPaused: boolean): void {
    this.isPaused = isPaused;
    for (const watch of [this.silence, this.block, this.whole]) {
      if (isPaused || !this.isAnswered) watch.hold(now);
      else watch.run(now);
    }
  }

  deadline(): number {
    return Math.min(
      this.answering.deadline(),
      this.silence.deadline(),
      this.block.deadline(),
      this.isWhole ? Number.POSITIVE_INFINITY : this.whole.deadline(),
    );
  }
}
