// Where a node enters the network: addresses, and host names that are resolved.
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
 * The nodes of an entry which is an address; undefined for a name that has to be resolved. From a socket on loopback nothing may
 * leave the host, so that no resolver is asked then: only `localhost` and addresses are known.
 */
export function literalNodes(entry: Entry, isOnLoopback: boolean): JoinNode[] | undefined {
  const { host } = entry;
  if (makeEndpoint(host, 0) !== undefined) return nodesOf(entry, [host], isOnLoopback);
  if (!isOnLoopback) return undefined;
  return nodesOf(entry, /^localhost\.?$/i.test(host) ? ['127.0.0.1', '::1'] : [], isOnLoopback);
}

/** The nodes of an entry which is a name; none when it has no address. */
export async function resolveName(
  entry: Entry,
  lookupHost: LookupHost = systemLookup,
): Promise<JoinNode[]> {
  try {
    const addresses = await lookupHost(entry.host);
    return nodesOf(
      entry,
      addresses.map(({ address }) => address),
      false,
    );
  } catch {
    return [];
  }
}

function nodesOf(entry: Entry, addresses: readonly string[], isOnLoopback: boolean): JoinNode[] {
  const { port, isRouter } = entry;
  return addresses.flatMap((address) => {
    const endpoint = makeEndpoint(address, port);
    if (endpoint === undefined || (isOnLoopback && !isLoopback(endpoint.address))) return [];
    return [{ ...endpoint, isRouter }];
  });
}

function systemLookup(host: string): Promise<readonly { readonly address: string }[]> {
  return lookup(host, { all: true, order: 'verbatim' });
}
