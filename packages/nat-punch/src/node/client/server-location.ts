// Where a server is, as callers write it.
import { type HostPort, makeEndpoint, parseHostPort } from '@bt/endpoint';
import { NatPunchError } from '../../errors.ts';

/** `HOST:PORT`, or its parts; an IPv6 address stands in brackets in the text, and without them in the parts. */
export type ServerLocation =
  | string
  | { readonly host: string; readonly port: number }
  | { readonly address: string; readonly port: number };

/** @throws {NatPunchError} `invalid-argument` for what is no host name or address with a port from 1 to 65535. */
export function readServerLocation(server: ServerLocation): HostPort {
  const found = typeof server === 'string' ? parseHostPort(server) : fromParts(server);
  if (found === undefined || found.port === 0) {
    throw new NatPunchError('invalid-argument', `the server is no HOST:PORT: ${shown(server)}`);
  }
  return found;
}

function fromParts(server: Exclude<ServerLocation, string> | undefined): HostPort | undefined {
  const {
    host,
    address = host,
    port,
  } = (server ?? {}) as Partial<Record<'host' | 'address', string> & { port: number }>;
  if (typeof address !== 'string' || typeof port !== 'number') return undefined;
  const endpoint = makeEndpoint(address, port);
  if (endpoint !== undefined) return { host: endpoint.address, port };
  return parseHostPort(`${address}:${port}`);
}

function shown(server: ServerLocation): string {
  return `${typeof server === 'string' ? server : JSON.stringify(server)}`.slice(0, 64);
}
