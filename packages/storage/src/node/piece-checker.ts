/**
 * Hashing pieces from disk with all workers: pieces that follow each other go in one job, so that small pieces cost one
 * read and one message for many; and only as many jobs are under way as keep the workers busy, so that a save never waits
 * long behind a recheck.
 */
import { type StorageError, storageError } from '../errors.ts';
import { SpanBuilder } from '../layout.ts';
import type { JobExecutor } from './disk-pool.ts';
import { type CheckJob, type ExpectedHash, UNREADABLE } from './protocol.ts';
import type { TorrentFiles } from './torrent-files.ts';

export interface CheckListener {
  /** `result` is `RIGHT`, `WRONG` or `UNREADABLE`; `error` says why some piece of the same job could not be read. */
  onChecked(pieceIndex: number, result: number, error: StorageError | undefined): void;
  /** A job's pieces have all been told of. */
  onJobDone?(): void;
}

/** A job holds pieces of up to this many bytes, but at least one. */
const JOB_BYTES = 4 * 1024 * 1024;
const JOB_PIECES = 512;

export class PieceChecker {
  readonly #executor: JobExecutor;
  readonly #files: TorrentFiles;
  readonly #listener: CheckListener;
  /** Piece indices to come, in the order they were asked for. */
  #queue: number[] = [];
  #head = 0;
  #jobs = 0;
  #isScheduled = false;
  #onIdle: (() => void)[] = [];

  constructor(executor: JobExecutor, files: TorrentFiles, listener: CheckListener) {
    this.#executor = executor;
    this.#files = files;
    this.#listener = listener;
  }

  /** Ask for a piece. Pieces asked for in one turn of the event loop are gathered. */
  add(pieceIndex: number): void {
    this.#queue.push(pieceIndex);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  /** Give up what has not been sent; `visit` gets each such piece. */
  cancel(visit: (pieceIndex: number) => void): void {
    const left = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    for (const pieceIndex of left) visit(pieceIndex);
    this.#checkIdle();
  }

  /** Resolves when nothing is left to do. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#checkIdle();
    });
  }

  #pump(): void {
    while (this.#head < this.#queue.length && this.#jobs < this.#executor.maxWorkers * 2) {
      this.#sendJob();
    }
    this.#checkIdle();
  }

  #sendJob(): void {
    const files = this.#files;
    const { geometry } = files.info;
    const list = new SpanBuilder();
    const pieces: number[] = [];
    const sizes: number[] = [];
    const expected: ExpectedHash[] = [];
    let bytes = 0;
    while (this.#head < this.#queue.length && pieces.length < JOB_PIECES) {
      const pieceIndex = this.#queue[this.#head]!;
      const sizeBytes = geometry.pieceSize(pieceIndex);
      if (pieces.length > 0 && bytes + sizeBytes > JOB_BYTES) break;
      this.#head++;
      const hash = files.expected(pieceIndex);
      if (hash === undefined) {
        this.#listener.onChecked(pieceIndex, UNREADABLE, undefined);
        continue;
      }
      pieces.push(pieceIndex);
      sizes.push(sizeBytes);
      expected.push(hash);
      bytes += sizeBytes;
      list.add(geometry, pieceIndex, 0, sizeBytes);
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    if (pieces.length === 0) return;
    this.#jobs++;
    const spans = files.jobSpans(list);
    const job: CheckJob = { kind: 'check', ...spans, sizes, expected, blockHashes: 'never' };
    this.#executor.submit(job, (answer, cause) => {
      this.#jobs--;
      const error =
        answer === undefined
          ? storageError('io', { cause })
          : answer.failure && files.error(answer.failure, list);
      pieces.forEach((pieceIndex, index) => {
        this.#listener.onChecked(pieceIndex, answer?.results[index] ?? UNREADABLE, error);
      });
      this.#listener.onJobDone?.();
      this.#pump();
    });
  }

  #checkIdle(): void {
    if (this.#jobs > 0 || this.#head < this.#queue.length) return;
    for (const callback of this.#onIdle.splice(0)) callback();
  }
}
