// The command line of `pieces`: flags to options, and the help that explains them.
import { type HostPort, parseHostPort } from '@bt/endpoint';
import type { Strategies } from '@bt/engine';
import { Command, InvalidArgumentError } from 'commander';
import {
  addEntryOptions,
  address,
  entriesOf,
  number,
  option,
  type Printout,
  parseCommand,
  port,
  wrongUsage,
} from './command-line.ts';
import { parseSize } from './units.ts';

export interface Options {
  /** The path of a .torrent, or a magnet link. */
  readonly torrent: string;
  readonly dir: string;
  /** Where the .torrent of a magnet link is written; `-` is standard output. */
  readonly saveTorrent: string | undefined;
  /** It may replace a file. */
  readonly force: boolean;
  /** The .torrent is all that is wanted. */
  readonly metadataOnly: boolean;
  /** Start from no strategy instead of the defaults. */
  readonly plain: boolean;
  /** Those that a flag names. */
  readonly strategies: Partial<Strategies>;
  readonly seed: boolean;
  readonly seedRatio: number | undefined;
  readonly seedTimeMs: number | undefined;
  readonly peers: readonly HostPort[];
  readonly trackers: boolean;
  /** Undefined: where the torrent has no tracker. */
  readonly dht: boolean | undefined;
  /** `HOST:PORT` of nodes to enter the DHT by; undefined: the public routers. */
  readonly bootstrap: readonly string[] | undefined;
  /** UDP; 0 means a free one. */
  readonly dhtPort: number;
  /** Between two questions for an update of a link of a key. */
  readonly updateMs: number;
  readonly peerExchange: boolean;
  readonly localDiscovery: boolean;
  readonly webSeeds: boolean;
  readonly portMapping: boolean;
  readonly listenPort: number;
  readonly bindAddress: string | undefined;
  readonly maxDownBytesPerSecond: number | undefined;
  readonly maxUpBytesPerSecond: number | undefined;
  /** Globs and indices, as typed; empty means every file. */
  readonly files: readonly string[];
  readonly checkOnly: boolean;
  /** 0 means never. */
  readonly timeoutMs: number;
  readonly diskWaitMs: number;
  readonly output: 'text' | 'json' | 'quiet';
  readonly verbose: boolean;
}

const EXAMPLES = `
Examples:
  pieces -t debian.torrent                       into the current folder, then end
  pieces -t debian.torrent --dir /srv --seed     get what is missing, then seed
  pieces -t film.torrent --files '*.mkv,0,3-5'   some of its files
  pieces -t film.torrent --check                 is what is here right?
  pieces -t film.torrent --plain -r              rarest first and no other strategy
  pieces -t film.torrent -d                      find peers in the DHT as well
  pieces -t film.torrent -d 192.0.2.7:6881       in the DHT that this node is part of
  pieces -m 'magnet:?xt=urn:btih:...'            the files that a magnet link means
  pieces -m 'magnet:?...' --save-torrent x.torrent   its .torrent alone
  pieces dht --help                              a DHT node alone; its items

Defaults that differ from the original's: it started with no strategy, and -o -a -c
-e -r each switched one on. Here these five are on, and --plain is how it was.
-b is off in both.

What is known of the files is kept in ~/.local/state/pieces, so that the next start
needs no full check: in $XDG_STATE_HOME/pieces where that is set, on Windows in
%LOCALAPPDATA%\\pieces. It can be deleted; then all is checked once.

Exit codes: 0 done, 1 --check found something missing or wrong, 2 wrong usage,
3 bad torrent or magnet link, 4 disk error, 5 nobody to download from,
130 interrupted after a clean stop (0 when it was complete). A second Ctrl-C ends
at once.`;

function rate(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined || bytes === 0) {
    throw new InvalidArgumentError(
      'Give bytes a second, such as 500K or 4M (4 MiB/s); without it there is no limit.',
    );
  }
  return bytes;
}

function peer(text: string, before: readonly HostPort[] = []): readonly HostPort[] {
  const parsed = parseHostPort(text);
  if (parsed === undefined || parsed.port === 0) {
    throw new InvalidArgumentError('Give HOST:PORT, such as 192.0.2.7:6881 or [2001:db8::7]:6881.');
  }
  return [...before, parsed];
}

/** Splits at commas, but not within the braces of a glob. */
function list(text: string, before: readonly string[] = []): readonly string[] {
  const parts = text.split(/,(?![^{}]*\})/).filter((part) => part.trim() !== '');
  if (parts.length === 0) {
    throw new InvalidArgumentError("Name files, such as '*.mkv' or 0,3-5; without it all are got.");
  }
  return [...before, ...parts];
}

function folder(text: string): string {
  if (text === '') throw new InvalidArgumentError('Name a folder.');
  return text;
}

