import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildInfo, buildMetainfo } from '@bt/metainfo';
import { createTorrent } from '@bt/metainfo/node';
import { StorageError } from '@bt/storage';
import { FileStore } from '@bt/storage/node';
import { TrackerServer } from '@bt/tracker/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TorrentEvent } from '../src/index.ts';
import { MAX_TORRENTS } from '../src/limits.ts';
import { type AddTorrentOptions, openSession, type Session } from '../src/node/index.ts';
import { type Content, makeContent } from './support/content.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const FILES = [300_000, 0, 1_500_000, 16_384, 333];
const TOTAL = FILES.reduce((sum, length) => sum + length, 0);

let root: string;
let sessions: Session[];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'bt-session-'));
  sessions = [];
});

afterEach(async () => {
  await Promise.all(sessions.map((session) => session.stop()));
  await rm(root, { recursive: true, force: true });
});

const loopback = '127.0.0.1';

async function open(options: Parameters<typeof openSession>[0] = {}): Promise<Session> {
  const session = await openSession({ bindAddress: '127.0.0.1', resumeDir: null, ...options });
  sessions.push(session);
  return session;
}

/** Writes the content's files under a folder of its own. */
async function place(content: Content, name: string): Promise<string> {
  const dir = path.join(root, name);
  let offset = 0;
  for (const file of content.info.files) {
    const target = path.join(dir, ...file.path);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, content.bytes.subarray(offset, offset + file.length));
    offset += file.length;
  }
  return dir;
}

async function expectSame(content: Content, dir: string): Promise<void> {
  let offset = 0;
  for (const file of content.info.files) {
    const bytes = await readFile(path.join(dir, ...file.path));
    const right = content.bytes.subarray(offset, offset + file.length);
    expect(Buffer.compare(bytes, right), file.path.join('/')).toBe(0);
    offset += file.length;
  }
}

async function seedAndLeech(content: Content, options: Partial<AddTorrentOptions> = {}) {
  const seeder = await open();
  const seed = await seeder.add(content.torrent, { dir: await place(content, 'seed') });
  await seed.complete;
  const leecher = await open();
  const dir = path.join(root, 'leech');
  const peers = [{ host: '127.0.0.1', port: seeder.port }];
  const leech = await leecher.add(content.torrent, { dir, peers, ...options });
  return { seed, leech, dir };
}

