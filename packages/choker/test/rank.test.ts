import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { autoSlots, shuffled } from '../src/rank.ts';
import { createRandom } from './random.ts';

describe('automatic slots', () => {
  // BitTorrent 4.x: the square root of 0.6 times the upload limit in KiB/s.
  test.each([
    [0, 4],
    [10, 4],
    [42, 5],
    [100, 7],
    [1024, 24],
    [20_480, 50],
  ])('a limit of %i KiB/s gives %i', (kib, slots) => {
    expect(autoSlots({ uploadRate: 0, uploadLimit: kib * 1024 })).toBe(slots);
  });

  test.each([
    [0, 7],
    [100, 7],
    [1024, 24],
    [1_000_000, 50],
  ])('without a limit %i KiB/s measured give %i', (kib, slots) => {
    expect(autoSlots({ uploadRate: kib * 1024 })).toBe(slots);
  });

  test('never fall when the rate rises', () => {
    fc.assert(
      fc.property(fc.nat(100_000_000), fc.nat(100_000_000), (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(autoSlots({ uploadRate: low })).toBeLessThanOrEqual(autoSlots({ uploadRate: high }));
      }),
    );
  });
});

test('shuffled is fair', () => {
  const random = createRandom(1);
  const seen = new Map<string, number>();
  for (let i = 0; i < 6000; i += 1) {
    const order = shuffled(['a', 'b', 'c'], random).join('');
    seen.set(order, (seen.get(order) ?? 0) + 1);
  }
  expect(seen.size).toBe(6);
  for (const times of seen.values()) {
    expect(times).toBeGreaterThan(850);
    expect(times).toBeLessThan(1150);
  }
});
