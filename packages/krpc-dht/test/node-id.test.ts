import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  commonPrefixBits,
  compareDistance,
  equalIds,
  idForAddress,
  idKey,
  isIdOfAddress,
  randomId,
  randomIdInBucket,
  randomIdWithPrefix,
} from '../src/node-id.ts';
import { fromHex, id, ids, toHex } from './bytes.ts';

const big = (bytes: Uint8Array) => BigInt(`0x${toHex(bytes)}`);

describe('distance', () => {
  it('is the number that XOR gives', () => {
    // Ids that share much, too.
    const near = fc.tuple(ids, fc.nat(19), fc.nat(255)).map(([bytes, at, byte]) => {
      const other = bytes.slice();
      other[at] = byte;
      return [bytes, other] as const;
    });
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(ids, ids)), ids, ([a, b], target) => {
        const difference = (big(a) ^ big(target)) - (big(b) ^ big(target));
        const order = compareDistance(a, 0, b, 0, target, 0);
        expect(Math.sign(order)).toBe(difference < 0n ? -1 : difference > 0n ? 1 : 0);
        expect(equalIds(a, 0, b, 0)).toBe(difference === 0n);
        const bits = (big(a) ^ big(b)).toString(2);
        expect(commonPrefixBits(a, 0, b, 0)).toBe(bits === '0' ? 160 : 160 - bits.length);
      }),
    );
  });

  it('is taken at offsets', () => {
    const table = new Uint8Array(60);
    table.set(id(0b1000), 10);
    table.set(id(0b1001), 33);
    const target = new Uint8Array(21).fill(0b1011);
    expect(compareDistance(table, 33, table, 10, target, 1)).toBeLessThan(0);
    expect(compareDistance(table, 10, table, 33, target, 1)).toBeGreaterThan(0);
    expect(commonPrefixBits(table, 10, target, 1)).toBe(6);
    expect(equalIds(table, 10, table, 33)).toBe(false);
  });
});

it('a key has a character for each byte', () => {
  fc.assert(
    fc.property(ids, (own) => {
      const key = idKey(Uint8Array.of(1, 2, ...own, 3), 2);
      expect(Uint8Array.from(key, (character) => character.charCodeAt(0))).toEqual(own);
    }),
  );
});

describe('random ids', () => {
  it('differ, and replay from a seed', () => {
    expect(randomId(createRandom(1))).toEqual(randomId(createRandom(1)));
    expect(randomId(createRandom(1))).not.toEqual(randomId(createRandom(2)));
    expect(randomId(createRandom(1))).toHaveLength(20);
  });

  it('share a prefix: at least, or exactly, so many bits', () => {
    const random = createRandom(1);
    fc.assert(
      fc.property(ids, fc.nat(160), (own, bits) => {
        const within = randomIdWithPrefix(own, bits, random);
        expect(commonPrefixBits(own, 0, within, 0)).toBeGreaterThanOrEqual(bits);
        expect(commonPrefixBits(own, 0, randomIdInBucket(own, bits, random), 0)).toBe(bits);
      }),
    );
    const own = id(0xff);
    const seen = Array.from({ length: 40 }, () =>
      commonPrefixBits(own, 0, randomIdWithPrefix(own, 3, random), 0),
    );
    expect(Math.min(...seen)).toBe(3);
    expect(Math.max(...seen)).toBeGreaterThan(3);
  });
});

describe('BEP 42', () => {
  it.each([
    [[124, 31, 75, 21], '5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401'],
    [[21, 75, 31, 124], '5a3ce9c14e7a08645677bbd1cfe7d8f956d53256'],
    [[65, 23, 51, 170], 'a5d43220bc8f112a3d426c84764f8c2a1150e616'],
    [[84, 124, 73, 14], '1b0321dd1bb1fe518101ceef99462b947a01ff41'],
    [[43, 213, 53, 83], 'e56f6cbf5b7c4be0237986d5243b87aa6d51305a'],
  ])('test vector %j', (address, vector) => {
    const bytes = fromHex(vector);
    expect(isIdOfAddress(bytes, 0, Uint8Array.from(address), 0, 4)).toBe(true);
    // The first 21 bits count, and the last 3; those between don't.
    for (const bit of [0, 7, 8, 20, 157, 158, 159]) {
      const other = bytes.slice();
      other[bit >> 3]! ^= 0x80 >> (bit & 7);
      expect(isIdOfAddress(other, 0, Uint8Array.from(address), 0, 4)).toBe(false);
    }
    for (const bit of [21, 23, 24, 100, 156]) {
      const other = bytes.slice();
      other[bit >> 3]! ^= 0x80 >> (bit & 7);
      expect(isIdOfAddress(other, 0, Uint8Array.from(address), 0, 4)).toBe(true);
    }
  });

  it('CRC32C of the masked IPv6 prefix, checked against a plain one', () => {
    // RFC 3720 section B.4: 32 bytes of zeros give aa 36 91 8a, least significant byte first.
    const crc32c = (bytes: number[]) => {
      let crc = 0xffffffffn;
      for (const byte of bytes) {
        crc ^= BigInt(byte);
        for (let i = 0; i < 8; i++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
      }
      return Number(crc ^ 0xffffffffn);
    };
    expect(crc32c(new Array(32).fill(0))).toBe(0x8a9136aa);
    const mask = [0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff];
    const address = fromHex('20010db8ffee1122334455667788 99aa');
    const own = idForAddress(address, createRandom(1));
    const masked = mask.map((bits, i) => bits & address[i]!);
    masked[0]! |= (own[19]! & 7) << 5;
    expect((own[0]! << 13) | (own[1]! << 5) | (own[2]! >> 3)).toBe(crc32c(masked) >>> 11);
  });

  it('an id that was made for an address is one of it, and seldom one of another', () => {
    const random = createRandom(1);
    const octet = fc.nat(255);
    const address = fc.oneof(
      fc.tuple(fc.constantFrom(1, 8, 93, 203), octet, octet, octet),
      fc.tuple(fc.constantFrom(0x20, 0x2a), ...new Array<typeof octet>(15).fill(octet)),
    );
    fc.assert(
      fc.property(address, (octets) => {
        const bytes = Uint8Array.from(octets);
        const own = idForAddress(bytes, random);
        const family = bytes.length === 4 ? 4 : 6;
        expect(isIdOfAddress(own, 0, bytes, 0, family)).toBe(true);
        const table = Uint8Array.of(1, 2, 3, ...own, ...bytes);
        expect(isIdOfAddress(table, 3, table, 23, family)).toBe(true);
      }),
    );
    const bytes = Uint8Array.of(93, 184, 216, 34);
    const valid = Array.from({ length: 1000 }, () =>
      isIdOfAddress(randomId(random), 0, bytes, 0, 4),
    );
    expect(valid.filter(Boolean)).toHaveLength(0);
  });

  it('addresses that are not public are exempt', () => {
    const any = id(1);
    for (const address of [
      [10, 0, 0, 1],
      [127, 0, 0, 1],
      [192, 168, 1, 1],
      [169, 254, 1, 1],
      [100, 64, 0, 1],
    ]) {
      expect(isIdOfAddress(any, 0, Uint8Array.from(address), 0, 4)).toBe(true);
    }
    expect(isIdOfAddress(any, 0, fromHex('fe800000000000000000000000000001'), 0, 6)).toBe(true);
    expect(isIdOfAddress(any, 0, Uint8Array.of(11, 0, 0, 1), 0, 4)).toBe(false);
  });
});
