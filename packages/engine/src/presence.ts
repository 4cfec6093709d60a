// Our presence in a swarm: the peers that are known and connected, and what tells of more. It is the same while
// only a magnet link is known and afterwards: a Torrent takes it over from the MagnetTorrent before it, connections and all.

import type { Endpoint } from '@bt/endpoint';
import { type AnnounceFailure, type AnnounceResponse, redactUrl } from '@bt/tracker';
import { Announcing } from './announcing.ts';
import { Discovery } from './discovery/discovery.ts';
import { ExternalAddress } from './discovery/external-address.ts';
import { PeerPriorities } from './discovery/peer-priority.ts';
import type { TorrentEvent, TorrentStats } from './events.ts';
import { MAX_PEERS_PER_TORRENT } from './limits.ts';
import { MetadataUpload } from './metadata/metadata-upload.ts';
import type { Moment } from './moment.ts';
import type { Direction } from './peer.ts';
import type { RateLimit } from './rate-limit.ts';
import { Candidates } from './swarm/candidates.ts';
import type { InfoHashes } from './swarm/greeting.ts';
import { countSources, isAllowedForPrivate, type PeerSource } from './swarm/peer-source.ts';
import { Peers } from './swarm/peers.ts';
import { Swarm } from './swarm/swarm.ts';
import type { TorrentEffect, TorrentOptions } from './torrent-options.ts';

/** Enough peers to choose from: beyond it trackers are asked at their own pace only. */
const ENOUGH_PEERS = 30;

export interface PresenceOptions extends InfoHashes {
  readonly now: number;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** Where the owner listens; 0: nowhere. */
  readonly listenPort: number;
  readonly announceTiers?: readonly (readonly string[])[] | undefined;
  readonly random: () => number;
  readonly maxPeers: number;
  /** As in `TorrentOptions`. */
  readonly sessionShare?: ((direction: Direction) => number) | undefined;
  readonly upLimit: RateLimit;
  /** BEP 27, as far as it is known yet. */
  readonly isPrivate?: boolean;
  /** BEP 11. Default true. */
  readonly peerExchange?: boolean | undefined;
  /** The UDP port of our DHT node. Default 0: we have none. */
  readonly dhtPort?: number | undefined;
  /** What others say our address is, shared by the torrents of a session. Default: one of its own. */
  readonly externalAddress?: ExternalAddress | undefined;
}

export class Presence {
  readonly moment: Moment;
  readonly peers = new Peers();
  readonly candidates: Candidates;
  readonly metadata: MetadataUpload;
  readonly swarm: Swarm;
  readonly announcing: Announcing;
  readonly discovery: Discovery;
  readonly #external: ExternalAddress;
  readonly #effects: TorrentEffect[] = [];
  #isStarted = false;
  #needsPeers = false;

  constructor(options: PresenceOptions) {
    const { peerId, listenPort, random, maxPeers } = options;
    const { isPrivate = false, peerExchange = true, dhtPort = 0 } = options;
    const external = options.externalAddress ?? new ExternalAddress();
    const priorities = new PeerPriorities(external, listenPort);
    this.moment = { now: options.now };
    this.#external = external;
    const isOwn = ({ address, port }: Endpoint) =>
      (port === listenPort || port === external.portOf(listenPort)) && external.is(address);
    this.candidates = new Candidates({ random, isPrivate, priorities, isOwn });
    this.discovery = new Discovery({
      moment: this.moment,
      peers: this.peers,
      candidates: this.candidates,
      external,
      random,
      isPrivate,
      peerExchange,
      dhtPort,
    });
    this.metadata = new MetadataUpload(this.moment, this.peers, options.upLimit);
    this.swarm = new Swarm({
      moment: this.moment,
      hashes: options,
      peerId,
      listenPort,
      external,
      maxPeers,
      sessionShare: options.sessionShare,
      candidates: this.candidates,
      discovery: this.discovery,
      priorities,
      peers: this.peers,
      metadata: this.metadata,
      emit: (event) => this.emit(event),
    });
    const tiers = options.announceTiers ?? [];
    this.announcing = new Announcing({ tiers, random, peerId, listenPort, external });
    this.join(options);
  }

  /** For statistics. */
  counts(): Pick<
    TorrentStats,
    'peersConnected' | 'peersKnown' | 'peerSources' | 'exchangesIgnored'
  > {
    const known = Array.from(this.candidates.entries(), ({ sources }) => sources);
    const connected = Array.from(this.peers, ({ source }) => source);
    return {
      peersConnected: this.peers.size,
      peersKnown: this.candidates.size,
      peerSources: countSources(known, connected),
      exchangesIgnored: this.discovery.exchange?.ignoredMessages ?? 0,
    };
  }

