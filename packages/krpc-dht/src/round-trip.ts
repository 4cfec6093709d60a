// How long answers take (RFC 6298 section 2): the smoothed round trip and its deviation give the patience with a query.
import { FIRST_PATIENCE_MS, MAX_PATIENCE_MS, MIN_PATIENCE_MS } from './constants.ts';

/** Round trips to all nodes together: each is asked too seldom for a figure of its own. */
export class RoundTrip {
  /** Milliseconds; 0 before the first answer. */
  smoothedMs = 0;
  /** How long a query may take before it counts as slow. */
  patienceMs = FIRST_PATIENCE_MS;
  #deviationMs = 0;

  measure(roundTripMs: number): void {
    if (this.smoothedMs === 0) {
      this.smoothedMs = roundTripMs;
      this.#deviationMs = roundTripMs / 2;
    } else {
      const difference = Math.abs(this.smoothedMs - roundTripMs);
      this.#deviationMs += (difference - this.#deviationMs) / 4;
      this.smoothedMs += (roundTripMs - this.smoothedMs) / 8;
    }
    const patienceMs = this.smoothedMs + 4 * this.#deviationMs;
    this.patienceMs = Math.min(Math.max(patienceMs, MIN_PATIENCE_MS), MAX_PATIENCE_MS);
  }
}
