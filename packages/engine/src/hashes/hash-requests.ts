// Our hash requests that are under way (BEP 52): who was asked for what, and what becomes of each. Every one is answered once:
// by hashes, by nothing when the peer refuses, is silent for too long or is gone.

import { type HashRequest, isSameHashRequest } from '@bt/wire';
import { MAX_HASH_REQUESTS_PER_PEER, MAX_UNANSWERED_HASH_REQUESTS } from '../limits.ts';
import type { Moment } from '../moment.ts';
import type { Peer } from '../peer.ts';
import type { Peers } from '../swarm/peers.ts';

/** `hashes` are as many as were asked for; a view that is valid during the call only. */
export type HashesAnswered = (hashes: Uint8Array | undefined) => void;

interface Asked {
  readonly request: HashRequest;
  readonly untilMs: number;
  readonly answered: HashesAnswered;
}

export class HashRequests {
  readonly #moment: Moment;
  readonly #peers: Peers;
  readonly #asked = new Map<Peer, Asked[]>();

  constructor(moment: Moment, peers: Peers) {
    this.#moment = moment;
    this.#peers = peers;
  }

  /** The connection is one of v2 and has room. Whoever leaves many requests without an answer is asked no more. */
  canAsk(peer: Peer): boolean {
    const { session } = peer;
    return (
      peer.isReady &&
      !peer.isClosed &&
      session.features.v2 &&
      (this.#asked.get(peer)?.length ?? 0) < MAX_HASH_REQUESTS_PER_PEER &&
      session.openHashRequests < MAX_UNANSWERED_HASH_REQUESTS
    );
  }

  /** Only when `canAsk`. `answered` is never called from inside. */
  ask(peer: Peer, request: HashRequest, timeoutMs: number, answered: HashesAnswered): void {
    const asked = this.#asked.get(peer) ?? [];
    this.#asked.set(peer, asked);
    asked.push({ request, untilMs: this.#moment.now + timeoutMs, answered });
    peer.session.hashRequest(request);
    this.#peers.markDirty(peer);
  }

  /** An answer, or a refusal without hashes. One that comes too late is nobody's. */
  answer(peer: Peer, request: HashRequest, hashes: Uint8Array | undefined): void {
    const asked = this.#asked.get(peer) ?? [];
    const index = asked.findIndex((each) => isSameHashRequest(each.request, request));
    if (index >= 0) this.#settle(peer, index, hashes);
  }

  /** About once a second. */
  tick(): void {
    const { now } = this.#moment;
    for (const [peer, asked] of [...this.#asked]) {
      for (let index = asked.length - 1; index >= 0; index -= 1) {
        if (now >= asked[index]!.untilMs) this.#settle(peer, index, undefined);
      }
    }
  }

  /** The connection is gone. */
  leave(peer: Peer): void {
    const asked = this.#asked.get(peer) ?? [];
    this.#asked.delete(peer);
    for (const { answered } of asked) answered(undefined);
  }

  #settle(peer: Peer, index: number, hashes: Uint8Array | undefined): void {
    const asked = this.#asked.get(peer);
    const [settled] = asked?.splice(index, 1) ?? [];
    if (asked?.length === 0) this.#asked.delete(peer);
    settled?.answered(hashes);
  }
}
