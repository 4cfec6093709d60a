// How much is done for whom: requests by address, in a table whose size is fixed whoever sends, and bytes by user.
import { parseAddressInto } from '@bt/endpoint';

export interface AddressRateLimitOptions {
  /** Events of an address in the long run; Infinity for no limit. */
  readonly perSecond: number;
  /** Events of an address at once. */
  readonly burst: number;
  /** Addresses that are counted at a time: a power of two from 4 to 65,536. */
  readonly slots: number;
  /** Numbers in [0, 1) that nobody can guess: with them nobody can aim at another's slots. */
  readonly random: () => number;
}

/** Slots among which an address has its place. */
const WAYS = 4;
/** Words of 16 bits in an address: all of IPv4, the /64 of IPv6. */
const WORDS = 4;

/**
 * A token bucket for each IPv4 address and IPv6 /64. A bucket is one number, the time at which it is full again; a full bucket needs no slot.
 * Whose slots are all taken takes over the fullest bucket as it is, so that a flood from many addresses gives nobody tokens back.
 */
export class AddressRateLimit {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #setMask: number;
  readonly #fullAt: Float64Array;
  /** Whose bucket it is: a hash of the address. */
  readonly #tags: Int32Array;
  /** Coefficients of two multilinear hash functions, which are universal in their upper 16 bits. */
  readonly #coefficients: Int32Array;
  readonly #address = new Uint8Array(16);

  constructor(options: AddressRateLimitOptions) {
    this.#intervalMs = 1000 / options.perSecond;
    this.#burstMs = options.burst * this.#intervalMs;
    this.#setMask = options.slots / WAYS - 1;
    this.#fullAt = new Float64Array(options.slots).fill(Number.NEGATIVE_INFINITY);
    this.#tags = new Int32Array(options.slots);
    this.#coefficients = Int32Array.from(
      { length: 2 * (WORDS + 1) },
      () => options.random() * 2 ** 32,
    );
  }

  /** Takes one token of this IP address; false when it has none. */
  take(now: number, address: string): boolean {
    if (this.#intervalMs === 0) return true;
    const length = Math.min(parseAddressInto(address, this.#address, 0), 2 * WORDS);
    const set = (this.#hash(0, length) >>> 16) & this.#setMask;
    const tag = this.#hash(WORDS + 1, length);
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

  #hash(from: number, length: number): number {
    const coefficients = this.#coefficients;
    let sum = coefficients[from]!;
    for (let at = 0; at < length; at += 2) {
      const word = (this.#address[at]! << 8) | this.#address[at + 1]!;
      sum = (sum + Math.imul(coefficients[from + 1 + (at >>> 1)]!, word)) | 0;
    }
    return sum;
  }
}

/** A token bucket of bytes that holds what a second allows. */
export class ByteRateLimit {
  readonly #bytesPerMs: number;
  readonly #burstBytes: number;
  #bytes: number;
  #filledAt = Number.NEGATIVE_INFINITY;

  /** @param bytesPerSecond Infinity for no limit. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#burstBytes = bytesPerSecond;
    this.#bytes = bytesPerSecond;
  }

  /** Whether `bytes` may pass now; they are taken then. */
  take(now: number, bytes: number): boolean {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return true;
    if (now > this.#filledAt) {
      const earned = (now - this.#filledAt) * this.#bytesPerMs;
      this.#bytes = Math.min(this.#bytes + earned, this.#burstBytes);
      this.#filledAt = now;
    }
    if (bytes > this.#bytes) return false;
    this.#bytes -= bytes;
    return true;
  }

  /** Whether nothing of it has been taken that isn't there again: it is as good as a new one. */
  isFull(now: number): boolean {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return true;
    const earned = Math.max(now - this.#filledAt, 0) * this.#bytesPerMs;
    return this.#bytes + earned >= this.#burstBytes;
  }
}
