import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildMetainfo, formatMagnet, type Magnet, magnetOf, parseMetainfo } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { LOCALHOST, pieces, type Shared, seed, share, useTempFolder } from './harness.ts';

const folder = useTempFolder();
const TREE = { 'one.bin': 40_000, 'two.bin': 70_000, 'sub/three.txt': 300 };

/** The link of what is shared, which leads to its seed. */
async function linkTo(shared: Shared, more: Partial<Magnet> = {}): Promise<string> {
  const { peer } = await seed(shared);
  const port = Number(peer[1]!.split(':').at(-1));
  const peers = [{ host: LOCALHOST, port }];
  return linkOf(shared, { peers, ...more });
}

function linkOf({ bytes }: Shared, more: Partial<Magnet> = {}): string {
  return formatMagnet({ ...magnetOf(parseMetainfo(bytes)), ...more });
}

const names = async (path: string) => (await readdir(path).catch(() => [])).sort();

describe('pieces -m', () => {
  it('downloads what a magnet link means, and tells of it', async () => {
    const shared = await share(folder.path, TREE);
    const link = await linkTo(shared);
    const dir = join(folder.path, 'copy');
    const { code, error, events } = await pieces(['-m', link, '--dir', dir, '--json']);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    for (const [name, original] of shared.originals) {
      expect(original.equals(await readFile(join(dir, 'tree', name))), name).toBe(true);
    }
    const told = events
      .filter(
        ({ event }) => !['progress', 'file', 'peer', 'peer-closed', 'tracker'].includes(event),
      )
      .map(({ event, state }) => (event === 'state' ? `state ${state}` : event));
    expect(told).toEqual([
      'magnet',
      'state fetching-metadata',
      'metadata',
      'started',
      'state checking',
      'checked',
      'state downloading',
      'state seeding',
      'done',
      'state stopped',
      'stopped',
    ]);
    expect(events[0]).toMatchObject({
      name: 'tree',
      infoHash: events.find(({ event }) => event === 'started')?.infoHash,
      address: LOCALHOST,
      port: expect.any(Number),
    });
    expect(events.find(({ event }) => event === 'metadata')).toMatchObject({
      name: 'tree',
      version: 'v1',
      totalBytes: 110_300,
      fileCount: 3,
    });
  });

  it('takes the link as it stands, and says what it does in words', async () => {
    const shared = await share(folder.path, TREE);
    const link = await linkTo(shared);
    const { code, out, error } = await pieces([link, '--dir', join(folder.path, 'copy'), '-v']);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toMatch(
      /^tree: looking for somebody who has the metadata\nInfo-hash [0-9a-f]{40}, /,
    );
    expect(out).toMatch(/, named by the magnet link\n/);
    expect(out).toMatch(/\ntree: 107.7 KiB in 3 files, \d+ pieces\n/);
    expect(out.match(/Info-hash/g)?.length).toBe(1);
  });

  it('gets the files that the link selects, or those that --files names', async () => {
    const shared = await share(folder.path, { 'a.bin': 32_768, 'b.bin': 32_768, 'c.bin': 32_768 });
    const link = await linkTo(shared, { selectedFiles: [{ first: 1, last: 1 }] });
    const selected = join(folder.path, 'selected');
    expect((await pieces(['-m', link, '--dir', selected])).code).toBe(0);
    expect(await names(join(selected, 'tree'))).toEqual(['b.bin']);
    const named = join(folder.path, 'named');
    expect((await pieces(['-m', link, '--dir', named, '--files', 'c.*'])).code).toBe(0);
    expect(await names(join(named, 'tree'))).toEqual(['c.bin']);
    const none = await pieces(['-m', link, '--dir', named, '--files', 'd.*']);
    expect(none.code).toBe(2);
    expect(none.error).toMatch(/--files d\.\* names no file of this torrent/);
    const nothing = await linkTo(shared, { selectedFiles: [{ first: 7, last: 9 }] });
    for (const args of [[], ['--check']]) {
      const { code, error } = await pieces(['-m', nothing, '--dir', named, ...args]);
      expect({ code, error }).toEqual({
        code: 3,
        error: 'pieces: The magnet link selects none of the 3 files that there are.\n',
      });
    }
  });

  it('goes on without anybody where the metadata was there before', async () => {
    const shared = await share(folder.path, TREE);
    const dir = join(folder.path, 'copy');
    expect((await pieces(['-m', await linkTo(shared), '--dir', dir])).code).toBe(0);
    const { code, out } = await pieces(['-m', linkOf(shared), '--dir', dir, '--no-dht']);
    expect(code).toBe(0);
    expect(out).toMatch(/^tree: looking .*\ntree: .*\n7 of 7 pieces are here already\.\n/);
  });

  it('checks what is here', async () => {
    const shared = await share(folder.path, TREE);
    const link = await linkTo(shared);
    const whole = await pieces(['-m', link, '--dir', shared.dir, '--check']);
    expect(whole.code).toBe(0);
    expect(whole.out).toMatch(/\n100% is right \(7 of 7 pieces\)\.\n$/);
    const nothing = await pieces(['-m', link, '--dir', join(folder.path, 'empty'), '--check']);
    expect(nothing.code).toBe(4);
    await expect(stat(join(folder.path, 'empty'))).rejects.toThrow();
  });

  it('gives up when nobody has the metadata', async () => {
    const shared = await share(folder.path, TREE);
    const args = ['-m', linkOf(shared), '--dir', folder.path, '--no-dht', '--timeout', '1'];
    const { code, error } = await pieces(args);
    expect(code).toBe(5);
    expect(error).toMatch(
      /^Warning: there is nobody to ask .*\npieces: Nobody that has the metadata of the magnet link was found for 1 s/,
    );
  });

  it('stops when it is interrupted meanwhile', async () => {
    const shared = await share(folder.path, TREE);
    const interrupted = new AbortController();
    const args = ['-m', linkOf(shared), '--dir', folder.path, '--no-dht', '--json'];
    const { code } = await pieces(args, {
      interrupted: interrupted.signal,
      onEvent: ({ event }) => event === 'state' && interrupted.abort(),
    });
    expect(code).toBe(130);
  });

  it.each([
    ['magnet:?xt=urn:btih:12', /40 hex digits or 32 base32/],
    ['magnet:?dn=film', /names no torrent/],
    ['magnet:', /begins with "magnet:\?"/],
  ])('refuses %s', async (link, sentence) => {
    const { code, error } = await pieces([link]);
    expect(code).toBe(3);
    expect(error).toMatch(sentence);
    expect(error.match(/\n/g)?.length).toBe(1);
  });
});

