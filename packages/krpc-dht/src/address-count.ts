// How much of a store comes from one address, in fixed memory: a counter for each of 65,536 hashes of addresses. Two addresses
// may share one, nobody can choose which; a quota that is far above what an honest address uses bears that.
import { type AddressFamily, addressClassAt } from '@bt/endpoint';
import { SipHash } from './siphash.ts';

const COUNTERS = 65_536;

/** What counts as one: an address (an IPv6 /64), or the network that its owner may well have (a /24, an IPv6 /48). */
const PREFIX_BYTES = { address: { 4: 4, 6: 8 }, network: { 4: 3, 6: 6 } } as const;

/** Counts what public addresses or networks put into a store. Others are not counted: many nodes may share one there. */
export class AddressCount {
  readonly #counters = new Uint16Array(COUNTERS);
  readonly #hash: SipHash;
  readonly #prefixBytes: { readonly 4: number; readonly 6: number };

  /** `random` gives numbers in [0, 1) that nobody can guess. */
  constructor(random: () => number, by: keyof typeof PREFIX_BYTES = 'address') {
    this.#hash = SipHash.create(random);
    this.#prefixBytes = PREFIX_BYTES[by];
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
    return this.#hash.hash(addresses, at, this.#prefixBytes[family]) & (COUNTERS - 1);
  }
}
