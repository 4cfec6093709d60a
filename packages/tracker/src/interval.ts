// A tracker's intervals, made harmless.
import {
  DEFAULT_INTERVAL_SECONDS,
  MAX_INTERVAL_SECONDS,
  MAX_PAUSE_SECONDS,
  MIN_INTERVAL_SECONDS,
} from './limits.ts';

/** `interval` in 60..3600; half an hour when the tracker names none. */
export function clampInterval(seconds: number | undefined): number {
  if (seconds === undefined) return DEFAULT_INTERVAL_SECONDS;
  return Math.min(Math.max(seconds, MIN_INTERVAL_SECONDS), MAX_INTERVAL_SECONDS);
}

/** `min interval` up to a day; one that is none is none. */
export function clampMinInterval(seconds: number | undefined): number | undefined {
  if (seconds === undefined || seconds <= 0) return undefined;
  return Math.min(seconds, MAX_PAUSE_SECONDS);
}
