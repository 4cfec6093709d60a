#!/usr/bin/env node
// The command line of mktorrent: arguments in, exit code out.
import { EXIT } from './exit.ts';
import { run } from './run.ts';

const abort = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (abort.signal.aborted) {
      // The second time, at once. By the signal's own action, which shells show as 130 too: `process.exit` waits for a thread
      // that a hung disk keeps.
      process.removeAllListeners('SIGINT');
      process.kill(process.pid, 'SIGINT');
    }
    abort.abort();
  });
}
// Whoever reads our output may stop reading (`mktorrent show x | head`): no reason to complain.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`mktorrent: Standard output can't be written (${error.code}).\n`);
  process.exit(EXIT.disk);
});

// Whoever reads what we say of it may stop too, and still wants the torrent.
process.stderr.on('error', () => {});

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  folder: process.cwd(),
  wallClock: Date.now,
  clock: () => performance.now(),
  signal: abort.signal,
});
