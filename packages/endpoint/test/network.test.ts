import { describe, expect, it } from 'vitest';
import { EndpointError, networkOf } from '../src/index.ts';

describe('networkOf', () => {
  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::', '2001:db8:1:3::/64'],
    ['::1', '::/64'],
    ['64:ff9b::1.2.3.4', '1.2.3.4'],
    ['64:ff9b:1:7::1.2.3.4', '1.2.3.4'],
  ])('of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it('refuses what is no address', () => {
    for (const text of ['', 'host', '1.2.3', 'fe80::1%eth0']) {
      expect(() => networkOf(text)).toThrow(EndpointError);
    }
  });
});
