// Loading a torrent and hashing what is there: @bt/storage beside libtorrent.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTorrent } from '@bt/metainfo/node';
import { PYTHON, sampleTree, writeSampleTree } from '@bt/testkit';
import type { BenchCase, Benchmark, Setting } from '../benchmark.ts';
import { missingLibtorrent } from '../libtorrent.ts';
import { runScript, runWorkload } from '../script.ts';

const WORKLOAD = new URL('workload.ts', import.meta.url);
const LIBTORRENT = fileURLToPath(new URL('libtorrent_recheck.py', import.meta.url));
const PIECE_BYTES = 16_384;

export const recheck: Benchmark = {
  name: 'recheck',
  title: 'loading a torrent of small pieces and files, and hashing what is there',
  prepare,
};

async function prepare({ quick, folder }: Setting): Promise<BenchCase[]> {
  const pieceCount = quick ? 4_000 : 100_000;
  const fileCount = pieceCount / 2;
  const content = join(folder, 'content');
  await writeSampleTree(content, sampleTree(fileCount, pieceCount * PIECE_BYTES), 1);
  const { bytes } = await createTorrent({ input: content, pieceLength: PIECE_BYTES });
  const torrentPath = join(folder, 'content.torrent');
  await writeFile(torrentPath, bytes);
  return [
    {
      name: `${pieceCount} pieces of 16 KiB in ${fileCount} files`,
      amount: { value: (pieceCount * PIECE_BYTES) / 1e6, unit: 'MB' },
      contenders: [
        { name: '@bt/storage', run: () => runWorkload(WORKLOAD, torrentPath, folder) },
        {
          name: 'libtorrent',
          missing: missingLibtorrent(),
          run: () => runScript({ file: PYTHON, args: [LIBTORRENT, torrentPath, folder] }),
        },
      ],
    },
  ];
}
