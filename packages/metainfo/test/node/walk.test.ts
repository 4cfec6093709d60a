import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listFiles } from '../../src/node/walk.ts';
import { makeTempFolder, writeTree } from './temp-folder.ts';

const pathsOf = (listing: Awaited<ReturnType<typeof listFiles>>) =>
  listing.files.map((file) => file.path.join('/'));

describe('listFiles', () => {
  it('lists one file by its name', async () => {
    const folder = writeTree(makeTempFolder(), { 'one.bin': 'abc' });
    const listing = await listFiles(join(folder, 'one.bin'));
    expect(listing).toMatchObject({ rootName: 'one.bin', isSingleFile: true, totalLength: 3 });
    expect(listing.files).toMatchObject([{ path: ['one.bin'], lengthBytes: 3 }]);
  });

  it('sorts by the bytes of the whole path, so that a/ comes after a- and a.', async () => {
    const names = ['a/x', 'a-b/x', 'a.txt', 'B', 'a0', 'é', 'z', 'A/é/z', '\u{1f600}', '\uff5e'];
    const folder = writeTree(makeTempFolder(), Object.fromEntries(names.map((n) => [n, n])));
    expect(pathsOf(await listFiles(folder))).toEqual([
      'A/é/z',
      'B',
      'a-b/x',
      'a.txt',
      'a/x',
      'a0',
      'z',
      'é',
      '\uff5e',
      '\u{1f600}',
    ]);
  });

  it('keeps the order of Buffer.compare for any names', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
      .map((text) => text.replace(/[/\0]/g, '-'))
      .filter((text) => text !== '.' && text !== '..' && Buffer.byteLength(text) < 200);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.tuple(name, name), { maxLength: 12 }), async (paths) => {
        const folder = makeTempFolder();
        for (const [a, b] of paths) writeTree(folder, { [`d${a}/${b}`]: '' });
        const found = pathsOf(await listFiles(folder)).map((path) => Buffer.from(path));
        expect(found).toEqual([...found].sort(Buffer.compare));
        expect(found.length).toBe(new Set(paths.map((path) => path.join('/'))).size);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves out what is excluded, folders with all they hold', async () => {
    const folder = writeTree(makeTempFolder(), {
      'keep.txt': 'x',
      'a.tmp': 'x',
      'sub/b.txt': 'x',
      'deep/sub/c': 'x',
    });
    const without = async (...names: string[]) =>
      pathsOf(await listFiles(folder, { isExcluded: (path) => names.includes(path.join('/')) }));
    expect(await without('a.tmp', 'sub')).toEqual(['deep/sub/c', 'keep.txt']);
    expect(await without('deep/sub')).toEqual(['a.tmp', 'keep.txt', 'sub/b.txt']);
  });

  it('follows symbolic links to files and folders', async () => {
    const folder = writeTree(makeTempFolder(), { 'out/real.txt': 'real', 'in/own.txt': 'own' });
    symlinkSync('../out', join(folder, 'in/linked'));
    symlinkSync('../out/real.txt', join(folder, 'in/also.txt'));
    const listing = await listFiles(join(folder, 'in'));
    expect(pathsOf(listing)).toEqual(['also.txt', 'linked/real.txt', 'own.txt']);
    expect(listing.totalLength).toBe(11);
  });

  it('refuses a link that leads in a circle, and a link to nothing', async () => {
    const circle = writeTree(makeTempFolder(), { 'a/b/x': 'x' });
    symlinkSync('..', join(circle, 'a/b/up'));
    await expect(listFiles(circle)).rejects.toMatchObject({
      code: 'link-loop',
      path: join(circle, 'a/b/up'),
    });
    const dangling = makeTempFolder();
    symlinkSync('nowhere', join(dangling, 'link'));
    await expect(listFiles(dangling)).rejects.toMatchObject({
      code: 'not-found',
      path: join(dangling, 'link'),
    });
  });

  it('skips a named pipe and says so', async () => {
    const folder = writeTree(makeTempFolder(), { 'a.txt': 'x' });
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const listing = await listFiles(folder);
    expect(pathsOf(listing)).toEqual(['a.txt']);
    expect(listing.skipped).toEqual([{ diskPath: join(folder, 'pipe'), reason: 'a named pipe' }]);
    await expect(listFiles(join(folder, 'pipe'))).rejects.toMatchObject({ code: 'not-a-file' });
  });

  it.skipIf(process.getuid?.() === 0)('refuses what it may not read', async () => {
    const folder = writeTree(makeTempFolder(), { 'a.txt': 'x' });
    chmodSync(join(folder, 'a.txt'), 0);
    await expect(listFiles(folder)).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('names a file whose name is not UTF-8', async () => {
    const folder = makeTempFolder();
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/bad-`), Buffer.from([0xff])]), 'x');
    await expect(listFiles(folder)).rejects.toMatchObject({ code: 'invalid-name' });
    expect(pathsOf(await listFiles(folder, { isExcluded: () => true }))).toEqual([]);
  });

  it('says when nothing is there', async () => {
    const missing = join(makeTempFolder(), 'missing');
    await expect(listFiles(missing)).rejects.toMatchObject({ code: 'not-found', path: missing });
  });

  it('gives up between entries when aborted', async () => {
    const folder = makeTempFolder();
    for (let index = 0; index < 1001; index++) mkdirSync(join(folder, `${index}`));
    const reason = new Error('enough');
    await expect(listFiles(folder, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
