// Token buckets: queries of one address, and bytes in all (threat of amplification). Memory is fixed, whoever sends.
import {
  LARGE_ANSWER_BURST,
  LARGE_ANSWER_INTERVAL_MS,
  PING_BACK_INTERVAL_MS,
  RATE_LIMIT_SLOTS,
} from './constants.ts';
import { SipHash } from './siphash.ts';

export interface AddressRateLimitOptions {
  /** Events allowed in the long run; Infinity for no limit. */
  readonly perSecond: number;
  /** Events allowed at once. */
  readonly burst: number;
  /** Addresses known at one time: a power of two, 4 or more. */
  readonly slots?: number | undefined;
  /** Numbers in [0, 1) that nobody can guess: with them nobody can aim at a slot. */
  readonly random: () => number;
}

const NO_TIMES = new Float64Array();
const NO_TAGS = new Int32Array();

/** Slots that an address may have; of an address the place of these is fixed. */
const WAYS = 4;

/**
 * A token bucket for each sender: an IPv4 address, an IPv6 /64, or whatever else the first bytes of a compact endpoint tell apart.
 *
 * A bucket is one number, the time at which it will be full again (the GCRA of ATM networks), and a full bucket needs no slot.
 * When all slots that an address may have are taken, it takes over the fullest bucket as it is. So an address whose bucket was
 * given away never gets a fuller one back: flooding from other addresses resets nothing. It costs strangers in the same
 * slots some of their burst.
 */
export class AddressRateLimit {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #hash: SipHash;
  readonly #setMask: number;
  /** When a slot's bucket is full again. */
  #fullAt: Float64Array;
  /** Whose bucket it is: 32 bits of the address's hash. */
  #tags: Int32Array;
  readonly #slots: number;

  constructor(options: AddressRateLimitOptions) {
    const slots = options.slots ?? RATE_LIMIT_SLOTS;
    this.#intervalMs = 1000 / options.perSecond;
    this.#burstMs = options.burst * this.#intervalMs;
    this.#hash = SipHash.create(options.random);
    this.#setMask = slots / WAYS - 1;
    // Made for the first sender: most nodes of a simulation limit nobody.
    this.#slots = slots;
    this.#fullAt = NO_TIMES;
    this.#tags = NO_TAGS;
  }

  /**
   * Takes one token of the sender that is known by the `length` bytes at `senderAt` (4 of an IPv4 address, 8 of an IPv6 one, 6 or
   * 18 of an endpoint); false when there is none.
   */
  take(now: number, sender: Uint8Array, senderAt: number, length: number): boolean {
    if (this.#intervalMs === 0) return true;
    if (this.#tags.length === 0) {
      this.#fullAt = new Float64Array(this.#slots).fill(Number.NEGATIVE_INFINITY);
      this.#tags = new Int32Array(this.#slots);
    }
    const set = this.#hash.hash(sender, senderAt, length) & this.#setMask;
    const tag = this.#hash.high;
    let slot = WAYS * set;
    for (let i = slot; i < WAYS * (set + 1); i++) {
      if (this.#tags[i] === tag) {
        slot = i;
        break;
      }
      if (this.#fullAt[i]! < this.#fullAt[slot]!) slot = i;
    }
    const fullAt = Math.max(this.#fullAt[slot]!, now) + this.#intervalMs;
    // A rounding error is no token.
    if (fullAt > now + this.#burstMs + 1e-6) return false;
    this.#fullAt[slot] = fullAt;
    this.#tags[slot] = tag;
    return true;
  }
}

/** Allows one ping back to an unverified address in {@link PING_BACK_INTERVAL_MS}. */
export function pingBackLimit(random: () => number): AddressRateLimit {
  return new AddressRateLimit({ perSecond: 1000 / PING_BACK_INTERVAL_MS, burst: 1, random });
}

/** Allows {@link LARGE_ANSWER_BURST} large answers to an address, then one in {@link LARGE_ANSWER_INTERVAL_MS}. */
export function largeAnswerLimit(random: () => number): AddressRateLimit {
  const perSecond = 1000 / LARGE_ANSWER_INTERVAL_MS;
  return new AddressRateLimit({ perSecond, burst: LARGE_ANSWER_BURST, random });
}

/** One token bucket, in bytes. */
export class ByteRateLimit {
  readonly #bytesPerSecond: number;
  readonly #burstBytes: number;
  #bytes: number;
  #filledAt = Number.NEGATIVE_INFINITY;

  /** `bytesPerSecond`: Infinity for no limit. */
  constructor(bytesPerSecond: number, burstBytes: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#burstBytes = burstBytes;
    this.#bytes = burstBytes;
  }

  /** Whether `bytes` may be sent now; they are taken then. */
  take(now: number, bytes: number): boolean {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return true;
    if (now > this.#filledAt) {
      const earned = ((now - this.#filledAt) / 1000) * this.#bytesPerSecond;
      this.#bytes = Math.min(this.#bytes + earned, this.#burstBytes);
      this.#filledAt = now;
    }
    if (bytes > this.#bytes) return false;
    this.#bytes -= bytes;
    return true;
  }
}
