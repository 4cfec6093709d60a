/**
 * The order of writing: operations on one piece one after the other, operations on different pieces as workers are free; all of them
 * held while the resume record is being written, and while the disk refuses.
 *
 * A refused write is kept with all its bytes. Nothing is sent after it until a retry has succeeded. A verdict that a write
 * under way may overthrow waits for its answer.
 */
import { type StorageError, storageError } from '../errors.ts';
import type { JobExecutor } from './disk-pool.ts';
import type { Answer, CheckJob, Failure, SaveJob, WriteJob } from './protocol.ts';

export interface WriteOperation {
  readonly pieceIndex: number;
  /** What it counts for in `queuedBytes`: the size of its buffer, or 0 for reading. */
  readonly bytes: number;
  job: SaveJob | WriteJob | CheckJob;
  errorOf(failure: Failure): StorageError;
  /** Called with every answer of a worker, also when the disk has refused. */
  onAnswer?(answer: Answer): void;
  /** True for an answer that means something else when a write which was under way has found that somebody cut a file. */
  isOpen?(answer: Answer): boolean;
  /**
   * The answer; or undefined when the operation was given up, with the reason, and with its bytes when they have not been
   * lost with a worker.
   */
  done(
    answer: Answer | undefined,
    error: StorageError | undefined,
    unsent: Uint8Array<ArrayBuffer> | undefined,
  ): void;
}

/** Work on a piece that this queue doesn't send: nothing else is done with the piece until `release` is called. */
export type Turn = (release: () => void) => void;

/** A verdict that waits for the writes which were under way when it came. */
interface Fence {
  readonly before: Set<WriteOperation>;
  readonly pass: () => void;
}

export interface WriteQueueEvents {
  onStalled(error: StorageError): void;
  onResumed(): void;
}

export class WriteQueue {
  readonly #executor: JobExecutor;
  readonly #events: WriteQueueEvents;
  /** By piece: what waits for the operation that is under way. */
  readonly #busy = new Map<number, (WriteOperation | Turn)[]>();
  /** Ready to be sent but for a hold or a stall. */
  #waiting: WriteOperation[] = [];
  /** Refused by the disk. */
  #refused: WriteOperation[] = [];
  #stalledBy: StorageError | undefined;
  /** Sent again, and not answered. */
  readonly #retrying = new Set<WriteOperation>();
  #holds = 0;
  readonly #sent = new Set<WriteOperation>();
  #fences: Fence[] = [];
  #isClosed = false;
  #onIdle: (() => void)[] = [];
  queuedBytes = 0;

  constructor(executor: JobExecutor, events: WriteQueueEvents) {
    this.#executor = executor;
    this.#events = events;
  }

  add(operation: WriteOperation): void {
    this.queuedBytes += operation.bytes;
    const line = this.#busy.get(operation.pieceIndex);
    if (line === undefined) {
      this.#busy.set(operation.pieceIndex, []);
      this.#ready(operation);
    } else {
      line.push(operation);
    }
  }

  /** Takes its turn after the operations on the piece that were added before; at once when there are none. */
  addTurn(pieceIndex: number, turn: Turn): void {
    const line = this.#busy.get(pieceIndex);
    if (line === undefined) {
      this.#busy.set(pieceIndex, [turn]);
      this.#next(pieceIndex);
    } else {
      line.push(turn);
    }
  }

  /** Something is under way or waits for the piece. */
  isBusy(pieceIndex: number): boolean {
    return this.#busy.has(pieceIndex);
  }

