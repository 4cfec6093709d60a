import { describe, expect, it } from 'vitest';
import { isIdOfAddress } from '../src/node-id.ts';

const fromHex = (text: string) =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

describe('BEP 42', () => {
  it.each([
    [[124, 31, 75, 21], '5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401'],
    [[21, 75, 31, 124], '5a3ce9c14e7a08645677bbd1cfe7d8f956d53256'],
    [[65, 23, 51, 170], 'a5d43220bc8f112a3d426c84764f8c2a1150e616'],
    [[84, 124, 73, 14], '1b0321dd1bb1fe518101ceef99462b947a01ff41'],
    [[43, 213, 53, 83], 'e56f6cbf5b7c4be0237986d5243b87aa6d51305a'],
  ])('test vector %j', (address, id) => {
    const bytes = fromHex(id);
    expect(isIdOfAddress(bytes, 0, Uint8Array.from(address), 0, 4)).toBe(true);
    for (const at of [0, 1, 2]) {
      const other = bytes.slice();
      other[at]! ^= 0x08;
      expect(isIdOfAddress(other, 0, Uint8Array.from(address), 0, 4)).toBe(false);
    }
  });
});
