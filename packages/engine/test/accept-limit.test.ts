import { describe, expect, it } from 'vitest';
import {
  MAX_ACCEPTS_PER_ADDRESS_PER_MINUTE as LIMIT,
  MAX_ACCEPTS_PER_LOCAL_ADDRESS_PER_MINUTE as LOCAL_LIMIT,
  MAX_COUNTED_ADDRESSES,
} from '../src/limits.ts';
import { AcceptLimit } from '../src/node/accept-limit.ts';

function accepted(limit: AcceptLimit, now: number, addressOf: (index: number) => string): number {
  let count = 0;
  for (let index = 0; index < 2 * LIMIT; index += 1) {
    if (limit.take(now, addressOf(index))) count += 1;
  }
  return count;
}

describe('the limit on accepted connections', () => {
  it('counts for an address and a minute', () => {
    const limit = new AcceptLimit();
    expect(accepted(limit, 0, () => '1.2.3.4')).toBe(LIMIT);
    expect(accepted(limit, 59_999, () => '1.2.3.4')).toBe(0);
    expect(accepted(limit, 59_999, () => '1.2.3.5')).toBe(LIMIT);
    expect(accepted(limit, 60_000, () => '1.2.3.4')).toBe(LIMIT);
  });

  it('is a larger one for local addresses', () => {
    const limit = new AcceptLimit();
    for (let count = 0; count < LOCAL_LIMIT; count += 1) {
      expect(limit.take(0, '192.168.1.2')).toBe(true);
    }
    expect(limit.take(0, '192.168.1.2')).toBe(false);
    expect(limit.take(0, '127.0.0.1')).toBe(true);
  });

  it('takes all of an IPv6 /64 for one', () => {
    const limit = new AcceptLimit();
    expect(accepted(limit, 0, (index) => `2001:db8::${index.toString(16)}`)).toBe(LIMIT);
    expect(limit.size).toBe(1);
    expect(limit.take(0, '2001:db8:0:1::1')).toBe(true);
  });

  it('forgets the oldest of too many addresses', () => {
    const limit = new AcceptLimit();
    for (let index = 0; index < MAX_COUNTED_ADDRESSES + 10; index += 1) {
      expect(limit.take(0, `8.${index >> 16}.${(index >> 8) & 255}.${index & 255}`)).toBe(true);
    }
    expect(limit.size).toBe(MAX_COUNTED_ADDRESSES);
  });
});
