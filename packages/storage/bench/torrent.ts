/** Large torrents whose pieces all have the same bytes, so that they cost nothing to make. */
import { createHash } from 'node:crypto';
import { buildInfo, type Info, parseInfo } from '@bt/metainfo';

export interface BenchTorrent {
  readonly info: Info;
  /** The bytes of every piece. */
  readonly piece: Uint8Array;
}

/** `fileCount` files of `fileLength` bytes, a whole number of pieces each. */
export function benchTorrent(
  fileCount: number,
  fileLength: number,
  pieceLength: number,
): BenchTorrent {
  const piece = new Uint8Array(pieceLength);
  for (let index = 0; index < pieceLength; index++) piece[index] = (index * 7919) >>> 3;
  const hash = createHash('sha1').update(piece).digest();
  const pieces = new Uint8Array((fileCount * fileLength * 20) / pieceLength);
  for (let at = 0; at < pieces.length; at += 20) pieces.set(hash, at);
  const files = Array.from({ length: fileCount }, (_, index) => ({
    path: [`folder-${Math.floor(index / 500)}`, `file-${String(index).padStart(6, '0')}.bin`],
    length: fileLength,
  }));
  const info = buildInfo({
    version: 'v1',
    name: 'bench',
    isSingleFile: false,
    pieceLength,
    files,
    pieces,
  });
  return { info: parseInfo(info), piece };
}
