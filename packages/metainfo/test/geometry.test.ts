import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BLOCK_LENGTH, Geometry, MetainfoError, PADDING } from '../src/index.ts';

interface Span {
  file: number;
  fileOffset: bigint;
  length: bigint;
}

function sorted(...values: [bigint, bigint]): [bigint, bigint] {
  return values.sort((a, b) => Number(a - b));
}

/** The naive model: lay every file end to end in bigints, then cut. */
function modelSpans(
  lengths: readonly number[],
  pads: readonly boolean[],
  pieceLength: number,
  aligned: boolean,
  start: bigint,
  length: bigint,
): Span[] {
  const spans: Span[] = [];
  const push = (file: number, fileOffset: bigint, count: bigint) => {
    const last = spans.at(-1);
    if (last?.file === PADDING && file === PADDING && aligned) last.length += count;
    else spans.push({ file, fileOffset, length: count });
  };
  let position = 0n;
  const cover = (file: number, from: bigint, count: bigint) => {
    const [, begin] = sorted(from, start);
    const [end] = sorted(from + count, start + length);
    if (begin < end) push(file, file === PADDING && aligned ? 0n : begin - from, end - begin);
  };
  lengths.forEach((fileLength, file) => {
    const into = position % BigInt(pieceLength);
    if (aligned && fileLength > 0 && into > 0n) {
      cover(PADDING, position, BigInt(pieceLength) - into);
      position += BigInt(pieceLength) - into;
    }
    cover(pads[file] ? PADDING : file, position, BigInt(fileLength));
    position += BigInt(fileLength);
  });
  if (aligned) cover(PADDING, position, BigInt(pieceLength));
  return spans;
}

function spansOf(geometry: Geometry, piece: number, offset: number, length: number) {
  const spans: Span[] = [];
  let covered = 0;
  geometry.fileSpans(piece, offset, length, (file, fileOffset, count, rangeOffset) => {
    expect(rangeOffset).toBe(covered);
    covered += count;
    spans.push({ file, fileOffset: BigInt(fileOffset), length: BigInt(count) });
  });
  expect(covered).toBe(length);
  return spans;
}

const layouts = fc.record({
  pieceLength: fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.constantFrom(BLOCK_LENGTH, 3 * BLOCK_LENGTH, 50_000),
  ),
  files: fc.array(
    fc.record({
      length: fc.oneof(
        fc.constant(0),
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 200_000 }),
      ),
      pad: fc.boolean(),
    }),
    { maxLength: 12 },
  ),
  aligned: fc.boolean(),
});

