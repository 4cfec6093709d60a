// Web seeds (BEP 19): alone, beside peers, and one that serves wrong bytes.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FileServer } from '../hostile/file-server.ts';
import { labAddress } from '../namespace.ts';
import { libtorrent } from '../peers/libtorrent.ts';
import { startPieces } from '../peers/pieces.ts';
import { sampleTree, treeDifference, writeSampleTree } from '../sample-tree.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';
import { makeTorrent } from './made-torrent.ts';

const SIZE_BYTES = 40 * 2 ** 20;
const LIMIT_MS = 90_000;

interface Case {
  readonly title: string;
  readonly honest: boolean;
  readonly liar: boolean;
  readonly peer: boolean;
}

const CASES: readonly Case[] = [
  { title: 'a web seed alone', honest: true, liar: false, peer: false },
  { title: 'a web seed and a libtorrent seed', honest: true, liar: false, peer: true },
  { title: 'a lying web seed and an honest one', honest: true, liar: true, peer: false },
  { title: 'a lying web seed and a libtorrent seed', honest: false, liar: true, peer: true },
];

async function* webSeeds(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const { folder } = context;
  const tree = join(folder, 'tree');
  await writeSampleTree(tree, sampleTree(60, SIZE_BYTES), 4);
  const server = (n: number, lies: boolean) =>
    new FileServer({ address: labAddress(n), port: 8080, folder, lies });
  const honest = server(2, false);
  const liar = server(3, true);
  await Promise.all([honest.listen(), liar.listen()]);
  try {
    for (const [index, wanted] of CASES.entries()) {
      const sentBefore = { honest: honest.sentBytes, liar: liar.sentBytes };
      const urls = [...(wanted.liar ? [liar.url] : []), ...(wanted.honest ? [honest.url] : [])];
      const torrentFile = join(folder, `case-${index}.torrent`);
      await makeTorrent(context, tree, torrentFile, [
        ...['-l', '256K'],
        ...urls.flatMap((url) => ['--web-seed', url]),
      ]);
      const into = join(folder, `copy-${index}`);
      await mkdir(into);
      const place = { torrent: torrentFile, port: 7000 };
      // Slow enough that the web seed has its part in it.
      const peer = wanted.peer
        ? await libtorrent.seed({
            ...place,
            folder,
            stateFolder: join(folder, 'libtorrent'),
            address: labAddress(4),
            uploadLimit: 8 * 2 ** 20,
          })
        : undefined;
      try {
        await peer?.ready(30_000);
        const begin = performance.now();
        const copy = startPieces({
          ...place,
          folder: into,
          stateFolder: join(folder, `state-${index}`),
          address: labAddress(5),
          peers: peer === undefined ? [] : [`${labAddress(4)}:7000`],
        });
        const { code } = await copy.child.waitForExit(LIMIT_MS);
        const seconds = (performance.now() - begin) / 1000;
        const difference = await treeDifference(tree, join(into, 'tree')).catch(String);
        const sent = (of: FileServer, before: number) =>
          `${((of.sentBytes - before) / 1e6).toFixed(1)} MB`;
        yield {
          command: `pieces -t X.torrent with ${wanted.title}`,
          figure: `exit ${code} after ${seconds.toFixed(1)} s; ${difference ?? 'all bytes equal'}; sent by the honest web seed ${sent(honest, sentBefore.honest)}, by the liar ${sent(liar, sentBefore.liar)}`,
          pass:
            code === 0 &&
            difference === undefined &&
            // A test of web seeds in which none was used would show nothing.
            (!wanted.honest || honest.sentBytes > sentBefore.honest) &&
            (!wanted.liar || liar.sentBytes > sentBefore.liar),
        };
      } catch (error) {
        yield { command: wanted.title, figure: String(error), pass: false };
      } finally {
        await peer?.stop();
      }
    }
  } finally {
    await Promise.all([honest.close(), liar.close()]);
  }
}

export const webSeedsLine: VerifyLine = {
  name: 'web-seeds',
  title: 'web seeds alone, beside peers, and lying',
  needs: ['python3-libtorrent'],
  run: webSeeds,
};
