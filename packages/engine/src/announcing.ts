// Telling trackers of us: what the announcer decides, filled with our numbers (BEP 3, "tracker GET requests").

import {
  type AnnounceFailure,
  type AnnounceRequest,
  type AnnounceResponse,
  Announcer,
} from '@bt/tracker';

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
  readonly infoHash: Uint8Array;
  readonly peerId: Uint8Array;
  /** 0: we don't listen. */
  readonly listenPort: number;
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

export class Announcing {
  /** Asked for each announce. */
  numbers: () => AnnouncedNumbers = () => NOTHING_YET;
  readonly #options: AnnouncingOptions;
  readonly #announcer: Announcer;
  readonly #key: number;

  constructor(options: AnnouncingOptions) {
    this.#options = options;
    this.#announcer = new Announcer({ tiers: options.tiers, random: options.random });
    this.#key = Math.floor(options.random() * 0x1_0000_0000);
  }

  start(now: number): void {
    this.#announcer.start(now);
  }

  /** Everything is there: `completed`. */
  complete(now: number): void {
    this.#announcer.complete(now);
  }

  stop(now: number): void {
    this.#announcer.stop(now);
  }

  peersNeeded(now: number, needed: boolean): void {
    this.#announcer.handlePeersNeeded(now, needed);
  }

  answered(now: number, requestId: number, response: AnnounceResponse): void {
    this.#announcer.handleResponse(now, requestId, response);
  }

  failed(now: number, requestId: number, failure: AnnounceFailure): void {
    this.#announcer.handleFailure(now, requestId, failure);
  }

  handleTimeout(now: number): void {
    this.#announcer.handleTimeout(now);
  }

  deadline(): number {
    return this.#announcer.deadline();
  }

  /** After `stop`: every tracker has answered or failed. */
  get isStopped(): boolean {
    return this.#announcer.isStopped;
  }

  poll(): AnnounceEffect | undefined {
    const effect = this.#announcer.poll();
    if (effect === undefined) return undefined;
    const { requestId } = effect;
    if (effect.type === 'cancel') return { type: 'announce-cancel', requestId };
    const { infoHash, peerId, listenPort } = this.#options;
    const request: AnnounceRequest = {
      infoHash,
      peerId,
      port: listenPort || NO_PORT,
      ...this.numbers(),
      event: effect.event,
      numWant: effect.numWant,
      key: this.#key,
      trackerId: effect.trackerId,
    };
    return { type: 'announce', requestId, url: effect.url, request };
  }
}
