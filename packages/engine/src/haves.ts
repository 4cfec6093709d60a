// Telling peers what we have got (BEP 3 `have`): gathered for a moment, so that a burst of pieces is one write for each
// peer, and left out for seeds. Others are told even of pieces they have: a super seed waits to hear of them (BEP 16).

import type { Picker } from '@bt/picker';
import { HAVE_DELAY_MS } from './limits.ts';
import type { Moment } from './moment.ts';
import type { Peers } from './swarm/peers.ts';

export class Haves {
  readonly #moment: Moment;
  readonly #peers: Peers;
  readonly #picker: Picker;
  #pieces: number[] = [];
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(moment: Moment, peers: Peers, picker: Picker) {
    this.#moment = moment;
    this.#peers = peers;
    this.#picker = picker;
  }

  add(pieceIndex: number): void {
    if (this.#pieces.length === 0) this.#dueMs = this.#moment.now + HAVE_DELAY_MS;
    this.#pieces.push(pieceIndex);
  }

  deadline(): number {
    return this.#dueMs;
  }

  /** Tells of what has gathered, when its time has come or when `force` says so. True when something was told. */
  flush(force = false): boolean {
    if (this.#pieces.length === 0 || (!force && this.#moment.now < this.#dueMs)) return false;
    for (const peer of this.#peers) {
      if (!peer.isReady || this.#picker.isSeed(peer.handle)) continue;
      for (const pieceIndex of this.#pieces) {
        peer.session.have(pieceIndex);
      }
      this.#peers.markDirty(peer);
    }
    this.#pieces = [];
    this.#dueMs = Number.POSITIVE_INFINITY;
    return true;
  }
}
