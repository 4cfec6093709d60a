// A newcomer's two commands on a fresh clone.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';

const run = promisify(execFile);

async function* start(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const clone = join(context.folder, 'clone');
  await run('git', ['clone', '--quiet', '--no-hardlinks', context.root, clone]);
  const commands = [
    ['npm start (fresh clone)', ['start'], /Every byte of the copy equals the original/],
    ['npm start (again)', ['start'], /Every byte of the copy equals the original/],
    ['npm test', ['test'], /Tests .*passed/],
  ] as const;
  for (const [command, args, expected] of context.quick ? commands.slice(0, 2) : commands) {
    const begin = performance.now();
    const { code, output } = await npm(clone, args);
    const seconds = ((performance.now() - begin) / 1000).toFixed(0);
    const said = expected.test(output);
    yield {
      command,
      figure: `exit ${code} after ${seconds} s${said ? '' : `; it said: ${output.slice(-800)}`}`,
      pass: code === 0 && said,
    };
  }
}

async function npm(
  cwd: string,
  args: readonly string[],
): Promise<{ code: number; output: string }> {
  // A test run must not inherit what belongs to the run around it.
  const env = { ...process.env, INIT_CWD: undefined, NODE_OPTIONS: undefined, FORCE_COLOR: '0' };
  try {
    const { stdout, stderr } = await run('npm', [...args], {
      cwd,
      env,
      maxBuffer: 1 << 26,
      timeout: 900_000,
    });
    return { code: 0, output: `${stderr}\n${stdout}` };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: number; stdout?: string; stderr?: string };
    return { code: code ?? 1, output: `${stdout ?? ''}\n${stderr ?? ''}` };
  }
}

export const startLine: VerifyLine = {
  name: 'start',
  title: 'npm start and npm test on a fresh clone',
  needs: [],
  outside: true,
  run: start,
};
