import { buildInfo, parseInfo } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { selectFiles } from '../src/selection.ts';

const KiB = 1024;
const paths = [['a.mkv'], ['sub', 'b.mkv'], ['sub', 'deep', 'c.txt'], ['.hidden'], ['2']];
const files = [
  { path: paths[0]!, length: KiB },
  { path: ['.pad', '1'], length: 15 * KiB, isPad: true },
  ...paths.slice(1).map((path) => ({ path, length: KiB })),
];
const table = parseInfo(
  buildInfo({
    version: 'v1',
    name: 'tree',
    pieceLength: 32 * KiB,
    isSingleFile: false,
    files,
    pieces: new Uint8Array(20),
  }),
).files;

describe('selectFiles', () => {
  it.each([
    ['*.mkv', [0, 2]],
    ['a.mkv', [0]],
    ['sub/*', [2]],
    ['sub/**', [2, 3]],
    ['tree/**', [0, 2, 3, 4, 5]],
    ['*.{mkv,txt}', [0, 2, 3]],
    ['.hidden', [4]],
    ['0', [0]],
    ['2-4', [2, 3, 4]],
    ['2-999', [2, 3, 4, 5]],
  ])('%s names %j', (pattern, indices) => {
    expect(selectFiles(table, [pattern])).toEqual(indices);
  });

  it('joins what several patterns name', () => {
    expect(selectFiles(table, ['*.txt', '0', '*.mkv'])).toEqual([0, 2, 3]);
  });

  it.each(['*.avi', '1', '6', '3-2', 'A.MKV'])(
    '%s names nothing, which is wrong usage',
    (pattern) => {
      expect(() => selectFiles(table, ['0', pattern])).toThrow(
        expect.objectContaining({ exitCode: 2, message: expect.stringContaining(pattern) }),
      );
    },
  );
});
