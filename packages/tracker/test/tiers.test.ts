import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrangeTiers, promote } from '../src/tiers.ts';

describe('arrangeTiers', () => {
  it('shuffles within tiers and keeps their order', () => {
    const tiers = [['a', 'b', 'c'], ['d'], ['e', 'f']];
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const arranged = arrangeTiers(tiers, createRandom(seed));
        const byTier = [0, 1, 2].map((tier) =>
          arranged
            .filter((t) => t.tier === tier)
            .map(({ url }) => url)
            .sort(),
        );
        expect(byTier).toEqual(tiers);
        expect(arranged.map(({ tier }) => tier)).toEqual([0, 0, 0, 1, 2, 2]);
      }),
    );
  });

  it('gives every order of a tier its turn', () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      orders.add(
        arrangeTiers([['a', 'b', 'c']], createRandom(seed))
          .map(({ url }) => url)
          .join(''),
      );
    }
    expect([...orders].sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
  });

  it('drops duplicates, empty URLs and empty tiers', () => {
    expect(arrangeTiers([[], ['a', 'a'], [''], ['a', 'b']], () => 0)).toEqual([
      { url: 'a', tier: 0 },
      { url: 'b', tier: 1 },
    ]);
  });

  it('takes a hundred trackers and no more', () => {
    const tiers = Array.from({ length: 2000 }, (_, i) => [`${i}`]);
    expect(arrangeTiers(tiers, () => 0)).toHaveLength(100);
  });
});

describe('promote', () => {
  it('moves an item to the front of its tier', () => {
    const order = arrangeTiers([['a'], ['b', 'c', 'd'], ['e']], () => 0.999);
    promote(order, order[3]!);
    expect(order.map(({ url }) => url).join('')).toBe('adbce');
    promote(order, order[1]!);
    promote(order, order[0]!);
    promote(order, order[4]!);
    expect(order.map(({ url }) => url).join('')).toBe('adbce');
  });
});
