import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PING_BACK_INTERVAL_MS } from '../src/constants.ts';
import { AddressRateLimit, ByteRateLimit, pingBackLimit } from '../src/rate-limit.ts';

const FLOODER = Uint8Array.of(203, 0, 113, 7);
const limitOf = (perSecond: number, burst: number, slots?: number) =>
  new AddressRateLimit({ perSecond, burst, slots, random: createRandom(1) });
const take = (limit: AddressRateLimit, now: number, address: Uint8Array) =>
  limit.take(now, address, 0, address.length === 4 ? 4 : 8);

describe('AddressRateLimit', () => {
  it('allows the burst at once, then the rate', () => {
    const limit = limitOf(5, 20);
    let taken = 0;
    for (let i = 0; i < 100; i++) if (take(limit, 0, FLOODER)) taken++;
    expect(taken).toBe(20);
    for (let now = 0; now <= 10_000; now += 10) if (take(limit, now, FLOODER)) taken++;
    expect(taken).toBe(20 + 50);
    expect(take(limit, 10_000, FLOODER)).toBe(false);
    for (let i = 0; i < 20; i++) expect(take(limit, 14_000, FLOODER)).toBe(true);
    expect(take(limit, 14_000, FLOODER)).toBe(false);
  });

  it('agrees with a plain token bucket for each address', () => {
    const events = fc.array(fc.tuple(fc.nat(400), fc.nat(3)), { maxLength: 100 });
    fc.assert(
      fc.property(events, (list) => {
        const limit = limitOf(5, 4);
        const buckets = [0, 1, 2, 3].map(() => ({ tokens: 4, at: 0 }));
        let now = 0;
        for (const [pause, who] of list) {
          now += pause;
          const bucket = buckets[who]!;
          bucket.tokens = Math.min(4, bucket.tokens + (now - bucket.at) / 200);
          bucket.at = now;
          const expected = bucket.tokens >= 1 - 1e-6;
          if (expected) bucket.tokens--;
          expect(take(limit, now, Uint8Array.of(10, 0, 0, who))).toBe(expected);
        }
      }),
    );
  });

  it('counts an IPv6 /64 as one address', () => {
    const limit = limitOf(5, 20);
    let taken = 0;
    for (let i = 0; i < 100; i++) {
      const address = new Uint8Array(16).fill(0x20);
      address[15] = i;
      if (take(limit, 0, address)) taken++;
    }
    expect(taken).toBe(20);
    expect(take(limit, 0, new Uint8Array(16).fill(0x21))).toBe(true);
  });

  it('a flooder gains nothing from any number of other addresses, in fixed memory', () => {
    for (const seed of [1, 2, 3]) {
      const random = createRandom(seed);
      const limit = new AddressRateLimit({ perSecond: 5, burst: 20, slots: 64, random });
      let taken = 0;
      for (let now = 0; now <= 10_000; now += 5) {
        if (take(limit, now, FLOODER)) taken++;
        // 4,000 forged addresses a second among 64 slots.
        for (let i = 0; i < 20; i++) {
          take(
            limit,
            now,
            Uint8Array.from({ length: 4 }, () => random() * 256),
          );
        }
      }
      expect(taken).toBeLessThanOrEqual(20 + 50);
    }
  });

  it('a stranger is served beside a flooder', () => {
    const limit = limitOf(5, 20);
    for (let i = 0; i < 1000; i++) take(limit, 0, FLOODER);
    for (let i = 0; i < 200; i++) {
      expect(take(limit, 0, Uint8Array.of(198, 51, 100, i))).toBe(true);
    }
  });

  it('Infinity is no limit', () => {
    const limit = limitOf(Number.POSITIVE_INFINITY, 20);
    for (let i = 0; i < 1000; i++) expect(take(limit, 0, FLOODER)).toBe(true);
  });
});

it('an unverified address is pinged back once in ten minutes', () => {
  const limit = pingBackLimit(createRandom(1));
  expect(take(limit, 0, FLOODER)).toBe(true);
  expect(take(limit, PING_BACK_INTERVAL_MS - 1, FLOODER)).toBe(false);
  expect(take(limit, PING_BACK_INTERVAL_MS, FLOODER)).toBe(true);
});

describe('ByteRateLimit', () => {
  it('allows the burst at once, then the rate', () => {
    const limit = new ByteRateLimit(8_000, 32_000);
    let bytes = 0;
    while (limit.take(5_000, 100)) bytes += 100;
    expect(bytes).toBe(32_000);
    for (let now = 5_000; now <= 15_000; now += 5) if (limit.take(now, 100)) bytes += 100;
    expect(bytes).toBe(32_000 + 80_000);
    expect(limit.take(1e9, 32_001)).toBe(false);
    expect(limit.take(1e9, 32_000)).toBe(true);
  });

  it('takes nothing when it refuses, and no harm from a clock that stands', () => {
    const limit = new ByteRateLimit(8_000, 1_000);
    expect(limit.take(10, 600)).toBe(true);
    expect(limit.take(10, 600)).toBe(false);
    expect(limit.take(5, 400)).toBe(true);
    expect(limit.take(10, 1)).toBe(false);
  });

  it('Infinity is no limit', () => {
    const limit = new ByteRateLimit(Number.POSITIVE_INFINITY, 1);
    expect(limit.take(0, 1e12)).toBe(true);
  });
});
