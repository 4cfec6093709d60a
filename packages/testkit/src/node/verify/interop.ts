// Downloads from, and seeding to, the clients the world runs, found through a real tracker over HTTP and UDP.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { labAddress } from '../namespace.ts';
import { aria2 } from '../peers/aria2.ts';
import { libtorrent } from '../peers/libtorrent.ts';
import { startOpentracker } from '../peers/opentracker.ts';
import type { PeerProgram } from '../peers/peer-program.ts';
import { pieces } from '../peers/pieces.ts';
import { transmission } from '../peers/transmission.ts';
import { sampleTree, treeDifference, writeSampleTree } from '../sample-tree.ts';
import { hex, readTorrent } from '../torrent-info.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';

const run = promisify(execFile);
const TRACKER_PORT = 6969;
const PEER_PORT = 7000;
const SAMPLE_BYTES = 300 * 2 ** 20 + 12_345;
const SAMPLE_FILES = 1_000;
const LIMIT_MS = 180_000;

interface Pair {
  readonly seed: PeerProgram;
  readonly downloader: PeerProgram;
  readonly format: 'v1' | 'v2' | 'hybrid';
  readonly tracker: 'http' | 'udp';
}

function pairs(quick: boolean): Pair[] {
  const others = [libtorrent, transmission, aria2];
  const trackers = ['http', 'udp'] as const;
  const both = (other: PeerProgram, rest: Pick<Pair, 'format' | 'tracker'>): Pair[] => [
    { seed: other, downloader: pieces, ...rest },
    { seed: pieces, downloader: other, ...rest },
  ];
  if (quick) {
    return [
      ...others.flatMap((other, i) =>
        both(other, { format: 'v1', tracker: trackers[i % 2] ?? 'http' }),
      ),
      ...both(libtorrent, { format: 'hybrid', tracker: 'udp' }),
      ...both(libtorrent, { format: 'v2', tracker: 'http' }),
    ];
  }
  return [
    ...others.flatMap((other) =>
      trackers.flatMap((tracker) => both(other, { format: 'v1', tracker })),
    ),
    ...(['hybrid', 'v2'] as const).flatMap((format) =>
      trackers.flatMap((tracker) => both(libtorrent, { format, tracker })),
    ),
  ];
}

const FORMAT_FLAGS = { v1: [], v2: ['--v2'], hybrid: ['--hybrid'] } as const;

async function makeTorrent(
  context: VerifyContext,
  format: Pair['format'],
  announceUrl: string,
  out: string,
) {
  await run(process.execPath, [
    join(context.root, 'apps/mktorrent/dist/cli.js'),
    '-a',
    announceUrl,
    '-l',
    '256K',
    ...FORMAT_FLAGS[format],
    '-f',
    join(context.folder, 'tree'),
    '-p',
    out,
  ]);
}

async function* interop(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const { quick, folder } = context;
  const original = join(folder, 'tree');
  await writeSampleTree(original, sampleTree(SAMPLE_FILES, SAMPLE_BYTES), 1);
  let address = 2;
  for (const { seed, downloader, format, tracker } of pairs(quick)) {
    const home = join(folder, `run-${address}`);
    const torrentFile = join(home, 'tree.torrent');
    const downloads = join(home, 'downloads');
    await mkdir(downloads, { recursive: true });
    const scheme = tracker === 'http' ? 'http' : 'udp';
    await makeTorrent(
      context,
      format,
      `${scheme}://${labAddress(1)}:${TRACKER_PORT}/announce`,
      torrentFile,
    );
    const { info } = await readTorrent(torrentFile);
    const server = await startOpentracker({
      address: labAddress(1),
      port: TRACKER_PORT,
      folder: join(home, 'tracker'),
      infoHashes: [info.infoHashV1, info.infoHashV2?.subarray(0, 20)].flatMap((hash) =>
        hash === undefined ? [] : [hex(hash)],
      ),
    });
    const place = (n: number, into: string) => ({
      torrent: torrentFile,
      folder: into,
      stateFolder: join(home, `state-${n}`),
      address: labAddress(n),
      port: PEER_PORT,
    });
    const source = await seed.seed(place(address++, folder));
    const command = `${seed.name} seeds to ${downloader.name}, ${format}, ${tracker} tracker`;
    try {
      await source.ready(60_000);
      const begin = performance.now();
      const copy = await downloader.download(place(address++, downloads));
      try {
        await copy.complete(LIMIT_MS);
        const seconds = (performance.now() - begin) / 1000;
        await copy.stop();
        const difference = await treeDifference(original, join(downloads, 'tree'), {
          missingEmptyOk: !downloader.makesEmptyFiles,
        });
        yield {
          command,
          figure:
            difference ??
            `${SAMPLE_FILES} files, ${SAMPLE_BYTES} bytes equal after ${seconds.toFixed(1)} s`,
          pass: difference === undefined,
        };
      } finally {
        await copy.stop();
      }
    } catch (error) {
      yield {
        command,
        figure: error instanceof Error ? error.message : String(error),
        pass: false,
      };
    } finally {
      await source.stop();
      await server.stop();
      await run('rm', ['-rf', home]);
    }
    if (address > 60) address = 2;
  }
}

export const interopLine: VerifyLine = {
  name: 'interop',
  title: 'a 300 MiB tree of 1,000 files to and from libtorrent, Transmission and aria2',
  needs: [
    'python3-libtorrent',
    'transmission-daemon',
    'transmission-remote',
    'aria2c',
    'opentracker',
  ],
  run: interop,
};
