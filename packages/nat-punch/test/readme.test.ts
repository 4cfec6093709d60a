import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { runReadmeExample } from '../../../scripts/readme-example.ts';

const readme = new URL('../README.md', import.meta.url);

it('two peers through one server print what the README says', async () => {
  const { stdout, expected } = await runReadmeExample(readme);
  expect(expected).not.toBe('');
  expect(stdout).toBe(expected);
}, 60_000);

it('and take at most twenty lines of code', async () => {
  const [, example = ''] = /```ts\n([\s\S]*?)```/.exec(await readFile(readme, 'utf8')) ?? [];
  expect(example).toContain('joinPool');
  expect(example.trim().split('\n').length).toBeLessThanOrEqual(20);
});
