import { describe, expect, test } from 'vitest';
import { answerHashCount, HashRequestBook, isHashRequestSound } from '../src/index.ts';
import { HASH_REQUEST } from './support.ts';

describe('the number of hashes in an answer', () => {
  // Counted on paper: a base layer of 16 hashes has 4 layers above it, the last of which is the root.
  test.each([
    // length, proof layers, uncles
    [2, 0, 0],
    [2, 1, 1],
    [2, 3, 3], // parent, grandparent and great-grandparent of the pair have one uncle each
    [4, 3, 2], // the first proof layer is given by the hashes themselves
    [8, 3, 1],
    [16, 3, 0],
    [16, 4, 1],
    [512, 8, 0],
    [512, 9, 1],
    [3, 3, 2], // cut short by the layer's end: as the power of two above
    [1, 3, 4], // a single hash needs its sibling too
  ])('of %i hashes and %i proof layers: %i uncles', (length, proofLayers, uncles) => {
    expect(answerHashCount(length, proofLayers)).toBe(length + uncles);
  });
});

test('a sound request has fields that a tree can have', () => {
  const sound = (change: object) => isHashRequestSound({ ...HASH_REQUEST, ...change });
  expect(sound({})).toBe(true);
  expect(sound({ length: 512, index: 1024 })).toBe(true);
  expect(sound({ length: 3, index: 8 })).toBe(true);
  expect(sound({ length: 8192, index: 8192 })).toBe(true);
  for (const change of [
    { length: 0 },
    { length: 8193, index: 0 },
    { length: 4, index: 6 },
    { length: 1.5, index: 0 },
    { index: -4 },
    { index: 2 ** 32 },
    { baseLayer: 64 },
    { baseLayer: -1 },
    { proofLayers: 64 },
    { piecesRoot: new Uint8Array(20) },
  ]) {
    expect(sound(change)).toBe(false);
  }
});

test('the book strikes out each request once, by all of its fields', () => {
  const book = new HashRequestBook();
  const root = HASH_REQUEST.piecesRoot.slice();
  book.add({ ...HASH_REQUEST, piecesRoot: root });
  book.add(HASH_REQUEST);
  root.fill(0); // the book has its own copy
  expect(book.size).toBe(2);
  for (const change of [
    { piecesRoot: root },
    { baseLayer: 0 },
    { index: 0 },
    { length: 8 },
    { proofLayers: 0 },
  ]) {
    expect(book.settle({ ...HASH_REQUEST, ...change })).toBe(false);
  }
  expect(book.settle(HASH_REQUEST)).toBe(true);
  expect(book.settle(HASH_REQUEST)).toBe(true);
  expect(book.settle(HASH_REQUEST)).toBe(false);
  expect(book.size).toBe(0);
});
