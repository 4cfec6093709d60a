// How long something has taken, the time left out in which we let it wait ourselves.

export class Stopwatch {
  readonly limitMs: number;
  #usedMs = 0;
  /** Undefined while it stands still. */
  #sinceMs: number | undefined;

  constructor(limitMs: number) {
    this.limitMs = limitMs;
  }

  /** Begins anew from zero, running or not as before. */
  reset(now: number): void {
    this.#usedMs = 0;
    if (this.#sinceMs !== undefined) this.#sinceMs = now;
  }

  run(now: number): void {
    this.#sinceMs ??= now;
  }

  hold(now: number): void {
    if (this.#sinceMs !== undefined) this.#usedMs += now - this.#sinceMs;
    this.#sinceMs = undefined;
  }

  isOver(now: number): boolean {
    return now >= this.deadline();
  }

  /** When the limit will be reached; Infinity while it stands still. */
  deadline(): number {
    if (this.#sinceMs === undefined) return Number.POSITIVE_INFINITY;
    return this.#sinceMs + this.limitMs - this.#usedMs;
  }
}