function torrent(given: string, before?: string): string {
  const text = unpadded(given);
  if (before !== undefined) throw new InvalidArgumentError(`There is ${before} already.`);
  if (text.startsWith('-')) throw new InvalidArgumentError('Name a file, one like it as ./-NAME.');
  return text;
}

function magnetLink(given: string, before?: string): string {
  const text = given.trim();
  if (before !== undefined) throw new InvalidArgumentError(`There is ${before} already.`);
  if (isMagnetLink(text)) return text;
  const meant = linkOfHash(text);
  const example = meant === undefined ? '.' : `: '${meant}'?`;
  throw new InvalidArgumentError(`Give a link that begins with 'magnet:?', in quotes${example}`);
}

/** Links are pasted, and spaces and line ends with them; in the path of a file they mean something. */
function unpadded(text: string): string {
  const trimmed = text.trim();
  return isMagnetLink(trimmed) ? trimmed : text;
}

export function isMagnetLink(text: string): boolean {
  return /^magnet:/i.test(text);
}

/** The magnet link of what looks like an info-hash, v1 or v2. */
export function linkOfHash(text: string): string | undefined {
  if (/^[0-9a-f]{40}$|^[a-z2-7]{32}$/i.test(text)) return `magnet:?xt=urn:btih:${text}`;
  // BEP 52: a multihash, of SHA-256 (12) with 32 bytes (20).
  return /^[0-9a-f]{64}$/i.test(text) ? `magnet:?xt=urn:btmh:1220${text}` : undefined;
}

function target(text: string): string {
  if (text === '') throw new InvalidArgumentError('Name a file, or - for standard output.');
  return text;
}

/** Each strategy's flag and what it does; all have a `--no-` form. */
const STRATEGY_FLAGS: readonly (readonly [flag: string, name: keyof Strategies, what: string])[] = [
  ['-o, --optimistic-unchoking', 'optimisticUnchoking', 'one slot goes round, whatever peers send'],
  ['-a, --anti-snubbing', 'antiSnubbing', 'no slot for a peer that has sent nothing for a minute'],
  ['-c, --choking-strategy', 'choking', 'slots for those that send to us, not for everyone'],
  ['-e, --end-game-mode', 'endGame', 'ask every peer for the last blocks'],
  ['-r, --rarest-piece-first', 'rarestFirst', 'get the rarest pieces first, not random ones'],
  ['-b, --bbs-plus', 'bbsPlus', 'end game from the first block on; costs bandwidth'],
];

function command(version: string): Command {
  const program = new Command('pieces')
    .usage('-t FILE | -m URI [options]')
    .description('Download a torrent, and seed it.')
    .argument('[file]', 'the .torrent file or the magnet link (the same as -t or -m)')
    .option('-t, --torrent <file>', 'the .torrent file', torrent)
    .option('-m, --magnet-link <uri>', 'the magnet link, in quotes', magnetLink)
    .option(
      '--save-torrent <file>',
      "write the magnet link's .torrent and end; go on with --dir or --seed; - is standard output",
      target,
    )
    .option('--force', 'replace the file of --save-torrent where there is one')
    .option('--dir <folder>', 'make the torrent here (default: the current folder)', folder)
    .option('--files <list>', 'only these files: globs or indices from 0, comma-separated', list)
    .option('--check', 'print how much of the wanted is right, and end: 0 when all, 1 otherwise')
    .option('--seed', 'get what is missing, then seed until interrupted')
    .addOption(
      option('--seed-ratio <ratio>', 'seed until so much was sent for what was received')
        .argParser(number(0, 'Give a ratio such as 2 or 1.5.'))
        .implies({ seed: true }),
    )
    .addOption(
      option('--seed-time <minutes>', 'seed for so long')
        .argParser(number(0, 'Give minutes.'))
        .implies({ seed: true }),
    )
    .optionsGroup('Network:')
    .option('--peer <host:port>', 'a peer to dial; repeatable', peer)
    .option('--no-trackers', 'ask no tracker');
  addEntryOptions(
    program,
    'use the DHT, entered by these nodes (default: public ones); without a tracker it is on by itself',
  );
  program
    .addOption(
      option('-p, --port <port>', "the DHT's UDP port (default: a free one); means -d")
        .argParser(port)
        .implies({ dht: true }),
    )
    .addOption(
      option(
        '--update-every <seconds>',
        'with --seed: how often to look where the link of a key leads (default: 600)',
      ).argParser(number(1, 'Give seconds, 1 or more.')),
    )
    .option('--no-dht', 'no DHT, not even without a tracker')
    .option('--no-pex', 'hear of no peers from peers, and tell of none')
    .option('--no-lsd', 'do not look for peers in the local network')
    .option('--no-web-seeds', "get nothing from the torrent's web servers")
    .option('--no-port-map', 'do not ask the router to pass the port on')
    .option('--listen <port>', 'the port to listen on (default: a free one)', port)
    .option(
      '--bind <address>',
      'bind every socket to it; on loopback nothing leaves this host',
      address,
    )
    .option('--max-down <rate>', 'bytes a second at most; 4M is 4 MiB/s', rate)
    .option('--max-up <rate>', 'bytes a second at most', rate)
    .addOption(
      option('--timeout <seconds>', 'end after so long without a useful peer; 0 never')
        .argParser(number(0, 'Give seconds, or 0 for never.'))
        .default(180),
    )
    .addOption(
      option('--disk-wait <seconds>', 'end when the disk has refused for so long')
        .argParser(number(0, 'Give seconds.'))
        .default(60),
    )
    .optionsGroup('Strategies, on by default but -b; --no-end-game-mode and the like switch off:');
  for (const [flag, , what] of STRATEGY_FLAGS) {
    program.option(flag, what);
    program.addOption(option(flag.replace(/^.*--/, '--no-')).hideHelp());
  }
  return program
    .option('--plain', 'begin with none, as the original does; flags add')
    .optionsGroup('Output:')
    .addOption(option('--json', 'one event a line, as JSON').conflicts('quiet'))
    .option('--quiet', 'nothing but errors')
    .option('-v, --verbose', 'peers and trackers too')
    .version(version, '-V, --version', 'the version')
    .addHelpOption(option('-h, --help', 'this help').helpGroup('Output:'))
    .addHelpText('after', EXAMPLES)
    .allowExcessArguments()
    .exitOverride();
}

