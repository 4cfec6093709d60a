// How much of a store comes from one address, in fixed memory: a counter for each of 65,536 hashes of addresses. Two addresses
// may share one, nobody can choose which; a quota that is far above what an honest address uses bears that.
import { type AddressFamily, addressClassAt } from '@bt/endpoint';
import { SipHash } from './siphash.ts';

const COUNTERS = 65_536;

/**
 * Counts what public addresses put into a store; an IPv6 /64 is one address. Others are not counted: many nodes may share one
 * there.
 */
export class AddressCount {
  readonly #counters = new Uint16Array(COUNTERS);
  readonly #hash: SipHash;

  /** `random` gives numbers in [0, 1) that nobody can guess. */
  constructor(random: () => number) {
    this.#hash = SipHash.create(random);
  }

  /** The count of the address of 4 or 16 bytes at `at`: at most 65,535. */
  get(addresses: Uint8Array, at: number, family: AddressFamily): number {
    if (addressClassAt(addresses, at, family) !== 'public') return 0;
    return this.#counters[this.#index(addresses, at, family)]!;
  }

  /** Adds 1 or -1. */
  add(addresses: Uint8Array, at: number, family: AddressFamily, change: 1 | -1): void {
    if (addressClassAt(addresses, at, family) !== 'public') return;
    this.#counters[this.#index(addresses, at, family)]! += change;
  }

  #index(addresses: Uint8Array, at: number, family: AddressFamily): number {
    return this.#hash.hash(addresses, at, family === 4 ? 4 : 8) & (COUNTERS - 1);
  }
}
