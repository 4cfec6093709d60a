/** Small torrents with known bytes, for the tests of this package. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import {
  type BuildFile,
  buildInfo,
  Geometry,
  type Info,
  merkleLeaves,
  merkleRoot,
  parseInfo,
  planFiles,
  type TorrentVersion,
  toHex,
} from '@bt/metainfo';

export interface SampleFile {
  /** Below the torrent's name, which is `sample`. In v2 and hybrid torrents, files are in the order of their paths. */
  readonly path: string;
  readonly length: number;
  readonly isPad?: boolean;
  readonly executable?: boolean;
}

export interface SampleOptions {
  readonly files: readonly SampleFile[];
  readonly pieceLength: number;
  readonly version?: TorrentVersion;
  readonly seed?: number;
  /** One file that is no folder: its path is the torrent's name. */
  readonly isSingleFile?: boolean;
}

export interface Sample {
  readonly info: Info;
  readonly pieceLayers: ReadonlyMap<string, Uint8Array>;
  /** All bytes of a piece, padding included. */
  piece(pieceIndex: number): Uint8Array<ArrayBuffer>;
  file(fileIndex: number): Uint8Array;
  /** Write the files below a folder as a finished download would have them. */
  writeTo(folder: string): void;
}

/** A torrent whose bytes follow from a seed. */
export function makeSample(options: SampleOptions): Sample {
  const { pieceLength, version = 'v1', seed = 1, isSingleFile = false } = options;
  const described: BuildFile[] = options.files.map((file) => ({
    ...file,
    path: file.path.split('/'),
  }));
  const pieceLayers = new Map<string, Uint8Array>();
  const contents = new Map<string, Uint8Array>();
  const files = planFiles({ version, pieceLength, files: described }).map((file, index) => {
    const content = file.isPad ? new Uint8Array(file.length) : noise(file.length, seed + index);
    contents.set(file.path.join('/'), content);
    if (version === 'v1' || file.isPad || file.length === 0) return file;
    return { ...file, piecesRoot: addLayer(content, pieceLength, pieceLayers) };
  });
  const bytesOf = (index: number): Uint8Array => contents.get(files[index]!.path.join('/'))!;
  const pieceOf = (geometry: Geometry, pieceIndex: number): Uint8Array<ArrayBuffer> => {
    const data = new Uint8Array(geometry.pieceSize(pieceIndex));
    geometry.fileSpans(pieceIndex, 0, data.length, (fileIndex, fileOffset, length, at) => {
      if (fileIndex < 0) return;
      data.set(bytesOf(fileIndex).subarray(fileOffset, fileOffset + length), at);
    });
    return data;
  };
  let pieces: Uint8Array | undefined;
  if (version !== 'v2') {
    const lengths = files.map((file) => file.length);
    const isPad = (index: number): boolean => files[index]?.isPad ?? false;
    const geometry = new Geometry({ pieceLength, lengths, isPad });
    pieces = Buffer.concat(
      Array.from({ length: geometry.pieceCount }, (_, pieceIndex) =>
        createHash('sha1').update(pieceOf(geometry, pieceIndex)).digest(),
      ),
    );
  }
  const name = isSingleFile ? options.files[0]!.path : 'sample';
  const info = parseInfo(buildInfo({ version, pieceLength, files, name, isSingleFile, pieces }));
  return {
    info,
    pieceLayers,
    piece: (pieceIndex) => pieceOf(info.geometry, pieceIndex),
    file: bytesOf,
    writeTo: (folder) => {
      for (const entry of info.files) {
        if (entry.isPad) continue;
        const full = path.join(folder, ...entry.path);
        fs.mkdirSync(path.dirname(full), { recursive: true });
        fs.writeFileSync(full, bytesOf(entry.index));
      }
    },
  };
}

/** Returns the file's root, and keeps the layer of a file of several pieces. */
function addLayer(
  content: Uint8Array,
  pieceLength: number,
  pieceLayers: Map<string, Uint8Array>,
): Uint8Array {
  const leaves = merkleLeaves(content);
  const root = merkleRoot(leaves);
  if (content.length <= pieceLength) return root;
  const width = pieceLength / 16384;
  const layer: Uint8Array[] = [];
  for (let at = 0; at < leaves.length; at += width * 32) {
    layer.push(merkleRoot(leaves.subarray(at, at + width * 32), { width }));
  }
  pieceLayers.set(toHex(root), Buffer.concat(layer));
  return root;
}

/** Bytes that look random and are the same on every run (xorshift32). */
export function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = Math.imul(seed + 1, 2654435761) | 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}
