// A DHT node that answers queries: @bt/krpc-dht beside npm bittorrent-dht and libtorrent, on loopback and without rate limits.
import { fileURLToPath } from 'node:url';
import { PYTHON } from '@bt/testkit';
import type { BenchCase, Benchmark, Setting } from '../benchmark.ts';
import { missingLibtorrent } from '../libtorrent.ts';
import { contenderScript, missingNpmContender } from '../npm-contenders.ts';
import type { Command } from '../program.ts';
import { runWorkload } from '../script.ts';

const LOAD = new URL('load.ts', import.meta.url);
const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export const dht: Benchmark = {
  name: 'dht',
  title: 'a DHT node that answers ping, find_node and get_peers, 64 queries in flight',
  prepare,
};

/** Each prints a line with its UDP port when it listens on 127.0.0.1, and ends with its standard input. */
const SERVERS: readonly {
  readonly name: string;
  /** Asked when the benchmark runs: the npm contenders are installed by then. */
  missing?(): string | undefined;
  readonly command: Command;
}[] = [
  {
    name: '@bt/krpc-dht',
    command: { file: process.execPath, args: ['--import', 'tsx', script('serve.ts')] },
  },
  {
    name: 'npm bittorrent-dht',
    missing: () => missingNpmContender('bittorrent-dht'),
    command: { file: process.execPath, args: [contenderScript('serve-dht.mjs')] },
  },
  {
    name: 'libtorrent',
    missing: missingLibtorrent,
    command: { file: PYTHON, args: [script('serve_libtorrent.py')] },
  },
];

async function prepare({ quick }: Setting): Promise<BenchCase[]> {
  const count = quick ? 20_000 : 100_000;
  return ['ping', 'find_node', 'get_peers'].map((method) => ({
    name: `${count} times ${method}`,
    amount: { value: 1, unit: 'queries' },
    contenders: SERVERS.map(({ name, missing, command }) => ({
      name,
      missing: missing?.(),
      run: () => runWorkload(LOAD, JSON.stringify(command), method, String(count)),
    })),
  }));
}
