import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scatteredRange } from '../../src/web-seed/scattered.ts';

const KiB = 1024;
/** Pieces of four blocks, the last of them of 1,000 bytes. */
const shape = {
  blockLength: 16 * KiB,
  blockCount: () => 4,
  blockSize: (_: number, block: number) => (block === 3 ? 1_000 : 16 * KiB),
};
const block = (pieceIndex: number, blockIndex: number) => ({ pieceIndex, blockIndex });

describe('blocks here and there', () => {
  it('are read in one go as long as little lies between them', () => {
    const blocks = [block(2, 1), block(1, 3), block(9, 0), block(1, 2)];
    expect(scatteredRange(shape, blocks, 32 * KiB)).toEqual({
      range: { pieceIndex: 1, blockOffset: 32 * KiB, endPiece: 2, endOffset: 32 * KiB },
      left: [block(9, 0)],
    });
  });

  it('end with the last block of a piece where it ends', () => {
    const found = scatteredRange(shape, [block(5, 3)], 0);
    expect(found?.range).toEqual({
      pieceIndex: 5,
      blockOffset: 48 * KiB,
      endPiece: 5,
      endOffset: 48 * KiB + 1_000,
    });
  });

  it('are none where there are none', () => {
    expect(scatteredRange(shape, [], 100)).toBeUndefined();
  });

  it('are all in the range or left, and no gap is too large', () => {
    const blocks = fc.uniqueArray(fc.nat(200), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(blocks, fc.nat(10), (numbers, maxSkip) => {
        const all = numbers.map((n) => block(n >> 2, n & 3));
        const found = scatteredRange(shape, all, maxSkip * 16 * KiB)!;
        const { range, left } = found;
        const first = range.pieceIndex * 4 + range.blockOffset / (16 * KiB);
        const last = range.endPiece * 4 + Math.ceil(range.endOffset / (16 * KiB)) - 1;
        const sorted = [...numbers].sort((a, b) => a - b);
        const taken = sorted.filter((n) => n >= first && n <= last);
        expect(taken[0]).toBe(sorted[0]);
        expect(taken.at(-1)).toBe(last);
        for (const [i, n] of taken.slice(1).entries()) {
          expect(n - taken[i]! - 1).toBeLessThanOrEqual(maxSkip);
        }
        const next = sorted[taken.length];
        if (next !== undefined) expect(next - last - 1).toBeGreaterThan(maxSkip);
        expect(left).toHaveLength(numbers.length - taken.length);
      }),
    );
  });
});
