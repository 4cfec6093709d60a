import { buildInfo, parseInfo } from '@bt/metainfo';
import { expect, it } from 'vitest';
import { FilesByRoot } from '../../src/hashes/files-by-root.ts';

it('finds the files of a root, though others begin alike', () => {
  const roots = [1, 2, 1, 3, 1].map((byte) => new Uint8Array(32).fill(byte));
  // Alike in the bytes by which roots are found.
  const alike = new Uint8Array(32).fill(1);
  alike[31] = 9;
  roots.push(alike);
  const info = parseInfo(
    buildInfo({
      version: 'v2',
      name: 'roots',
      pieceLength: 16_384,
      isSingleFile: false,
      files: [
        ...roots.map((piecesRoot, i) => ({ path: [`${i}`], length: 5, piecesRoot })),
        { path: ['empty'], length: 0 },
      ],
    }),
  );
  const files = new FilesByRoot(info.files);
  expect(files.find(roots[0]!, 16)).toEqual([0, 2, 4]);
  expect(files.find(roots[1]!, 16)).toEqual([1]);
  expect(files.find(alike, 16)).toEqual([5]);
  expect(files.find(new Uint8Array(32), 16)).toEqual([]);
  expect(files.find(roots[0]!, 2)).toEqual([0, 2]);
});
