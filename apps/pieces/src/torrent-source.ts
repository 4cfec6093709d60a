// What the command line names: the .torrent in a file, or a magnet link.

import type { Metainfo } from '@bt/metainfo';
import { type Magnet, MetainfoError, parseMagnet } from '@bt/metainfo';
import { EXIT, Failure } from './exit-codes.ts';
import { withFullStop } from './failures.ts';
import { isMagnetLink, linkOfHash } from './options.ts';
import { readTorrent } from './torrent-file.ts';

/** Undefined when it is interrupted. Throws a `Failure` with the exit code of a bad torrent. */
export async function readSource(
  torrent: string,
  interrupted: AbortSignal,
): Promise<Metainfo | Magnet | undefined> {
  if (isMagnetLink(torrent)) return readMagnet(torrent);
  try {
    return await readTorrent(torrent, interrupted);
  } catch (error) {
    throw hinted(error, torrent);
  }
}

/** What a torrent that is no file may have been meant as. */
function hinted(error: unknown, torrent: string): unknown {
  if (!(error instanceof Failure)) return error;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  const isLink = /^\w+:\?./.test(torrent);
  const meant = linkOfHash(torrent) ?? (isLink ? 'a link that begins with magnet:?' : undefined);
  if (code !== 'ENOENT' || meant === undefined) return error;
  const message = `${error.message} Did you mean ${meant}?`;
  return new Failure(error.exitCode, message, { cause: error });
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
