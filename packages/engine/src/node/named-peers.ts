// Peers and nodes that somebody has named by host and port: the user, a magnet link (`x.pe`, BEP 9), a .torrent (`nodes`,
// BEP 5). An address is taken as it is, a name is resolved by the system. For a session that is bound to loopback only
// loopback is there, and no resolver is asked.

import { lookup } from 'node:dns/promises';
import {
  type Endpoint,
  type HostPort,
  isLoopback,
  isPort,
  makeEndpoint,
  parseAddress,
} from '@bt/endpoint';
import { EngineError } from '../errors.ts';
import { MAX_LINK_NAMES, MAX_LINK_PEERS } from '../limits.ts';

/** A name's addresses, as the system's resolver gives them. */
export type LookupHost = (host: string) => Promise<readonly { readonly address: string }[]>;

/** @throws {EngineError} `bad-argument` for what can't be a peer, resolved or not */
export function checkPeer(host: string, port: number): void {
  if (host === '') throw new EngineError('bad-argument', 'a peer without a host');
  if (!isPort(port) || port === 0) throw new EngineError('bad-argument', `${port} is no port`);
}

/** Nothing may leave the host. */
export function isBoundToLoopback(bindAddress: string | undefined): boolean {
  return bindAddress !== undefined && isLoopback(bindAddress);
}

/** @throws {EngineError} `bad-argument`: not found, or not on loopback on a session that is */
export async function resolvePeer(
  host: string,
  port: number,
  bindAddress: string | undefined,
  lookupHost: LookupHost = systemLookup,
): Promise<Endpoint[]> {
  checkPeer(host, port);
  const staysHere = isBoundToLoopback(bindAddress);
  const literal = makeEndpoint(host, port);
  if (literal !== undefined) {
    if (!staysHere || isLoopback(literal.address)) return [literal];
    throw new EngineError('bad-argument', `${host} is not reached: bound to ${bindAddress}`);
  }
  if (staysHere) {
    if (/^localhost\.?$/i.test(host))
      return ['127.0.0.1', '::1'].map((address) => ({ address, port }));
    throw new EngineError('bad-argument', `${host} is not resolved: bound to ${bindAddress}`);
  }
  try {
    const found = await lookupHost(host);
    return found.flatMap(({ address }) => makeEndpoint(address, port) ?? []);
  } catch (cause) {
    throw new EngineError('bad-argument', `peer ${host}: name not found`, cause);
  }
}

export interface LinkPeersOptions {
  readonly bindAddress: string | undefined;
  readonly isStopped: () => boolean;
  readonly found: (endpoints: readonly Endpoint[]) => void;
  readonly lookupHost?: LookupHost;
}

/**
 * The peers of a magnet link, that anybody may have written: so many, and few of them names, which are resolved one by one.
 * One that is not found is one less.
 */
export async function findLinkPeers(
  peers: readonly HostPort[],
  { bindAddress, isStopped, found, lookupHost }: LinkPeersOptions,
): Promise<void> {
  let names = 0;
  for (const { host, port } of peers.slice(0, MAX_LINK_PEERS)) {
    if (parseAddress(host) === undefined) names += 1;
    if (names > MAX_LINK_NAMES && parseAddress(host) === undefined) continue;
    const endpoints = await resolvePeer(host, port, bindAddress, lookupHost).catch(() => []);
    if (isStopped()) return;
    found(endpoints);
  }
}

function systemLookup(host: string): Promise<readonly { readonly address: string }[]> {
  return lookup(host, { all: true });
}
