import { Geometry, PADDING } from '@bt/metainfo';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileSpanAt } from '../../src/web-seed/file-span.ts';

describe('the span of a file behind a place', () => {
  it('covers each byte of a range once, in order, as its files have it', () => {
    const lengths = fc.array(fc.nat(200_000), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(lengths, fc.boolean(), fc.nat(), fc.nat(), (sizes, aligned, a, b) => {
        const pads = aligned ? new Set<number>() : new Set([1, 4]);
        const geometry = new Geometry({
          pieceLength: 32_768,
          lengths: sizes,
          isPad: (file) => pads.has(file),
          aligned,
        });
        if (geometry.pieceCount === 0) return;
        const [first, last] = [a, b].map((n) => n % geometry.pieceCount).sort((x, y) => x - y);
        const range = {
          pieceIndex: first!,
          blockOffset: 0,
          endPiece: last!,
          endOffset: geometry.pieceSize(last!),
        };
        // What fileSpans says of each piece is the truth.
        const right: [number, number][] = [];
        for (let piece = first!; piece <= last!; piece += 1) {
          geometry.fileSpans(piece, 0, geometry.pieceSize(piece), (file, offset, length) => {
            const before = right.at(-1);
            if (before !== undefined && before[0] === file) before[1] += length;
            else right.push([file, length]);
            if (before?.[0] !== file && file !== PADDING && right.length > 1) {
              expect(offset).toBe(0);
            }
          });
        }
        const found: [number, number][] = [];
        let [pieceIndex, offset] = [first!, 0];
        while (pieceIndex <= last!) {
          const lengthOf = (file: number) => sizes[file]!;
          const span = fileSpanAt(geometry, lengthOf, { pieceIndex, offset }, range);
          expect(span.lengthBytes).toBeGreaterThan(0);
          const before = found.at(-1);
          const isPadding = span.fileIndex === PADDING;
          if (isPadding && before?.[0] === PADDING) before[1] += span.lengthBytes;
          else found.push([span.fileIndex, span.lengthBytes]);
          for (let left = span.lengthBytes; left > 0; ) {
            const step = Math.min(left, geometry.pieceSize(pieceIndex) - offset);
            left -= step;
            offset += step;
            if (offset < geometry.pieceSize(pieceIndex)) continue;
            pieceIndex += 1;
            offset = 0;
          }
        }
        // A file is one span, however many pieces it has.
        expect(found).toEqual(right);
      }),
    );
  });
});
