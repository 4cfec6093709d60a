// How often strangers may guess the phrase of a pool. Each exchange gives them one guess (RFC 9382 section 7); without a limit a program
// could go through a dictionary. Guesses are used up by whoever likes to, so that beyond the limit others wait, and nobody is refused for
// good; who comes from one network has a share of them; and who has shown that it knows the phrase has guesses of its own.
import { networkOf } from '@bt/endpoint';

/** Exchanges without success, of a pool. */
export const MAX_GUESSES = 10;
/** Of them from one network: an IPv4 address or a /64 of IPv6. */
export const MAX_NETWORK_GUESSES = 4;
/**
 * Beside those, in the name of one member that has shown already that it knows the phrase. Without a limit a server could put in signals of
 * its own, and guess as often as it likes.
 */
export const MAX_FRIEND_GUESSES = 4;
/** For so long each of them counts. */
export const GUESS_PERIOD_MS = 10 * 60_000;

/** An exchange that counts as a guess. */
export interface Guess {
  /** The other side knew the phrase: it was none. */
  succeeded(): void;
}

export interface Guesses {
  /** An exchange begins, and counts as a guess until it has succeeded. Undefined: there were too many; don't answer now. */
  begin(now: number): Guess | undefined;
}

interface Counted extends Guess {
  readonly at: number;
  readonly network: string;
}

/** The guesses of one pool; one for all its members, since who guesses comes back as another. */
export class GuessLimit implements Guesses {
  readonly #max: number;
  #counted: readonly Counted[] = [];

  constructor(max: number = MAX_GUESSES) {
    this.#max = max;
  }

  /** Of a member that the server sees at these addresses, the first of which tells its network. */
  of(seen: readonly string[]): Guesses {
    const network = networkAt(seen[0]);
    return { begin: (now) => this.#begin(now, network, MAX_NETWORK_GUESSES) };
  }

  begin(now: number): Guess | undefined {
    return this.#begin(now, '', this.#max);
  }

  #begin(now: number, network: string, share: number): Guess | undefined {
    this.#counted = this.#counted.filter(({ at }) => at > now - GUESS_PERIOD_MS);
    const ofNetwork = this.#counted.filter((guess) => guess.network === network);
    if (this.#counted.length >= this.#max || ofNetwork.length >= share) return undefined;
    const guess: Counted = {
      at: now,
      network,
      succeeded: () => {
        this.#counted = this.#counted.filter((counted) => counted !== guess);
      },
    };
    this.#counted = [...this.#counted, guess];
    return guess;
  }
}

function networkAt(address: string | undefined): string {
  try {
    return networkOf(address ?? '');
  } catch {
    // What the server doesn't tell of goes together.
    return '';
  }
}
