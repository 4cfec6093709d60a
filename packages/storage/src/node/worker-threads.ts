/** Disk workers: threads that are started when there is work for them, and get it in batches. */
import { Worker } from 'node:worker_threads';
import type { Done, JobExecutor } from './disk-pool.ts';
import type { Answer, Job } from './protocol.ts';

/** A message to a worker holds jobs of up to this many bytes, but at least one. */
const BATCH_BYTES = 1024 * 1024;
const BATCH_JOBS = 128;
/** Messages under way to a worker: one being worked on and one that waits, so that it never idles. */
const BATCHES_AHEAD = 2;
interface Pending {
  readonly job: Job;
  readonly done: Done<Job['kind']>;
}

interface Slot {
  readonly worker: Worker;
  /** Messages under way, oldest first. */
  readonly batches: (readonly Pending[])[];
}

export class WorkerThreads implements JobExecutor {
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
