// A torrent of random bytes for scenarios: its content, its .torrent, and its Info.

import { createHash } from 'node:crypto';
import {
  BLOCK_LENGTH,
  type BuildFile,
  buildInfo,
  buildMetainfo,
  Geometry,
  type Info,
  type Metainfo,
  merkleWidth,
  parseMetainfo,
  planFiles,
  type TorrentVersion,
  toHex,
} from '@bt/metainfo';
import { createRandom } from '@bt/simulator';
import { sha256Root } from './sha256-root.ts';

export interface Content {
  readonly torrent: Uint8Array;
  readonly metainfo: Metainfo;
  readonly info: Info;
  /** The pieces one after the other, each as long as the piece length: padding and gaps are zeros. */
  readonly bytes: Uint8Array;
}

export interface ContentOptions {
  readonly seed?: number;
  /** Default v1. */
  readonly version?: TorrentVersion;
  /** Lengths; their sum must be the total. Default: one file. */
  readonly files?: readonly number[];
  /** Which of the files are padding (BEP 47), besides those that a hybrid torrent has between the files. */
  readonly pads?: readonly number[];
  /** Every file begins with the same bytes. */
  readonly areTwins?: boolean;
  readonly announceTiers?: readonly (readonly string[])[];
  /** BEP 27. */
  readonly isPrivate?: boolean;
}

export function makeContent(
  totalBytes: number,
  pieceLength: number,
  options: ContentOptions = {},
): Content {
  const { version = 'v1', announceTiers } = options;
  const isSingleFile = options.files === undefined;
  const lengths = options.files ?? [totalBytes];
  const name = isSingleFile ? 'content.bin' : 'content';
  const files = planFiles({
    version,
    pieceLength,
    files: lengths.map((length, index) => ({
      path: [isSingleFile ? 'content.bin' : `file-${index}`],
      length,
      ...(options.pads?.includes(index) ? { isPad: true } : {}),
    })),
  });
  const geometry = new Geometry({
    pieceLength,
    lengths: files.map(({ length }) => length),
    isPad: (index) => files[index]!.isPad === true,
    aligned: version === 'v2',
  });
  const random = createRandom(options.seed ?? 1);
  const randomOf = options.areTwins === true ? () => createRandom(options.seed ?? 1) : () => random;
  const bytes = fill(files, geometry, randomOf);
  const pieceLayers = new Map<string, Uint8Array>();
  const info = buildInfo({
    version,
    name,
    pieceLength,
    isSingleFile,
    isPrivate: options.isPrivate,
    files: files.map((file, index) => {
      if (version === 'v1' || file.isPad === true || file.length === 0) return file;
      return { ...file, piecesRoot: hashFile(bytes, geometry, index, file.length, pieceLayers) };
    }),
    ...(version === 'v2' ? {} : { pieces: hashPieces(bytes, geometry) }),
  });
  const torrent = buildMetainfo({
    info,
    announceTiers,
    ...(version === 'v1' ? {} : { pieceLayers }),
  });
  const metainfo = parseMetainfo(torrent);
  return { torrent, metainfo, info: metainfo.info, bytes };
}

function fill(
  files: readonly BuildFile[],
  geometry: Geometry,
  randomOf: () => () => number,
): Uint8Array {
  const bytes = new Uint8Array(geometry.pieceCount * geometry.pieceLength);
  files.forEach(({ length, isPad }, index) => {
    if (isPad === true || length === 0) return;
    const { pieceIndex, offset } = geometry.fileStart(index);
    const random = randomOf();
    const words = new Uint32Array(Math.ceil(length / 4));
    for (let i = 0; i < words.length; i += 1) words[i] = random() * 0x1_0000_0000;
    const start = pieceIndex * geometry.pieceLength + offset;
    bytes.set(new Uint8Array(words.buffer, 0, length), start);
  });
  return bytes;
}

function hashPieces(bytes: Uint8Array, geometry: Geometry): Uint8Array {
  const pieces = new Uint8Array(20 * geometry.pieceCount);
  for (let piece = 0; piece < geometry.pieceCount; piece += 1) {
    const start = piece * geometry.pieceLength;
    const data = bytes.subarray(start, start + geometry.pieceSize(piece));
    pieces.set(createHash('sha1').update(data).digest(), 20 * piece);
  }
  return pieces;
}

/** Returns the file's root, and puts its piece layer into the map (BEP 52). */
function hashFile(
  bytes: Uint8Array,
  geometry: Geometry,
  fileIndex: number,
  length: number,
  pieceLayers: Map<string, Uint8Array>,
): Uint8Array {
  const { pieceLength } = geometry;
  const start = geometry.fileStart(fileIndex).pieceIndex * pieceLength;
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < length; at += BLOCK_LENGTH) {
    const block = bytes.subarray(start + at, start + Math.min(at + BLOCK_LENGTH, length));
    leaves.push(createHash('sha256').update(block).digest());
  }
  if (length <= pieceLength) return sha256Root(leaves, merkleWidth(leaves.length), 0);
  const blocks = pieceLength / BLOCK_LENGTH;
  const layer: Uint8Array[] = [];
  for (let first = 0; first < leaves.length; first += blocks) {
    layer.push(sha256Root(leaves.slice(first, first + blocks), blocks, 0));
  }
  const root = sha256Root(layer, merkleWidth(layer.length), Math.log2(blocks));
  pieceLayers.set(toHex(root), Buffer.concat(layer));
  return root;
}

/** A torrent of so many bytes that are never looked at: no piece of it is right. */
export function makeHollowContent(totalBytes: number, pieceLength: number): Content {
  const info = buildInfo({
    version: 'v1',
    name: 'hollow.bin',
    pieceLength,
    isSingleFile: true,
    files: [{ path: ['hollow.bin'], length: totalBytes }],
    pieces: new Uint8Array(20 * Math.ceil(totalBytes / pieceLength)),
  });
  const torrent = buildMetainfo({ info });
  const metainfo = parseMetainfo(torrent);
  return { torrent, metainfo, info: metainfo.info, bytes: new Uint8Array(0) };
}
