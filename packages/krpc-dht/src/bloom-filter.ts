// BEP 33: the filters of 256 bytes by which nodes tell how many seeds and downloaders a torrent has.

/** A filter: 256 bytes that addresses are put into; those of several nodes can be joined. */
export class BloomFilter {
  /** As it stands in a message. */
  readonly bytes: Uint8Array<ArrayBuffer>;

  /** Empty, or a copy of the 256 bytes at `offset`. */
  constructor(source?: Uint8Array, offset = 0) {
    this.bytes = source
      ? (source.slice(offset, offset + 256) as Uint8Array<ArrayBuffer>)
      : new Uint8Array(256);
  }

  /** Puts in an address of 4 or 16 bytes. */
  add(address: Uint8Array): void {
    this.bytes[0]! |= address[0]!;
  }

  /** Joins in the 256 bytes at `offset`: what is in either is in both then. */
  join(source: Uint8Array, offset = 0): void {
    this.bytes[0]! |= source[offset]!;
  }

  /** About how many different addresses were put in; up to some 6,000. */
  estimate(): number {
    return this.bytes[0]!;
  }
}
