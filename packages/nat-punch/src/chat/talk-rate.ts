// How fast another member may talk. Nothing is lost above it: what is not taken stays with the sender, who has to wait.

/** Messages a second that one member may send for long. */
export const TALK_PER_SECOND = 200;
/** And at once: a text of so many lines is pasted, or piped in. */
export const TALK_BURST = 2000;

/** A bucket of tokens, one a message. */
export class TalkRate {
  #tokens = TALK_BURST;
  #filledAt: number | undefined;

  /** May one more message be taken? It is counted if so. */
  take(now: number): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** There was none to be taken after all. */
  giveBack(): void {
    this.#tokens += 1;
  }

  /** When the next one may be taken. */
  nextAt(now: number): number {
    this.#fill(now);
    return this.#tokens >= 1 ? now : now + ((1 - this.#tokens) * 1000) / TALK_PER_SECOND;
  }

  #fill(now: number): void {
    const elapsedMs = now - (this.#filledAt ?? now);
    this.#filledAt = now;
    this.#tokens = Math.min(TALK_BURST, this.#tokens + (elapsedMs * TALK_PER_SECOND) / 1000);
  }
}
