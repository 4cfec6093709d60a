import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { storageError } from '../../src/errors.ts';
import type { Done, JobExecutor } from '../../src/node/disk-pool.ts';
import type { Answer, Failure, Job, WriteJob } from '../../src/node/protocol.ts';
import { type WriteOperation, WriteQueue } from '../../src/node/write-queue.ts';

const failure: Failure = { code: 'no-space', errno: 'ENOSPC', file: 0, path: '/disk/file' };

interface Sent {
  readonly job: WriteJob;
  readonly done: Done<Job['kind']>;
}

/** Keeps jobs until the test answers them. */
class HeldExecutor implements JobExecutor {
  readonly maxWorkers = 2;
  readonly sent: Sent[] = [];

  submit<J extends Job>(job: J, done: Done<J['kind']>): void {
    this.sent.push({ job: job as unknown as WriteJob, done: done as Done<Job['kind']> });
  }

  /** Answer one of the jobs under way. */
  answer(which: number, how: 'written' | 'refused' | 'died'): WriteJob | undefined {
    const [sent] = this.sent.splice(which % Math.max(1, this.sent.length), 1);
    if (sent === undefined) return undefined;
    const answer: Answer = {
      kind: 'write',
      data: sent.job.data,
      ...(how === 'refused' ? { failure } : {}),
    };
    if (how === 'died') sent.done(undefined, new Error('the worker died'));
    else sent.done(answer, undefined);
    return sent.job;
  }

  forget(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

type Step =
  | { readonly kind: 'add'; readonly piece: number }
  | {
      readonly kind: 'answer';
      readonly which: number;
      readonly how: 'written' | 'refused' | 'died';
    }
  | { readonly kind: 'retry' | 'hold' | 'release' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), piece: fc.nat(3) }),
  fc.record({
    kind: fc.constant('answer' as const),
    which: fc.nat(5),
    how: fc.constantFrom('written', 'written', 'written', 'refused', 'died'),
  }),
  fc.record({ kind: fc.constantFrom('retry', 'hold', 'release') }),
);

function writeOf(pieceIndex: number, done: () => void): WriteOperation {
  return {
    pieceIndex,
    bytes: 1,
    job: {
      ...{ kind: 'write', root: '/disk', paths: ['file'], lengths: [1] },
      ...{ spans: [0, 0, 1], data: new Uint8Array(1), runs: [0, 1] },
    },
    errorOf: ({ code, path, errno }) => storageError(code, { path, errno }),
    done,
  };
}

