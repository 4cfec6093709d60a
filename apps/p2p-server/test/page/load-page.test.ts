import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { loadPage } from '../../src/page/load-page.ts';

async function script(text: string): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'bt-p2p-server-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'page.js');
  await writeFile(path, text);
  return pathToFileURL(path);
}

it('is one document with its script, which nothing in it can end', async () => {
  const html = await loadPage(await script('const a = "</script><!--"; const b = 1;'));
  expect(html?.match(/<\/script>/g)).toHaveLength(1);
  expect(html).toContain('const a = "<\\/script><\\!--"; const b = 1;');
  expect(html?.startsWith('<!doctype html>')).toBe(true);
});

it('is none where it has not been built', async () => {
  const built = await script('');
  expect(await loadPage(new URL('./none.js', built))).toBeUndefined();
});
