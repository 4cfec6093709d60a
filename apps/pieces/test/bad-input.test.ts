// Bad input gets one clear sentence and its exit code, and nothing is written or lost.

import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { encode } from '@bt/bencode';
import { parseMetainfo } from '@bt/metainfo';
import { FileStore } from '@bt/storage/node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KiB, LOCALHOST, pieces, seed, share, useTempFolder } from './harness.ts';

const folder = useTempFolder();
const copy = () => join(folder.path, 'copy');
const torrentFile = () => join(folder.path, 'x.torrent');

function args(...more: string[]): string[] {
  return ['-t', torrentFile(), '--dir', copy(), '--timeout', '0.01', ...more];
}

/** A v1 torrent of these paths below `name`, a byte each. */
function torrentOf(paths: readonly (readonly string[])[], name = 'tree'): Uint8Array {
  const files = paths.map((path) => ({ length: 1, path }));
  const info = { files, name, 'piece length': 16 * KiB, pieces: new Uint8Array(20) };
  return encode({ info });
}

/** One sentence on one line, without a stack or a code name. */
function expectSentence(error: string, why: RegExp): void {
  expect(error).toMatch(/^pieces: [^\n]*\.\n$/);
  expect(error).toMatch(why);
  expect(error).not.toMatch(/\bat .*:\d+|Error\b/);
}

async function expectRefused(bytes: Uint8Array, why: RegExp): Promise<void> {
  await writeFile(torrentFile(), bytes);
  const { code, out, error } = await pieces(args());
  expect({ code, out }).toEqual({ code: 3, out: '' });
  expectSentence(error, why);
  expect(existsSync(copy())).toBe(false);
}

describe('a bad .torrent', () => {
  it.each([0, 1, 30, 100])('cut off at byte %i', async (length) => {
    const { bytes } = await share(folder.path, { a: 100_000 });
    await expectRefused(bytes.subarray(0, length), /x\.torrent is not a usable \.torrent file: /);
  });

  it('with hashes missing', async () => {
    const { bytes } = await share(folder.path, { a: 100_000 });
    const text = Buffer.from(bytes)
      .toString('latin1')
      .replace('6:lengthi100000e', '6:lengthi900000e');
    await expectRefused(Buffer.from(text, 'latin1'), /piece/);
  });

  it('that is empty', async () => {
    await expectRefused(
      new Uint8Array(),
      /x\.torrent is not a usable \.torrent file: it is empty\./,
    );
  });

  it('that is something else', async () => {
    await expectRefused(Buffer.from('<html>not found</html>'), /usable/);
  });

  it('that is too large', async () => {
    await writeFile(torrentFile(), '');
    await truncate(torrentFile(), 64 * 2 ** 20 + 1);
    const { code, error } = await pieces(args());
    expect(code).toBe(3);
    expectSentence(error, /larger than 64 MiB/);
  });

  it('that is not there, or is a folder', async () => {
    const missing = await pieces(args());
    expect(missing.code).toBe(3);
    expectSentence(missing.error, /Cannot read .*x\.torrent: there is no such file/);
    const directory = await pieces(['-t', folder.path]);
    expect(directory.code).toBe(3);
    expectSentence(directory.error, /it is a folder/);
  });

  it.each([
    ['ab'.repeat(20), `magnet:?xt=urn:btih:${'ab'.repeat(20)}`],
    [`${'MZXW6YTBOI'.repeat(3)}AB`, `magnet:?xt=urn:btih:${'MZXW6YTBOI'.repeat(3)}AB`],
    ['ab'.repeat(32), `magnet:?xt=urn:btmh:1220${'ab'.repeat(32)}`],
    ['mganet:?xt=urn:btih:00', 'a link that begins with magnet:?'],
  ])('that is not there, and looks like %s', async (torrent, meant) => {
    const { code, error } = await pieces(['-t', torrent]);
    expect(code).toBe(3);
    expect(error).toBe(
      `pieces: Cannot read ${torrent}: there is no such file. Did you mean ${meant}?\n`,
    );
  });

  it.each([
    ['..', [['..', 'x']]],
    ['an empty component', [['', 'x']]],
    ['a component with a slash', [['/etc/x']]],
    ['NUL', [['a\0b']]],
    ['..  further down', [['a', '..', '..', 'x']]],
  ])('with a path that has %s', async (_what, paths) => {
    await expectRefused(torrentOf(paths), /path/);
  });

  it.each(['..', '/etc', '\0'])('with the name %j', async (name) => {
    await expectRefused(torrentOf([['x']], name), /name|path/);
  });
});

