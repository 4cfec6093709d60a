import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bitsFromBytes, firstPiece, PieceSet, popCount, randomPiece } from '../src/piece-set.ts';

const size = fc.integer({ min: 1, max: 5000 });

/** A set of up to `count` pieces, some sparse, some dense. */
function pieces(count: number): fc.Arbitrary<number[]> {
  return fc.oneof(
    fc.uniqueArray(fc.nat(count - 1), { maxLength: 20 }),
    fc.tuple(fc.nat(count - 1), fc.nat(count - 1)).map(([a, b]) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      return Array.from({ length: to - from }, (_, i) => from + i);
    }),
  );
}

function setOf(count: number, list: readonly number[]): PieceSet {
  const set = new PieceSet(count);
  for (const p of list) set.add(p);
  return set;
}

describe('a set of pieces', () => {
  test('holds what was added and not deleted', () => {
    fc.assert(
      fc.property(
        size.chain((count) => fc.tuple(fc.constant(count), pieces(count), pieces(count))),
        ([count, added, deleted]) => {
          const set = setOf(count, added);
          const model = new Set(added);
          for (const p of deleted) if (model.delete(p)) set.delete(p);
          expect(set.size).toBe(model.size);
          for (let p = 0; p < count; p += 1) expect(set.has(p)).toBe(model.has(p));
          for (const [s, bits] of set.summary.entries()) {
            for (let i = 0; i < 32; i += 1) {
              const word = set.words[s * 32 + i] ?? 0;
              expect(((bits >>> (31 - i)) & 1) === 1).toBe(word !== 0);
            }
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('finds the first common word from a start, wrapping around', () => {
    fc.assert(
      fc.property(
        size.chain((count) =>
          fc.tuple(
            fc.constant(count),
            pieces(count),
            pieces(count),
            fc.nat(count - 1),
            fc.boolean(),
          ),
        ),
        ([count, ours, theirs, start, everything]) => {
          const set = setOf(count, ours);
          const other = everything ? undefined : setOf(count, theirs);
          const common = (everything ? ours : ours.filter((p) => theirs.includes(p))).map(
            (p) => p >>> 5,
          );
          const words = (count + 31) >>> 5;
          const from = start >>> 5;
          const distance = (w: number): number => (w - from + words) % words;
          const expected = common.sort((a, b) => distance(a) - distance(b))[0] ?? -1;
          expect(set.findWord(other, from)).toBe(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('reads a BEP 3 bitfield: the high bit of the first byte is piece 0, spare bits are ignored', () => {
    const set = bitsFromBytes(Uint8Array.of(0x80, 0x01, 0xff), 18);
    expect(Array.from({ length: 18 }, (_, p) => p).filter((p) => set.has(p))).toEqual([
      0, 15, 16, 17,
    ]);
    expect(set.size).toBe(4);
  });

  test('a bitfield and the same pieces one by one are the same set', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(7), (bytes, spare) => {
        const count = bytes.length * 8 - spare;
        const list = Array.from({ length: count }, (_, p) => p).filter(
          (p) => (bytes[p >>> 3]! & (0x80 >>> (p & 7))) !== 0,
        );
        expect(bitsFromBytes(bytes, count)).toEqual(setOf(count, list));
      }),
    );
  });
});

describe('bits of a word', () => {
  test('popCount, firstPiece and randomPiece agree with counting', () => {
    fc.assert(
      fc.property(
        fc.integer().filter((bits) => bits !== 0),
        fc.nat(31),
        (bits, from) => {
          const places = Array.from({ length: 32 }, (_, i) => i).filter(
            (i) => ((bits >>> (31 - i)) & 1) === 1,
          );
          expect(popCount(bits)).toBe(places.length);
          expect(firstPiece(3, bits)).toBe(96 + places[0]!);
          const next = places.find((i) => i >= from) ?? places[0]!;
          expect(randomPiece(3, bits, () => from / 32)).toBe(96 + next);
        },
      ),
    );
  });
});
