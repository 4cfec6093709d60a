// Magnet links on real sockets and files: sessions on loopback that know nothing but a link.

import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  formatMagnet,
  type Magnet,
  MetainfoError,
  magnetOf,
  parseMagnet,
  toHex,
} from '@bt/metainfo';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineError, type TorrentEvent } from '../../src/index.ts';
import {
  type AddTorrentOptions,
  openSession,
  type Session,
  type TorrentHandle,
} from '../../src/node/index.ts';
import { type Content, makeContent } from '../support/content.ts';

const KiB = 1024;
const FILES = [100_000, 40_000, 333];
const TOTAL = FILES.reduce((sum, length) => sum + length, 0);
const contents = {
  v1: makeContent(TOTAL, 32 * KiB, { files: FILES }),
  v2: makeContent(TOTAL, 32 * KiB, { files: FILES, version: 'v2' }),
  hybrid: makeContent(TOTAL, 32 * KiB, { files: FILES, version: 'hybrid' }),
};

let root: string;
let sessions: Session[];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'bt-magnet-'));
  sessions = [];
});

afterEach(async () => {
  await Promise.all(sessions.map((session) => session.stop()));
  await rm(root, { recursive: true, force: true });
});

async function open(options: Parameters<typeof openSession>[0] = {}): Promise<Session> {
  const session = await openSession({ bindAddress: '127.0.0.1', resumeDir: null, ...options });
  sessions.push(session);
  return session;
}

function bytesOf(content: Content, fileIndex: number): Uint8Array {
  const { geometry, files } = content.info;
  const { pieceIndex, offset } = geometry.fileStart(fileIndex);
  const start = pieceIndex * geometry.pieceLength + offset;
  return content.bytes.subarray(start, start + files.lengthOf(fileIndex));
}

function realFiles(content: Content): { path: readonly string[]; fileIndex: number }[] {
  return [...content.info.files]
    .map((file, fileIndex) => ({ path: file.path, fileIndex, isPad: file.isPad }))
    .filter(({ isPad }) => !isPad);
}

/** A session that seeds; the link that leads to it. */
async function seed(content: Content, link: Partial<Magnet> = {}): Promise<string> {
  const dir = path.join(root, 'seed');
  for (const { path: components, fileIndex } of realFiles(content)) {
    const target = path.join(dir, ...components);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, bytesOf(content, fileIndex));
  }
  const session = await open();
  const handle = await session.add(content.torrent, { dir });
  await handle.complete;
  const peers = [{ host: '127.0.0.1', port: session.port }];
  return formatMagnet({ ...magnetOf(content.metainfo), peers, ...link });
}

async function get(
  link: string,
  options: Partial<AddTorrentOptions> = {},
  resumeDir: string | null = null,
): Promise<{ handle: TorrentHandle; events: TorrentEvent[]; dir: string }> {
  const session = await open({ resumeDir });
  const dir = path.join(root, 'leech');
  const handle = await session.add(link, { dir, ...options });
  const events: TorrentEvent[] = [];
  void (async () => {
    for await (const event of handle.events()) events.push(event);
  })();
  return { handle, events, dir };
}

