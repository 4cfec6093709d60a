// Tests of a package, run as part of the acceptance suite: one result a test.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { VerifyResult } from './line.ts';

const run = promisify(execFile);

/** Runs a project's tests, those in `file` whose names match `pattern`; no test at all is a failure. */
export async function* vitestResults(
  root: string,
  project: string,
  file: string,
  pattern?: string,
): AsyncGenerator<VerifyResult> {
  const args = ['run', '--project', project, file, '--reporter=json'];
  if (pattern !== undefined) args.push('--testNamePattern', pattern);
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { stdout } = await run(process.execPath, [vitest, ...args], {
    cwd: root,
    maxBuffer: 1 << 26,
  }).catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }));
  const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
    testResults: { assertionResults: { fullName: string; status: string }[] }[];
  };
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const ran = results.filter(({ status }) => status === 'passed' || status === 'failed');
  if (ran.length === 0) throw new Error(`no test of ${project} ran: ${file}`);
  for (const { fullName, status } of ran) {
    yield { command: `${project}: ${fullName}`, figure: status, pass: status === 'passed' };
  }
}
