// A torrent's content for scenarios: random bytes, cut into pieces, as Info.

import { createHash } from 'node:crypto';
import { FileTable, Geometry, type Info } from '@bt/metainfo';
import { createRandom } from '@bt/simulator';

export interface Content {
  readonly info: Info;
  readonly bytes: Uint8Array;
}

/** One file (or several) of random bytes. The info dictionary is made up: nobody parses it in a scenario. */
export function makeContent(
  totalBytes: number,
  pieceLength: number,
  options: { readonly seed?: number; readonly files?: readonly number[] } = {},
): Content {
  const random = createRandom(options.seed ?? 1);
  const words = new Uint32Array(Math.ceil(totalBytes / 4));
  for (let i = 0; i < words.length; i += 1) words[i] = random() * 0x1_0000_0000;
  const bytes = new Uint8Array(words.buffer, 0, totalBytes);
  const lengths = Float64Array.from(options.files ?? [totalBytes]);
  const geometry = new Geometry({ pieceLength, lengths });
  const pieceHashes = new Uint8Array(20 * geometry.pieceCount);
  for (let piece = 0; piece < geometry.pieceCount; piece += 1) {
    const start = piece * pieceLength;
    const hash = createHash('sha1').update(
      bytes.subarray(start, start + geometry.pieceSize(piece)),
    );
    pieceHashes.set(hash.digest(), 20 * piece);
  }
  const infoBytes = new Uint8Array(0);
  const info: Info = {
    version: 'v1',
    bytes: infoBytes,
    infoHash: new Uint8Array(createHash('sha1').update(pieceHashes).digest()),
    name: 'content',
    isSingleFile: lengths.length === 1,
    pieceLength,
    isPrivate: false,
    files: new FileTable({
      lengths,
      flags: new Uint8Array(lengths.length),
      paths: { at: (index: number) => ['content', `${index}`] } as never,
      info: infoBytes,
    }),
    geometry,
    pieceHashes,
    warnings: [],
  };
  return { info, bytes };
}
