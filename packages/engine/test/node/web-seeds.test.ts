// Sessions that download from HTTP servers on loopback, good ones and others.

import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TorrentEvent } from '../../src/index.ts';
import { MAX_WEB_FETCHES } from '../../src/limits.ts';
import { type AddTorrentOptions, openSession, type Session } from '../../src/node/index.ts';
import { type Content, makeContent } from '../support/content.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const FILES = [300_000, 0, 5_000_000, 16_384, 333, 1_000_000];
const TOTAL = FILES.reduce((sum, length) => sum + length, 0);
const content = makeContent(TOTAL, 64 * KiB, { files: FILES });

let root: string;
let closers: (() => Promise<unknown>)[];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'bt-web-seeds-'));
  closers = [];
});

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  await rm(root, { recursive: true, force: true });
});

async function open(options: Parameters<typeof openSession>[0] = {}): Promise<Session> {
  const session = await openSession({
    bindAddress: '127.0.0.1',
    resumeDir: null,
    listen: false,
    ...options,
  });
  closers.push(() => session.stop());
  return session;
}

interface WebServer {
  readonly url: string;
  readonly server: Server;
  /** Paths and ranges asked for. */
  readonly requests: string[];
  sentBytes: number;
}

/** Returns true when it has answered. */
type Misbehave = (request: IncomingMessage, response: ServerResponse, file: Uint8Array) => boolean;

/** Has the files of a content under `/pub/`, and knows ranges. */
async function listenWeb(used: Content, misbehave: Misbehave = () => false): Promise<WebServer> {
  const files = new Map<string, Uint8Array>();
  let offset = 0;
  for (const file of used.info.files) {
    files.set(`/pub/${file.path.join('/')}`, used.bytes.subarray(offset, offset + file.length));
    offset += file.length;
  }
  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    const file = files.get(decodeURI(request.url!.replace(/\?.*/, '')));
    web.requests.push(`${request.url} ${request.headers.range ?? ''}`);
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    if (misbehave(request, response, file)) return;
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const [start, end] = range ? [Number(range[1]), Number(range[2]) + 1] : [0, file.length];
    web.sentBytes += end - start;
    response.writeHead(range === null ? 200 : 206, {
      'Content-Length': end - start,
      ...(range && { 'Content-Range': `bytes ${start}-${end - 1}/${file.length}` }),
    });
    response.end(file.subarray(start, end));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pub/`;
  const web: WebServer = { url, server, requests: [], sentBytes: 0 };
  return web;
}

async function download(
  used: Content,
  webSeeds: readonly string[],
  options: Partial<AddTorrentOptions> = {},
) {
  const session = await open();
  const dir = path.join(root, 'download');
  const metainfo = { ...used.metainfo, webSeeds };
  const torrent = await session.add(metainfo, { dir, ...options });
  const events: TorrentEvent[] = [];
  const checks = new Set<() => void>();
  void (async () => {
    for await (const event of torrent.events()) {
      events.push(event);
      for (const check of checks) check();
    }
  })();
  const outcomes = () =>
    events.flatMap((event) => (event.type === 'web-seed' ? [event.outcome] : []));
  /** Waits for as many events as it takes. */
  const until = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!holds()) return;
        checks.delete(check);
        resolve();
      };
      checks.add(check);
      check();
    });
  return { torrent, dir, events, outcomes, until };
}

async function expectSame(used: Content, dir: string): Promise<void> {
  let offset = 0;
  for (const file of used.info.files) {
    const bytes = await readFile(path.join(dir, ...file.path));
    expect(bytes.equals(used.bytes.subarray(offset, offset + file.length))).toBe(true);
    offset += file.length;
  }
}

/** A session that has everything. */
async function addSeed(used: Content): Promise<{ host: string; port: number }> {
  const dir = path.join(root, 'seed');
  let offset = 0;
  for (const file of used.info.files) {
    const target = path.join(dir, ...file.path);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, used.bytes.subarray(offset, offset + file.length));
    offset += file.length;
  }
  const session = await open({ listen: true });
  const seed = await session.add(used.torrent, { dir });
  await seed.complete;
  return { host: '127.0.0.1', port: session.port };
}

describe('a session with a web seed', () => {
  it('downloads a tree from it alone', async () => {
    const web = await listenWeb(content);
    const { torrent, dir, outcomes } = await download(content, [web.url]);
    await torrent.complete;
    await expectSame(content, dir);
    expect(outcomes()).toEqual(['serving']);
    expect(web.sentBytes).toBe(TOTAL);
    expect(torrent.stats()).toMatchObject({ webSeedBytes: TOTAL, duplicateBytes: 0 });
    expect(web.requests.length).toBeLessThan(16);
  });

  it('downloads a single file from its very URL', async () => {
    const single = makeContent(3 * MiB, 64 * KiB);
    const web = await listenWeb(single);
    const { torrent, dir } = await download(single, [`${web.url}content.bin`]);
    await torrent.complete;
    await expectSame(single, dir);
  });

  it('downloads a v2 and a hybrid torrent', async () => {
    for (const version of ['v2', 'hybrid'] as const) {
      const used = makeContent(3_000_000, 64 * KiB, { version, files: [1_000_001, 1_999_999] });
      const files = [...used.info.files].filter(({ isPad }) => !isPad);
      const bytes = files.map(({ index, length }) => {
        const { pieceIndex, offset } = used.info.geometry.fileStart(index);
        const start = pieceIndex * used.info.pieceLength + offset;
        return used.bytes.subarray(start, start + length);
      });
      const web = await listenWeb(used, (request, response) => {
        const at = files.findIndex((file) => request.url === `/pub/${file.path.join('/')}`);
        const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
        const body = bytes[at]!;
        const [start, end] = range ? [Number(range[1]), Number(range[2]) + 1] : [0, body.length];
        response.writeHead(range === null ? 200 : 206, {
          ...(range && { 'Content-Range': `bytes ${start}-${end - 1}/${body.length}` }),
        });
        response.end(body.subarray(start, end));
        return true;
      });
      const { torrent, dir } = await download(used, [web.url], {});
      await torrent.complete;
      for (const [i, file] of files.entries()) {
        const got = await readFile(path.join(dir, ...file.path));
        expect(got.equals(bytes[i]!)).toBe(true);
      }
      await torrent.stop();
    }
  });

  it('downloads beside a peer', async () => {
    const web = await listenWeb(content);
    const peers = [await addSeed(content)];
    const { torrent, dir } = await download(content, [web.url], { peers });
    await torrent.complete;
    await expectSame(content, dir);
  });

  it('does not ask it when it is told not to', async () => {
    const web = await listenWeb(content);
    const peers = [await addSeed(content)];
    const { torrent } = await download(content, [web.url], { peers, webSeeds: false });
    await torrent.complete;
    expect(web.requests).toEqual([]);
  });

  it('lets go of it when it stops', async () => {
    const web = await listenWeb(content, (_request, response, file) => {
      // It sends a little, and then nothing.
      response.writeHead(200, { 'Content-Length': file.length });
      response.write(file.subarray(0, 10));
      return true;
    });
    const asked = once(web.server, 'request');
    const { torrent } = await download(content, [web.url]);
    const [request] = (await asked) as [IncomingMessage];
    const closed = new Promise((resolve) => request.socket.on('close', resolve));
    await torrent.stop();
    await closed;
  });

  it('tells nothing of its URL but where it is', async () => {
    const web = await listenWeb(content);
    const { port } = web.server.address() as AddressInfo;
    const url = `http://alice:secret1@127.0.0.1:${port}/secret2/?secret3`;
    const { torrent, events } = await download(content, [url, web.url]);
    await torrent.complete;
    await expect
      .poll(() => events.find((event) => event.type === 'web-seed' && event.index === 0))
      .toMatchObject({ outcome: 'dropped', url: `http://127.0.0.1:${port}` });
    expect(JSON.stringify(events)).not.toMatch(/secret|alice/);
  });
});

