// Each strategy's promise, shown on virtual time: the engine's own scenarios, with and without it.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';

const run = promisify(execFile);

async function* strategies(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const args = ['run', '--project', '@bt/engine', 'test/strategies', '--reporter=json'];
  const vitest = join(context.root, 'node_modules/vitest/vitest.mjs');
  const { stdout } = await run(process.execPath, [vitest, ...args], {
    cwd: context.root,
    maxBuffer: 1 << 26,
  }).catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }));
  const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
    testResults: { assertionResults: { fullName: string; status: string }[] }[];
  };
  for (const { fullName, status } of report.testResults.flatMap((file) => file.assertionResults)) {
    yield { command: `virtual time: ${fullName}`, figure: status, pass: status === 'passed' };
  }
}

export const strategiesLine: VerifyLine = {
  name: 'strategies',
  title: 'each of -o -a -c -e -r -b changes the outcome as it promises',
  needs: [],
  run: strategies,
};
