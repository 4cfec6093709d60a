import { expect, it } from 'vitest';
import { runReadmeExample } from '../../../scripts/readme-example.ts';

it('the README example prints what the README says', async () => {
  const { stdout, expected } = await runReadmeExample(new URL('../README.md', import.meta.url));
  expect(expected).not.toBe('');
  expect(stdout).toBe(expected);
});
