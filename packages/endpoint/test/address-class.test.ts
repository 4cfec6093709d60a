import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AddressClass,
  addressClass,
  EndpointError,
  encodeCompact,
  isLoopback,
  isMartian,
  isMartianAt,
  isPublic,
  makeEndpoint,
  parseAddress,
} from '../src/index.ts';

/** Both ends of every range, and its neighbours outside. */
const TABLE: [string, AddressClass][] = [
  ['0.0.0.0', 'unspecified'],
  ['0.255.255.255', 'unspecified'],
  ['1.0.0.0', 'public'],
  ['9.255.255.255', 'public'],
  ['10.0.0.0', 'private'],
  ['10.255.255.255', 'private'],
  ['11.0.0.0', 'public'],
  ['100.63.255.255', 'public'],
  ['100.64.0.0', 'shared'],
  ['100.127.255.255', 'shared'],
  ['100.128.0.0', 'public'],
  ['126.255.255.255', 'public'],
  ['127.0.0.0', 'loopback'],
  ['127.255.255.255', 'loopback'],
  ['128.0.0.0', 'public'],
  ['169.253.255.255', 'public'],
  ['169.254.0.0', 'link-local'],
  ['169.254.169.254', 'link-local'],
  ['169.255.0.0', 'public'],
  ['172.15.255.255', 'public'],
  ['172.16.0.0', 'private'],
  ['172.31.255.255', 'private'],
  ['172.32.0.0', 'public'],
  ['192.167.255.255', 'public'],
  ['192.168.0.0', 'private'],
  ['192.168.255.255', 'private'],
  ['192.169.0.0', 'public'],
  ['223.255.255.255', 'public'],
  ['224.0.0.0', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.0', 'reserved'],
  ['255.255.255.255', 'reserved'],
  // Documentation and benchmarking ranges count as public.
  ['192.0.2.1', 'public'],
  ['198.51.100.1', 'public'],
  ['203.0.113.1', 'public'],
  ['198.18.0.1', 'public'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::2', 'public'],
  ['::1:0:0', 'public'],
  ['2001:db8::1', 'public'],
  ['fbff:ffff::', 'public'],
  ['fc00::', 'private'],
  ['fdff:ffff:ffff::', 'private'],
  ['fe00::', 'public'],
  ['fe7f::', 'public'],
  ['fe80::', 'link-local'],
  ['febf:ffff::', 'link-local'],
  ['fec0::', 'public'],
  ['feff::', 'public'],
  ['ff00::', 'multicast'],
  ['ff02::1', 'multicast'],
];

describe('addressClass', () => {
  it.each(TABLE)('%s is %s', (address, expected) => {
    expect(addressClass(address)).toBe(expected);
    expect(addressClass(parseAddress(address)!)).toBe(expected);
    expect(isPublic(address)).toBe(expected === 'public');
    expect(isLoopback(address)).toBe(expected === 'loopback');
  });

  it.each(['::ffff:', '64:ff9b::', '64:ff9b:1::', '64:ff9b:1:2:3:4:'])(
    'judges %s by the IPv4 address inside',
    (prefix) => {
      for (const [address, expected] of TABLE) {
        if (address.includes(':')) continue;
        expect(addressClass(prefix + address), prefix + address).toBe(expected);
      }
    },
  );

  it('judges mapped bytes by the IPv4 address inside', () => {
    const bytes = new Uint8Array(16);
    bytes.set([255, 255, 127, 0, 0, 1], 10);
    expect(addressClass(bytes)).toBe('loopback');
  });

  it('takes no other prefix for NAT64', () => {
    for (const address of [
      '64:ff9b:0:1::127.0.0.1',
      '64:ff9b:2::127.0.0.1',
      '64:ff9a::127.0.0.1',
      '65:ff9b::127.0.0.1',
      '::127.0.0.1',
      '::fffe:127.0.0.1',
    ]) {
      expect(addressClass(address), address).toBe('public');
    }
  });

  it('agrees with a block list of the ranges in the table', () => {
    const list = new BlockList();
    for (const [network, bits] of [
      ['0.0.0.0', 8],
      ['10.0.0.0', 8],
      ['100.64.0.0', 10],
      ['127.0.0.0', 8],
      ['169.254.0.0', 16],
      ['172.16.0.0', 12],
      ['192.168.0.0', 16],
      ['224.0.0.0', 3],
    ] as const) {
      list.addSubnet(network, bits, 'ipv4');
    }
    const interesting = fc.oneof(
      fc.ipV4(),
      fc
        .tuple(fc.constantFrom(0, 9, 10, 11, 100, 127, 169, 172, 192, 223, 224, 240), fc.nat(255))
        .map(([a, b]) => `${a}.${b}.3.4`),
    );
    fc.assert(
      fc.property(interesting, (address) => {
        expect(isPublic(address)).toBe(!list.check(address, 'ipv4'));
      }),
      { numRuns: 3_000 },
    );
  });

  it('throws its typed error for what is no address', () => {
    for (const bad of ['localhost', '1.2.3', '', 'fe80::1%eth0', new Uint8Array(5)]) {
      expect(() => addressClass(bad)).toThrowError(EndpointError);
    }
  });
});

describe('isMartian', () => {
  const martian = (address: string, port: number, tellerIsLoopback: boolean) => {
    const endpoint = makeEndpoint(address, port)!;
    const verdict = isMartian(endpoint, { tellerIsLoopback });
    const compact = encodeCompact(endpoint);
    expect(isMartianAt(compact, 0, compact.length === 6 ? 4 : 6, tellerIsLoopback)).toBe(verdict);
    return verdict;
  };

  it('drops port 0, unspecified, multicast and reserved addresses whoever tells', () => {
    for (const teller of [false, true]) {
      expect(martian('8.8.8.8', 0, teller)).toBe(true);
      for (const address of [
        '0.0.0.0',
        '0.1.2.3',
        '::',
        '224.0.0.1',
        'ff02::1',
        '255.255.255.255',
        '240.0.0.1',
        '::ffff:224.0.0.1',
        '64:ff9b::240.0.0.1',
      ]) {
        expect(martian(address, 1, teller), address).toBe(true);
      }
    }
  });

  it('believes in loopback only those who are there', () => {
    for (const address of [
      '127.0.0.1',
      '127.9.9.9',
      '::1',
      '::ffff:127.0.0.1',
      '64:ff9b::127.0.0.1',
    ]) {
      expect(martian(address, 6881, false), address).toBe(true);
      expect(martian(address, 6881, true), address).toBe(false);
    }
  });

  it('lets public, private, shared and link-local addresses pass', () => {
    for (const address of [
      '8.8.8.8',
      '10.1.2.3',
      '192.168.1.1',
      '100.64.0.1',
      '169.254.1.1',
      'fe80::1',
      'fd00::1',
      '2001:db8::1',
    ]) {
      expect(martian(address, 65535, false), address).toBe(false);
    }
  });
});
