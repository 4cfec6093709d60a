// Each strategy's promise, shown on virtual time: the engine's own scenarios, with and without it.
import type { VerifyLine } from './line.ts';
import { vitestResults } from './vitest-run.ts';

export const strategiesLine: VerifyLine = {
  name: 'strategies',
  title: 'each of -o -a -c -e -r -b changes the outcome as it promises',
  needs: [],
  run: ({ root }) => vitestResults(root, '@bt/engine', 'test/strategies'),
};
