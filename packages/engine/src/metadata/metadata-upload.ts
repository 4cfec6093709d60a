// Giving the info dictionary to peers who ask for it (BEP 9): its bytes as they came, in pieces of 16 KiB. A peer's requests
// wait for its socket and for the upload limit; without the dictionary, and beyond the bound, they are refused.

import {
  EXTENSION_NAME,
  encodeMetadataMessage,
  METADATA_PIECE_LENGTH,
  metadataPieceCount,
} from '@bt/wire';
import {
  MAX_METADATA_UPLOADS_PER_PIECE,
  MAX_SEND_QUEUE_BYTES,
  METADATA_UPLOAD_WINDOW_MS,
} from '../limits.ts';
import type { Moment } from '../moment.ts';
import type { Peer } from '../peer.ts';
import type { RateLimit } from '../rate-limit.ts';
import type { Peers } from '../swarm/peers.ts';

interface Customer {
  /** Pieces it has asked for: each once, so there are no more than there are pieces. */
  readonly waiting: Set<number>;
  windowStartMs: number;
  /** Pieces sent since then. */
  sentCount: number;
}

export class MetadataUpload {
  /** The info dictionary as it came; absent until it is known. */
  infoBytes: Uint8Array | undefined;
  readonly #moment: Moment;
  readonly #peers: Peers;
  readonly #limit: RateLimit;
  readonly #customers = new Map<Peer, Customer>();

  constructor(moment: Moment, peers: Peers, limit: RateLimit) {
    this.#moment = moment;
    this.#peers = peers;
    this.#limit = limit;
  }

  requested(peer: Peer, pieceIndex: number): void {
    const customer = this.#customerOf(peer);
    if (pieceIndex >= this.#pieceCount || this.#hasHadEnough(customer)) {
      this.#reject(peer, pieceIndex);
      return;
    }
    customer.waiting.add(pieceIndex);
    this.pump(peer);
  }

  /** Sends what the peer's socket and the upload limit allow. */
  pump(peer: Peer): void {
    const customer = this.#customers.get(peer);
    if (customer === undefined || this.infoBytes === undefined) return;
    for (const pieceIndex of customer.waiting) {
      if (queuedBytes(peer) >= MAX_SEND_QUEUE_BYTES || !this.#limit.isOpen(this.#moment.now))
        return;
      customer.waiting.delete(pieceIndex);
      if (this.#hasHadEnough(customer)) this.#reject(peer, pieceIndex);
      else this.#send(peer, customer, pieceIndex, this.infoBytes);
    }
  }

  /** The upload limit may have opened. */
  pumpAll(): void {
    for (const peer of this.#customers.keys()) this.pump(peer);
  }

  /** When the upload limit lets somebody have more; Infinity when nobody waits for it. */
  deadline(): number {
    const { now } = this.#moment;
    if (this.#limit.isOpen(now)) return Number.POSITIVE_INFINITY;
    for (const { waiting } of this.#customers.values()) {
      if (waiting.size > 0) return this.#limit.opensAt(now);
    }
    return Number.POSITIVE_INFINITY;
  }

  peerGone(peer: Peer): void {
    this.#customers.delete(peer);
  }

  get #pieceCount(): number {
    return metadataPieceCount(this.infoBytes?.length ?? 0);
  }

  #customerOf(peer: Peer): Customer {
    let customer = this.#customers.get(peer);
    if (customer === undefined) {
      customer = { waiting: new Set(), windowStartMs: this.#moment.now, sentCount: 0 };
      this.#customers.set(peer, customer);
    }
    return customer;
  }

  /** Nobody needs the dictionary again and again. */
  #hasHadEnough(customer: Customer): boolean {
    const { now } = this.#moment;
    if (now - customer.windowStartMs >= METADATA_UPLOAD_WINDOW_MS) {
      customer.windowStartMs = now;
      customer.sentCount = 0;
    }
    return customer.sentCount >= MAX_METADATA_UPLOADS_PER_PIECE * this.#pieceCount;
  }

  #send(peer: Peer, customer: Customer, pieceIndex: number, infoBytes: Uint8Array): void {
    const start = pieceIndex * METADATA_PIECE_LENGTH;
    const data = infoBytes.subarray(start, start + METADATA_PIECE_LENGTH);
    const totalLength = infoBytes.length;
    if (!this.#say(peer, { type: 'data', pieceIndex, totalLength, data })) return;
    customer.sentCount += 1;
    this.#limit.charge(this.#moment.now, data.length);
  }

  #reject(peer: Peer, pieceIndex: number): void {
    this.#say(peer, { type: 'reject', pieceIndex });
  }

  /** False when the peer takes no such messages. */
  #say(peer: Peer, message: Parameters<typeof encodeMetadataMessage>[0]): boolean {
    const id = peer.extensions.idOf(EXTENSION_NAME.metadata);
    if (id === undefined) return false;
    peer.session.extended(id, encodeMetadataMessage(message));
    this.#peers.markDirty(peer);
    return true;
  }
}

/** What the peer's socket and its session haven't passed on. */
function queuedBytes(peer: Peer): number {
  return peer.transport.queuedBytes + peer.session.outputLength;
}
