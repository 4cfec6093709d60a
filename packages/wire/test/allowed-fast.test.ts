import { describe, expect, test } from 'vitest';
import { allowedFastSet, WireError } from '../src/index.ts';

const infoHash = new Uint8Array(20).fill(0xaa);

describe('allowed fast set', () => {
  // The example results at the end of BEP 6.
  const address = Uint8Array.of(80, 4, 4, 200);
  const seven = [1059, 431, 808, 1217, 287, 376, 1188];

  test('BEP 6 vectors', () => {
    expect(allowedFastSet({ address, infoHash, pieceCount: 1313, count: 7 })).toEqual(seven);
    expect(allowedFastSet({ address, infoHash, pieceCount: 1313, count: 9 })).toEqual([
      ...seven,
      353,
      508,
    ]);
  });

  test('is the same for the whole /24, and differs outside of it', () => {
    const set = (d: number, c = 4) =>
      allowedFastSet({ address: Uint8Array.of(80, 4, c, d), infoHash, pieceCount: 1313 });
    expect(set(1)).toEqual(set(255));
    expect(set(1)).not.toEqual(set(1, 5));
    expect(set(1)).toHaveLength(10);
  });

  test('ends for torrents with fewer pieces than asked for', () => {
    for (const pieceCount of [0, 1, 2, 9]) {
      const set = allowedFastSet({ address, infoHash, pieceCount });
      expect(set.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: pieceCount }, (_, i) => i),
      );
    }
    expect(allowedFastSet({ address, infoHash, pieceCount: 1000, count: 1e9 })).toHaveLength(64);
  });

  test('is empty for IPv6, and refuses what is no address', () => {
    expect(allowedFastSet({ address: new Uint8Array(16), infoHash, pieceCount: 9 })).toEqual([]);
    for (const bad of [
      { address: new Uint8Array(5), infoHash, pieceCount: 9 },
      { address, infoHash: new Uint8Array(32), pieceCount: 9 },
      { address, infoHash, pieceCount: -1 },
      { address, infoHash, pieceCount: 1.5 },
    ]) {
      expect(() => allowedFastSet(bad)).toThrow(WireError);
    }
  });
});
