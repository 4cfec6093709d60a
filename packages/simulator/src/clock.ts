// Virtual time: a queue of things to run, in order of their time and, for equal times, of their scheduling.

/** Something scheduled; `cancel()` makes it never run. */
export class Timer {
  readonly timeMs: number;
  readonly order: number;
  run: (() => void) | undefined;

  constructor(timeMs: number, order: number, run: () => void) {
    this.timeMs = timeMs;
    this.order = order;
    this.run = run;
  }

  cancel(): void {
    this.run = undefined;
  }
}

/** The clock of a simulation. It moves only when `step`, `runUntil` or `runWhile` move it. */
export class VirtualClock {
  /** Milliseconds since the simulation began. */
  now = 0;
  /** How many scheduled things have run: a measure of work, and a check that two runs were the same. */
  steps = 0;
  #heap: Timer[] = [];
  #order = 0;

  /** Runs `run` at `timeMs` (at once, but not now, when that is past). */
  at(timeMs: number, run: () => void): Timer {
    const timer = new Timer(Math.max(timeMs, this.now), this.#order++, run);
    this.#push(timer);
    return timer;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.at(this.now + delayMs, run);
  }

  /** Runs the next thing; false when there is none. */
  step(): boolean {
    for (;;) {
      const timer = this.#pop();
      if (timer === undefined) return false;
      const run = timer.run;
      if (run === undefined) continue;
      timer.run = undefined;
      this.now = timer.timeMs;
      this.steps += 1;
      run();
      return true;
    }
  }

  /** Runs everything due up to `timeMs` and leaves the clock there. */
  runUntil(timeMs: number): void {
    while (this.#next() <= timeMs) this.step();
    this.now = Math.max(this.now, timeMs);
  }

  /** Runs while `condition` holds and it is not `limitMs` yet. True when the condition ended it. */
  runWhile(condition: () => boolean, limitMs: number): boolean {
    while (condition()) {
      if (this.#next() > limitMs) {
        this.now = Math.max(this.now, limitMs);
        return false;
      }
      this.step();
    }
    return true;
  }

  /** The time of the next thing, Infinity when there is none. */
  #next(): number {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return Number.POSITIVE_INFINITY;
      if (first.run !== undefined) return first.timeMs;
      this.#pop();
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(timer);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent]!;
      if (!isBefore(timer, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

/** One wake-up that can be moved: what drives a machine's `deadline()`. */
export class Alarm {
  readonly #clock: VirtualClock;
  readonly #ring: () => void;
  #timer: Timer | undefined;

  constructor(clock: VirtualClock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings at `timeMs` and at no other time; Infinity switches it off. */
  set(timeMs: number): void {
    if (this.#timer?.run !== undefined && this.#timer.timeMs === timeMs) return;
    this.#timer?.cancel();
    this.#timer =
      timeMs === Number.POSITIVE_INFINITY ? undefined : this.#clock.at(timeMs, this.#ring);
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
}
