// When the next line of progress is due where lines can't be rewritten: a log stays short, however long the run.

/** Between two lines in the first minute, and after it. */
const EARLY_MS = 5_000;
const LATER_MS = 60_000;
/** Between two lines that say the same. */
const STILL_MS = 600_000;

export class Pace {
  #printedMs = Number.NEGATIVE_INFINITY;
  #printed = '';

  /** Whether to print `line` now, `runningMs` after the start. */
  isDue(line: string, runningMs: number): boolean {
    const pauseMs = line === this.#printed ? STILL_MS : runningMs < LATER_MS ? EARLY_MS : LATER_MS;
    if (runningMs - this.#printedMs < pauseMs) return false;
    this.#printedMs = runningMs;
    this.#printed = line;
    return true;
  }
}
