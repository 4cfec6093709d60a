// BEP 27 in a session: what the parts that a session owns are asked for on behalf of a private torrent.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Endpoint } from '@bt/endpoint';
import type { DhtNode } from '@bt/krpc-dht/node';
import { formatMagnet, magnetOf } from '@bt/metainfo';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSession, type Session } from '../../src/node/index.ts';
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
}

let root: string;
let sessions: Session[];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'bt-private-'));
  sessions = [];
});

afterEach(async () => {
  await Promise.all(sessions.map((session) => session.stop()));
  await rm(root, { recursive: true, force: true });
});

async function openOne(dht?: HeldUpDht): Promise<Session> {
  const session = await openSession({
    bindAddress: loopback,
    resumeDir: null,
    ...(dht && { dht: dht as unknown as DhtNode }),
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
});
