import {
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openPart, openSource, PARTS_FOLDER } from '../../../src/node/files/save-folder.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, link: vi.fn(real.link) };
});

let folder = '';
let parts = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-save-folder-'));
  parts = join(folder, PARTS_FOLDER);
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const bytes = (text: string) => new TextEncoder().encode(text);
const offer = (name: string, lengthBytes: number, key = 1) => ({
  name,
  lengthBytes,
  key: new Uint8Array(16).fill(key),
});

/** The path of what there is of an offer after this much has come. */
async function leave(text: string, ...args: Parameters<typeof offer>): Promise<string> {
  const before = await readdir(parts).catch((): string[] => []);
  const part = await openPart(folder, offer(...args));
  await part.append(bytes(text));
  await part.close();
  const added = (await readdir(parts)).filter((name) => !before.includes(name));
  return join(parts, added[0] ?? '');
}

it('is saved under its name when it is whole, and not before', async () => {
  const part = await openPart(folder, offer('a.txt', 10));
  await part.append(bytes('hello'));
  expect(await readdir(folder)).toEqual([PARTS_FOLDER]);
  expect((await stat(parts)).mode & 0o777).toBe(0o700);
  expect(await readdir(parts)).toEqual([expect.stringMatching(/^a\.txt\.[0-9a-f]{16}\.1\.part$/)]);
  await part.append(bytes('world'));
  expect(await part.save()).toBe(join(folder, 'a.txt'));
  expect(await readdir(folder)).toEqual(['a.txt']);
  expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('helloworld');
});

describe('what there is of an earlier try', () => {
  it('is gone on from, when the offer is the same', async () => {
    await leave('hello', 'a.txt', 10);
    const part = await openPart(folder, offer('a.txt', 10));
    expect(part.lengthBytes).toBe(5);
    await part.append(bytes('world'));
    await part.save();
    expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('helloworld');
    expect(await readdir(folder)).toEqual(['a.txt']);
  });

  it.each([
    ['name', offer('b.txt', 10)],
    ['length', offer('a.txt', 9)],
    ['key', offer('a.txt', 10, 2)],
  ])('is left alone when the offer has another %s', async (_, other) => {
    const path = await leave('hello', 'a.txt', 10);
    const part = await openPart(folder, other);
    expect(part.lengthBytes).toBe(0);
    await part.append(bytes('xx'));
    await part.close();
    expect(await readFile(path, 'utf8')).toBe('hello');
  });

  it('is left alone when the sender begins anew, and the newer one is gone on from', async () => {
    const path = await leave('hello', 'a.txt', 10);
    await utimes(path, 1, 1);
    const part = await openPart(folder, offer('a.txt', 10));
    await part.restart();
    expect(part.lengthBytes).toBe(0);
    await part.append(bytes('new'));
    await part.close();
    expect(await readFile(path, 'utf8')).toBe('hello');
    const again = await openPart(folder, offer('a.txt', 10));
    expect(again.lengthBytes).toBe(3);
    await again.close();
  });

  it('stays as it was when what came behind it is wrong', async () => {
    const path = await leave('hello', 'a.txt', 10);
    const part = await openPart(folder, offer('a.txt', 10));
    await part.append(bytes('wrong'));
    await part.discard();
    await part.close();
    expect(await readFile(path, 'utf8')).toBe('hello');
  });

  it('is no file of the user, whatever that is called', async () => {
    const own = ['a.txt.10.part', 'b.txt.3.part', 'a.txt'];
    for (const name of own) await writeFile(join(folder, name), 'my own');
    for (const [name, lengthBytes] of [
      ['a.txt', 10],
      ['b.txt', 3],
    ] as const) {
      const part = await openPart(folder, offer(name, lengthBytes));
      expect(part.lengthBytes).toBe(0);
      await part.append(bytes('x'));
      await part.restart();
      await part.close();
    }
    for (const name of own) expect(await readFile(join(folder, name), 'utf8')).toBe('my own');
  });

  it('is not gone on from when it is longer than the offer, or has a second name', async () => {
    const path = await leave('hello', 'a.txt', 10);
    await writeFile(path, 'much longer than ten');
    const longer = await openPart(folder, offer('a.txt', 10));
    expect(longer.lengthBytes).toBe(0);
    await longer.close();
    expect(await readFile(path, 'utf8')).toBe('much longer than ten');

    await rm(path);
    await writeFile(join(folder, 'mine'), 'mine');
    await link(join(folder, 'mine'), path);
    const linked = await openPart(folder, offer('a.txt', 10));
    expect(linked.lengthBytes).toBe(0);
    await linked.append(bytes('x'));
    await linked.close();
    expect(await readFile(join(folder, 'mine'), 'utf8')).toBe('mine');
  });

  it('of one offer is kept sixteen times, no more', async () => {
    for (let count = 0; count < 16; count += 1) {
      const part = await openPart(folder, offer('a.txt', 10));
      if (part.lengthBytes > 0) await part.restart();
      await part.append(bytes('x'));
      await part.close();
    }
    const part = await openPart(folder, offer('a.txt', 10));
    await expect(part.restart()).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readdir(parts)).toHaveLength(16);
  });
});

