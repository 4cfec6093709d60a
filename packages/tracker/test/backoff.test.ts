import { describe, expect, it } from 'vitest';
import { pauseAfterFailure } from '../src/backoff.ts';

const FAILURE = { code: 'connection', message: '' } as const;

describe('pauseAfterFailure', () => {
  it('doubles from 15 s to an hour, a fifth of it at random', () => {
    expect(
      [1, 2, 3, 8, 9, 2000].map((failures) => pauseAfterFailure(failures, FAILURE, () => 1)),
    ).toEqual([15_000, 30_000, 60_000, 1_920_000, 3_600_000, 3_600_000]);
    expect(pauseAfterFailure(1, FAILURE, () => 0)).toBe(12_000);
  });

  it('BEP 31: follows the tracker, between a minute and a day', () => {
    const pause = (retryInSeconds: number) =>
      pauseAfterFailure(1, { ...FAILURE, retryInSeconds }, () => 0);
    expect(pause(600)).toBe(600_000);
    expect(pause(0)).toBe(60_000);
    expect(pause(1e12)).toBe(86_400_000);
    expect(pause(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });

  it('never comes back to a URL that is none', () => {
    expect(pauseAfterFailure(1, { code: 'invalid-url', message: '' }, () => 0)).toBe(
      Number.POSITIVE_INFINITY,
    );
  });
});
