// How often one address may knock within a minute. Counts are kept for a bounded number of addresses, so that strangers with
// many of them cost no memory.

import { parseAddress } from '@bt/endpoint';
import {
  MAX_ACCEPTS_PER_ADDRESS_PER_MINUTE,
  MAX_ACCEPTS_PER_LOCAL_ADDRESS_PER_MINUTE,
  MAX_COUNTED_ADDRESSES,
} from '../limits.ts';
import { isLocalAddress } from '../swarm/candidates.ts';

const MINUTE_MS = 60_000;
/** What a subscriber is given of IPv6 at least (RFC 6177): all addresses in it count as one. */
const IPV6_NETWORK_BYTES = 8;

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

function networkOf(address: string): string {
  const bytes = parseAddress(address);
  if (bytes === undefined || bytes.length === 4) return address;
  return bytes.subarray(0, IPV6_NETWORK_BYTES).join('.');
}
