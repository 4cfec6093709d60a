// The command line of `pieces`: flags to options, and the help that explains them.
import { type HostPort, parseHostPort } from '@bt/endpoint';
import { defaultStrategies, plainStrategies, type Strategies } from '@bt/engine';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseSize } from './units.ts';

export interface Options {
  readonly torrentFile: string;
  readonly dir: string;
  readonly strategies: Strategies;
  readonly seed: boolean;
  readonly seedRatio: number | undefined;
  readonly seedTimeMs: number | undefined;
  readonly peers: readonly HostPort[];
  readonly trackers: boolean;
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

/** The command line was wrong, or asked for help: what to print, and on which stream. */
export interface Printout {
  readonly text: string;
  readonly isError: boolean;
}

const EXAMPLES = `
Examples:
  pieces -t debian.torrent                       download into the current folder, then end
  pieces -t debian.torrent --dir /srv --seed     download what is missing, then seed until Ctrl-C
  pieces -t film.torrent --files '*.mkv,0,3-5'   some of its files (globs, or indices from 0)
  pieces -t film.torrent --check                 is what is here right?
  pieces -t film.torrent --plain -r              as the original did: no strategy but rarest first

Strategies: all but bbs-plus are on by default; the original's started with none. --plain starts from none, as the original did,
and the flags then add: with --plain, -o -a -c -e -r are off until named. -b is off in both.

Exit codes: 0 done, 1 --check found something missing or wrong, 2 wrong usage, 3 bad torrent, 4 disk error,
5 nobody to download from, 130 interrupted after a clean stop (0 when it was complete).
A second Ctrl-C ends at once.`;

function rate(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined || bytes === 0) {
    throw new InvalidArgumentError('Give bytes a second, such as 500K or 4M (4 MiB/s).');
  }
  return bytes;
}

function number(least: number, what: string): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || value < least) throw new InvalidArgumentError(what);
    return value;
  };
}

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) {
    throw new InvalidArgumentError('Give a port from 0 (a free one) to 65535.');
  }
  return value;
}

function peer(text: string, before: readonly HostPort[]): readonly HostPort[] {
  const parsed = parseHostPort(text);
  if (parsed === undefined || parsed.port === 0) {
    throw new InvalidArgumentError('Give HOST:PORT, such as 192.0.2.7:6881 or [2001:db8::7]:6881.');
  }
  return [...before, parsed];
}

function list(text: string, before: readonly string[]): readonly string[] {
  return [...before, ...text.split(',').filter((part) => part !== '')];
}

