// Which sequence numbers have been seen, so that a datagram counts once (the sliding window of RFC 4303 section 3.4.3, and of DTLS).

/** Numbers that are this far behind the highest are refused. The paths of a pair differ by seconds at most, at some 600 probes a second. */
export const REPLAY_WINDOW_BITS = 4096;

const WORDS = REPLAY_WINDOW_BITS / 32;

export class ReplayWindow {
  #highest = -1;
  readonly #bits = new Uint32Array(WORDS);

  /** Notes the number; false when it was there before, or is too far behind to tell. */
  admit(sequence: number): boolean {
    if (sequence > this.#highest) {
      this.#advance(sequence);
    } else if (this.#highest - sequence >= REPLAY_WINDOW_BITS) {
      return false;
    }
    const word = Math.floor(sequence / 32) % WORDS;
    const bit = 1 << (sequence % 32);
    if ((this.#bits[word]! & bit) !== 0) return false;
    this.#bits[word]! |= bit;
    return true;
  }

  /** Words are used in a ring: those that the window moves over are cleared. */
  #advance(sequence: number): void {
    const first = Math.floor(this.#highest / 32) + 1;
    const last = Math.floor(sequence / 32);
    const count = Math.min(last - first + 1, WORDS);
    for (let i = 0; i < count; i++) this.#bits[(last - i) % WORDS] = 0;
    this.#highest = sequence;
  }
}
