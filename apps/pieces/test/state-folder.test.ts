import { readFileSync, realpathSync, statSync } from 'node:fs';
import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Info, parseMetainfo } from '@bt/metainfo';
import { FileStore } from '@bt/storage/node';
import { beforeEach, describe, expect, it } from 'vitest';
import { pruneRecords, TorrentRecord } from '../src/state-folder.ts';
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

describe('the own record', () => {
  let info: Info;
  beforeEach(async () => {
    info = parseMetainfo((await share(folder.path, { a: 100 })).bytes).info;
  });

  it('has the name that storage gives it, also in a folder that is not there yet', async () => {
    const dir = join(realpathSync(folder.path), 'new', 'place');
    const own = await TorrentRecord.of(info, dir);
    const store = await FileStore.open({ info, folder: dir });
    expect(store.recordPath).toBe(join(stateFolder(), `${own.name}.resume`));
    await own.noteUse();
    await store.close();
    const note = readFileSync(join(stateFolder(), `${own.name}.json`), 'utf8');
    expect(JSON.parse(note)).toEqual({ folder: dir, names: ['tree'], device: expect.any(Number) });
  });

  it('is never removed', async () => {
    const own = await TorrentRecord.of(info, folder.path);
    await mkdir(stateFolder(), { recursive: true });
    await own.noteUse();
    await writeFile(join(stateFolder(), `${own.name}.resume`), 'record');
    await pruneRecords(own, Date.now() + 1_000 * DAY_MS);
    expect(await state()).toEqual([`${own.name}.json`, `${own.name}.resume`]);
  });
});

describe('other records', () => {
  let own: TorrentRecord;
  const left = async () => (await state()).filter((name) => !name.startsWith(own.name));
  beforeEach(async () => {
    await mkdir(stateFolder(), { recursive: true });
    const { info } = parseMetainfo((await share(folder.path, { a: 100 })).bytes);
    own = await TorrentRecord.of(info, folder.path);
    await own.noteUse();
  });

  it('are removed when nobody has used them for 180 days', async () => {
    await record('1', 181);
    const kept = await record('2', 179);
    await pruneRecords(own);
    expect(await left()).toEqual([`${kept}.resume`]);
  });

  it('are removed when their torrent is gone', async () => {
    const { device } = JSON.parse(readFileSync(join(stateFolder(), `${own.name}.json`), 'utf8'));
    const there = { folder: join(folder.path, 'original'), names: ['tree'], device };
    const kept = await record('1', 0, there);
    const renamed = await record('4', 0, { ...there, names: ['gone', 'tree'] });
    await record('2', 0, { ...there, names: ['gone'] });
    await record('3', 0, { ...there, folder: join(folder.path, 'gone', 'too') });
    await pruneRecords(own);
    const files = [kept, renamed].flatMap((name) => [`${name}.json`, `${name}.resume`]);
    expect(await left()).toEqual(files);
  });

  it('stay while a process uses them', async () => {
    const shared = await share(join(folder.path, 'other'), { b: 100 });
    const { info } = parseMetainfo(shared.bytes);
    const store = await FileStore.open({ info, folder: shared.dir });
    const used = await TorrentRecord.of(info, shared.dir);
    await used.noteUse();
    await rm(shared.dir, { recursive: true });
    const names = ['json', 'resume.lock'].map((ending) => `${used.name}.${ending}`);
    await pruneRecords(own, Date.now() + 1_000 * DAY_MS);
    expect(await left()).toEqual(expect.arrayContaining(names));
    await store.close();
    await pruneRecords(own);
    expect(await left()).toEqual([]);
  });

  it('are removed with the lock that a killed process has left, whoever has its number now', async () => {
    const note = { folder: '/', names: ['gone'], device: statSync('/').dev };
    for (const [digit, daysAgo] of [
      ['1', 1],
      ['2', 200],
    ] as const) {
      const name = await record(digit, daysAgo, note);
      const owner = { pid: process.pid, started: '1', bootId: 'another run', lockedMs: 1 };
      await writeFile(join(stateFolder(), `${name}.resume.lock`), JSON.stringify(owner));
    }
    // Nothing but a lock: record and note are gone.
    const alone = join(stateFolder(), `${'3'.repeat(40)}-${'3'.repeat(16)}.resume.lock`);
    await writeFile(alone, '{}');
    await utimes(alone, 1, 1);
    await pruneRecords(own);
    expect(await left()).toEqual([]);
  });

  it('stay while the disk of their torrent is away', async () => {
    const away = join(folder.path, 'unplugged');
    const kept = await record('1', 0, { folder: away, names: ['tree'], device: -1 });
    await pruneRecords(own);
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
    await pruneRecords(own);
    expect(await left()).toHaveLength(51);
    await pruneRecords(own);
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

describe('info dictionaries of magnet links', () => {
  it('stay as long as their torrent has a record, or somebody has used them lately', async () => {
    const { info } = parseMetainfo((await share(folder.path, { a: 100 })).bytes);
    const own = await TorrentRecord.of(info, folder.path);
    await record('1', 100);
    const ages = { '1': 300, '2': 300, '3': 20 };
    for (const [digit, daysAgo] of Object.entries(ages)) {
      const path = join(stateFolder(), `${digit.repeat(40)}.torrent`);
      await writeFile(path, 'd4:infode');
      const seconds = (Date.now() - daysAgo * DAY_MS) / 1000;
      await utimes(path, seconds, seconds);
    }
    await pruneRecords(own);
    expect((await state()).filter((name) => name.endsWith('.torrent'))).toEqual([
      `${'1'.repeat(40)}.torrent`,
      `${'3'.repeat(40)}.torrent`,
    ]);
  });
});
