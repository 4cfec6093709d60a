import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseMetainfo } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { makeTempFolder, mktorrent, sample } from './harness.ts';

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
          /^mktorrent: 6 names are not possible on every system, and may be changed where the torrent is downloaded: tree\/CON to tree\/_CON, (?:tree\/[^\n]+ to tree\/[^\n]+, ){2}and 3 more\.\n$/,
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

  it('counts all names that others will change, however many it names', async () => {
    const folder = makeTempFolder();
    mkdirSync(join(folder, 'tree'));
    for (let n = 0; n < 1_100; n += 1) writeFileSync(join(folder, 'tree', `${n}:`), 'x');
    const { stderr } = await mktorrent(folder, ['tree']);
    expect(stderr).toMatch(/^mktorrent: 1,100 names are not possible .*, and 1,097 more\.\n$/);
    const { stdout } = await mktorrent(folder, ['show', 'tree.torrent']);
    expect(stdout).toMatch(/\n100 more names become others\.\n$/);
    const shown = JSON.parse((await mktorrent(folder, ['show', 'tree.torrent', '--json'])).stdout);
    expect([shown.renamed.length, shown.renamedCount]).toEqual([1_000, 1_100]);
  });

  it('warns of names that Windows alone refuses', async () => {
    const folder = sample();
    writeFileSync(join(folder, 'tree/q"uote?*'), 'q');
    const { code, stderr } = await mktorrent(folder, ['tree']);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr:
        'mktorrent: 1 name is not possible on every system, and may be changed where the torrent is downloaded: tree/q"uote?* to tree/q_uote__.\n',
    });
  });

  it('warns of a private torrent without a tracker', async () => {
    const folder = sample();
    const { code, stderr } = await mktorrent(folder, ['tree', '--private']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^mktorrent: A private torrent .* names none: give one with -a/);
    const words = ['tree', '--private', '--force', '-a', 'udp://tracker.example:6969'];
    expect((await mktorrent(folder, words)).stderr).toBe('');
  });

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
