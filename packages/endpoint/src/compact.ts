// The compact form of endpoints: the address in network order and the port behind it, big-endian; 6 bytes for IPv4
// (BEP 23, BEP 5), 18 for IPv6 (BEP 7, BEP 32). Lists have no separators.
import { type AddressFamily, parseAddressInto, printAddressAt } from './address.ts';
import { type Endpoint, isPort } from './endpoint.ts';
import { EndpointError } from './errors.ts';

/** Bytes of one entry: 6 for IPv4, 18 for IPv6. */
export function compactLength(family: AddressFamily): 6 | 18 {
  return family === 4 ? 6 : 18;
}

/**
 * One endpoint as 6 or 18 bytes, by its address's family.
 *
 * @throws {EndpointError} `invalid-address`, `invalid-port`.
 */
export function encodeCompact(endpoint: Endpoint): Uint8Array<ArrayBuffer> {
  return scratch.slice(0, writeCompact(scratch, 0, endpoint));
}

/**
 * A list of entries of one family. A trailing part of an entry is an error; ports of 0 and odd addresses come through
 * (see `isMartian`). An IPv4-mapped entry of an IPv6 list comes out as IPv4.
 *
 * @throws {EndpointError} `invalid-length`.
 */
export function decodeCompact(bytes: Uint8Array, family: AddressFamily): Endpoint[] {
  const length = compactLength(family);
  if (bytes.length % length !== 0) {
    throw new EndpointError(
      'invalid-length',
      `a compact IPv${family} list of ${bytes.length} bytes is no multiple of ${length}`,
    );
  }
  const endpoints: Endpoint[] = [];
  for (let offset = 0; offset < bytes.length; offset += length) {
    endpoints.push(readUnchecked(bytes, offset, family));
  }
  return endpoints;
}

/**
 * Reads the entry at `offset`.
 *
 * @throws {EndpointError} `invalid-length` when it does not end inside `source`.
 */
export function readCompact(source: Uint8Array, offset: number, family: AddressFamily): Endpoint {
  if (!(offset >= 0 && offset + compactLength(family) <= source.length)) {
    throw new EndpointError('invalid-length', `no compact IPv${family} endpoint at ${offset}`);
  }
  return readUnchecked(source, offset, family);
}

/** The port of the entry at `offset`, without allocating. The caller answers for the bounds. */
export function readCompactPort(source: Uint8Array, offset: number, family: AddressFamily): number {
  const at = offset + (family === 4 ? 4 : 16);
  return (source[at]! << 8) | source[at + 1]!;
}

/**
 * Writes an endpoint into `target` at `offset` without allocating, and returns the offset behind it: 6 or 18 further,
 * by the address's family. An error leaves `target` unchanged.
 *
 * @throws {EndpointError} `invalid-address`, `invalid-port`, `invalid-length` when it does not fit.
 */
export function writeCompact(target: Uint8Array, offset: number, endpoint: Endpoint): number {
  if (!isPort(endpoint.port)) {
    throw new EndpointError('invalid-port', `not a port: ${endpoint.port}`);
  }
  const length = parseAddressInto(endpoint.address, address, 0);
  if (length === 0) {
    throw new EndpointError(
      'invalid-address',
      `not an IP address: ${JSON.stringify(endpoint.address)}`,
    );
  }
  if (!(offset >= 0 && offset + length + 2 <= target.length)) {
    throw new EndpointError('invalid-length', `no room for ${length + 2} bytes at ${offset}`);
  }
  for (let i = 0; i < length; i++) target[offset + i] = address[i]!;
  target[offset + length] = endpoint.port >>> 8;
  target[offset + length + 1] = endpoint.port & 0xff;
  return offset + length + 2;
}

const scratch = new Uint8Array(18);
const address = new Uint8Array(16);

function readUnchecked(source: Uint8Array, offset: number, family: AddressFamily): Endpoint {
  return {
    address: printAddressAt(source, offset, family),
    port: readCompactPort(source, offset, family),
  };
}
