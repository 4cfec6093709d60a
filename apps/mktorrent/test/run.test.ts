import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseMetainfo } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { makeTempFolder, mktorrent } from './harness.ts';

function sample(): string {
  const folder = makeTempFolder();
  mkdirSync(join(folder, 'tree/sub'), { recursive: true });
  writeFileSync(join(folder, 'tree/a.txt'), 'a'.repeat(40_000));
  writeFileSync(join(folder, 'tree/sub/b.txt'), 'b');
  writeFileSync(join(folder, 'tree/sub/empty'), '');
  return folder;
}

const torrentIn = (folder: string, name = 'tree.torrent') =>
  parseMetainfo(readFileSync(join(folder, name)));

describe('mktorrent', () => {
  it('writes NAME.torrent where it was called, and says so', async () => {
    const folder = sample();
    const said = await mktorrent(folder, ['tree/', '-a', 'http://t/announce', '-c', 'hello']);
    expect(said).toMatchObject({ code: 0, stderr: '' });
    expect(said.stdout).toBe(
      `Wrote ${folder}/tree.torrent: 3 files, 39.1 KiB, 3 pieces of 16 KiB.\n`,
    );
    expect(torrentIn(folder)).toMatchObject({
      announceTiers: [['http://t/announce']],
      comment: 'hello',
      createdAtSeconds: 1_700_000_000,
      createdBy: expect.stringMatching(/mktorrent \d/),
      info: { name: 'tree', version: 'v1', isPrivate: false },
    });
    expect(readdirSync(folder).sort()).toEqual(['tree', 'tree.torrent']);
  });

  it('takes name, path, piece length, version, privacy, source, web seeds and exclusions', async () => {
    const folder = sample();
    const words = [
      '-f',
      'tree',
      '-n',
      'other',
      '-p',
      'x.torrent',
      '-l',
      '32K',
      '--hybrid',
      '--private',
      '--source',
      's',
      '--web-seed',
      'http://w/',
      '--exclude',
      'empty',
      '-w',
      '1',
    ];
    expect((await mktorrent(folder, words)).code).toBe(0);
    const torrent = torrentIn(folder, 'x.torrent');
    expect(torrent).toMatchObject({
      webSeeds: ['http://w/'],
      info: { name: 'other', version: 'hybrid', pieceLength: 32_768, isPrivate: true, source: 's' },
    });
    expect(torrent.createdAtSeconds).toBeUndefined();
    expect(
      Array.from(torrent.info.files)
        .filter((f) => !f.isPad)
        .map((f) => f.path.join('/')),
    ).toEqual(['other/a.txt', 'other/sub/b.txt']);
  });

  it('names the output by -n, and puts it into a folder given with -p', async () => {
    const folder = sample();
    mkdirSync(join(folder, 'out'));
    await mktorrent(folder, ['tree', '-n', 'other']);
    await mktorrent(folder, ['tree', '-p', 'out']);
    expect(readdirSync(folder).sort()).toEqual(['other.torrent', 'out', 'tree']);
    expect(readdirSync(join(folder, 'out'))).toEqual(['tree.torrent']);
  });

  it('writes to standard output with -p -, and nothing else there', async () => {
    const folder = sample();
    const said = await mktorrent(folder, ['tree', '-p', '-', '-v']);
    expect(parseMetainfo(said.stdoutBytes).info.name).toBe('tree');
    expect(readdirSync(folder)).toEqual(['tree']);
  });

  it('dates by SOURCE_DATE_EPOCH, and refuses a wrong one', async () => {
    const folder = sample();
    await mktorrent(folder, ['tree'], { env: { SOURCE_DATE_EPOCH: '12345' } });
    expect(torrentIn(folder).createdAtSeconds).toBe(12_345);
    const said = await mktorrent(folder, ['tree', '--force'], {
      env: { SOURCE_DATE_EPOCH: 'yesterday' },
    });
    expect(said).toMatchObject({ code: 2, stderr: expect.stringContaining('SOURCE_DATE_EPOCH') });
    expect(
      (
        await mktorrent(folder, ['tree', '--force', '-w'], {
          env: { SOURCE_DATE_EPOCH: 'yesterday' },
        })
      ).code,
    ).toBe(0);
  });

  it('gives another info-hash with --entropy each time, and the same without', async () => {
    const folder = sample();
    const hashOf = async (...words: string[]) => {
      expect((await mktorrent(folder, ['tree', '--force', ...words])).code).toBe(0);
      return Buffer.from(torrentIn(folder).info.infoHash).toString('hex');
    };
    expect(await hashOf()).toBe(await hashOf());
    expect(await hashOf('--entropy')).not.toBe(await hashOf('--entropy'));
  });

  it('prints JSON, the magnet link, and with -v all that the torrent holds', async () => {
    const folder = sample();
    const json = JSON.parse((await mktorrent(folder, ['tree', '--hybrid', '--json'])).stdout);
    expect(json).toMatchObject({
      torrent: join(folder, 'tree.torrent'),
      name: 'tree',
      version: 'hybrid',
      bytes: 40_001,
      pieceLength: 16_384,
      skipped: [],
      infoHashV1: expect.stringMatching(/^[0-9a-f]{40}$/),
      infoHashV2: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const magnet = await mktorrent(folder, ['tree', '--hybrid', '--force', '--magnet']);
    expect(magnet.stdout.split('\n')[1]).toBe(json.magnet);
    const verbose = await mktorrent(folder, ['tree', '--force', '-v', '-a', 'udp://t:1']);
    for (const part of [
      'Name:         tree',
      'Tier 1:       udp://t:1',
      'tree/sub/empty',
      'Wrote ',
    ]) {
      expect(verbose.stdout).toContain(part);
    }
  });

  it('refuses to overwrite, unless forced, before it hashes', async () => {
    const folder = sample();
    writeFileSync(join(folder, 'tree.torrent'), 'precious');
    const said = await mktorrent(folder, ['tree']);
    expect(said).toMatchObject({
      code: 4,
      stdout: '',
      stderr: `mktorrent: ${folder}/tree.torrent exists: use --force to replace it, or -p for another name.\n`,
    });
    expect(readFileSync(join(folder, 'tree.torrent'), 'utf8')).toBe('precious');
    expect((await mktorrent(folder, ['tree', '--force'])).code).toBe(0);
    expect(torrentIn(folder).info.name).toBe('tree');
  });

  it('does not replace one of the files it describes', async () => {
    const folder = sample();
    writeFileSync(join(folder, 'tree/old.torrent'), 'old');
    const words = ['tree', '-p', 'tree/old.torrent', '--force'];
    expect(await mktorrent(folder, words)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('own torrent'),
    });
    expect((await mktorrent(folder, [...words, '--exclude', '*.torrent'])).code).toBe(0);
    expect((await mktorrent(folder, ['tree', '-p', 'tree/new.torrent'])).code).toBe(0);
  });

  it('says in one sentence what is wrong with the input', async () => {
    const folder = sample();
    const failsWith = async (words: string[], code: number, sentence: RegExp) => {
      const said = await mktorrent(folder, words);
      expect(said).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(sentence) });
      expect(said.stderr).toMatch(/^mktorrent: [^\n]+\.\n$/);
      expect(readdirSync(folder)).toEqual(['tree']);
    };
    await failsWith(['./missing'], 4, /missing does not exist/);
    await failsWith(
      ['info'],
      4,
      /no file or folder info here, and no such command: those are show/,
    );
    await failsWith(['tree/sub/empty'], 4, /the file is empty/);
    await failsWith(
      ['tree', '-p', 'no/folder.torrent'],
      4,
      /can't be written: its folder does not exist/,
    );
    await failsWith(
      ['tree', '-p', 'no/'],
      4,
      /no\/tree\.torrent can't be written: its folder does/,
    );
    await failsWith(['tree', '-l', '20000'], 2, /20000 bytes is not possible/);
    await failsWith(['tree', '--v2', '-l', '48K'], 2, /power of two/);
    await failsWith(['tree', '-n', 'a/b'], 2, /'a\/b' is not possible as the name/);
    await failsWith(['tree', '-n', 'a\x1bb/'], 2, /'a\\u\{1b\}b\/'/);
    await failsWith(['tree', '--exclude', '*'], 4, /no file with content/);
    await failsWith(['tree', '--bad'], 2, /Unknown option/);
    await failsWith([], 2, /Which file or folder/);
  });

  it('names --exclude for a link that leads to nothing', async () => {
    const folder = sample();
    symlinkSync('nowhere', join(folder, 'tree/link'));
    expect(await mktorrent(folder, ['tree'])).toMatchObject({
      code: 4,
      stderr: `mktorrent: ${folder}/tree/link does not exist; mend that, or leave it out with --exclude.\n`,
    });
    expect((await mktorrent(folder, ['tree', '--exclude', 'link'])).code).toBe(0);
  });

  it.each(['-w', '--v2', '--hybrid'])(
    'warns of a few names that others will change, with %s, and finds the files whole',
    async (version) => {
      const folder = makeTempFolder();
      mkdirSync(join(folder, 'tree'));
      const names = ['CON', 'Same', 'a:b', 'a\nb', 'a_b', 'dot.', 'ok', 'same'];
      for (const [index, name] of names.entries()) {
        writeFileSync(join(folder, 'tree', name), `${index}`.repeat(100));
      }
      const said = await mktorrent(folder, ['tree', version, '--force']);
      expect(said).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(
          /^mktorrent: 6 names are not possible on every system, and changed where the torrent is downloaded: tree\/CON to tree\/_CON, (?:tree\/[^\n]+ to tree\/[^\n]+, ){2}and 3 more\.\n$/,
        ),
      });
      expect(await mktorrent(folder, ['check', 'tree.torrent', 'tree'])).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^All is there and right: 100% /),
      });
      const { stdout } = await mktorrent(folder, ['show', 'tree.torrent', '--json']);
      expect(JSON.parse(stdout).renamed).toHaveLength(6);
    },
  );

  it('names what it skips', async () => {
    const folder = sample();
    execFileSync('mkfifo', [join(folder, 'tree/pipe')]);
    const said = await mktorrent(folder, ['tree']);
    expect(said).toMatchObject({
      code: 0,
      stderr: `mktorrent: Skipped ${folder}/tree/pipe, which is a named pipe.\n`,
    });
  });

  it('stops at Ctrl-C with 130 and leaves nothing', async () => {
    const folder = makeTempFolder();
    writeFileSync(join(folder, 'big'), '');
    truncateSync(join(folder, 'big'), 2 ** 40);
    const abort = new AbortController();
    let stderr = '';
    const terminal = {
      isTTY: true,
      columns: 80,
      write: (chunk: string | Uint8Array) => {
        stderr += chunk;
        if (stderr.includes('left')) abort.abort();
      },
    };
    let now = 0;
    const said = await mktorrent(folder, ['big'], {
      signal: abort.signal,
      stderr: terminal,
      clock: () => ++now,
    });
    expect(said).toMatchObject({ code: 130, stdout: '' });
    expect(stderr).toMatch(
      /Hashed 0\.0% of 1 TiB.*left.*\r +\rmktorrent: Interrupted; nothing was written\.\n$/s,
    );
    expect(readdirSync(folder)).toEqual(['big']);
  });
});

