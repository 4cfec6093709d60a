import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { encodeAnnouncement, LSD_GROUPS, LSD_PORT } from '../../src/discovery/local-discovery.ts';
import {
  LocalDiscoveryService,
  type LocalNetwork,
  localNetworks,
} from '../../src/node/local-discovery.ts';

const hash = (digit: string) => digit.repeat(40);
const loopback: LocalNetwork = {
  family: 4,
  address: '127.0.0.1',
  prefixBits: 8,
  multicastInterface: '127.0.0.1',
};

const broken6: LocalNetwork = {
  family: 6,
  address: '2001:db8::1',
  prefixBits: 64,
  multicastInterface: '::%none0',
};

function open(port: number, networks: readonly LocalNetwork[], infoHashes: readonly string[]) {
  let resolve: (found: string) => void;
  const found = new Promise<string>((done) => {
    resolve = done;
  });
  const service = new LocalDiscoveryService({
    port,
    random: Math.random,
    networks: () => networks,
    found: (infoHash, { address, port: at }) => resolve(`${infoHash} ${address}:${at}`),
  });
  for (const infoHash of infoHashes) service.add(infoHash);
  return { service, found };
}

describe('two sessions in one network', () => {
  it('find each other by the torrent that both have', async () => {
    const one = open(7001, [loopback], [hash('a'), hash('b')]);
    const other = open(7002, [loopback], [hash('c'), hash('b')]);
    try {
      // Who was there first need not hear the other: it is heard by it.
      const found = await Promise.race([one.found, other.found]);
      expect(found).toMatch(new RegExp(`^${hash('b')} 127\\.0\\.0\\.1:700[12]$`));
    } finally {
      one.service.close();
      other.service.close();
    }
  });
});

// Windows can't bind to the group.
describe.skipIf(process.platform === 'win32')('a message to our own address', () => {
  it('is not heard', async () => {
    const one = open(7007, [loopback], [hash('a')]);
    const stranger = createSocket('udp4');
    try {
      const bytes = encodeAnnouncement('h', { port: 7008, infoHashes: [hash('a')] });
      stranger.bind(0, '127.0.0.1');
      await once(stranger, 'listening');
      stranger.setMulticastInterface('127.0.0.1');
      const sent = (to: string, message: Uint8Array) =>
        new Promise((resolve) => stranger.send(message, LSD_PORT, to, resolve));
      await sent('127.0.0.1', bytes);
      const toGroup = encodeAnnouncement('h', { port: 7009, infoHashes: [hash('a')] });
      await sent(LSD_GROUPS[4].address, toGroup);
      expect(await one.found).toBe(`${hash('a')} 127.0.0.1:7009`);
    } finally {
      stranger.close();
      one.service.close();
    }
  });
});

describe('a network that does not work', () => {
  it.each([
    ['an address that is not ours', { ...loopback, address: '192.0.2.1' }],
    ['an interface that is none', { ...loopback, multicastInterface: 'nowhere' }],
    ['no IPv6', broken6],
  ])('%s: is passed over, and the others are served', async (_, broken) => {
    const one = open(7003, [broken, loopback], [hash('d')]);
    const other = open(7004, [loopback, broken], [hash('d')]);
    try {
      await Promise.race([one.found, other.found]);
    } finally {
      one.service.close();
      other.service.close();
    }
  });

  it('closes with nothing open', () => {
    open(7005, [], []).service.close();
    const { service } = open(7006, [], [hash('e')]);
    service.close();
    service.add(hash('f'));
    service.close();
  });
});

describe('the networks of a session', () => {
  const mac = '00:00:00:00:00:00';
  const v4 = (address: string, bits: number, internal = false) =>
    ({ address, netmask: '', mac, internal, cidr: `${address}/${bits}`, family: 'IPv4' }) as const;
  const v6 = (address: string, bits: number, internal = false) =>
    ({ ...v4(address, bits, internal), family: 'IPv6', scopeid: 2 }) as const;
  const interfaces = {
    lo: [v4('127.0.0.1', 8, true), v6('::1', 128, true)],
    eth0: [v4('10.0.0.7', 24), v4('10.0.0.8', 24), v6('fe80::1', 64), v6('2001:db8::7', 64)],
    tun0: [v4('169.254.0.1', 16), v4('172.16.0.2', 32)],
  };
  const addresses = (bindAddress: string | undefined) =>
    localNetworks(bindAddress, interfaces).map(({ address }) => address);

  it('are none on loopback, or of an address that is not ours', () => {
    expect(addresses('127.0.0.1')).toEqual([]);
    expect(addresses('::1')).toEqual([]);
    expect(addresses('192.0.2.1')).toEqual([]);
  });

  it('are one of each family of an interface, and none that are link-local', () => {
    const all = ['10.0.0.7', '2001:db8::7', '172.16.0.2'];
    for (const any of [undefined, '0.0.0.0', '::']) expect(addresses(any)).toEqual(all);
  });

  it('are that of the address that it is bound to', () => {
    expect(localNetworks('10.0.0.8', interfaces)).toEqual([
      { family: 4, address: '10.0.0.8', prefixBits: 24, multicastInterface: '10.0.0.8' },
    ]);
  });
});
