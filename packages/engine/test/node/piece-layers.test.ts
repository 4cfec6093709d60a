// v2 torrents without piece layers on real sockets and files (BEP 52).

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildMetainfo, parseMetainfo } from '@bt/metainfo';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSession, type Session } from '../../src/node/index.ts';
import { type Content, makeContent } from '../support/content.ts';

const PIECE = 32 * 1024;

let root: string;
let sessions: Session[];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'bt-layers-'));
  sessions = [];
});

afterEach(async () => {
  await Promise.all(sessions.map((session) => session.stop()));
  await rm(root, { recursive: true, force: true });
});

async function open(): Promise<Session> {
  const session = await openSession({ bindAddress: '127.0.0.1', resumeDir: null });
  sessions.push(session);
  return session;
}

async function seedOf(content: Content): Promise<Session> {
  const dir = path.join(root, 'seed');
  await mkdir(dir);
  const length = content.info.files.lengthOf(0);
  await writeFile(path.join(dir, 'content.bin'), content.bytes.subarray(0, length));
  const session = await open();
  await (await session.add(content.torrent, { dir })).complete;
  return session;
}

it.each(['v2', 'hybrid'] as const)('of a %s torrent come from peers', async (version) => {
  const content = makeContent(40 * PIECE + 7, PIECE, { version });
  const seed = await seedOf(content);
  const bare = buildMetainfo({ info: content.info.bytes });
  const dir = path.join(root, 'leech');
  const leecher = await open();
  const peers = [{ host: '127.0.0.1', port: seed.port }];
  const leech = await leecher.add(bare, { dir, peers, wantsPieceLayers: true });
  const layers = (async () => {
    for await (const event of leech.events()) if (event.type === 'piece-layers') return;
  })();
  await Promise.all([leech.complete, layers]);
  const right = content.bytes.subarray(0, content.info.files.lengthOf(0));
  const found = await readFile(path.join(dir, 'content.bin'));
  expect(Buffer.compare(found, right)).toBe(0);
  const { info, pieceLayers } = await leech.metadata;
  const written = parseMetainfo(buildMetainfo({ info: info.bytes, pieceLayers }));
  expect(written.pieceLayers).toEqual(content.metainfo.pieceLayers);
});

it('that come late let what is on disk be verified, and only the rest be fetched', async () => {
  const content = makeContent(40 * PIECE, PIECE, { version: 'v2' });
  const seed = await seedOf(content);
  const dir = path.join(root, 'half');
  await mkdir(dir);
  // Of an earlier life without a record: a piece of it is wrong.
  const bytes = content.bytes.slice();
  bytes[3 * PIECE + 5]! ^= 1;
  await writeFile(path.join(dir, 'content.bin'), bytes);
  const leecher = await open();
  const peers = [{ host: '127.0.0.1', port: seed.port }];
  const leech = await leecher.add(buildMetainfo({ info: content.info.bytes }), { dir, peers });
  await leech.complete;
  expect(leech.stats().downloadedBytes).toBe(PIECE);
  expect(Buffer.compare(await readFile(path.join(dir, 'content.bin')), content.bytes)).toBe(0);
});
