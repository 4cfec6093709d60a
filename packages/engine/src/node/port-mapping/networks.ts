// The networks behind a gateway that we are part of: IPv4 ones, since IPv6 is not translated.

import { readFile } from 'node:fs/promises';
import { endianness, networkInterfaces } from 'node:os';
import { addressClass, parseAddress, printAddress } from '@bt/endpoint';
import { MAX_GATEWAYS } from '../../limits.ts';
import { type DefaultRoute, parseRouteTable } from '../../port-mapping/route-table.ts';

/** A network, by our address in it, and the gateway out of it. */
export interface GatedNetwork {
  readonly localAddress: string;
  readonly gateway: string;
}

/**
 * Those of all interfaces, or the one of an address that sockets are bound to.
 *
 * @param interfaces as `networkInterfaces()` tells them
 */
export async function gatedNetworks(
  bindAddress: string | undefined,
  interfaces = networkInterfaces(),
): Promise<GatedNetwork[]> {
  const routes = await defaultRoutes();
  const isAny = bindAddress === undefined || addressClass(bindAddress) === 'unspecified';
  const networks: GatedNetwork[] = [];
  for (const [name, addresses] of Object.entries(interfaces)) {
    for (const { address, family, netmask, internal } of addresses ?? []) {
      if (family !== 'IPv4' || internal || !isBehindGateway(address)) continue;
      if (!isAny && bindAddress !== address) continue;
      const route = routes.find(({ interfaceName }) => interfaceName === name);
      networks.push({
        localAddress: address,
        gateway: route?.gateway ?? firstAddress(address, netmask),
      });
    }
  }
  // Those that lead out come first.
  const isGated = ({ gateway }: GatedNetwork) => routes.some((route) => route.gateway === gateway);
  return [...networks.filter(isGated), ...networks.filter((network) => !isGated(network))].slice(
    0,
    MAX_GATEWAYS,
  );
}

/** A public address needs no mapping. */
function isBehindGateway(address: string): boolean {
  return ['private', 'shared', 'link-local'].includes(addressClass(address));
}

/** Only Linux tells in a file; elsewhere there are none. */
async function defaultRoutes(): Promise<DefaultRoute[]> {
  try {
    return parseRouteTable(await readFile('/proc/net/route', 'latin1'), endianness() === 'LE');
  } catch {
    return [];
  }
}

/** Where gateways are by custom: a guess that costs a few datagrams when it is wrong. */
function firstAddress(address: string, netmask: string): string {
  const bytes = parseAddress(address)!;
  const mask = parseAddress(netmask)!;
  for (let i = 0; i < 4; i += 1) bytes[i]! &= mask[i]!;
  bytes[3]! |= 1;
  return printAddress(bytes);
}
