#!/usr/bin/env node
// The command line of `p2p-server`: arguments, streams and signals in, an exit code out.
import manifest from '../package.json' with { type: 'json' };
import { EXIT } from './exit-codes.ts';
import { parseOptions } from './options.ts';

/** What is still open a second after the end doesn't hold up the process. */
const LINGER_MS = 1_000;

async function main(): Promise<number> {
  const { stdout, stderr } = process;
  const interrupted = new AbortController();
  // Whoever reads the log may stop reading; the server goes on.
  stdout.on('error', () => {});
  stderr.on('error', () => {});
  const parsed = parseOptions(process.argv.slice(2), manifest.version);
  if ('isError' in parsed) {
    (parsed.isError ? stderr : stdout).write(parsed.text);
    return parsed.isError ? EXIT.usage : EXIT.done;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The second one ends at once, by its own action.
      if (interrupted.signal.aborted) {
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
      }
      interrupted.abort();
    });
  }
  const { run } = await import('./run.ts');
  return await run(parsed, {
    out: (text) => void stdout.write(text),
    error: (text) => void stderr.write(text),
    interrupted: interrupted.signal,
  });
}

process.exitCode = await main();
setTimeout(() => process.exit(), LINGER_MS).unref();