describe('names that mean something to some system', () => {
  it('are changed, and told', async () => {
    await writeFile(torrentFile(), torrentOf([['CON'], ['a:b'], ['dot.'], ['Same'], ['same']]));
    const { code, error } = await pieces(args('--check'));
    expect(code).toBe(4);
    for (const name of ['CON', 'a:b', 'dot.']) {
      expect(error).toContain(
        `Warning: tree/${name} is not a safe name on every system; it is downloaded as `,
      );
    }
    expect(error).toMatch(/Warning: tree\/same is .* downloaded as tree\/same\.1\./);
  });

  it('are told as they are written, also where they begin like a sentence', async () => {
    await writeFile(torrentFile(), torrentOf([['CON']], 'my film'));
    const { error } = await pieces(args('--check'));
    expect(error).toMatch(/^Warning: my film\/CON is not a safe name on every system/);
  });

  it('are told as events too', async () => {
    await writeFile(torrentFile(), torrentOf([['CON'], ['plain']]));
    const { events } = await pieces(args('--check', '--json'));
    expect(events.filter(({ event }) => event === 'renamed')).toEqual([
      expect.objectContaining({ fileIndex: 0, original: 'tree/CON', reasons: ['reserved-name'] }),
    ]);
  });
});

describe('more unsafe names than are kept', () => {
  it('are counted all the same, and as many told as events as is said', async () => {
    await writeFile(torrentFile(), torrentOf(Array.from({ length: 1_200 }, (_, n) => [`:${n}`])));
    const { error } = await pieces(args('--check'));
    expect(error).toContain(
      'Warning: 1190 more names are downloaded as others; --json lists the first 1000.',
    );
    const { events } = await pieces(args('--check', '--json'));
    expect(events[0]).toMatchObject({ event: 'started', renamedCount: 1_200 });
    expect(events.filter(({ event }) => event === 'renamed')).toHaveLength(1_000);
  });
});

