// Whether a run has a DHT node, and where it keeps what it has learned of the network.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isLoopback } from '@bt/endpoint';
import type { CreateDhtOptions, DhtWarning } from '@bt/krpc-dht/node';
import type { Magnet, Metainfo } from '@bt/metainfo';
import { defaultStateFolder } from '@bt/storage/node';
import { isKeyLink } from './key-link.ts';
import type { Options } from './options.ts';

const ID_BYTES = 20;

/**
 * The DHT node of a run: with `-d`, and by itself where the torrent has no tracker and is not private. Whether a magnet link's is
 * isn't known yet.
 */
export async function dhtOf(
  options: Options,
  torrent: Pick<Metainfo, 'announceTiers' | 'info'> | Magnet,
  onWarning?: CreateDhtOptions['onWarning'],
): Promise<CreateDhtOptions | false> {
  const trackers = 'info' in torrent ? torrent.announceTiers.flat() : torrent.trackers;
  const isPrivate = 'info' in torrent && torrent.info.isPrivate;
  // The DHT alone knows where the link of a key leads (BEP 46).
  const isKey = !('info' in torrent) && isKeyLink(torrent);
  const isWanted = options.dht ?? (isKey || (trackers.length === 0 && !isPrivate));
  if (!isWanted) return false;
  const { bootstrap, dhtPort, bindAddress } = options;
  return { port: dhtPort, onWarning, ...(await networkOf(bootstrap, bindAddress)) };
}

/** A warning of a node, with what to do about it. */
export function dhtWarning({ code, message }: DhtWarning): string {
  return code === 'no-answer' ? `${message}; name others with -d` : message;
}

/** How a node enters a network, and who it is there. */
export async function networkOf(
  bootstrap: readonly string[] | undefined,
  bindAddress: string | undefined,
): Promise<Pick<CreateDhtOptions, 'bootstrap' | 'stateFile' | 'id'>> {
  const stateFile = await dhtStateFile(bootstrap, bindAddress);
  // Several runs of one user may share the file at a time: they must not all be the node that is in it.
  return { bootstrap, stateFile, id: new Uint8Array(randomBytes(ID_BYTES)) };
}

/**
 * The file that keeps the nodes of a network between runs: one for the public network, and one for each that is entered by
 * nodes of the user's, so that nobody of the one is asked in the other. None on loopback, where nothing may leave the host.
 */
export async function dhtStateFile(
  bootstrap: readonly string[] | undefined,
  bindAddress: string | undefined,
): Promise<string | undefined> {
  if (bindAddress !== undefined && isLoopback(bindAddress)) return undefined;
  const folder = defaultStateFolder();
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(() => {});
  if (bootstrap === undefined) return join(folder, 'dht.table');
  const network = [...new Set(bootstrap)].sort().join(' ');
  const name = createHash('sha256').update(network).digest('hex').slice(0, 16);
  return join(folder, `dht-${name}.table`);
}