async function written(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe('a magnet link', () => {
  it.each(['v1', 'v2', 'hybrid'] as const)(
    'of a %s torrent leads to its files',
    async (version) => {
      const content = contents[version];
      const link = await seed(content);
      const { handle, events, dir } = await get(link);
      expect(handle.metainfo).toBeUndefined();
      expect(handle.stats()).toMatchObject({ state: 'fetching-metadata', metadataShare: 0 });
      const metainfo = await handle.metadata;
      expect(metainfo).toBe(handle.metainfo);
      expect(Buffer.compare(metainfo.info.bytes, content.info.bytes)).toBe(0);
      await handle.complete;
      for (const { path: components, fileIndex } of realFiles(content)) {
        const bytes = await readFile(path.join(dir, ...components));
        expect(Buffer.compare(bytes, bytesOf(content, fileIndex)), components.join('/')).toBe(0);
      }
      await handle.stop();
      const states = events.flatMap((event) => (event.type === 'state' ? [event.state] : []));
      expect(states).toEqual([
        'fetching-metadata',
        'checking',
        'downloading',
        'seeding',
        'stopped',
      ]);
      expect(events.find(({ type }) => type === 'metadata')).toEqual({
        type: 'metadata',
        name: 'content',
        version,
        totalBytes: TOTAL,
        pieceCount: content.info.geometry.pieceCount,
        fileCount: FILES.length,
      });
      expect(events.filter(({ type }) => type === 'peer').length).toBe(1);
    },
  );

  it('whose info-hashes are those of two torrents ends with an error, and bans nobody', async () => {
    const link = await seed(contents.v1, { infoHashV2: contents.v2.info.infoHashV2! });
    const { handle, events } = await get(link);
    const failure = { name: 'EngineError', code: 'bad-magnet' };
    await expect(handle.metadata).rejects.toMatchObject(failure);
    await handle.stopped;
    expect(events.at(-1)).toMatchObject({ type: 'stopped', error: failure });
    expect(events.map(({ type }) => type)).not.toContain('peer-banned');
  });

  it('that selects no file of the torrent ends with an error', async () => {
    const link = await seed(contents.v1, { selectedFiles: [{ first: 77, last: 99 }] });
    const { handle } = await get(link);
    await expect(handle.complete).rejects.toMatchObject({
      code: 'bad-magnet',
      message: 'the magnet link selects none of the 3 files that there are',
    });
  });

  it('has the name that it says until the true one is known', async () => {
    const session = await open();
    const infoHashV1 = contents.v1.info.infoHashV1!;
    const named = await session.add(formatMagnet({ infoHashV1, name: 'Some film' }), { dir: root });
    expect(named.name).toBe('Some film');
    await named.stop();
    const bare = await session.add(
      { infoHashV1, trackers: [], webSeeds: [], peers: [] },
      { dir: root },
    );
    expect(bare.name).toBe(toHex(infoHashV1));
    expect(bare.infoHashHex).toBe(toHex(infoHashV1));
  });

  it('stops without an info dictionary when it is told to', async () => {
    const session = await open();
    const { infoHashV1 } = contents.v1.info;
    const handle = await session.add(formatMagnet({ infoHashV1: infoHashV1! }), { dir: root });
    expect(() => handle.createReadStream(0)).toThrow(EngineError);
    await handle.stop();
    await expect(handle.metadata).rejects.toMatchObject({ code: 'aborted' });
    await expect(handle.complete).rejects.toMatchObject({ code: 'aborted' });
    expect(session.torrents()).toEqual([]);
  });

  it('is refused when it is none, or names no torrent', async () => {
    const session = await open();
    const dir = root;
    await expect(session.add('magnet:?xt=urn:btih:12', { dir })).rejects.toThrow(MetainfoError);
    await expect(session.add('content.torrent', { dir })).rejects.toThrow(MetainfoError);
    const publicKey = new Uint8Array(32);
    await expect(session.add(formatMagnet({ publicKey }), { dir })).rejects.toMatchObject({
      code: 'bad-argument',
    });
    const link = formatMagnet({ infoHashV1: new Uint8Array(20) });
    await expect(session.add(link, { dir, maxMetadataBytes: 0 })).rejects.toMatchObject({
      code: 'bad-argument',
    });
  });

  it('of an info dictionary that is longer than is taken gets a warning, and nothing else', async () => {
    const link = await seed(contents.v1);
    const { handle, events } = await get(link, { maxMetadataBytes: 100 });
    while (!events.some(({ type }) => type === 'warning')) await nextTurn();
    expect(handle.metainfo).toBeUndefined();
    const warning = events.find((event) => event.type === 'warning');
    expect(warning?.message).toContain('more than is taken');
  });
});

describe('one torrent twice', () => {
  it('is refused by the session at once, or when the info dictionary tells', async () => {
    const { hybrid } = contents;
    const link = await seed(hybrid);
    const session = await open();
    const v1 = await session.add(link.replace(/&xt=urn:btmh:[^&]*/, ''), { dir: root });
    await v1.metadata;
    const options = { dir: path.join(root, 'other') };
    await expect(session.add(hybrid.torrent, options)).rejects.toMatchObject({
      code: 'duplicate-torrent',
    });
    await v1.stop();
    const v2 = await session.add(link.replace(/xt=urn:btih:[^&]*&/, ''), options);
    await v2.metadata;
    const again = await session.add(hybrid.torrent, options).catch((error) => error);
    expect(again).toMatchObject({ code: 'duplicate-torrent' });
    expect(session.torrents()).toEqual([v2]);
  });

  it('ends the one whose info dictionary tells it', async () => {
    const link = await seed(contents.hybrid);
    const session = await open();
    const { infoHashV1 } = contents.hybrid.info;
    const waiting = await session.add(formatMagnet({ infoHashV1: infoHashV1! }), { dir: root });
    const dir = path.join(root, 'other');
    const second = await session.add(link.replace(/xt=urn:btih:[^&]*&/, ''), { dir });
    await expect(second.complete).rejects.toMatchObject({ code: 'duplicate-torrent' });
    await second.stopped;
    expect(session.torrents()).toEqual([waiting]);
  });
});

describe('files', () => {
  const wanted = (handle: TorrentHandle) => handle.stats().wantedBytes;

  it('are those that the link selects', async () => {
    const selectedFiles = [
      { first: 2, last: 2 },
      { first: 9, last: 2 ** 30 },
    ];
    const { handle, dir } = await get(await seed(contents.v1, { selectedFiles }));
    await handle.complete;
    expect(wanted(handle)).toBeLessThan(TOTAL);
    expect((await stat(path.join(dir, 'content', 'file-2'))).size).toBe(333);
    await expect(stat(path.join(dir, 'content', 'file-0'))).rejects.toThrow();
  });

  it('are those that the user wants, whatever the link selects', async () => {
    const link = await seed(contents.v1, { selectedFiles: [{ first: 2, last: 2 }] });
    const { handle, dir } = await get(link, { files: [0] });
    await handle.complete;
    expect((await stat(path.join(dir, 'content', 'file-0'))).size).toBe(100_000);
    await expect(stat(path.join(dir, 'content', 'file-2'))).rejects.toThrow();
  });

  it('may be chosen when they are known', async () => {
    const { handle, dir } = await get(await seed(contents.v1), {
      files: ({ info }) => {
        const index = [...info.files].findIndex(({ path: [, name] }) => name === 'file-2');
        return [index];
      },
    });
    await handle.complete;
    expect((await stat(path.join(dir, 'content', 'file-2'))).size).toBe(333);
    await expect(stat(path.join(dir, 'content', 'file-0'))).rejects.toThrow();
  });

  it('that there are not end the torrent', async () => {
    const { handle } = await get(await seed(contents.v1), { files: [0, 7] });
    await expect(handle.complete).rejects.toMatchObject({ code: 'bad-argument' });
    await handle.stopped;
  });
});

describe('started again', () => {
  const nobody = (link: string) => link.replace(/&x\.pe=[^&]*/g, '');

  it.each(['v1', 'v2'] as const)(
    'a %s torrent finds its info dictionary by itself',
    async (version) => {
      const link = await seed(contents[version]);
      const state = path.join(root, 'state');
      const first = await get(link, {}, state);
      await first.handle.complete;
      await first.handle.stop();
      const second = await get(nobody(link), {}, state);
      await second.handle.complete;
      expect(second.events.some(({ type }) => type === 'peer')).toBe(false);
      expect(second.events.some(({ type }) => type === 'metadata')).toBe(true);
      const { pieceLayers } = await second.handle.metadata;
      expect(new Set(pieceLayers.keys())).toEqual(
        new Set(contents[version].metainfo.pieceLayers.keys()),
      );
    },
  );

  it.each<[string, (file: string) => Promise<void>]>([
    ['damaged', async (file) => writeFile(file, (await readFile(file)).fill(0, 40, 60))],
    ['cut', async (file) => writeFile(file, (await readFile(file)).subarray(0, 50))],
    ['of another torrent', (file) => writeFile(file, contents.hybrid.torrent)],
    ['empty', (file) => writeFile(file, '')],
  ])('asks peers again where what was kept is %s', async (_, spoil) => {
    const link = await seed(contents.v1);
    const state = path.join(root, 'state');
    const first = await get(link, {}, state);
    await first.handle.complete;
    await first.handle.stop();
    const kept = (await readdir(state)).filter((name) => name.endsWith('.torrent'));
    expect(kept).toEqual([`${toHex(contents.v1.info.infoHash)}.torrent`]);
    await spoil(path.join(state, kept[0]!));
    const second = await get(link, {}, state);
    const { info } = await second.handle.metadata;
    expect(Buffer.compare(info.bytes, contents.v1.info.bytes)).toBe(0);
    expect(second.events.some(({ type }) => type === 'peer')).toBe(true);
    await second.handle.complete;
  });

  it('tells where it can not be kept, and goes on', async () => {
    const state = path.join(root, 'a file');
    await writeFile(state, '');
    const { handle, events } = await get(await seed(contents.v1), {}, path.join(state, 'state'));
    await handle.metadata;
    await handle.stop();
    expect(
      events.some(
        (event) => event.type === 'warning' && event.message.includes('could not be kept'),
      ),
    ).toBe(true);
  });
});

describe('the metadata alone', () => {
  it.each<[string, Content, (link: string) => string]>([
    ['v1', contents.v1, (link) => link],
    ['v2', contents.v2, (link) => link],
    ['hybrid', contents.hybrid, (link) => link],
    [
      'hybrid by its v1 info-hash',
      contents.hybrid,
      (link) => link.replace(/&xt=urn:btmh:[^&]*/, ''),
    ],
    [
      'hybrid by its v2 info-hash',
      contents.hybrid,
      (link) => link.replace(/xt=urn:btih:[^&]*&/, ''),
    ],
  ])(
    'of a %s torrent comes with its piece layers, and nothing is written',
    async (_, content, cut) => {
      const link = cut(await seed(content, { trackers: [], webSeeds: [] }));
      const { handle, events, dir } = await get(link, { metadataOnly: true });
      const { info, pieceLayers } = await handle.metadata;
      expect(Buffer.compare(info.bytes, content.info.bytes)).toBe(0);
      const hexes = (layers: ReadonlyMap<string, Uint8Array>) =>
        Object.fromEntries(Array.from(layers, ([key, layer]) => [key, toHex(layer)]));
      expect(hexes(pieceLayers)).toEqual(hexes(content.metainfo.pieceLayers));
      await handle.complete;
      await handle.stopped;
      expect(await written(dir)).toEqual([]);
      const states = events.flatMap((event) => (event.type === 'state' ? [event.state] : []));
      expect(states.filter((state) => state === 'downloading' || state === 'seeding')).toEqual([]);
      expect(handle.stats().downloadedBytes).toBe(0);
    },
  );

  it('is there when the torrent can be added again, to go on with', async () => {
    const link = await seed(contents.hybrid);
    const session = await open();
    const dir = path.join(root, 'leech');
    const handle = await session.add(link, { dir, metadataOnly: true });
    const metainfo = await handle.metadata;
    const download = await session.add(metainfo, {
      dir,
      files: [1],
      peers: parseMagnet(link).peers,
    });
    await download.complete;
    const again = await session.add(contents.v1.torrent, { dir, metadataOnly: true });
    await again.complete;
    await (await session.add(contents.v1.torrent, { dir, metadataOnly: true })).stopped;
  });

  it('of a .torrent is there at once', async () => {
    const session = await open();
    const options = { dir: root, metadataOnly: true };
    const handle = await session.add(contents.v2.torrent, options);
    expect((await handle.metadata).pieceLayers.size).toBeGreaterThan(0);
    await handle.stopped;
  });
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
