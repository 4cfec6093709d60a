// STUN messages (RFC 8489 sections 5 and 14): decoding in place, and writing. A message keeps the bytes that it came as, and integrity is
// computed over those, never over a message encoded anew.
import { type AddressFamily, type Endpoint, isPort } from '@bt/endpoint';
import { NatPunchError } from '../errors.ts';
import { fingerprintOf } from './fingerprint.ts';
import {
  addressFamilyOf,
  decodeAddress,
  decodeErrorCode,
  decodeXorAddress,
  MAGIC_COOKIE,
  STUN_ATTRIBUTE,
  type StunErrorCode,
  writeAddress,
} from './stun-attributes.ts';
import { type IntegrityHash, integrityOf } from './stun-integrity.ts';

/** RFC 8489 section 18.2, RFC 8656 section 17. Methods are at most 0xff, so that the first byte of a message is at most 3 (RFC 7983). */
export const STUN_METHOD = {
  binding: 0x001,
  allocate: 0x003,
  refresh: 0x004,
  send: 0x006,
  data: 0x007,
  createPermission: 0x008,
  channelBind: 0x009,
} as const;

export type StunClass = 'request' | 'indication' | 'success' | 'error';

/** RFC 8489 section 5: the index is the number in the two class bits. */
const CLASSES: readonly StunClass[] = ['request', 'indication', 'success', 'error'];

export const STUN_HEADER_BYTES = 20;

/** A message with more attributes than this is none. RFC 8656's largest have about 10, and one for each peer of a CreatePermission. */
export const MAX_ATTRIBUTES = 128;

/** Whether a datagram can be STUN by its first byte (RFC 7983 section 7). */
export function isStunByte(firstByte: number): boolean {
  return firstByte <= 3;
}

/**
 * Reads a datagram as a STUN message. `undefined` when it is none: wrong length or cookie, attributes that don't end where the message does,
 * or a FINGERPRINT that is wrong or not the last. Such a datagram is to be dropped without an answer. The message is a view on `datagram`.
 */
export function decodeStunMessage(datagram: Uint8Array): StunMessage | undefined {
  const { length } = datagram;
  if (length < STUN_HEADER_BYTES || length % 4 !== 0 || datagram[0]! > 3) return undefined;
  if (((datagram[2]! << 8) | datagram[3]!) !== length - STUN_HEADER_BYTES) return undefined;
  if (uint32At(datagram, 4) !== MAGIC_COOKIE) return undefined;
  const slots: number[] = [];
  let sealed = 0;
  for (let at = STUN_HEADER_BYTES; at < length; ) {
    const type = (datagram[at]! << 8) | datagram[at + 1]!;
    const valueLength = (datagram[at + 2]! << 8) | datagram[at + 3]!;
    const end = at + 4 + ((valueLength + 3) & ~3);
    if (end > length) return undefined;
    if (type === STUN_ATTRIBUTE.fingerprint) {
      if (valueLength !== 4 || end !== length) return undefined;
      if (uint32At(datagram, at + 4) !== fingerprintOf(datagram, at)) return undefined;
    }
    // RFC 8489 sections 14.5 and 14.6: what follows the integrity is not covered by it, and ignored.
    if (isBeyond(sealed, type)) {
      at = end;
      continue;
    }
    if (type === STUN_ATTRIBUTE.messageIntegrity) sealed = 1;
    if (type === STUN_ATTRIBUTE.messageIntegritySha256) sealed = 2;
    slots.push(type, at + 4, valueLength);
    if (slots.length > 3 * MAX_ATTRIBUTES) return undefined;
    at = end;
  }
  return new StunMessage(datagram, slots);
}

function isBeyond(sealed: number, type: number): boolean {
  if (sealed === 0 || type === STUN_ATTRIBUTE.fingerprint) return false;
  return sealed === 2 || type !== STUN_ATTRIBUTE.messageIntegritySha256;
}

/** A message as it was received: made by {@link decodeStunMessage}. All byte arrays that it gives are views on `bytes`. */
export class StunMessage {
  /** The whole message. */
  readonly bytes: Uint8Array;
  /** One of {@link STUN_METHOD}, or another. */
  readonly method: number;
  readonly class: StunClass;
  /** Type, offset and length of each attribute, in turn. */
  readonly #slots: readonly number[];

  constructor(bytes: Uint8Array, slots: readonly number[]) {
    this.bytes = bytes;
    this.#slots = slots;
    const type = (bytes[0]! << 8) | bytes[1]!;
    // RFC 8489 section 5: the class bits stand within the method's.
    this.method = (type & 0x000f) | ((type & 0x00e0) >>> 1) | ((type & 0x3e00) >>> 2);
    this.class = CLASSES[((type & 0x0010) >>> 4) | ((type & 0x0100) >>> 7)]!;
  }

