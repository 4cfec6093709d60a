import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TorrentVersion } from '../../src/metainfo.ts';
import { checkTorrent } from '../../src/node/check.ts';
import { createTorrent } from '../../src/node/create.ts';
import { parseMetainfo } from '../../src/parse.ts';
import { makeTempFolder, sampleBytes, writeTree } from './temp-folder.ts';

const PIECE = 16 * 1024;

describe.each<TorrentVersion>(['v1', 'v2', 'hybrid'])('checkTorrent of %s', (version) => {
  let around: string;
  let folder: string;
  let check: (path?: string) => ReturnType<typeof checkTorrent>;

  beforeEach(async () => {
    around = writeTree(makeTempFolder(), {
      'tree/a': 50_000,
      'tree/b/c': 20_000,
      'tree/d': 0,
      'tree/e': 7,
    });
    folder = join(around, 'tree');
    const { bytes } = await createTorrent({ input: folder, version, pieceLength: PIECE });
    const metainfo = parseMetainfo(bytes);
    check = (path = folder) => checkTorrent({ metainfo, path });
  });

  const problemsOf = async () =>
    (await check()).problems.map((p) => [p.diskPath.slice(folder.length + 1), p.problem]);

  it('finds the whole thing whole, from its folder and from the one around it', async () => {
    for (const path of [folder, around]) {
      const result = await check(path);
      expect(result).toMatchObject({
        isWhole: true,
        totalLength: 70_007,
        goodLength: 70_007,
        problems: [],
      });
      expect(result.goodPieceCount).toBe(result.pieceCount);
    }
  });

  it('finds one changed byte', async () => {
    const bytes = readFileSync(join(folder, 'a'));
    bytes[5]! ^= 1;
    writeFileSync(join(folder, 'a'), bytes);
    const result = await check();
    expect(result.isWhole).toBe(false);
    expect(result.pieceCount - result.goodPieceCount).toBe(1);
    expect(result.goodLength).toBe(70_007 - PIECE);
    expect(result.problems).toMatchObject([
      { diskPath: join(folder, 'a'), problem: 'damaged', pieceCount: 4, goodPieceCount: 3 },
    ]);
  });

  it('does not call a file damaged for a piece that it shares with a missing one', async () => {
    rmSync(join(folder, 'e'));
    // In v2 and hybrid torrents every file has pieces of its own.
    const shared = version === 'v1' ? [['b/c', 'uncertain']] : [];
    expect(await problemsOf()).toEqual([...shared, ['e', 'missing']]);
    const bytes = readFileSync(join(folder, 'b/c'));
    bytes[5] = bytes[5]! ^ 1;
    writeFileSync(join(folder, 'b/c'), bytes);
    expect(await problemsOf()).toContainEqual(['b/c', 'damaged']);
  });

  it('finds missing, short, long and empty files, and a folder or a pipe in the place of a file', async () => {
    rmSync(join(folder, 'd'));
    expect(await problemsOf()).toEqual([['d', 'missing']]);
    mkdirSync(join(folder, 'd'));
    expect(await problemsOf()).toEqual([['d', 'wrong-kind']]);
    rmSync(join(folder, 'd'), { recursive: true });
    execFileSync('mkfifo', [join(folder, 'd')]);
    expect(await problemsOf()).toEqual([['d', 'wrong-kind']]);
    rmSync(join(folder, 'd'));
    writeFileSync(join(folder, 'd'), 'x');
    expect(await problemsOf()).toEqual([['d', 'wrong-length']]);
    truncateSync(join(folder, 'd'), 0);
    expect((await check()).isWhole).toBe(true);
    appendFileSync(join(folder, 'e'), 'x');
    expect(await problemsOf()).toEqual([['e', 'wrong-length']]);
    truncateSync(join(folder, 'e'), 7);
    truncateSync(join(folder, 'a'), 20_000);
    const short = await check();
    expect(short.problems[0]).toMatchObject({ problem: 'wrong-length', goodPieceCount: 1 });
  });

  it('counts nothing of an empty folder, and refuses one that is not there', async () => {
    const result = await check(makeTempFolder());
    expect(result).toMatchObject({ isWhole: false, goodPieceCount: 0, goodLength: 0 });
    expect(result.problems.map((p) => p.problem)).toEqual([
      'missing',
      'missing',
      'missing',
      'missing',
    ]);
    await expect(check(join(folder, 'gone'))).rejects.toMatchObject({
      name: 'FileError',
      code: 'not-found',
    });
  });
});

describe('checkTorrent of one file', () => {
  it('takes the file or its folder', async () => {
    const folder = writeTree(makeTempFolder(), { one: 40_000 });
    const metainfo = parseMetainfo((await createTorrent({ input: join(folder, 'one') })).bytes);
    expect((await checkTorrent({ metainfo, path: folder })).isWhole).toBe(true);
    expect((await checkTorrent({ metainfo, path: join(folder, 'one') })).isWhole).toBe(true);
    writeTree(folder, { other: 39_999 });
    expect((await checkTorrent({ metainfo, path: join(folder, 'other') })).isWhole).toBe(false);
  });
});

describe('checkTorrent of names that are not safe everywhere', () => {
  it('finds the files as they were, and as a download names them', async () => {
    const around = makeTempFolder();
    const unsafe = writeTree(join(around, 'my:tree'), { CON: 20_000, 'x:y/a.': 1, ok: 5 });
    const metainfo = parseMetainfo((await createTorrent({ input: unsafe })).bytes);
    for (const path of [unsafe, around]) {
      expect(await checkTorrent({ metainfo, path })).toMatchObject({ isWhole: true });
    }
    const renamed = writeTree(makeTempFolder(), {
      'my_tree/_CON': sampleBytes(20_000, 'CON'),
      'my_tree/x_y/a_': sampleBytes(1, 'x:y/a.'),
      'my_tree/ok': sampleBytes(5, 'ok'),
    });
    expect(await checkTorrent({ metainfo, path: renamed })).toMatchObject({ isWhole: true });
    const one = writeTree(makeTempFolder(), { 'a:b': 9 });
    const single = parseMetainfo((await createTorrent({ input: join(one, 'a:b') })).bytes);
    expect(await checkTorrent({ metainfo: single, path: one })).toMatchObject({ isWhole: true });
  });

  it('finds files as they were whose names hold control characters, collide, or are safe names of others', async () => {
    const names = [
      'a\x01b\n.txt',
      'Same',
      'same',
      'a:b',
      'a_b',
      'long'.repeat(60),
      'dot.',
      'CON/x',
    ];
    const tree = Object.fromEntries(names.map((name, index) => [`tree/${name}`, 100 + index]));
    const made = writeTree(makeTempFolder(), tree);
    const metainfo = parseMetainfo((await createTorrent({ input: join(made, 'tree') })).bytes);
    for (const path of [made, join(made, 'tree')]) {
      expect(await checkTorrent({ metainfo, path })).toMatchObject({ isWhole: true });
    }
    const downloaded = makeTempFolder();
    for (const { index, path, isPad } of metainfo.info.files) {
      if (isPad) continue;
      mkdirSync(join(downloaded, ...path.slice(0, -1)), { recursive: true });
      const original = join(made, ...metainfo.info.files.originalPathOf(index));
      copyFileSync(original, join(downloaded, ...path));
    }
    expect(await checkTorrent({ metainfo, path: downloaded })).toMatchObject({ isWhole: true });
  });
});
