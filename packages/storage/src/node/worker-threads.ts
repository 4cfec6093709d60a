/**
 * Disk workers: threads that are started when there is work for them, and get it in batches. A disk can keep a thread in a call
 * for ever (a network file system whose server is gone); that is nobody's business until somebody waits for the end
 * (`hurry`). Then the thread is given up, with all that it has to do.
 */
import { Worker } from 'node:worker_threads';
import type { Done, JobExecutor } from './disk-pool.ts';
import type { Answer, Job } from './protocol.ts';

/** A message to a worker holds jobs of up to this many bytes, but at least one. */
const BATCH_BYTES = 1024 * 1024;
const BATCH_JOBS = 128;
/** A worker without an answer for this long is given up where somebody waits for it. */
export const ANSWER_TIMEOUT_MS = 30_000;
/** Messages under way to a worker: one being worked on and one that waits, so that it never idles. */
const BATCHES_AHEAD = 2;
interface Pending {
  readonly job: Job;
  readonly done: Done<Job['kind']>;
}

interface Slot {
  readonly worker: DiskWorker;
  /** Messages under way, oldest first. */
  readonly batches: (readonly Pending[])[];
  /** When it answered last, or got something to do after having nothing. */
  answeredMs: number;
}

/** Somebody waits for the jobs below `root`. */
interface Hurry {
  readonly root: string;
  readonly sinceMs: number;
  /** A worker with such jobs has been given up: no more are begun. */
  isHopeless: boolean;
}

/** What is used of a `Worker`. */
export type DiskWorker = Pick<Worker, 'on' | 'postMessage' | 'ref' | 'unref' | 'terminate'>;

export interface WorkerThreadsOptions {
  readonly maxWorkers: number;
  /** Descriptors that each worker keeps open. */
  readonly maxOpenFiles: number;
  readonly start?: (maxOpenFiles: number) => DiskWorker;
}

export class WorkerThreads implements JobExecutor {
  readonly maxWorkers: number;
  readonly #startWorker: () => DiskWorker;
  readonly #slots: Slot[] = [];
  readonly #hurries = new Set<Hurry>();
  #watch: NodeJS.Timeout | undefined;
  #queue: Pending[] = [];
  #head = 0;
  #isScheduled = false;
  #isClosed = false;

  constructor({ maxWorkers, maxOpenFiles, start = startWorker }: WorkerThreadsOptions) {
    this.maxWorkers = Math.max(1, maxWorkers);
    this.#startWorker = () => start(maxOpenFiles);
  }

  submit<J extends Job>(job: J, done: Done<J['kind']>): void {
    if (this.#isHopeless(job)) {
      setImmediate(() => done(undefined, noAnswer()));
      return;
    }
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

  hurry(root: string): () => void {
    const hurry = { root, sinceMs: performance.now(), isHopeless: false };
    this.#hurries.add(hurry);
    this.#watch ??= setInterval(() => this.#endHung(), 1000);
    return () => {
      this.#hurries.delete(hurry);
      if (this.#hurries.size > 0) return;
      clearInterval(this.#watch);
      this.#watch = undefined;
    };
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
    if (slot.batches.length === 0) {
      slot.worker.ref();
      slot.answeredMs = performance.now();
    }
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
    const worker = this.#startWorker();
    const slot: Slot = { worker, batches: [], answeredMs: 0 };
    this.#slots.push(slot);
    worker.unref();
    worker.on('message', (answers: readonly Answer[]) => {
      const batch = slot.batches.shift() ?? [];
      slot.answeredMs = performance.now();
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

  /** Give up the workers that somebody has waited for in vain. */
  #endHung(): void {
    const longAgo = performance.now() - ANSWER_TIMEOUT_MS;
    for (const slot of [...this.#slots]) {
      if (slot.answeredMs > longAgo) continue;
      const hurries = [...this.#hurries].filter(({ root, sinceMs }) => {
        const isForIt = ({ job }: Pending) => job.root === root;
        return sinceMs <= longAgo && slot.batches.some((batch) => batch.some(isForIt));
      });
      if (hurries.length === 0) continue;
      for (const hurry of hurries) hurry.isHopeless = true;
      this.#dropHopeless();
      void slot.worker.terminate();
      slot.worker.unref();
      this.#bury(slot, noAnswer());
    }
  }

  #isHopeless({ root }: Job): boolean {
    for (const hurry of this.#hurries) if (hurry.isHopeless && hurry.root === root) return true;
    return false;
  }

  #dropHopeless(): void {
    const queue = this.#queue.slice(this.#head);
    this.#queue = queue.filter(({ job }) => !this.#isHopeless(job));
    this.#head = 0;
    for (const { job, done } of queue) if (this.#isHopeless(job)) done(undefined, noAnswer());
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

function noAnswer(): Error {
  return new Error('the disk does not answer');
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
