// A torrent of random bytes for scenarios: its content, its .torrent, and its Info.

import { createHash } from 'node:crypto';
import { buildInfo, buildMetainfo, type Info, type Metainfo, parseMetainfo } from '@bt/metainfo';
import { createRandom } from '@bt/simulator';

export interface Content {
  readonly torrent: Uint8Array;
  readonly metainfo: Metainfo;
  readonly info: Info;
  readonly bytes: Uint8Array;
}

export interface ContentOptions {
  readonly seed?: number;
  /** Lengths; their sum must be the total. Default: one file. */
  readonly files?: readonly number[];
  readonly announceTiers?: readonly (readonly string[])[];
}

export function makeContent(
  totalBytes: number,
  pieceLength: number,
  options: ContentOptions = {},
): Content {
  const random = createRandom(options.seed ?? 1);
  const words = new Uint32Array(Math.ceil(totalBytes / 4));
  for (let i = 0; i < words.length; i += 1) words[i] = random() * 0x1_0000_0000;
  const bytes = new Uint8Array(words.buffer, 0, totalBytes);
  const lengths = options.files;
  const pieces = new Uint8Array(20 * Math.ceil(totalBytes / pieceLength));
  for (let start = 0, at = 0; start < totalBytes; start += pieceLength, at += 20) {
    const piece = bytes.subarray(start, start + pieceLength);
    pieces.set(createHash('sha1').update(piece).digest(), at);
  }
  const info = buildInfo({
    version: 'v1',
    name: lengths === undefined ? 'content.bin' : 'content',
    pieceLength,
    isSingleFile: lengths === undefined,
    files:
      lengths === undefined
        ? [{ path: ['content.bin'], length: totalBytes }]
        : lengths.map((length, index) => ({ path: [`file-${index}`], length })),
    pieces,
  });
  const { announceTiers } = options;
  const torrent = buildMetainfo({ info, announceTiers });
  const metainfo = parseMetainfo(torrent);
  return { torrent, metainfo, info: metainfo.info, bytes };
}