describe('mktorrent show', () => {
  it('tells what a torrent holds, as text, as JSON and as a magnet link', async () => {
    const folder = sample();
    await mktorrent(folder, [
      'tree',
      '--v2',
      '-a',
      'http://a/,http://b/',
      '-a',
      'udp://c:1',
      '-c',
      'he\x1b[31mllo',
      '--private',
      '--web-seed',
      'http://w/',
    ]);
    const text = await mktorrent(folder, ['show', 'tree.torrent']);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toBe(
      `Name:         tree
Version:      v2
Info-hash v2: ${JSON.parse((await mktorrent(folder, ['show', 'tree.torrent', '--json'])).stdout).infoHashV2}
Size:         39.1 KiB (40,001 bytes)
Pieces:       4 pieces of 16 KiB
Private:      yes
Comment:      he\\u{1b}[31mllo
Created by:   @bt/mktorrent 0.0.0
Created at:   2023-11-14T22:13:20.000Z
Tier 1:       http://a/, http://b/
Tier 2:       udp://c:1
Web seed:     http://w/
3 files, each with the index that pieces --files takes:
  0  39.1 KiB  tree/a.txt
  1    1 byte  tree/sub/b.txt
  2   0 bytes  tree/sub/empty
`.replace(/mktorrent \d[^\n]*/, () => text.stdout.match(/mktorrent \d[^\n]*/)?.[0] ?? ''),
    );
    const magnet = await mktorrent(folder, ['show', 'tree.torrent', '--magnet']);
    expect(magnet.stdout).toMatch(/^magnet:\?xt=urn:btmh:1220[0-9a-f]{64}&dn=tree&[^\n]*\n$/);
  });

  it('refuses what is no torrent with 3, and what is not there with 4', async () => {
    const folder = sample();
    await mktorrent(folder, ['tree']);
    const path = join(folder, 'tree.torrent');
    const bytes = readFileSync(path);
    for (const bad of [
      bytes.subarray(0, -1),
      Buffer.from('nonsense'),
      Buffer.concat([bytes, Buffer.from('x')]),
    ]) {
      writeFileSync(path, bad);
      const said = await mktorrent(folder, ['show', 'tree.torrent']);
      expect(said).toMatchObject({
        code: 3,
        stdout: '',
        stderr: expect.stringMatching(
          /^mktorrent: .*tree\.torrent is not a valid \.torrent: [^\n]+\.\n$/,
        ),
      });
    }
    truncateSync(path, 65 * 2 ** 20);
    expect(await mktorrent(folder, ['show', 'tree.torrent'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('too large'),
    });
    expect(await mktorrent(folder, ['show', 'gone'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('does not exist'),
    });
  });

  // Root may read everything.
  it.skipIf(process.getuid?.() === 0)('says what to do about a missing permission', async () => {
    const folder = sample();
    writeFileSync(join(folder, 'tree/secret.torrent'), 'x', { mode: 0 });
    expect((await mktorrent(folder, ['show', 'tree/secret.torrent'])).stderr).toMatch(
      /secret\.torrent can't be read: you have no permission, see its owner and mode\.\n$/,
    );
    expect((await mktorrent(folder, ['tree'])).stderr).toMatch(
      /secret\.torrent can't be read: .*; mend that, or leave it out with --exclude\.\n$/,
    );
  });

  it.each(['show', 'check'])('says in one sentence what %s can not read', async (command) => {
    const folder = sample();
    writeFileSync(join(folder, 'empty'), '');
    const sentenceFor = async (file: string, code: number) => {
      const words = command === 'show' ? [file] : [file, 'tree'];
      const said = await mktorrent(folder, [command, ...words]);
      expect(said).toMatchObject({ code, stdout: '' });
      return said.stderr;
    };
    expect(await sentenceFor('tree', 4)).toBe(
      `mktorrent: ${folder}/tree is a folder: give the .torrent itself.\n`,
    );
    expect(await sentenceFor('gone', 4)).toBe(`mktorrent: ${folder}/gone does not exist.\n`);
    expect(await sentenceFor('empty/x', 4)).toBe(`mktorrent: ${folder}/empty/x does not exist.\n`);
    expect(await sentenceFor('empty', 3)).toBe(
      `mktorrent: ${folder}/empty is empty: no .torrent is.\n`,
    );
  });
});

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
