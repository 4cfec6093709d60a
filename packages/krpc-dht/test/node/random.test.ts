import { expect, it } from 'vitest';
import { secureRandom } from '../../src/node/random.ts';

it('gives numbers in [0, 1) that spread evenly, across the ends of its blocks', () => {
  const bins = new Array<number>(16).fill(0);
  for (let i = 0; i < 160_000; i++) {
    const value = secureRandom();
    if (!(value >= 0 && value < 1)) throw new Error(`${value}`);
    bins[Math.floor(value * 16)]!++;
  }
  // 10,000 each; seven standard deviations.
  for (const count of bins) expect(Math.abs(count - 10_000)).toBeLessThan(700);
});
