// What the words on the command line mean. Nothing here touches a file.
import { parseAddress, parseHostPort } from '@bt/endpoint';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { usageError } from './exit.ts';

export interface MakeArguments {
  readonly kind: 'make';
  readonly input: string;
  /** `-` is standard output; absent: by the torrent's name. */
  readonly torrentPath?: string | undefined;
  readonly announceTiers: readonly (readonly string[])[];
  readonly webSeeds: readonly string[];
  readonly comment?: string | undefined;
  readonly name?: string | undefined;
  readonly pieceLength?: number | undefined;
  readonly version: 'v1' | 'v2' | 'hybrid';
  readonly isPrivate: boolean;
  readonly source?: string | undefined;
  readonly hasEntropy: boolean;
  readonly hasDate: boolean;
  readonly exclude: readonly string[];
  readonly threads?: number | undefined;
  readonly isForced: boolean;
  readonly isVerbose: boolean;
  readonly isJson: boolean;
  readonly wantsMagnet: boolean;
}

export interface ShowArguments {
  readonly kind: 'show';
  readonly torrent: string;
  readonly isJson: boolean;
  readonly wantsMagnet: boolean;
}

export interface CheckArguments {
  readonly kind: 'check';
  readonly torrent: string;
  readonly data: string;
  readonly threads?: number | undefined;
  readonly isJson: boolean;
}

export interface PublishArguments {
  readonly kind: 'publish';
  readonly torrent: string;
  /** The file of the key. */
  readonly key: string;
  readonly salt?: string | undefined;
  /** `HOST:PORT` of nodes to enter the DHT by; absent: the public routers. */
  readonly bootstrap?: readonly string[] | undefined;
  readonly bindAddress?: string | undefined;
  /** UDP; 0: a free one. */
  readonly port: number;
  readonly timeoutMs: number;
  readonly isJson: boolean;
}

export type Invocation =
  | MakeArguments
  | ShowArguments
  | CheckArguments
  | PublishArguments
  | { readonly kind: 'print'; readonly text: string };

/** What stands in place of INPUT, for a sentence. */
export const COMMANDS = 'show FILE, check FILE DATA and publish FILE';

/** @throws ExitError for words that mean nothing. */
export function parseArguments(words: readonly string[], version: () => string): Invocation {
  let invocation: Invocation | undefined;
  let printed = '';
  const accept = (next: Invocation) => {
    invocation = next;
  };
  const program = describeProgram(accept);
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => {
        printed += text;
      },
      writeErr: () => {}, // told by whoever catches the error
    });
  }
  try {
    program.parse(dropFlagValues(words, program), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(sentence(error.message), nameOf(words, program));
  }
  if (program.opts<{ version?: boolean }>().version === true)
    return { kind: 'print', text: `${version()}\n` };
  if (invocation === undefined) return { kind: 'print', text: printed };
  return invocation;
}

/** What the words are of: the program, or one of its commands. */
function nameOf([first]: readonly string[], program: Command): string {
  const isCommand = program.commands.some((command) => command.name() === first);
  return isCommand ? `${program.name()} ${first}` : program.name();
}

interface MakeOptions {
  readonly announceUrls?: string[][];
  readonly inputFile?: string;
  readonly comment?: string;
  readonly notWrite?: boolean;
  readonly pieceLength?: number;
  readonly torrentName?: string;
  readonly torrentPath?: string;
  readonly verbose?: boolean;
  readonly v2?: boolean;
  readonly hybrid?: boolean;
  readonly private?: boolean;
  readonly source?: string;
  readonly webSeed?: string[];
  readonly exclude?: string[];
  readonly entropy?: boolean;
  readonly threads?: number;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly magnet?: boolean;
}