  /** 12 bytes. */
  get transactionId(): Uint8Array {
    return this.bytes.subarray(8, STUN_HEADER_BYTES);
  }

  /** The types of its attributes, in order. */
  get attributeTypes(): number[] {
    return this.#slots.filter((_, i) => i % 3 === 0);
  }

  has(type: number): boolean {
    return this.offsetOf(type) >= 0;
  }

  /** Where the value of the first attribute of that type begins in `bytes`, or -1. */
  offsetOf(type: number): number {
    const slots = this.#slots;
    for (let i = 0; i < slots.length; i += 3) if (slots[i] === type) return slots[i + 1]!;
    return -1;
  }

  /** The value of the first attribute of that type: RFC 8489 section 14 lets further ones be ignored. */
  value(type: number): Uint8Array | undefined {
    const slots = this.#slots;
    for (let i = 0; i < slots.length; i += 3) {
      if (slots[i] === type) return this.#valueAt(i);
    }
    return undefined;
  }

  /** The values of all attributes of that type. */
  values(type: number): Uint8Array[] {
    const values: Uint8Array[] = [];
    this.#slots.forEach((slotType, i) => {
      if (i % 3 === 0 && slotType === type) values.push(this.#valueAt(i));
    });
    return values;
  }

  /** A value of 4 bytes as a number; `undefined` when there is none of that length. */
  uint32(type: number): number | undefined {
    const value = this.value(type);
    return value?.length === 4 ? uint32At(value, 0) : undefined;
  }

  /** A value as text; `undefined` when there is none or it is no UTF-8. */
  text(type: number): string | undefined {
    const value = this.value(type);
    if (value === undefined) return undefined;
    try {
      return decoder.decode(value);
    } catch {
      return undefined;
    }
  }

  /** MAPPED-ADDRESS, RESPONSE-ORIGIN, OTHER-ADDRESS. */
  address(type: number): Endpoint | undefined {
    const value = this.value(type);
    return value === undefined ? undefined : decodeAddress(value);
  }

  /** XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS. */
  xorAddress(type: number): Endpoint | undefined {
    const value = this.value(type);
    return value === undefined ? undefined : decodeXorAddress(value, this.bytes);
  }

  /** All of them, where there may be several; `undefined` when one is no address. */
  xorAddresses(type: number): { endpoint: Endpoint; family: AddressFamily }[] | undefined {
    const endpoints = [];
    for (const value of this.values(type)) {
      const endpoint = decodeXorAddress(value, this.bytes);
      const family = addressFamilyOf(value);
      if (endpoint === undefined || family === undefined) return undefined;
      endpoints.push({ endpoint, family });
    }
    return endpoints;
  }

  errorCode(): StunErrorCode | undefined {
    const value = this.value(STUN_ATTRIBUTE.errorCode);
    return value === undefined ? undefined : decodeErrorCode(value);
  }

  /** Whether this message is the answer to the request with that transaction id. */
  answers(transactionId: Uint8Array): boolean {
    if (this.class !== 'success' && this.class !== 'error') return false;
    for (let i = 0; i < 12; i++) if (this.bytes[8 + i] !== transactionId[i]) return false;
    return true;
  }

  /** The comprehension-required attributes that are not among those known (RFC 8489 section 6.3.1), each once. */
  unknownAttributes(known: ReadonlySet<number>): number[] {
    const slots = this.#slots;
    let unknown: number[] = NONE;
    for (let i = 0; i < slots.length; i += 3) {
      const type = slots[i]!;
      if (type >= 0x8000 || known.has(type) || unknown.includes(type)) continue;
      if (unknown === NONE) unknown = [];
      unknown.push(type);
    }
    return unknown;
  }

  #valueAt(slot: number): Uint8Array {
    const at = this.#slots[slot + 1]!;
    return this.bytes.subarray(at, at + this.#slots[slot + 2]!);
  }
}

/**
 * Writes one message, attribute after attribute in the order of the calls: integrity last but for the fingerprint.
 *
 * ```ts
 * const bytes = new StunWriter('request', STUN_METHOD.refresh, transactionId)
 *   .uint32(STUN_ATTRIBUTE.lifetime, 600)
 *   .integrity('sha1', key)
 *   .finish();
 * ```
 */
export class StunWriter {
  #bytes = new Uint8Array(256);
  #end = STUN_HEADER_BYTES;

