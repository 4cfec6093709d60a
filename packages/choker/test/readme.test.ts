import { expect, test } from 'vitest';
import { runReadmeExample } from '../../../scripts/readme-example.ts';

test('the README example prints what the README says', async () => {
  const { stdout, expected } = await runReadmeExample(new URL('../README.md', import.meta.url));
  expect(stdout).toBe(expected);
});
