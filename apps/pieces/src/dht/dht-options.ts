// The command lines of `pieces dht`, `pieces dht get` and `pieces dht put`.
import { fromHex } from '@bt/metainfo';
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
} from '../command-line.ts';

/** How the node is opened. */
export interface NodeOptions {
  readonly bindAddress: string | undefined;
  readonly port: number;
  /** Undefined: the public routers, and nobody on loopback. */
  readonly bootstrap: readonly string[] | undefined;
  readonly json: boolean;
}

export interface ServeOptions extends NodeOptions {
  readonly command: 'serve';
  readonly rateLimit: boolean;
  /** Between two lines of statistics. */
  readonly everyMs: number;
}

export interface GetOptions extends NodeOptions {
  readonly command: 'get';
  /** 20 bytes of a target, or 32 of a public key. */
  readonly key: Uint8Array;
  readonly salt: string | undefined;
  readonly timeoutMs: number;
  /** The bencoded value as it is. */
  readonly bencoded: boolean;
}

export interface PutOptions extends NodeOptions {
  readonly command: 'put';
  readonly text: string | undefined;
  readonly file: string | undefined;
  /** The text or file is bencoded already, not a string to encode. */
  readonly bencoded: boolean;
  /** The file of a key: the item is mutable. */
  readonly keyFile: string | undefined;
  /** Undefined: one more than what is there. */
  readonly sequence: bigint | undefined;
  readonly compareSequence: bigint | undefined;
  readonly salt: string | undefined;
  readonly timeoutMs: number;
}

export type DhtCommand = ServeOptions | GetOptions | PutOptions;

/** BEP 44. */
export const TARGET_BYTES = 20;
const KEY_BYTES = 32;
/** Largest sequence number (BEP 44). */
const MAX_SEQUENCE = 2n ** 63n - 1n;

const SERVE_EXAMPLES = `
Commands:
  get TARGET|KEY    an item that is kept in the DHT (BEP 44); see pieces dht get --help
  put [TEXT]        keeps one there; see pieces dht put --help

Examples:
  pieces dht                                        a node of the public DHT
  pieces dht --bind 10.0.0.1 --port 6881            the first node of another one
  pieces dht --bind 10.0.0.2 --bootstrap 10.0.0.1:6881

It runs until it is interrupted, and then ends with 0. Exit codes: 0 done, 2 wrong
usage, 4 disk error.`;

const GET_EXAMPLES = `
Examples:
  pieces dht get e5f96f6f38320f0f33959cb4d3d656452117aadb
  pieces dht get 77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548 --salt foobar

A value that is a text is printed as it is; any other as bencode. Exit codes: 0 it is
here, 2 wrong usage, 5 nobody has it, 130 interrupted.`;

const PUT_EXAMPLES = `
Examples:
  pieces dht put 'Hello World!'                       prints its target: what get takes
  pieces dht put --file notice.txt --key my.key       under the key of my.key, which is
                                                      made if it is not there
  pieces dht put 'v2' --key my.key --salt news --cas 7

Nodes keep an item for two hours, so put it again before. Exit codes: 0 kept, 2 wrong
usage, 4 the file can't be read, 5 nobody keeps it, 130 interrupted.`;

/** Reads the arguments behind `pieces dht`. */
export function parseDhtOptions(args: readonly string[]): DhtCommand | Printout {
  const [first, ...rest] = args;
  if (first === 'get') return parseGet(rest);
  if (first === 'put') return parsePut(rest);
  return parseServe(args);
}

function parseServe(args: readonly string[]): ServeOptions | Printout {
  const program = nodeCommand('pieces dht', 'Run a DHT node, and print its statistics.')
    .usage('[options]')
    .option('--no-rate-limit', 'answer without limits: for trusted networks and benchmarks')
    .addOption(
      option('--every <seconds>', 'between two lines of statistics')
        .argParser(number(0.1, 'Give seconds, 0.1 or more.'))
        .default(10),
    )
    .addHelpText('after', SERVE_EXAMPLES);
  const printout = parseCommand(program, args);
  if (printout !== undefined) return printout;
  if (program.args.length > 0)
    return wrongUsage(`Unknown command '${program.args[0]}'`, 'pieces dht');
  const { rateLimit, every } = program.opts();
  return { command: 'serve', ...nodeOptions(program), rateLimit, everyMs: every * 1000 };
}

