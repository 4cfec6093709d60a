import { describe, expect, it } from 'vitest';
import type { JobExecutor } from '../../src/node/disk-pool.ts';
import { PieceChecker } from '../../src/node/piece-checker.ts';
import { type CheckAnswer, RIGHT, WRONG } from '../../src/node/protocol.ts';
import { TorrentFiles } from '../../src/node/torrent-files.ts';
import { makeSample } from '../torrent.ts';

const sample = makeSample({ pieceLength: 16384, files: [{ path: 'a', length: 16384 * 3000 }] });
const files = new TorrentFiles(sample.info, '/nowhere', sample.pieceLayers);

/** Answers that a piece is right when its index is even; keeps jobs until they are asked for. */
function setUp(): {
  readonly checker: PieceChecker;
  readonly jobs: (() => void)[];
  readonly sizes: number[];
  readonly checked: [number, number][];
} {
  const jobs: (() => void)[] = [];
  const sizes: number[] = [];
  const checked: [number, number][] = [];
  const executor: JobExecutor = {
    maxWorkers: 2,
    submit: (job, done) => {
      if (job.kind !== 'check') throw new Error('what job is this?');
      sizes.push(job.sizes.length);
      const results = job.expected.map((_, at) => {
        const first = job.spans[1]! / 16384;
        return (first + at) % 2 === 0 ? RIGHT : WRONG;
      });
      const answer: CheckAnswer = { kind: 'check', results: Uint8Array.from(results) };
      jobs.push(() => (done as (answer: CheckAnswer, error: undefined) => void)(answer, undefined));
    },
    forget: () => Promise.resolve(),
    close: () => {},
  };
  const checker = new PieceChecker(executor, files, {
    onChecked: (pieceIndex, result) => checked.push([pieceIndex, result]),
  });
  return { checker, jobs, sizes, checked };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('checking many pieces', () => {
  it('joins them to few jobs, of which few are under way', async () => {
    const { checker, jobs, sizes, checked } = setUp();
    for (let pieceIndex = 0; pieceIndex < 3000; pieceIndex++) checker.add(pieceIndex);
    await turn();
    expect(sizes).toEqual([256, 256, 256, 256]);
    jobs.shift()!();
    expect(sizes.length).toBe(5);
    expect(checked.length).toBe(256);
    while (jobs.length > 0) jobs.shift()!();
    await checker.idle();
    expect(checked).toEqual(
      Array.from({ length: 3000 }, (_, index) => [index, index % 2 === 0 ? RIGHT : WRONG]),
    );
  });

  it('gives up what has not been sent', async () => {
    const { checker, jobs, checked } = setUp();
    for (let pieceIndex = 0; pieceIndex < 3000; pieceIndex++) checker.add(pieceIndex);
    await turn();
    const given: number[] = [];
    checker.cancel((pieceIndex) => given.push(pieceIndex));
    expect([given[0], given.length]).toEqual([1024, 3000 - 1024]);
    while (jobs.length > 0) jobs.shift()!();
    await checker.idle();
    expect(checked.length).toBe(1024);
  });
});
