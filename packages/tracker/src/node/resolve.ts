// Host names to addresses, once per hop: what is judged here is what is connected to, so that a name can't be rebound.
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { type AddressFamily, addressFamily, isLoopback, makeEndpoint } from '@bt/endpoint';
import { TrackerError } from '../errors.ts';

export interface HostAddress {
  readonly address: string;
  readonly family: AddressFamily;
}

/** A name's addresses, as the system's resolver gives them. */
export type LookupHost = (host: string) => Promise<readonly { readonly address: string }[]>;

export interface ResolveOptions {
  readonly localAddress: string | undefined;
  readonly lookupHost?: LookupHost | undefined;
}

/**
 * The addresses of a host that a socket bound to `localAddress` can reach. One bound to loopback asks no resolver, since
 * nothing may leave the host then: only `localhost` and addresses are known to it.
 *
 * @throws {TrackerError} `connection` when there is none.
 */
export async function resolveHost(host: string, options: ResolveOptions): Promise<HostAddress[]> {
  const { localAddress } = options;
  const isBoundToLoopback = localAddress !== undefined && isLoopback(localAddress);
  const addresses: HostAddress[] = [];
  for (const address of await addressesOf(host, isBoundToLoopback, options.lookupHost)) {
    const family = addressFamily(address);
    if (family === undefined) continue;
    if (localAddress !== undefined && family !== addressFamily(localAddress)) continue;
    if (isBoundToLoopback && !isLoopback(address)) continue;
    addresses.push({ address, family });
  }
  if (addresses.length === 0) {
    const from = localAddress === undefined ? '' : ` that can be reached from ${localAddress}`;
    throw new TrackerError('connection', `the host has no address${from}`);
  }
  return addresses;
}

/** The host of a URL as a resolver wants it: without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** A resolver for a socket that knows these judged addresses and no others. */
export function lookupAmong(addresses: readonly HostAddress[]): LookupFunction {
  return (_hostname, options, callback) => {
    if (options.all) callback(null, [...addresses]);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  };
}

async function addressesOf(
  host: string,
  isBoundToLoopback: boolean,
  lookupHost: LookupHost = systemLookup,
): Promise<string[]> {
  const literal = makeEndpoint(host, 0);
  if (literal !== undefined) return [literal.address];
  if (isBoundToLoopback) {
    return /^localhost\.?$/i.test(host) ? ['127.0.0.1', '::1'] : [];
  }
  let found: readonly { readonly address: string }[];
  try {
    found = await lookupHost(host);
  } catch (cause) {
    throw new TrackerError('connection', "the host's name can't be resolved", { cause });
  }
  return found.flatMap(({ address }) => makeEndpoint(address, 0)?.address ?? []);
}

function systemLookup(host: string): Promise<readonly { readonly address: string }[]> {
  return lookup(host, { all: true, order: 'verbatim' });
}
