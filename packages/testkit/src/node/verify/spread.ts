// One limited seed and six downloaders: they must help one another, so that all are done soon after the seed has sent one copy.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TrackerServer } from '@bt/tracker/node';
import { labAddress } from '../namespace.ts';
import { startPieces } from '../peers/pieces.ts';
import { treeDifference, writeSampleTree } from '../sample-tree.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';

const run = promisify(execFile);
const SIZE_BYTES = 64 * 2 ** 20;
const SEED_RATE = 4 * 2 ** 20;
const DOWNLOADERS = 6;
const MAX_RATIO = 1.5;

async function* spread(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const { folder } = context;
  await writeSampleTree(join(folder, 'tree'), [{ path: 'film.bin', lengthBytes: SIZE_BYTES }], 3);
  const tracker = new TrackerServer();
  await tracker.listen({ host: labAddress(1) });
  const torrentFile = join(folder, 'tree.torrent');
  await run(process.execPath, [
    join(context.root, 'apps/mktorrent/dist/cli.js'),
    ...['-a', tracker.url, '-l', '256K', '-f', join(folder, 'tree'), '-p', torrentFile],
  ]);
  const place = (n: number, into: string) => ({
    torrent: torrentFile,
    folder: into,
    stateFolder: join(folder, `state-${n}`),
    address: labAddress(n),
    port: 7000,
  });
  const seed = startPieces({ ...place(2, folder), uploadLimit: SEED_RATE }, ['--seed']);
  const copies: ReturnType<typeof startPieces>[] = [];
  try {
    await seed.ready(30_000);
    const begin = performance.now();
    for (let n = 0; n < DOWNLOADERS; n++) {
      const into = join(folder, `copy-${n}`);
      await mkdir(into);
      copies.push(startPieces(place(3 + n, into)));
    }
    const ends = await Promise.all(copies.map((copy) => copy.child.waitForExit(120_000)));
    const seconds = (performance.now() - begin) / 1000;
    const bound = SIZE_BYTES / SEED_RATE;
    const differences = await Promise.all(
      copies.map((_, n) => treeDifference(join(folder, 'tree'), join(folder, `copy-${n}`, 'tree'))),
    );
    const failed = ends.find(({ code }) => code !== 0);
    const difference =
      differences.find((found) => found !== undefined) ??
      (failed === undefined ? undefined : `one ended with code ${failed.code}`);
    yield {
      command: `seed limited to 4 MiB/s, ${DOWNLOADERS} pieces downloading 64 MiB`,
      figure: `${seconds.toFixed(1)} s for a copy of ${bound.toFixed(1)} s: ratio ${(seconds / bound).toFixed(2)} of ${MAX_RATIO}; ${difference ?? 'all bytes equal'}`,
      pass: difference === undefined && seconds <= MAX_RATIO * bound,
    };
  } finally {
    await Promise.all([seed, ...copies].map((peer) => peer.stop()));
    await tracker.close();
  }
}

export const spreadLine: VerifyLine = {
  name: 'spread',
  title: 'one seed limited to 4 MiB/s, six downloaders of 64 MiB, within 1.5 times one copy',
  needs: [],
  run: spread,
};
