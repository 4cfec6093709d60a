// One run of a script that measures itself, so that its start and its preparations do not count. Its last line of output is what
// `printMeasured` prints, or the same from another language.
import { fileURLToPath } from 'node:url';
import type { Run } from './benchmark.ts';
import { type Command, runProgram } from './program.ts';

/** Runs a script of this package, which imports our packages as they are built, as a user gets them. */
export async function runWorkload(url: URL, ...args: readonly string[]): Promise<Run> {
  return await runScript({
    file: process.execPath,
    args: ['--expose-gc', '--import', 'tsx', fileURLToPath(url), ...args],
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  });
}

export async function runScript(command: Command): Promise<Run> {
  const { stdout } = await runProgram(command);
  const { result, ...sample } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  return { sample, result };
}
