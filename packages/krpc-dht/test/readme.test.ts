import { expect, it } from 'vitest';
import { runReadmeExample } from '../../../scripts/readme-example.ts';

it.each([0, 1, 2, 3])(
  'README example %i prints what the README says',
  async (n) => {
    const readme = new URL('../README.md', import.meta.url);
    const { stdout, expected } = await runReadmeExample(readme, n);
    expect(expected).not.toBe('');
    expect(stdout).toBe(expected);
  },
  60_000,
);
