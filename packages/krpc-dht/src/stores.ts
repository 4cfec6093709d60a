// What a node keeps for others, and for itself: announced peers and items. The stores are made when the first of each comes: most
// nodes of a simulation never need them.
import type { AddressFamily } from '@bt/endpoint';
import { SWEEP_INTERVAL_MS } from './constants.ts';
import type { Ed25519 } from './ed25519.ts';
import type { KrpcErrorCode } from './errors.ts';
import type { Item } from './item.ts';
import { ItemStore } from './item-store.ts';
import { PeerStore, type StoreOutcome } from './peer-store.ts';

export interface StoredCounts {
  readonly infoHashes: number;
  readonly peers: number;
  readonly items: number;
  /** Memory of the peers, as counted by the store. */
  readonly peerBytes: number;
}

export class Stores {
  /** Undefined while there is nothing. */
  peers: PeerStore | undefined;
  items: ItemStore | undefined;
  readonly #ed25519: Ed25519;
  readonly #random: () => number;
  #expireAt = Number.POSITIVE_INFINITY;

  /** `random` gives numbers in [0, 1) that nobody can guess. */
  constructor(ed25519: Ed25519, random: () => number) {
    this.#ed25519 = ed25519;
    this.#random = random;
  }

  get counts(): StoredCounts {
    return {
      infoHashes: this.peers?.hashCount ?? 0,
      peers: this.peers?.peerCount ?? 0,
      items: this.items?.itemCount ?? 0,
      peerBytes: this.peers?.memoryBytes ?? 0,
    };
  }

  /** As {@link PeerStore.announce}. */
  announce(
    now: number,
    hashes: Uint8Array,
    hashAt: number,
    endpoint: Uint8Array,
    family: AddressFamily,
    isSeed: boolean,
  ): StoreOutcome {
    if (this.peers === undefined) {
      this.peers = new PeerStore({ random: this.#random });
      this.#expireAt = Math.min(this.#expireAt, now + SWEEP_INTERVAL_MS);
    }
    return this.peers.announce(now, hashes, hashAt, endpoint, 0, family, isSeed);
  }

  /** As {@link ItemStore.put}. */
  put(
    now: number,
    item: Item,
    compareSequence: bigint | undefined,
    address: Uint8Array,
    family: AddressFamily,
  ): KrpcErrorCode | undefined {
    if (this.items === undefined) {
      this.items = new ItemStore({ ed25519: this.#ed25519, random: this.#random });
      this.#expireAt = Math.min(this.#expireAt, now + SWEEP_INTERVAL_MS);
    }
    return this.items.put(now, item, compareSequence, address, 0, family);
  }

  /** Forgets what has expired. */
  handleTimeout(now: number): void {
    if (now < this.#expireAt) return;
    this.peers?.handleTimeout(now);
    this.items?.handleTimeout(now);
    this.#expireAt = now + SWEEP_INTERVAL_MS;
  }

  deadline(): number {
    return this.#expireAt;
  }
}
