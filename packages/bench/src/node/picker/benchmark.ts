// What a have, a pick, a completed block and a peer's joining cost @bt/picker, from 1,000 to 1,000,000 pieces. No contender: other
// clients' pickers can't be run by themselves.
import type { BenchCase, Benchmark, Setting } from '../benchmark.ts';
import { runWorkload } from '../script.ts';

const WORKLOAD = new URL('workload.ts', import.meta.url);

export const picker: Benchmark = {
  name: 'picker',
  title: 'picking blocks from 200 peers, nanoseconds of CPU time each',
  prepare: async ({ quick }: Setting): Promise<BenchCase[]> => {
    const sizes = quick ? [1_000, 100_000] : [1_000, 10_000, 100_000, 1_000_000];
    return sizes.flatMap((pieceCount) =>
      [
        { blocks: 16, seeds: 10 },
        { blocks: 1, seeds: 10 }, // the hard case: every pick searches for a rare piece
        { blocks: 1, seeds: 0 },
      ].map(({ blocks, seeds }) => ({
        name: `${pieceCount} pieces of ${blocks === 1 ? 'a block' : `${blocks} blocks`}, ${seeds} seeds`,
        contenders: [
          {
            name: '@bt/picker',
            run: () => runWorkload(WORKLOAD, ...[pieceCount, blocks, seeds].map(String)),
          },
        ],
      })),
    );
  },
};
