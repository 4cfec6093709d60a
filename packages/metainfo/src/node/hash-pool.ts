// Hash workers: threads that read files and hash them, fed one job ahead so that none of them waits for this thread.
import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { MetainfoError } from '../errors.ts';
import { FileError, type FileErrorCode } from './errors.ts';
import { type HashJob, type HashResult, runHashJob } from './hash-job.ts';

/** What a worker answers: the hashes, or a FileError taken apart (between threads an error keeps its message alone). */
export type HashReply =
  | { readonly result: HashResult }
  | {
      readonly code: FileErrorCode;
      readonly path: string;
      readonly message: string;
      readonly cause: { readonly message: string; readonly code: string } | undefined;
    };

export interface HashPoolOptions {
  /** Worker threads, 0 or more. */
  readonly workers: number;
  /** This thread hashes too, in turns of one job (a few milliseconds); it must when there are no workers. */
  readonly isThisThreadUsed: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Jobs a worker has at once: one in hand and one waiting. */
const JOBS_PER_WORKER = 2;

export interface ThreadOptions {
  /** Threads that hash, 1 to 64. Default: one for each processor. */
  readonly threads?: number | undefined;
  /** Lets the calling thread be one of them, busy for some milliseconds at a time. */
  readonly isCallerBusy?: boolean | undefined;
  /** As far as it is known. A piece is hashed in one turn, so the caller takes part only while pieces are short. */
  readonly pieceLength?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Some ten milliseconds: how long Ctrl-C may wait. */
const MAX_LENGTH_PER_TURN = 16 * 1024 * 1024;
/** Less than this is hashed before a worker thread would have started. */
const MIN_LENGTH_FOR_WORKERS = 16 * 1024 * 1024;
const MAX_THREADS = 64;

export function needsWorkers(totalLength: number): boolean {
  return totalLength >= MIN_LENGTH_FOR_WORKERS;
}

/** @throws MetainfoError `invalid-argument` for a number of threads that can't be. */
export function openPool(totalLength: number, options: ThreadOptions): HashPool {
  const { threads = Math.min(availableParallelism(), MAX_THREADS), pieceLength = 0 } = options;
  const isCallerBusy = options.isCallerBusy === true && pieceLength <= MAX_LENGTH_PER_TURN;
  if (!(Number.isInteger(threads) && threads > 0 && threads <= MAX_THREADS)) {
    const message = `${threads} threads are not possible: 1 to ${MAX_THREADS} are.`;
    throw new MetainfoError('invalid-argument', 'threads', message);
  }
  const { signal } = options;
  if (!needsWorkers(totalLength)) {
    return new HashPool({ workers: 0, isThisThreadUsed: true, signal });
  }
  const workers = isCallerBusy ? threads - 1 : threads;
  return new HashPool({ workers, isThisThreadUsed: isCallerBusy, signal });
}

/** Threads start at once, so make the pool before listing files. Close it when done. */
export class HashPool {
  readonly #workers: Worker[] = [];
  readonly #isThisThreadUsed: boolean;
  readonly #signal: AbortSignal | undefined;
  /** Written by the workers, read here for progress. */
  readonly #shared = new BigUint64Array(new SharedArrayBuffer(8));
  #bytesHere = 0;
  /** Why a worker ended before it was given anything. */
  #failure: unknown;

  constructor(options: HashPoolOptions) {
    this.#signal = options.signal;
    this.#isThisThreadUsed = options.isThisThreadUsed || options.workers === 0;
    for (let index = 0; index < options.workers; index++) {
      const worker = startWorker(this.#shared);
      worker.on('error', (error) => {
        this.#failure ??= error;
      });
      this.#workers.push(worker);
    }
  }

  /** Bytes of files hashed so far by all threads. */
  get bytesHashed(): number {
    return Number(Atomics.load(this.#shared, 0)) + this.#bytesHere;
  }

  /**
   * Runs all jobs; `onResult` gets each as it is done, in any order. Once it has failed the pool can only be closed.
   *
   * @throws the first FileError of a job, or the signal's reason.
   */
  async run(
    jobs: Iterable<HashJob>,
    onResult: (job: HashJob, result: HashResult) => void,
  ): Promise<void> {
    this.#signal?.throwIfAborted();
    if (this.#failure !== undefined) throw workerFailed(this.#failure);
    const queue = jobs[Symbol.iterator]();
    const abort = new AbortController();
    const forward = () => abort.abort(this.#signal?.reason);
    this.#signal?.addEventListener('abort', forward, { once: true });
    const lanes = this.#workers.map((worker) => runLane(worker, queue, onResult, abort.signal));
    if (this.#isThisThreadUsed) lanes.push(this.#runHere(queue, onResult, abort.signal));
    try {
      await Promise.all(lanes);
    } catch (error) {
      abort.abort(error); // the other lanes stop too
      throw error;
    } finally {
      this.#signal?.removeEventListener('abort', forward);
      await Promise.allSettled(lanes);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  async #runHere(
    queue: Iterator<HashJob>,
    onResult: (job: HashJob, result: HashResult) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const onBytes = (bytes: number) => {
      this.#bytesHere += bytes;
    };
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      onResult(next.value, runHashJob(next.value, onBytes));
      await nextTurn();
      signal.throwIfAborted();
    }
  }
}

/** One worker takes jobs from `queue` until it is empty. Replies come in the order of the jobs. */
function runLane(
  worker: Worker,
  queue: Iterator<HashJob>,
  onResult: (job: HashJob, result: HashResult) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const inHand: HashJob[] = [];
    const settle = (error?: unknown) => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    const fill = () => {
      while (inHand.length < JOBS_PER_WORKER) {
        const next = queue.next();
        if (next.done === true) break;
        inHand.push(next.value);
        worker.postMessage(next.value);
      }
      if (inHand.length === 0) settle();
    };
    const onMessage = (reply: HashReply) => {
      const job = inHand.shift() as HashJob;
      if ('result' in reply) {
        onResult(job, reply.result);
        fill();
      } else settle(errorOf(reply));
    };
    const onError = (cause: unknown) => settle(workerFailed(cause));
    const onExit = () => onError(new Error('the worker ended'));
    const onAbort = () => settle(signal.reason);
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    signal.addEventListener('abort', onAbort);
    fill();
  });
}

function errorOf(reply: Exclude<HashReply, { result: HashResult }>): FileError {
  const { code, path, message, cause } = reply;
  const system = cause && Object.assign(new Error(cause.message), { code: cause.code });
  return new FileError(code, path, message, system);
}

function workerFailed(cause: unknown): FileError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FileError('worker-failed', '', `A hash worker failed: ${reason}.`, cause);
}

// The worker stands beside this module: as JavaScript once built, as TypeScript in the source tree, where it needs a loader.
function startWorker(shared: BigUint64Array<SharedArrayBuffer>): Worker {
  const here = import.meta.url;
  if (!here.endsWith('.ts')) {
    return new Worker(new URL('./hash-worker.js', here), { workerData: shared, execArgv: [] });
  }
  return new Worker(new URL('./source-worker.mjs', here), {
    workerData: shared,
    argv: [new URL('./hash-worker.ts', here).href],
    execArgv: ['--conditions=@bt/source'],
  });
}
