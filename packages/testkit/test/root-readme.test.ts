// What the README of the repository says to type is what works here.
import { readdir, readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url);
const read = (path: string) => readFile(new URL(path, root), 'utf8');

it('the README installs by a pnpm that nobody has to have, at the version of package.json', async () => {
  const { packageManager } = JSON.parse(await read('package.json'));
  const readme = await read('README.md');
  const lines = readme.split('\n').filter((line) => /^(?:npx -y )?pnpm\b/.test(line));
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) {
    for (const command of line.split('&&')) {
      expect(command.trim().startsWith(`npx -y ${packageManager} `), command).toBe(true);
    }
  }
});

it('the README packs all packages but those that are not published', async () => {
  const pack =
    (await read('README.md')).split('\n').find((line) => /^npx .* pack /.test(line)) ?? '';
  for (const name of await readdir(new URL('packages', root))) {
    const manifest = JSON.parse(await read(`packages/${name}/package.json`));
    const isLeftOut = pack.includes(`--filter '!${manifest.name}'`);
    expect(isLeftOut, manifest.name).toBe(manifest.private === true);
  }
});
