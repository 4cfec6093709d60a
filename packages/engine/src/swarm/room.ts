// How many connections there may be in each direction. Accepted and dialled ones share one number, and each has a part of
// it that the other can't take: strangers who connect to us must not keep us from dialling, nor dials keep everybody out.

import { CONNECTION_RESERVE_SHARE } from '../limits.ts';
import type { Direction } from '../peer.ts';

/** Connections there are. */
export type Counts = Readonly<Record<Direction, number>>;

export class Room {
  /** Of both directions together. */
  readonly max: number;
  readonly #most: Counts;

  /** @param accepts false: nobody connects to us, so nothing is kept for that */
  constructor(max: number, accepts: boolean) {
    const reserve = Math.floor(max * CONNECTION_RESERVE_SHARE);
    this.max = max;
    this.#most = { in: max - reserve, out: accepts ? max - reserve : max };
  }

  /** One more of this direction fits in. */
  isFor(direction: Direction, counts: Counts): boolean {
    return counts.in + counts.out < this.max && counts[direction] < this.#most[direction];
  }

  /** The share of the room of this direction that is taken, 1 where there is none left. */
  share(direction: Direction, counts: Counts): number {
    const ofAll = (counts.in + counts.out) / this.max;
    return Math.max(ofAll, counts[direction] / this.#most[direction]);
  }
}
