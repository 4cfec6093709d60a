// What the command line names: the .torrent in a file, or a magnet link.

import type { Metainfo } from '@bt/metainfo';
import { type Magnet, MetainfoError, parseMagnet } from '@bt/metainfo';
import { EXIT, Failure } from './exit-codes.ts';
import { withFullStop } from './failures.ts';
import { isMagnetLink } from './options.ts';
import { readTorrent } from './torrent-file.ts';

/** Throws a `Failure` with the exit code of a bad torrent. */
export async function readSource(torrent: string): Promise<Metainfo | Magnet> {
  return isMagnetLink(torrent) ? readMagnet(torrent) : await readTorrent(torrent);
}

function readMagnet(uri: string): Magnet {
  let magnet: Magnet;
  try {
    magnet = parseMagnet(uri);
  } catch (cause) {
    if (!(cause instanceof MetainfoError)) throw cause;
    throw new Failure(EXIT.badTorrent, withFullStop(cause.message), { cause });
  }
  return magnet;
}
