// Bytes per second over the last 20 seconds, which is what choking goes by (BEP 3: "a rolling 20-second average").

const WINDOW_SECONDS = 20;

/** Counts bytes in one-second buckets. No allocation after its making. */
export class RateMeter {
  totalBytes = 0;
  readonly #startMs: number;
  readonly #buckets = new Float64Array(WINDOW_SECONDS);
  #second: number;
  #windowBytes = 0;

  constructor(now: number) {
    this.#startMs = now;
    this.#second = Math.floor(now / 1000);
  }

  add(now: number, lengthBytes: number): void {
    this.#advance(now);
    const index = this.#second % WINDOW_SECONDS;
    this.#buckets[index] = this.#buckets[index]! + lengthBytes;
    this.#windowBytes += lengthBytes;
    this.totalBytes += lengthBytes;
  }

  /** Bytes per second over the window, or over the meter's life while that is shorter (one second at least). */
  rate(now: number): number {
    this.#advance(now);
    const seconds = Math.min(Math.max((now - this.#startMs) / 1000, 1), WINDOW_SECONDS);
    return this.#windowBytes / seconds;
  }

  /** Bytes per second over the last `seconds` whole seconds and the one that runs, for quick decisions. */
  recentRate(now: number, seconds: number): number {
    this.#advance(now);
    let bytes = 0;
    for (let back = 0; back <= seconds; back += 1) {
      if (this.#second - back < 0) break;
      bytes += this.#buckets[(this.#second - back) % WINDOW_SECONDS]!;
    }
    const elapsed = Math.min((now - this.#startMs) / 1000, seconds + (now % 1000) / 1000);
    return bytes / Math.max(elapsed, 0.1);
  }

  #advance(now: number): void {
    const second = Math.floor(now / 1000);
    if (second <= this.#second) return;
    const steps = Math.min(second - this.#second, WINDOW_SECONDS);
    for (let step = 1; step <= steps; step += 1) {
      const index = (this.#second + step) % WINDOW_SECONDS;
      this.#windowBytes -= this.#buckets[index]!;
      this.#buckets[index] = 0;
    }
    this.#second = second;
  }
}
