// The one table of addresses: what kind of network an address belongs to, and which endpoints are never worth a packet.
// Sources: the IANA special-purpose registries (RFC 6890), RFC 1918, 4193, 6598 (100.64/10), 3927, 4291, 6052 (NAT64).
// Documentation, benchmarking and other special ranges are not in it: they count as public.
import { type AddressFamily, familyOfLength, isMappedAt, parseAddressInto } from './address.ts';
import type { Endpoint } from './endpoint.ts';
import { EndpointError } from './errors.ts';

export type AddressClass =
  /** 0.0.0.0/8 and `::`. */
  | 'unspecified'
  /** 127.0.0.0/8 and `::1`. */
  | 'loopback'
  /** 10/8, 172.16/12, 192.168/16 (RFC 1918) and fc00::/7 (RFC 4193). */
  | 'private'
  /** 100.64.0.0/10, behind a carrier's NAT (RFC 6598). */
  | 'shared'
  /** 169.254/16 and fe80::/10. */
  | 'link-local'
  /** 224/4 and ff00::/8. */
  | 'multicast'
  /** 240/4, broadcast among them. */
  | 'reserved'
  /** All the rest. */
  | 'public';

/**
 * The class of an address, given as text or as 4 or 16 bytes. IPv4-mapped addresses (::ffff:0:0/96) and NAT64 ones
 * (64:ff9b::/96 of RFC 6052, 64:ff9b:1::/48 of RFC 8215) are judged by the IPv4 address in their last 4 bytes.
 *
 * @throws {EndpointError} `invalid-address`.
 */
export function addressClass(address: string | Uint8Array): AddressClass {
  if (typeof address !== 'string') {
    return addressClassAt(address, 0, familyOfLength(address.length));
  }
  const length = parseAddressInto(address, scratch, 0);
  if (length === 0) {
    throw new EndpointError('invalid-address', `not an IP address: ${JSON.stringify(address)}`);
  }
  return addressClassAt(scratch, 0, length === 4 ? 4 : 6);
}

/** As {@link addressClass}, for the 4 or 16 bytes at `offset`; the caller answers for the bounds. */
export function addressClassAt(
  bytes: Uint8Array,
  offset: number,
  family: AddressFamily,
): AddressClass {
  if (family === 4) return ipv4Class(bytes, offset);
  const a = bytes[offset]!;
  const b = bytes[offset + 1]!;
  if (a === 0) {
    if (isMappedAt(bytes, offset) || isNat64At(bytes, offset)) return ipv4Class(bytes, offset + 12);
    for (let i = 1; i < 15; i++) if (bytes[offset + i] !== 0) return 'public';
    const last = bytes[offset + 15]!;
    return last === 0 ? 'unspecified' : last === 1 ? 'loopback' : 'public';
  }
  if ((a & 0xfe) === 0xfc) return 'private';
  if (a === 0xfe && (b & 0xc0) === 0x80) return 'link-local';
  if (a === 0xff) return 'multicast';
  return 'public';
}

/** @throws {EndpointError} `invalid-address`. */
export function isPublic(address: string | Uint8Array): boolean {
  return addressClass(address) === 'public';
}

/** @throws {EndpointError} `invalid-address`. */
export function isLoopback(address: string | Uint8Array): boolean {
  return addressClass(address) === 'loopback';
}

export interface MartianOptions {
  /** Whether whoever told us of the endpoint is on loopback himself: only then a loopback address means something. */
  readonly tellerIsLoopback: boolean;
}

/**
 * Whether an endpoint that somebody told us of can't be a peer: port 0, an unspecified, multicast or reserved address,
 * or a loopback address told by someone who is not on loopback. Private and link-local ones may well be.
 *
 * @throws {EndpointError} `invalid-address`.
 */
export function isMartian(endpoint: Endpoint, options: MartianOptions): boolean {
  return isMartianClass(addressClass(endpoint.address), endpoint.port, options.tellerIsLoopback);
}

/** As {@link isMartian}, for an entry of a compact list at `offset`, without allocating. */
export function isMartianAt(
  compact: Uint8Array,
  offset: number,
  family: AddressFamily,
  tellerIsLoopback: boolean,
): boolean {
  const portAt = offset + (family === 4 ? 4 : 16);
  const port = (compact[portAt]! << 8) | compact[portAt + 1]!;
  return isMartianClass(addressClassAt(compact, offset, family), port, tellerIsLoopback);
}

function isMartianClass(kind: AddressClass, port: number, tellerIsLoopback: boolean): boolean {
  if (port === 0) return true;
  if (kind === 'loopback') return !tellerIsLoopback;
  return kind === 'unspecified' || kind === 'multicast' || kind === 'reserved';
}

const scratch = new Uint8Array(16);

function ipv4Class(bytes: Uint8Array, offset: number): AddressClass {
  const a = bytes[offset]!;
  const b = bytes[offset + 1]!;
  if (a === 0) return 'unspecified';
  if (a === 10) return 'private';
  if (a === 100) return (b & 0xc0) === 64 ? 'shared' : 'public';
  if (a === 127) return 'loopback';
  if (a === 169) return b === 254 ? 'link-local' : 'public';
  if (a === 172) return (b & 0xf0) === 16 ? 'private' : 'public';
  if (a === 192) return b === 168 ? 'private' : 'public';
  if (a < 224) return 'public';
  return a < 240 ? 'multicast' : 'reserved';
}

/** 64:ff9b::/96, and the local-use prefix 64:ff9b:1::/48. */
export function isNat64At(bytes: Uint8Array, offset: number): boolean {
  if (bytes[offset + 1] !== 0x64 || bytes[offset + 2] !== 0xff || bytes[offset + 3] !== 0x9b) {
    return false;
  }
  if (bytes[offset + 4] === 0 && bytes[offset + 5] === 1) return true;
  for (let i = 4; i < 12; i++) if (bytes[offset + i] !== 0) return false;
  return true;
}
