import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LayerTree, MerkleTree, merklePadding } from '../src/index.ts';

function hashesOf(count: number): Uint8Array {
  return Uint8Array.from({ length: count * 32 }, (_, at) => ((at >> 5) * 31 + at * 7) & 255);
}

describe('the tree above a piece layer', () => {
  test('has the nodes of the whole tree', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 2_100 }),
        fc.nat({ max: 4 }),
        fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 8, maxLength: 8 }),
        (count, baseLayer, places) => {
          const layer = hashesOf(count);
          const whole = new MerkleTree(layer, { baseLayer });
          const tree = new LayerTree(layer, baseLayer);
          while (!tree.prepare(600));
          expect(tree.width).toBe(whole.width);
          const top = Math.log2(tree.width);
          for (const [a, b] of places) {
            const at = baseLayer + (a % (top - baseLayer + 1));
            const index = b % (tree.width / 2 ** at);
            expect(tree.nodeAt(at, index)).toEqual(whole.nodeAt(at, index));
          }
          expect(tree.nodeAt(top, 0)).toEqual(whole.root);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('is made in steps of as much work as it is given', () => {
    const tree = new LayerTree(hashesOf(5 * 512 + 1), 0);
    expect(() => tree.nodeAt(0, 0)).toThrow(RangeError);
    expect([1, 1024, 1024, 512].map((hashes) => tree.prepare(hashes))).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect(tree.prepare(1)).toBe(true);
  });

  test('has padding where the file has no data, and nothing outside', () => {
    const tree = new LayerTree(hashesOf(513), 3);
    while (!tree.prepare(512));
    expect(tree.nodeAt(3, 513)).toEqual(merklePadding(3));
    expect(tree.nodeAt(3, 1023)).toEqual(merklePadding(3));
    expect(() => tree.nodeAt(2, 0)).toThrow(RangeError);
    expect(() => tree.nodeAt(3, 1024)).toThrow(RangeError);
    expect(() => tree.nodeAt(14, 0)).toThrow(RangeError);
  });
});
