import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { percentDecode, percentEncode } from '../src/percent.ts';

describe('percent-encoding', () => {
  it('leaves the unreserved characters of RFC 3986 and encodes every other byte', () => {
    const all = percentEncode(Uint8Array.from({ length: 256 }, (_, i) => i));
    expect(all.replace(/%[0-9A-F]{2}/g, '')).toBe(
      '-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~',
    );
    expect(percentEncode(Uint8Array.of(0, 0x20, 0x2b, 0x7f, 0xff))).toBe('%00%20%2B%7F%FF');
  });

  it('gives any bytes back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(percentDecode(percentEncode(bytes))).toEqual(bytes);
      }),
    );
  });

  it('reads what other encoders leave, and a plus as itself', () => {
    expect(percentDecode("a!*'()%2b+%2B")).toEqual(new TextEncoder().encode("a!*'()+++"));
  });

  it.each(['%', '%1', '%g0', '%1g', 'a%', '\u00e9', '% 1'])('refuses %j', (text) => {
    expect(percentDecode(text)).toBeUndefined();
  });
});