  /** Begins to look for peers; nothing where that was done already. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.announcing.start(this.moment.now);
    this.discovery.start(this.moment.now);
  }

  /** The info dictionary has come, and it is that of a private torrent (BEP 27). */
  becomePrivate(): void {
    this.discovery.becomePrivate();
    this.candidates.becomePrivate();
    for (const peer of this.peers.snapshot()) {
      // Who has come to us may be of the tracker, and can't be told from others.
      if (peer.source === 'incoming' || isAllowedForPrivate(peer.source)) continue;
      this.swarm.close(peer, 'private');
    }
  }

  /** By time: trackers that are due, and what waits for the upload limit. */
  handleTimeout(): void {
    this.announcing.handleTimeout(this.moment.now);
    this.metadata.pumpAll();
  }

  /**
   * The swarms of the torrent, of which a magnet link needn't tell both: a hybrid has one under each info-hash (BEP 52).
   * `infoHash` is the v1 info-hash where there is one.
   */
  join(hashes: InfoHashes): void {
    const { infoHash, infoHashV2 } = hashes;
    const { now } = this.moment;
    this.swarm.rename(hashes);
    this.announcing.join(now, infoHash);
    if (infoHashV2 !== undefined) this.announcing.join(now, infoHashV2.subarray(0, 20));
  }

  /**
   * Addresses of possible peers. `tellerIsLoopback`: they may be on loopback. `infoHash`: the swarm that they were found in,
   * where that is known.
   */
  addCandidates(
    endpoints: readonly Endpoint[],
    source: PeerSource,
    tellerIsLoopback: boolean,
    infoHash?: Uint8Array,
  ): void {
    const { now } = this.moment;
    const isV2 = this.swarm.isV2Swarm(infoHash);
    for (const endpoint of endpoints) {
      const known = this.candidates.find(endpoint);
      const candidate = this.candidates.add(now, endpoint, source, tellerIsLoopback);
      if (candidate !== undefined && known === undefined) candidate.isV2 = isV2;
    }
  }

  announced(requestId: number, url: string, response: AnnounceResponse): void {
    const infoHash = this.announcing.answered(this.moment.now, requestId, response);
    const { peers, intervalSeconds, externalAddress, warning: message } = response;
    if (externalAddress !== undefined) this.#external.vote(redactUrl(url), externalAddress);
    const heard = { peers: peers.length, intervalSeconds };
    this.emit({ type: 'tracker', url, outcome: 'ok', message, ...heard });
    // The tracker package has dropped loopback peers where the tracker itself is elsewhere.
    this.addCandidates(peers, 'tracker', true, infoHash);
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
    this.discovery.stop();
  }

  /** At the end of every call: what was written leaves, who is to be dialled is. */
  settle(): void {
    this.peers.flushDirty(this.moment.now);
    this.#updateNeeds();
    this.#dial();
    this.drainAnnouncing();
    this.#drainDiscovery();
  }

  drainAnnouncing(): void {
    for (;;) {
      const effect = this.announcing.poll();
      if (effect === undefined) return;
      this.push(effect);
    }
  }

  /** When somebody can be dialled, announced to, or given more of the metadata. */
  deadline(): number {
    const { swarm, announcing, discovery, metadata } = this;
    return Math.min(
      swarm.nextDialMs(),
      announcing.deadline(),
      discovery.deadline(),
      metadata.deadline(),
    );
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
    this.discovery.peersNeeded(needsPeers);
  }

  #drainDiscovery(): void {
    for (;;) {
      const effect = this.discovery.poll();
      if (effect === undefined) return;
      this.push(effect);
    }
  }

  #dial(): void {
    for (;;) {
      const endpoint = this.swarm.nextDial();
      if (endpoint === undefined) return;
      this.push({ type: 'dial', endpoint });
    }
  }
}

/** The presence of a torrent that begins with its info dictionary. */
export function presenceOf(options: TorrentOptions): Presence {
  const { now, info, peerId, listenPort, announceTiers, random, upLimit } = options;
  const { externalAddress, peerExchange, dhtPort } = options;
  const { infoHash, infoHashV2, isPrivate } = info;
  const room = {
    maxPeers: options.maxPeers ?? MAX_PEERS_PER_TORRENT,
    sessionShare: options.sessionShare,
  };
  const who = { infoHash, infoHashV2, peerId, listenPort };
  const discovery = { isPrivate, externalAddress, peerExchange, dhtPort };
  return new Presence({ now, ...who, announceTiers, random, ...room, upLimit, ...discovery });
}
