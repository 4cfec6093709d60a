// How lookups do in networks of several sizes, on virtual time: how often they find the 8 nodes nearest to a target, in how many
// hops and with how many queries, in health and right after a fifth of the nodes have died and a tenth have begun to lie.
// Prints a table, or JSON, and draws a plot when it is given a file.
//
//   pnpm dev packages/krpc-dht/bench/swarm.ts [--json] [--svg FILE] [SIZE...]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { corrupt, type LookupReport, measureLookups } from '../test/swarm/neighbours.ts';
import { Swarm } from '../test/swarm/swarm.ts';
import { drawPlots, type Plot } from './plot.ts';

const SEED = 1;
const TRIES = 1_000;
const SETTLE_MS = 5 * 60_000;

interface Row {
  readonly size: number;
  readonly healthy: LookupReport;
  readonly hostile: LookupReport;
  /** Sent and received while they joined. */
  readonly datagramsPerNode: number;
  readonly cpuSeconds: number;
}

function measure(size: number): Row {
  const begun = process.cpuUsage();
  const swarm = new Swarm({ seed: SEED });
  // Two minutes of joins, whatever the size, but no denser than one each 5 ms.
  swarm.grow(size, Math.max(120_000 / size, 5), SETTLE_MS);
  const perNode = Math.round(swarm.datagrams / size);
  const healthy = measureLookups(swarm, TRIES);
  corrupt(swarm, 0.2, 0.1);
  const hostile = measureLookups(swarm, TRIES);
  const { user, system } = process.cpuUsage(begun);
  return { size, healthy, hostile, datagramsPerNode: perNode, cpuSeconds: (user + system) / 1e6 };
}

function printRow({ size, healthy, hostile, datagramsPerNode, cpuSeconds }: Row): void {
  const cost = `${cpuSeconds.toFixed(0)} s of CPU, ${datagramsPerNode} datagrams a node to join`;
  print(`${size} nodes (log2 ${Math.log2(size).toFixed(1)}): ${cost}`);
  print(`  healthy            ${describe(healthy)}`);
  print(`  20% dead, 10% lying ${describe(hostile)}`);
}

function describe(report: LookupReport): string {
  const { exact, tries, hops, queries, milliseconds } = report;
  const time = `${milliseconds.median.toFixed(0)} / ${milliseconds.p99.toFixed(0)} ms`;
  const share = ((100 * exact) / tries).toFixed(1);
  return (
    `${share}% exact, hops ${hops.median} / ${hops.p99}, ` +
    `queries ${queries.median} / ${queries.p99}, ${time} (median / p99)`
  );
}

function plotsOf(rows: readonly Row[]): Plot[] {
  const line = (name: string, isDashed: boolean, of: (row: Row) => number) => ({
    name,
    isDashed,
    points: rows.map((row) => ({ x: Math.log2(row.size), y: of(row) })),
  });
  return [
    {
      title: 'Hops to the nodes found',
      lines: [
        line('p99, 20% dead, 10% lying', true, (row) => row.hostile.hops.p99),
        line('p99', false, (row) => row.healthy.hops.p99),
        line('median, 20% dead, 10% lying', true, (row) => row.hostile.hops.median),
        line('median', false, (row) => row.healthy.hops.median),
      ],
    },
    {
      title: 'Queries of a lookup',
      lines: [
        line('p99, 20% dead, 10% lying', true, (row) => row.hostile.queries.p99),
        line('p99', false, (row) => row.healthy.queries.p99),
        line('median, 20% dead, 10% lying', true, (row) => row.hostile.queries.median),
        line('median', false, (row) => row.healthy.queries.median),
      ],
    },
  ];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const { values, positionals } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, svg: { type: 'string' } },
});
const sizes = positionals.length > 0 ? positionals.map(Number) : [1_000, 10_000];
const rows: Row[] = [];
for (const size of sizes) {
  const row = measure(size);
  rows.push(row);
  if (!values.json) printRow(row);
}
if (values.json) print(JSON.stringify(rows));
if (values.svg !== undefined) writeFileSync(values.svg, drawPlots(plotsOf(rows)));
