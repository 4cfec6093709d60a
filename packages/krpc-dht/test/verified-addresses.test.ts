import { describe, expect, it } from 'vitest';
import { MAX_VERIFIED_ADDRESSES, VERIFIED_FOR_MS } from '../src/constants.ts';
import { Source } from '../src/source.ts';
import { VerifiedAddresses } from '../src/verified-addresses.ts';

function source(address: string, port = 6881): Source {
  const made = new Source();
  if (!made.read({ address, port })) throw new Error('martian');
  return made;
}

describe('an address that has answered', () => {
  it('is known for ten minutes, whatever the port', () => {
    const verified = new VerifiedAddresses();
    verified.add(0, source('192.0.2.1', 1));
    expect(verified.has(0, source('192.0.2.1', 2))).toBe(true);
    expect(verified.has(0, source('192.0.2.2', 1))).toBe(false);
    expect(verified.has(VERIFIED_FOR_MS - 1, source('192.0.2.1'))).toBe(true);
    expect(verified.has(VERIFIED_FOR_MS, source('192.0.2.1'))).toBe(false);
  });

  it('is known longer when it answers again', () => {
    const verified = new VerifiedAddresses();
    for (let now = 0; now < 20 * 60_000; now += 60_000) {
      verified.add(now, source('192.0.2.1'));
      expect(verified.has(now + VERIFIED_FOR_MS / 2 - 1, source('192.0.2.1'))).toBe(true);
    }
  });

  it('of IPv6 counts with its /64', () => {
    const verified = new VerifiedAddresses();
    verified.add(0, source('2001:db8:1:2::1'));
    expect(verified.has(0, source('2001:db8:1:2:3:4:5:6'))).toBe(true);
    expect(verified.has(0, source('2001:db8:1:3::1'))).toBe(false);
    expect(verified.has(0, source('2001:db8:2:2::1'))).toBe(false);
  });

  it('is forgotten when so many others came later', () => {
    const verified = new VerifiedAddresses();
    const nth = (i: number) => source(`192.0.${i >> 8}.${i & 255}`);
    for (let i = 0; i <= MAX_VERIFIED_ADDRESSES; i++) verified.add(i, nth(i));
    expect(verified.has(3_000, nth(0))).toBe(false);
    expect(verified.has(3_000, nth(1))).toBe(true);
    expect(verified.has(3_000, nth(MAX_VERIFIED_ADDRESSES))).toBe(true);
  });
});