function describeProgram(accept: (invocation: Invocation) => void): Command {
  const program = new Command('mktorrent')
    .description('Makes a .torrent of a file or a folder; shows one; checks files against one.')
    .usage(
      '[options] [INPUT]\n       mktorrent show FILE\n       mktorrent check FILE DATA\n       mktorrent publish FILE --key KEYFILE',
    )
    .argument('[INPUT]', 'the file or folder to share (the same as -f)')
    .option(
      '-a, --announce-urls <URLS>',
      'tracker, or several of one tier with commas; repeat for the next tier',
      tier,
    )
    .option('-f, --input-file <PATH>', 'the file or folder to share')
    .option('-c, --comment <TEXT>', 'a comment for people')
    .option('-w, --not-write', 'do not write the creation date')
    .option(
      '-l, --piece-length <N>',
      'up to 36: two to the power of N; above: bytes; or 256K, 1M. Default: see below',
      pieceLength,
    )
    .option('-n, --torrent-name <NAME>', "name of the shared file or folder (default: the input's)")
    .option(
      '-p, --torrent-path <PATH>',
      'where to write; - is standard output (default: NAME.torrent here)',
    )
    .option('-v, --verbose', 'tell all that the torrent holds')
    .option('--v2', 'BitTorrent v2 (BEP 52) instead of v1')
    .option('--hybrid', 'v1 and v2 in one torrent')
    .option('--private', 'peers come from the trackers only (BEP 27)')
    .option('--source <TEXT>', 'a word that changes the info-hash, as private trackers ask for')
    .option('--web-seed <URL>', 'an HTTP address of the same files (BEP 19); repeatable', webSeed)
    .option(
      '--exclude <GLOB>',
      'leave out files and folders: *.tmp by name, sub/*.tmp by path; repeatable',
      several,
    )
    .option('--entropy', 'random bytes that change the info-hash')
    .option('--threads <N>', 'threads that hash (default: one for each processor)', threads)
    .option('--force', 'replace a .torrent that exists')
    .option('--json', 'print the result as one line of JSON')
    .option('--magnet', 'print the magnet link too')
    .option('--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print this help, or that of a command')
    .addHelpText('after', HELP)
    .allowExcessArguments()
    .enablePositionalOptions()
    .action((positional: string | undefined, options: MakeOptions, { args }: Command) => {
      if ('version' in options) return;
      if (args.length > 1) {
        throw usageError(
          `'${positional}' is no command: those are ${COMMANDS}. A torrent is made of one INPUT, a file or a folder.`,
        );
      }
      accept(makeArguments(positional, options));
    });
  program
    .command('show')
    .description('tell what a .torrent holds')
    .argument('<FILE>', 'the .torrent')
    .option('--json', 'as one line of JSON')
    .option('--magnet', 'only the magnet link')
    .allowExcessArguments(false)
    .action((torrent: string, { json = false, magnet = false }) => {
      accept({ kind: 'show', torrent, isJson: json, wantsMagnet: magnet });
    });
  program
    .command('check')
    .description(
      'compare files with a .torrent; exit code 0 when all is there and right, 1 when not',
    )
    .argument('<FILE>', 'the .torrent')
    .argument('<DATA>', 'the file or folder it was made of, or the folder around that')
    .option('--json', 'as one line of JSON')
    .option('--threads <N>', 'threads that hash (default: one for each processor)', threads)
    .allowExcessArguments(false)
    .action((torrent: string, data: string, { json = false, threads: count }) => {
      accept({ kind: 'check', torrent, data, isJson: json, threads: count });
    });
  program
    .command('publish')
    .description(
      'let a key point to a .torrent in the DHT (BEP 46), and print the magnet link that follows it; nodes forget it after two hours',
    )
    .argument('<FILE>', 'the .torrent')
    .requiredOption('--key <KEYFILE>', 'the file of the key; made if it is not there')
    .option('--salt <TEXT>', 'one of several things under the key', salt)
    .option(
      '-d, --dht <HOST:PORT,...>',
      'nodes to enter the DHT by (default: the public routers)',
      nodes,
    )
    .option('--bootstrap <HOST:PORT,...>', 'the same as -d', nodes)
    .option('-p, --port <PORT>', 'the UDP port (default: a free one)', port)
    .option('--bind <ADDRESS>', 'bind the socket to it', address)
    .option('--timeout <SECONDS>', 'give up after so long', seconds, 60)
    .option('--json', 'as one line of JSON')
    .allowExcessArguments(false)
    .action((torrent: string, options) => {
      const { key, salt: saltText, bind, dht, bootstrap, port: udpPort = 0, timeout } = options;
      accept({
        kind: 'publish',
        torrent,
        key,
        salt: saltText,
        bootstrap: dht && bootstrap ? [...dht, ...bootstrap] : (dht ?? bootstrap),
        bindAddress: bind,
        port: udpPort,
        timeoutMs: timeout * 1000,
        isJson: options.json === true,
      });
    });
  return program;
}

function makeArguments(positional: string | undefined, options: MakeOptions): MakeArguments {
  const { inputFile, torrentPath, json = false, magnet = false } = options;
  if (positional !== undefined && inputFile !== undefined) {
    throw usageError(`The input is given twice: ${inputFile} and ${positional}.`);
  }
  const input = inputFile ?? positional;
  if (input === undefined || input === '') throw usageError('Which file or folder? Give INPUT.');
  if (options.v2 === true && options.hybrid === true) {
    throw usageError('--v2 and --hybrid exclude each other.');
  }
  if (torrentPath === '') throw usageError('-p needs a path.');
  if (options.torrentName?.includes('/')) {
    throw usageError(`'${options.torrentName}' is not possible as the name of a file or folder.`);
  }
  if (torrentPath === '-' && (json || magnet)) {
    throw usageError(`-p - and --${json ? 'json' : 'magnet'} both want standard output.`);
  }
  return {
    kind: 'make',
    input,
    torrentPath,
    announceTiers: options.announceUrls ?? [],
    webSeeds: options.webSeed ?? [],
    comment: options.comment,
    name: options.torrentName,
    pieceLength: options.pieceLength,
    version: options.v2 === true ? 'v2' : options.hybrid === true ? 'hybrid' : 'v1',
    isPrivate: options.private ?? false,
    source: options.source,
    hasEntropy: options.entropy ?? false,
    hasDate: !(options.notWrite ?? false),
    exclude: options.exclude ?? [],
    threads: options.threads,
    isForced: options.force ?? false,
    isVerbose: options.verbose ?? false,
    isJson: json,
    wantsMagnet: magnet,
  };
}

