import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFile } from '../../src/node/replace-file.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'bt-replace-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe('replacing a file', () => {
  it('makes its folder, and leaves nothing else in it', async () => {
    const target = path.join(folder, 'state', 'record');
    await replaceFile(target, Buffer.from('one'));
    await replaceFile(target, Buffer.from('another'));
    expect(await readFile(target, 'utf8')).toBe('another');
    expect(await readdir(path.dirname(target))).toEqual(['record']);
    expect((await stat(target)).mode & 0o777).toBe(0o600);
  });

  it('leaves the old one where the new one is not put in its place', async () => {
    const target = path.join(folder, 'record');
    await replaceFile(target, Buffer.from('old'));
    const seen: string[] = [];
    const rename = (temporary: string) => void seen.push(path.basename(temporary));
    await replaceFile(target, Buffer.from('new'), { suffix: 'look', rename });
    expect(seen).toEqual(['record.look']);
    expect(await readFile(target, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['record']);
  });

  it('says what the system says, and cleans up', async () => {
    const target = path.join(folder, 'record');
    await mkdir(path.join(target, 'in the way'), { recursive: true });
    await expect(replaceFile(target, Buffer.from('new'))).rejects.toMatchObject({
      code: expect.stringMatching(/^E/),
    });
    expect(await readdir(folder)).toEqual(['record']);
  });
});
