// Telling trackers of us: what the announcer decides, filled with our numbers (BEP 3, "tracker GET requests"). A hybrid
// torrent is announced to each tracker under both of its info-hashes (BEP 52, "upgrade path").

import { toHex } from '@bt/metainfo';
import {
  type AnnounceFailure,
  type AnnounceRequest,
  type AnnounceResponse,
  Announcer,
} from '@bt/tracker';
import type { ExternalAddress } from './discovery/external-address.ts';

/** What the owner is to do. */
export type AnnounceEffect =
  | {
      readonly type: 'announce';
      readonly requestId: number;
      readonly url: string;
      readonly request: AnnounceRequest;
    }
  | { readonly type: 'announce-cancel'; readonly requestId: number };

export interface AnnouncingOptions {
  readonly tiers: readonly (readonly string[])[];
  readonly random: () => number;
  readonly peerId: Uint8Array;
  /** 0: we don't listen. */
  readonly listenPort: number;
  readonly external: ExternalAddress;
}

/** What trackers are told of our transfer (BEP 3). */
export type AnnouncedNumbers = Pick<
  AnnounceRequest,
  'uploadedBytes' | 'downloadedBytes' | 'leftBytes'
>;

/** Before the info dictionary is known (BEP 9) something is missing, but nobody knows how much. */
const NOTHING_YET: AnnouncedNumbers = { uploadedBytes: 0, downloadedBytes: 0, leftBytes: 16_384 };

/** A tracker wants some port; 9 is discard (RFC 863): nobody answers there. */
const NO_PORT = 9;

/** A hybrid torrent is in two swarms, which trackers know as two torrents (BEP 52). */
const MAX_SWARMS = 2;

interface AnnouncedSwarm {
  readonly infoHash: Uint8Array;
  readonly announcer: Announcer;
}

export class Announcing {
  /** Asked for each announce. */
  numbers: () => AnnouncedNumbers = () => NOTHING_YET;
  readonly #options: AnnouncingOptions;
  readonly #swarms: AnnouncedSwarm[] = [];
  readonly #key: number;
  #isStarted = false;
  #needsPeers = false;

  constructor(options: AnnouncingOptions) {
    this.#options = options;
    this.#key = Math.floor(options.random() * 0x1_0000_0000);
  }

  /** Announces under this info-hash too; does nothing when it does already. At most two. */
  join(now: number, infoHash: Uint8Array): void {
    const isKnown = this.#swarms.some((swarm) => toHex(swarm.infoHash) === toHex(infoHash));
    if (isKnown || this.#swarms.length >= MAX_SWARMS) return;
    const { tiers, random } = this.#options;
    const announcer = new Announcer({ tiers, random });
    this.#swarms.push({ infoHash, announcer });
    if (!this.#isStarted) return;
    announcer.start(now);
    announcer.handlePeersNeeded(now, this.#needsPeers);
  }

  start(now: number): void {
    this.#isStarted = true;
    for (const { announcer } of this.#swarms) announcer.start(now);
  }

  /** Everything is there: `completed`. */
  complete(now: number): void {
    for (const { announcer } of this.#swarms) announcer.complete(now);
  }

  stop(now: number): void {
    this.#isStarted = false;
    for (const { announcer } of this.#swarms) announcer.stop(now);
  }

  peersNeeded(now: number, needed: boolean): void {
    this.#needsPeers = needed;
    for (const { announcer } of this.#swarms) announcer.handlePeersNeeded(now, needed);
  }

  /** Returns the info-hash that was announced. */
  answered(now: number, requestId: number, response: AnnounceResponse): Uint8Array {
    const { announcer, infoHash } = this.#swarmOf(requestId);
    announcer.handleResponse(now, Math.floor(requestId / MAX_SWARMS), response);
    return infoHash;
  }

  failed(now: number, requestId: number, failure: AnnounceFailure): void {
    const { announcer } = this.#swarmOf(requestId);
    announcer.handleFailure(now, Math.floor(requestId / MAX_SWARMS), failure);
  }

  handleTimeout(now: number): void {
    for (const { announcer } of this.#swarms) announcer.handleTimeout(now);
  }

  deadline(): number {
    return Math.min(...this.#swarms.map(({ announcer }) => announcer.deadline()));
  }

  /** After `stop`: every tracker has answered or failed. */
  get isStopped(): boolean {
    return this.#swarms.every(({ announcer }) => announcer.isStopped);
  }

  poll(): AnnounceEffect | undefined {
    for (const [index, { infoHash, announcer }] of this.#swarms.entries()) {
      const effect = announcer.poll();
      if (effect === undefined) continue;
      const requestId = effect.requestId * MAX_SWARMS + index;
      if (effect.type === 'cancel') return { type: 'announce-cancel', requestId };
      const { peerId, listenPort, external } = this.#options;
      const request: AnnounceRequest = {
        infoHash,
        peerId,
        port: external.portOf(listenPort) || NO_PORT,
        ...this.numbers(),
        event: effect.event,
        numWant: effect.numWant,
        key: this.#key,
        trackerId: effect.trackerId,
      };
      return { type: 'announce', requestId, url: effect.url, request };
    }
    return undefined;
  }

  /** A request's id is its announcer's and the place of the swarm. */
  #swarmOf(requestId: number): AnnouncedSwarm {
    return this.#swarms[requestId % MAX_SWARMS]!;
  }
}