describe('something in the way', () => {
  it('a symbolic link out of the download folder, which stays as it is', async () => {
    const shared = await share(folder.path, { 'sub/a': 40_000 });
    await mkdir(join(copy(), 'tree'), { recursive: true });
    const elsewhere = join(folder.path, 'elsewhere');
    await mkdir(elsewhere);
    await symlink(elsewhere, join(copy(), 'tree', 'sub'));
    const { peer } = await seed(shared);
    const said = await pieces(['-t', shared.file, '--dir', copy(), ...peer]);
    expect(said.code).toBe(4);
    expectSentence(said.error, /copy\/tree\/sub: a symbolic link/);
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it('a symbolic link where a file should be', async () => {
    const shared = await share(folder.path, { a: 40_000 });
    await mkdir(join(copy(), 'tree'), { recursive: true });
    const victim = join(folder.path, 'victim');
    await writeFile(victim, 'mine');
    await symlink(victim, join(copy(), 'tree', 'a'));
    const { code, error } = await pieces(['-t', shared.file, '--dir', copy()]);
    expect(code).toBe(4);
    expectSentence(error, /tree\/a: a symbolic link/);
    expect(await readFile(victim, 'utf8')).toBe('mine');
  });

  it('a folder where a file should be', async () => {
    const shared = await share(folder.path, { a: 40_000, b: 1 });
    await mkdir(join(copy(), 'tree', 'a'), { recursive: true });
    const { code, error } = await pieces(['-t', shared.file, '--dir', copy()]);
    expect(code).toBe(4);
    expectSentence(error, /tree\/a: a folder stands where a file should be/);
    expect(readdirSync(join(copy(), 'tree'))).toEqual(['a']);
  });

  it('a file where a folder should be', async () => {
    const shared = await share(folder.path, { 'sub/a': 40_000 });
    await mkdir(join(copy(), 'tree'), { recursive: true });
    await writeFile(join(copy(), 'tree', 'sub'), 'mine');
    const { code, error } = await pieces(['-t', shared.file, '--dir', copy()]);
    expect(code).toBe(4);
    expectSentence(error, /a file stands where a folder should be/);
    expect(readFileSync(join(copy(), 'tree', 'sub'), 'utf8')).toBe('mine');
  });

  it('another program that has the torrent open there', async () => {
    const shared = await share(folder.path, { a: 40_000 });
    const { info } = parseMetainfo(shared.bytes);
    const store = await FileStore.open({ info, folder: shared.dir });
    onTestFinished(() => store.close());
    const { code, error } = await pieces(['-t', shared.file, '--dir', shared.dir]);
    expect(code).toBe(4);
    expectSentence(error, /original: another process has this torrent open in this folder\./);
    expect((await pieces(['-t', shared.file, '--dir', shared.dir, '--check'])).code).toBe(0);
  });

  it('a file as the download folder', async () => {
    const shared = await share(folder.path, { a: 40_000 });
    await writeFile(copy(), 'mine');
    const { code, error } = await pieces(['-t', shared.file, '--dir', copy()]);
    expect(code).toBe(4);
    expectSentence(error, /copy: a file stands where a folder should be/);
  });

  it('that comes while the download runs: it ends at once, since waiting would not help', async () => {
    const shared = await share(folder.path, { a: 40_000 });
    const { peer } = await seed(shared);
    const { code, events } = await pieces(['-t', shared.file, '--dir', copy(), ...peer, '--json'], {
      onEvent: ({ event }) => {
        if (event === 'checked') writeFileSync(join(copy(), 'tree'), 'mine');
      },
    });
    expect(code).toBe(4);
    expect(events).toContainEqual({
      event: 'disk-error',
      code: 'not-directory',
      path: expect.stringMatching(/copy\/tree/),
      message: expect.stringMatching(/copy\/tree.*: a file stands/),
    });
    expect(events.slice(-2)).toMatchObject([
      { event: 'stopped', complete: false },
      { event: 'error', exitCode: 4 },
    ]);
    expect(readFileSync(join(copy(), 'tree'), 'utf8')).toBe('mine');
  });

  it('that costs one piece, which is got again: the download goes on however long that takes', async () => {
    const MiB = 1024 * KiB;
    const shared = await share(folder.path, { a: 8 * MiB + 100 }, { pieceLength: 8 * MiB });
    const { peer } = await seed(shared);
    const wait = ['--max-down', '2M', '--disk-wait', '0.5'];
    const args = ['-t', shared.file, '--dir', copy(), ...peer, ...wait, '--json'];
    let isCut = false;
    const { code, events } = await pieces(args, {
      // Half of the piece is on disk when somebody empties the file.
      onEvent: ({ event, downloadedBytes }) => {
        if (event !== 'progress' || isCut || Number(downloadedBytes) < 2 * MiB) return;
        truncateSync(join(copy(), 'tree', 'a'), 0);
        isCut = true;
      },
    });
    expect(code).toBe(0);
    expect(events.filter(({ event }) => /-failed|-error|banned/.test(event))).toEqual([
      {
        event: 'save-failed',
        pieceIndex: 0,
        code: 'truncated',
        path: expect.stringMatching(/copy\/tree\/a$/),
        message: expect.stringMatching(/shorter than it should be/),
      },
    ]);
    const bytes = readFileSync(join(copy(), 'tree', 'a'));
    expect(bytes.equals(shared.originals.get('a')!)).toBe(true);
  });

  it('of a check, which warns of it', async () => {
    const shared = await share(folder.path, { a: 40_000 });
    mkdirSync(join(copy(), 'tree', 'a'), { recursive: true });
    const { code, out, error } = await pieces(['-t', shared.file, '--dir', copy(), '--check']);
    expect(code).toBe(1);
    expect(out).toContain('0.0% is right');
    expect(error).toMatch(/^Warning: .*tree\/a: a folder stands where a file should be.*\.\n$/);
  });
});

describe('wrong usage found late', () => {
  it('a port that is taken', async () => {
    const server = createServer();
    await once(server.listen(0, LOCALHOST), 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const shared = await share(folder.path, { a: 1 });
    const { code, error } = await pieces(['-t', shared.file, '--listen', `${port}`]);
    expect(code).toBe(2);
    expectSentence(error, /Another program listens on port \d+ of 127\.0\.0\.1: .*--listen/);
  });

  it('an address of another machine', async () => {
    const shared = await share(folder.path, { a: 1 });
    const { code, error } = await pieces(['-t', shared.file, '--bind', '192.0.2.1']);
    expect(code).toBe(2);
    expectSentence(error, /192\.0\.2\.1 is no address of this machine/);
  });

  it.each(['*.mkv', '7', '2-1'])('--files %s that names nothing', async (pattern) => {
    const shared = await share(folder.path, { a: 1 });
    const { code, error } = await pieces(['-t', shared.file, '--files', pattern]);
    expect(code).toBe(2);
    expectSentence(error, /names no file of this torrent/);
  });
});
