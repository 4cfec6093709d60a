// Torrents made by our own `mktorrent`, for the lines that need one.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { formatMagnet } from '@bt/metainfo';
import { readTorrent } from '../torrent-info.ts';
import type { VerifyContext } from './line.ts';

const run = promisify(execFile);

/** Runs `mktorrent` on `input`, with 256 KiB pieces unless `extra` says otherwise. */
export async function makeTorrent(
  context: VerifyContext,
  input: string,
  output: string,
  extra: readonly string[] = ['-l', '256K'],
): Promise<void> {
  const cli = join(context.root, 'apps/mktorrent/dist/cli.js');
  await run(process.execPath, [cli, ...extra, '-f', input, '-p', output]);
}

/** The magnet link of a torrent with its info-hashes and nothing else, or with what is given. */
export async function magnetOf(
  torrentFile: string,
  more: { readonly trackers?: readonly string[] } = {},
): Promise<string> {
  const { info } = await readTorrent(torrentFile);
  return formatMagnet({
    ...(info.infoHashV1 === undefined ? {} : { infoHashV1: info.infoHashV1 }),
    ...(info.infoHashV2 === undefined ? {} : { infoHashV2: info.infoHashV2 }),
    ...more,
  });
}
