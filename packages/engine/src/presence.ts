// Our presence in a swarm: the peers that are known and connected, and the trackers that tell of more. It is the same while
// only a magnet link is known and afterwards: a Torrent takes it over from the MagnetTorrent before it, connections and all.

import type { Endpoint } from '@bt/endpoint';
import type { AnnounceFailure, AnnounceResponse } from '@bt/tracker';
import { Announcing } from './announcing.ts';
import type { TorrentEvent } from './events.ts';
import type { Moment } from './moment.ts';
import { Candidates, type PeerSource } from './swarm/candidates.ts';
import { Peers } from './swarm/peers.ts';
import { Swarm } from './swarm/swarm.ts';
import type { TorrentEffect } from './torrent-options.ts';

/** Enough peers to choose from: beyond it trackers are asked at their own pace only. */
const ENOUGH_PEERS = 30;

export interface PresenceOptions {
  readonly now: number;
  /** 20 bytes: what handshakes and announces name. */
  readonly infoHash: Uint8Array;
  /** 32 bytes; v2 and hybrid. */
  readonly infoHashV2?: Uint8Array | undefined;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** Where the owner listens; 0: nowhere. */
  readonly listenPort: number;
  readonly announceTiers?: readonly (readonly string[])[] | undefined;
  readonly random: () => number;
  readonly maxPeers: number;
}

export class Presence {
  readonly moment: Moment;
  readonly peers = new Peers();
  readonly candidates: Candidates;
  readonly swarm: Swarm;
  readonly announcing: Announcing;
  readonly #effects: TorrentEffect[] = [];
  #needsPeers = false;

  constructor(options: PresenceOptions) {
    const { infoHash, infoHashV2, peerId, listenPort, random, maxPeers } = options;
    this.moment = { now: options.now };
    this.candidates = new Candidates(random);
    this.swarm = new Swarm({
      moment: this.moment,
      infoHash,
      infoHashV2: infoHashV2?.subarray(0, 20),
      peerId,
      listenPort,
      maxPeers,
      candidates: this.candidates,
      peers: this.peers,
      emit: (event) => this.emit(event),
    });
    const tiers = options.announceTiers ?? [];
    this.announcing = new Announcing({ tiers, random, infoHash, peerId, listenPort });
  }

  /** Addresses of possible peers. `tellerIsLoopback`: they may be on loopback. */
  addCandidates(
    endpoints: readonly Endpoint[],
    source: PeerSource,
    tellerIsLoopback: boolean,
  ): void {
    const { now } = this.moment;
    for (const endpoint of endpoints) {
      this.candidates.add(now, endpoint, source, tellerIsLoopback);
    }
  }

  announced(requestId: number, url: string, response: AnnounceResponse): void {
    this.announcing.answered(this.moment.now, requestId, response);
    const { peers, intervalSeconds, warning: message } = response;
    const heard = { peers: peers.length, intervalSeconds };
    this.emit({ type: 'tracker', url, outcome: 'ok', message, ...heard });
    // The tracker package has dropped loopback peers where the tracker itself is elsewhere.
    this.addCandidates(peers, 'tracker', true);
  }

  announceFailed(requestId: number, url: string, failure: AnnounceFailure): void {
    this.announcing.failed(this.moment.now, requestId, failure);
    const { message } = failure;
    const heard = { peers: 0, intervalSeconds: undefined };
    this.emit({ type: 'tracker', url, outcome: 'failed', message, ...heard });
  }

  /** Closes all connections, and says `stopped` to the trackers. */
  stop(): void {
    this.swarm.closeAll();
    this.announcing.stop(this.moment.now);
  }

  /** At the end of every call: what was written leaves, who is to be dialled is. */
  settle(): void {
    this.peers.flushDirty(this.moment.now);
    this.#updateNeeds();
    this.#dial();
    this.drainAnnouncing();
  }

  drainAnnouncing(): void {
    for (;;) {
      const effect = this.announcing.poll();
      if (effect === undefined) return;
      this.push(effect);
    }
  }

  /** When somebody can be dialled or has to be announced to. */
  deadline(): number {
    return Math.min(this.swarm.nextDialMs(), this.announcing.deadline());
  }

  emit(event: TorrentEvent): void {
    this.push({ type: 'event', event });
  }

  push(effect: TorrentEffect): void {
    this.#effects.push(effect);
  }

  /** The next thing to do, until there is none. */
  poll(): TorrentEffect | undefined {
    return this.#effects.shift();
  }

  /** Not left to the ticks: without peers there are none. */
  #updateNeeds(): void {
    const needsPeers = !this.swarm.isDone && this.peers.size < ENOUGH_PEERS;
    if (needsPeers === this.#needsPeers) return;
    this.#needsPeers = needsPeers;
    this.announcing.peersNeeded(this.moment.now, needsPeers);
  }

  #dial(): void {
    for (;;) {
      const endpoint = this.swarm.nextDial();
      if (endpoint === undefined) return;
      this.push({ type: 'dial', endpoint });
    }
  }
}
