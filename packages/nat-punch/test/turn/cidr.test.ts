import { parseAddress } from '@bt/endpoint';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isInCidr, parseCidr } from '../../src/turn/cidr.ts';

const contains = (range: string, address: string) =>
  isInCidr(parseAddress(address)!, parseCidr(range));

describe('ranges of addresses', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', '11.0.0.0'],
    ['172.16.0.0/12', '172.31.255.255', '172.32.0.0'],
    ['192.0.2.128/25', '192.0.2.128', '192.0.2.127'],
    ['192.0.2.7', '192.0.2.7', '192.0.2.6'],
    ['fc00::/7', 'fdff::1', 'fe00::1'],
    ['2001:db8::/33', '2001:db8:7fff::', '2001:db8:8000::'],
    ['::1', '::1', '::2'],
  ])('%s holds %s, not %s', (range, inside, outside) => {
    expect(contains(range, inside)).toBe(true);
    expect(contains(range, outside)).toBe(false);
  });

  it('hold all of their own family at /0, and none of the other', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV6(), (ipv4, ipv6) => {
        expect(contains('0.0.0.0/0', ipv4)).toBe(true);
        expect(contains('::/0', ipv4)).toBe(false);
        const isMapped = parseAddress(ipv6)!.length === 4;
        expect(contains('::/0', ipv6)).toBe(!isMapped);
      }),
    );
  });

  it.each(['', '/8', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/-1', '10.0.0/8', 'fc00::/129', 'x/8'])(
    'are not %j',
    (text) => {
      expect(() => parseCidr(text)).toThrow('not a range of addresses');
    },
  );
});
