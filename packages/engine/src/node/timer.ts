// The one timer of the engine: a wake-up on the monotonic clock that can be moved without cost.

/** Beyond this Node fires after a millisecond. */
const MAX_DELAY_MS = 0x7fff_ffff;

/** The clock of everything in the engine: milliseconds, never running backwards. */
export function clockNow(): number {
  return performance.now();
}

/** Rings when the time that was set last has come. */
export class Wakeup {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires; it may be too early, then it is set anew. */
  #firesAtMs = Number.POSITIVE_INFINITY;
  #wantedMs = Number.POSITIVE_INFINITY;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Infinity: never. Moving it to a later time costs nothing, so it may be called for every packet. */
  set(timeMs: number): void {
    this.#wantedMs = timeMs;
    if (timeMs < this.#firesAtMs) this.#arm();
  }

  clear(): void {
    this.#wantedMs = Number.POSITIVE_INFINITY;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#firesAtMs = Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const now = clockNow();
    const delayMs = Math.min(Math.max(Math.ceil(this.#wantedMs - now), 0), MAX_DELAY_MS);
    this.#firesAtMs = now + delayMs;
    this.#timer = setTimeout(this.#fire, delayMs);
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    this.#firesAtMs = Number.POSITIVE_INFINITY;
    if (this.#wantedMs === Number.POSITIVE_INFINITY) return;
    if (clockNow() >= this.#wantedMs) {
      this.#wantedMs = Number.POSITIVE_INFINITY;
      this.#ring();
    } else {
      this.#arm();
    }
  };
}
