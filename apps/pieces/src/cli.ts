#!/usr/bin/env node
// The command line of `pieces`: arguments, streams and signals in, an exit code out.
import manifest from '../package.json' with { type: 'json' };
import { usageEvent } from './command-line.ts';
import { type DhtCommand, parseDhtOptions } from './dht/dht-options.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { type Options, parseOptions } from './options.ts';
import type { Output } from './view/view.ts';

/** What is still open a second after the end, a slow name server say, doesn't hold up the process. */
const LINGER_MS = 1_000;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

async function main(): Promise<number> {
  const { stdout, stderr } = process;
  const interrupted = new AbortController();
  // A reader that has gone away (`pieces --json | head -1`) is an interruption, not a crash.
  let outputError: NodeJS.ErrnoException | undefined;
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') outputError ??= error;
      interrupted.abort();
    });
  }
  const [command, ...args] = process.argv.slice(2);
  const parsed =
    command === 'dht'
      ? parseDhtOptions(args)
      : parseOptions(process.argv.slice(2), manifest.version);
  if ('isError' in parsed) {
    const isJson = parsed.isError && process.argv.includes('--json');
    const text = isJson ? usageEvent(parsed) : parsed.text;
    (parsed.isError && !isJson ? stderr : stdout).write(text);
    return parsed.isError ? EXIT.usage : EXIT.done;
  }
  let signals = 0;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      signals += 1;
      // The first one ends cleanly, the second one at once.
      if (signals > 1) {
        if (stdout.isTTY) stdout.write('\n');
        // By the signal's own action, which shells show as 130 too: `process.exit` waits for a thread that a hung disk keeps.
        process.removeAllListeners('SIGINT');
        process.kill(process.pid, 'SIGINT');
      }
      interrupted.abort();
    });
  }
  const terminal = {
    isTerminal: stdout.isTTY === true,
    get columns() {
      // 0 where the terminal does not tell.
      return stdout.columns || 80;
    },
    out: (text: string) => void stdout.write(text),
    error: (text: string) => void stderr.write(text),
    outBytes: (bytes: Uint8Array) => void stdout.write(bytes),
  };
  const exitCode = await start(parsed, terminal, interrupted.signal);
  if (outputError === undefined) return exitCode;
  stderr.write(`pieces: The output can't be written (${outputError.code}).\n`);
  return EXIT.disk;
}

async function start(
  parsed: Options | DhtCommand,
  terminal: Output,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  if ('command' in parsed) {
    const { runDht } = await import('./dht/run-dht.ts');
    return await runDht(parsed, terminal, interrupted);
  }
  const { run } = await import('./run.ts');
  return await run(parsed, terminal, interrupted);
}

process.exitCode = await main();
// From here on they end what is left.
for (const signal of SIGNALS) process.removeAllListeners(signal);
setTimeout(() => {
  // As a second signal does: `process.exit` would wait for the thread that reads from a pipe.
  if (process.exitCode === EXIT.interrupted) process.kill(process.pid, 'SIGINT');
  else process.exit();
}, LINGER_MS).unref();
