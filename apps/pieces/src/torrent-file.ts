// Reads the .torrent: bounded before it is parsed, and every refusal one sentence.
import { createReadStream } from 'node:fs';
import { MAX_METAINFO_BYTES, type Metainfo, MetainfoError, parseMetainfo } from '@bt/metainfo';
import { EXIT, Failure } from './exit-codes.ts';
import { withFullStop } from './failures.ts';

/**
 * Also from a pipe or a device, where that may take for ever: undefined when it is interrupted. Throws a `Failure` with the
 * exit code of a bad torrent.
 */
export async function readTorrent(
  path: string,
  interrupted: AbortSignal,
): Promise<Metainfo | undefined> {
  // What the system reads from a pipe can't be called off.
  const bytes = await Promise.race([readBounded(path), aborted(interrupted)]);
  if (bytes === undefined) return undefined;
  try {
    return parseMetainfo(bytes);
  } catch (cause) {
    if (!(cause instanceof MetainfoError)) throw cause;
    const why = bytes.length === 0 ? 'it is empty.' : withFullStop(cause.message);
    throw new Failure(EXIT.badTorrent, `${path} is not a usable .torrent file: ${why}`, { cause });
  }
}

async function readBounded(path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let lengthBytes = 0;
  try {
    for await (const chunk of createReadStream(path, { end: MAX_METAINFO_BYTES })) {
      chunks.push(chunk);
      lengthBytes += chunk.length;
    }
  } catch (cause) {
    throw new Failure(EXIT.badTorrent, `Cannot read ${path}: ${reason(cause)}`, { cause });
  }
  if (lengthBytes > MAX_METAINFO_BYTES) {
    throw new Failure(EXIT.badTorrent, `${path} is larger than 64 MiB and so no .torrent file.`);
  }
  return Buffer.concat(chunks);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

/** Why the system refused, in words. */
function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file.';
  if (code === 'EISDIR') return 'it is a folder.';
  if (code === 'EACCES') return 'you have no permission to read it.';
  return withFullStop(message);
}
