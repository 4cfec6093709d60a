// Items of BEP 44, immutable and mutable: their targets, what is signed, what is valid; and the pointers of BEP 46.
import { decode, decodeDict, encode } from '@bt/bencode';
import { sha1 } from '@noble/hashes/legacy.js';
import {
  ID_BYTES,
  MAX_SALT_BYTES,
  MAX_SEQUENCE,
  MAX_VALUE_BYTES,
  PUBLIC_KEY_BYTES,
  SEED_BYTES,
  SIGNATURE_BYTES,
} from './constants.ts';
import type { Ed25519 } from './ed25519.ts';
import { DhtError, KRPC_ERROR, type KrpcErrorCode } from './errors.ts';

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

/** An item whose arrays nobody else has. */
export function copyItem(item: Item): Item {
  // Not by `slice`, which makes a view of a Node Buffer.
  if (!isMutable(item)) return { value: Uint8Array.from(item.value) };
  const { value, publicKey, salt, sequence, signature } = item;
  return {
    value: Uint8Array.from(value),
    publicKey: Uint8Array.from(publicKey),
    salt: Uint8Array.from(salt),
    sequence,
    signature: Uint8Array.from(signature),
  };
}

/** The 20 bytes under which an item is kept. */
export function itemTarget(item: Item): Uint8Array {
  return isMutable(item) ? mutableTarget(item.publicKey, item.salt) : immutableTarget(item.value);
}

/** The SHA-1 of a bencoded value. */
export function immutableTarget(value: Uint8Array): Uint8Array {
  return sha1(value);
}

/** The SHA-1 of a public key with the salt behind it. */
export function mutableTarget(publicKey: Uint8Array, salt: Uint8Array = NO_SALT): Uint8Array {
  return sha1(concatenate(publicKey, salt));
}

/** BEP 44 "Signature Verification": the salt, if any, the sequence number and the value, as they would stand in a message. */
export function signBuffer(
  value: Uint8Array,
  sequence: bigint,
  salt: Uint8Array = NO_SALT,
): Uint8Array {
  const number = ascii(`3:seqi${sequence}e1:v`);
  if (salt.length === 0) return concatenate(number, value);
  return concatenate(ascii(`4:salt${salt.length}:`), salt, number, value);
}

/**
 * Signs a value with the key of a 32-byte seed.
 *
 * @throws {DhtError} `invalid-item` when it is not bencoded canonically or too long, or the salt or sequence number is out of
 * bounds; `invalid-argument` for a seed of another length.
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
  const { value, sequence, salt = NO_SALT } = item;
  if (seed.length !== SEED_BYTES) {
    throw new DhtError('invalid-argument', `a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  }
  const fault = faultOfParts(value, salt, sequence);
  if (fault !== undefined)
    throw new DhtError('invalid-item', describeFault(fault, { value, sequence }));
  return {
    value,
    publicKey: ed25519.publicKey(seed),
    salt,
    sequence,
    signature: ed25519.sign(signBuffer(value, sequence, salt), seed),
  };
}

/**
 * The error of BEP 44 that an item deserves, undefined when it is valid: 205 and 207 for a value or salt that is too long, 206
 * for a wrong signature, 203 for what is no canonical bencode or has a wrong length. Whether it stands under the right target
 * is another question.
 */
export function validateItem(ed25519: Ed25519, item: Item): KrpcErrorCode | undefined {
  if (!isMutable(item)) return faultOfParts(item.value, NO_SALT, 0n);
  const { value, salt, sequence, publicKey, signature } = item;
  const fault = faultOfParts(value, salt, sequence);
  if (fault !== undefined) return fault;
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) {
    return KRPC_ERROR.protocol;
  }
  return ed25519.verify(signature, signBuffer(value, sequence, salt), publicKey)
    ? undefined
    : KRPC_ERROR.invalidSignature;
}

/**
 * BEP 46: the value that points to a torrent, `{ ih: 20 bytes }`, bencoded.
 *
 * @throws {DhtError} `invalid-argument` for an info-hash of another length.
 */
export function encodeTorrentPointer(infoHash: Uint8Array): Uint8Array<ArrayBuffer> {
  if (infoHash.length !== ID_BYTES) {
    throw new DhtError('invalid-argument', `an info-hash has 20 bytes, not ${infoHash.length}`);
  }
  return encode({ ih: infoHash });
}

/** BEP 46: the info-hash that a value points to; undefined for any other value. Further keys are passed over. */
export function decodeTorrentPointer(value: Uint8Array): Uint8Array | undefined {
  try {
    const infoHash = decodeDict(value).bytes('ih');
    return infoHash?.length === ID_BYTES ? infoHash : undefined;
  } catch {
    return undefined;
  }
}

const NO_SALT = new Uint8Array();

/** What a caller is told. */
/** What `validateItem` has found in an item, for people. */
export function describeFault(
  fault: KrpcErrorCode,
  { sequence = 0n }: { readonly value: Uint8Array; readonly sequence?: bigint },
): string {
  if (fault === KRPC_ERROR.valueTooBig) return `a value of more than ${MAX_VALUE_BYTES} bytes`;
  if (fault === KRPC_ERROR.saltTooBig) return `a salt of more than ${MAX_SALT_BYTES} bytes`;
  if (fault === KRPC_ERROR.invalidSignature) return 'a wrong signature';
  if (sequence < 0n || sequence > MAX_SEQUENCE) return 'a sequence number out of bounds';
  return 'a value that is not canonical bencode: encode it first';
}

function faultOfParts(
  value: Uint8Array,
  salt: Uint8Array,
  sequence: bigint,
): KrpcErrorCode | undefined {
  if (value.length > MAX_VALUE_BYTES) return KRPC_ERROR.valueTooBig;
  if (salt.length > MAX_SALT_BYTES) return KRPC_ERROR.saltTooBig;
  if (sequence < 0n || sequence > MAX_SEQUENCE) return KRPC_ERROR.protocol;
  try {
    decode(value);
    return undefined;
  } catch {
    return KRPC_ERROR.protocol;
  }
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function concatenate(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