describe('a session with a web seed that misbehaves', () => {
  it('drops one that sends wrong bytes, and gets the rest elsewhere', async () => {
    const liar = await listenWeb(content, (_request, response, file) => {
      response.end(Buffer.alloc(file.length, 1));
      return true;
    });
    const peers = [await addSeed(content)];
    const { torrent, dir, events, outcomes, until } = await download(content, [liar.url]);
    await until(() => outcomes().includes('banned'));
    expect(torrent.stats().verifiedBytes).toBe(0);
    const { webSeedBytes } = torrent.stats();
    torrent.addPeer(peers[0]!.host, peers[0]!.port);
    await torrent.complete;
    await expectSame(content, dir);
    // What was asked ahead may still be on its way to the server; nothing of it is read.
    expect(liar.requests.length).toBeLessThanOrEqual(MAX_WEB_FETCHES);
    expect(torrent.stats().webSeedBytes).toBe(webSeedBytes);
    expect(outcomes().at(-1)).toBe('banned');
    expect(events.filter(({ type }) => type === 'peer-banned')).toEqual([]);
  });

  it('takes whole files from one that knows no ranges', async () => {
    const web = await listenWeb(content, (_request, response, file) => {
      response.writeHead(200, { 'Content-Length': file.length }).end(file);
      return true;
    });
    const { torrent, dir } = await download(content, [web.url]);
    await torrent.complete;
    await expectSame(content, dir);
  });

  it('does without a file that one lacks, and without one that it compresses', async () => {
    const web = await listenWeb(content, (request, response, file) => {
      if (request.url!.endsWith('file-2')) {
        response.writeHead(404).end('gone');
        return true;
      }
      if (!request.url!.endsWith('file-5')) return false;
      response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(file));
      return true;
    });
    const { torrent, dir, events, until } = await download(content, [web.url]);
    const lacking = () =>
      new Set(
        events.flatMap((event) =>
          event.type === 'web-seed' && event.outcome === 'no-file' ? [event.fileIndex] : [],
        ),
      );
    await until(() => lacking().size === 2);
    expect(lacking()).toEqual(new Set([2, 5]));
    const peer = await addSeed(content);
    torrent.addPeer(peer.host, peer.port);
    await torrent.complete;
    await expectSame(content, dir);
    expect(web.requests.filter((line) => /file-[25]/.test(line)).length).toBeLessThan(6);
  });

  it('goes on with another one where one breaks off', async () => {
    const broken = await listenWeb(content, (_request, response, file) => {
      response.writeHead(200, { 'Content-Length': file.length });
      response.write(file.subarray(0, 100), () => response.destroy());
      return true;
    });
    const web = await listenWeb(content);
    const { torrent, dir, outcomes } = await download(content, [broken.url, web.url]);
    await torrent.complete;
    await expectSame(content, dir);
    expect(outcomes()).toContain('waiting');
  });

  it('keeps within its limit of bytes a second', async () => {
    const web = await listenWeb(content);
    const session = await open({ maxDownBytesPerSecond: 2 * MiB });
    const metainfo = { ...content.metainfo, webSeeds: [web.url] };
    const started = performance.now();
    const torrent = await session.add(metainfo, { dir: path.join(root, 'slow') });
    await torrent.complete;
    // A slow machine takes longer, and never less.
    expect(performance.now() - started).toBeGreaterThan((TOTAL / (2 * MiB)) * 1000 * 0.8);
  });
});