describe('--save-torrent', () => {
  it.each(['v1', 'v2', 'hybrid'] as const)(
    'writes the .torrent of a %s link and ends',
    async (version) => {
      const shared = await share(folder.path, TREE, { version });
      const more = {
        trackers: [`http://${LOCALHOST}:9/a`, `udp://${LOCALHOST}:9/b`],
        webSeeds: [`http://${LOCALHOST}:9/c/`],
      };
      const link = await linkTo(shared, more);
      const file = join(folder.path, 'saved.torrent');
      const { code, events } = await pieces([
        '-m',
        link,
        '--save-torrent',
        file,
        '--no-trackers',
        '--json',
      ]);
      expect(code).toBe(0);
      expect(events.at(-1)).toEqual({ event: 'saved-torrent', path: file });
      const saved = parseMetainfo(await readFile(file));
      const original = parseMetainfo(shared.bytes);
      expect(Buffer.compare(saved.info.bytes, original.info.bytes)).toBe(0);
      expect(saved.announceTiers).toEqual(more.trackers.map((url) => [url]));
      expect(saved.webSeeds).toEqual(more.webSeeds);
      expect(saved.pieceLayers).toEqual(original.pieceLayers);
      expect(await names(folder.path)).toEqual([
        '.state',
        'original',
        'saved.torrent',
        'tree.torrent',
      ]);
    },
  );

  it('goes on with --dir, and has the piece layers of a hybrid in the end', async () => {
    const shared = await share(folder.path, TREE, { version: 'hybrid' });
    const link = await linkTo(shared);
    const file = join(folder.path, 'saved.torrent');
    const dir = join(folder.path, 'copy');
    const { code, out } = await pieces(['-m', link, '--save-torrent', file, '--dir', dir]);
    expect(code).toBe(0);
    expect(out).toContain(`\nSaved ${file}\n`);
    const saved = parseMetainfo(await readFile(file));
    expect(saved.pieceLayers).toEqual(parseMetainfo(shared.bytes).pieceLayers);
    expect(
      shared.originals.get('one.bin')?.equals(await readFile(join(dir, 'tree', 'one.bin'))),
    ).toBe(true);
  });

  it('writes to standard output alone what goes there', async () => {
    const shared = await share(folder.path, TREE);
    const link = await linkTo(shared, { trackers: [], webSeeds: [] });
    const { code, out, error, written } = await pieces(['-m', link, '--save-torrent', '-']);
    expect({ code, out }).toEqual({ code: 0, out: '' });
    expect(error).toContain('tree: 107.7 KiB in 3 files');
    const { info } = parseMetainfo(shared.bytes);
    expect(Buffer.compare(written, buildMetainfo({ info: info.bytes }))).toBe(0);
  });

  it('replaces nothing, but with --force', async () => {
    const shared = await share(folder.path, TREE);
    const link = await linkTo(shared);
    const file = join(folder.path, 'saved.torrent');
    await writeFile(file, 'precious');
    const refused = await pieces(['-m', link, '--save-torrent', file]);
    expect(refused.code).toBe(4);
    expect(refused.error).toMatch(/saved\.torrent exists: use --force to replace it/);
    expect(await readFile(file, 'utf8')).toBe('precious');
    expect((await pieces(['-m', link, '--save-torrent', file, '--force'])).code).toBe(0);
    parseMetainfo(await readFile(file));
  });

  it('gives the file in a folder the name of the torrent, and says no to folders that there are not', async () => {
    const shared = await share(folder.path, TREE);
    const link = await linkTo(shared);
    const target = join(folder.path, 'torrents');
    await mkdir(target);
    expect((await pieces(['-m', link, '--save-torrent', target])).code).toBe(0);
    expect(await names(target)).toEqual(['tree.torrent']);
    const again = await pieces(['-m', link, '--save-torrent', target]);
    expect(again.code).toBe(4);
    const nowhere = await pieces(['-m', link, '--save-torrent', join(folder.path, 'no', 'x')]);
    expect(nowhere.code).toBe(4);
    expect(nowhere.error).toMatch(/x can't be written: its folder does not exist\.\n$/);
  });

  it('ends with 5 when nobody has the piece layers', async () => {
    const shared = await share(folder.path, TREE, { version: 'hybrid' });
    const { info } = parseMetainfo(shared.bytes);
    const { peer } = await seed({ ...shared, bytes: buildMetainfo({ info: info.bytes }) });
    const file = join(folder.path, 'saved.torrent');
    const args = ['-m', linkOf(shared), ...peer, '--save-torrent', file, '--timeout', '1'];
    const { code, error } = await pieces(args);
    expect(code).toBe(5);
    expect(error).toMatch(/metadata of the magnet link/);
    await expect(stat(file)).rejects.toThrow();
  });
});
