import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultStateFolder } from '../../src/node/index.ts';
import { ResumeFile, readBootId, removeRecord } from '../../src/node/resume-file.ts';
import { place } from './store-bench.ts';

const infoHash = new Uint8Array(20).fill(0xab);

describe('the place of the record', () => {
  it('is the state folder of the user', () => {
    expect(defaultStateFolder({ XDG_STATE_HOME: '/var/state' })).toBe('/var/state/pieces');
    const home = path.join(os.homedir(), '.local', 'state', 'pieces');
    expect(defaultStateFolder({})).toBe(home);
    expect(defaultStateFolder({ XDG_STATE_HOME: 'relative' })).toBe(home);
  });

  it('differs by torrent and by download folder', () => {
    const paths = [
      new ResumeFile('/state', infoHash, '/a', 'boot'),
      new ResumeFile('/state', infoHash, '/b', 'boot'),
      new ResumeFile('/state', new Uint8Array(20), '/a', 'boot'),
    ].map((file) => file.path);
    expect(new Set(paths).size).toBe(3);
    expect(path.basename(paths[0]!)).toMatch(/^(ab){20}-[0-9a-f]{16}\.resume$/);
  });
});

describe('a record', () => {
  it('is replaced whole, and nothing else stays', async () => {
    const { state } = place();
    const file = new ResumeFile(state, infoHash, '/a', 'boot');
    expect(await file.load()).toBeUndefined();
    await file.save(() => Uint8Array.of(1, 2, 3));
    await file.save(() => Uint8Array.of(4));
    expect([...(await file.load())!]).toEqual([4]);
    expect(fs.readdirSync(state)).toEqual([path.basename(file.path)]);
    expect(fs.statSync(file.path).mode & 0o777).toBe(0o600);
  });

  it('that is saved many times at once ends as the last, with few writes', async () => {
    const { state } = place();
    const file = new ResumeFile(state, infoHash, '/a', 'boot');
    const written: number[] = [];
    const saves = Array.from({ length: 10 }, (_, index) =>
      file.save(() => {
        written.push(index);
        return Uint8Array.of(index);
      }),
    );
    expect(await Promise.all(saves)).toEqual(Array(10).fill(undefined));
    expect(written).toEqual([9]);
    expect([...(await file.load())!]).toEqual([9]);
  });

  it('that can not be written says why, and the old one stays', async () => {
    const { folder } = place();
    const stateFolder = path.join(folder, 'no', 'folder');
    fs.writeFileSync(path.join(folder, 'no'), '');
    const file = new ResumeFile(stateFolder, infoHash, '/a', 'boot');
    const error = await file.save(() => Uint8Array.of(1));
    expect(error).toMatchObject({ name: 'StorageError', code: 'not-directory', path: file.path });
    await file.idle();
    fs.rmSync(path.join(folder, 'no'));
    expect(await file.save(() => Uint8Array.of(2))).toBeUndefined();
  });
});

describe('removing a record', () => {
  it('leaves nothing of it, also not what killed processes have left', async () => {
    const { state } = place();
    const file = new ResumeFile(state, infoHash, '/a', 'boot');
    await file.save(() => Uint8Array.of(1));
    for (const ending of ['tmp', 'look', 'lock']) {
      fs.writeFileSync(`${file.path}.${ending}`, '{}');
      fs.utimesSync(`${file.path}.${ending}`, 1, 1);
    }
    expect(await removeRecord(file.path)).toBe(true);
    expect(fs.readdirSync(state)).toEqual([]);
    expect(await removeRecord(file.path)).toBe(true);
    expect(fs.readdirSync(state)).toEqual([]);
  });

  it('is not done while a store has it, or where nothing can be removed', async () => {
    const { state } = place();
    const file = new ResumeFile(state, infoHash, '/a', await readBootId());
    file.lock();
    await file.save(() => Uint8Array.of(1));
    expect(await removeRecord(file.path)).toBe(false);
    expect(fs.existsSync(file.path)).toBe(true);
    await file.unlock();
    fs.rmSync(file.path);
    fs.mkdirSync(file.path);
    expect(await removeRecord(file.path)).toBe(false);
  });
});

describe('the name of the run of the system', () => {
  it.runIf(process.platform === 'linux')('is one', async () => {
    expect(await readBootId()).toMatch(/^[0-9a-f-]{36}$/);
    expect(await readBootId()).toBe(await readBootId());
  });
});