function parseGet(args: readonly string[]): GetOptions | Printout {
  const program = nodeCommand('pieces dht get', 'Get an item that is kept in the DHT (BEP 44).')
    .usage('TARGET|KEY [options]')
    .argument('<target|key>', 'the target (40 hexadecimal digits), or the public key (64)')
    .option('--salt <text>', 'with a key: the salt', salt)
    .option('--bencoded', 'print the value bencoded, whatever it is')
    .addOption(timeout())
    .addHelpText('after', GET_EXAMPLES);
  const printout = parseCommand(program, args);
  if (printout !== undefined) return printout;
  const [first = '', more] = program.args;
  if (more !== undefined) {
    return wrongUsage(`One item at a time: what is '${more}'?`, 'pieces dht get');
  }
  const key = fromHex(first);
  if (key?.length !== TARGET_BYTES && key?.length !== KEY_BYTES) {
    return wrongUsage('A target has 40 hexadecimal digits and a public key 64.', 'pieces dht get');
  }
  const values = program.opts();
  if (values.salt !== undefined && key.length === TARGET_BYTES) {
    return wrongUsage('A salt goes with a public key: a target has it in it.', 'pieces dht get');
  }
  return {
    command: 'get',
    ...nodeOptions(program),
    key,
    salt: values.salt,
    bencoded: values.bencoded === true,
    timeoutMs: values.timeout * 1000,
  };
}

function parsePut(args: readonly string[]): PutOptions | Printout {
  const program = nodeCommand('pieces dht put', 'Keep an item in the DHT (BEP 44).')
    .usage('[TEXT] [options]')
    .argument('[text]', 'the value; - is what standard input has')
    .option(
      '--file <file>',
      'the value is what the file has, up to some 990 bytes; - is standard input',
    )
    .option('--bencoded', 'the value is bencoded already')
    .option('--key <file>', "an item that can be changed: under this file's key")
    .option('--seq <number>', 'its sequence number (default: the next one)', sequence)
    .option('--cas <number>', 'only in the place of the one with this number', sequence)
    .option('--salt <text>', 'one of several items under the key', salt)
    .addOption(timeout())
    .addHelpText('after', PUT_EXAMPLES);
  const printout = parseCommand(program, args);
  if (printout !== undefined) return printout;
  const [text, ...more] = program.args;
  if (more.length > 0) {
    const message = `One text at a time, in quotes: '${program.args.join(' ')}'?`;
    return wrongUsage(message, 'pieces dht put');
  }
  const values = program.opts();
  if ((text === undefined) === (values.file === undefined)) {
    return wrongUsage('What is to be kept? Give a text, or a file with --file.', 'pieces dht put');
  }
  const { key, seq, cas } = values;
  if (key === undefined && [seq, cas, values.salt].some((value) => value !== undefined)) {
    return wrongUsage('--seq, --cas and --salt go with --key.', 'pieces dht put');
  }
  return {
    command: 'put',
    ...nodeOptions(program),
    text,
    file: values.file,
    bencoded: values.bencoded === true,
    keyFile: key,
    sequence: seq,
    compareSequence: cas,
    salt: values.salt,
    timeoutMs: values.timeout * 1000,
  };
}

function nodeCommand(name: string, what: string): Command {
  const program = new Command(name)
    .description(what)
    .option('-p, --port <port>', 'the UDP port (default: a free one)', port)
    .option(
      '--bind <address>',
      'bind the socket to it; on loopback nothing leaves this host',
      address,
    )
    .option('--json', 'print JSON, one object a line')
    .helpOption('-h, --help', 'this help')
    .allowExcessArguments();
  return addEntryOptions(program, 'nodes to enter the network by (default: the public routers)');
}

function nodeOptions(program: Command): NodeOptions {
  const { port: udpPort = 0, bind, json } = program.opts();
  const bootstrap = entriesOf(program);
  return { bindAddress: bind, port: udpPort, bootstrap, json: json === true };
}

function timeout() {
  return option('--timeout <seconds>', 'give up after so long')
    .argParser(number(0.1, 'Give seconds, 0.1 or more.'))
    .default(60);
}

function salt(text: string): string {
  if (text === '' || Buffer.byteLength(text) > 64) {
    throw new InvalidArgumentError('A salt has 1 to 64 bytes.');
  }
  return text;
}

function sequence(text: string): bigint {
  const value = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n;
  if (value < 0n || value > MAX_SEQUENCE) {
    throw new InvalidArgumentError('Give a number from 0 to 9223372036854775807.');
  }
  return value;
}
