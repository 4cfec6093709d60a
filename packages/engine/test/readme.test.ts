import { expect, it } from 'vitest';
import { runReadmeExample } from '../../../scripts/readme-example.ts';

it('the README example prints what the README says', async () => {
  const { stdout, expected } = await runReadmeExample(new URL('../README.md', import.meta.url));
  // The last block is read and the last piece noted in one turn; which is told of first is chance.
  const sorted = (text: string) => text.split('\n').sort();
  expect(sorted(stdout)).toEqual(sorted(expected));
});
