import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, ratio, spread } from '../src/statistics.ts';

const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 20 });

describe('median', () => {
  it('is the middle value, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9])).toBe(9.5);
    expect(median([7])).toBe(7);
  });

  it('has as many values below as above, and leaves the list as it was', () => {
    fc.assert(
      fc.property(values, (list) => {
        const copy = [...list];
        const middle = median(list);
        const below = list.filter((value) => value < middle).length;
        const above = list.filter((value) => value > middle).length;
        expect(below).toBeLessThanOrEqual(list.length / 2);
        expect(above).toBeLessThanOrEqual(list.length / 2);
        expect(list).toEqual(copy);
      }),
    );
  });

  it('refuses no values', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('spread', () => {
  it('is the median with the least and the most', () => {
    expect(spread([5, 1, 30, 2])).toEqual({ median: 3.5, least: 1, most: 30 });
  });
});

describe('ratio', () => {
  it('is ours to theirs', () => {
    expect(ratio([1], [4])).toBe(0.25);
  });

  it('compares within each round, so that a slow round of both counts for neither', () => {
    expect(ratio([1, 10, 1.2], [2, 20, 2])).toBe(0.5);
  });

  it('is undefined when theirs is too small to be measured', () => {
    expect(ratio([1, 1], [0, 2])).toBeUndefined();
  });

  it('refuses other rounds', () => {
    expect(() => ratio([1, 2], [1])).toThrow(RangeError);
  });
});
