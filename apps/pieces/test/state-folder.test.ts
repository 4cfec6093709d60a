import { readFileSync, realpathSync } from 'node:fs';
import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Info, parseMetainfo } from '@bt/metainfo';
import { FileStore } from '@bt/storage/node';
import { beforeEach, describe, expect, it } from 'vitest';
import { pruneRecords, RecordUse } from '../src/state-folder.ts';
import { pieces, share, useTempFolder } from './harness.ts';

const DAY_MS = 24 * 3_600_000;
const folder = useTempFolder();
const stateFolder = () => join(folder.path, '.state', 'pieces');
const state = async () => (await readdir(stateFolder())).sort();

/** A record, used so many days ago; `note` stands beside it. */
async function record(digit: string, daysAgo: number, note?: object): Promise<string> {
  const name = `${digit.repeat(40)}-${digit.repeat(16)}`;
  await mkdir(stateFolder(), { recursive: true });
  const files = note === undefined ? ['resume'] : ['resume', 'json'];
  for (const extension of files) {
    const path = join(stateFolder(), `${name}.${extension}`);
    await writeFile(path, extension === 'json' ? JSON.stringify(note) : 'record');
    const seconds = (Date.now() - daysAgo * DAY_MS) / 1000;
    await utimes(path, seconds, seconds);
  }
  return name;
}

describe('the record in use', () => {
  let info: Info;
  beforeEach(async () => {
    await mkdir(stateFolder(), { recursive: true });
    info = parseMetainfo((await share(folder.path, { a: 100 })).bytes).info;
  });

  it('has the name that storage gives it, also in a folder that is not there yet', async () => {
    const dir = join(realpathSync(folder.path), 'new', 'place');
    const use = await RecordUse.begin(info, dir);
    const store = await FileStore.open({ info, folder: dir });
    expect(store.recordPath).toBe(join(stateFolder(), `${use.name}.resume`));
    await store.close();
    const note = () => JSON.parse(readFileSync(join(stateFolder(), `${use.name}.json`), 'utf8'));
    expect(note()).toMatchObject({ folder: dir, names: ['tree'], pid: process.pid });
    await use.end();
    expect(note()).toEqual({ folder: dir, names: ['tree'], device: expect.any(Number) });
  });

  it('is never removed, nor is one of another process', async () => {
    const use = await RecordUse.begin(info, folder.path);
    await writeFile(join(stateFolder(), `${use.name}.resume`), 'record');
    await rm(join(folder.path, 'original'), { recursive: true });
    const other = await record('1', 200, {
      folder: '/',
      names: ['gone'],
      device: 0,
      pid: process.pid,
    });
    await pruneRecords(use, Date.now() + 1_000 * DAY_MS);
    expect(await state()).toEqual(
      [`${use.name}.json`, `${use.name}.resume`, `${other}.json`, `${other}.resume`].sort(),
    );
  });
});

describe('other records', () => {
  let use: RecordUse;
  const left = async () => (await state()).filter((name) => !name.startsWith(use.name));
  beforeEach(async () => {
    await mkdir(stateFolder(), { recursive: true });
    const { info } = parseMetainfo((await share(folder.path, { a: 100 })).bytes);
    use = await RecordUse.begin(info, folder.path);
  });

  it('are removed when nobody has used them for 180 days', async () => {
    await record('1', 181);
    const kept = await record('2', 179);
    await pruneRecords(use);
    expect(await left()).toEqual([`${kept}.resume`]);
  });

  it('are removed when their torrent is gone', async () => {
    const { device } = JSON.parse(readFileSync(join(stateFolder(), `${use.name}.json`), 'utf8'));
    const there = { folder: join(folder.path, 'original'), names: ['tree'], device };
    const kept = await record('1', 0, there);
    const renamed = await record('4', 0, { ...there, names: ['gone', 'tree'] });
    await record('2', 0, { ...there, names: ['gone'] });
    await record('3', 0, { ...there, folder: join(folder.path, 'gone', 'too') });
    await pruneRecords(use);
    const files = [kept, renamed].flatMap((name) => [`${name}.json`, `${name}.resume`]);
    expect(await left()).toEqual(files);
  });

  it('stay while the disk of their torrent is away', async () => {
    const away = join(folder.path, 'unplugged');
    const kept = await record('1', 0, { folder: away, names: ['tree'], device: -1 });
    await pruneRecords(use);
    expect(await left()).toEqual([`${kept}.json`, `${kept}.resume`]);
  });

  it('are a bounded number in one run; what is no record stays', async () => {
    const names = Array.from({ length: 250 }, (_, index) => `${index}`.padStart(40, '0'));
    for (const name of names) {
      const path = join(stateFolder(), `${name}-0123456789abcdef.resume`);
      await writeFile(path, '');
      await utimes(path, 0, 0);
    }
    await writeFile(join(stateFolder(), 'something.else'), '');
    await utimes(join(stateFolder(), 'something.else'), 0, 0);
    await pruneRecords(use);
    expect(await left()).toHaveLength(51);
    await pruneRecords(use);
    expect(await left()).toEqual(['something.else']);
  });
});

describe('pieces', () => {
  it('forgets a torrent that was deleted when it is started with another one', async () => {
    const shared = await share(folder.path, { a: 100 });
    await pieces(['-t', shared.file, '--dir', shared.dir]);
    const before = await state();
    expect(before.map((name) => name.split('.')[1])).toEqual(['json', 'resume']);
    await pieces(['-t', shared.file, '--dir', shared.dir, '--check']);
    expect(await state()).toEqual(before);
    await rm(shared.dir, { recursive: true });
    const other = await share(join(folder.path, 'other'), { b: 100 });
    await pieces(['-t', other.file, '--dir', other.dir]);
    const after = await state();
    expect(after).toHaveLength(2);
    expect(after).not.toEqual(before);
  });
});
