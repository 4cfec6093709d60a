// Runs the program in this process, with everything it says kept.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { run, type Surroundings } from '../src/run.ts';

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
}

/** Removed when the test is over. */
export function makeTempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bt-mktorrent-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder with a `tree` of three files. */
export function sample(): string {
  const folder = makeTempFolder();
  mkdirSync(join(folder, 'tree/sub'), { recursive: true });
  writeFileSync(join(folder, 'tree/a.txt'), 'a'.repeat(40_000));
  writeFileSync(join(folder, 'tree/sub/b.txt'), 'b');
  writeFileSync(join(folder, 'tree/sub/empty'), '');
  return folder;
}

/** `mktorrent ...words` in `folder`. */
export async function mktorrent(
  folder: string,
  words: readonly string[],
  changes: Partial<Surroundings> = {},
): Promise<Said> {
  const stdout: Buffer[] = [];
  let stderr = '';
  const code = await run(words, {
    stdout: { write: (chunk) => stdout.push(Buffer.from(chunk as Uint8Array)) },
    stderr: {
      write: (chunk) => {
        stderr += chunk;
      },
    },
    env: {},
    folder,
    wallClock: () => 1_700_000_000_999,
    clock: () => 0,
    signal: new AbortController().signal,
    ...changes,
  });
  const stdoutBytes = Buffer.concat(stdout);
  return { code, stdout: stdoutBytes.toString(), stdoutBytes, stderr };
}
