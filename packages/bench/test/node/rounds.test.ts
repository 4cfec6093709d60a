import { describe, expect, it } from 'vitest';
import type { Contender } from '../../src/node/benchmark.ts';
import { runCase } from '../../src/node/rounds.ts';

/** A contender that takes 1 s, then 2 s ..., and notes its name in `order`. */
function contender(name: string, order: string[], more: Partial<Contender> = {}): Contender {
  let wallSeconds = 0;
  return {
    name,
    run: async () => {
      order.push(name);
      wallSeconds += 1;
      const sample = { wallSeconds, userSeconds: 0, systemSeconds: 0, peakBytes: 0 };
      return { sample, result: 'right' };
    },
    ...more,
  };
}

const ignore = (): void => {};

describe('runCase', () => {
  it('warms every contender up, then runs them in turn and keeps the rounds only', async () => {
    const order: string[] = [];
    const contenders = [contender('a', order), contender('b', order)];
    const result = await runCase({ name: 'x', contenders }, 2, ignore);
    expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    for (const { samples } of result.contenders) {
      expect(samples.map(({ wallSeconds }) => wallSeconds)).toEqual([2, 3]);
    }
  });

  it('names a contender that is not installed, and does not run it', async () => {
    const order: string[] = [];
    const missing = 'b is not installed: apt-get install b';
    const contenders = [contender('a', order), contender('b', order, { missing })];
    const result = await runCase({ name: 'x', contenders }, 1, ignore);
    expect(result.missing).toEqual([missing]);
    expect(result.contenders.map(({ name }) => name)).toEqual(['a']);
    expect(order).toEqual(['a', 'a']);
  });

  it('times nothing when results differ', async () => {
    const order: string[] = [];
    const readResult = async (): Promise<string> => 'wrong';
    const contenders = [contender('a', order), contender('b', order, { readResult })];
    await expect(runCase({ name: 'x', contenders }, 1, ignore)).rejects.toThrow(/b: wrong/);
    expect(order).toEqual(['a', 'b']);
  });

  it('refuses a contender that tells no result', async () => {
    const run: Contender['run'] = async () => ({
      sample: { wallSeconds: 1, userSeconds: 0, systemSeconds: 0, peakBytes: 0 },
    });
    const contenders = [{ name: 'a', run }];
    await expect(runCase({ name: 'x', contenders }, 1, ignore)).rejects.toThrow(/no result/);
  });
});
