import { describe, expect, it } from 'vitest';
import { AddressRateLimit, ByteRateLimit } from '../src/rate-limit.ts';

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function limit(perSecond: number, burst: number, slots = 64): AddressRateLimit {
  return new AddressRateLimit({ perSecond, burst, slots, random: seeded(5) });
}

/** How many of `tries` are let through at once. */
function taken(of: AddressRateLimit, now: number, address: string, tries: number): number {
  let count = 0;
  for (let i = 0; i < tries; i++) if (of.take(now, address)) count += 1;
  return count;
}

describe('requests by address', () => {
  it('come in a burst, and then at the rate', () => {
    const requests = limit(10, 5);
    expect(taken(requests, 0, '192.0.2.1', 20)).toBe(5);
    expect(taken(requests, 200, '192.0.2.1', 20)).toBe(2);
    expect(taken(requests, 10_000, '192.0.2.1', 20)).toBe(5);
  });

  it('of other addresses have their own, those of an IPv6 /64 one', () => {
    const requests = limit(10, 5);
    expect(taken(requests, 0, '192.0.2.1', 20)).toBe(5);
    expect(taken(requests, 0, '192.0.2.2', 20)).toBe(5);
    expect(taken(requests, 0, '2001:db8::1', 20)).toBe(5);
    expect(taken(requests, 0, '2001:db8::ffff:2', 20)).toBe(0);
    expect(taken(requests, 0, '2001:db8:0:1::1', 20)).toBe(5);
  });

  it('are unlimited at an infinite rate', () => {
    expect(taken(limit(Number.POSITIVE_INFINITY, 1), 0, '192.0.2.1', 1_000)).toBe(1_000);
  });

  it('from many addresses give nobody tokens back, and take no more memory', () => {
    const requests = limit(1, 100, 16);
    expect(taken(requests, 0, '192.0.2.1', 200)).toBe(100);
    for (let i = 0; i < 5_000; i++) requests.take(0, `10.0.${i >>> 8}.${i & 255}`);
    expect(taken(requests, 0, '192.0.2.1', 200)).toBe(0);
  });

  it('spread over the slots: strangers hardly ever share one', () => {
    const requests = limit(1, 1, 65_536);
    let refused = 0;
    for (let i = 0; i < 10_000; i++) {
      if (!requests.take(0, `10.${i & 255}.${i >>> 8}.1`)) refused += 1;
    }
    expect(refused).toBe(0);
  });
});

describe('bytes of a user', () => {
  it('pass at the rate, with a second of it at once', () => {
    const bytes = new ByteRateLimit(1_000);
    expect(bytes.take(0, 1_000)).toBe(true);
    expect(bytes.take(0, 1)).toBe(false);
    expect(bytes.take(500, 501)).toBe(false);
    expect(bytes.take(500, 500)).toBe(true);
    expect(bytes.take(60_000, 1_001)).toBe(false);
    expect(bytes.take(60_000, 1_000)).toBe(true);
  });

  it('are unlimited at an infinite rate', () => {
    expect(new ByteRateLimit(Number.POSITIVE_INFINITY).take(0, 2 ** 40)).toBe(true);
  });
});
