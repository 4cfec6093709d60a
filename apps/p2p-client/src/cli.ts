#!/usr/bin/env node
// The command line of `p2p-client`: arguments, streams and signals in, an exit code out.
import manifest from '../package.json' with { type: 'json' };
import { EXIT, type ExitCode } from './exit-codes.ts';
import { type Options, parseOptions } from './options.ts';
import { Terminal } from './terminal.ts';

/** What is still open a second after the end doesn't hold up the process. */
const LINGER_MS = 1_000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function main(): Promise<ExitCode> {
  const { stdin, stdout, stderr } = process;
  const parsed = parseOptions(process.argv.slice(2), manifest.version);
  if ('isError' in parsed) {
    (parsed.isError ? stderr : stdout).write(parsed.text);
    return parsed.isError ? EXIT.usage : EXIT.done;
  }
  const interrupted = new AbortController();
  // The first one leaves cleanly, the second one ends at once.
  const interrupt = () => {
    if (interrupted.signal.aborted) process.exit(EXIT.interrupted);
    interrupted.abort();
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  // A reader that has gone away (`p2p-client --json | head -1`) is an interruption, not a crash.
  for (const stream of [stdout, stderr]) stream.on('error', () => interrupted.abort());
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

process.exitCode = await main();
for (const signal of SIGNALS) process.removeAllListeners(signal);
process.stdin.destroy();
setTimeout(() => process.exit(), LINGER_MS).unref();
