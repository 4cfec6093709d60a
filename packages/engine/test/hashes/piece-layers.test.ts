import { toHex } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { PieceLayers } from '../../src/hashes/piece-layers.ts';
import { makeContent } from '../support/content.ts';

const PIECE = 32_768;
// Three pieces, one piece, two pieces of the torrent.
const files = [3 * PIECE, 1_000, PIECE + 1];
const total = files.reduce((sum, length) => sum + length, 0);

function layersOf(version: 'v1' | 'v2' | 'hybrid', unchecked: number[] = []) {
  const { metainfo } = makeContent(total, PIECE, { version, files });
  const byRoot = new Map<string, Uint8Array>();
  const layers = new PieceLayers(metainfo.info, byRoot, unchecked);
  const known = (piece: number) => layers.isHashKnown(piece);
  return { metainfo, byRoot, layers, known };
}

describe('piece layers', () => {
  it('hold up the pieces of a v2 torrent until they come, file by file', () => {
    const { metainfo, byRoot, layers, known } = layersOf('v2');
    expect([0, 1, 2, 3, 4, 5].map(known)).toEqual([false, false, false, true, false, false]);
    const [first, last] = [...layers.missing];
    expect([first?.files, first?.pieceCount]).toEqual([[0], 3]);
    expect([last?.files, last?.pieceCount]).toEqual([[2], 2]);
    expect(layers.add(last!.rootHex, metainfo.pieceLayers.get(last!.rootHex)!)).toEqual([2]);
    expect([0, 1, 2, 3, 4, 5].map(known)).toEqual([false, false, false, true, true, true]);
    expect(layers.isComplete).toBe(false);
    layers.add(first!.rootHex, metainfo.pieceLayers.get(first!.rootHex)!);
    expect(layers.isComplete).toBe(true);
    expect(byRoot).toEqual(metainfo.pieceLayers);
  });

  it('of a hybrid torrent are missed and hold up nothing', () => {
    const { layers, known } = layersOf('hybrid');
    expect([...layers.missing].length).toBe(2);
    expect([0, 1, 2, 3, 4, 5].every(known)).toBe(true);
  });

  it('are not missed in a v1 torrent', () => {
    const { layers } = layersOf('v1');
    expect(layers.isComplete).toBe(true);
  });

  it('let a piece that may be on disk be verified before it is asked for', () => {
    const { metainfo, layers } = layersOf('v2', [0, 1]);
    const root = toHex(metainfo.info.files.piecesRootOf(0)!);
    layers.add(root, metainfo.pieceLayers.get(root)!);
    expect([0, 1, 2].map((piece) => layers.isPickable(piece))).toEqual([false, false, true]);
    layers.checked(1);
    expect([0, 1, 2].map((piece) => layers.isPickable(piece))).toEqual([false, true, true]);
  });

  it('are asked once for files of the same content', () => {
    const { metainfo } = makeContent(4 * PIECE, PIECE, {
      version: 'v2',
      files: [2 * PIECE, 2 * PIECE],
      areTwins: true,
    });
    const [[rootHex, layer] = ['', new Uint8Array()]] = metainfo.pieceLayers;
    const layers = new PieceLayers(metainfo.info, new Map(), undefined);
    expect([...layers.missing].map((missing) => missing.files)).toEqual([[0, 1]]);
    expect(layers.add(rootHex, layer)).toEqual([0, 1]);
    expect([0, 1, 2, 3].every((piece) => layers.isHashKnown(piece))).toBe(true);
  });
});
