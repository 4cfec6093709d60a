// The attributes of STUN and TURN messages: their numbers, and the values that are more than bytes. RFC 8489 section 14, RFC 8656 section 18,
// RFC 5780 section 7, RFC 8445 section 16.1.
import { type AddressFamily, type Endpoint, parseAddressInto, printAddressAt } from '@bt/endpoint';
import { NatPunchError } from '../errors.ts';

/** RFC 8489 section 18.3: below 0x8000 who doesn't know an attribute must refuse the message. */
export const STUN_ATTRIBUTE = {
  mappedAddress: 0x0001,
  /** RFC 5780 section 7.2. */
  changeRequest: 0x0003,
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  channelNumber: 0x000c,
  lifetime: 0x000d,
  xorPeerAddress: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  xorRelayedAddress: 0x0016,
  requestedAddressFamily: 0x0017,
  evenPort: 0x0018,
  requestedTransport: 0x0019,
  dontFragment: 0x001a,
  messageIntegritySha256: 0x001c,
  xorMappedAddress: 0x0020,
  reservationToken: 0x0022,
  priority: 0x0024,
  useCandidate: 0x0025,
  padding: 0x0026,
  responsePort: 0x0027,
  additionalAddressFamily: 0x8000,
  addressErrorCode: 0x8001,
  software: 0x8022,
  alternateServer: 0x8023,
  fingerprint: 0x8028,
  iceControlled: 0x8029,
  iceControlling: 0x802a,
  responseOrigin: 0x802b,
  otherAddress: 0x802c,
} as const;

/** RFC 8489 section 14.1: the number of an address family. */
export const STUN_FAMILY = { 4: 0x01, 6: 0x02 } as const;

/** RFC 8656 section 18.7: UDP in REQUESTED-TRANSPORT, a number of IANA's protocol registry. */
export const TRANSPORT_UDP = 17;

/** RFC 8489 section 5. */
export const MAGIC_COOKIE = 0x2112a442;

/** RFC 8489 section 14.8. */
export interface StunErrorCode {
  /** 300 to 699. */
  readonly code: number;
  readonly reason: string;
}

/**
 * Reads the value of MAPPED-ADDRESS and its like (RFC 8489 section 14.1); `undefined` when it is none. An IPv4-mapped IPv6 address comes out
 * as IPv4: see {@link addressFamilyOf}.
 */
export function decodeAddress(value: Uint8Array): Endpoint | undefined {
  const family = addressFamilyOf(value);
  if (family === undefined) return undefined;
  return { address: printAddressAt(value, 4, family), port: (value[2]! << 8) | value[3]! };
}

/**
 * Reads the value of XOR-MAPPED-ADDRESS and its like (RFC 8489 section 14.2).
 *
 * @param header the message's first 20 bytes: cookie and transaction id are what the address is mixed with.
 */
export function decodeXorAddress(value: Uint8Array, header: Uint8Array): Endpoint | undefined {
  const family = addressFamilyOf(value);
  if (family === undefined) return undefined;
  const length = family === 4 ? 4 : 16;
  for (let i = 0; i < length; i++) scratch[i] = value[4 + i]! ^ header[4 + i]!;
  return {
    address: printAddressAt(scratch, 0, family),
    port: ((value[2]! ^ header[4]!) << 8) | (value[3]! ^ header[5]!),
  };
}

/** The family that an address's value names on the wire, when its length is that family's. */
export function addressFamilyOf(value: Uint8Array): AddressFamily | undefined {
  if (value.length === 8 && value[1] === STUN_FAMILY[4]) return 4;
  if (value.length === 20 && value[1] === STUN_FAMILY[6]) return 6;
  return undefined;
}

/** RFC 8489 section 14.8; `undefined` when the number is none. Of the reason control characters are removed: it is fit to be shown. */
export function decodeErrorCode(value: Uint8Array): StunErrorCode | undefined {
  if (value.length < 4) return undefined;
  const hundreds = value[2]! & 0x07;
  const number = value[3]!;
  if (hundreds < 3 || hundreds > 6 || number > 99) return undefined;
  return { code: 100 * hundreds + number, reason: readableText(value.subarray(4)) };
}

/** RFC 8489 section 14.13. */
export function decodeUnknownAttributes(value: Uint8Array): number[] {
  const types: number[] = [];
  for (let at = 0; at + 1 < value.length; at += 2) types.push((value[at]! << 8) | value[at + 1]!);
  return types;
}

/**
 * Writes the value of an address attribute into `target` at `offset`, and returns its length: 8 or 20 bytes. With `header` it is mixed with
 * it, as the XOR-... attributes are. `target` needs 20 bytes of room.
 *
 * @throws {NatPunchError} `invalid-argument` when the address is none.
 */
export function writeAddress(
  target: Uint8Array,
  offset: number,
  endpoint: Endpoint,
  header: Uint8Array | undefined,
): 8 | 20 {
  const length = parseAddressInto(endpoint.address, scratch, 0);
  if (length === 0) {
    throw new NatPunchError('invalid-argument', `not an IP address: ${endpoint.address}`);
  }
  target[offset] = 0;
  target[offset + 1] = length === 4 ? STUN_FAMILY[4] : STUN_FAMILY[6];
  target[offset + 2] = (endpoint.port >>> 8) ^ (header?.[4] ?? 0);
  target[offset + 3] = (endpoint.port & 0xff) ^ (header?.[5] ?? 0);
  for (let i = 0; i < length; i++) target[offset + 4 + i] = scratch[i]! ^ (header?.[4 + i] ?? 0);
  return length === 4 ? 8 : 20;
}

/** A stranger's text on one line: what is no UTF-8 replaced, control and direction characters removed. */
function readableText(bytes: Uint8Array): string {
  return decoder.decode(bytes).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '');
}

const decoder = new TextDecoder();
/** Room for one address. Nothing here calls back, so that a shared one is safe. */
const scratch = new Uint8Array(16);
