import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tokens } from '../src/token.ts';
import { toHex } from './bytes.ts';

const MINUTE = 60_000;
const ADDRESS = Uint8Array.of(192, 0, 2, 1);
const made = (tokens: Tokens, now: number, address: Uint8Array): Uint8Array => {
  const token = new Uint8Array(8);
  tokens.write(now, address, 0, address.length, token, 0);
  return token;
};
const accepts = (tokens: Tokens, now: number, address: Uint8Array, token: Uint8Array) =>
  tokens.check(now, address, 0, address.length, token, 0, token.length);

describe('Tokens', () => {
  it('hold for the address they were made for, of either family, and for no other', () => {
    const address = fc
      .constantFrom(4, 16)
      .chain((n) => fc.uint8Array({ minLength: n, maxLength: n }));
    const tokens = new Tokens(createRandom(1));
    fc.assert(
      fc.property(address, address, (mine, other) => {
        const token = made(tokens, 0, mine);
        expect(accepts(tokens, 0, mine, token)).toBe(true);
        expect(accepts(tokens, 0, other, token)).toBe(toHex(mine) === toHex(other));
      }),
    );
  });

  it('BEP 5: hold for five minutes at least, and ten at most', () => {
    for (let age = 0; age < 12; age += 0.5) {
      for (let begin = 0; begin < 10; begin += 0.5) {
        const tokens = new Tokens(createRandom(1));
        made(tokens, 0, ADDRESS);
        const token = made(tokens, begin * MINUTE, ADDRESS);
        const holds = accepts(tokens, (begin + age) * MINUTE, ADDRESS, token);
        if (age <= 5) expect(holds).toBe(true);
        if (age >= 10) expect(holds).toBe(false);
      }
    }
  });

  it('change while nobody asks, too', () => {
    const tokens = new Tokens(createRandom(1));
    const token = made(tokens, 0, ADDRESS);
    expect(accepts(tokens, 9.9 * MINUTE, ADDRESS, token)).toBe(true);
    expect(accepts(tokens, 10 * MINUTE, ADDRESS, token)).toBe(false);
    expect(accepts(tokens, 1000 * MINUTE, ADDRESS, made(tokens, 900 * MINUTE, ADDRESS))).toBe(
      false,
    );
  });

  it('are refused when a bit is wrong, or the length', () => {
    const tokens = new Tokens(createRandom(1));
    const token = made(tokens, 0, ADDRESS);
    for (let bit = 0; bit < 64; bit++) {
      const wrong = token.slice();
      wrong[bit >> 3]! ^= 1 << (bit & 7);
      expect(accepts(tokens, 0, ADDRESS, wrong)).toBe(false);
    }
    expect(accepts(tokens, 0, ADDRESS, token.slice(0, 7))).toBe(false);
    expect(accepts(tokens, 0, ADDRESS, new Uint8Array())).toBe(false);
    expect(accepts(tokens, 0, ADDRESS, Uint8Array.of(...token, 0))).toBe(false);
  });

  it('of another node are refused', () => {
    const token = made(new Tokens(createRandom(1)), 0, ADDRESS);
    expect(accepts(new Tokens(createRandom(2)), 0, ADDRESS, token)).toBe(false);
  });

  it('are read and written in place', () => {
    const tokens = new Tokens(createRandom(1));
    const token = made(tokens, 0, ADDRESS);
    const datagram = new Uint8Array(30).fill(7);
    const source = Uint8Array.of(9, 9, ...ADDRESS, 9);
    tokens.write(0, source, 2, 4, datagram, 11);
    expect(datagram.slice(10, 20)).toEqual(Uint8Array.of(7, ...token, 7));
    expect(tokens.check(0, source, 2, 4, datagram, 11, 8)).toBe(true);
  });
});
