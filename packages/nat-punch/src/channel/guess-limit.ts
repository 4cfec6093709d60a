// How often strangers may guess the phrase of a pool. Each exchange gives them one guess (RFC 9382 section 7); without a limit a program
// could go through a dictionary.

/** Exchanges without success. */
export const MAX_GUESSES = 10;
/** For so long each of them counts. */
export const GUESS_PERIOD_MS = 10 * 60_000;

/** The guesses of one pool; one for all its members, since who guesses comes back as another. */
export class GuessLimit {
  readonly #guesses: number[] = [];

  /** An exchange begins, and counts as a guess until `succeeded`. False: there were too many; don't answer. */
  begin(now: number): boolean {
    while (this.#guesses.length > 0 && this.#guesses[0]! <= now - GUESS_PERIOD_MS) {
      this.#guesses.shift();
    }
    if (this.#guesses.length >= MAX_GUESSES) return false;
    this.#guesses.push(now);
    return true;
  }

  /** The other side knew the phrase: an exchange that has begun was no guess. */
  succeeded(): void {
    this.#guesses.pop();
  }
}
