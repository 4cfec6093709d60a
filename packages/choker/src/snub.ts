// Anti-snubbing (BEP 3): a peer of which we want something and that sends no block for a minute snubs us.
import type { ChokerPeer } from './types.ts';

/** BEP 3: "over a minute". */
const SNUB_MS = 60_000;

export class SnubWatch {
  /** Since when we have been waiting for a first block, or for another one. */
  readonly #waitingSince = new Map<number, number>();
  readonly #snubbed = new Set<number>();

  /** Looks at all connected peers; those left out are forgotten. Returns the ones that snub us. */
  update(now: number, peers: readonly ChokerPeer[]): ReadonlySet<number> {
    const present = new Set(peers.map((peer) => peer.id));
    for (const id of this.#waitingSince.keys()) if (!present.has(id)) this.#waitingSince.delete(id);
    for (const id of this.#snubbed) if (!present.has(id)) this.#snubbed.delete(id);
    for (const peer of peers) this.#look(now, peer);
    return this.#snubbed;
  }

  #look(now: number, peer: ChokerPeer): void {
    const { id, lastBlockAt } = peer;
    const since = this.#waitingSince.get(id);
    // Once snubbed, only a block ends it: our requests may have gone to others meanwhile.
    if (this.#snubbed.has(id)) {
      if (lastBlockAt === undefined || now - lastBlockAt >= SNUB_MS) return;
      this.#snubbed.delete(id);
    }
    if (!isAwaited(peer)) {
      this.#waitingSince.delete(id);
      return;
    }
    const start = Math.max(since ?? now, lastBlockAt ?? Number.MIN_SAFE_INTEGER);
    this.#waitingSince.set(id, start);
    if (now - start >= SNUB_MS) this.#snubbed.add(id);
  }
}

/** We asked it for blocks; or it used to send us some, has more for us, and chokes us now. */
function isAwaited(peer: ChokerPeer): boolean {
  return peer.requestsOutstanding || (peer.interesting === true && peer.lastBlockAt !== undefined);
}
