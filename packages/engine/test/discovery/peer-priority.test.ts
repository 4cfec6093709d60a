import { printAddress } from '@bt/endpoint';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { peerPriority } from '../../src/discovery/peer-priority.ts';

const at = (address: string, port = 6881) => ({ address, port });

describe('BEP 40, "Examples"', () => {
  it.each([
    ['123.213.32.10', '98.76.54.32', 0xec2d7224],
    ['123.213.32.10', '123.213.32.234', 0x99568189],
  ])('%s and %s', (client, peer, priority) => {
    expect(peerPriority(at(client), at(peer))).toBe(priority);
    expect(peerPriority(at(peer), at(client))).toBe(priority);
  });
});

describe('the priority of a pair', () => {
  it('masks an IPv4 address beyond its /16, and beyond its /24 within the same /16', () => {
    const priority = peerPriority(at('1.2.3.4'), at('9.8.7.6'));
    // 0xaa are the bits that don't count.
    expect(peerPriority(at(`1.2.${3 ^ 0xaa}.${4 ^ 0xaa}`), at('9.8.7.6'))).toBe(priority);
    expect(peerPriority(at(`1.2.${3 ^ 0x01}.4`), at('9.8.7.6'))).not.toBe(priority);
    const near = peerPriority(at('1.2.3.4'), at('1.2.7.6'));
    expect(peerPriority(at(`1.2.3.${4 ^ 0xaa}`), at('1.2.7.6'))).toBe(near);
    expect(peerPriority(at(`1.2.${3 ^ 0x80}.4`), at('1.2.7.6'))).not.toBe(near);
  });

  it('masks an IPv6 address beyond its /48, and one byte later for each byte in common', () => {
    const far = peerPriority(at('2001:db8:1:ff00::1'), at('2001:db9::2'));
    expect(peerPriority(at('2001:db8:1:5500::1'), at('2001:db9::2'))).toBe(far);
    const same48 = peerPriority(at('2001:db8:1:ff00::1'), at('2001:db8:1:1100::2'));
    expect(peerPriority(at('2001:db8:1:5500::1'), at('2001:db8:1:1100::2'))).not.toBe(same48);
    expect(peerPriority(at('2001:db8:1:ffaa::1'), at('2001:db8:1:1100::2'))).toBe(same48);
    const same56 = peerPriority(at('2001:db8:1:ff00::1'), at('2001:db8:1:ffee::2'));
    expect(peerPriority(at('2001:db8:1:ffaa::1'), at('2001:db8:1:ffee::2'))).not.toBe(same56);
  });

  it('goes by the ports on one address', () => {
    const [low, high] = [at('127.0.0.1', 80), at('127.0.0.1', 6881)];
    expect(peerPriority(low, high)).toBe(peerPriority(high, low));
    expect(peerPriority(low, high)).not.toBe(peerPriority(low, at('127.0.0.1', 6882)));
  });

  it('is 0 across families', () => {
    expect(peerPriority(at('1.2.3.4'), at('2001:db8::1'))).toBe(0);
  });

  it('is the same from both ends', () => {
    const address = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    );
    const endpoint = fc.record({
      address: address.map(printAddress),
      port: fc.integer({ min: 0, max: 65_535 }),
    });
    fc.assert(
      fc.property(endpoint, endpoint, (a, b) => {
        const priority = peerPriority(a, b);
        expect(peerPriority(b, a)).toBe(priority);
        expect(priority >>> 0).toBe(priority);
      }),
    );
  });
});
