#!/usr/bin/env node
// The command line of `p2p-client`: arguments, streams and signals in, an exit code out.
import manifest from '../package.json' with { type: 'json' };
import { EXIT, type ExitCode } from './exit-codes.ts';
import { type Options, parseOptions } from './options.ts';
import { Terminal } from './terminal.ts';

/** What is still open a second after the end doesn't hold up the process. */
const LINGER_MS = 1_000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The exit code where what we print can't be written. */
let unwritable: ExitCode | undefined;

async function main(): Promise<ExitCode> {
  const { stdin, stdout, stderr } = process;
  const interrupted = new AbortController();
  for (const stream of [stdout, stderr]) {
    stream.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (unwritable !== undefined) return;
      // A reader that has gone away (`p2p-client --json | head -1`) is no failure, and hears of nothing.
      unwritable = code === 'EPIPE' ? EXIT.unread : EXIT.unwritable;
      process.exitCode = unwritable;
      if (code !== 'EPIPE' && stream === stdout) {
        stderr.write(`p2p-client: Can't write to standard output (${code}).\n`);
      }
      interrupted.abort();
    });
  }
  const parsed = parseOptions(process.argv.slice(2), manifest.version);
  if ('isError' in parsed) {
    (parsed.isError ? stderr : stdout).write(parsed.text);
    return parsed.isError ? EXIT.usage : EXIT.done;
  }
  // The first one leaves cleanly, the second one ends at once.
  const interrupt = () => {
    if (interrupted.signal.aborted) process.exit(EXIT.interrupted);
    interrupted.abort();
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  const terminal = new Terminal({ stdin, stdout, stderr }, parsed.json, interrupt);
  return await start(parsed, terminal, interrupted.signal);
}

async function start(
  options: Options,
  terminal: Terminal,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  if (options.command === 'doctor') {
    const { doctor } = await import('./doctor.ts');
    return await doctor(options, terminal, interrupted);
  }
  const [{ chat }, { join }] = await Promise.all([import('./chat.ts'), import('./join.ts')]);
  return await chat(options, terminal, interrupted, join);
}

const exitCode = await main();
process.exitCode = unwritable ?? exitCode;
for (const signal of SIGNALS) process.removeAllListeners(signal);
process.stdin.destroy();
setTimeout(() => process.exit(), LINGER_MS).unref();
