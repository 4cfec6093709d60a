import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openPart, openSource } from '../../../src/node/files/save-folder.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-save-folder-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const bytes = (text: string) => new TextEncoder().encode(text);

it('is saved under its name when it is whole, and not before', async () => {
  const part = await openPart(folder, 'a.txt', 10);
  await part.append(bytes('hello'));
  expect(await readdir(folder)).toEqual(['a.txt.10.part']);
  await part.append(bytes('world'));
  expect(await part.save()).toBe(join(folder, 'a.txt'));
  expect(await readdir(folder)).toEqual(['a.txt']);
  expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('helloworld');
});

it('goes on from what there is, unless that is longer', async () => {
  const first = await openPart(folder, 'a.txt', 10);
  await first.append(bytes('hello'));
  await first.close();
  const second = await openPart(folder, 'a.txt', 10);
  expect(second.lengthBytes).toBe(5);
  await second.append(bytes('world'));
  await second.save();
  expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('helloworld');
  await writeFile(join(folder, 'b.txt.3.part'), 'too long');
  const third = await openPart(folder, 'b.txt', 3);
  expect(third.lengthBytes).toBe(0);
  await third.close();
});

it('leaves nothing of a file that has not begun', async () => {
  await (await openPart(folder, 'a.txt', 10)).close();
  expect(await readdir(folder)).toEqual([]);
});

it('is two files when two come under one name at a time', async () => {
  const [first, second] = [await openPart(folder, 'a.txt', 1), await openPart(folder, 'a.txt', 1)];
  await first.append(bytes('1'));
  await second.append(bytes('2'));
  expect([await first.save(), await second.save()]).toEqual([
    join(folder, 'a.txt'),
    join(folder, 'a (2).txt'),
  ]);
});

it('follows no link that lies where it would be', async () => {
  const elsewhere = join(folder, 'elsewhere');
  await writeFile(elsewhere, 'mine');
  await symlink(elsewhere, join(folder, 'a.txt.4.part'));
  await expect(openPart(folder, 'a.txt', 4)).rejects.toMatchObject({ code: 'ELOOP' });
  await symlink(elsewhere, join(folder, 'b.txt'));
  const part = await openPart(folder, 'b.txt', 1);
  await part.append(bytes('x'));
  expect(await part.save()).toBe(join(folder, 'b (2).txt'));
  expect(await readFile(elsewhere, 'utf8')).toBe('mine');
});

it('stays in its folder, whatever it is called', async () => {
  const part = await openPart(folder, '../../outside.txt', 1);
  await part.append(bytes('x'));
  expect(await part.save()).toBe(join(folder, 'outside.txt'));
});

it('sends files, nothing else', async () => {
  await expect(openSource(folder)).rejects.toMatchObject({ code: 'EISDIR' });
  await expect(openSource('/dev/zero')).rejects.toMatchObject({ code: 'EINVAL' });
  await expect(openSource(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
});