/** The original's help showed `-w 1` and `-v true`: such a word after these flags belongs to them and means nothing. */
function dropFlagValues(words: readonly string[], program: Command): string[] {
  const valued = program.options.filter((option) => option.required);
  const withValue = new Set(valued.flatMap(({ short, long }) => [short, long]));
  const kept: string[] = [];
  let before: 'flag' | 'option' | 'other' = 'other';
  for (const [index, word] of words.entries()) {
    if (before === 'option') {
      kept.push(word); // the option's own value, whatever it looks like
      before = 'other';
      continue;
    }
    if (word === '--') return [...kept, ...words.slice(index)];
    const isIgnored = before === 'flag' && /^(?:[01]|true|false)$/i.test(word);
    if (/^(?:-w|-v|--not-write|--verbose)$/.test(word)) before = 'flag';
    else before = withValue.has(word) ? 'option' : 'other';
    if (!isIgnored) kept.push(word.replace(/^(--not-write|--verbose)=.*/s, '$1'));
  }
  return kept;
}

function tier(value: string, tiers: string[][] = []): string[][] {
  const urls = value
    .split(',')
    .map((url) => url.trim())
    .filter((url) => url !== '');
  if (urls.length === 0) throw new InvalidArgumentError('It names no tracker.');
  for (const url of urls) checkUrl(url, ['http:', 'https:', 'udp:', 'ws:', 'wss:']);
  return [...tiers, urls];
}

function webSeed(value: string, before: string[] = []): string[] {
  checkUrl(value, ['http:', 'https:', 'ftp:']);
  return [...before, value];
}

function checkUrl(text: string, protocols: readonly string[]): void {
  const protocol = URL.canParse(text) ? new URL(text).protocol : '';
  if (protocols.includes(protocol)) return;
  const list = protocols.map((name) => `${name}//`).join(', ');
  throw new InvalidArgumentError(`${text} is not an address that begins with one of ${list}.`);
}

function several(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function pieceLength(value: string): number {
  const [, digits, unit = ''] = /^(\d{1,12})([KMG]?)(?:i?B)?$/i.exec(value) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('Examples: 18, 262144, 256K, 1M.');
  const number = Number(digits);
  const isExponent = value === digits && number <= 36;
  if (isExponent && number < 14) {
    throw new InvalidArgumentError('As an exponent it has to be from 14 (16 KiB) to 36 (64 GiB).');
  }
  return isExponent
    ? 2 ** number
    : number * 1024 ** ['', 'K', 'M', 'G'].indexOf(unit.toUpperCase());
}

function threads(value: string): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1 && count <= 64) return count;
  throw new InvalidArgumentError('It has to be from 1 to 64.');
}

function salt(value: string): string {
  if (value !== '' && Buffer.byteLength(value) <= 64) return value;
  throw new InvalidArgumentError('It has to have 1 to 64 bytes.');
}

function nodes(value: string, before: string[] = []): string[] {
  const named = value.split(',').filter((node) => node.trim() !== '');
  for (const node of named) {
    const parsed = parseHostPort(node);
    if (parsed === undefined || parsed.port === 0) {
      throw new InvalidArgumentError(`${node} is no HOST:PORT, such as 192.0.2.7:6881.`);
    }
  }
  return [...before, ...named];
}

function port(value: string): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && number <= 65_535) return number;
  throw new InvalidArgumentError('It has to be from 0 (a free one) to 65535.');
}

function address(value: string): string {
  if (parseAddress(value) !== undefined) return value;
  throw new InvalidArgumentError('It has to be an IP address of this machine.');
}

function seconds(value: string): number {
  const number = Number(value);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new InvalidArgumentError('It has to be a number above 0.');
}

/** Commander's message as a sentence. */
function sentence(message: string): string {
  const text = message.replace(/^error: /, '').split('\n')[0] ?? '';
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

const HELP = `
Piece length, if -l does not say: the smallest power of two from 16 KiB to 16 MiB
that makes at most 2,000 pieces. Symbolic links are followed. Sockets, pipes and
devices are skipped. A file that can't be read, or that changes meanwhile, is an
error. The creation date is the time now, or SOURCE_DATE_EPOCH.

Examples:
  mktorrent -a udp://tracker.example:6969 holiday/
  mktorrent -a https://one.example/announce,https://two.example/announce \\
            -a udp://backup.example:80 -f film.mkv -p film.torrent
  mktorrent --hybrid --private -l 1M --exclude '*.tmp' -f holiday/
  mktorrent show holiday.torrent
  mktorrent check holiday.torrent ~/Downloads
  mktorrent publish holiday.torrent --key my.key

Exit codes: 0 done, 1 check failed or unexpected error, 2 wrong usage, 3 bad
torrent, 4 disk, 5 nobody in the DHT takes it, 130 interrupted. A second Ctrl-C
ends at once.
Debian's mktorrent means other things by -w (web seed), -p (private), -o (output)
and -d (no date).`;
