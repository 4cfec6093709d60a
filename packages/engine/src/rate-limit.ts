// A token bucket for --max-down and --max-up, shared by all torrents of a session.

/** Depth of the bucket: what may pass at once after a pause. A tenth of a second keeps the rate even. */
const BURST_SECONDS = 0.1;
/** At least one block and its header has to fit. */
const MIN_BURST_BYTES = 16_384 + 13;

export class RateLimit {
  readonly bytesPerSecond: number;
  #tokens: number;
  #updatedMs: number | undefined;
  readonly #burstBytes: number;

  /** `Infinity` for no limit. */
  constructor(bytesPerSecond: number = Number.POSITIVE_INFINITY) {
    this.bytesPerSecond = bytesPerSecond;
    this.#burstBytes = Math.max(bytesPerSecond * BURST_SECONDS, MIN_BURST_BYTES);
    this.#tokens = this.#burstBytes;
  }

  get isUnlimited(): boolean {
    return this.bytesPerSecond === Number.POSITIVE_INFINITY;
  }

  /** True when something may pass now. What passes is charged afterwards and may overdraw the bucket. */
  isOpen(now: number): boolean {
    if (this.isUnlimited) return true;
    this.#fill(now);
    return this.#tokens >= 0;
  }

  charge(now: number, lengthBytes: number): void {
    if (this.isUnlimited) return;
    this.#fill(now);
    this.#tokens -= lengthBytes;
  }

  /** When the bucket is open again. */
  opensAt(now: number): number {
    if (this.isOpen(now)) return now;
    // A hair later, so that rounding can't leave it shut at that very time.
    return now + (-this.#tokens / this.bytesPerSecond) * 1000 + 0.01;
  }

  #fill(now: number): void {
    const elapsedMs = now - (this.#updatedMs ?? now);
    this.#updatedMs = Math.max(now, this.#updatedMs ?? now);
    if (elapsedMs <= 0) return;
    this.#tokens = Math.min(
      this.#tokens + (elapsedMs / 1000) * this.bytesPerSecond,
      this.#burstBytes,
    );
  }
}
