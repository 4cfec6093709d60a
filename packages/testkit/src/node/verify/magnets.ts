// Nothing but a magnet link and a DHT in which nodes of several makers are mixed: the files come all the same.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { labAddress } from '../namespace.ts';
import { aria2 } from '../peers/aria2.ts';
import { type MixedDht, startMixedDht } from '../peers/dht-nodes.ts';
import { libtorrent } from '../peers/libtorrent.ts';
import type { PeerProgram } from '../peers/peer-program.ts';
import { pieces } from '../peers/pieces.ts';
import { transmission } from '../peers/transmission.ts';
import { treeDifference, writeSampleTree } from '../sample-tree.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';
import { magnetOf, makeTorrent } from './made-torrent.ts';

const NODES_OF_EACH = 5;
const PEER_PORT = 6881;
const LIMIT_MS = 120_000;
const SAMPLE = [
  { path: 'film.bin', lengthBytes: 9_000_000 },
  { path: 'notes/a.bin', lengthBytes: 1_000_001 },
  { path: 'notes/b.bin', lengthBytes: 1 },
];

async function* magnets(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const { quick, folder } = context;
  const dht = await startMixedDht({ folder: join(folder, 'dht'), count: NODES_OF_EACH });
  try {
    // Not counted are Transmission's: it takes minutes to find its place.
    await dht.settled(2 * NODES_OF_EACH - 2, 60_000);
    const others = quick ? [libtorrent] : [libtorrent, aria2, transmission];
    let address = 40;
    for (const other of others) {
      for (const [seed, downloader] of [
        [other, pieces],
        [pieces, other],
      ] as const) {
        yield await transfer(context, dht, seed, downloader, address);
        address += 2;
      }
    }
  } finally {
    await dht.stop();
  }
}

async function transfer(
  context: VerifyContext,
  dht: MixedDht,
  seed: PeerProgram,
  downloader: PeerProgram,
  address: number,
): Promise<VerifyResult> {
  const home = join(context.folder, `run-${address}`);
  const into = join(home, 'downloads');
  await mkdir(into, { recursive: true });
  // A torrent of its own for each pair: what the DHT remembers of another pair is of no use.
  const original = join(home, 'tree');
  await writeSampleTree(original, SAMPLE, address);
  const torrentFile = join(home, 'tree.torrent');
  await makeTorrent(context, original, torrentFile);
  const command = `${downloader.name} with nothing but a magnet link, ${seed.name} seeds; ${NODES_OF_EACH} DHT nodes each of libtorrent, Transmission and ours`;
  const place = (n: number, where: string) => ({
    folder: where,
    stateFolder: join(home, `state-${n}`),
    address: labAddress(n),
    port: PEER_PORT,
  });
  const source = await seed.seed({
    ...place(address, home),
    torrent: torrentFile,
    dht: seed === pieces ? dht.nodes.pieces.slice(0, 2) : dht.nodes.libtorrent,
  });
  try {
    await source.ready(60_000);
    const begin = performance.now();
    const copy = await downloader.download({
      ...place(address + 1, into),
      torrent: await magnetOf(torrentFile),
      dht: downloader === pieces ? dht.nodes.transmission.slice(0, 2) : dht.nodes.pieces,
    });
    try {
      await copy.complete(LIMIT_MS);
      const seconds = (performance.now() - begin) / 1000;
      await copy.stop();
      const difference = await treeDifference(original, join(into, 'tree'));
      return {
        command,
        figure: difference ?? `all bytes equal after ${seconds.toFixed(1)} s`,
        pass: difference === undefined,
      };
    } finally {
      await copy.stop();
    }
  } catch (error) {
    return { command, figure: error instanceof Error ? error.message : String(error), pass: false };
  } finally {
    await source.stop();
  }
}

export const magnetsLine: VerifyLine = {
  name: 'magnets',
  title: 'magnet links through a mixed DHT, both ways',
  needs: ['python3-libtorrent', 'transmission-daemon', 'transmission-remote', 'aria2c'],
  run: magnets,
};
