// `pnpm bench [NAME...]`: runs benchmarks and prints their tables.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BenchmarkResult, CaseResult } from '../measurement.ts';
import { renderBenchmark } from '../report.ts';
import type { Benchmark } from './benchmark.ts';
import { bencode } from './bencode/benchmark.ts';
import { create } from './create/benchmark.ts';
import { dht } from './dht/benchmark.ts';
import { machineLine } from './machine.ts';
import { installNpmContenders } from './npm-contenders.ts';
import { picker } from './picker/benchmark.ts';
import { recheck } from './recheck/benchmark.ts';
import { relay } from './relay/benchmark.ts';
import { runCase } from './rounds.ts';
import { saveBenchmark } from './save.ts';
import { wire } from './wire/benchmark.ts';

const BENCHMARKS: readonly Benchmark[] = [bencode, create, dht, picker, recheck, relay, wire];
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const USAGE = `Usage: pnpm bench [NAME...] [--rounds N] [--quick] [--json FILE] [--save]

Runs benchmarks, ours and the contenders in turn, and prints a table for each case.
${BENCHMARKS.map(({ name, title }) => `  ${name.padEnd(12)}${title}`).join('\n')}
  --rounds N  measured rounds after one to warm up (5; with --quick 3)
  --quick     small sizes: to see that it works
  --json FILE write the figures of every round
  --save      write JSON and Markdown under docs/benchmarks/
Exit code: 0, or 1 when a run failed or results differed, 2 when it was called wrongly.`;

interface Arguments {
  readonly benchmarks: readonly Benchmark[];
  readonly rounds: number;
  readonly quick: boolean;
  readonly json: string | undefined;
  readonly save: boolean;
}

function readArguments(args: readonly string[]): Arguments | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: args.filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'string' },
        save: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const { quick, json, save } = values;
    const rounds = Number(values.rounds ?? (quick ? 3 : 5));
    const names = positionals.length === 0 ? BENCHMARKS.map(({ name }) => name) : positionals;
    const benchmarks = BENCHMARKS.filter(({ name }) => names.includes(name));
    const isWrong = !(Number.isInteger(rounds) && rounds > 0) || benchmarks.length < names.length;
    return values.help || isWrong ? undefined : { benchmarks, rounds, quick, json, save };
  } catch {
    return undefined;
  }
}

async function runBenchmark(benchmark: Benchmark, args: Arguments): Promise<BenchmarkResult> {
  const { name, title } = benchmark;
  const { quick, rounds } = args;
  const machine = machineLine();
  const folder = await mkdtemp(join(tmpdir(), `bt-bench-${name}-`));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', removeFolder); // when a signal ends this process
  const cases: CaseResult[] = [];
  try {
    for (const benchCase of await benchmark.prepare({ quick, folder })) {
      cases.push(await runCase(benchCase, rounds, showProgress));
    }
  } finally {
    showProgress('');
    removeFolder();
    process.off('exit', removeFolder);
  }
  const command = `pnpm bench ${name} --rounds ${rounds}${quick ? ' --quick' : ''}`;
  return { name, title, command, date: new Date().toISOString(), machine, cases };
}

/** One line that the next replaces, on a terminal only. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function main(): Promise<number> {
  const args = readArguments(process.argv.slice(2));
  if (args === undefined) {
    console.error(USAGE);
    return 2;
  }
  spawnSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], { stdio: 'inherit' });
  installNpmContenders();
  const results: BenchmarkResult[] = [];
  let exitCode = 0;
  for (const benchmark of args.benchmarks) {
    try {
      const result = await runBenchmark(benchmark, args);
      results.push(result);
      console.log(renderBenchmark(result));
      if (args.save) console.log((await saveBenchmark(result)).join('\n'));
    } catch (error) {
      console.error(`${benchmark.name}: ${error instanceof Error ? error.message : String(error)}`);
      exitCode = 1;
    }
  }
  if (args.json !== undefined) await writeFile(args.json, `${JSON.stringify(results, null, 2)}\n`);
  return exitCode;
}

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
process.exitCode = await main();
