import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkWritable } from '../src/write-permission.ts';
import { pieces, seed, share, useTempFolder } from './harness.ts';

const folder = useTempFolder();

/** A system that lets nobody write to `refused`; the paths that it was asked for. */
function system(refused: string, code = 'EACCES') {
  const asked: string[] = [];
  const access = async (path: string) => {
    asked.push(path);
    if (path === refused) throw Object.assign(new Error(code), { code });
  };
  return { asked, access };
}

describe('permission to write', () => {
  it('is asked for where the torrent lies, or will', async () => {
    const { path } = folder;
    const { asked, access } = system('');
    await checkWritable(join(path, 'a', 'b'), 'tree', access);
    expect(asked).toEqual([path]);
    await mkdir(join(path, 'tree'));
    await checkWritable(path, 'tree', access);
    await writeFile(join(path, 'film.mkv'), 'x');
    await checkWritable(path, 'film.mkv', access);
    expect(asked.slice(1)).toEqual([join(path, 'tree'), join(path, 'film.mkv')]);
  });

  it.each([
    ['EACCES', 'you have no permission.'],
    ['EROFS', 'the disk can only be read.'],
  ])('is told to be missing: %s', async (code, why) => {
    const { path } = folder;
    const { access } = system(path, code);
    await expect(checkWritable(join(path, 'new'), 'tree', access)).rejects.toMatchObject({
      exitCode: 4,
      message: `${path} can't be written: ${why}`,
    });
  });

  // To root everything is permitted.
  it.skipIf(process.getuid?.() === 0)('is needed before anything is got', async () => {
    const shared = await share(folder.path, { a: 100_000 });
    const { peer } = await seed(shared);
    const dir = join(folder.path, 'locked');
    await mkdir(dir);
    await chmod(dir, 0o555);
    const { code, error, events } = await pieces([
      '-t',
      shared.file,
      '--dir',
      dir,
      ...peer,
      '--json',
    ]);
    expect({ code, error }).toEqual({ code: 4, error: '' });
    expect(events.at(-1)?.message).toBe(`${dir} can't be written: you have no permission.`);
    expect(events.find(({ event }) => event === 'stopped')).toMatchObject({ downloadedBytes: 0 });
  });

  it('is not needed where all is there', async () => {
    const shared = await share(folder.path, { a: 100_000 });
    await chmod(join(shared.dir, 'tree'), 0o555);
    expect(await pieces(['-t', shared.file, '--dir', shared.dir])).toMatchObject({ code: 0 });
    await chmod(join(shared.dir, 'tree'), 0o755);
  });
});
