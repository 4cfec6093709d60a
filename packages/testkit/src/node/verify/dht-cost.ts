// What a DHT node costs: CPU time a query beside npm's bittorrent-dht in one run of `pnpm bench dht`, and the memory of a full store.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';
import { vitestResults } from './vitest-run.ts';

const run = promisify(execFile);

const CONTENDER = 'npm bittorrent-dht';
/** The most CPU time a query may take at full size, as a share of what the contender takes. */
const LIMITS: Readonly<Record<string, number>> = { ping: 0.62, find_node: 0.4, get_peers: 0.4 };

interface Sample {
  readonly userSeconds: number;
  readonly systemSeconds: number;
}

interface Case {
  readonly name: string;
  readonly contenders: readonly { readonly name: string; readonly samples: readonly Sample[] }[];
}

async function* cost(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const json = join(context.folder, 'dht.json');
  const cli = join(context.root, 'packages/bench/src/node/cli.ts');
  const options = ['dht', '--json', json, ...(context.quick ? ['--quick'] : [])];
  const args = ['--import', 'tsx', '--conditions=@bt/source', cli, ...options];
  await run(process.execPath, args, { cwd: context.root, maxBuffer: 1 << 26 });
  const [result] = JSON.parse(await readFile(json, 'utf8')) as { cases: Case[] }[];
  for (const benchCase of result!.cases) {
    const method = benchCase.name.split(' ').at(-1)!;
    const ratio = cpuRatio(benchCase);
    // Small sizes are mostly warming up: they only show that both run.
    const limit = context.quick ? 1 : LIMITS[method]!;
    yield {
      command: `pnpm bench dht: ${benchCase.name}`,
      figure:
        ratio === undefined
          ? `${CONTENDER} did not run`
          : `${ratio.toFixed(3)} of ${CONTENDER}'s CPU time (at most ${limit})`,
      pass: ratio !== undefined && ratio <= limit,
    };
  }
  yield* vitestResults(context.root, '@bt/krpc-dht', 'test/peer-store.test.ts', '^memory');
}

/** The median of the ratios of each round, ours to the contender's. */
function cpuRatio({ contenders }: Case): number | undefined {
  const theirs = contenders.find(({ name }) => name === CONTENDER)?.samples;
  const ratios = contenders[0]!.samples
    .flatMap((ours, i) => (theirs?.[i] === undefined ? [] : cpu(ours) / cpu(theirs[i])))
    .sort((a, b) => a - b);
  return ratios[Math.floor(ratios.length / 2)];
}

function cpu({ userSeconds, systemSeconds }: Sample): number {
  return userSeconds + systemSeconds;
}

export const dhtCostLine: VerifyLine = {
  name: 'dht-cost',
  title: 'CPU time a query and memory of a DHT node',
  needs: ['python3-libtorrent'],
  outside: true,
  run: cost,
};
