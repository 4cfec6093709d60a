// Optimistic unchoking (BEP 3): whatever they send us, all interested peers get a slot in turn, for 30 s each. A new
// peer is three times as likely to be put at the head of the rotation as at any other place.
import type { ChokerPeer } from './types.ts';

/** BEP 3: long enough for the upload to reach its rate, to be returned, and for that to be seen. */
export const TURN_MS = 30_000;
/** BEP 3. */
const NEW_PEER_WEIGHT = 3;
/** Rounds come a little early or late; a turn must not last a round longer for that. */
const JITTER_MS = 1_000;

export class OptimisticRotation {
  readonly #random: () => number;
  /** Who comes next; whoever has had a turn goes to the end. */
  #order: number[] = [];
  readonly #turns = new Map<number, number>();
  #latest: number | undefined;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Among those whose turn it is, the one whose turn began last. */
  get latest(): number | undefined {
    return this.#latest !== undefined && this.#turns.has(this.#latest) ? this.#latest : undefined;
  }

  /** Puts new peers into the rotation and takes out those that are gone. */
  update(peers: readonly ChokerPeer[]): void {
    const present = new Set(peers.map((peer) => peer.id));
    this.#order = this.#order.filter((id) => present.has(id));
    for (const id of this.#order) present.delete(id);
    for (const id of present) {
      const place = Math.floor(this.#random() * (this.#order.length + NEW_PEER_WEIGHT));
      this.#order.splice(Math.max(0, place - (NEW_PEER_WEIGHT - 1)), 0, id);
    }
  }

  /** Ends turns that are over or not needed, begins others, and says whose turn it is: at most `count`. */
  choose(now: number, count: number, eligible: readonly ChokerPeer[]): number[] {
    const allowed = new Set(eligible.map((peer) => peer.id));
    for (const [id, since] of this.#turns) {
      if (allowed.has(id) && now - since < TURN_MS - JITTER_MS) continue;
      this.#turns.delete(id);
    }
    // The longest-running turns go first when there are fewer slots than turns.
    for (const id of this.#turns.keys()) {
      if (this.#turns.size <= count) break;
      this.#turns.delete(id);
    }
    const begun: number[] = [];
    for (const id of this.#order) {
      if (this.#turns.size >= count) break;
      if (!allowed.has(id) || this.#turns.has(id)) continue;
      this.#turns.set(id, now);
      this.#latest = id;
      begun.push(id);
    }
    if (begun.length > 0) {
      const had = new Set(begun);
      this.#order = [...this.#order.filter((id) => !had.has(id)), ...begun];
    }
    return [...this.#turns.keys()];
  }
}
