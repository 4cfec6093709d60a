// One timer that can be moved: what drives a machine's `deadline()` on the real clock.

const MAX_DELAY_MS = 2 ** 31 - 1;

export class Wakeup {
  readonly #wake: () => void;
  #timer: NodeJS.Timeout | undefined;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** Wakes at that time of `performance.now()` and at no other; Infinity switches it off. */
  set(atMs: number): void {
    if (atMs === this.#atMs) return;
    clearTimeout(this.#timer);
    this.#atMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(Math.ceil(atMs - performance.now()), 0), MAX_DELAY_MS);
    this.#timer = setTimeout(() => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#wake();
    }, delayMs);
  }
}
