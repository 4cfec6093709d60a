// The end that a second Ctrl-C asks for: at once, whatever the program's threads are stuck in.

/** Sends SIGINT to process $0 after a second, unless descriptor 3 is closed before, which is when that process has ended. */
const REAPER =
  'sleep 1 & sleep=$!; { read -r _ <&3; kill "$sleep"; } & wait "$sleep" && kill -INT "$0"';

/**
 * `process.exit` waits for all threads, and one that is in a system call which doesn't return, as on a disk that hangs, has it wait
 * for ever. Then a process of its own ends this one by SIGINT, whose default action waits for nobody; a shell shows 130 for it too.
 */
export function endAtOnce(exitCode: number): never {
  if (process.platform !== 'win32') {
    process.removeAllListeners('SIGINT');
    // Not imported above: it would cost every start some milliseconds.
    const { spawn } = process.getBuiltinModule('node:child_process');
    const reaper = spawn('/bin/sh', ['-c', REAPER, `${process.pid}`], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    // Without a shell there is process.exit alone.
    reaper.on('error', () => {});
  }
  process.exit(exitCode);
}
