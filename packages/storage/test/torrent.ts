/** Small torrents with known bytes, for the tests of this package. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { FileTable, Geometry, type Info, merkleLeaves, merkleRoot, toHex } from '@bt/metainfo';

export interface SampleFile {
  readonly path: string;
  readonly length: number;
  readonly isPad?: boolean;
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

export interface SampleOptions {
  readonly files: readonly SampleFile[];
  readonly pieceLength: number;
  /** Files begin on piece boundaries and pieces hash to Merkle roots. Default false. */
  readonly v2?: boolean;
  readonly seed?: number;
}

/** A torrent whose bytes follow from a seed. */
export function makeSample(options: SampleOptions): Sample {
  const { files, pieceLength, v2 = false, seed = 1 } = options;
  const contents = files.map((file, index) =>
    file.isPad ? new Uint8Array(file.length) : noise(file.length, seed * 1000 + index),
  );
  const geometry = new Geometry({
    pieceLength,
    lengths: files.map((file) => file.length),
    isPad: (index) => files[index]?.isPad ?? false,
    aligned: v2,
  });
  const piece = (pieceIndex: number): Uint8Array<ArrayBuffer> => {
    const data = new Uint8Array(geometry.pieceSize(pieceIndex));
    geometry.fileSpans(pieceIndex, 0, data.length, (fileIndex, fileOffset, length, at) => {
      if (fileIndex < 0) return;
      data.set(contents[fileIndex]!.subarray(fileOffset, fileOffset + length), at);
    });
    return data;
  };
  const pieceLayers = new Map<string, Uint8Array>();
  const roots: (Uint8Array | undefined)[] = [];
  if (v2) {
    for (const content of contents) {
      if (content.length === 0) {
        roots.push(undefined);
        continue;
      }
      const leaves = merkleLeaves(content);
      const root = merkleRoot(leaves);
      roots.push(root);
      if (content.length <= pieceLength) continue;
      const perPiece = (pieceLength / 16384) * 32;
      const layer: Uint8Array[] = [];
      for (let at = 0; at < leaves.length; at += perPiece) {
        layer.push(merkleRoot(leaves.subarray(at, at + perPiece), { width: perPiece / 32 }));
      }
      pieceLayers.set(toHex(root), Buffer.concat(layer));
    }
  }
  const hashes = Buffer.concat(
    v2
      ? []
      : Array.from({ length: geometry.pieceCount }, (_, pieceIndex) =>
          createHash('sha1').update(piece(pieceIndex)).digest(),
        ),
  );
  const infoBytes = Buffer.concat([
    Buffer.alloc(1),
    ...roots.map((root) => root ?? Buffer.alloc(32)),
  ]);
  const table = new FileTable({
    lengths: Float64Array.from(files, (file) => file.length),
    flags: Uint8Array.from(files, (file) => (file.isPad ? 1 : 0)),
    paths: {
      pathOf: (index) => files[index]!.path.split('/'),
      symlinkTargetOf: () => undefined,
    },
    rootOffsets: Uint32Array.from(roots, (root, index) =>
      root === undefined ? 0 : 1 + index * 32,
    ),
    info: infoBytes,
  });
  const info: Info = {
    version: v2 ? 'v2' : 'v1',
    bytes: infoBytes,
    infoHash: createHash('sha1').update(hashes).update(infoBytes).digest(),
    name: 'sample',
    isSingleFile: false,
    pieceLength,
    isPrivate: false,
    files: table,
    geometry,
    warnings: [],
    ...(v2 ? {} : { pieceHashes: hashes }),
  };
  return {
    info,
    pieceLayers,
    piece,
    file: (fileIndex) => contents[fileIndex]!,
    writeTo: (folder) => {
      files.forEach((file, index) => {
        if (file.isPad) return;
        const full = path.join(folder, file.path);
        fs.mkdirSync(path.dirname(full), { recursive: true });
        fs.writeFileSync(full, contents[index]!);
      });
    },
  };
}

/** Bytes that look random and are the same on every run (xorshift32). */
export function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2654435761) | 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}
