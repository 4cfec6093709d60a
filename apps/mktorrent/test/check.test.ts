import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeTempFolder, mktorrent, sample } from './harness.ts';

describe('mktorrent check', () => {
  it('ends with 0 when all is right and with 1 when something is not', async () => {
    const folder = sample();
    await mktorrent(folder, ['tree', '-l', '16K']);
    expect(await mktorrent(folder, ['check', 'tree.torrent', 'tree'])).toMatchObject({
      code: 0,
      stdout: 'All is there and right: 100% of 39.1 KiB, 3 of 3 pieces.\n',
      stderr: '',
    });
    expect((await mktorrent(folder, ['check', 'tree.torrent', '.'])).code).toBe(0);
    const bytes = readFileSync(join(folder, 'tree/a.txt'));
    bytes[0] = 0;
    writeFileSync(join(folder, 'tree/a.txt'), bytes);
    appendFileSync(join(folder, 'tree/sub/empty'), 'x');
    expect(await mktorrent(folder, ['check', 'tree.torrent', 'tree'])).toMatchObject({
      code: 1,
      stdout: `${folder}/tree/a.txt is damaged: 2 of 3 pieces right
${folder}/tree/sub/empty has the wrong length
Not whole: 59.0% of 39.1 KiB, 2 of 3 pieces.\n`,
    });
    const json = JSON.parse(
      (await mktorrent(folder, ['check', 'tree.torrent', 'tree', '--json'])).stdout,
    );
    expect(json).toMatchObject({
      whole: false,
      pieces: 3,
      goodPieces: 2,
      bytes: 40_001,
      goodBytes: 23_617,
      problems: [{ problem: 'damaged' }, { problem: 'wrong-length' }],
    });
  });

  it('says of a file that it shares a piece with a missing one, not that it is damaged', async () => {
    const folder = sample();
    await mktorrent(folder, ['tree', '-l', '16K']);
    rmSync(join(folder, 'tree/sub/b.txt'));
    expect((await mktorrent(folder, ['check', 'tree.torrent', 'tree'])).stdout).toBe(
      `${folder}/tree/a.txt shares a piece with a file that is not right: 2 of 3 pieces right
${folder}/tree/sub/b.txt is missing
Not whole: 81.9% of 39.1 KiB, 2 of 3 pieces.\n`,
    );
  });

  it('refuses a bad torrent with 3 and missing data with 4', async () => {
    const folder = sample();
    expect((await mktorrent(folder, ['check', 'tree/a.txt', 'tree'])).code).toBe(3);
    await mktorrent(folder, ['tree']);
    expect((await mktorrent(folder, ['check', 'tree.torrent', 'gone'])).code).toBe(4);
  });

  it('says so when nothing is there, and with --json names every file', async () => {
    const folder = sample();
    mkdirSync(join(folder, 'other'));
    await mktorrent(folder, ['tree', '--hybrid']);
    expect(await mktorrent(folder, ['check', 'tree.torrent', 'other'])).toMatchObject({
      code: 1,
      stdout: `Nothing of tree is in ${folder}/other: give the file or folder it was made of, or the folder around that.\n`,
      stderr: '',
    });
    const { stdout } = await mktorrent(folder, ['check', 'tree.torrent', 'other', '--json']);
    const { problems } = JSON.parse(stdout) as { problems: { problem: string }[] };
    expect(problems.map(({ problem }) => problem)).toEqual(['missing', 'missing', 'missing']);
  });

  it('names twenty problems on a terminal, and all elsewhere', async () => {
    const folder = makeTempFolder();
    mkdirSync(join(folder, 'tree'));
    for (let file = 0; file < 30; file++) writeFileSync(join(folder, `tree/${file}`), 'a');
    await mktorrent(folder, ['tree']);
    for (let file = 5; file < 30; file++) rmSync(join(folder, `tree/${file}`));
    const words = ['check', 'tree.torrent', 'tree'];
    expect((await mktorrent(folder, words)).stdout.split('\n')).toHaveLength(32);
    let shown = '';
    const stdout = {
      isTTY: true,
      write: (chunk: string | Uint8Array) => {
        shown += chunk;
      },
    };
    await mktorrent(folder, words, { stdout });
    expect(shown.split('\n').slice(19)).toEqual([
      expect.stringMatching(/ is /),
      'and 10 more; --json lists them all',
      expect.stringMatching(/^Not whole: /),
      '',
    ]);
  });
});
