import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REPLAY_WINDOW_BITS, ReplayWindow } from '../../src/path/replay-window.ts';

describe('the window', () => {
  it('admits each number once, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 * REPLAY_WINDOW_BITS })), (numbers) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        let highest = -1;
        for (const number of numbers) {
          const isOld = number <= highest - REPLAY_WINDOW_BITS;
          // At the edge a number may be refused a little early: words of 32 are cleared together.
          const isAtEdge = number <= highest - REPLAY_WINDOW_BITS + 32;
          highest = Math.max(highest, number);
          const isAdmitted = window.admit(number);
          if (seen.has(number) || isOld) expect(isAdmitted).toBe(false);
          else if (!isAtEdge) expect(isAdmitted).toBe(true);
          if (isAdmitted) seen.add(number);
        }
      }),
    );
  });

  it('goes on over numbers that are far apart', () => {
    const window = new ReplayWindow();
    for (const number of [0, 5_000, 2 ** 40, 2 ** 40 + 1]) {
      expect([window.admit(number), window.admit(number)]).toEqual([true, false]);
    }
    expect(window.admit(2 ** 40 - 100)).toBe(true);
    expect(window.admit(5_000)).toBe(false);
  });
});
