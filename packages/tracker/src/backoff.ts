// How long a tracker that failed is left alone.
import type { AnnounceFailure } from './announcer.ts';
import { MAX_PAUSE_SECONDS, MIN_INTERVAL_SECONDS } from './limits.ts';

/** The first pause; it doubles with every further failure. Short, since a restarted tracker is back at once. */
const FIRST_PAUSE_MS = 15_000;

/** The longest pause: as long as the longest interval, so that a tracker is not forgotten. */
const LONGEST_PAUSE_MS = 3_600_000;

/**
 * Milliseconds until a tracker is asked again after its `failures`-th failure in a row: doubling from 15 s to an hour,
 * a fifth of it at random so that clients don't come back as a herd; or what the tracker itself said (BEP 31).
 * Infinity for never.
 */
export function pauseAfterFailure(
  failures: number,
  failure: AnnounceFailure,
  random: () => number,
): number {
  if (failure.code === 'invalid-url') return Number.POSITIVE_INFINITY;
  if (failure.retryInSeconds !== undefined) {
    if (failure.retryInSeconds === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    const seconds = Math.min(
      Math.max(failure.retryInSeconds, MIN_INTERVAL_SECONDS),
      MAX_PAUSE_SECONDS,
    );
    return seconds * 1000;
  }
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
  return Math.round(pause * (0.8 + 0.2 * random()));
}
