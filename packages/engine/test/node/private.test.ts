// BEP 27 in a session: what the parts that a session owns are asked for on behalf of a private torrent.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Endpoint } from '@bt/endpoint';
import type { DhtNode } from '@bt/krpc-dht/node';
import { buildMetainfo, formatMagnet, magnetOf, toHex } from '@bt/metainfo';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSession, type Session, type SessionOptions } from '../../src/node/index.ts';
import { type Content, makeContent } from '../support/content.ts';

const loopback = '127.0.0.1';
const secret = makeContent(100_000, 16_384, { isPrivate: true });
const open = makeContent(100_000, 16_384);

interface Lookup {
  readonly signal: AbortSignal;
  onPeers(peers: readonly Endpoint[]): void;
}

/** A node whose lookups end when they are broken off, and not before. */
class HeldUpDht {
  readonly port = 6881;
  readonly lookups: Lookup[] = [];
  readonly nodes: Endpoint[] = [];

  announce(_: Uint8Array, lookup: Lookup): Promise<void> {
    this.lookups.push(lookup);
    return new Promise((resolve) => lookup.signal.addEventListener('abort', () => resolve()));
  }

  addNode(endpoint: Endpoint): void {
    this.nodes.push(endpoint);
  }

  async *getPeers(): AsyncGenerator<Endpoint> {}

  externalAddress(): undefined {}

  nodeCount(): number {
    return 0;
  }
}

/** What local discovery was told. It has no sockets. */
const local = vi.hoisted(() => ({ opened: 0, calls: [] as string[] }));

vi.mock('../../src/node/local-discovery.ts', async (original) => ({
  ...(await original<object>()),
  LocalDiscoveryService: class {
    constructor() {
      local.opened += 1;
    }

    add(infoHash: string): void {
      local.calls.push(`add ${infoHash}`);
    }

    remove(infoHash: string): void {
      local.calls.push(`remove ${infoHash}`);
    }

    close(): void {}
  },
}));

let root: string;
let sessions: Session[];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'bt-private-'));
  sessions = [];
  local.opened = 0;
  local.calls.length = 0;
});

afterEach(async () => {
  await Promise.all(sessions.map((session) => session.stop()));
  await rm(root, { recursive: true, force: true });
});

async function openOne(dht?: HeldUpDht, options: SessionOptions = {}): Promise<Session> {
  const session = await openSession({
    bindAddress: loopback,
    resumeDir: null,
    ...(dht && { dht: dht as unknown as DhtNode }),
    ...options,
  });
  sessions.push(session);
  return session;
}

/** Somebody who seeds, and where. */
async function seed(content: Content) {
  const dir = path.join(root, 'seed');
  await mkdir(dir);
  await writeFile(path.join(dir, 'content.bin'), content.bytes);
  const session = await openOne();
  await (await session.add(content.torrent, { dir })).complete;
  return { host: loopback, port: session.port };
}

describe.each([
  ['private', secret, true],
  ['public', open, false],
] as const)('the link of a %s torrent', (_, content, isPrivate) => {
  it(`breaks the lookup off that is under way when the metadata comes: ${isPrivate}`, async () => {
    const peers = [await seed(content)];
    const link = formatMagnet(magnetOf(content.metainfo));
    const dht = new HeldUpDht();
    const session = await openOne(dht);
    const handle = await session.add(link, { dir: path.join(root, 'leech'), peers });
    await handle.metadata;
    expect(dht.lookups.map(({ signal }) => signal.aborted)).toEqual([isPrivate]);
    dht.lookups[0]!.onPeers([{ address: loopback, port: 9 }]);
    expect(handle.stats().peerSources.dht.known).toBe(isPrivate ? 0 : 1);
    await handle.complete;
  });

  it(`lets go of a peer of the DHT when the metadata comes: ${isPrivate}`, async () => {
    const { host: address, port } = await seed(content);
    const dht = new HeldUpDht();
    const session = await openOne(dht);
    const link = formatMagnet(magnetOf(content.metainfo));
    const handle = await session.add(link, { dir: path.join(root, 'leech') });
    await vi.waitFor(() => expect(dht.lookups).toHaveLength(1), { timeout: 60_000 });
    dht.lookups[0]!.onPeers([{ address, port }]);
    for await (const event of handle.events()) {
      if (event.type === 'peer') expect(event.source).toBe('dht');
      if (event.type === 'peer-closed')
        expect([isPrivate, event.reason]).toEqual([true, 'private']);
      if (event.type === 'peer-closed' || event.type === 'done') break;
    }
    await handle.metadata;
    expect(handle.stats().peersKnown).toBe(isPrivate ? 0 : 1);
  });

  it(`takes it out of local discovery when the metadata comes: ${isPrivate}`, async () => {
    const peers = [await seed(content)];
    const session = await openOne(undefined, { bindAddress: '0.0.0.0', localDiscovery: true });
    const link = formatMagnet(magnetOf(content.metainfo));
    const handle = await session.add(link, { dir: path.join(root, 'leech'), peers });
    await handle.complete;
    const key = toHex(content.info.infoHash);
    expect(local.calls[0]).toBe(`add ${key}`);
    expect(local.calls.at(-1)).toBe(`${isPrivate ? 'remove' : 'add'} ${key}`);
  });
});

describe('a private .torrent', () => {
  it('is not told to the local network', async () => {
    const session = await openOne(undefined, { bindAddress: '0.0.0.0', localDiscovery: true });
    for (const [index, { torrent }] of [secret, open].entries()) {
      const handle = await session.add(torrent, { dir: path.join(root, `${index}`) });
      for await (const event of handle.events()) if (event.type === 'checked') break;
    }
    await vi.waitFor(() => expect(local.calls).toContain(`add ${toHex(open.info.infoHash)}`), {
      timeout: 60_000,
    });
    expect(local.calls).not.toContain(`add ${toHex(secret.info.infoHash)}`);
  });

  it('has none of its nodes asked', async () => {
    const dht = new HeldUpDht();
    const session = await openOne(dht);
    // The public one comes behind.
    for (const [index, { info }] of [secret, open].entries()) {
      const nodes = [{ host: loopback, port: index + 1 }];
      const torrent = buildMetainfo({ info: info.bytes, nodes });
      const handle = await session.add(torrent, { dir: path.join(root, `${index}`) });
      for await (const event of handle.events()) if (event.type === 'checked') break;
    }
    await vi.waitFor(() => expect(dht.nodes).not.toEqual([]), { timeout: 60_000 });
    expect(dht.nodes).toEqual([{ address: loopback, port: 2 }]);
    expect(dht.lookups).toHaveLength(1);
  });
});

describe('a session on loopback', () => {
  it('has no local discovery, whatever its options', async () => {
    for (const bindAddress of ['127.0.0.1', '::1']) {
      const opening = openOne(undefined, { bindAddress, localDiscovery: true });
      // Where there is no IPv6 it can't be opened.
      await opening.catch((error) => expect(error).toMatchObject({ code: 'listen' }));
    }
    expect(local.opened).toBe(0);
  });
});
