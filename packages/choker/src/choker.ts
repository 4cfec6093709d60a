import type {
  ChokerDecision,
  ChokerMode,
  ChokerOptions,
  ChokerPeer,
  ChokerTotals,
} from './types.ts';

export class Choker {
  constructor(options: ChokerOptions) {
    void options;
  }

  /** When `round` is due. */
  deadline(): number {
    return 0;
  }

  /** Decides anew for all peers; due every 10 s. */
  round(
    now: number,
    peers: readonly ChokerPeer[],
    mode: ChokerMode,
    totals: ChokerTotals,
  ): ChokerDecision {
    void [now, peers, mode, totals];
    return { unchoke: [], choke: [], optimistic: undefined, snubbed: [] };
  }

  /**
   * Gives free slots away between rounds; to be called when a peer becomes interested or loses interest, comes or goes.
   * Chokes nobody.
   */
  fill(
    now: number,
    peers: readonly ChokerPeer[],
    mode: ChokerMode,
    totals: ChokerTotals,
  ): ChokerDecision {
    return this.round(now, peers, mode, totals);
  }
}
