import { describe, expect, it } from 'vitest';
import {
  LocalDiscoveryService,
  type LocalNetwork,
  localNetworks,
} from '../../src/node/local-discovery.ts';

const hash = (digit: string) => digit.repeat(40);
const loopback: LocalNetwork = {
  family: 4,
  address: '127.0.0.1',
  multicastInterface: '127.0.0.1',
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

describe('a network that does not work', () => {
  it.each([
    ['an address that is not ours', { ...loopback, address: '192.0.2.1' }],
    ['an interface that is none', { ...loopback, multicastInterface: 'nowhere' }],
    ['no IPv6', { family: 6 as const, address: '2001:db8::1', multicastInterface: '::%none0' }],
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
  it('are none on loopback', () => {
    expect(localNetworks('127.0.0.1')).toEqual([]);
    expect(localNetworks('::1')).toEqual([]);
  });

  it('are those of the address that it is bound to, or all', () => {
    const all = localNetworks(undefined);
    expect(localNetworks('0.0.0.0')).toEqual(all);
    for (const network of all) {
      expect(network.address).not.toMatch(/^(127\.|::1$|fe80)/);
      const own = localNetworks(network.address);
      expect(own).toHaveLength(1);
      expect(own[0]).toMatchObject({ address: network.address, family: network.family });
    }
    expect(localNetworks('192.0.2.1')).toEqual([]);
  });
});