describe('Geometry', () => {
  test('agrees with the naive model everywhere', () => {
    fc.assert(
      fc.property(
        layouts,
        fc.nat(),
        fc.nat(),
        fc.nat(),
        ({ pieceLength, files, aligned }, a, b, c) => {
          const lengths = files.map((file) => file.length);
          const pads = files.map((file) => file.pad && !aligned);
          const geometry = new Geometry({
            pieceLength,
            lengths,
            aligned,
            isPad: (file) => pads[file]!,
          });
          const flat = lengths.reduce(
            (sum, length) =>
              (aligned && length > 0 ? Math.ceil(sum / pieceLength) * pieceLength : sum) + length,
            0,
          );
          expect(geometry.pieceCount).toBe(Math.ceil(flat / pieceLength));
          if (geometry.pieceCount === 0) return;
          const piece = a % geometry.pieceCount;
          const size = geometry.paddedPieceSize(piece);
          expect(size).toBe(
            aligned ? pieceLength : Math.min(pieceLength, flat - piece * pieceLength),
          );
          const offset = b % size;
          const length = c % (size - offset + 1);
          expect(spansOf(geometry, piece, offset, length)).toEqual(
            modelSpans(
              lengths,
              pads,
              pieceLength,
              aligned,
              BigInt(piece) * BigInt(pieceLength) + BigInt(offset),
              BigInt(length),
            ),
          );
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('sizes add up, blocks fill pieces, files know their pieces', () => {
    fc.assert(
      fc.property(layouts, ({ pieceLength, files, aligned }) => {
        const lengths = files.map((file) => file.length);
        const geometry = new Geometry({ pieceLength, lengths, aligned });
        const sum = lengths.reduce((total, length) => total + length, 0);
        expect(geometry.totalLength).toBe(sum);
        expect(geometry.totalLengthExact).toBe(BigInt(sum));
        const seen = new Map<number, { first: number; last: number }>();
        let total = 0;
        const step = Math.max(1, Math.floor(geometry.pieceCount / 200));
        for (let piece = 0; piece < geometry.pieceCount; piece += step) {
          const size = geometry.pieceSize(piece);
          total += size;
          let blocks = 0;
          for (let block = 0; block < geometry.blockCount(piece); block++) {
            blocks += geometry.blockSize(piece, block);
          }
          expect(blocks).toBe(size);
          expect(() => geometry.blockSize(piece, geometry.blockCount(piece))).toThrow(RangeError);
          for (const span of spansOf(geometry, piece, 0, size)) {
            expect(span.file).not.toBe(PADDING);
            const known = seen.get(span.file);
            seen.set(span.file, { first: known?.first ?? piece, last: piece });
          }
        }
        if (step > 1) return;
        expect(total).toBe(sum);
        lengths.forEach((_, file) => {
          expect(geometry.filePieces(file)).toEqual(seen.get(file));
          const start = geometry.fileStart(file);
          expect(start.offset).toBeLessThan(pieceLength);
          if (seen.has(file)) expect(start.pieceIndex).toBe(seen.get(file)?.first);
        });
      }),
      { numRuns: 100 },
    );
  });

  test('is exact where totals and positions are beyond 2^53', () => {
    const huge = fc.integer({ min: 2 ** 50, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(
        fc.array(fc.oneof(huge, fc.integer({ min: 0, max: 1000 })), { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 2 ** 25, max: 2 ** 36 }),
        fc.boolean(),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.nat(),
        (lengths, pieceLength, aligned, where, b) => {
          const geometry = new Geometry({ pieceLength, lengths, aligned });
          const total = lengths.reduce((sum, length) => sum + BigInt(length), 0n);
          expect(geometry.totalLengthExact).toBe(total);
          if (geometry.pieceCount === 0) return;
          const piece = Math.floor(where * geometry.pieceCount);
          const size = geometry.paddedPieceSize(piece);
          const offset = b % size;
          expect(spansOf(geometry, piece, offset, size - offset)).toEqual(
            modelSpans(
              lengths,
              lengths.map(() => false),
              pieceLength,
              aligned,
              BigInt(piece) * BigInt(pieceLength) + BigInt(offset),
              BigInt(size - offset),
            ),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('is exact where a piece begins beyond 2^53 in a file that ends before', () => {
    const longest = Number.MAX_SAFE_INTEGER;
    fc.assert(
      fc.property(fc.integer({ min: 2 ** 24, max: 2 ** 34 }), (half) => {
        const pieceLength = 2 * half + 1;
        const lengths = [pieceLength - 1, longest];
        const geometry = new Geometry({ pieceLength, lengths });
        const last = geometry.pieceCount - 1;
        const size = geometry.pieceSize(last);
        const [span] = spansOf(geometry, last, 0, size);
        expect(span).toEqual({
          file: 1,
          fileOffset: BigInt(longest) - BigInt(size),
          length: BigInt(size),
        });
      }),
    );
  });

  test('a v2-only piece ends with its file, and may be asked for up to its padded size', () => {
    const geometry = new Geometry({
      pieceLength: 2 * BLOCK_LENGTH,
      lengths: [40_000, 0, 10],
      aligned: true,
    });
    expect(geometry.pieceCount).toBe(3);
    expect([0, 1, 2].map((piece) => geometry.pieceSize(piece))).toEqual([32_768, 7232, 10]);
    expect([0, 1, 2].map((piece) => geometry.paddedPieceSize(piece))).toEqual(
      Array(3).fill(32_768),
    );
    expect(spansOf(geometry, 2, 5, 100)).toEqual([
      { file: 2, fileOffset: 5n, length: 5n },
      { file: PADDING, fileOffset: 0n, length: 95n },
    ]);
    expect(spansOf(geometry, 2, 50, 100)).toEqual([
      { file: PADDING, fileOffset: 0n, length: 100n },
    ]);
    expect(spansOf(geometry, 1, 0, 32_768)).toEqual([
      { file: 0, fileOffset: 32_768n, length: 7232n },
      { file: PADDING, fileOffset: 0n, length: 25_536n },
    ]);
    expect(geometry.filePieces(1)).toBeUndefined();
    expect(geometry.fileStart(2)).toEqual({ pieceIndex: 2, offset: 0 });
  });

  test('a block of nothing but pad file is padding, a mixed one is not', () => {
    const geometry = new Geometry({
      pieceLength: 4 * BLOCK_LENGTH,
      lengths: [20_000, 4 * BLOCK_LENGTH - 20_000, 5],
      isPad: (file) => file === 1,
    });
    expect([0, 1, 2, 3].map((block) => geometry.isPaddingBlock(0, block))).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect(geometry.isPaddingBlock(1, 0)).toBe(false);
    expect([0, 1].map((piece) => geometry.contentSize(piece))).toEqual([20_000, 5]);
    const plain = new Geometry({ pieceLength: BLOCK_LENGTH, lengths: [20_000] });
    expect([0, 1].map((piece) => plain.contentSize(piece))).toEqual([BLOCK_LENGTH, 3_616]);
  });

  test('refuses what can not be a layout, and places that do not exist', () => {
    const make = (pieceLength: number, lengths: number[]) => () =>
      new Geometry({ pieceLength, lengths });
    for (const pieceLength of [0, -1, 1.5, Number.NaN, 2 ** 36 + 1]) {
      expect(make(pieceLength, [1])).toThrow(MetainfoError);
    }
    for (const length of [-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
      expect(make(1, [length])).toThrow(MetainfoError);
    }
    expect(make(1, [2 ** 32])).toThrow(MetainfoError);
    const geometry = new Geometry({ pieceLength: 10, lengths: [25] });
    for (const place of [
      geometry,
      new Geometry({ pieceLength: 10, lengths: [25], aligned: true }),
    ]) {
      for (const piece of [-1, 3, 0.5, Number.NaN]) {
        expect(() => place.pieceSize(piece)).toThrow(RangeError);
        expect(() => place.paddedPieceSize(piece)).toThrow(RangeError);
        expect(() => place.fileSpans(piece, 0, 1, () => {})).toThrow(RangeError);
      }
      expect(() => place.blockSize(0, 1)).toThrow(RangeError);
      expect(() => place.blockSize(0, 0.5)).toThrow(RangeError);
    }
    expect(() => geometry.fileSpans(2, 0, 6, () => {})).toThrow(RangeError);
    expect(() => geometry.fileSpans(0, -1, 2, () => {})).toThrow(RangeError);
    expect(() => geometry.filePieces(1)).toThrow(RangeError);
    expect(() => new Geometry({ pieceLength: 1, lengths: [] }).pieceSize(0)).toThrow(RangeError);
  });
});
