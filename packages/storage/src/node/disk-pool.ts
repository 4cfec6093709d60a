/**
 * The threads and descriptors that all stores of a process share: disk workers that are started when there is work for
 * them, and the read-ahead cache for uploads. A thousand torrents have one pool.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { descriptorLimit } from './descriptor-limit.ts';
import type { Answer, AnswerTo, Job } from './protocol.ts';
import { ReadAhead } from './read-ahead.ts';

/** Called once with the answer; undefined when the worker died, with the reason. */
export type Done<K extends Job['kind']> = (
  answer: AnswerTo[K] | undefined,
  error: Error | undefined,
) => void;

/** Carries out jobs. Jobs may overtake each other; `done` is never called from inside `submit`. */
export interface JobExecutor {
  readonly maxWorkers: number;
  submit<J extends Job>(job: J, done: Done<J['kind']>): void;
  /** Close the files below a folder, in every worker. */
  forget(root: string): Promise<void>;
  /** End the workers when they are done. */
  close(): void;
}

/** More threads than this don't make one disk faster. */
const MAX_WORKERS = 8;
/** A message to a worker holds jobs of up to this many bytes, but at least one. */
const BATCH_BYTES = 1024 * 1024;
const BATCH_JOBS = 128;
/** Messages under way to a worker: one being worked on and one that waits, so that it never idles. */
const BATCHES_AHEAD = 2;
/** Each worker costs four descriptors of its own, so a process with few gets fewer workers: one for so many. */
const DESCRIPTORS_PER_WORKER = 32;
/** Descriptors for torrent files: this many, or a quarter of the process's limit where that is less. */
const MAX_OPEN_FILES = 40;

export interface DiskPoolOptions {
  /** Default: the number of cores, 8 at most. */
  readonly maxWorkers?: number;
  /** Descriptors for all workers and uploads together. Default 40, or a quarter of `ulimit -n`. */
  readonly maxOpenFiles?: number;
  /** Bound on the read-ahead cache. Default 32 MiB. */
  readonly cacheBytes?: number;
}

/** What a pool is made of: for the stores of this package, not for its users. */
export interface PoolParts {
  readonly executor: JobExecutor;
  readonly readAhead: ReadAhead;
}

export let partsOf: (pool: DiskPool) => PoolParts;

/** A pool whose jobs are carried out by something else than worker threads. */
export let poolWith: (executor: JobExecutor, options?: DiskPoolOptions) => DiskPool;

/** Threads, descriptors and read-ahead cache for any number of stores. Costs nothing until one of them has work. */
export class DiskPool {
  #parts: PoolParts;

  static {
    partsOf = (pool) => pool.#parts;
    poolWith = (executor, options) => {
      const pool = new DiskPool(options);
      pool.#parts = { ...pool.#parts, executor };
      return pool;
    };
  }

  constructor(options: DiskPoolOptions = {}) {
    const limit = descriptorLimit();
    const maxWorkers =
      options.maxWorkers ??
      Math.min(MAX_WORKERS, availableParallelism(), Math.ceil(limit / DESCRIPTORS_PER_WORKER));
    const maxOpenFiles = options.maxOpenFiles ?? Math.min(MAX_OPEN_FILES, Math.floor(limit / 4));
    const share = Math.max(1, Math.floor(maxOpenFiles / (maxWorkers + 1)));
    const { cacheBytes } = options;
    this.#parts = {
      executor: new WorkerThreads(maxWorkers, share),
      readAhead: new ReadAhead({
        maxOpenFiles: share,
        ...(cacheBytes === undefined ? {} : { cacheBytes }),
      }),
    };
  }

  /** Bytes that the read-ahead cache holds. */
  get cachedBytes(): number {
    return this.#parts.readAhead.cachedBytes;
  }

  /** End the workers and close the files. Stores that use the pool must be closed first. */
  close(): void {
    this.#parts.executor.close();
    this.#parts.readAhead.close();
  }
}

let shared: DiskPool | undefined;
let users = 0;

/** The process's own pool, for stores that were given none. Each call wants a {@link releaseSharedPool}. */
export function acquireSharedPool(): DiskPool {
  users++;
  shared ??= new DiskPool();
  return shared;
}

export function releaseSharedPool(): void {
  users--;
  if (users > 0) return;
  shared?.close();
  shared = undefined;
}

interface Pending {
  readonly job: Job;
  readonly done: Done<Job['kind']>;
}

interface Slot {
  readonly worker: Worker;
  /** Messages under way, oldest first. */
  readonly batches: (readonly Pending[])[];
}

class WorkerThreads implements JobExecutor {
  readonly maxWorkers: number;
  readonly #maxOpenFiles: number;
  readonly #slots: Slot[] = [];
  #queue: Pending[] = [];
  #head = 0;
  #isScheduled = false;
  #isClosed = false;

