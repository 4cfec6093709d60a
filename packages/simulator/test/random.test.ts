import { expect, it } from 'vitest';
import { createRandom } from '../src/index.ts';

it('replays from its seed and differs between seeds', () => {
  const take = (seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: 50 }, random);
  };
  expect(take(7)).toEqual(take(7));
  expect(take(7)).not.toEqual(take(8));
});

it('is even over [0, 1)', () => {
  const random = createRandom(1);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i += 1) {
    const bucket = Math.floor(random() * 10);
    counts[bucket] = counts[bucket]! + 1;
  }
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});
