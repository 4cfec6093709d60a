// Reads a .torrent from disk, within the size that is ever parsed.
import { readFile, stat } from 'node:fs/promises';
import { MAX_METAINFO_BYTES, type Metainfo, MetainfoError, parseMetainfo } from '@bt/metainfo';
import { EXIT, ExitError } from './exit.ts';

/** @throws ExitError */
export async function readTorrent(path: string): Promise<Metainfo> {
  try {
    const { size } = await stat(path);
    if (size > MAX_METAINFO_BYTES) {
      throw new ExitError(EXIT.badTorrent, `${path} is too large for a .torrent (${size} bytes).`);
    }
    return parseMetainfo(await readFile(path));
  } catch (error) {
    if (error instanceof ExitError) throw error;
    if (error instanceof MetainfoError) {
      throw new ExitError(
        EXIT.badTorrent,
        `${path} is not a valid .torrent: ${error.message}`,
        error,
      );
    }
    const code = error instanceof Error && 'code' in error ? error.code : '';
    const reason = code === 'ENOENT' ? 'it does not exist' : (error as Error).message;
    throw new ExitError(EXIT.disk, `${path} can't be read: ${reason}.`, error);
  }
}