describe('a session over loopback', () => {
  it('downloads a tree from another session, and both tell of it', async () => {
    const content = makeContent(TOTAL, 64 * KiB, { files: FILES });
    const { seed, leech, dir } = await seedAndLeech(content);
    const events: TorrentEvent[] = [];
    const following = (async () => {
      for await (const event of leech.events()) events.push(event);
    })();
    await leech.complete;
    await expectSame(content, dir);
    expect(seed.stats().uploadedBytes).toBe(TOTAL);
    expect(leech.stats()).toMatchObject({ state: 'seeding', duplicateBytes: 0, rejectedBytes: 0 });
    await leech.stop();
    await following;
    const types = new Set(events.map((event) => event.type));
    for (const type of ['checked', 'peer', 'done', 'stopped']) expect(types).toContain(type);
    const files = events.flatMap((event) => (event.type === 'file' ? [event.fileIndex] : []));
    expect(files.sort()).toEqual([...FILES.keys()]);
    expect(events.at(-1)?.type).toBe('stopped');
  });

  it('finds peers through a tracker and tells it when it stops', async () => {
    const tracker = new TrackerServer();
    await tracker.listen({ host: '127.0.0.1', httpPort: 0 });
    try {
      const content = makeContent(MiB, 64 * KiB, { announceTiers: [[tracker.url ?? '']] });
      const seeder = await open();
      const seed = await seeder.add(content.torrent, { dir: await place(content, 'seed') });
      for await (const event of seed.events()) if (event.type === 'tracker') break;
      const leecher = await open();
      const dir = path.join(root, 'leech');
      const leech = await leecher.add(content.torrent, { dir });
      await leech.complete;
      await expectSame(content, dir);
    } finally {
      await Promise.all(sessions.map((session) => session.stop()));
      await tracker.close();
    }
  });

  it('does not tell of an announce that it has given up itself', async () => {
    const silent = createServer();
    const asked = once(silent, 'connection');
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    try {
      const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/announce`;
      const content = makeContent(MiB, 64 * KiB, { announceTiers: [[url]] });
      const session = await open();
      const handle = await session.add(content.torrent, { dir: path.join(root, 'leech') });
      const events = handle.events();
      await asked;
      await handle.stop();
      for await (const event of events) expect(event.type).not.toBe('tracker');
    } finally {
      silent.close();
    }
  });

  it('begins every queue of events with the state', async () => {
    const content = makeContent(MiB, 64 * KiB);
    const session = await open({ listen: false });
    const dir = await place(content, 'seed');
    const handle = await session.add(content.torrent, { dir, trackers: false });
    const first = await handle.events().next();
    expect(first.value).toEqual({ type: 'state', state: 'checking' });
    await handle.complete;
    const second = await handle.events().next();
    expect(second.value).toEqual({ type: 'state', state: 'seeding' });
  });

  it('tells whoever comes too late why it has stopped', async () => {
    const session = await open({ listen: false });
    const inTheWay = path.join(root, 'file');
    await writeFile(inTheWay, '');
    const handle = await session.add(makeContent(MiB, 64 * KiB).torrent, { dir: inTheWay });
    await handle.stopped;
    const events: TorrentEvent[] = [];
    for await (const event of handle.events()) events.push(event);
    const error = await handle.complete.catch((rejected: unknown) => rejected);
    expect(error).toBeInstanceOf(StorageError);
    expect(events).toEqual([
      { type: 'state', state: 'stopped' },
      { type: 'stopped', stats: handle.stats(), error },
    ]);
  });

  it('is closed when it is aborted while it opens', async () => {
    const before = await open({ dht: true });
    const [listenPort, dht] = [before.port, { port: before.dht!.port }];
    await before.stop();
    // In each turn of the opening something else is waited for.
    for (let turns = 0; turns < 6; turns += 1) {
      const abort = new AbortController();
      const { signal } = abort;
      const opening = openSession({
        bindAddress: loopback,
        resumeDir: null,
        listenPort,
        dht,
        signal,
      });
      let isOpen = false;
      const ended = opening.then(
        async (session) => {
          isOpen = true;
          await session.stop();
        },
        (error: unknown) => expect(error).toMatchObject({ name: 'EngineError', code: 'aborted' }),
      );
      for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
      const wasOpen = isOpen;
      abort.abort();
      await ended;
      expect(isOpen).toBe(wasOpen);
    }
    expect((await open({ listenPort, dht })).port).toBe(listenPort);
  });

  it('refuses peers and files that there can not be', async () => {
    const content = makeContent(MiB, 64 * KiB);
    const session = await open({ listen: false });
    const dir = path.join(root, 'leech');
    const bad = expect.objectContaining({ name: 'EngineError', code: 'bad-argument' });
    for (const [host, port] of [
      ['', 6881],
      ['127.0.0.1', 0],
      ['127.0.0.1', 99_999],
    ] as const) {
      await expect(session.add(content.torrent, { dir, peers: [{ host, port }] })).rejects.toEqual(
        bad,
      );
    }
    const handle = await session.add(content.torrent, { dir });
    expect(() => handle.addPeer('', 6881)).toThrow(bad);
    expect(() => handle.addPeer('127.0.0.1', 99_999)).toThrow(bad);
    expect(() => handle.selectFiles([77])).toThrow(bad);
  });

  it('tells why a peer that the user named is not reached', async () => {
    const closed = createServer();
    await once(closed.listen(0, '127.0.0.1'), 'listening');
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const session = await open();
    const peers = [
      { host: '127.0.0.1', port },
      { host: '::1', port },
    ];
    const dir = path.join(root, 'leech');
    const handle = await session.add(makeContent(MiB, 64 * KiB).torrent, { dir, peers });
    const told = new Map<string, string>();
    for await (const event of handle.events()) {
      if (event.type === 'peer-unreachable') told.set(event.address, event.message);
      if (told.size === 2) break;
    }
    expect(told.get('127.0.0.1')).toMatch(/ECONNREFUSED/);
    expect(told.get('::1')).toMatch(/bound to/);
  });

  it('warns when its resume records can not be kept', async () => {
    const inTheWay = path.join(root, 'file');
    await writeFile(inTheWay, '');
    const session = await open({ listen: false, resumeDir: path.join(inTheWay, 'state') });
    const dir = path.join(root, 'leech');
    const handle = await session.add(makeContent(MiB, 64 * KiB).torrent, { dir });
    for await (const event of handle.events()) {
      if (event.type !== 'warning') continue;
      expect(event.message).toMatch(/resume record.*state/);
      break;
    }
  });

  it('warns of what is in the way of a check', async () => {
    const content = makeContent(MiB, 64 * KiB);
    const dir = path.join(root, 'check');
    await mkdir(path.join(dir, 'content.bin'), { recursive: true });
    const session = await open({ listen: false });
    const handle = await session.add(content.torrent, { dir, checkOnly: true });
    const warnings: string[] = [];
    for await (const event of handle.events()) {
      if (event.type === 'warning') warnings.push(event.message);
    }
    expect(warnings).toEqual([expect.stringMatching(/content\.bin: a folder stands/)]);
  });

  it('streams a file while it downloads', async () => {
    const content = makeContent(2 * MiB, 64 * KiB, { files: [MiB, MiB] });
    const { leech } = await seedAndLeech(content);
    const chunks: Uint8Array[] = [];
    for await (const chunk of leech.createReadStream(1, { start: 1000, end: 900_000 })) {
      chunks.push(chunk.slice());
    }
    const right = content.bytes.subarray(MiB + 1000, MiB + 900_001);
    expect(Buffer.compare(Buffer.concat(chunks), right)).toBe(0);
  });

  it('fetches only the files that are wanted', async () => {
    const content = makeContent(TOTAL, 16 * KiB, { files: FILES });
    const { leech, dir } = await seedAndLeech(content, { files: [0, 3] });
    await leech.complete;
    const first = await readFile(path.join(dir, 'content', 'file-0'));
    expect(Buffer.compare(first, content.bytes.subarray(0, FILES[0]))).toBe(0);
    expect(leech.stats().downloadedBytes).toBeLessThan(FILES[0]! + FILES[3]! + 3 * 16 * KiB);
  });

  it('stops by a signal before it is complete, and says so', async () => {
    const content = makeContent(4 * MiB, 64 * KiB);
    const abort = new AbortController();
    const leecher = await open();
    const leech = await leecher.add(content.torrent, {
      dir: path.join(root, 'leech'),
      signal: abort.signal,
    });
    abort.abort();
    await leech.stopped;
    await expect(leech.complete).rejects.toMatchObject({ code: 'aborted' });
    await expect(leech.createReadStream(0).next()).rejects.toMatchObject({ code: 'stopped' });
    expect(leecher.torrents()).toEqual([]);
  });

  it('makes the empty files among those that are wanted later, or says why not', async () => {
    const content = makeContent(MiB, 64 * KiB, { files: [MiB, 0, 0] });
    const { leech, dir } = await seedAndLeech(content, { files: [0] });
    const warned = (async () => {
      for await (const event of leech.events()) if (event.type === 'warning') return event.message;
      return undefined;
    })();
    await leech.complete;
    const folder = path.join(dir, 'content');
    expect(await readdir(folder)).toEqual(['file-0']);
    await mkdir(path.join(folder, 'file-2'));
    leech.selectFiles([1, 2]);
    expect(await warned).toMatch(/file-2/);
    expect((await readdir(folder)).sort()).toEqual(['file-0', 'file-1', 'file-2']);
  });

  it('checks what is there without touching it', async () => {
    const content = makeContent(MiB, 64 * KiB);
    const dir = await place(content, 'seed');
    const session = await open({ listen: false });
    const handle = await session.add(content.torrent, { dir, checkOnly: true });
    const events: TorrentEvent[] = [];
    for await (const event of handle.events()) events.push(event);
    expect(events.find((event) => event.type === 'checked')).toMatchObject({ piecesHave: 16 });
    expect(handle.stats().state).toBe('stopped');
  });

  it('resolves `complete` of a check that found everything, and rejects the others', async () => {
    const content = makeContent(MiB, 64 * KiB);
    const dir = await place(content, 'seed');
    const session = await open({ listen: false });
    const whole = await session.add(content.torrent, { dir, checkOnly: true });
    await whole.complete;
    await whole.stopped;
    const nothing = path.join(root, 'empty');
    const missing = await session.add(content.torrent, { dir: nothing, checkOnly: true });
    await expect(missing.complete).rejects.toMatchObject({ code: 'aborted' });
    await expect(readdir(nothing)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('makes nothing any more once it has stopped, also when that was while it opened', async () => {
    const content = makeContent(TOTAL, 64 * KiB, { files: FILES });
    const dir = path.join(root, 'leech');
    const resumeDir = path.join(root, 'records');
    await mkdir(dir);
    await mkdir(resumeDir);
    // The opening has a few turns of the event loop: stop in each of them.
    for (let turns = 0; turns < 12; turns += 1) {
      const session = await open({ listen: false, resumeDir });
      const handle = await session.add(content.torrent, { dir, trackers: false });
      for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
      await session.stop();
      const left = [await readdir(dir, { recursive: true }), await readdir(resumeDir)];
      await handle.stopped;
      // Whoever opens the folder now does not meet the one that has stopped.
      await rm(dir, { recursive: true });
      await rm(resumeDir, { recursive: true });
      await mkdir(dir);
      await mkdir(resumeDir);
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      expect([await readdir(dir), await readdir(resumeDir)], `${left}`).toEqual([[], []]);
    }
  });

  it('saves a piece whose last block came in another life', async () => {
    const content = makeContent(MiB, 64 * KiB);
    const [dir, resumeDir] = [path.join(root, 'leech'), path.join(root, 'records')];
    const { info } = content;
    const store = await FileStore.open({ info, folder: dir, stateFolder: resumeDir });
    const ignore = () => {};
    store.connect({
      onPieceSaved: ignore,
      onBlockRead: ignore,
      onPieceVerified: ignore,
      onBlocksHashed: ignore,
      onBufferReturned: ignore,
      onStalled: ignore,
      onResumed: ignore,
      onFileChanged: ignore,
    });
    const piece = new Uint8Array(content.bytes.subarray(3 * 64 * KiB, 4 * 64 * KiB));
    store.saveBlocks(3, 0, piece, [0, 64 * KiB]);
    await store.close();
    const session = await open({ listen: false, resumeDir });
    const handle = await session.add(content.torrent, { dir, trackers: false });
    for await (const event of handle.events({ pieces: true })) {
      expect(event.type).not.toBe('stopped');
      if (event.type !== 'piece') continue;
      expect(event.pieceIndex).toBe(3);
      break;
    }
    expect(handle.stats().piecesHave).toBe(1);
  });

  it('keeps to its host when it is bound to loopback: no local discovery', async () => {
    const content = makeContent(MiB, 64 * KiB);
    const session = await open({ localDiscovery: true });
    const handle = await session.add(content.torrent, { dir: await place(content, 'seed') });
    await handle.complete;
    expect(process.getActiveResourcesInfo()).not.toContain('UDPWrap');
  });

  it('does nothing for a signal that is aborted already', async () => {
    const content = makeContent(MiB, 64 * KiB);
    const session = await open({ listen: false });
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout');
    const before = timers();
    const dir = path.join(root, 'leech');
    const handle = await session.add(content.torrent, { dir, signal: AbortSignal.abort() });
    await handle.stopped;
    expect(timers()).toEqual(before);
    await expect(handle.complete).rejects.toMatchObject({ code: 'aborted' });
    await expect(readdir(dir)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(session.torrents()).toEqual([]);
  });

  it('refuses to read bytes that are not there', async () => {
    const content = makeContent(MiB, 64 * KiB);
    const session = await open({ listen: false });
    const handle = await session.add(content.torrent, { dir: path.join(root, 'leech') });
    for (const range of [
      { start: 0.5 },
      { start: 10, end: 99.5 },
      { start: Number.NaN },
      { end: MiB },
      { start: -1 },
      { start: 11, end: 9 },
    ]) {
      expect(() => handle.createReadStream(0, range)).toThrow(
        expect.objectContaining({ name: 'EngineError', code: 'bad-argument' }),
      );
    }
  });

  it('lists a hybrid once, and knows it by both hashes', async () => {
    const input = path.join(root, 'file.bin');
    await writeFile(input, new Uint8Array(100_000));
    const { bytes } = await createTorrent({ input, version: 'hybrid' });
    const session = await open({ listen: false });
    const handle = await session.add(bytes, { dir: root });
    await handle.complete;
    expect(session.torrents()).toEqual([handle]);
    await expect(session.add(bytes, { dir: root })).rejects.toMatchObject({
      code: 'duplicate-torrent',
    });
    await handle.stop();
    expect(session.torrents()).toEqual([]);
  });

  it('keeps the secrets in the URLs of trackers out of its events', async () => {
    const announceTiers = [['http://127.0.0.1:1/passkey/announce?secret=1']];
    const content = makeContent(MiB, 64 * KiB, { announceTiers });
    const session = await open({ listen: false });
    const handle = await session.add(content.torrent, { dir: path.join(root, 'leech') });
    for await (const event of handle.events()) {
      if (event.type !== 'tracker') continue;
      expect(event).toMatchObject({ url: 'http://127.0.0.1:1', outcome: 'failed' });
      expect(JSON.stringify(event)).not.toMatch(/passkey|secret/);
      break;
    }
  });

  it('has a bounded number of torrents', async () => {
    const session = await open({ listen: false });
    const signal = AbortSignal.abort();
    const add = (index: number) => {
      const name = `file-${index}`;
      const files = [{ path: [name], length: 1 }];
      const shape = { version: 'v1', pieceLength: 16_384, isSingleFile: true } as const;
      const info = buildInfo({ ...shape, name, files, pieces: new Uint8Array(20) });
      return session.add(buildMetainfo({ info }), { dir: root, signal });
    };
    // Without a turn of the event loop between them, in which they would stop and leave.
    const added = Array.from({ length: MAX_TORRENTS }, (_, index) => add(index));
    await expect(add(MAX_TORRENTS)).rejects.toMatchObject({ code: 'too-many' });
    await Promise.all((await Promise.all(added)).map((handle) => handle.stopped));
    await add(0);
  });

  it('refuses a torrent it has, and a port that is taken', async () => {
    const content = makeContent(MiB, 64 * KiB);
    const session = await open();
    const dir = path.join(root, 'a');
    await session.add(content.torrent, { dir });
    await expect(session.add(content.torrent, { dir })).rejects.toMatchObject({
      code: 'duplicate-torrent',
    });
    await expect(open({ listenPort: session.port })).rejects.toMatchObject({ code: 'listen' });
  });
});
