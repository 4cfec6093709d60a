// How often one address may knock within a minute. Counts are kept for a bounded number of addresses, so that strangers with
// many of them cost no memory.

import { networkOf } from '@bt/endpoint';
import {
  MAX_ACCEPTS_PER_ADDRESS_PER_MINUTE,
  MAX_ACCEPTS_PER_LOCAL_ADDRESS_PER_MINUTE,
  MAX_COUNTED_ADDRESSES,
} from '../limits.ts';
import { isLocalAddress } from '../swarm/candidates.ts';

const MINUTE_MS = 60_000;

export class AcceptLimit {
  /** Connections by network in the present minute, the oldest first. */
  #counts = new Map<string, number>();
  #minute = 0;

  /** Counts one connection. False: there have been too many. */
  take(now: number, address: string): boolean {
    const minute = Math.floor(now / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#counts = new Map();
    }
    const key = networkOf(address);
    const count = (this.#counts.get(key) ?? 0) + 1;
    const limit = isLocalAddress(address)
      ? MAX_ACCEPTS_PER_LOCAL_ADDRESS_PER_MINUTE
      : MAX_ACCEPTS_PER_ADDRESS_PER_MINUTE;
    if (count > limit) return false;
    if (count === 1 && this.#counts.size >= MAX_COUNTED_ADDRESSES) {
      const oldest = this.#counts.keys().next();
      if (oldest.done !== true) this.#counts.delete(oldest.value);
    }
    this.#counts.set(key, count);
    return true;
  }

  /** Networks that are counted at present. */
  get size(): number {
    return this.#counts.size;
  }
}
