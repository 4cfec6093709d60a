/**
 * The threads and descriptors that all stores of a process share: disk workers that are started when there is work for
 * them, and the read-ahead cache for uploads. A thousand torrents have one pool.
 */
import { availableParallelism } from 'node:os';
import { descriptorLimit } from './descriptor-limit.ts';
import type { AnswerTo, Job } from './protocol.ts';
import { ReadAhead } from './read-ahead.ts';
import { WorkerThreads } from './worker-threads.ts';

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
  /**
   * Somebody waits for what is done below a folder, until the result is called: jobs that get no answer meanwhile are given up.
   * Absent: there is an answer to every job.
   */
  hurry?(root: string): () => void;
  /** End the workers when they are done. */
  close(): void;
}

/** More threads than this don't make one disk faster. */
const MAX_WORKERS = 8;
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
      executor: new WorkerThreads({ maxWorkers, maxOpenFiles: share }),
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
