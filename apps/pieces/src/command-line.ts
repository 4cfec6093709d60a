// What the command lines of `pieces` and `pieces dht` have in common: values of options, and how wrong ones are told.
import { parseAddress, parseHostPort } from '@bt/endpoint';
import { type Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { EXIT } from './exit-codes.ts';

/** The command line was wrong, or asked for help: what to print, and on which stream. */
export interface Printout {
  readonly text: string;
  readonly isError: boolean;
}

/** Reads the arguments into `program`; undefined when they are right. */
export function parseCommand(program: Command, args: readonly string[]): Printout | undefined {
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
    return error.exitCode === 0
      ? { text, isError: false }
      : wrongUsage(error.message, program.name());
  }
}

/** @param program whose help says how it is done */
export function wrongUsage(message: string, program = 'pieces'): Printout {
  const text = message.replace(/^error: /, '').replaceAll('\n', ' ');
  const sentence = `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?]$/.test(text) ? '' : '.'}`;
  return { text: `pieces: ${sentence} See ${program} --help.\n`, isError: true };
}

/** A wrong command line as its own `--json` has it. */
export function usageEvent({ text }: Printout): string {
  const message = text.replace(/^pieces: /, '').trimEnd();
  return `${JSON.stringify({ event: 'error', message, exitCode: EXIT.usage })}\n`;
}

export function option(flags: string, what?: string): Option {
  return new Option(flags, what);
}

export function number(least: number, what: string): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || value < least) throw new InvalidArgumentError(what);
    return value;
  };
}

export function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) {
    throw new InvalidArgumentError('Give a port from 0 (a free one) to 65535.');
  }
  return value;
}

export function address(text: string): string {
  if (parseAddress(text) === undefined) {
    throw new InvalidArgumentError('Give an IP address of this machine, such as 127.0.0.1 or ::1.');
  }
  return text;
}

const ENTRIES = 'entries';

/** `-d`, and `--bootstrap`, which is the same. `entriesOf` reads them. */
export function addEntryOptions(program: Command, what: string): Command {
  // Not left to the options: a -d without nodes behind one with some would forget them.
  const entries: string[] = [];
  const note = (text: string) => {
    entries.push(...bootstrapNodes(text));
    return true;
  };
  program.setOptionValue(ENTRIES, entries);
  return program
    .addOption(option('-d, --dht [host:port,...]', what).argParser(note))
    .addOption(
      option('--bootstrap <host:port,...>', 'the same as -d')
        .argParser(note)
        .implies({ dht: true }),
    );
}

/** The nodes that the options name; undefined: none, which means the public routers. */
export function entriesOf(program: Command): readonly string[] | undefined {
  const named: readonly string[] = program.opts()[ENTRIES];
  return named.length === 0 ? undefined : named;
}

/** Nodes to enter the DHT by. `1` and `true` say no more than that there is one, as the original's help had it. */
function bootstrapNodes(text: string): readonly string[] {
  if (text === '1' || text === 'true') return [];
  const named = text.split(',').filter((part) => part.trim() !== '');
  for (const node of named) {
    const parsed = parseHostPort(node);
    if (parsed !== undefined && parsed.port !== 0) continue;
    throw new InvalidArgumentError(
      `${node} is no HOST:PORT of a node to enter the DHT by; a torrent goes before -d, or behind -t.`,
    );
  }
  if (named.length === 0) throw new InvalidArgumentError('Name nodes as HOST:PORT, or none.');
  return named;
}
