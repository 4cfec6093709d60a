// Torrents for tests: hand-made dictionaries, and whole ones with content that is computed.
import { type BencodeInput, encode } from '@bt/bencode';
import { sha1 } from '@noble/hashes/legacy.js';
import {
  BLOCK_LENGTH,
  type BuildFile,
  buildInfo,
  Geometry,
  MetainfoError,
  merkleLeaves,
  merklePadding,
  merkleRoot,
  PADDING,
  parseInfo,
  parseMetainfo,
  planFiles,
  type TorrentVersion,
  toHex,
} from '../src/index.ts';

export type Fields = { readonly [key: string]: BencodeInput | undefined };

/** A valid v1 info dictionary of one file of 100,000 bytes, with some fields replaced. */
export function v1Info(fields: Fields = {}): Fields {
  return {
    length: 100_000,
    name: 'file.bin',
    'piece length': 32_768,
    pieces: new Uint8Array(80),
    ...fields,
  };
}

/** A v1 info dictionary of these files: 10 bytes each unless said otherwise. */
export function v1Files(files: readonly Fields[], fields: Fields = {}): Fields {
  const list = files.map((file) => ({ length: 10, ...file }));
  const total = list.reduce((sum, { length }) => sum + Number(length), 0);
  const pieces = fields.pieces ?? new Uint8Array(20 * Math.ceil(total / 32_768));
  return v1Info({
    length: undefined,
    files: list as BencodeInput,
    name: 'folder',
    ...fields,
    pieces,
  });
}

export const ROOT = new Uint8Array(32).fill(7);

/** A valid v2 info dictionary of one file of 100 bytes, with some fields replaced. */
export function v2Info(fields: Fields = {}): Fields {
  return {
    'file tree': { 'file.bin': { '': { length: 100, 'pieces root': ROOT } } },
    'meta version': 2,
    name: 'file.bin',
    'piece length': 32_768,
    ...fields,
  };
}

export function parseFields(info: Fields) {
  return parseInfo(encode(info));
}

/** The error that parsing throws. Anything but a MetainfoError is thrown on. */
export function refusalOf(info: Fields | Uint8Array, outer: Fields = {}): MetainfoError {
  const bytes = info instanceof Uint8Array ? info : encode({ info, ...outer });
  try {
    parseMetainfo(bytes);
  } catch (error) {
    if (error instanceof MetainfoError) return error;
    throw error;
  }
  throw new Error('accepted');
}

/** The bytes of file number `seed`, as test/vectors were made of. */
export function content(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => ((i * i * 31 + i * 7 + seed) >> 3) & 255);
}

export interface ContentFile {
  readonly path: readonly string[];
  readonly data: Uint8Array;
}

export interface MadeTorrent {
  readonly info: Uint8Array;
  readonly pieceLayers: Map<string, Uint8Array>;
}

/** Plans, hashes and builds a torrent, as the creation code at the rim does with workers. */
export function makeTorrent(
  version: TorrentVersion,
  pieceLength: number,
  name: string,
  contents: readonly ContentFile[],
  isSingleFile = false,
): MadeTorrent {
  const data = new Map(contents.map((file) => [file.path.join('/'), file.data]));
  const dataOf = (file: BuildFile) =>
    file.isPad ? new Uint8Array(file.length) : data.get(file.path.join('/'))!;
  const pieceLayers = new Map<string, Uint8Array>();
  const files = planFiles({
    version,
    pieceLength,
    files: contents.map((file) => ({ path: file.path, length: file.data.length })),
  }).map((file): BuildFile => {
    if (version === 'v1' || file.isPad || file.length === 0) return file;
    const { root, layer } = hashFile(dataOf(file), pieceLength);
    if (layer !== undefined) pieceLayers.set(toHex(root), layer);
    return { ...file, piecesRoot: root };
  });
  const geometry = new Geometry({ pieceLength, lengths: files.map((file) => file.length) });
  const pieces = new Uint8Array(geometry.pieceCount * 20);
  for (let piece = 0; version !== 'v2' && piece < geometry.pieceCount; piece++) {
    const bytes = new Uint8Array(geometry.pieceSize(piece));
    geometry.fileSpans(piece, 0, bytes.length, (file, fileOffset, length, rangeOffset) => {
      if (file === PADDING) return;
      bytes.set(dataOf(files[file]!).subarray(fileOffset, fileOffset + length), rangeOffset);
    });
    pieces.set(sha1(bytes), piece * 20);
  }
  return {
    info: buildInfo({ version, name, pieceLength, isSingleFile, files, pieces }),
    pieceLayers,
  };
}

function hashFile(data: Uint8Array, pieceLength: number) {
  if (data.length <= pieceLength) return { root: merkleRoot(merkleLeaves(data)) };
  const width = pieceLength / BLOCK_LENGTH;
  const count = Math.ceil(data.length / pieceLength);
  const layer = new Uint8Array(count * 32);
  for (let piece = 0; piece < count; piece++) {
    const bytes = data.subarray(piece * pieceLength, (piece + 1) * pieceLength);
    layer.set(merkleRoot(merkleLeaves(bytes), { width }), piece * 32);
  }
  return { root: merkleRoot(layer, { padding: merklePadding(Math.log2(width)) }), layer };
}
