// Whom to unchoke (BEP 3, "Choking and optimistic unchoking"): every 10 s all peers are judged anew, in between only
// free slots are given away. While leeching the peers that send most are served; a seed serves by turns, as mainline
// 4.0 and later do (Legout, Urvoy-Keller, Michiardi: Rarest First and Choke Algorithms Are Enough, IMC 2006).
import { OptimisticRotation } from './optimistic.ts';
import { autoSlots, byServiceReceived, byTurn, rankLeechers, shuffled } from './rank.ts';
import { SnubWatch } from './snub.ts';
import type {
  ChokerDecision,
  ChokerMode,
  ChokerOptions,
  ChokerPeer,
  ChokerTotals,
} from './types.ts';

/** BEP 3: changing who is choked every ten seconds gives TCP time to ramp up. */
const ROUND_MS = 10_000;
/** Without choking: more peers than this at a time would get too little each. */
const MAX_UNCHOKED = 100;

export class Choker {
  readonly #options: ChokerOptions;
  readonly #rotation: OptimisticRotation;
  readonly #snubs = new SnubWatch();
  #slots: number | 'auto';
  #deadline = 0;
  #rounds = 0;
  /** Unchoked by `fill` since the last round: a seed's round unchokes so many fewer. */
  #filled = 0;
  #optimistic: number | undefined;

  constructor(options: ChokerOptions) {
    this.#options = options;
    this.#slots = options.slots ?? 'auto';
    this.#rotation = new OptimisticRotation(options.random);
  }

  /** Peers unchoked at a time from the next call on. */
  setSlots(slots: number | 'auto'): void {
    this.#slots = slots;
  }

  /** When `round` is due next; 0 before the first. */
  deadline(): number {
    return this.#deadline;
  }

  /** Judges all peers anew, and is due again after 10 s. */
  round(
    now: number,
    peers: readonly ChokerPeer[],
    mode: ChokerMode,
    totals: ChokerTotals,
  ): ChokerDecision {
    this.#deadline = now + ROUND_MS;
    const snubbed = this.#watchSnubs(now, peers, mode);
    const chosen = this.#choose(now, peers, mode, totals, snubbed);
    this.#rounds += 1;
    this.#filled = 0;
    return {
      unchoke: ids(peers, (peer) => !peer.isUnchoked && chosen.has(peer.id)),
      choke: ids(peers, (peer) => peer.isUnchoked && !chosen.has(peer.id)),
      optimistic: this.#optimistic,
      snubbed: [...snubbed],
    };
  }

