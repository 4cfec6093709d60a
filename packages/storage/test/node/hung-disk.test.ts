// A disk that never answers, as a network file system whose server is gone: closing ends all the same. Time is virtual.

import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { poolWith } from '../../src/node/disk-pool.ts';
import type { DiskPool } from '../../src/node/index.ts';
import { JobRunner } from '../../src/node/job-runner.ts';
import type { Job } from '../../src/node/protocol.ts';
import {
  ANSWER_TIMEOUT_MS,
  type DiskWorker,
  WorkerThreads,
} from '../../src/node/worker-threads.ts';
import { makeSample } from '../torrent.ts';
import { openSample, place, saveAll } from './store-bench.ts';

/** No record: what is not hung has nothing real to wait for. */
const noRecord = { stateFolder: null };
const sample = makeSample({ pieceLength: 16_384, files: [{ path: 'a', length: 100_000 }] });

/** Does the jobs for which `isHung` is false, and never answers a batch with another one. */
class FakeWorker extends EventEmitter {
  isTerminated = false;
  readonly #runner = new JobRunner(4);
  readonly #isHung: (job: Job) => boolean;
  #isStuck = false;

  constructor(isHung: (job: Job) => boolean) {
    super();
    this.#isHung = isHung;
  }

  postMessage(jobs: readonly Job[]): void {
    setImmediate(() => {
      this.#isStuck ||= jobs.some(this.#isHung);
      if (!this.#isStuck)
        this.emit(
          'message',
          jobs.map((job) => this.#runner.run(job)),
        );
    });
  }

  get isStuck(): boolean {
    return this.#isStuck;
  }

  terminate(): Promise<number> {
    this.isTerminated = true;
    return new Promise(() => {}); // a thread that is in a system call doesn't end
  }

  ref(): void {}
  unref(): void {}
}

function hungPool(isHung: (job: Job) => boolean, maxWorkers = 2) {
  const workers: FakeWorker[] = [];
  const start = (): DiskWorker => {
    const worker = new FakeWorker(isHung);
    workers.push(worker);
    return worker as unknown as DiskWorker;
  };
  const pool: DiskPool = poolWith(new WorkerThreads({ maxWorkers, maxOpenFiles: 4, start }));
  return { pool, workers };
}

/** Whether the promise has settled by the time that so much virtual time has passed. */
async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  promise.then(settle, settle);
  for (let passed = 0; passed <= ms && !isSettled; passed += 500) {
    await vi.advanceTimersByTimeAsync(500);
    await turns();
  }
  return isSettled;
}

/** Virtual time goes on until the promise has settled: real files may take as much real time as the test has. */
async function settles(promise: Promise<unknown>): Promise<void> {
  for (let round = 0; round < 1000; round += 1) {
    if (await settlesWithin(promise, ANSWER_TIMEOUT_MS)) return;
  }
  throw new Error('still not settled');
}

/** What is not virtual, such as real files, has its turns meanwhile. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
}

async function untilStuck(workers: readonly FakeWorker[]): Promise<void> {
  for (let round = 0; round < 100_000; round += 1) {
    if (workers.some(({ isStuck }) => isStuck)) return;
    await turns();
  }
  throw new Error('no worker got what it hangs on');
}

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('closing a store', () => {
  it('gives up the workers that do not answer, and all that they have to do', async () => {
    const { pool, workers } = hungPool(({ kind }) => kind === 'save');
    const { store, events } = await openSample(sample, place(), { pool, ...noRecord });
    const { pieceCount } = sample.info.geometry;
    for (let piece = 0; piece < pieceCount; piece += 1) store.savePiece(piece, sample.piece(piece));
    await untilStuck(workers);
    await vi.advanceTimersByTimeAsync(10 * ANSWER_TIMEOUT_MS);
    expect(events.saved.size).toBe(0);
    await settles(store.close());
    expect(events.saved.size).toBe(pieceCount);
    for (const { outcome, error } of events.saved.values()) {
      expect([outcome, error?.code]).toEqual(['failed', 'io']);
    }
    expect(events.buffers).toHaveLength(pieceCount);
    expect(workers.length).toBeLessThanOrEqual(2 + 1);
    expect(workers.filter(({ isTerminated }) => isTerminated)).toHaveLength(1);
    pool.close();
  });

  it('leaves the work for other folders alone', async () => {
    const [hung, healthy] = [place(), place()];
    const { pool, workers } = hungPool(
      (job) => job.kind === 'save' && job.root.startsWith(hung.folder),
    );
    const first = await openSample(sample, hung, { pool, ...noRecord });
    const second = await openSample(sample, healthy, { pool, ...noRecord });
    first.store.savePiece(0, sample.piece(0));
    await untilStuck(workers);
    const closed = first.store.close();
    await saveAll(second.store, second.events, sample);
    await settles(closed);
    await settles(second.store.close());
    expect(workers.filter(({ isTerminated }) => isTerminated)).toHaveLength(1);
    pool.close();
  });

  it('waits for slow answers', async () => {
    const { pool, workers } = hungPool(({ kind }) => kind === 'save', 1);
    const { store, events } = await openSample(sample, place(), { pool, ...noRecord });
    for (const piece of [0, 1, 2]) store.savePiece(piece, sample.piece(piece));
    await untilStuck(workers);
    const closed = store.close();
    expect(await settlesWithin(closed, ANSWER_TIMEOUT_MS - 2000)).toBe(false);
    const buffer = new Uint8Array(16_384);
    workers[0]!.emit(
      'message',
      [0, 1, 2].map(() => ({ kind: 'save', isRight: true, data: buffer })),
    );
    expect(await settlesWithin(closed, 5000)).toBe(false);
    expect([...events.saved.values()].map(({ outcome }) => outcome)).toEqual(
      Array(3).fill('saved'),
    );
    await settles(closed);
  });

  it('does not wait for reads for ever', async () => {
    const where = place();
    sample.writeTo(where.data);
    const { pool } = hungPool(() => false);
    const { store, events } = await openSample(sample, where, { pool, ...noRecord });
    vi.spyOn(fs, 'read').mockImplementation((() => {}) as unknown as typeof fs.read);
    store.readBlock(0, 0, 16_384, 7);
    await settles(store.close());
    expect(events.reads.get(7)?.error?.code).toBe('closed');
    pool.close();
  });

  it('does not wait for the record for ever', async () => {
    const { pool } = hungPool(() => false);
    vi.spyOn(fsp, 'open').mockImplementation(() => new Promise(() => {}));
    const { store, events } = await openSample(sample, place(), { pool });
    store.savePiece(0, sample.piece(0));
    await settles(store.close());
    expect(events.saved.get(0)?.outcome).toBe('failed');
    pool.close();
  });
});

describe('an opening that is aborted', () => {
  it('does not wait for the hashing for ever', async () => {
    const where = place();
    sample.writeTo(where.data);
    const { pool, workers } = hungPool(({ kind }) => kind === 'check');
    const abort = new AbortController();
    const opening = openSample(sample, where, { pool, signal: abort.signal });
    await untilStuck(workers);
    expect(await settlesWithin(opening, 10 * ANSWER_TIMEOUT_MS)).toBe(false);
    abort.abort();
    await settles(opening);
    await expect(opening).rejects.toMatchObject({ code: 'aborted' });
  });

  it('does not wait for the folder for ever', async () => {
    vi.spyOn(fsp, 'realpath').mockImplementation(() => new Promise(() => {}));
    const abort = new AbortController();
    const opening = openSample(sample, place(), { signal: abort.signal });
    expect(await settlesWithin(opening, ANSWER_TIMEOUT_MS)).toBe(false);
    abort.abort();
    await expect(opening).rejects.toMatchObject({ code: 'aborted' });
  });
});
