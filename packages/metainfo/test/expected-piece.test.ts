import { sha1 } from '@noble/hashes/legacy.js';
import { expect, test } from 'vitest';
import {
  buildMetainfo,
  expectedMerklePiece,
  expectedPiece,
  type Metainfo,
  merkleLeaves,
  merkleRoot,
  PADDING,
  parseInfo,
  parseMetainfo,
  type TorrentVersion,
} from '../src/index.ts';
import { content, makeTorrent } from './torrents.ts';

const files = [
  { path: ['a'], data: content(100_000, 1) },
  { path: ['b'], data: content(0, 2) },
  { path: ['c'], data: content(20_000, 3) },
  { path: ['d'], data: content(65_536, 4) },
  { path: ['e'], data: content(1, 5) },
];

/** The bytes of a piece, and how many of them are a file's. */
function pieceOf({ info }: Metainfo, pieceIndex: number) {
  const bytes = new Uint8Array(info.geometry.pieceSize(pieceIndex));
  let own = 0;
  info.geometry.fileSpans(pieceIndex, 0, bytes.length, (file, fileOffset, length, rangeOffset) => {
    if (file === PADDING) return;
    const { data } = files.find(({ path }) => path[0] === info.files.pathOf(file).at(-1))!;
    bytes.set(data.subarray(fileOffset, fileOffset + length), rangeOffset);
    own += length;
  });
  return { bytes, own };
}

const torrent = (version: TorrentVersion) =>
  parseMetainfo(buildMetainfo(makeTorrent(version, 32_768, 'n', files)));

test.each<TorrentVersion>(['v1', 'hybrid'])('%s pieces are checked by SHA-1', (version) => {
  const made = torrent(version);
  const { info, pieceLayers } = made;
  for (let piece = 0; piece < info.geometry.pieceCount; piece++) {
    expect(expectedPiece(info, pieceLayers, piece)).toEqual({
      kind: 'sha1',
      hash: sha1(pieceOf(made, piece).bytes),
    });
  }
});

test.each<TorrentVersion>(['v2', 'hybrid'])('%s pieces have a Merkle root', (version) => {
  const made = torrent(version);
  const { info, pieceLayers } = made;
  expect(info.geometry.pieceCount).toBe(4 + 1 + 2 + 1);
  const widths: number[] = [];
  for (let piece = 0; piece < info.geometry.pieceCount; piece++) {
    const { bytes, own } = pieceOf(made, piece);
    const expected = expectedMerklePiece(info, pieceLayers, piece)!;
    const width = expected.leafCount;
    expect(merkleRoot(merkleLeaves(bytes.subarray(0, own)), { width })).toEqual(expected.hash);
    widths.push(width);
  }
  // A file of one piece has a tree as wide as its blocks.
  expect(widths).toEqual([2, 2, 2, 2, 2, 2, 2, 1]);
});

test('a v2 piece can not be checked before its layer is known, one that is a file can', () => {
  const made = torrent('v2');
  const info = parseInfo(made.info.bytes);
  const none = new Map<string, Uint8Array>();
  expect(expectedPiece(info, none, 0)).toBeUndefined();
  expect(expectedPiece(info, none, 4)).toEqual(expectedPiece(info, made.pieceLayers, 4));
  const short = new Map(
    [...made.pieceLayers].map(([root, layer]) => [root, layer.subarray(0, 50)]),
  );
  expect(expectedPiece(info, short, 0)).toBeDefined();
  expect(expectedPiece(info, short, 1)).toBeUndefined();
});

test('v1 has no Merkle roots, and no piece more than it has', () => {
  const { info, pieceLayers } = torrent('v1');
  expect(expectedMerklePiece(info, pieceLayers, 0)).toBeUndefined();
  for (const piece of [-1, info.geometry.pieceCount, 0.5]) {
    expect(() => expectedPiece(info, pieceLayers, piece)).toThrow(RangeError);
    expect(() => expectedMerklePiece(info, pieceLayers, piece)).toThrow(RangeError);
  }
});
