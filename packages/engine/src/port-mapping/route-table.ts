// The default gateways of a routing table as Linux prints it (`/proc/net/route`): one line a route, addresses as hexadecimal
// numbers in the byte order of the machine.

import { printAddress } from '@bt/endpoint';

export interface DefaultRoute {
  readonly interfaceName: string;
  readonly gateway: string;
}

const IS_UP = 1;
const IS_GATEWAY = 2;

/** In the order of the table. */
export function parseRouteTable(text: string, isLittleEndian: boolean): DefaultRoute[] {
  const routes: DefaultRoute[] = [];
  for (const line of text.split('\n').slice(1)) {
    const [interfaceName = '', destination, gateway = '', flagsText = ''] = line
      .trim()
      .split(/\s+/);
    const flags = Number.parseInt(flagsText, 16);
    if (destination !== '00000000' || !/^[0-9A-F]{8}$/i.test(gateway)) continue;
    if ((flags & IS_UP) === 0 || (flags & IS_GATEWAY) === 0) continue;
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, Number.parseInt(gateway, 16), isLittleEndian);
    routes.push({ interfaceName, gateway: printAddress(bytes) });
  }
  return routes;
}
