// The command line of `p2p-client`: flags to options, and the help that explains them.
import { isPort, parseAddress, parseHostPort } from '@bt/endpoint';
import { isMemberName, isPoolName, MAX_NAME_BYTES, MAX_PHRASE_BYTES } from '@bt/nat-punch';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseSize } from './units.ts';

/** What a NAT of that number would do is done to our sockets; undefined: nothing. */
export type NatType = 0 | 1 | 2 | 3;

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly json: boolean;
}

export interface ChatOptions extends ServerOptions {
  readonly command: 'chat';
  readonly pool: string;
  /** TLS to the server. */
  readonly tls: boolean;
  readonly natType: NatType | undefined;
  readonly name: string | undefined;
  /** True: it is to be typed. */
  readonly phrase: string | true | undefined;
  /** Files are taken without asking, into this folder; undefined: they are asked about, and go to the current one. */
  readonly saveTo: string | undefined;
  readonly maxFileBytes: number;
}

export interface DoctorOptions extends ServerOptions {
  readonly command: 'doctor';
}

export type Options = ChatOptions | DoctorOptions;

/** The command line was wrong, or asked for help: what to print, and on which stream. */
export interface Printout {
  readonly text: string;
  readonly isError: boolean;
}

const DEFAULT_MAX_FILE = '1G';

const CHAT_HELP = `
Whoever joins the same pool at the same server is a partner: type, press Enter, and
they see it. What is typed while nobody is there, or the way is broken, is delivered
later, once and in order. A line of more than 16 KiB arrives as several messages.

While chatting:
  /send FILE   offer a file; it goes on where an earlier try stopped
  /take N      take file N that a partner offers; /refuse N: do not take it
  /path        direct or relay, and why
  /code        a short code; if the partner sees the same, nobody sits between
  /who         who is here
  /quit        leave, in 5 s at most if something is on its way (again: at once); the
               end of the input waits until all is delivered
  //text       says /text

NATTYPE makes this machine behave as behind a NAT, for trying things out: 0 full cone,
1 address-restricted, 2 port-restricted, 3 symmetric.

Examples:
  p2p-client chat.example.org 3478 100
  p2p-client chat.example.org 3478 100 --name Ada --phrase 'correct horse battery'
  p2p-client chat.example.org 3478 100 --phrase           the phrase is typed
  echo 'it is done' | p2p-client chat.example.org 3478 100
  p2p-client chat.example.org 3478 100 --save-to inbox    takes files without asking
  p2p-client 127.0.0.1 3478 100 3                         as behind a symmetric NAT
  p2p-client doctor chat.example.org 3478                 what is my NAT like?

Without --phrase whoever knows the pool is a partner. The server and its relay never
see what is said; with --phrase they can't put themselves between either.

Exit codes: 0 left by /quit or at the end of the input, 2 wrong usage, 3 the server
can't be reached or refuses, 4 left by /quit before all was delivered, 74
standard output can't be written to, 130 interrupted, 141 nobody reads it any more.`;

const DOCTOR_HELP = `
Exit codes: 0 it is known as far as the server can tell, 2 wrong usage, 3 the server
can't be reached, 130 interrupted.`;

/** What the arguments mean, or what to print instead. */
export function parseOptions(args: readonly string[], version: string): Options | Printout {
  return args[0] === 'doctor' ? parseDoctor(args.slice(1)) : parseChat(args, version);
}