  /**
   * Gives free slots away between rounds and chokes nobody. To be called when a peer becomes interested, loses interest,
   * comes or goes. An unchoked peer that is not interested holds no slot.
   */
  fill(
    now: number,
    peers: readonly ChokerPeer[],
    mode: ChokerMode,
    totals: ChokerTotals,
  ): ChokerDecision {
    const snubbed = this.#watchSnubs(now, peers, mode);
    const free = this.#limit(totals) - count(peers, (peer) => peer.isUnchoked && peer.interested);
    let unchoke: number[] = [];
    if (free > 0) {
      const waiting = peers.filter(
        (peer) => peer.interested && !peer.isUnchoked && !snubbed.has(peer.id),
      );
      const order =
        mode === 'leeching'
          ? rankLeechers(now, waiting, this.#options.random)
          : byTurn(waiting, this.#options.random);
      unchoke = order.slice(0, free).map((peer) => peer.id);
      this.#filled += unchoke.length;
    }
    return { unchoke, choke: [], optimistic: this.#optimistic, snubbed: [...snubbed] };
  }

  #limit(totals: ChokerTotals): number {
    if (this.#options.choking === false) return this.#options.maxUnchoked ?? MAX_UNCHOKED;
    return this.#slots === 'auto' ? autoSlots(totals) : this.#slots;
  }

  #watchSnubs(now: number, peers: readonly ChokerPeer[], mode: ChokerMode): ReadonlySet<number> {
    const watching = mode === 'leeching' && this.#options.antiSnubbing !== false;
    return this.#snubs.update(now, watching ? peers : []);
  }

  #choose(
    now: number,
    peers: readonly ChokerPeer[],
    mode: ChokerMode,
    totals: ChokerTotals,
    snubbed: ReadonlySet<number>,
  ): ReadonlySet<number> {
    const slots = this.#limit(totals);
    if (this.#options.choking === false) return chooseAll(peers, slots);
    return mode === 'leeching'
      ? this.#chooseLeeching(now, peers, slots, snubbed)
      : this.#chooseSeeding(now, peers, slots);
  }

  /** The best senders, and with the rest of the slots (at least one) whose turn it is. */
  #chooseLeeching(
    now: number,
    peers: readonly ChokerPeer[],
    slots: number,
    snubbed: ReadonlySet<number>,
  ): ReadonlySet<number> {
    const optimistic = this.#options.optimisticUnchoking !== false;
    const interested = peers.filter((peer) => peer.interested);
    const giving = interested.filter((peer) => !snubbed.has(peer.id));
    const regular = rankLeechers(now, giving, this.#options.random).slice(
      0,
      Math.max(0, optimistic ? slots - 1 : slots),
    );
    const chosen = new Set(regular.map((peer) => peer.id));
    const turns = optimistic ? slots - chosen.size : 0;
    const eligible = interested.filter((peer) => !chosen.has(peer.id));
    this.#rotation.update(peers);
    for (const id of this.#rotation.choose(now, turns, eligible)) chosen.add(id);
    this.#optimistic = this.#rotation.latest;
    return chosen;
  }

  /** Those whose turn began last are kept; new ones by chance take the slots of the others. */
  #chooseSeeding(now: number, peers: readonly ChokerPeer[], slots: number): ReadonlySet<number> {
    const interested = peers.filter((peer) => peer.interested);
    const active = byServiceReceived(
      now,
      interested.filter((peer) => peer.isUnchoked),
    );
    const waiting = shuffled(
      interested.filter((peer) => !peer.isUnchoked),
      this.#options.random,
    );
    const kept = active.slice(0, slots - Math.min(this.#newTurns(slots), waiting.length));
    const fresh = waiting.slice(0, slots - kept.length);
    this.#optimistic = fresh.at(-1)?.id ?? stillThere(this.#optimistic, kept);
    return new Set([...kept, ...fresh].map((peer) => peer.id));
  }

  /**
   * How many peers a seed's round unchokes anew: a third of the slots in 30 s, spread over three rounds (with 4 slots
   * none, one, one), as mainline 4.x does.
   */
  #newTurns(slots: number): number {
    if (this.#options.optimisticUnchoking === false) return 0;
    const in30s = Math.floor((slots + 2) / 3);
    return Math.max(0, Math.floor((in30s + (this.#rounds % 3)) / 3) - this.#filled);
  }
}

/** Without choking: everybody interested, those served already first; then who has lost interest keeps what is left. */
function chooseAll(peers: readonly ChokerPeer[], slots: number): ReadonlySet<number> {
  const candidates = peers.filter((peer) => peer.interested || peer.isUnchoked);
  candidates.sort(
    (a, b) =>
      Number(b.interested) - Number(a.interested) ||
      Number(b.isUnchoked) - Number(a.isUnchoked) ||
      a.connectedAt - b.connectedAt,
  );
  return new Set(candidates.slice(0, slots).map((peer) => peer.id));
}

function ids(peers: readonly ChokerPeer[], holds: (peer: ChokerPeer) => boolean): number[] {
  return peers.filter(holds).map((peer) => peer.id);
}

function count(peers: readonly ChokerPeer[], holds: (peer: ChokerPeer) => boolean): number {
  return peers.reduce((sum, peer) => sum + Number(holds(peer)), 0);
}

function stillThere(id: number | undefined, peers: readonly ChokerPeer[]): number | undefined {
  return peers.some((peer) => peer.id === id) ? id : undefined;
}