  /** Send nothing until `release`. */
  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
    this.#sendWaiting();
  }

  retry(): void {
    if (this.#stalledBy === undefined || this.#retrying.size > 0) return;
    const again = this.#refused;
    this.#refused = [];
    for (const operation of again) this.#retrying.add(operation);
    for (const operation of again) this.#send(operation);
  }

  /** No more is accepted; resolves when all is written, or given up since the disk refuses. */
  close(): Promise<void> {
    this.#isClosed = true;
    if (this.#stalledBy !== undefined) this.#giveUp();
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#checkIdle();
    });
  }

  /** After `close`: what has not been sent is given up. */
  abandon(error: StorageError): void {
    this.#stalledBy ??= error;
    this.#giveUp();
    this.#checkIdle();
  }

  #ready(operation: WriteOperation): void {
    if (this.#isClosed && this.#stalledBy !== undefined)
      this.#finish(operation, undefined, storageError('closed', { cause: this.#stalledBy }));
    else if (this.#holds > 0 || this.#stalledBy !== undefined) this.#waiting.push(operation);
    else this.#send(operation);
  }

  #send(operation: WriteOperation): void {
    this.#sent.add(operation);
    this.#executor.submit(operation.job, (answer, error) => {
      this.#sent.delete(operation);
      if (answer !== undefined) operation.onAnswer?.(answer);
      const failure = answer === undefined ? undefined : refusalOf(answer);
      const reason = answer === undefined ? storageError('io', { cause: error }) : undefined;
      if (failure !== undefined) this.#refuse(operation, answer!, failure);
      else if (answer !== undefined && operation.isOpen?.(answer) === true) {
        const before = new Set([...this.#sent].filter(({ job }) => job.kind !== 'check'));
        this.#fences.push({ before, pass: () => this.#finish(operation, answer, undefined) });
      } else this.#finish(operation, answer, reason);
      this.#passFences(operation);
      if (this.#retrying.delete(operation)) this.#endRetry();
      this.#checkIdle();
    });
  }

  #passFences(answered: WriteOperation): void {
    const passed: Fence[] = [];
    this.#fences = this.#fences.filter((fence) => {
      fence.before.delete(answered);
      if (fence.before.size > 0) return true;
      passed.push(fence);
      return false;
    });
    for (const { pass } of passed) pass();
  }

  #refuse(operation: WriteOperation, answer: Answer, failure: Failure): void {
    if ('data' in answer && 'data' in operation.job) {
      operation.job = { ...operation.job, data: answer.data };
    }
    this.#refused.push(operation);
    const isNew = this.#stalledBy === undefined;
    this.#stalledBy ??= operation.errorOf(failure);
    if (this.#isClosed) this.#giveUp();
    else if (isNew) this.#events.onStalled(this.#stalledBy);
  }

  #endRetry(): void {
    if (this.#retrying.size > 0 || this.#refused.length > 0 || this.#isClosed) return;
    this.#stalledBy = undefined;
    this.#events.onResumed();
    this.#sendWaiting();
  }

  #sendWaiting(): void {
    if (this.#holds > 0 || this.#stalledBy !== undefined) return;
    const ready = this.#waiting;
    this.#waiting = [];
    for (const operation of ready) this.#ready(operation);
  }

  #finish(
    operation: WriteOperation,
    answer: Answer | undefined,
    error: StorageError | undefined,
  ): void {
    const { pieceIndex, job } = operation;
    this.queuedBytes -= operation.bytes;
    const isUnsent = answer === undefined && 'data' in job && job.data.buffer.byteLength > 0;
    operation.done(answer, error, isUnsent ? job.data : undefined);
    this.#next(pieceIndex);
  }

  #next(pieceIndex: number): void {
    const next = this.#busy.get(pieceIndex)?.shift();
    if (next === undefined) this.#busy.delete(pieceIndex);
    else if (typeof next !== 'function') this.#ready(next);
    else {
      next(() => {
        this.#next(pieceIndex);
        this.#checkIdle();
      });
    }
  }

  /** The disk refuses and nobody will retry: everything that has not been sent is given up. */
  #giveUp(): void {
    for (const operation of [...this.#refused.splice(0), ...this.#waiting.splice(0)]) {
      this.#finish(operation, undefined, storageError('closed', { cause: this.#stalledBy }));
    }
  }

  #checkIdle(): void {
    if (this.#busy.size > 0 || this.#sent.size > 0) return;
    for (const callback of this.#onIdle.splice(0)) callback();
  }
}

/** Whether an answer means that the disk refused, so that the same is to be tried again later. */
function refusalOf(answer: Answer): Failure | undefined {
  if (answer.kind === 'save' || answer.kind === 'write') return answer.failure;
  // A read can fail for good (the file was cut or removed); only a lack of descriptors passes.
  if (answer.kind === 'check' && answer.failure?.code === 'too-many-files') return answer.failure;
  return undefined;
}
