import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openKeyFile } from '../../src/node/index.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'bt-key-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('a key file', () => {
  it('is made where there is none, for its owner alone, and read the next time', async () => {
    const file = path.join(folder, 'my.key');
    const made = await openKeyFile(file);
    expect(made.isNew).toBe(true);
    expect(made.seed).toHaveLength(32);
    if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600);
    const read = await openKeyFile(file);
    expect(read).toEqual({ seed: made.seed, isNew: false });
    expect(await readFile(file, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
    const another = await openKeyFile(path.join(folder, 'other.key'));
    expect(another.seed).not.toEqual(made.seed);
  });

  it.each(['', 'abcd', 'x'.repeat(64), '0'.repeat(65)])(
    'with %j in it is refused',
    async (text) => {
      const file = path.join(folder, 'my.key');
      await writeFile(file, text);
      await expect(openKeyFile(file)).rejects.toMatchObject({ code: 'invalid-argument' });
      expect(await readFile(file, 'utf8')).toBe(text);
    },
  );

  it('is not made where it can’t be', async () => {
    const file = path.join(folder, 'nowhere', 'my.key');
    await expect(openKeyFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
