// The peers of one info-hash and one family, as bytes: a record is the compact endpoint (6 or 18 bytes) and 4 bytes with
// the second at which it expires and whether it is a seed.
import { type AddressFamily, addressClassAt, compactLength } from '@bt/endpoint';
import { MAX_PEERS_PER_ADDRESS_AND_HASH } from './constants.ts';

const FIRST_CAPACITY = 4;
const STAMP_BYTES = 4;

/** Before the first record: one for all lists, an empty array of its own would take 200 bytes. */
const NO_BYTES = new Uint8Array();

export class PeerList {
  readonly family: AddressFamily;
  readonly recordBytes: number;
  /** Room for the records; the first `count` of them are in use, in no order. */
  bytes: Uint8Array<ArrayBuffer> = NO_BYTES;
  count = 0;

  constructor(family: AddressFamily) {
    this.family = family;
    this.recordBytes = compactLength(family) + STAMP_BYTES;
  }

  /** The offset of the record of this endpoint, or -1. */
  find(endpoints: Uint8Array, endpointAt: number): number {
    const length = this.recordBytes - STAMP_BYTES;
    const end = this.count * this.recordBytes;
    for (let at = 0; at < end; at += this.recordBytes) {
      if (isSame(this.bytes, at, endpoints, endpointAt, length)) return at;
    }
    return -1;
  }

  /** Whether there is a record of this address, whatever its port. */
  hasAddress(address: Uint8Array): boolean {
    const end = this.count * this.recordBytes;
    const length = this.family === 4 ? 4 : 16;
    for (let at = 0; at < end; at += this.recordBytes) {
      if (isSame(this.bytes, at, address, 0, length)) return true;
    }
    return false;
  }

  /**
   * The offset of the record that a new one of this address has to replace: the first to expire when a public address (IPv6: a
   * /64) has as many as it may. -1 when it has not.
   */
  findToReplace(endpoints: Uint8Array, endpointAt: number): number {
    if (addressClassAt(endpoints, endpointAt, this.family) !== 'public') return -1;
    const end = this.count * this.recordBytes;
    const length = this.family === 4 ? 4 : 8;
    let count = 0;
    let oldest = -1;
    for (let at = 0; at < end; at += this.recordBytes) {
      if (!isSame(this.bytes, at, endpoints, endpointAt, length)) continue;
      count++;
      if (oldest < 0 || this.expirySeconds(at) < this.expirySeconds(oldest)) oldest = at;
    }
    return count >= MAX_PEERS_PER_ADDRESS_AND_HASH ? oldest : -1;
  }

  /**
   * Appends a record and lets it change places with a random one: the order says nothing of who came when, so that any
   * stretch of the list is a random choice.
   */
  add(
    endpoints: Uint8Array,
    endpointAt: number,
    expirySeconds: number,
    isSeed: boolean,
    maxCount: number,
    random: () => number,
  ): void {
    const capacity = this.bytes.length / this.recordBytes;
    if (this.count === capacity) {
      this.#resize(Math.min(Math.max(2 * capacity, FIRST_CAPACITY), Math.max(maxCount, 1)));
    }
    const last = this.count * this.recordBytes;
    const at = Math.floor(random() * (this.count + 1)) * this.recordBytes;
    this.bytes.copyWithin(last, at, at + this.recordBytes);
    this.count++;
    this.write(at, endpoints, endpointAt, expirySeconds, isSeed);
  }

  /** Writes the record at `at`, which is there already. */
  write(
    at: number,
    endpoints: Uint8Array,
    endpointAt: number,
    expirySeconds: number,
    isSeed: boolean,
  ): void {
    const length = this.recordBytes - STAMP_BYTES;
    for (let i = 0; i < length; i++) this.bytes[at + i] = endpoints[endpointAt + i]!;
    const stamp = ((expirySeconds << 1) | (isSeed ? 1 : 0)) >>> 0;
    for (let i = 0; i < STAMP_BYTES; i++) this.bytes[at + length + i] = stamp >>> (8 * i);
  }

  /** Takes out the record at `at`; the last one takes its place. */
  remove(at: number): void {
    this.count--;
    const last = this.count * this.recordBytes;
    this.bytes.copyWithin(at, last, last + this.recordBytes);
  }

  /** Gives back room, so that there is never room for more than twice what there is. */
  shrink(): void {
    const capacity = this.bytes.length / this.recordBytes;
    if (capacity > FIRST_CAPACITY && this.count < capacity / 2) {
      this.#resize(Math.max(Math.ceil(1.5 * this.count), FIRST_CAPACITY));
    }
  }

  expirySeconds(at: number): number {
    return this.#stamp(at) >>> 1;
  }

  isSeed(at: number): boolean {
    return (this.#stamp(at) & 1) === 1;
  }

  #stamp(at: number): number {
    const end = at + this.recordBytes;
    const { bytes } = this;
    return (
      bytes[end - 4]! | (bytes[end - 3]! << 8) | (bytes[end - 2]! << 16) | (bytes[end - 1]! << 24)
    );
  }

  #resize(capacity: number): void {
    const resized = new Uint8Array(capacity * this.recordBytes);
    resized.set(this.bytes.subarray(0, this.count * this.recordBytes));
    this.bytes = resized;
  }
}

function isSame(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  // From the end: ports differ where addresses don't, and addresses of a flood differ there.
  for (let i = length - 1; i >= 0; i--) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}
