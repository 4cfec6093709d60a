// Lookups in simulated networks of several sizes, in health and with dead and lying nodes among them: how many find the true
// nearest nodes, and what that costs as the network grows.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';

const run = promisify(execFile);

const HEALTHY_SHARE = 0.99;
/** With 20% of the nodes dead and 10% lying. */
const HOSTILE_SHARE = 0.95;

interface Spread {
  readonly median: number;
  readonly p99: number;
}

interface Report {
  readonly tries: number;
  readonly exact: number;
  readonly hops: Spread;
  readonly queries: Spread;
}

interface Row {
  readonly size: number;
  readonly healthy: Report;
  readonly hostile: Report;
}

async function* lookups(context: VerifyContext): AsyncGenerator<VerifyResult> {
  for (const size of context.quick ? [1_000] : [1_000, 10_000, 50_000]) {
    const script = join(context.root, 'packages/krpc-dht/bench/swarm.ts');
    const args = ['--import', 'tsx', '--conditions=@bt/source', script, '--json', String(size)];
    const { stdout } = await run(process.execPath, args, { cwd: context.root });
    for (const { healthy, hostile } of JSON.parse(stdout) as Row[]) {
      yield judge(`${size} nodes on virtual time`, size, healthy, HEALTHY_SHARE);
      yield judge(`${size} nodes, 20% dead and 10% lying`, size, hostile, HOSTILE_SHARE);
    }
  }
}

function judge(command: string, size: number, report: Report, least: number): VerifyResult {
  const { tries, exact, hops, queries } = report;
  const share = exact / tries;
  const figure =
    `the true 8 closest in ${(100 * share).toFixed(1)}% of ${tries} lookups (at least ${100 * least}%); ` +
    `hops ${hops.median}, p99 ${hops.p99} (log2 ${Math.log2(size).toFixed(1)}); queries ${queries.median}, p99 ${queries.p99}`;
  return { command, figure, pass: tries >= 1_000 && share >= least };
}

export const lookupsLine: VerifyLine = {
  name: 'lookups',
  title: 'lookups find the true 8 closest nodes',
  needs: [],
  run: lookups,
};