/** The strategies that a flag or its `--no-` form names. */
function strategies(values: Readonly<Record<string, unknown>>): Partial<Strategies> {
  const named: Partial<Record<keyof Strategies, boolean>> = {};
  for (const [flag, name] of STRATEGY_FLAGS) {
    const value = values[option(flag).attributeName()];
    if (typeof value === 'boolean') named[name] = value;
  }
  return named;
}

/** The first of them contradicts the others. */
const CONTRADICTING = ['no-dht', 'dht', 'bootstrap', 'port'] as const;

/** Reads the arguments (without node and script). */
export function parseOptions(args: readonly string[], version: string): Options | Printout {
  const program = command(version);
  const named = new Set<string>();
  for (const flag of CONTRADICTING) program.on(`option:${flag}`, () => named.add(flag));
  const printout = parseCommand(program, args);
  if (printout !== undefined) return printout;
  const values = program.opts();
  const given = [values.torrent, values.magnetLink, ...program.args.map(unpadded)];
  const [name = '', another] = given.filter((each) => each !== undefined);
  if (name === '') return wrongUsage('Which torrent? Give it with -t FILE or -m URI.');
  if (another !== undefined) return wrongUsage(`One torrent at a time: ${name} or ${another}?`);
  const { saveTorrent, force } = values;
  if (saveTorrent !== undefined && !isMagnetLink(name)) {
    return wrongUsage('--save-torrent is for magnet links: there is a .torrent already.');
  }
  if (force === true && saveTorrent === undefined) {
    return wrongUsage('--force is for the file of --save-torrent.');
  }
  if (named.has('no-dht') && named.size > 1) {
    const other = named.has('dht') || named.has('bootstrap') ? '-d' : '-p';
    return wrongUsage(`--no-dht and ${other} exclude each other.`);
  }
  const isWatched = values.seed === true && /^magnet:.*urn(:|%3a)btpk/i.test(name);
  if (values.updateEvery !== undefined && !isWatched) {
    return wrongUsage('--update-every goes with --seed and the link of a key.');
  }
  return {
    torrent: name,
    dir: values.dir ?? '.',
    saveTorrent,
    force: force === true,
    metadataOnly: saveTorrent !== undefined && values.dir === undefined && values.seed !== true,
    plain: values.plain === true,
    strategies: strategies(values),
    seed: values.seed === true,
    seedRatio: values.seedRatio,
    seedTimeMs: values.seedTime === undefined ? undefined : values.seedTime * 60_000,
    peers: values.peer ?? [],
    trackers: values.trackers,
    dht: values.dht === undefined ? undefined : values.dht !== false,
    bootstrap: entriesOf(program),
    dhtPort: values.port ?? 0,
    updateMs: (values.updateEvery ?? 600) * 1000,
    peerExchange: values.pex,
    localDiscovery: values.lsd,
    webSeeds: values.webSeeds,
    portMapping: values.portMap,
    listenPort: values.listen ?? 0,
    bindAddress: values.bind,
    maxDownBytesPerSecond: values.maxDown,
    maxUpBytesPerSecond: values.maxUp,
    files: values.files ?? [],
    checkOnly: values.check === true,
    timeoutMs: values.timeout * 1000,
    diskWaitMs: values.diskWait * 1000,
    output: values.json === true ? 'json' : values.quiet === true ? 'quiet' : 'text',
    verbose: values.verbose === true,
  };
}
