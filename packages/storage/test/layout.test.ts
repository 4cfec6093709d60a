import { Geometry } from '@bt/metainfo';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitAt, clearBit, countBits, setBit } from '../src/bits.ts';
import { countMissing, PADDING_SPAN, SpanBuilder, spansOf } from '../src/layout.ts';

const geometries = fc
  .record({
    pieceLength: fc.integer({ min: 1, max: 40 }),
    lengths: fc.array(fc.nat(60), { minLength: 1, maxLength: 8 }),
    pads: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
    aligned: fc.boolean(),
  })
  .map(
    ({ pads, ...options }) => new Geometry({ ...options, isPad: (index) => pads[index] ?? false }),
  );

describe('spans', () => {
  it('of a piece in the middle of one file are one', () => {
    const geometry = new Geometry({ pieceLength: 10, lengths: [100] });
    expect(spansOf(geometry, 3, 2, 5)).toMatchObject({ files: [0], spans: [0, 32, 5] });
  });

  it('of a piece over several files name each file once, and padding as such', () => {
    const geometry = new Geometry({
      pieceLength: 10,
      lengths: [4, 0, 3, 2, 9],
      isPad: (index) => index === 3,
    });
    expect(spansOf(geometry, 0, 0, 10)).toMatchObject({
      files: [0, 2, 4],
      spans: [0, 0, 4, 1, 0, 3, PADDING_SPAN, 0, 2, 2, 0, 1],
    });
  });

  it('of pieces that follow each other are joined', () => {
    const geometry = new Geometry({ pieceLength: 10, lengths: [25, 15] });
    const list = new SpanBuilder();
    for (const pieceIndex of [0, 1, 2]) list.add(geometry, pieceIndex, 0, 10);
    expect(list).toMatchObject({ files: [0, 1], spans: [0, 0, 25, 1, 0, 5] });
  });

  it('of pieces that do not follow each other are not', () => {
    const geometry = new Geometry({ pieceLength: 10, lengths: [40] });
    const list = new SpanBuilder();
    for (const pieceIndex of [0, 2, 1]) list.add(geometry, pieceIndex, 0, 10);
    expect(list).toMatchObject({ files: [0], spans: [0, 0, 10, 0, 20, 10, 0, 10, 10] });
  });

  it('say the same as the geometry, byte by byte', () => {
    fc.assert(
      fc.property(geometries, fc.nat(), fc.nat(), fc.nat(), (geometry, piece, from, to) => {
        fc.pre(geometry.pieceCount > 0);
        const pieceIndex = piece % geometry.pieceCount;
        const size = geometry.pieceSize(pieceIndex);
        const offset = from % size;
        const length = to % (size - offset + 1);
        const expected: string[] = [];
        geometry.fileSpans(pieceIndex, offset, length, (file, fileOffset, bytes) => {
          for (let at = 0; at < bytes; at++) {
            expected.push(file < 0 ? 'padding' : `${file}:${fileOffset + at}`);
          }
        });
        const { files, spans } = spansOf(geometry, pieceIndex, offset, length);
        const found: string[] = [];
        for (let index = 0; index < spans.length; index += 3) {
          const file = spans[index]!;
          for (let at = 0; at < spans[index + 2]!; at++) {
            found.push(file < 0 ? 'padding' : `${files[file]}:${spans[index + 1]! + at}`);
          }
        }
        expect(found).toEqual(expected);
      }),
    );
  });
});

describe('the pieces that a file lacks', () => {
  it('are those of the bitfield that hold bytes of it', () => {
    fc.assert(
      fc.property(geometries, fc.uint8Array({ minLength: 60, maxLength: 60 }), (geometry, have) => {
        const expected = new Array<number>(geometry.fileCount).fill(0);
        for (let file = 0; file < geometry.fileCount; file++) {
          const pieces = geometry.filePieces(file);
          if (pieces === undefined) continue;
          for (let piece = pieces.first; piece <= pieces.last; piece++) {
            if (!bitAt(have, piece)) expected[file]!++;
          }
        }
        expect([...countMissing(geometry, have)]).toEqual(expected);
      }),
    );
  });
});

describe('bits', () => {
  it('are set, cleared, counted and read in the order of BEP 3', () => {
    const bits = new Uint8Array(2);
    for (const index of [0, 7, 8, 15]) setBit(bits, index);
    expect([...bits]).toEqual([0b1000_0001, 0b1000_0001]);
    clearBit(bits, 7);
    expect([...bits]).toEqual([0b1000_0000, 0b1000_0001]);
    expect(countBits(bits, 16)).toBe(3);
    expect(countBits(bits, 15)).toBe(2);
    expect(bitAt(bits, 15)).toBe(true);
    expect(bitAt(bits, 16)).toBe(false);
  });
});
