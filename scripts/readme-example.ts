// Runs the first TypeScript example of a README and hands back what it printed, so that no README can rot.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface ReadmeExample {
  /** What the example printed on standard output. */
  readonly stdout: string;
  /** The `text` block that follows the example: what the README says it prints. */
  readonly expected: string;
}

/**
 * Runs the `n`-th ```ts block (0 = first) of the README at `readmeUrl` from source, in a temporary folder inside the
 * package so that its imports resolve as a user's would.
 */
export async function runReadmeExample(readmeUrl: URL, n = 0): Promise<ReadmeExample> {
  const path = fileURLToPath(readmeUrl);
  const readme = await readFile(path, 'utf8');
  const example = [...readme.matchAll(/```ts\n([\s\S]*?)```(?:\s*```text\n([\s\S]*?)```)?/g)][n];
  if (example?.[1] === undefined) throw new Error(`${path} has no ts example number ${n}`);
  const folder = await mkdtemp(join(dirname(path), '.readme-'));
  try {
    const file = join(folder, 'example.ts');
    await writeFile(file, example[1]);
    const { stdout } = await run(
      process.execPath,
      ['--import', 'tsx', '--conditions=@bt/source', file],
      {
        cwd: folder,
        timeout: 60_000,
        // What an example makes in the temporary folder goes with it.
        env: { ...process.env, TMPDIR: folder },
      },
    );
    return { stdout: stdout.trim(), expected: (example[2] ?? '').trim() };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