function parseChat(args: readonly string[], version: string): Options | Printout {
  const program = new Command('p2p-client')
    .usage('HOST PORT POOL [NATTYPE] [options]\n       p2p-client doctor HOST PORT [options]')
    .description('Chat with whoever joins the same pool, through any NAT.')
    .argument('<host>', 'the server: a name or an address', host)
    .argument('<port>', 'its port', port)
    .argument('<pool>', 'a number or any short word that the partners agree on', pool)
    .argument('[nattype]', 'for tests: 0, 1, 2 or 3', natType)
    .option('--name <name>', 'what the partners see', name)
    .option('--phrase [text]', 'what all partners must know; typed where no text is given', phrase)
    .option(
      '--save-to <folder>',
      'take files without asking, into this folder (made if need be)',
      folder,
    )
    .addOption(
      new Option('--max-file <size>', 'refuse files that are larger')
        .argParser(size)
        .default(parseSize(DEFAULT_MAX_FILE), DEFAULT_MAX_FILE),
    )
    .option('--tls', 'speak TLS to the server')
    .option('--json', 'print events as JSON, one a line')
    .version(version, '--version', 'print the version')
    .helpOption('--help', 'print this')
    .addHelpText('after', CHAT_HELP);
  const printout = parse(program, args);
  if (printout !== undefined) return printout;
  const [hostOf, portOf, poolOf, natTypeOf] = program.processedArgs;
  const flags = program.opts();
  return {
    command: 'chat',
    host: hostOf,
    port: portOf,
    pool: poolOf,
    natType: natTypeOf,
    name: flags.name,
    phrase: flags.phrase,
    saveTo: flags.saveTo,
    maxFileBytes: flags.maxFile,
    tls: flags.tls === true,
    json: flags.json === true,
  };
}

function parseDoctor(args: readonly string[]): Options | Printout {
  const program = new Command('p2p-client doctor')
    .usage('HOST PORT [options]')
    .description('Tell what the NAT between here and the server does, and what that means.')
    .argument('<host>', 'the server: a name or an address', host)
    .argument('<port>', 'its port', port)
    .option('--json', 'print it as JSON')
    .helpOption('--help', 'print this')
    .addHelpText('after', DOCTOR_HELP);
  const printout = parse(program, args);
  if (printout !== undefined) return printout;
  const [hostOf, portOf] = program.processedArgs;
  const flags = program.opts();
  return {
    command: 'doctor',
    host: hostOf,
    port: portOf,
    json: flags.json === true,
  };
}

function parse(program: Command, args: readonly string[]): Printout | undefined {
  let text = '';
  const print = (part: string) => {
    text += part;
  };
  program.configureOutput({ writeOut: print, writeErr: print }).exitOverride();
  try {
    program.parse(args, { from: 'user' });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { text, isError: false };
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}`;
    const end = /[.?]$/.test(sentence) ? '' : '.';
    return { text: `p2p-client: ${sentence}${end} See ${program.name()} --help.\n`, isError: true };
  }
}

function host(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  if (parseAddress(bare) === undefined && parseHostPort(`${text}:1`) === undefined) {
    const isWithPort = parseHostPort(text) !== undefined;
    throw new InvalidArgumentError(
      isWithPort
        ? 'Give host and port as two words, such as chat.example.org 3478.'
        : 'Give the name or address of a server.',
    );
  }
  return bare;
}

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !isPort(value) || value === 0) {
    throw new InvalidArgumentError('Give the port of the server, from 1 to 65535.');
  }
  return value;
}

function pool(text: string): string {
  if (text.trim() === '' || !isPoolName(text)) {
    throw new InvalidArgumentError(
      'Name a pool in 1 to 64 characters without control characters, such as 100.',
    );
  }
  return text;
}

function natType(text: string): NatType {
  if (!/^[0-3]$/.test(text)) throw new InvalidArgumentError('Give 0, 1, 2 or 3, or nothing.');
  return Number(text) as NatType;
}

function name(text: string): string {
  const trimmed = text.trim();
  if (!isMemberName(trimmed)) {
    throw new InvalidArgumentError(
      `Give a name of 1 to ${MAX_NAME_BYTES} bytes without control characters.`,
    );
  }
  return trimmed;
}

function phrase(text: string): string {
  if (text === '' || Buffer.byteLength(text) > MAX_PHRASE_BYTES) {
    throw new InvalidArgumentError(`Give a phrase of 1 to ${MAX_PHRASE_BYTES} bytes.`);
  }
  return text;
}

function folder(text: string): string {
  if (text === '') throw new InvalidArgumentError('Name a folder.');
  return text;
}

function size(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw new InvalidArgumentError('Give a size such as 500M or 2G.');
  return bytes;
}
