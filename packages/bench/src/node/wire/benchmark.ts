// @bt/wire decoding a recorded stream in random splits, beside npm bittorrent-protocol.
import type { BenchCase, Benchmark, Setting } from '../benchmark.ts';
import { missingNpmContender } from '../npm-contenders.ts';
import { runWorkload } from '../script.ts';
import { STREAM_BYTES } from './stream.ts';

const WORKLOAD = new URL('workload.ts', import.meta.url);
/** Bytes on average: a packet, a block, what a busy socket gives. */
const SPLITS = [1_448, 16_384, 65_536];

export const wire: Benchmark = {
  name: 'wire',
  title: 'decoding a recorded stream of the peer wire protocol in random splits',
  prepare: async ({ quick }: Setting): Promise<BenchCase[]> => {
    const splits = quick ? [16_384] : SPLITS;
    return splits.flatMap((meanSplit) =>
      ['framed', 'copied'].map((mode) => ({
        name: `${mode}, splits of ${meanSplit} bytes on average`,
        amount: { value: STREAM_BYTES / 1e9, unit: 'GB' },
        contenders: [
          { name: '@bt/wire', run: () => runWorkload(WORKLOAD, 'ours', mode, String(meanSplit)) },
          {
            name: 'npm bittorrent-protocol',
            missing: missingNpmContender('bittorrent-protocol'),
            run: () => runWorkload(WORKLOAD, 'npm', mode, String(meanSplit)),
          },
        ],
      })),
    );
  },
};