  constructor(maxWorkers: number, maxOpenFiles: number) {
    this.maxWorkers = Math.max(1, maxWorkers);
    this.#maxOpenFiles = maxOpenFiles;
  }

  submit<J extends Job>(job: J, done: Done<J['kind']>): void {
    this.#queue.push({ job, done: done as Done<Job['kind']> });
    // Jobs of one turn of the event loop, from all its sockets, travel together.
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#dispatch();
    });
  }

  async forget(root: string): Promise<void> {
    const job: Job = { kind: 'forget', root };
    const answers = this.#slots.map(
      (slot) => new Promise<void>((resolve) => this.#post(slot, [{ job, done: () => resolve() }])),
    );
    await Promise.all(answers);
  }

  close(): void {
    this.#isClosed = true;
    this.#endIdle();
  }

  #dispatch(): void {
    while (this.#head < this.#queue.length) {
      const slot = this.#freeSlot();
      if (slot === undefined) return;
      this.#post(slot, this.#takeBatch());
    }
  }

  #post(slot: Slot, batch: readonly Pending[]): void {
    const jobs = batch.map((pending) => pending.job);
    const transfer: ArrayBuffer[] = [];
    for (const job of jobs) {
      if (job.kind === 'save' || job.kind === 'write') transfer.push(job.data.buffer);
    }
    if (slot.batches.length === 0) slot.worker.ref();
    slot.batches.push(batch);
    slot.worker.postMessage(jobs, transfer);
  }

  /** The worker with the least to do; a new one when all have something. */
  #freeSlot(): Slot | undefined {
    let best: Slot | undefined;
    for (const slot of this.#slots) {
      if (best === undefined || slot.batches.length < best.batches.length) best = slot;
    }
    if (best?.batches.length === 0) return best;
    if (this.#slots.length < this.maxWorkers) return this.#start();
    return best !== undefined && best.batches.length < BATCHES_AHEAD ? best : undefined;
  }

  #takeBatch(): Pending[] {
    const batch: Pending[] = [];
    let bytes = 0;
    while (this.#head < this.#queue.length && batch.length < BATCH_JOBS) {
      const pending = this.#queue[this.#head]!;
      const weight = weightOf(pending.job);
      if (batch.length > 0 && bytes + weight > BATCH_BYTES) break;
      bytes += weight;
      batch.push(pending);
      this.#head++;
    }
    if (this.#head === this.#queue.length || this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return batch;
  }

  #start(): Slot {
    const worker = startWorker(this.#maxOpenFiles);
    const slot: Slot = { worker, batches: [] };
    this.#slots.push(slot);
    worker.unref();
    worker.on('message', (answers: readonly Answer[]) => {
      const batch = slot.batches.shift() ?? [];
      if (slot.batches.length === 0) worker.unref();
      this.#dispatch();
      batch.forEach((pending, index) => {
        pending.done(answers[index], undefined);
      });
      if (this.#isClosed) this.#endIdle();
    });
    worker.on('error', (error) => {
      this.#bury(slot, error);
    });
    worker.on('exit', () => {
      this.#bury(slot, new Error('the disk worker has ended'));
    });
    return slot;
  }

  /** A worker that dies (out of memory, a defect) takes its jobs with it; the next job starts another. */
  #bury(slot: Slot, error: Error): void {
    const index = this.#slots.indexOf(slot);
    if (index >= 0) this.#slots.splice(index, 1);
    for (const batch of slot.batches.splice(0)) {
      for (const pending of batch) pending.done(undefined, error);
    }
    this.#dispatch();
  }

  #endIdle(): void {
    if (this.#head < this.#queue.length) return;
    for (const slot of [...this.#slots]) {
      if (slot.batches.length > 0) continue;
      this.#slots.splice(this.#slots.indexOf(slot), 1);
      slot.worker.postMessage([]); // an empty message ends the worker
    }
  }
}

function weightOf(job: Job): number {
  switch (job.kind) {
    case 'save':
    case 'write':
      return job.data.length;
    case 'check':
      return job.sizes.reduce((sum, size) => sum + size, 0);
    default:
      return BATCH_BYTES;
  }
}

/** The worker stands beside this module: as JavaScript once built, as TypeScript in the source tree. */
function startWorker(maxOpenFiles: number): Worker {
  const here = import.meta.url;
  const options = { name: 'bt-disk', workerData: { maxOpenFiles } };
  if (!here.endsWith('.ts')) {
    return new Worker(new URL('./disk-worker.js', here), { ...options, execArgv: [] });
  }
  return new Worker(new URL('./source-worker.mjs', here), {
    ...options,
    argv: [new URL('./disk-worker.ts', here).href],
    execArgv: ['--conditions=@bt/source'],
  });
}
