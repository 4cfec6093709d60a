// Peers on virtual time for the choker's tests: they stay connected, and what they send depends on whether they are
// served. The choker is asked every 10 s and obeyed.
import { Choker, type ChokerMode, type ChokerOptions, type ChokerPeer } from '../src/index.ts';
import { createRandom } from './random.ts';

export interface SimulatedPeer {
  readonly id: number;
  interested: boolean;
  /** Bytes per second it sends us while it is served (and for one turn after), or always. */
  gives: number;
  always: boolean;
  connectedAt: number;
  isUnchoked: boolean;
  unchokedAt: number | undefined;
  lastBlockAt: number | undefined;
  requestsOutstanding: boolean;
  /** Milliseconds it has been unchoked in all, and how many times. */
  servedMs: number;
  turns: number;
}

export class Swarm {
  readonly peers = new Map<number, SimulatedPeer>();
  readonly choker: Choker;
  mode: ChokerMode = 'leeching';
  uploadRate = 0;
  now = 0;
  #nextId = 1;

  constructor(seed: number, options: Partial<ChokerOptions> = {}) {
    this.choker = new Choker({ random: createRandom(seed), slots: 4, ...options });
  }

  join(gives = 0, options: { always?: boolean; interested?: boolean } = {}): SimulatedPeer {
    const peer: SimulatedPeer = {
      id: this.#nextId,
      interested: options.interested ?? true,
      gives,
      always: options.always ?? false,
      connectedAt: this.now,
      isUnchoked: false,
      unchokedAt: undefined,
      lastBlockAt: undefined,
      requestsOutstanding: false,
      servedMs: 0,
      turns: 0,
    };
    this.#nextId += 1;
    this.peers.set(peer.id, peer);
    return peer;
  }

  leave(peer: SimulatedPeer): void {
    this.peers.delete(peer.id);
  }

  get unchoked(): SimulatedPeer[] {
    return [...this.peers.values()].filter((peer) => peer.isUnchoked);
  }

  view(): ChokerPeer[] {
    return [...this.peers.values()].map((peer) => ({
      ...peer,
      downloadRate: this.#rateFrom(peer),
      uploadRate: peer.isUnchoked ? 1000 : 0,
    }));
  }

  round(): ReturnType<Choker['round']> {
    const decision = this.choker.round(this.now, this.view(), this.mode, {
      uploadRate: this.uploadRate,
    });
    this.#obey(decision);
    return decision;
  }

  fill(): ReturnType<Choker['round']> {
    const decision = this.choker.fill(this.now, this.view(), this.mode, {
      uploadRate: this.uploadRate,
    });
    this.#obey(decision);
    return decision;
  }

  /** Lets time pass, with a round whenever one is due; `each` is called after every round. */
  run(ms: number, each?: (decision: ReturnType<Choker['round']>) => void): void {
    const end = this.now + ms;
    while (this.now < end) {
      if (this.now >= this.choker.deadline()) {
        const decision = this.round();
        each?.(decision);
      }
      const step = Math.min(end, Math.max(this.choker.deadline(), this.now + 1)) - this.now;
      for (const peer of this.unchoked) peer.servedMs += step;
      this.now += step;
      for (const peer of this.peers.values()) {
        if (this.#rateFrom(peer) > 0) peer.lastBlockAt = this.now;
      }
    }
  }

  #rateFrom(peer: SimulatedPeer): number {
    if (peer.always) return peer.gives;
    const since = this.now - (peer.unchokedAt ?? Number.NEGATIVE_INFINITY);
    return peer.isUnchoked && since >= 5_000 ? peer.gives : 0;
  }

  #obey(decision: ReturnType<Choker['round']>): void {
    for (const id of decision.unchoke) {
      const peer = this.peers.get(id)!;
      if (peer.isUnchoked) throw new Error(`peer ${id} is unchoked already`);
      peer.isUnchoked = true;
      peer.unchokedAt = this.now;
      peer.turns += 1;
    }
    for (const id of decision.choke) {
      const peer = this.peers.get(id)!;
      if (!peer.isUnchoked) throw new Error(`peer ${id} is choked already`);
      peer.isUnchoked = false;
    }
  }
}
