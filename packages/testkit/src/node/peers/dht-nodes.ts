// DHT nodes of several makers that know one another: libtorrent's, Transmission's and our own, with no peer among them.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../child.ts';
import { labAddress } from '../namespace.ts';
import { PYTHON } from '../programs.ts';
import { PIECES_CLI } from './pieces.ts';
import { transmissionSettings, writeBootstrapNodes } from './transmission.ts';

export const DHT_PORT = 7000;
/** The first lab address of each maker's nodes. */
const FIRST = { libtorrent: 10, transmission: 20, pieces: 30 } as const;
const LIBTORRENT_SCRIPT = fileURLToPath(
  new URL('../../../python/libtorrent_dht.py', import.meta.url),
);

export interface MixedDhtOptions {
  readonly folder: string;
  /** Nodes of each maker, 10 at most. */
  readonly count: number;
  /** Default: all three. */
  readonly makers?: readonly (keyof typeof FIRST)[];
}

/** An order to libtorrent's first node; see `python/libtorrent_dht.py`. */
export type LibtorrentOrder = Readonly<Record<string, string>>;

export class MixedDht {
  /** `host:port` of the nodes of each maker. */
  readonly nodes: Readonly<Record<keyof typeof FIRST, readonly string[]>>;
  readonly #libtorrent: Child | undefined;
  readonly #others: readonly Child[];

  constructor(nodes: MixedDht['nodes'], libtorrent: Child | undefined, others: readonly Child[]) {
    this.nodes = nodes;
    this.#libtorrent = libtorrent;
    this.#others = others;
  }

  /** Waits until each of libtorrent's nodes has `count` others in its table. */
  async settled(count: number, timeoutMs: number): Promise<void> {
    const sizes = Array.from({ length: this.nodes.libtorrent.length }, () => '(\\d+)').join(', ');
    const end = performance.now() + timeoutMs;
    const child = this.#libtorrent;
    if (child === undefined) return;
    for (;;) {
      child.output = '';
      const match = await child.waitFor(new RegExp(`"nodes": \\[${sizes}\\]`), 10_000);
      if (match.slice(1).every((size) => Number(size) >= count)) return;
      if (performance.now() > end) {
        throw new Error(
          `the DHT has not settled: libtorrent's tables hold ${match.slice(1)} nodes`,
        );
      }
    }
  }

  async askLibtorrent(order: LibtorrentOrder): Promise<Record<string, unknown>> {
    const child = this.#libtorrent;
    if (child === undefined) throw new Error('there is no libtorrent node in this DHT');
    child.output = '';
    child.write(`${JSON.stringify(order)}\n`);
    const [line] = await child.waitFor(/^\{"(target|value|stored)".*\}$/m, 60_000);
    return JSON.parse(line) as Record<string, unknown>;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#libtorrent, ...this.#others].map((child) => child?.stop(5_000)));
  }
}

/** Starts the nodes; they may not have found one another yet. */
export async function startMixedDht(options: MixedDhtOptions): Promise<MixedDht> {
  const makers = options.makers ?? ['libtorrent', 'transmission', 'pieces'];
  const addresses = (maker: keyof typeof FIRST) =>
    Array.from({ length: makers.includes(maker) ? options.count : 0 }, (_, i) =>
      labAddress(FIRST[maker] + i),
    );
  const nodesOf = (maker: keyof typeof FIRST) =>
    addresses(maker).map((address) => `${address}:${DHT_PORT}`);
  const nodes = {
    libtorrent: nodesOf('libtorrent'),
    transmission: nodesOf('transmission'),
    pieces: nodesOf('pieces'),
  };
  const bootstrap = nodes.libtorrent.length > 0 ? nodes.libtorrent : nodes.pieces;
  const libtorrent =
    nodes.libtorrent.length === 0
      ? undefined
      : new Child(
          'libtorrent DHT',
          PYTHON,
          [
            '-W',
            'ignore',
            LIBTORRENT_SCRIPT,
            JSON.stringify({ nodes: addresses('libtorrent').map((host) => [host, DHT_PORT]) }),
          ],
          { input: true },
        );
  const others: Child[] = [];
  for (const address of addresses('transmission')) {
    const folder = join(options.folder, `transmission-${address}`);
    await mkdir(folder, { recursive: true });
    const settings = { ...transmissionSettings({ address, port: DHT_PORT, folder, dht: true }) };
    await writeFile(
      join(folder, 'settings.json'),
      JSON.stringify({ ...settings, 'rpc-enabled': false }),
    );
    await writeBootstrapNodes(folder, bootstrap);
    others.push(new Child('transmission DHT', 'transmission-daemon', ['-f', '-g', folder]));
  }
  for (const address of addresses('pieces')) {
    const known = bootstrap.filter((node) => node !== `${address}:${DHT_PORT}`);
    others.push(
      startDhtNode({ address, port: DHT_PORT, bootstrap: known.slice(0, 3) }, options.folder),
    );
  }
  return new MixedDht(nodes, libtorrent, others);
}

export interface DhtNodeOptions {
  readonly address: string;
  readonly port: number;
  readonly bootstrap: readonly string[];
  readonly extra?: readonly string[];
}

/** `pieces dht`: a node of ours alone. */
export function startDhtNode(options: DhtNodeOptions, folder: string): Child {
  const { address, port, bootstrap, extra = [] } = options;
  return new Child(
    'pieces dht',
    process.execPath,
    [
      '--unhandled-rejections=strict',
      PIECES_CLI,
      'dht',
      ...['--bind', address, '--port', `${port}`, '--json'],
      ...(bootstrap.length === 0 ? [] : ['--bootstrap', bootstrap.join(',')]),
      ...extra,
    ],
    { env: { XDG_STATE_HOME: join(folder, `state-${address}`) } },
  );
}