function command(version: string): Command {
  return new Command('pieces')
    .description('Download and seed a torrent.')
    .version(version)
    .requiredOption('-t, --torrent <file>', 'the .torrent file')
    .option(
      '--dir <folder>',
      "the folder in which the torrent's name is made (default: the current one)",
    )
    .option('--seed', 'check what is there, get what is missing, then seed until interrupted')
    .option(
      '--seed-ratio <ratio>',
      'stop seeding at this ratio of sent to size',
      number(0, 'Give a ratio such as 2 or 1.5.'),
    )
    .option(
      '--seed-time <minutes>',
      'stop seeding after so many minutes',
      number(0, 'Give minutes.'),
    )
    .option(
      '--files <list>',
      'only these files: globs or indices from 0, comma-separated',
      list,
      [],
    )
    .option('--check', 'print the share that is right and end: 0 when whole, 1 otherwise')
    .optionsGroup('Strategies:')
    .option('-o, --optimistic-unchoking', 'give one slot to a peer by turns, whatever it sends')
    .option('--no-optimistic-unchoking')
    .option('-a, --anti-snubbing', 'stop uploading to a peer that has sent nothing for a minute')
    .option('--no-anti-snubbing')
    .option(
      '-c, --choking-strategy',
      'upload to those that upload to us; without it, to everyone interested',
    )
    .option('--no-choking-strategy')
    .option('-e, --end-game-mode', 'ask every peer for the last blocks')
    .option('--no-end-game-mode')
    .option('-r, --rarest-piece-first', 'get the rarest pieces first; without it, random ones')
    .option('--no-rarest-piece-first')
    .option('-b, --bbs-plus', 'end game from the first block on (costs bandwidth)')
    .option('--no-bbs-plus')
    .option('--plain', 'start from no strategy, as the original did; the flags above then add')
    .optionsGroup('Network:')
    .option('--peer <host:port>', 'a peer to dial (repeatable)', peer, [])
    .option('--no-trackers', 'ask no tracker')
    .option('--listen <port>', 'the port to listen on (default: a free one)', port, 0)
    .option(
      '--bind <address>',
      'the local address of every socket, outgoing ones and trackers included',
    )
    .option('--max-down <rate>', 'bytes a second at most; 4M is 4 MiB/s', rate)
    .option('--max-up <rate>', 'bytes a second at most', rate)
    .option(
      '--timeout <seconds>',
      'give up after so long without a peer that has what is missing; 0 never',
      number(0, 'Give seconds, or 0 for never.'),
      180,
    )
    .option(
      '--disk-wait <seconds>',
      'give up when a disk error has lasted so long',
      number(0, 'Give seconds.'),
      60,
    )
    .optionsGroup('Output:')
    .addOption(new Option('--json', 'one event a line, as JSON').conflicts('quiet'))
    .option('--quiet', 'nothing but errors')
    .option('-v, --verbose', 'peers and trackers too')
    .addHelpText('after', EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride();
}

/** Which strategies the flags ask for: each flag over its default, which `--plain` sets to off. */
function strategies(values: Readonly<Record<string, unknown>>): Strategies {
  const base = values.plain === true ? plainStrategies : defaultStrategies;
  const flag = (name: string, fallback: boolean) =>
    (values[name] as boolean | undefined) ?? fallback;
  return {
    optimisticUnchoking: flag('optimisticUnchoking', base.optimisticUnchoking),
    antiSnubbing: flag('antiSnubbing', base.antiSnubbing),
    choking: flag('chokingStrategy', base.choking),
    endGame: flag('endGameMode', base.endGame),
    rarestFirst: flag('rarestPieceFirst', base.rarestFirst),
    bbsPlus: flag('bbsPlus', base.bbsPlus),
  };
}

/** Reads the arguments (without node and script). */
export function parseOptions(args: readonly string[], version: string): Options | Printout {
  let text = '';
  const program = command(version).configureOutput({
    writeOut: (part) => {
      text += part;
    },
    writeErr: (part) => {
      text += part;
    },
  });
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const isError = error.exitCode !== 0;
    return { text: isError ? `${usageSentence(error.message)}\n` : text, isError };
  }
  const values = program.opts();
  return {
    torrentFile: values.torrent,
    dir: values.dir ?? '.',
    strategies: strategies(values),
    seed: values.seed === true,
    seedRatio: values.seedRatio,
    seedTimeMs: values.seedTime === undefined ? undefined : values.seedTime * 60_000,
    peers: values.peer,
    trackers: values.trackers,
    listenPort: values.listen,
    bindAddress: values.bind,
    maxDownBytesPerSecond: values.maxDown,
    maxUpBytesPerSecond: values.maxUp,
    files: values.files,
    checkOnly: values.check === true,
    timeoutMs: values.timeout * 1000,
    diskWaitMs: values.diskWait * 1000,
    output: values.json === true ? 'json' : values.quiet === true ? 'quiet' : 'text',
    verbose: values.verbose === true,
  };
}

function usageSentence(message: string): string {
  const sentence = message.replace(/^error: /, '').replaceAll('\n', ' ');
  const start = sentence.charAt(0).toUpperCase() + sentence.slice(1);
  return `${start.endsWith('.') ? start : `${start}.`} See pieces --help.`;
}
