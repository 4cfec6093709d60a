#!/usr/bin/env node
// The command line of `pieces`: arguments, streams and signals in, an exit code out.
import manifest from '../package.json' with { type: 'json' };
import { EXIT } from './exit-codes.ts';
import { parseOptions } from './options.ts';

async function main(): Promise<number> {
  const parsed = parseOptions(process.argv.slice(2), manifest.version);
  if ('text' in parsed) {
    (parsed.isError ? process.stderr : process.stdout).write(parsed.text);
    return parsed.isError ? EXIT.usage : EXIT.done;
  }
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The first one ends cleanly, the second one at once.
      if (interrupted.signal.aborted) process.exit(EXIT.interrupted);
      interrupted.abort();
    });
  }
  // A reader that has gone away (`pieces --json | head -1`) is an interruption, not a crash.
  process.stdout.on('error', () => interrupted.abort());
  const { run } = await import('./run.ts');
  return await run(
    parsed,
    {
      isTerminal: process.stdout.isTTY === true,
      get columns() {
        return process.stdout.columns ?? 80;
      },
      out: (text) => void process.stdout.write(text),
      error: (text) => void process.stderr.write(text),
    },
    interrupted.signal,
  );
}

process.exitCode = await main();
