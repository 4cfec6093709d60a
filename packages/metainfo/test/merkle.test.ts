import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BLOCK_LENGTH,
  climbProof,
  type HashRange,
  hashCount,
  MerkleTree,
  merkleLeaves,
  merklePadding,
  merkleRoot,
  merkleWidth,
  toHex,
  verifyProof,
} from '../src/index.ts';

const sha256 = (...parts: Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return Uint8Array.from(hash.digest());
};

/** The naive model: a full tree, every node of it. */
function fullTree(hashes: Uint8Array, width: number, padding: Uint8Array): Uint8Array[][] {
  const layers = [
    Array.from({ length: width }, (_, index) =>
      index * 32 < hashes.length ? hashes.slice(index * 32, index * 32 + 32) : padding,
    ),
  ];
  for (let below = layers[0]!; below.length > 1; below = layers.at(-1)!) {
    layers.push(
      Array.from({ length: below.length / 2 }, (_, index) =>
        sha256(below[2 * index]!, below[2 * index + 1]!),
      ),
    );
  }
  return layers;
}

const hashList = (min: number, max: number) =>
  fc
    .tuple(fc.integer({ min, max }), fc.nat())
    .map(([count, seed]) =>
      Uint8Array.from({ length: count * 32 }, (_, index) => (index * 17 + seed) & 255),
    );

describe('merkleRoot', () => {
  test('agrees with a full tree, whatever its width and padding', () => {
    fc.assert(
      fc.property(
        hashList(1, 40),
        fc.nat({ max: 2 }),
        fc.nat({ max: 3 }),
        (hashes, wider, layer) => {
          const width = merkleWidth(hashes.length / 32) * 2 ** wider;
          const padding = merklePadding(layer);
          expect(merkleRoot(hashes, { width, padding })).toEqual(
            fullTree(hashes, width, padding).at(-1)![0],
          );
        },
      ),
    );
  });

  test('pads with the hash of a subtree of zero hashes', () => {
    expect(merklePadding(0)).toEqual(new Uint8Array(32));
    for (let layer = 1; layer < 12; layer++) {
      expect(merklePadding(layer)).toEqual(
        sha256(merklePadding(layer - 1), merklePadding(layer - 1)),
      );
    }
    for (const layer of [-1, 0.5, 54, Number.NaN]) {
      expect(() => merklePadding(layer)).toThrow(RangeError);
    }
  });

  test('a piece layer has the root of its blocks', () => {
    const leaves = Uint8Array.from({ length: 32 * 21 }, (_, index) => index & 255);
    const perPiece = 4;
    const layer: number[] = [];
    for (let at = 0; at < leaves.length; at += 32 * perPiece) {
      layer.push(...merkleRoot(leaves.subarray(at, at + 32 * perPiece), { width: perPiece }));
    }
    expect(merkleRoot(Uint8Array.from(layer), { padding: merklePadding(2) })).toEqual(
      merkleRoot(leaves),
    );
  });

  test('refuses what is no tree', () => {
    expect(() => merkleRoot(new Uint8Array(0))).toThrow(RangeError);
    expect(() => merkleRoot(new Uint8Array(33))).toThrow(RangeError);
    expect(() => merkleRoot(new Uint8Array(96), { width: 2 })).toThrow(RangeError);
    expect(() => merkleRoot(new Uint8Array(96), { width: 6 })).toThrow(RangeError);
  });
});

test('merkleLeaves hashes blocks, the last one as short as it is', () => {
  const data = Uint8Array.from({ length: BLOCK_LENGTH + 5 }, (_, index) => index & 255);
  expect(toHex(merkleLeaves(data))).toBe(
    toHex(sha256(data.subarray(0, BLOCK_LENGTH))) + toHex(sha256(data.subarray(BLOCK_LENGTH))),
  );
  expect(merkleLeaves(new Uint8Array(0))).toHaveLength(0);
});

