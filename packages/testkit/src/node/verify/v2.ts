// A peer that corrupts one block of a v2 torrent is known by that block: it is banned, nobody else is, and less than a piece comes
// again. Also v2-only and hybrid torrents both ways with libtorrent, by magnet links (the .torrent files are the main job's).
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseMetainfo } from '@bt/metainfo';
import { TrackerServer } from '@bt/tracker/node';
import { ScriptedPeer } from '../hostile/scripted-peer.ts';
import { labAddress } from '../namespace.ts';
import { libtorrent } from '../peers/libtorrent.ts';
import { pieces, startPieces } from '../peers/pieces.ts';
import { writeSampleTree } from '../sample-tree.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';
import { magnetOf, makeTorrent } from './made-torrent.ts';

const SIZE_BYTES = 24 * 2 ** 20;
const PIECE_BYTES = 2 ** 20;
/** Which of the blocks that it sends the liar corrupts: one in the midst of the download. */
const CORRUPTED_BLOCK = 300;
const PORT = 7000;
const LIMIT_MS = 90_000;

async function* v2(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const { folder } = context;
  const data = join(folder, 'film.bin');
  await writeSampleTree(folder, [{ path: 'film.bin', lengthBytes: SIZE_BYTES }], 8);
  for (const format of ['--v2', '--hybrid']) {
    yield await corrupted(context, data, format);
    for (const fromUs of [false, true]) yield await byMagnet(context, data, format, fromUs);
  }
}

async function corrupted(
  context: VerifyContext,
  data: string,
  format: string,
): Promise<VerifyResult> {
  const { folder } = context;
  const command = `${format.slice(2)}: one of two seeds corrupts one block`;
  const torrentFile = join(folder, `corrupt${format}.torrent`);
  await makeTorrent(context, data, torrentFile, ['-l', '1M', format]);
  let sentBlocks = 0;
  const liar = new ScriptedPeer({
    address: labAddress(2),
    port: PORT,
    torrent: parseMetainfo(await readFile(torrentFile)),
    dataFile: data,
    corrupts: () => {
      sentBlocks += 1;
      return sentBlocks === CORRUPTED_BLOCK;
    },
  });
  await liar.listen();
  const honest = await libtorrent.seed({
    torrent: torrentFile,
    folder,
    stateFolder: join(folder, 'libtorrent'),
    address: labAddress(3),
    port: PORT,
    uploadLimit: 8 * 2 ** 20,
  });
  const into = join(folder, `copy${format}`);
  await mkdir(into);
  try {
    await honest.ready(30_000);
    const copy = startPieces({
      torrent: torrentFile,
      folder: into,
      stateFolder: join(folder, `state${format}`),
      address: labAddress(4),
      port: PORT,
      peers: [`${labAddress(2)}:${PORT}`, `${labAddress(3)}:${PORT}`],
    });
    const { code } = await copy.child.waitForExit(LIMIT_MS);
    const events = copy.events();
    const banned = events.filter(({ event }) => event === 'peer-banned');
    const done = events.filter(({ event }) => event === 'done').at(-1);
    const again = Number(done?.downloadedBytes ?? Number.NaN) - SIZE_BYTES;
    const same = Buffer.compare(await readFile(data), await readFile(join(into, 'film.bin'))) === 0;
    const names = banned.map(({ address }) => address).join(', ') || 'nobody';
    return {
      command,
      figure: `exit ${code}; ${same ? 'all bytes equal' : 'other bytes'}; banned: ${names}; ${again} bytes came again (${done?.duplicateBytes} twice, ${done?.rejectedBytes} wrong), a piece has ${PIECE_BYTES}`,
      pass:
        code === 0 &&
        same &&
        sentBlocks >= CORRUPTED_BLOCK &&
        again < PIECE_BYTES &&
        banned.length === 1 &&
        banned[0]?.address === labAddress(2),
    };
  } catch (error) {
    return { command, figure: String(error), pass: false };
  } finally {
    await liar.close();
    await honest.stop();
  }
}

async function byMagnet(
  context: VerifyContext,
  data: string,
  format: string,
  fromUs: boolean,
): Promise<VerifyResult> {
  const { folder } = context;
  const [seedProgram, downloader] = fromUs ? [pieces, libtorrent] : [libtorrent, pieces];
  const command = `${format.slice(2)} by magnet link: ${seedProgram.name} seeds to ${downloader.name}`;
  const tracker = new TrackerServer();
  await tracker.listen({ host: labAddress(1) });
  const name = `${format}-${seedProgram.name}`;
  const torrentFile = join(folder, `magnet${name}.torrent`);
  await makeTorrent(context, data, torrentFile, ['-a', tracker.url, '-l', '64K', format]);
  const place = (n: number, into: string) => ({
    folder: into,
    stateFolder: join(folder, `state${name}-${n}`),
    address: labAddress(n),
    port: PORT,
  });
  const seed = await seedProgram.seed({ ...place(5, folder), torrent: torrentFile });
  const into = join(folder, `magnet-copy${name}`);
  await mkdir(into);
  try {
    await seed.ready(30_000);
    const begin = performance.now();
    const magnet = await magnetOf(torrentFile, { trackers: [tracker.url] });
    const copy = await downloader.download({ ...place(6, into), torrent: magnet });
    try {
      await copy.complete(LIMIT_MS);
      const seconds = (performance.now() - begin) / 1000;
      await copy.stop();
      const same =
        Buffer.compare(await readFile(data), await readFile(join(into, 'film.bin'))) === 0;
      return {
        command,
        figure: `${same ? 'all bytes equal' : 'other bytes'} after ${seconds.toFixed(1)} s`,
        pass: same,
      };
    } finally {
      await copy.stop();
    }
  } catch (error) {
    return { command, figure: String(error), pass: false };
  } finally {
    await seed.stop();
    await tracker.close();
  }
}

export const v2Line: VerifyLine = {
  name: 'v2',
  title: 'v2 and hybrid in the swarm: a corrupt block has a name, and magnet links work',
  needs: ['python3-libtorrent'],
  run: v2,
};
