import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createDht, type DhtNode } from '@bt/krpc-dht/node';
import { buildInfo, buildMetainfo, parseMetainfo } from '@bt/metainfo';
import { createTorrent } from '@bt/metainfo/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_TORRENT_NODES } from '../../src/limits.ts';
import { openSession, type Session } from '../../src/node/index.ts';
import { type Content, makeContent } from '../support/content.ts';

const loopback = '127.0.0.1';
const content = makeContent(300_000, 16_384);

let root: string;
let sessions: Session[];
let nodes: DhtNode[];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'bt-dht-'));
  sessions = [];
  nodes = [];
});

afterEach(async () => {
  await Promise.all(sessions.map((session) => session.stop()));
  await Promise.all(nodes.map((node) => node.close()));
  await rm(root, { recursive: true, force: true });
});

async function open(options: Parameters<typeof openSession>[0] = {}): Promise<Session> {
  const session = await openSession({ bindAddress: loopback, resumeDir: null, ...options });
  sessions.push(session);
  return session;
}

/** Without limits: all nodes of a test have one address, which would be taken for one busy stranger. */
async function openNode(bootstrap: readonly DhtNode[] = []): Promise<DhtNode> {
  const node = await createDht({
    bind: loopback,
    bootstrap: bootstrap.map(addressOf),
    rateLimit: false,
  });
  nodes.push(node);
  return node;
}

function addressOf(node: DhtNode): string {
  return `${loopback}:${node.port}`;
}

async function place({ bytes }: Content): Promise<string> {
  const dir = path.join(root, 'seed');
  await mkdir(dir);
  await writeFile(path.join(dir, 'content.bin'), bytes);
  return dir;
}

function emptyInfo(): Uint8Array {
  const [pieceLength, length] = [16_384, 16_384];
  const files = [{ path: ['file.bin'], length }];
  const pieces = new Uint8Array(20);
  const name = 'file.bin';
  return buildInfo({ version: 'v1', name, pieceLength, isSingleFile: true, files, pieces });
}

/** Ends when the session's node has announced so many info-hashes. To be called before there is anything to announce. */
function announces(session: Session, count: number): Promise<void> {
  const node = session.dht!;
  const { announce } = node;
  return new Promise((resolve, reject) => {
    let left = count;
    node.announce = (...args) => {
      const announcing = announce.apply(node, args);
      announcing.then(() => {
        left -= 1;
        if (left === 0) resolve();
      }, reject);
      return announcing;
    };
  });
}

/** The port of somebody who has been announced to the hub. */
async function announcedTo(hub: DhtNode, infoHash: Uint8Array): Promise<number | undefined> {
  const asking = await openNode([hub]);
  for await (const { port } of asking.getPeers(infoHash)) return port;
  return undefined;
}