it('leaves nothing of a file that has not begun', async () => {
  await (await openPart(folder, offer('a.txt', 10))).close();
  expect(await readdir(folder)).toEqual([]);
});

it('is two files when one is offered twice at a time', async () => {
  const open = () => openPart(folder, offer('a.txt', 1));
  const [first, second] = await Promise.all([open(), open()]);
  await first.append(bytes('1'));
  await second.append(bytes('2'));
  expect([await first.save(), await second.save()]).toEqual([
    join(folder, 'a.txt'),
    join(folder, 'a (2).txt'),
  ]);
  expect((await readdir(folder)).sort()).toEqual(['a (2).txt', 'a.txt']);
});

it('is never saved over another file, where there are no hard links either', async () => {
  await writeFile(join(folder, 'a.txt'), 'mine');
  const part = await openPart(folder, offer('a.txt', 1));
  await part.append(bytes('x'));
  vi.mocked(link).mockRejectedValue(Object.assign(new Error('none'), { code: 'EPERM' }));
  expect(await part.save()).toBe(join(folder, 'a (2).txt'));
  vi.mocked(link).mockReset();
  expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('mine');
  expect(await readFile(join(folder, 'a (2).txt'), 'utf8')).toBe('x');
  expect((await readdir(folder)).sort()).toEqual(['a (2).txt', 'a.txt']);
});

it('follows no link that lies where it would be', async () => {
  const elsewhere = join(folder, 'elsewhere');
  await writeFile(elsewhere, 'mine');
  const path = await leave('x', 'a.txt', 4);
  await rm(path);
  await symlink(elsewhere, path);
  const beside = await openPart(folder, offer('a.txt', 4));
  expect(beside.lengthBytes).toBe(0);
  await beside.append(bytes('yes'));
  await beside.close();
  await symlink(elsewhere, join(folder, 'b.txt'));
  const part = await openPart(folder, offer('b.txt', 1));
  await part.append(bytes('x'));
  expect(await part.save()).toBe(join(folder, 'b (2).txt'));
  expect(await readFile(elsewhere, 'utf8')).toBe('mine');
});

it('is refused where the folder of parts is a link, or a file', async () => {
  const elsewhere = join(folder, 'elsewhere');
  await mkdir(elsewhere);
  await symlink(elsewhere, parts);
  const refused = { code: 'invalid-argument', message: /^\.p2p-parts is there/ };
  const message = expect.stringMatching(refused.message);
  await expect(openPart(folder, offer('a', 1))).rejects.toMatchObject({ ...refused, message });
  expect(await readdir(elsewhere)).toEqual([]);
  await rm(parts);
  await writeFile(parts, '');
  await expect(openPart(folder, offer('a', 1))).rejects.toMatchObject({ ...refused, message });
});

it('stays in its folder, whatever it is called', async () => {
  const part = await openPart(folder, offer('../../outside.txt', 1));
  await part.append(bytes('x'));
  expect(await part.save()).toBe(join(folder, 'outside.txt'));
});

it('sends files, nothing else', async () => {
  await expect(openSource(folder, '')).rejects.toMatchObject({ code: 'EISDIR' });
  await expect(openSource('/dev/zero', '')).rejects.toMatchObject({ code: 'EINVAL' });
  await expect(openSource(join(folder, 'none'), '')).rejects.toMatchObject({ code: 'ENOENT' });
});

it('sends a file under one key to a member, as long as it stays as it is', async () => {
  const path = join(folder, 'a.txt');
  await writeFile(path, 'hello');
  const keyFor = async (member: string, of = path) => {
    const { file, key } = await openSource(of, member);
    await file.close();
    expect(key).toHaveLength(16);
    return Buffer.from(key).toString('hex');
  };
  const forAda = await keyFor('Ada');
  expect(await keyFor('Ada')).toBe(forAda);
  await writeFile(join(folder, 'b.txt'), 'hello');
  const others = [await keyFor('Eve'), await keyFor('Ada', join(folder, 'b.txt'))];
  await utimes(path, 5, 5);
  others.push(await keyFor('Ada'));
  expect(new Set([forAda, ...others]).size).toBe(4);
});
