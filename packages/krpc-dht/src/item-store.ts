// The items that were put on this node (BEP 44). One public address (IPv6: a /64) can fill a twentieth of it, and one network (a
// /24, or an IPv6 /48) a fifth. When it is full, whoever has less of it than others gets a place of theirs: so no few can hold
// it for ever, and no flood drives out those who have little.
import { type AddressFamily, addressClassAt } from '@bt/endpoint';
import { AddressCount } from './address-count.ts';
import {
  ITEM_LIFETIME_MS,
  MAX_ITEMS,
  MAX_ITEMS_PER_ADDRESS,
  MAX_ITEMS_PER_NETWORK,
} from './constants.ts';
import type { Ed25519 } from './ed25519.ts';
import { KRPC_ERROR, type KrpcErrorCode } from './errors.ts';
import { copyItem, type Item, isMutable, itemTarget, validateItem } from './item.ts';
import { ownerOf } from './network.ts';
import { idKey } from './node-id.ts';

export interface ItemStoreOptions {
  readonly ed25519: Ed25519;
  /** Numbers in [0, 1) that nobody can guess. */
  readonly random: () => number;
  readonly maxItems?: number | undefined;
}

export class ItemStore {
  readonly #ed25519: Ed25519;
  readonly #maxItems: number;
  /** By target, the first to expire first. */
  readonly #items = new Map<string, StoredItem>();
  readonly #ofAddress: AddressCount;
  /** Items by the network that put them. */
  readonly #ofNetwork = new Map<string, number>();

  constructor(options: ItemStoreOptions) {
    this.#ed25519 = options.ed25519;
    this.#maxItems = options.maxItems ?? MAX_ITEMS;
    this.#ofAddress = new AddressCount(options.random);
  }

  get itemCount(): number {
    return this.#items.size;
  }

  /**
   * Validates and stores an item that came from the address of 4 or 16 bytes at `addressAt`, and gives the error to answer
   * with, or undefined: those of `validateItem`, 301 and 302 against what is stored, 202 when a cap keeps it out: nobody has more
   * in a full store, or it is of an address or network that has enough. Check the token first: a signature costs a thousand times as much. The item's arrays are copied.
   */
  put(
    now: number,
    item: Item,
    compareSequence: bigint | undefined,
    address: Uint8Array,
    addressAt: number,
    family: AddressFamily,
  ): KrpcErrorCode | undefined {
    this.handleTimeout(now);
    const key = idKey(itemTarget(item), 0);
    const stored = this.#items.get(key);
    if (stored !== undefined) {
      const conflict = conflictOf(stored.item, item, compareSequence);
      if (conflict !== undefined) return conflict;
      if (!isSameItem(stored.item, item)) {
        const fault = validateItem(this.#ed25519, item);
        if (fault !== undefined) return fault;
        stored.item = copyItem(item);
      }
      this.#items.delete(key);
      stored.expiresAt = now + ITEM_LIFETIME_MS;
      this.#items.set(key, stored);
      return undefined;
    }
    // Whether there is room costs less than a signature.
    const network = ownerOf(address, addressAt, family);
    const count = this.#ofNetwork.get(network) ?? 0;
    const isPublic = addressClassAt(address, addressAt, family) === 'public';
    if (isPublic && count >= MAX_ITEMS_PER_NETWORK) return KRPC_ERROR.server;
    if (this.#ofAddress.get(address, addressAt, family) >= MAX_ITEMS_PER_ADDRESS) {
      return KRPC_ERROR.server;
    }
    const isFull = this.#items.size >= this.#maxItems;
    const evicted = isFull ? this.#largestNetwork(count + 2) : undefined;
    if (isFull && evicted === undefined) return KRPC_ERROR.server;
    const fault = validateItem(this.#ed25519, item);
    if (fault !== undefined) return fault;
    if (evicted !== undefined) this.#removeOldest(evicted);
    this.#ofAddress.add(address, addressAt, family, 1);
    this.#ofNetwork.set(network, count + 1);
    this.#items.set(key, {
      item: copyItem(item),
      expiresAt: now + ITEM_LIFETIME_MS,
      network,
      address: Uint8Array.from(address.subarray(addressAt, addressAt + (family === 4 ? 4 : 16))),
    });
    return undefined;
  }

  /** The item under the 20 bytes at `targetAt`. */
  get(now: number, target: Uint8Array, targetAt: number): Item | undefined {
    const stored = this.#items.get(idKey(target, targetAt));
    return stored !== undefined && stored.expiresAt > now ? stored.item : undefined;
  }

  /** Forgets what has expired; a put makes it by itself. */
  handleTimeout(now: number): void {
    for (const [key, stored] of this.#items) {
      if (stored.expiresAt > now) return;
      this.#remove(key, stored);
    }
  }

  /** The network that has most items, if it has `atLeast` so many. */
  #largestNetwork(atLeast: number): string | undefined {
    let largest: string | undefined;
    let most = atLeast - 1;
    for (const [network, count] of this.#ofNetwork) {
      if (count <= most) continue;
      largest = network;
      most = count;
    }
    return largest;
  }

  #removeOldest(network: string): void {
    for (const [key, stored] of this.#items) {
      if (stored.network !== network) continue;
      this.#remove(key, stored);
      return;
    }
  }

  #remove(key: string, { address, network }: StoredItem): void {
    this.#items.delete(key);
    this.#ofAddress.add(address, 0, address.length === 4 ? 4 : 6, -1);
    const count = this.#ofNetwork.get(network)! - 1;
    if (count === 0) this.#ofNetwork.delete(network);
    else this.#ofNetwork.set(network, count);
  }
}

interface StoredItem {
  item: Item;
  expiresAt: number;
  /** Who put it first: his are counted. */
  readonly address: Uint8Array;
  readonly network: string;
}

/** BEP 44: 301 when `cas` is not the stored number, 302 for a lower number, and for the same with another value. */
function conflictOf(
  stored: Item,
  item: Item,
  compareSequence: bigint | undefined,
): KrpcErrorCode | undefined {
  if (!isMutable(stored) || !isMutable(item)) return undefined;
  if (compareSequence !== undefined && compareSequence !== stored.sequence) {
    return KRPC_ERROR.casMismatch;
  }
  if (item.sequence > stored.sequence) return undefined;
  return item.sequence === stored.sequence && isEqual(item.value, stored.value)
    ? undefined
    : KRPC_ERROR.sequenceTooLow;
}

/** Whether it is the very item that was found valid before; under one target that leaves these to compare. */
function isSameItem(stored: Item, item: Item): boolean {
  if (!isMutable(stored) || !isMutable(item)) return isEqual(stored.value, item.value);
  return (
    stored.sequence === item.sequence &&
    isEqual(stored.value, item.value) &&
    isEqual(stored.signature, item.signature) &&
    isEqual(stored.publicKey, item.publicKey) &&
    isEqual(stored.salt, item.salt)
  );
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
