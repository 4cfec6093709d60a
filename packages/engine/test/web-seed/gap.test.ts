import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseGap, type GapView, type GapWish } from '../../src/web-seed/gap.ts';

/** One character a piece: `Y` is not to be had, a digit is how many have it. */
function viewOf(pieces: string): GapView {
  return {
    pieceCount: pieces.length,
    isFree: (piece) => pieces[piece] !== 'Y',
    availability: (piece) => Number(pieces[piece]),
  };
}

function choose(pieces: string, wish: Partial<GapWish> = {}): string | undefined {
  const gap = chooseGap(viewOf(pieces), { maxPieces: 10, startPiece: 0, ...wish });
  return gap && `${gap.firstPiece}+${gap.pieceCount}`;
}

describe('the gap that a web seed fills next', () => {
  it('BEP 19: is the largest, from its beginning', () => {
    expect(choose('YY1111Y11Y')).toBe('2+4');
    expect(choose('YY11Y1111Y')).toBe('5+4');
    expect(choose('YY1111Y11Y', { startPiece: 7 })).toBe('2+4');
  });

  it('is no larger than one request should be', () => {
    expect(choose('YY111111111Y', { maxPieces: 4 })).toBe('2+4');
  });

  it('is where few peers have the pieces, when there are as many elsewhere', () => {
    expect(choose('9999YY2222', { maxPieces: 4 })).toBe('6+4');
    expect(choose('99999911119999', { maxPieces: 4 })).toBe('6+4');
    // One rare piece alone is worth less than many common ones.
    expect(choose('Y1YY222222', { maxPieces: 6 })).toBe('4+6');
  });

  it('begins where chance says when all are the same', () => {
    expect(choose('11111111', { maxPieces: 2, startPiece: 5 })).toBe('5+2');
    expect(choose('11111111', { maxPieces: 4, startPiece: 6 })).toBe('0+4');
  });

  it('goes on where the last one ended, unless elsewhere is worth twice as much', () => {
    expect(choose('111111111', { maxPieces: 3, startPiece: 0, nextPiece: 5 })).toBe('5+3');
    expect(choose('11111Y11Y', { maxPieces: 4, startPiece: 0, nextPiece: 6 })).toBe('6+2');
    expect(choose('11111Y1YY', { maxPieces: 4, startPiece: 0, nextPiece: 6 })).toBe('0+4');
    expect(choose('111', { maxPieces: 3, startPiece: 0, nextPiece: 3 })).toBe('0+3');
  });

  it('is the first where pieces are wanted in order', () => {
    expect(choose('YY99Y1111', { isSequential: true, startPiece: 6 })).toBe('2+2');
  });

  it('is none where nothing is to be had', () => {
    expect(choose('YYYY')).toBeUndefined();
    expect(choose('YYYY', { isSequential: true })).toBeUndefined();
    expect(choose('YYYY', { nextPiece: 2 })).toBeUndefined();
  });

  it('is the window of most worth, and free throughout', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('Y', '1', '2', '7'), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(),
        (pieces, maxPieces, n) => {
          const view = viewOf(pieces.join(''));
          const startPiece = n % pieces.length;
          const gap = chooseGap(view, { maxPieces, startPiece });
          const worthAt = (first: number) => {
            let worth = 0;
            for (let i = 0; i < maxPieces && pieces[first + i] !== undefined; i += 1) {
              if (pieces[first + i] === 'Y') break;
              worth += 1 / Number(pieces[first + i]);
            }
            return worth;
          };
          // A gap that holds the start is looked at in two parts.
          const isWhole = startPiece === 0 || pieces[startPiece - 1] === 'Y';
          const best = Math.max(...pieces.map((_, first) => worthAt(first)));
          if (gap === undefined) {
            expect(best).toBe(0);
            return;
          }
          expect(gap.pieceCount).toBeLessThanOrEqual(maxPieces);
          let worth = 0;
          for (let i = 0; i < gap.pieceCount; i += 1) {
            expect(pieces[gap.firstPiece + i]).not.toBe('Y');
            worth += 1 / Number(pieces[gap.firstPiece + i]);
          }
          if (isWhole) expect(worth).toBeGreaterThanOrEqual(best - 1e-6 * pieces.length);
        },
      ),
    );
  });

  it('is found in a million pieces without looking at all of them', () => {
    const random = createRandom(1);
    let looks = 0;
    const view: GapView = {
      pieceCount: 1_000_000,
      isFree: () => {
        looks += 1;
        return random() < 0.5;
      },
      availability: () => 3,
    };
    expect(chooseGap(view, { maxPieces: 100, startPiece: 999_000 })).toBeDefined();
    expect(looks).toBeLessThan(70_000);
  });
});
