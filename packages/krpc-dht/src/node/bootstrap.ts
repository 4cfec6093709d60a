// Where a node enters the network: host names and addresses, resolved once.
import { lookup } from 'node:dns/promises';
import { isLoopback, makeEndpoint, parseHostPort } from '@bt/endpoint';
import type { JoinNode } from '../dht.ts';
import { DhtError } from '../errors.ts';

/** The public routers, as all clients know them. */
export const PUBLIC_ROUTERS = [
  'router.bittorrent.com:6881',
  'dht.transmissionbt.com:6881',
  'router.utorrent.com:6881',
] as const;

/** A name's addresses, as the system's resolver gives them. */
export type LookupHost = (host: string) => Promise<readonly { readonly address: string }[]>;

export interface Entry {
  readonly host: string;
  readonly port: number;
  readonly isRouter: boolean;
}

/**
 * The entries of a list of `HOST:PORT`.
 *
 * @throws {DhtError} `invalid-argument` for one that is none.
 */
export function parseEntries(list: readonly string[]): Entry[] {
  return list.map((text) => {
    const entry = parseHostPort(text);
    if (entry === undefined || entry.port === 0) {
      throw new DhtError('invalid-argument', `not a HOST:PORT: ${JSON.stringify(text)}`);
    }
    return { ...entry, isRouter: (PUBLIC_ROUTERS as readonly string[]).includes(text) };
  });
}

/**
 * The addresses of an entry; none when the name has none. From a socket on loopback nothing may leave the host, so that no
 * resolver is asked then: only `localhost` and addresses are known.
 */
export async function resolveEntry(
  entry: Entry,
  isOnLoopback: boolean,
  lookupHost: LookupHost = systemLookup,
): Promise<JoinNode[]> {
  const { host, port, isRouter } = entry;
  const addresses = await addressesOf(host, isOnLoopback, lookupHost);
  return addresses.flatMap((address) => {
    const endpoint = makeEndpoint(address, port);
    if (endpoint === undefined || (isOnLoopback && !isLoopback(endpoint.address))) return [];
    return [{ ...endpoint, isRouter }];
  });
}

async function addressesOf(
  host: string,
  isOnLoopback: boolean,
  lookupHost: LookupHost,
): Promise<string[]> {
  const literal = makeEndpoint(host, 0);
  if (literal !== undefined) return [literal.address];
  if (isOnLoopback) return /^localhost\.?$/i.test(host) ? ['127.0.0.1', '::1'] : [];
  try {
    return (await lookupHost(host)).map(({ address }) => address);
  } catch {
    return [];
  }
}

function systemLookup(host: string): Promise<readonly { readonly address: string }[]> {
  return lookup(host, { all: true, order: 'verbatim' });
}
