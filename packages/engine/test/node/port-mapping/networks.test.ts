import { describe, expect, it } from 'vitest';
import { gatedNetworks } from '../../../src/node/port-mapping/networks.ts';

const mac = '00:00:00:00:00:00';
const v4 = (address: string, internal = false) =>
  ({ address, netmask: '255.255.255.0', mac, internal, cidr: null, family: 'IPv4' }) as const;
const v6 = (address: string) => ({ ...v4(address), family: 'IPv6', scopeid: 0 }) as const;
const interfaces = {
  lo: [v4('127.0.0.1', true)],
  test0: [v4('10.0.0.7'), v6('2001:db8::7')],
  test1: [v4('192.168.1.9')],
  test2: [v4('93.184.216.34')],
};

describe('the networks behind a gateway', () => {
  const addresses = async (bindAddress: string | undefined) =>
    (await gatedNetworks(bindAddress, interfaces)).map(({ localAddress }) => localAddress);

  it.each([undefined, '0.0.0.0', '::'])(
    'of a session on %s are those of all interfaces',
    async (any) => {
      expect(await addresses(any)).toEqual(['10.0.0.7', '192.168.1.9']);
    },
  );

  it('of a session on one address are the one that has it', async () => {
    expect(await addresses('192.168.1.9')).toEqual(['192.168.1.9']);
    expect(await addresses('93.184.216.34')).toEqual([]);
    expect(await gatedNetworks('10.0.0.7', interfaces)).toEqual([
      { localAddress: '10.0.0.7', gateway: '10.0.0.1' },
    ]);
  });
});