  /** @param transactionId 12 bytes, unguessable in a request. */
  constructor(messageClass: StunClass, method: number, transactionId: Uint8Array) {
    if (transactionId.length !== 12) {
      throw new NatPunchError('invalid-argument', 'a transaction id has 12 bytes');
    }
    const classBits = CLASSES.indexOf(messageClass);
    const type =
      (method & 0x000f) |
      ((method & 0x0070) << 1) |
      ((method & 0x0f80) << 2) |
      ((classBits & 1) << 4) |
      ((classBits & 2) << 7);
    writeUint16(this.#bytes, 0, type);
    writeUint32(this.#bytes, 4, MAGIC_COOKIE);
    this.#bytes.set(transactionId, 8);
  }

  bytes(type: number, value: Uint8Array): this {
    const at = this.#attribute(type, value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** An attribute without a value. */
  flag(type: number): this {
    this.#attribute(type, 0);
    return this;
  }

  text(type: number, value: string): this {
    return this.bytes(type, encoder.encode(value));
  }

  uint32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    writeUint32(this.#bytes, at, value);
    return this;
  }

  /** @throws {NatPunchError} `invalid-argument`. */
  address(type: number, endpoint: Endpoint): this {
    return this.#address(type, endpoint, false);
  }

  /** @throws {NatPunchError} `invalid-argument`. */
  xorAddress(type: number, endpoint: Endpoint): this {
    return this.#address(type, endpoint, true);
  }

  errorCode(code: number, reason = ''): this {
    const text = encoder.encode(reason);
    const at = this.#attribute(STUN_ATTRIBUTE.errorCode, 4 + text.length);
    this.#bytes[at + 2] = Math.floor(code / 100);
    this.#bytes[at + 3] = code % 100;
    this.#bytes.set(text, at + 4);
    return this;
  }

  unknownAttributes(types: readonly number[]): this {
    const at = this.#attribute(STUN_ATTRIBUTE.unknownAttributes, 2 * types.length);
    types.forEach((type, i) => {
      writeUint16(this.#bytes, at + 2 * i, type);
    });
    return this;
  }

  /** MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 over what has been written. */
  integrity(hash: IntegrityHash, key: Uint8Array): this {
    const start = this.#end;
    const isSha1 = hash === 'sha1';
    const type = isSha1 ? STUN_ATTRIBUTE.messageIntegrity : STUN_ATTRIBUTE.messageIntegritySha256;
    const at = this.#attribute(type, isSha1 ? 20 : 32);
    this.#bytes.set(integrityOf(hash, key, this.#bytes, start), at);
    return this;
  }

  fingerprint(): this {
    const start = this.#end;
    const at = this.#attribute(STUN_ATTRIBUTE.fingerprint, 4);
    writeUint16(this.#bytes, 2, this.#end - STUN_HEADER_BYTES);
    writeUint32(this.#bytes, at, fingerprintOf(this.#bytes, start));
    return this;
  }

  /** The message. The writer is of no use afterwards. */
  finish(): Uint8Array {
    writeUint16(this.#bytes, 2, this.#end - STUN_HEADER_BYTES);
    return this.#bytes.subarray(0, this.#end);
  }

  #address(type: number, endpoint: Endpoint, isXor: boolean): this {
    if (!isPort(endpoint.port)) {
      throw new NatPunchError('invalid-argument', `not a port: ${endpoint.port}`);
    }
    const before = this.#end;
    const at = this.#attribute(type, 20);
    const length = writeAddress(this.#bytes, at, endpoint, isXor ? this.#bytes : undefined);
    writeUint16(this.#bytes, before + 2, length);
    this.#end = at + length;
    return this;
  }

  /**
   * Writes the head of an attribute and makes room for its value, whose offset it returns. It may put another buffer in the place of
   * `#bytes`. Padding is zeros, as a new buffer is.
   */
  #attribute(type: number, valueLength: number): number {
    const at = this.#end + 4;
    const end = at + ((valueLength + 3) & ~3);
    if (end - STUN_HEADER_BYTES > 0xffff) {
      throw new NatPunchError('invalid-argument', 'a STUN message has at most 65,535 bytes');
    }
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, end));
      grown.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = grown;
    }
    writeUint16(this.#bytes, this.#end, type);
    writeUint16(this.#bytes, this.#end + 2, valueLength);
    this.#end = end;
    return at;
  }
}

const NONE: number[] = [];
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function uint32At(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 0xff;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = (value >>> 16) & 0xff;
  bytes[at + 2] = (value >>> 8) & 0xff;
  bytes[at + 3] = value & 0xff;
}
