// Transmission's daemon as a seed or a downloader; it is watched through its own remote control.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Child } from '../child.ts';
import type { PeerProgram, RunningPeer, TransferOptions } from './peer-program.ts';

const run = promisify(execFile);

async function start(options: TransferOptions): Promise<RunningPeer> {
  await mkdir(options.stateFolder, { recursive: true });
  const rpcPort = options.port + 1;
  const limit = options.uploadLimit === undefined ? 0 : Math.ceil(options.uploadLimit / 1000);
  await writeFile(
    join(options.stateFolder, 'settings.json'),
    JSON.stringify({
      ...transmissionSettings({ ...options, dht: options.dht !== undefined }),
      'rpc-authentication-required': false,
      'rpc-bind-address': options.address,
      'rpc-enabled': true,
      'rpc-port': rpcPort,
      'rpc-whitelist-enabled': false,
      'rpc-host-whitelist-enabled': false,
      'speed-limit-up': limit,
      'speed-limit-up-enabled': options.uploadLimit !== undefined,
    }),
  );
  if (options.dht !== undefined) await writeBootstrapNodes(options.stateFolder, options.dht);
  const child = new Child('transmission-daemon', 'transmission-daemon', [
    '-f',
    '-g',
    options.stateFolder,
  ]);
  const remote = async (...args: string[]) =>
    (
      await run('transmission-remote', [`${options.address}:${rpcPort}`, ...args], {
        timeout: 10_000,
      })
    ).stdout;
  await until(async () => (await remote('-l')).includes('Name'), 15_000, child);
  await remote('-a', options.torrent);
  const done = async () => (await remote('-t', 'all', '-i')).includes('Percent Done: 100%');
  return {
    name: 'transmission',
    ready: (timeoutMs) => until(done, timeoutMs, child),
    complete: (timeoutMs) => until(done, timeoutMs, child),
    stop: async () => {
      await child.stop(10_000);
    },
    output: () => child.output,
  };
}

/** Everything that reaches out is off, but for the DHT where it is wanted. */
export function transmissionSettings(options: {
  readonly address: string;
  readonly port: number;
  readonly folder: string;
  readonly dht: boolean;
}): Readonly<Record<string, unknown>> {
  return {
    'bind-address-ipv4': options.address,
    'dht-enabled': options.dht,
    'download-dir': options.folder,
    encryption: 0,
    'lpd-enabled': false,
    'peer-port': options.port,
    'pex-enabled': false,
    'port-forwarding-enabled': false,
    'utp-enabled': false,
  };
}

/** Transmission reads the nodes that it joins the DHT by from a file of its settings folder. */
export async function writeBootstrapNodes(folder: string, nodes: readonly string[]): Promise<void> {
  const lines = nodes.map((node) => `${node.replace(/:(\d+)$/, ' $1')}\n`);
  await writeFile(join(folder, 'dht.bootstrap'), lines.join(''));
}

/** Asks again and again, since the daemon tells nobody by itself. */
async function until(done: () => Promise<boolean>, timeoutMs: number, child: Child): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    if (await done().catch(() => false)) return;
    if (!child.running || performance.now() > end) {
      throw new Error(
        `transmission is not done after ${timeoutMs / 1000} s: ${child.output.slice(-2_000)}`,
      );
    }
    await sleep(200);
  }
}

export const transmission: PeerProgram = {
  name: 'transmission',
  supportsV2: false,
  makesEmptyFiles: false,
  seed: start,
  download: start,
};
