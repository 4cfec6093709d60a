import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LockedError, takeLock } from '../../src/node/lock-file.ts';
import { makeSample } from '../torrent.ts';
import { openSample, place } from './store-bench.ts';

const BOOT = 'this run of the system';
const sample = makeSample({ pieceLength: 16_384, files: [{ path: 'a', length: 20_000 }] });

afterEach(() => {
  vi.restoreAllMocks();
});

function lockPath(): string {
  return path.join(place().state, 'record.lock');
}

/** What a lock of this process says, changed. */
function lockOf(file: string, change: object = {}): string {
  return JSON.stringify({ ...JSON.parse(fs.readFileSync(file, 'utf8')), ...change });
}

function isFree(file: string): boolean {
  try {
    void takeLock(file, BOOT)();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(LockedError);
    return false;
  }
}

describe('a lock', () => {
  it('is had once at a time, and given back', async () => {
    const file = lockPath();
    const release = takeLock(file, BOOT);
    expect(() => takeLock(file, BOOT)).toThrow(expect.objectContaining({ pid: process.pid }));
    await release();
    expect(fs.existsSync(file)).toBe(false);
    await takeLock(file, BOOT)();
  });

  it.each<[string, object]>([
    ['a process that is gone', { pid: 2 ** 22 + 1 }],
    ['another run of the system', { bootId: 'before' }],
    ['another process that had the same number', { started: '1', lockedMs: 1 }],
  ])('of %s counts no more', async (_, change) => {
    const file = lockPath();
    takeLock(file, BOOT);
    fs.writeFileSync(file, lockOf(file, change));
    const release = takeLock(file, BOOT);
    expect(JSON.parse(fs.readFileSync(file, 'utf8')).pid).toBe(process.pid);
    expect(fs.readdirSync(path.dirname(file))).toEqual(['record.lock']);
    await release();
  });

  it('of another process that runs counts', () => {
    const file = lockPath();
    takeLock(file, BOOT);
    const started =
      process.platform === 'linux'
        ? fs.readFileSync(`/proc/${process.ppid}/stat`, 'latin1').split(') ')[1]!.split(' ')[19]
        : '';
    fs.writeFileSync(file, lockOf(file, { pid: process.ppid, started }));
    expect(() => takeLock(file, BOOT)).toThrow(expect.objectContaining({ pid: process.ppid }));
  });

  it('that says nothing is being written, or was left by a crash', () => {
    const file = lockPath();
    fs.mkdirSync(path.dirname(file), { recursive: true });
    for (const text of ['', '{"pid":', '[]', '{"pid":-1}']) {
      fs.writeFileSync(file, text);
      expect(isFree(file), text).toBe(false);
      fs.utimesSync(file, 1, 1);
      expect(isFree(file), text).toBe(true);
    }
  });

  it('that another process has taken meanwhile is given back to it', () => {
    const file = lockPath();
    takeLock(file, BOOT);
    const fresh = lockOf(file);
    fs.writeFileSync(file, lockOf(file, { bootId: 'before' }));
    const rename = fs.renameSync;
    vi.spyOn(fs, 'renameSync').mockImplementationOnce((from, to) => {
      fs.writeFileSync(file, fresh);
      rename(from, to);
    });
    expect(isFree(file)).toBe(false);
    expect(fs.readFileSync(file, 'utf8')).toBe(fresh);
    expect(fs.readdirSync(path.dirname(file))).toEqual(['record.lock']);
  });

  it('is not asked for where no file can be made', async () => {
    const file = lockPath();
    fs.writeFileSync(path.dirname(file), 'a file in place of the folder');
    await takeLock(file, BOOT)();
    expect(isFree(file)).toBe(true);
  });
});

describe('a torrent that is open in a folder', () => {
  it('is not opened there a second time, but to look', async () => {
    const where = place();
    sample.writeTo(where.data);
    const { store } = await openSample(sample, where);
    await store.checkpoint();
    await expect(openSample(sample, where)).rejects.toMatchObject({
      name: 'StorageError',
      code: 'in-use',
      path: where.data,
      message: `${where.data}: another process has this torrent open in this folder`,
    });
    const record = fs.readFileSync(store.recordPath!);
    const looking = await openSample(sample, where, { readOnly: true, check: 'full' });
    await looking.store.close();
    expect(fs.readFileSync(store.recordPath!)).toEqual(record);
    const elsewhere = await openSample(sample, {
      ...where,
      data: path.join(where.folder, 'other'),
    });
    await elsewhere.store.close();
    await store.close();
    const again = await openSample(sample, where);
    await again.store.close();
    expect(fs.readdirSync(where.state).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });

  it('is opened there to be written to while another store only looks, whose record is not kept', async () => {
    const where = place();
    sample.writeTo(where.data);
    const looking = await openSample(sample, where, { readOnly: true, check: 'full' });
    const { store, events } = await openSample(sample, where);
    fs.truncateSync(where.file('a'), 16_384);
    store.readBlock(1, 0, 100, 1);
    await events.until(() => events.changed.length === 1);
    await store.close();
    const record = fs.readFileSync(store.recordPath!);
    looking.store.verifyPiece(1);
    await looking.events.until(() => looking.events.verified.has(1));
    await looking.store.close();
    expect(fs.readFileSync(store.recordPath!)).toEqual(record);
  });

  it('needs no hashing after another store has looked', async () => {
    const where = place();
    sample.writeTo(where.data);
    const looking = await openSample(sample, where, { readOnly: true, check: 'full' });
    await looking.store.close();
    const { store, hashed } = await openSample(sample, where);
    expect([hashed, store.isComplete]).toEqual([0, true]);
    await store.close();
  });

  it('is free again when the opening fails', async () => {
    const where = place();
    fs.mkdirSync(where.file('a'), { recursive: true });
    await expect(openSample(sample, where)).rejects.toMatchObject({ code: 'is-directory' });
    fs.rmdirSync(where.file('a'));
    const { store } = await openSample(sample, where);
    await store.close();
  });

  it('is free again when its process has been killed', async () => {
    const where = place();
    const script = new URL('./lock-process.ts', import.meta.url).pathname;
    const loader = ['--import', 'tsx', '--conditions=@bt/source'];
    const child = spawn(process.execPath, [...loader, script, where.data, where.state], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await expect(openSample(sample, where)).rejects.toMatchObject({
      code: 'in-use',
      cause: { pid: child.pid },
    });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const { store } = await openSample(sample, where);
    await store.close();
  });
});
