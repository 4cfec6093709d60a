// How long a peer keeps a piece that is left to it alone: one that failed its hash goes to one peer, so that a wrong block has
// one possible sender (threat P5), and so does all that a peer under suspicion sends. As long as it likes while nobody else
// could have the piece; once somebody could, a while, and some times as long as that one needs for all of it (threat P6).
// The time grows with each change, so that among slow peers one comes to the end.

import type { PeerHandle } from '@bt/picker';
import {
  MAX_OWNER_DOUBLINGS,
  OWNER_GRACE_MS,
  OWNER_PATIENCE,
  UNKNOWN_NEWCOMER_MS,
} from './limits.ts';

interface Tenure {
  /** Undefined until somebody else could have had the piece. */
  owner: PeerHandle | undefined;
  /** Since then. */
  sinceMs: number;
  /** How often the piece was taken from somebody. */
  changes: number;
}

export class Ownership {
  readonly #tenures = new Map<number, Tenure>();

  /**
   * Somebody could have the piece. True when the owner's time is over.
   *
   * @param needMs what the newcomer needs for the piece, as far as that is known
   */
  isOver(now: number, pieceIndex: number, owner: PeerHandle, needMs: number | undefined): boolean {
    const tenure = this.#tenures.get(pieceIndex) ?? { owner, sinceMs: now, changes: 0 };
    this.#tenures.set(pieceIndex, tenure);
    if (tenure.owner !== owner) {
      tenure.owner = owner;
      tenure.sinceMs = now;
    }
    const patienceMs = OWNER_GRACE_MS + OWNER_PATIENCE * (needMs ?? UNKNOWN_NEWCOMER_MS);
    const factor = 2 ** Math.min(tenure.changes, MAX_OWNER_DOUBLINGS);
    if (now - tenure.sinceMs < factor * patienceMs) return false;
    tenure.owner = undefined;
    tenure.changes += 1;
    return true;
  }

  /** The piece is there. */
  ended(pieceIndex: number): void {
    this.#tenures.delete(pieceIndex);
  }
}
