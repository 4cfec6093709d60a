// The handshake (BEP 3, "peer protocol") and its reserved bits (BEP 4, 5, 6, 10, 52). Reading is incremental, and ends at the
// handshake's last byte: who accepts a connection learns the info-hash before any torrent is chosen.
import { HANDSHAKE_LENGTH } from './constants.ts';
import { WireError } from './errors.ts';

/** What a client offers by its reserved bits. Each counts only if both sides offer it. */
export interface WireFeatures {
  /** BEP 5: has a DHT node, sends `port`. */
  readonly dht: boolean;
  /** BEP 6. */
  readonly fast: boolean;
  /** BEP 10. */
  readonly extended: boolean;
  /** BEP 52, "Upgrade Path": sent with the v1 info-hash of a hybrid torrent; the answer may have the v2 info-hash. */
  readonly v2: boolean;
}

/** A handshake as it was received. The arrays are copies. */
export interface Handshake {
  /** 20 bytes; a v2 info-hash is truncated to them (BEP 52). */
  readonly infoHash: Uint8Array;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  readonly features: WireFeatures;
  /** The 8 reserved bytes. */
  readonly reserved: Uint8Array;
}

/** A handshake to send: features that are left out are not offered. */
export interface HandshakeInput {
  readonly infoHash: Uint8Array;
  readonly peerId: Uint8Array;
  readonly features?: Partial<WireFeatures>;
}

/** One known bit of the reserved bytes. */
export interface ReservedBit {
  readonly byteIndex: number;
  readonly mask: number;
  readonly name: string;
}

/** The bits that somebody has given a meaning (BEP 4). */
export const RESERVED_BITS: readonly ReservedBit[] = [
  { byteIndex: 0, mask: 0x80, name: 'azureus messaging' },
  { byteIndex: 2, mask: 0x08, name: 'location-aware' },
  { byteIndex: 5, mask: 0x10, name: 'extended' },
  { byteIndex: 5, mask: 0x02, name: 'extension negotiation 2' },
  { byteIndex: 5, mask: 0x01, name: 'extension negotiation 1' },
  { byteIndex: 7, mask: 0x01, name: 'dht' },
  { byteIndex: 7, mask: 0x02, name: 'xbt peer exchange' },
  { byteIndex: 7, mask: 0x04, name: 'fast' },
  { byteIndex: 7, mask: 0x08, name: 'nat traversal' },
  { byteIndex: 7, mask: 0x10, name: 'v2' },
];

/** The 68 bytes of a handshake. @throws {WireError} `invalid-argument` unless both hashes have 20 bytes. */
export function encodeHandshake(handshake: HandshakeInput): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HANDSHAKE_LENGTH);
  writeHandshake(bytes, 0, handshake);
  return bytes;
}

/** Writes a handshake and returns the offset behind it. @throws {WireError} `invalid-argument`, `no-room`. */
export function writeHandshake(
  target: Uint8Array,
  offset: number,
  handshake: HandshakeInput,
): number {
  const { infoHash, peerId, features } = handshake;
  if (infoHash.length !== 20 || peerId.length !== 20) {
    throw new WireError(
      'invalid-argument',
      'local',
      `info-hash and peer id have 20 bytes, not ${infoHash.length} and ${peerId.length}`,
    );
  }
  if (!(offset >= 0 && offset + HANDSHAKE_LENGTH <= target.length)) {
    throw new WireError('no-room', 'local', `no room for a handshake at ${offset}`);
  }
  target.set(PREFIX, offset);
  target.fill(0, offset + 20, offset + 28);
  target[offset + 25] = features?.extended ? EXTENDED_BIT : 0;
  target[offset + 27] =
    (features?.dht ? DHT_BIT : 0) | (features?.fast ? FAST_BIT : 0) | (features?.v2 ? V2_BIT : 0);
  target.set(infoHash, offset + 28);
  target.set(peerId, offset + 48);
  return offset + HANDSHAKE_LENGTH;
}

/** What 8 reserved bytes offer of what this package speaks. */
export function readFeatures(reserved: Uint8Array): WireFeatures {
  const last = reserved[7] ?? 0;
  return {
    dht: (last & DHT_BIT) !== 0,
    fast: (last & FAST_BIT) !== 0,
    extended: ((reserved[5] ?? 0) & EXTENDED_BIT) !== 0,
    v2: (last & V2_BIT) !== 0,
  };
}

/** Names of all the known bits that are set, for a person to read. */
export function reservedBitNames(reserved: Uint8Array): string[] {
  return RESERVED_BITS.filter((bit) => ((reserved[bit.byteIndex] ?? 0) & bit.mask) !== 0).map(
    (bit) => bit.name,
  );
}

/** Reads one handshake from a stream that comes in any splits. */
export class HandshakeReader {
  readonly #bytes = new Uint8Array(HANDSHAKE_LENGTH);
  #count = 0;
  #handshake: Handshake | undefined;
  #failed = false;

  /** The handshake, once all of it has arrived. */
  get handshake(): Handshake | undefined {
    return this.#handshake;
  }

  /** The info-hash as soon as it is there, before the peer id; a view. Some peers wait for the answer in between. */
  get infoHash(): Uint8Array | undefined {
    return this.#count >= 48 ? this.#bytes.subarray(28, 48) : undefined;
  }

  /**
   * Takes bytes of `chunk` from `start` up to the handshake's end and returns how many. What is behind them belongs to
   * the messages. The protocol's name is judged byte by byte, so that a stranger is known by its first wrong byte.
   *
   * @throws {WireError} `not-bittorrent` (remote); `closed` after that.
   */
  handleBytes(chunk: Uint8Array, start = 0, end = chunk.length): number {
    if (this.#failed) throw new WireError('closed', 'local', 'the handshake has failed');
    if (this.#handshake !== undefined) return 0;
    const taken = Math.min(end - start, HANDSHAKE_LENGTH - this.#count);
    for (let i = 0; i < taken; i++) {
      const byte = chunk[start + i]!;
      if (this.#count < PREFIX.length && byte !== PREFIX[this.#count]) {
        this.#failed = true;
        throw new WireError(
          'not-bittorrent',
          'remote',
          `byte ${this.#count} of the handshake is ${byte}, not ${PREFIX[this.#count]}`,
        );
      }
      this.#bytes[this.#count++] = byte;
    }
    if (this.#count === HANDSHAKE_LENGTH) {
      const reserved = this.#bytes.slice(20, 28);
      this.#handshake = {
        infoHash: this.#bytes.slice(28, 48),
        peerId: this.#bytes.slice(48, 68),
        features: readFeatures(reserved),
        reserved,
      };
    }
    return taken;
  }
}

const DHT_BIT = 0x01;
const FAST_BIT = 0x04;
const V2_BIT = 0x10;
const EXTENDED_BIT = 0x10;

/** The number 19 and `BitTorrent protocol`. */
const PREFIX = /* @__PURE__ */ Uint8Array.of(
  19,
  ...[66, 105, 116, 84, 111, 114, 114, 101, 110, 116],
  ...[32, 112, 114, 111, 116, 111, 99, 111, 108],
);
