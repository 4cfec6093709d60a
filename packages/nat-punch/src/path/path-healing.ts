// When a path is looked for anew: at once when the one in use has died, again and again while there is none, and now and then while a relay
// carries the talk, since something better may come.

export type Trouble = 'none' | 'lost' | 'relayed';

/** What the first round may take before another one is begun. */
const FIRST_ROUND_MS = 3_000;
/** Between rounds while nothing works, and while a relay carries the talk. The last one repeats. */
const LOST_ROUNDS_MS = [1_000, 2_000, 4_000, 8_000] as const;
const RELAYED_ROUNDS_MS = [3_000, 8_000, 20_000, 60_000] as const;

export interface HealingStep {
  readonly trouble: Trouble;
  /** Whether there has been a path yet. */
  readonly hadPath: boolean;
  /** Until when ports are being guessed: a new round would disturb that, and wait for no more than a relay. */
  readonly busyUntilMs: number;
}

export class PathHealing {
  readonly #isControlling: boolean;
  #trouble: Trouble = 'none';
  #nextMs = Number.POSITIVE_INFINITY;
  #rounds = 0;

  constructor(isControlling: boolean) {
    this.#isControlling = isControlling;
  }

  /** When it has to be asked again at the latest. */
  deadline(): number {
    return this.#nextMs;
  }

  /** Whether a round begins now: `fresh` with new sockets, `again` with those that there are. */
  step(now: number, { trouble, hadPath, busyUntilMs }: HealingStep): 'fresh' | 'again' | undefined {
    if (trouble !== this.#trouble) {
      // A relay after a direct path, or nothing after anything: that is a path that has died.
      const hasDied = hadPath && (trouble === 'lost' || this.#trouble === 'none');
      this.#trouble = trouble;
      this.#rounds = 0;
      this.#nextMs = now + (hasDied ? 0 : FIRST_ROUND_MS);
    }
    if (trouble === 'none') this.#nextMs = Number.POSITIVE_INFINITY;
    if (trouble === 'relayed') this.#nextMs = Math.max(this.#nextMs, busyUntilMs);
    if (now < this.#nextMs) return undefined;
    const delays = trouble === 'lost' ? LOST_ROUNDS_MS : RELAYED_ROUNDS_MS;
    this.#nextMs = now + delays[Math.min(this.#rounds, delays.length - 1)]!;
    this.#rounds += 1;
    if (trouble === 'lost' || this.#rounds === 1) return 'fresh';
    // One side is enough to look for something better than a relay.
    return this.#isControlling ? 'again' : undefined;
  }
}
