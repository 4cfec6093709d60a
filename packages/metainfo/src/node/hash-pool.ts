// Hash workers: threads that read files and hash them, fed one job ahead so that none of them waits for this thread.
import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { FileError, type FileErrorCode } from './errors.ts';
import { type HashJob, type HashResult, runHashJob } from './hash-job.ts';

/** What a worker answers: the hashes, or a FileError taken apart (classes do not travel between threads). */
export type HashReply =
  | { readonly result: HashResult }
  | {
      readonly code: FileErrorCode;
      readonly path: string;
      readonly message: string;
      readonly cause: unknown;
    };

export interface HashPoolOptions {
  /** Worker threads; 0 hashes on this thread, giving other work a turn between jobs. Default: one for each processor. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Jobs a worker has at once: one in hand and one waiting. */
const JOBS_PER_WORKER = 2;

/** The threads a pool has unless told otherwise: as many as there are processors for this process. */
export function defaultThreads(): number {
  return availableParallelism();
}

/** Threads start at once, so make the pool before listing files. Close it when done. */
export class HashPool {
  readonly #workers: Worker[] = [];
  readonly #signal: AbortSignal | undefined;
  /** Written by the workers, read here for progress. */
  readonly #shared = new BigUint64Array(new SharedArrayBuffer(8));
  #bytesHere = 0;
  /** Why a worker ended before it was given anything. */
  #failure: unknown;

  constructor(options: HashPoolOptions = {}) {
    this.#signal = options.signal;
    const threads = options.threads ?? defaultThreads();
    for (let index = 0; index < threads; index++) {
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
   * Runs all jobs; `onResult` gets each as it is done, in any order.
   *
   * @throws the first job's FileError, or the signal's reason.
   */
  async run(
    jobs: Iterable<HashJob>,
    onResult: (job: HashJob, result: HashResult) => void,
  ): Promise<void> {
    this.#signal?.throwIfAborted();
    if (this.#workers.length === 0) return this.#runHere(jobs, onResult);
    if (this.#failure !== undefined) throw workerFailed(this.#failure);
    const queue = jobs[Symbol.iterator]();
    const abort = new AbortController();
    const lanes = this.#workers.map((worker) =>
      runLane(worker, queue, onResult, abort.signal).catch((error: unknown) => {
        abort.abort(error);
        throw error;
      }),
    );
    const forward = () => abort.abort(this.#signal?.reason);
    this.#signal?.addEventListener('abort', forward, { once: true });
    try {
      await Promise.all(lanes);
    } finally {
      this.#signal?.removeEventListener('abort', forward);
      await Promise.allSettled(lanes);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  async #runHere(
    jobs: Iterable<HashJob>,
    onResult: (job: HashJob, result: HashResult) => void,
  ): Promise<void> {
    for (const job of jobs) {
      onResult(
        job,
        runHashJob(job, (bytes) => {
          this.#bytesHere += bytes;
        }),
      );
      await nextTurn();
      this.#signal?.throwIfAborted();
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
      } else settle(new FileError(reply.code, reply.path, reply.message, reply.cause));
    };
    const onError = (cause: unknown) => settle(workerFailed(cause));
    const onExit = () => onError(new Error('the worker ended'));
    const onAbort = () => settle(signal.reason);
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    signal.addEventListener('abort', onAbort);
    fill();
  });
}

function workerFailed(cause: unknown): FileError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FileError('worker-failed', '', `a hash worker failed: ${reason}`, cause);
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
