// Carries out what the choker decides: it is shown the peers as they are, and its decisions become messages.

import { Choker, type ChokerDecision, type ChokerPeer } from '@bt/choker';
import type { Moment } from './moment.ts';
import type { Peer } from './peer.ts';
import type { RateLimit } from './rate-limit.ts';
import type { Strategies } from './strategies.ts';
import type { Peers } from './swarm/peers.ts';
import type { Upload } from './upload.ts';

export interface ChokingOptions {
  readonly moment: Moment;
  readonly peers: Peers;
  readonly upload: Upload;
  readonly strategies: Strategies;
  readonly limit: RateLimit;
  readonly random: () => number;
  /** Absent: follows the upload rate. */
  readonly slots?: number | undefined;
  /** We have everything we want. */
  readonly isSeeding: () => boolean;
}

export class Choking {
  readonly #moment: Moment;
  readonly #peers: Peers;
  readonly #upload: Upload;
  readonly #limit: RateLimit;
  readonly #antiSnubbing: boolean;
  readonly #isSeeding: () => boolean;
  readonly #choker: Choker;
  #mustFill = false;

  constructor(options: ChokingOptions) {
    const { strategies } = options;
    this.#moment = options.moment;
    this.#peers = options.peers;
    this.#upload = options.upload;
    this.#limit = options.limit;
    this.#antiSnubbing = strategies.antiSnubbing;
    this.#isSeeding = options.isSeeding;
    this.#choker = new Choker({
      random: options.random,
      slots: options.slots ?? 'auto',
      choking: strategies.choking,
      optimisticUnchoking: strategies.optimisticUnchoking,
      antiSnubbing: strategies.antiSnubbing,
    });
  }

  deadline(): number {
    return this.#peers.size === 0 ? Number.POSITIVE_INFINITY : this.#choker.deadline();
  }

  /** A peer came, went, or changed its interest: a free slot may find a taker at the end of this turn. */
  peersChanged(): void {
    this.#mustFill = true;
  }

  /** A round when it is due; otherwise free slots are filled where something has changed. */
  run(): void {
    const { now } = this.#moment;
    const isDue = now >= this.#choker.deadline();
    if ((!isDue && !this.#mustFill) || this.#peers.size === 0) return;
    this.#mustFill = false;
    const shown: ChokerPeer[] = [];
    const byId = new Map<number, Peer>();
    for (const peer of this.#peers) {
      if (!peer.isReady) continue;
      byId.set(peer.id, peer);
      shown.push(show(peer, now));
    }
    const mode = this.#isSeeding() ? 'seeding' : 'leeching';
    const totals = {
      uploadRate: this.#upload.meter.rate(now),
      uploadLimit: this.#limit.isUnlimited ? undefined : this.#limit.bytesPerSecond,
    };
    const decision = isDue
      ? this.#choker.round(now, shown, mode, totals)
      : this.#choker.fill(now, shown, mode, totals);
    this.#carryOut(decision, byId);
  }

  #carryOut(decision: ChokerDecision, byId: ReadonlyMap<number, Peer>): void {
    for (const id of decision.choke) {
      const peer = byId.get(id);
      if (peer === undefined || peer.session.amChoking) continue;
      peer.session.choke();
      this.#upload.choked(peer);
      this.#peers.markDirty(peer);
    }
    for (const id of decision.unchoke) {
      const peer = byId.get(id);
      if (peer === undefined || !peer.session.amChoking) continue;
      peer.session.unchoke();
      peer.unchokedMs = this.#moment.now;
      peer.excessRequests = 0;
      this.#peers.markDirty(peer);
    }
    if (!this.#antiSnubbing) return;
    for (const id of decision.snubbed) {
      const peer = byId.get(id);
      if (peer !== undefined) peer.pipeline.isSnubbed = true;
    }
  }
}

function show(peer: Peer, now: number): ChokerPeer {
  const { session } = peer;
  return {
    id: peer.id,
    interested: session.peerInterested,
    isUnchoked: !session.amChoking,
    unchokedAt: peer.unchokedMs,
    connectedAt: peer.connectedMs,
    downloadRate: peer.down.rate(now),
    uploadRate: peer.up.rate(now),
    lastBlockAt: peer.lastBlockMs,
    requestsOutstanding: peer.requests.length > 0,
    interesting: session.amInterested,
    hasPendingRequests: peer.uploads.length > 0 || peer.readsPending > 0,
  };
}
