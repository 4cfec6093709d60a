// Interrupted downloads: `kill -9` at random moments costs little and never a wrong byte; Ctrl-C leaves cleanly and soon, a second one at once.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TrackerServer } from '@bt/tracker/node';
import { labAddress } from '../namespace.ts';
import { type RunningPieces, startPieces } from '../peers/pieces.ts';
import { treeDifference, writeSampleTree } from '../sample-tree.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';

const run = promisify(execFile);
const SIZE_BYTES = 200 * 2 ** 20;
const PIECE_BYTES = 256 * 1024;
const SEED_RATE = 4 * 2 ** 20;
/** What a kill may cost besides the pieces in flight. */
const COST_BYTES = 1_000_000;

/** Bytes of pieces begun and not finished, as the last progress event before the kill told; pieces in flight are bounded by the requests. */
function inFlightBytes(downloader: RunningPieces): number {
  const last = downloader
    .events()
    .filter(({ event }) => event === 'progress')
    .at(-1);
  return Number(last?.piecesInFlight ?? 0) * PIECE_BYTES;
}

async function* crash(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const kills = context.quick ? 4 : 20;
  const { folder } = context;
  const original = join(folder, 'tree');
  await writeSampleTree(
    original,
    [
      { path: 'film.bin', lengthBytes: SIZE_BYTES - 5_000_001 },
      { path: 'notes/a.bin', lengthBytes: 5_000_000 },
      { path: 'notes/b.bin', lengthBytes: 1 },
    ],
    5,
  );
  const tracker = new TrackerServer();
  await tracker.listen({ host: labAddress(1) });
  const torrentFile = join(folder, 'tree.torrent');
  await run(process.execPath, [
    join(context.root, 'apps/mktorrent/dist/cli.js'),
    ...['-a', tracker.url, '-l', `${PIECE_BYTES}`, '-f', original, '-p', torrentFile],
  ]);
  const place = (n: number, into: string) => ({
    torrent: torrentFile,
    folder: into,
    stateFolder: join(folder, `state-${n}`),
    address: labAddress(n),
    port: 7000,
  });
  const seed = startPieces({ ...place(2, folder), uploadLimit: SEED_RATE }, ['--seed']);
  try {
    await seed.ready(30_000);
    yield* killed(kills, seed, () => startPieces(place(3, join(folder, 'copy'))), original, folder);
    yield* interrupted(tracker, () => startPieces(place(4, join(folder, 'second'))), folder);
  } finally {
    await seed.stop();
    await tracker.close();
  }
}

async function* killed(
  kills: number,
  seed: RunningPieces,
  start: () => RunningPieces,
  original: string,
  folder: string,
): AsyncGenerator<VerifyResult> {
  await mkdir(join(folder, 'copy'));
  // The longest life: all of them together fit into one download, so that each kill hits one.
  const lifeMs = (SIZE_BYTES / SEED_RATE / kills) * 1000;
  let inFlight = 0;
  for (let n = 0; n < kills; n++) {
    const downloader = start();
    await downloader.child.waitFor(/"state":"downloading"/, 30_000);
    await sleep(lifeMs * (0.1 + 0.8 * Math.random()));
    inFlight += inFlightBytes(downloader);
    downloader.child.signal('SIGKILL');
    await downloader.child.exited;
  }
  const last = start();
  const { code } = await last.child.waitForExit(180_000);
  await sleep(1_500);
  const uploaded = Number(
    seed
      .events()
      .filter(({ event }) => event === 'progress')
      .at(-1)?.uploadedBytes ?? Number.NaN,
  );
  const again = uploaded - SIZE_BYTES;
  const allowed = kills * COST_BYTES + inFlight;
  const difference = await treeDifference(original, join(folder, 'copy', 'tree'));
  yield {
    command: `kill -9 at ${kills} random moments of a 200 MiB download, then a last run`,
    figure: `exit ${code}; ${difference ?? 'all bytes equal'}; the seed sent ${(again / 1e6).toFixed(1)} MB more than one copy, ${(allowed / 1e6).toFixed(1)} MB allowed`,
    pass: code === 0 && difference === undefined && again <= allowed,
  };
}

async function* interrupted(
  tracker: TrackerServer,
  start: () => RunningPieces,
  folder: string,
): AsyncGenerator<VerifyResult> {
  await mkdir(join(folder, 'second'));
  for (const twice of [false, true]) {
    const downloader = start();
    await downloader.child.waitFor(/"event":"progress"/, 30_000);
    await sleep(1_000);
    const before = tracker.statistics.peers;
    const begin = performance.now();
    downloader.child.signal('SIGINT');
    if (twice) downloader.child.signal('SIGINT');
    const { code, signal } = await downloader.child.waitForExit(10_000);
    const ms = performance.now() - begin;
    const left = before - tracker.statistics.peers;
    yield twice
      ? {
          command: 'Ctrl-C twice during a download',
          figure: `exit ${code ?? signal} after ${ms.toFixed(0)} ms`,
          pass: (code === 130 || signal === 'SIGINT') && ms < 500,
        }
      : {
          command: 'Ctrl-C during a download',
          figure: `exit ${code} after ${ms.toFixed(0)} ms, ${left === 1 ? 'it has' : 'it has not'} said 'stopped' to the tracker`,
          pass: code === 130 && ms < 3_000 && left === 1,
        };
  }
}

export const crashLine: VerifyLine = {
  name: 'crash',
  title: 'kill -9 and Ctrl-C during downloads',
  needs: [],
  run: crash,
};
