// An endpoint: a canonical address and a port, and its text forms (`1.2.3.4:80`, `[::1]:80`; RFC 3986 section 3.2.2).
import { parseAddressInto, printAddressAt } from './address.ts';
import { EndpointError } from './errors.ts';

/** Where a peer, node or server is reached. Make one with {@link makeEndpoint} or {@link parseEndpoint}. */
export interface Endpoint {
  /** Canonical text: IPv6 as in RFC 5952, never in brackets, an IPv4-mapped address as IPv4. */
  readonly address: string;
  /** 0 to 65535. */
  readonly port: number;
}

/** A host name or address, and a port. */
export interface HostPort {
  /** A host name as it was written, or a canonical address without brackets. */
  readonly host: string;
  readonly port: number;
}

/**
 * An endpoint with its address made canonical, from what a socket or a user gives: `::FFFF:1.2.3.4` becomes `1.2.3.4`.
 * `undefined` when the address is none (a zone id counts as none) or the port is no integer from 0 to 65535.
 */
export function makeEndpoint(address: string, port: number): Endpoint | undefined {
  if (!isPort(port)) return undefined;
  const length = parseAddressInto(address, scratch, 0);
  if (length === 0) return undefined;
  return { address: printAddressAt(scratch, 0, length === 4 ? 4 : 6), port };
}

/** Parses `1.2.3.4:80` or `[::1]:80`; `undefined` for anything else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const parts = splitPort(text);
  if (parts === undefined || parts.bracketed !== parts.host.includes(':')) return undefined;
  return makeEndpoint(parts.host, parts.port);
}

/** `1.2.3.4:80`, or `[::1]:80` with the brackets that IPv6 needs. */
export function printEndpoint(endpoint: Endpoint): string {
  return endpoint.address.includes(':')
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`;
}

/**
 * Parses `name:80`, `1.2.3.4:80` or `[::1]:80`. A name is made of letters, digits, `-` and `_` in labels of at most 63
 * (RFC 1123 section 2.1; others come in their `xn--` form), 253 in all; one whose last label is a number is a mistyped
 * address and refused. `undefined` for anything else.
 */
export function parseHostPort(text: string): HostPort | undefined {
  const parts = splitPort(text);
  if (parts === undefined) return undefined;
  const endpoint = parseEndpoint(text);
  if (endpoint !== undefined) return { host: endpoint.address, port: endpoint.port };
  if (parts.bracketed || !isHostName(parts.host)) return undefined;
  return { host: parts.host, port: parts.port };
}

/** A short key for maps: equal for equal endpoints, as long as their addresses are canonical. */
export function endpointKey(endpoint: Endpoint): string {
  return `${endpoint.address} ${endpoint.port}`;
}

/**
 * Orders endpoints: IPv4 before IPv6, then by address as a number, then by port.
 *
 * @throws {EndpointError} `invalid-address`.
 */
export function compareEndpoints(a: Endpoint, b: Endpoint): number {
  const lengthA = parseCanonical(a.address, scratch);
  const lengthB = parseCanonical(b.address, scratchB);
  if (lengthA !== lengthB) return lengthA - lengthB;
  for (let i = 0; i < lengthA; i++) {
    const difference = scratch[i]! - scratchB[i]!;
    if (difference !== 0) return difference;
  }
  return a.port - b.port;
}

/** Whether `port` is an integer from 0 to 65535. */
export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65535;
}

const scratch = new Uint8Array(16);
const scratchB = new Uint8Array(16);

function parseCanonical(address: string, target: Uint8Array): number {
  const length = parseAddressInto(address, target, 0);
  if (length > 0) return length;
  throw new EndpointError('invalid-address', `not an IP address: ${JSON.stringify(address)}`);
}

function splitPort(text: string): { host: string; port: number; bracketed: boolean } | undefined {
  const colon = text.lastIndexOf(':');
  if (colon <= 0) return undefined;
  const digits = text.slice(colon + 1);
  if (!/^(0|[1-9][0-9]{0,4})$/.test(digits)) return undefined;
  const port = Number(digits);
  if (port > 65535) return undefined;
  const bracketed = text.startsWith('[') && text[colon - 1] === ']';
  return { host: bracketed ? text.slice(1, colon - 1) : text.slice(0, colon), port, bracketed };
}

function isHostName(host: string): boolean {
  if (host.length > 253) return false;
  const labels = (host.endsWith('.') ? host.slice(0, -1) : host).split('.');
  // As in WHATWG's URL standard: a name that ends in a number is an IPv4 address, or a mistake.
  if (/^(0[xX][0-9a-fA-F]*|[0-9]+)$/.test(labels[labels.length - 1]!)) return false;
  return labels.every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
}
