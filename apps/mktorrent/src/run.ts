// The program without a process: words in, exit code out, everything else through `Surroundings`.
import { readFileSync } from 'node:fs';
import { type Invocation, parseArguments } from './arguments.ts';
import { EXIT } from './exit.ts';

/** A stream to print to, such as `process.stdout`. */
export interface Output {
  write(chunk: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Surroundings {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What relative paths are relative to. */
  readonly folder: string;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Runs `mktorrent` with `words` (without the program's own name) and returns the exit code. */
export async function run(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { signal, stdout, stderr } = surroundings;
  const fail = (exitCode: number, message: string) => {
    if (words.includes('--json')) stdout.write(`${JSON.stringify({ error: message, exitCode })}\n`);
    stderr.write(`mktorrent: ${message}\n`);
    return exitCode;
  };
  try {
    return await perform(parseArguments(words, readVersion), surroundings);
  } catch (error) {
    if (signal.aborted && error === signal.reason) {
      return fail(EXIT.interrupted, 'Interrupted; nothing was written.');
    }
    const { exitErrorOf } = await import('./failure.ts');
    const { printable } = await import('./text.ts');
    const { exitCode, message } = exitErrorOf(error);
    return fail(exitCode, printable(message));
  }
}

// Each command is loaded when it is asked for, so that --help is there at once.
async function perform(invocation: Invocation, surroundings: Surroundings): Promise<number> {
  switch (invocation.kind) {
    case 'print':
      surroundings.stdout.write(invocation.text);
      return EXIT.done;
    case 'make':
      return (await import('./make.ts')).make(invocation, surroundings, readVersion());
    case 'show':
      return (await import('./show.ts')).show(invocation, surroundings);
    case 'check':
      return (await import('./check.ts')).check(invocation, surroundings);
    case 'publish':
      return (await import('./publish.ts')).publish(invocation, surroundings);
  }
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
