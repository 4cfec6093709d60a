// The items that were put on this node (BEP 44).
import type { AddressFamily } from '@bt/endpoint';
import type { Ed25519 } from './ed25519.ts';
import type { KrpcErrorCode } from './errors.ts';
import type { Item } from './item.ts';

export interface ItemStoreOptions {
  readonly ed25519: Ed25519;
  /** Numbers in [0, 1) that nobody can guess. */
  readonly random: () => number;
  readonly maxItems?: number | undefined;
}

export class ItemStore {
  readonly #options: ItemStoreOptions;

  constructor(options: ItemStoreOptions) {
    this.#options = options;
  }

  get itemCount(): number {
    return 0;
  }

  /**
   * Validates and stores an item that came from the address of 4 or 16 bytes at `addressAt`, and gives the error to answer
   * with, or undefined. Check the token first: a signature costs a thousand times as much. The item's arrays are copied.
   */
  put(
    now: number,
    item: Item,
    compareSequence: bigint | undefined,
    address: Uint8Array,
    addressAt: number,
    family: AddressFamily,
  ): KrpcErrorCode | undefined {
    void [now, item, compareSequence, address, addressAt, family, this.#options];
    return undefined;
  }

  /** The item under the 20 bytes at `targetAt`. */
  get(now: number, target: Uint8Array, targetAt: number): Item | undefined {
    void [now, target, targetAt];
    return undefined;
  }

  /** Forgets what has expired. Worth a call each minute. */
  handleTimeout(now: number): void {
    void now;
  }
}