describe('hash requests (BEP 52)', () => {
  /** A tree and a legal request to it. */
  const requests = hashList(3, 70).chain((hashes) => {
    const width = merkleWidth(hashes.length / 32);
    const layers = Math.log2(width);
    return fc
      .record({ base: fc.nat({ max: layers - 1 }), size: fc.nat(), at: fc.nat(), proof: fc.nat() })
      .map(({ base, size, at, proof }) => {
        const length = 2 ** (1 + (size % (layers - base)));
        const range: HashRange = {
          baseLayer: base,
          length,
          index: length * (at % (2 ** (layers - base) / length)),
          proofLayers: proof % (layers - base),
        };
        return { hashes, width, range };
      });
  });

  test('an answer holds the hashes and one uncle a layer, and proves itself against the root', () => {
    fc.assert(
      fc.property(requests, ({ hashes, width, range }) => {
        const tree = new MerkleTree(hashes);
        const model = fullTree(hashes, width, merklePadding(0));
        const answer = tree.hashes(range)!;
        expect(answer.length).toBe(hashCount(range, width)! * 32);
        for (let n = 0; n < range.length; n++) {
          expect(answer.subarray(n * 32, n * 32 + 32)).toEqual(
            model[range.baseLayer]![range.index + n],
          );
        }
        const node = climbProof(range, answer)!;
        expect(node.hash).toEqual(model[node.layer]![node.index]);
        expect(node.layer).toBe(
          range.baseLayer + Math.max(Math.log2(range.length), range.proofLayers + 1),
        );
        const reachesRoot = node.layer === Math.log2(width);
        expect(verifyProof(range, answer, tree.root, width)).toBe(reachesRoot);
      }),
      { numRuns: 300 },
    );
  });

  test('a changed hash, uncle, position or length is no proof', () => {
    fc.assert(
      fc.property(requests, fc.nat(), fc.integer({ min: 1, max: 255 }), (request, at, flip) => {
        const { hashes, width, range } = request;
        const full = { ...range, proofLayers: Math.log2(width) - range.baseLayer - 1 };
        const tree = new MerkleTree(hashes);
        const answer = tree.hashes(full)!;
        expect(verifyProof(full, answer, tree.root, width)).toBe(true);
        const wrong = answer.slice();
        wrong[at % wrong.length]! ^= flip;
        expect(verifyProof(full, wrong, tree.root, width)).toBe(false);
        expect(verifyProof(full, answer.subarray(32), tree.root, width)).toBe(false);
        expect(verifyProof(full, answer, tree.root, width * 2)).toBe(false);
        expect(climbProof({ ...full, index: full.index + 1 }, answer)).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });

  test('a tree of a piece layer answers for that layer, like one of all blocks', () => {
    const leaves = Uint8Array.from({ length: 32 * 37 }, (_, index) => (index * 7) & 255);
    const whole = new MerkleTree(leaves);
    const layer: number[] = [];
    for (let piece = 0; piece < 10; piece++) layer.push(...whole.nodeAt(2, piece));
    const upper = new MerkleTree(Uint8Array.from(layer), { baseLayer: 2, width: 64 });
    expect(upper.root).toEqual(whole.root);
    const range = { baseLayer: 2, index: 8, length: 8, proofLayers: 3 };
    expect(upper.hashes(range)).toEqual(whole.hashes(range));
    expect(upper.nodeAt(2, 15)).toEqual(merklePadding(2));
    expect(upper.hashes({ ...range, baseLayer: 0 })).toBeUndefined();
    expect(() => upper.nodeAt(1, 0)).toThrow(RangeError);
    expect(() => upper.nodeAt(2, 16)).toThrow(RangeError);
    expect(() => new MerkleTree(new Uint8Array(96), { width: 2 })).toThrow(RangeError);
  });

  test('a single hash, as libtorrent asks for one that is left over, comes with its sibling', () => {
    const leaves = Uint8Array.from({ length: 32 * 9 }, (_, index) => (index * 7) & 255);
    const tree = new MerkleTree(leaves);
    const range = { baseLayer: 0, index: 8, length: 1, proofLayers: 3 };
    const answer = tree.hashes(range)!;
    expect(hashCount(range, 16)).toBe(5);
    expect(answer.subarray(32, 64)).toEqual(tree.nodeAt(0, 9));
    expect(verifyProof(range, answer, tree.root, 16)).toBe(true);
  });

  test('illegal requests are refused', () => {
    const legal = { baseLayer: 0, index: 4, length: 4, proofLayers: 2 };
    expect(hashCount(legal, 16)).toBe(5);
    for (const change of [
      { length: 3 },
      { length: 0 },
      { index: 2 },
      { index: 16 },
      { index: -4 },
      { index: 0.5 },
      { baseLayer: 4 },
      { baseLayer: -1 },
      { proofLayers: 4 },
      { proofLayers: -1 },
      { length: 2 ** 31 },
      { index: Number.NaN },
    ]) {
      expect(hashCount({ ...legal, ...change }, 16)).toBeUndefined();
      expect(
        new MerkleTree(new Uint8Array(16 * 32)).hashes({ ...legal, ...change }),
      ).toBeUndefined();
    }
  });
});
