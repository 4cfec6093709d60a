import { expect, it } from 'vitest';
import { runReadmeExample } from '../../../../scripts/readme-example.ts';

it('the README example of making and checking prints what the README says', async () => {
  const { stdout, expected } = await runReadmeExample(
    new URL('../../README.md', import.meta.url),
    1,
  );
  expect(expected).not.toBe('');
  expect(stdout).toBe(expected);
});