describe('the write queue', () => {
  it('resumes when what was refused is written, not when something else is', () => {
    const executor = new HeldExecutor();
    const told: string[] = [];
    const queue = new WriteQueue(executor, {
      onStalled: () => told.push('stalled'),
      onResumed: () => told.push('resumed'),
    });
    for (const pieceIndex of [0, 1, 2]) {
      queue.add(writeOf(pieceIndex, () => told.push(`wrote ${pieceIndex}`)));
    }
    executor.answer(0, 'refused');
    queue.retry();
    // Pieces 1 and 2 were under way before the disk refused; piece 0 is tried again behind them.
    executor.answer(0, 'written');
    executor.answer(0, 'written');
    expect(told).toEqual(['stalled', 'wrote 1', 'wrote 2']);
    executor.answer(0, 'written');
    expect(told.slice(3)).toEqual(['wrote 0', 'resumed']);
  });

  it('holds a verdict back until the writes that were under way are answered', async () => {
    const executor = new HeldExecutor();
    const told: string[] = [];
    const queue = new WriteQueue(executor, { onStalled: () => {}, onResumed: () => {} });
    queue.add(writeOf(1, () => told.push('wrote 1')));
    queue.add(writeOf(2, () => told.push('wrote 2')));
    queue.add({ ...writeOf(0, () => told.push('verdict')), isOpen: () => true });
    queue.add(writeOf(0, () => told.push('after it')));
    executor.answer(2, 'written');
    queue.add(writeOf(3, () => told.push('wrote 3')));
    executor.answer(1, 'died');
    expect(told).toEqual(['wrote 2']);
    executor.answer(0, 'written');
    expect(told.slice(1)).toEqual(['wrote 1', 'verdict']);
    const closing = queue.close().then(() => told.push('closed'));
    while (executor.sent.length > 0) executor.answer(0, 'written');
    await closing;
    expect(told.slice(3)).toEqual(['wrote 3', 'after it', 'closed']);
  });

  it('does nothing with a piece while somebody has its turn, nor ends before', async () => {
    const executor = new HeldExecutor();
    const told: string[] = [];
    const queue = new WriteQueue(executor, { onStalled: () => {}, onResumed: () => {} });
    let release = (): void => {};
    queue.add(writeOf(0, () => told.push('first')));
    queue.addTurn(0, (end) => {
      told.push('turn');
      release = end;
    });
    queue.add(writeOf(0, () => told.push('second')));
    queue.add(writeOf(1, () => told.push('other')));
    executor.answer(0, 'written');
    executor.answer(0, 'written');
    expect(told).toEqual(['first', 'turn', 'other']);
    expect(executor.sent.length).toBe(0);
    release();
    const closing = queue.close().then(() => told.push('closed'));
    executor.answer(0, 'written');
    await closing;
    expect(told.slice(3)).toEqual(['second', 'closed']);
    queue.addTurn(0, (end) => end());
    await queue.close();
  });

  it('answers every operation once, in order for each piece, through stalls, holds and deaths', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, heals) => {
        const executor = new HeldExecutor();
        const told: string[] = [];
        const queue = new WriteQueue(executor, {
          onStalled: () => told.push('stalled'),
          onResumed: () => told.push('resumed'),
        });
        const results = new Map<number, string>();
        const doneByPiece = new Map<number, number[]>();
        let count = 0;
        let holds = 0;
        const add = (piece: number): void => {
          const number = count++;
          const data = new Uint8Array(10).fill(number);
          const job: WriteJob = {
            ...{ kind: 'write', root: '/disk', paths: ['file'], lengths: [10] },
            ...{ spans: [0, 0, 10], data, runs: [0, 10] },
          };
          queue.add({
            pieceIndex: piece,
            bytes: 10,
            job,
            errorOf: ({ code }) => storageError(code),
            done: (answer, error, unsent) => {
              expect(results.has(number)).toBe(false);
              results.set(number, answer === undefined ? error!.code : 'written');
              if (answer === undefined) expect(unsent?.length ?? 10).toBe(10);
              doneByPiece.set(piece, [...(doneByPiece.get(piece) ?? []), number]);
            },
          });
        };
        for (const now of steps) {
          if (now.kind === 'add') add(now.piece);
          else if (now.kind === 'answer') executor.answer(now.which, now.how);
          else if (now.kind === 'retry') queue.retry();
          else if (now.kind === 'hold') {
            holds++;
            queue.hold();
          } else if (holds > 0) {
            holds--;
            queue.release();
          }
          // Never two operations of one piece under way: their numbers would be in doubt.
          expect(queue.queuedBytes).toBe((count - results.size) * 10);
        }
        for (; holds > 0; holds--) queue.release();
        if (heals) {
          for (let round = 0; round < 200 && results.size < count; round++) {
            queue.retry();
            executor.answer(0, 'written');
          }
          expect(results.size).toBe(count);
        }
        const closing = queue.close();
        while (executor.sent.length > 0) executor.answer(0, heals ? 'written' : 'refused');
        await closing;
        expect(results.size).toBe(count);
        expect(queue.queuedBytes).toBe(0);
        for (const numbers of doneByPiece.values()) {
          expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        }
        told.forEach((word, index) => {
          expect(word).toBe(index % 2 === 0 ? 'stalled' : 'resumed');
        });
      }),
      { numRuns: 300 },
    );
  });

  it('sends nothing while a write is refused, and all that waited after a retry', () => {
    const executor = new HeldExecutor();
    const told: string[] = [];
    const queue = new WriteQueue(executor, {
      onStalled: (error) => told.push(error.message),
      onResumed: () => told.push('resumed'),
    });
    const saved: number[] = [];
    const add = (pieceIndex: number): void =>
      queue.add({
        pieceIndex,
        bytes: 1,
        job: {
          ...{ kind: 'write', root: '/disk', paths: ['file'], lengths: [1] },
          ...{ spans: [0, 0, 1], data: new Uint8Array(1), runs: [0, 1] },
        },
        errorOf: ({ code, path, errno }) => storageError(code, { path, errno }),
        done: () => saved.push(pieceIndex),
      });
    add(0);
    add(1);
    executor.answer(0, 'refused');
    expect(told).toEqual(['/disk/file: no space left: free some (ENOSPC)']);
    add(2);
    executor.answer(0, 'refused');
    expect(executor.sent.length).toBe(0);
    queue.retry();
    queue.retry();
    expect(executor.sent.length).toBe(2);
    executor.answer(0, 'written');
    expect(told.length).toBe(1);
    executor.answer(0, 'written');
    expect(told.slice(1)).toEqual(['resumed']);
    expect(executor.sent.length).toBe(1);
    executor.answer(0, 'written');
    expect(saved).toEqual([0, 1, 2]);
  });
});