describe('sessions with a DHT on loopback', () => {
  it('find each other without a tracker, and only under the port where peers are listened for', async () => {
    const hub = await openNode();
    const dht = { bootstrap: [addressOf(hub)] };
    const seeder = await open({ dht });
    const isAnnounced = announces(seeder, 1);
    const seed = await seeder.add(content.torrent, { dir: await place(content) });
    await Promise.all([seed.complete, isAnnounced]);
    expect(await announcedTo(hub, content.info.infoHash)).toBe(seeder.port);
    const leecher = await open({ dht });
    const leech = await leecher.add(content.torrent, { dir: path.join(root, 'leech') });
    for await (const event of leech.events()) {
      if (event.type !== 'peer') continue;
      expect(event).toMatchObject({ source: 'dht', port: seeder.port });
      break;
    }
    await leech.complete;
    expect(leech.stats().dhtNodes).toBeGreaterThan(0);
    expect(leech.stats().peerSources.dht.known).toBeGreaterThan(0);
  });

  it('tell how many nodes they know, as long as it concerns the torrent', async () => {
    const hub = await openNode();
    const session = await open({ dht: { bootstrap: [addressOf(hub)] } });
    const link = `magnet:?xt=urn:btih:${'1'.repeat(40)}`;
    const handle = await session.add(link, { dir: root });
    expect(handle.stats().dhtNodes).toBe(0);
    await session.dht?.joined();
    expect(handle.stats().dhtNodes).toBe(1);
    const files = [{ path: ['file.bin'], length: 16_384 }];
    const secret = buildInfo({
      ...{ version: 'v1', name: 'file.bin', pieceLength: 16_384, isSingleFile: true, files },
      ...{ pieces: new Uint8Array(20), isPrivate: true },
    });
    const dir = root;
    const without = await open();
    for (const other of [
      await session.add(buildMetainfo({ info: secret }), { dir }),
      await session.add(`${link}2`.replace('11', '2'), { dir, dht: false }),
      await without.add(link, { dir }),
    ]) {
      expect(other.stats().dhtNodes).toBeUndefined();
    }
  });

  it('find each other in both swarms of a hybrid torrent', async () => {
    const input = path.join(root, 'file.bin');
    await writeFile(input, new Uint8Array(100_000).fill(7));
    const { bytes } = await createTorrent({ input, version: 'hybrid' });
    const hub = await openNode();
    const seeder = await open({ dht: { bootstrap: [addressOf(hub)] } });
    const areAnnounced = announces(seeder, 2);
    await seeder.add(bytes, { dir: root });
    await areAnnounced;
    const { infoHashV1, infoHashV2 } = parseMetainfo(bytes).info;
    expect(await announcedTo(hub, infoHashV1!)).toBe(seeder.port);
    expect(await announcedTo(hub, infoHashV2!.subarray(0, 20))).toBe(seeder.port);
  });

  it('use a node of their owner, and leave it open', async () => {
    const hub = await openNode();
    const own = await openNode([hub]);
    const session = await open({ dht: own });
    expect(session.dht).toBe(own);
    const isAnnounced = announces(session, 1);
    await session.add(content.torrent, { dir: root });
    await isAnnounced;
    expect(await announcedTo(hub, content.info.infoHash)).toBe(session.port);
    await session.stop();
    await own.ping({ address: loopback, port: hub.port });
  });

  it('enter by the nodes of a .torrent', async () => {
    const hub = await openNode();
    const torrent = buildMetainfo({
      info: emptyInfo(),
      nodes: [{ host: loopback, port: hub.port }],
    });
    const session = await open({ dht: true });
    await session.add(torrent, { dir: root });
    await session.dht?.joined();
    expect(session.dht?.nodeCount()).toBe(1);
  });

  it('ask so many of the nodes of a .torrent, and no more', async () => {
    const asked: number[] = [];
    let allAsked = (): void => {};
    const areAsked = new Promise<void>((resolve) => {
      allAsked = resolve;
    });
    const node = {
      port: 6881,
      addNode: ({ port }: { readonly port: number }) => {
        asked.push(port);
        if (asked.length === MAX_TORRENT_NODES) allAsked();
      },
      announce: () => Promise.resolve({}),
      getPeers: () => [],
      externalAddress: () => undefined,
      nodeCount: () => 0,
    };
    const many = Array.from({ length: MAX_TORRENT_NODES + 5 }, (_, index) => index + 1);
    const torrent = buildMetainfo({
      info: emptyInfo(),
      nodes: many.map((port) => ({ host: loopback, port })),
    });
    const session = await open({ dht: node as unknown as DhtNode });
    const handle = await session.add(torrent, { dir: root });
    for await (const event of handle.events()) if (event.type === 'checked') break;
    await areAsked;
    await handle.stop();
    expect(asked).toEqual(many.slice(0, MAX_TORRENT_NODES));
  });

  it('learn of each other’s nodes from their peers (BEP 5 `port`)', async () => {
    const [one, other] = [await open({ dht: true }), await open({ dht: true })];
    await one.add(content.torrent, { dir: await place(content) });
    const peers = [{ host: loopback, port: one.port }];
    await other.add(content.torrent, { dir: path.join(root, 'leech'), peers });
    await Promise.all([one.dht?.joined(), other.dht?.joined()]);
    expect([one.dht?.nodeCount(), other.dht?.nodeCount()]).toEqual([1, 1]);
  });

  it('ask nothing for a private torrent, nor where the torrent is not to use it', async () => {
    const hub = await openNode();
    const session = await open({ dht: { bootstrap: [addressOf(hub)] } });
    const secret = makeContent(100_000, 16_384, { isPrivate: true, seed: 2 });
    await session.add(secret.torrent, { dir: root });
    await session.add(makeContent(100_000, 16_384, { seed: 3 }).torrent, { dir: root, dht: false });
    // Behind them in the queue: by the time that this one is announced they would be.
    const isAnnounced = announces(session, 1);
    await session.add(content.torrent, { dir: root });
    await isAnnounced;
    expect(await announcedTo(hub, content.info.infoHash)).toBe(session.port);
    const { queriesIn } = hub.statistics();
    expect(queriesIn.announce_peer).toBe(1);
  });

  it('are bound where the session is, and nowhere else', async () => {
    for (const bind of ['0.0.0.0', [loopback, '::']]) {
      await expect(open({ dht: { bind } })).rejects.toMatchObject({ code: 'bad-argument' });
    }
    const hub = await openNode();
    const session = await open({ dht: { bind: loopback } });
    await session.dht?.ping({ address: loopback, port: hub.port });
  });

  it('say which port can not be had', async () => {
    const hub = await openNode();
    await expect(open({ dht: { port: hub.port } })).rejects.toMatchObject({
      name: 'EngineError',
      code: 'listen',
    });
    await expect(open({ dht: { bootstrap: ['nonsense'] } })).rejects.toMatchObject({
      code: 'bad-argument',
    });
  });

  it('stop while a lookup is under way', async () => {
    const silent = await openNode();
    const dht = { bootstrap: [addressOf(silent)] };
    await silent.close();
    const session = await open({ dht });
    const handle = await session.add(content.torrent, { dir: root });
    for await (const event of handle.events()) if (event.type === 'checked') break;
    await session.stop();
    await handle.stopped;
  });
});
