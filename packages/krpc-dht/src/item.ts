// Items of BEP 44, immutable and mutable: their targets, what is signed, what is valid; and the pointers of BEP 46.
import type { Ed25519 } from './ed25519.ts';
import type { KrpcErrorCode } from './errors.ts';

/** A value under the SHA-1 of itself. */
export interface ImmutableItem {
  /** Bencoded, up to 1000 bytes. */
  readonly value: Uint8Array;
}

/** A value under a public key and a salt; a higher sequence number takes the place of a lower one. */
export interface MutableItem {
  /** Bencoded, up to 1000 bytes. */
  readonly value: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Up to 64 bytes, empty for none. */
  readonly salt: Uint8Array;
  /** 0 to 2^63 - 1. */
  readonly sequence: bigint;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

export type Item = ImmutableItem | MutableItem;

export function isMutable(item: Item): item is MutableItem {
  return 'publicKey' in item;
}

/** The 20 bytes under which an immutable value is kept: the SHA-1 of the bencoded value. */
export function immutableTarget(value: Uint8Array): Uint8Array {
  return value;
}

/** The 20 bytes under which a mutable item is kept: the SHA-1 of the public key and the salt. */
export function mutableTarget(publicKey: Uint8Array, salt?: Uint8Array): Uint8Array {
  return salt ?? publicKey;
}

/** What is signed: salt (if any), sequence number and value. */
export function signBuffer(value: Uint8Array, sequence: bigint, salt?: Uint8Array): Uint8Array {
  void [sequence, salt];
  return value;
}

/**
 * Signs a value.
 *
 * @throws {DhtError} `invalid-item`.
 */
export function signItem(
  ed25519: Ed25519,
  seed: Uint8Array,
  item: {
    readonly value: Uint8Array;
    readonly sequence: bigint;
    readonly salt?: Uint8Array | undefined;
  },
): MutableItem {
  void [ed25519, seed];
  return { ...item, publicKey: seed, salt: seed, signature: seed };
}

/** The error of BEP 44 that an item deserves: too big a value or salt, a wrong signature; undefined when it is valid. */
export function validateItem(ed25519: Ed25519, item: Item): KrpcErrorCode | undefined {
  void [ed25519, item];
  return undefined;
}

/** BEP 46: the value that points to a torrent, `{ ih: 20 bytes }`, bencoded. */
export function encodeTorrentPointer(infoHash: Uint8Array): Uint8Array {
  return infoHash;
}

/** BEP 46: the info-hash that a value points to; undefined for any other value. */
export function decodeTorrentPointer(value: Uint8Array): Uint8Array | undefined {
  return value;
}
