// Reads a .torrent from disk, within the size that is ever parsed.
import { createReadStream } from 'node:fs';
import { MAX_METAINFO_BYTES, type Metainfo, MetainfoError, parseMetainfo } from '@bt/metainfo';
import { EXIT, ExitError } from './exit.ts';

/** Also from a pipe. @throws ExitError */
export async function readTorrent(path: string): Promise<Metainfo> {
  const bytes = await readBounded(path);
  if (bytes.length === 0) throw new ExitError(EXIT.badTorrent, `${path} is empty: no .torrent is.`);
  try {
    return parseMetainfo(bytes);
  } catch (error) {
    if (!(error instanceof MetainfoError)) throw error;
    const message = `${path} is not a valid .torrent: ${error.message}`;
    throw new ExitError(EXIT.badTorrent, message, error);
  }
}

async function readBounded(path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of createReadStream(path, { end: MAX_METAINFO_BYTES })) {
      chunks.push(chunk);
      length += chunk.length;
    }
  } catch (error) {
    throw new ExitError(EXIT.badTorrent, whyUnreadable(path, error), error);
  }
  if (length > MAX_METAINFO_BYTES) {
    throw new ExitError(EXIT.badTorrent, `${path} is too large for a .torrent: over 64 MiB.`);
  }
  return Buffer.concat(chunks);
}

function whyUnreadable(path: string, error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const sentences: Readonly<Record<string, string>> = {
    ENOENT: `${path} does not exist.`,
    ENOTDIR: `${path} does not exist.`,
    EISDIR: `${path} is a folder: give the .torrent itself.`,
    EACCES: `${path} can't be read: you have no permission, see its owner and mode.`,
  };
  return sentences[code] ?? `${path} can't be read: ${message}.`;
}
