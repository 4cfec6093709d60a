// How much may be sent to addresses that a peer has merely named: a handful of probes until something there answers, so that nobody can be
// made to flood a third party by being told of it.

/** Probes to an address that only the peer vouches for, until it answers. As many answers are sent to one. */
export const MAX_UNANSWERED_PROBES = 10;
/** Addresses that a pair may try in its life without an answer. */
export const MAX_UNSEEN_ADDRESSES = 48;

export class ProbeBudget {
  /** Addresses that the server itself has seen the peer send from. */
  readonly #seen = new Set<string>();
  /** Those of the server and its relays. */
  readonly #trusted = new Set<string>();
  readonly #answered = new Set<string>();
  readonly #probes = new Map<string, number>();
  readonly #answers = new Map<string, number>();

  /** Whether the server has seen the peer there: only there ports may be guessed. */
  isSeen(address: string): boolean {
    return this.#seen.has(address);
  }

  addSeen(address: string): void {
    this.#seen.add(address);
  }

  addTrusted(address: string): void {
    if (this.#trusted.size < MAX_UNSEEN_ADDRESSES) this.#trusted.add(address);
  }

  /** Something of the pair at this address has answered a probe. */
  handleAnswer(address: string): void {
    if (this.#seen.has(address)) return;
    if (this.#answered.size < MAX_UNSEEN_ADDRESSES) this.#answered.add(address);
  }

  takeProbe(address: string): boolean {
    return this.#take(this.#probes, address);
  }

  takeAnswer(address: string): boolean {
    return this.#take(this.#answers, address);
  }

  /** We are in another network: what was out of reach may be there. */
  reset(): void {
    this.#probes.clear();
    this.#answers.clear();
  }

  #take(counts: Map<string, number>, address: string): boolean {
    if (this.#seen.has(address) || this.#trusted.has(address) || this.#answered.has(address)) {
      return true;
    }
    const count = counts.get(address) ?? 0;
    if (count >= MAX_UNANSWERED_PROBES) return false;
    if (count === 0 && counts.size >= MAX_UNSEEN_ADDRESSES) return false;
    counts.set(address, count + 1);
    return true;
  }
}
