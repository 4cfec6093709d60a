import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from '@bt/bencode';
import type { Endpoint } from '@bt/endpoint';
import { afterEach, describe, expect, it } from 'vitest';
import { immutableTarget, signItem } from '../../src/index.ts';
import {
  type CreateDhtOptions,
  createDht,
  type DhtNode,
  type DhtWarning,
  nodeEd25519,
} from '../../src/node/index.ts';
import { decodeSavedTable, encodeSavedTable } from '../../src/saved-table.ts';
import { id } from '../bytes.ts';

const open: DhtNode[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

async function start(options: CreateDhtOptions = {}): Promise<DhtNode> {
  const node = await createDht({ bind: '127.0.0.1', ...options });
  open.push(node);
  return node;
}

/** Nodes on loopback that have entered by the first one. */
async function startNetwork(count: number, options: CreateDhtOptions = {}): Promise<DhtNode[]> {
  const first = await start(options);
  const bootstrap = [`127.0.0.1:${first.port}`];
  const nodes = [first];
  for (let i = 1; i < count; i++) {
    const node = await start({ ...options, bootstrap });
    await node.findNode(node.id()!);
    nodes.push(node);
  }
  return nodes;
}

async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of iterable) values.push(value);
  return values;
}

describe('a network of nodes on loopback', () => {
  it('finds the peers that others have announced', async () => {
    const nodes = await startNetwork(12);
    const infoHash = id(0x42);
    const { stored } = await nodes[3]!.announce(infoHash, { port: 5001 });
    expect(stored).toBe(8);
    const seen: Endpoint[] = [];
    const onPeers = (peers: readonly Endpoint[]) => seen.push(...peers);
    await nodes[4]!.announce(infoHash, { port: 0, impliedPort: true, onPeers });
    expect(seen).toEqual([{ address: '127.0.0.1', port: 5001 }]);

    const peers = await collect(nodes[9]!.getPeers(infoHash));
    expect(peers).toHaveLength(2);
    expect(peers).toContainEqual({ address: '127.0.0.1', port: 5001 });
    expect(peers).toContainEqual({ address: '127.0.0.1', port: nodes[4]!.port });
    expect(await nodes[10]!.scrape(infoHash)).toMatchObject({ downloaders: 1, seeds: 0 });
    const samples = await collect(nodes[11]!.sample(infoHash));
    expect(samples.flatMap(({ infoHashes }) => infoHashes)).toContainEqual(infoHash);
  });

  it('keeps items, and follows a torrent that is published under a key (BEP 44, BEP 46)', async () => {
    const nodes = await startNetwork(10);
    const value = encode({ hello: 'world' });
    expect(await nodes[1]!.put({ value })).toMatchObject({ stored: 8 });
    expect(await nodes[9]!.get({ target: immutableTarget(value) })).toEqual({ value });
    expect(await nodes[9]!.get({ target: id(1) })).toBe(undefined);

    const seed = new Uint8Array(32).fill(5);
    const publicKey = nodeEd25519.publicKey(seed);
    expect(await nodes[2]!.resolveTorrent(publicKey)).toBe(undefined);
    expect(await nodes[2]!.publishTorrent(seed, id(7))).toMatchObject({ stored: 8, sequence: 1n });
    expect(await nodes[3]!.publishTorrent(seed, id(8))).toMatchObject({ sequence: 2n });
    const resolved = await nodes[8]!.resolveTorrent(publicKey);
    expect(resolved).toEqual({ infoHash: id(8), sequence: 2n });
    const stale = signItem(nodeEd25519, seed, { value: encode(1), sequence: 1n });
    await expect(nodes[4]!.put(stale)).rejects.toMatchObject({ code: 'krpc-error', krpcCode: 302 });
  });

  it('takes both families, and finds peers of both', async () => {
    const nodes = await startNetwork(5, { bind: ['127.0.0.1', '::1'] });
    for (const node of nodes.slice(1)) node.addNode({ address: '::1', port: nodes[0]!.port });
    for (const node of nodes) await node.ping({ address: '::1', port: nodes[0]!.port });
    await nodes[1]!.announce(id(3), { port: 7001 });
    const peers = await collect(nodes[4]!.getPeers(id(3)));
    expect(peers.map(({ address }) => address).sort()).toEqual(['127.0.0.1', '::1']);
  });
});

describe('one node', () => {
  it('alone has nobody to ask', async () => {
    const node = await start();
    await expect(node.findNode(id(1))).rejects.toMatchObject({ code: 'no-nodes' });
    await expect(collect(node.getPeers(id(1)))).rejects.toMatchObject({ code: 'no-nodes' });
  });

  it('finds others by a PORT message', async () => {
    const [a, b] = [await start(), await start()];
    a.addNode({ address: '127.0.0.1', port: b.port });
    const { node } = await a.ping({ address: '127.0.0.1', port: b.port });
    expect(node.id).toEqual(b.id());
    expect((await a.findNode(id(1))).closest).toEqual([node]);
    expect(a.nodeCount()).toBe(1);
  });

  it('answers whatever else is sent to it', async () => {
    const node = await start({ rateLimit: false });
    const socket = createSocket('udp4');
    const answered = new Promise<void>((resolve) => {
      socket.on('message', (datagram) => {
        if (datagram.includes('1:t2:zz')) resolve();
      });
    });
    for (let i = 0; i < 80; i++) {
      const rubbish = `d1:ad2:id20:${'x'.repeat(i % 40)}e1:q4:ping1:t2:aa1:y1:qe`;
      socket.send(rubbish, node.port, '127.0.0.1');
    }
    const ping = 'd1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:zz1:y1:qe';
    socket.send(ping, node.port, '127.0.0.1');
    await answered;
    socket.close();
    expect(node.statistics().dropped.malformed).toBeGreaterThan(0);
  });

  it('says where a port is taken', async () => {
    const node = await start();
    const taken = createDht({ bind: '127.0.0.1', port: node.port });
    await expect(taken).rejects.toMatchObject({ code: 'socket', cause: { code: 'EADDRINUSE' } });
  });

  it('refuses to bind to what is no address, or to two of one family', async () => {
    for (const bind of ['localhost', [], ['127.0.0.1', '127.0.0.2'], ['127.0.0.1', 'x']]) {
      await expect(createDht({ bind })).rejects.toMatchObject({ code: 'invalid-argument' });
    }
  });

  it('refuses what is no bootstrap', async () => {
    for (const bootstrap of ['router.example', 'router.example:0', 'a b:1', '::1:2:3:4']) {
      await expect(createDht({ bind: '127.0.0.1', bootstrap: [bootstrap] })).rejects.toMatchObject({
        code: 'invalid-argument',
      });
    }
  });
});

describe('names', () => {
  it('on loopback nothing is resolved and nobody asked by default', async () => {
    let lookups = 0;
    const lookupHost = async () => {
      lookups++;
      return [];
    };
    const node = await start({ lookupHost });
    const named = await start({ lookupHost, bootstrap: ['router.example:6881', '192.0.2.1:1'] });
    for (const each of [node, named]) {
      await expect(each.findNode(id(1))).rejects.toMatchObject({ code: 'no-nodes' });
      expect(each.statistics().bytesOut).toBe(0);
    }
    expect(lookups).toBe(0);
  });

  it('`localhost` is known there', async () => {
    const first = await start();
    const second = await start({ bootstrap: [`localhost:${first.port}`] });
    expect((await second.findNode(id(1))).closest).toHaveLength(1);
  });

  it('elsewhere they are resolved, to all of their addresses; what is given takes the place of the routers', async () => {
    const first = await start();
    const asked: string[] = [];
    const second = await start({
      bind: '0.0.0.0',
      bootstrap: [`router.example:${first.port}`, 'unknown.example:1'],
      lookupHost: async (host) => {
        asked.push(host);
        if (host === 'unknown.example') throw new Error('no such name');
        return [{ address: '127.0.0.1' }];
      },
    });
    expect((await second.findNode(id(1))).closest.map((node) => node.id)).toEqual([first.id()]);
    expect(asked.sort()).toEqual(['router.example', 'unknown.example']);
  });

  it('that are never resolved hold up neither addresses nor a signal', async () => {
    const first = await start();
    const lookupHost = () => new Promise<never>(() => undefined);
    const address = `127.0.0.1:${first.port}`;
    const second = await start({
      bind: '0.0.0.0',
      bootstrap: ['slow.example:1', address],
      lookupHost,
    });
    await second.joined();
    expect((await second.findNode(id(1))).closest.map((node) => node.id)).toEqual([first.id()]);

    const third = await start({ bind: '0.0.0.0', bootstrap: ['slow.example:1'], lookupHost });
    const reason = new Error('enough');
    const abort = new AbortController();
    const { signal } = abort;
    const all = [
      third.joined({ signal }),
      third.findNode(id(1), { signal }),
      collect(third.getPeers(id(1), { signal })),
      third.announce(id(1), { port: 1, signal }),
      third.get({ target: id(1) }, { signal }),
      third.publishTorrent(new Uint8Array(32), id(1), { signal }),
    ];
    abort.abort(reason);
    for (const each of await Promise.allSettled(all)) {
      expect(each).toEqual({ status: 'rejected', reason });
    }
    const closing = expect(third.joined()).rejects.toMatchObject({ code: 'closed' });
    await third.close();
    await closing;
  });

  it('help as soon as the first is resolved', async () => {
    const first = await start();
    const second = await start({
      bind: '0.0.0.0',
      bootstrap: ['slow.example:1', `fast.example:${first.port}`],
      lookupHost: (host) =>
        host === 'slow.example'
          ? new Promise(() => undefined)
          : Promise.resolve([{ address: '127.0.0.1' }]),
    });
    expect((await second.findNode(id(1))).closest).toHaveLength(1);
  });
});

describe('warnings', () => {
  /** Those of a node with these options, until there are so many. */
  async function warningsOf(options: CreateDhtOptions, count: number): Promise<DhtWarning[]> {
    const warnings: DhtWarning[] = [];
    const all = new Promise<void>((resolve) => {
      const onWarning = (warning: DhtWarning) => {
        if (warnings.push(warning) === count) resolve();
      };
      void start({ ...options, onWarning });
    });
    await all;
    return warnings;
  }

  it('tell of entries that can not be used', async () => {
    const bootstrap = ['[::1]:7600', '192.0.2.1:1', 'router.example:1', '127.0.0.1:1'];
    expect(await warningsOf({ bootstrap }, 3)).toEqual([
      {
        code: 'entry',
        message: 'DHT node [::1]:7600: an IPv6 address, while this node has IPv4 alone',
      },
      { code: 'entry', message: 'DHT node 192.0.2.1:1: not asked from loopback' },
      { code: 'entry', message: 'DHT node router.example:1: not asked from loopback' },
    ]);
  });

  it('tell of names that are unknown, or have addresses of the other family alone', async () => {
    const warnings = await warningsOf(
      {
        bind: '0.0.0.0',
        bootstrap: ['unknown.example:1', 'other.example:2', 'both.example:3'],
        lookupHost: async (host) => {
          if (host === 'unknown.example') throw new Error('no such name');
          const ipv6 = { address: '::1' };
          return host === 'other.example' ? [ipv6] : [ipv6, { address: '127.0.0.1' }];
        },
      },
      2,
    );
    expect(new Set(warnings.map(({ message }) => message))).toEqual(
      new Set([
        'DHT node unknown.example:1: name not found',
        'DHT node other.example:2: an IPv6 address, while this node has IPv4 alone',
      ]),
    );
  });

  it('tell once of public routers that are all unknown', async () => {
    const lookupHost = async () => [];
    expect(await warningsOf({ bind: '0.0.0.0', lookupHost }, 1)).toEqual([
      { code: 'entry', message: 'no public router of the DHT: their names are not found' },
    ]);
  });

  it('tell that nobody has answered, where there was somebody to ask', async () => {
    const silent = await start();
    await silent.close();
    const bootstrap = [`127.0.0.1:${silent.port}`];
    expect(await warningsOf({ bootstrap }, 1)).toEqual([
      { code: 'no-answer', message: 'no node of the DHT has answered so far' },
    ]);
    const warnings: DhtWarning[] = [];
    const onWarning = (warning: DhtWarning) => void warnings.push(warning);
    const first = await start({ onWarning });
    await expect(first.findNode(id(1))).rejects.toMatchObject({ code: 'no-nodes' });
    const second = await start({ onWarning, bootstrap: [`127.0.0.1:${first.port}`] });
    await second.joined();
    expect(warnings).toEqual([]);
  });
});

describe('mistakes of the caller', () => {
  it('a callback that throws ends its operation, and nothing else', async () => {
    const nodes = await startNetwork(3);
    await nodes[1]!.announce(id(2), { port: 7 });
    const error = new Error('callback');
    const onPeers = () => {
      throw error;
    };
    await expect(nodes[2]!.announce(id(2), { port: 8, onPeers })).rejects.toBe(error);
    expect(nodes[2]!.statistics().lookups.running).toBe(0);
    expect((await nodes[2]!.findNode(id(1))).closest.length).toBeGreaterThan(0);
  });

  it('so does one that is told our address: it becomes a warning', async () => {
    const error = new Error('callback');
    const warned = once(process, 'warning');
    const told: unknown[] = [];
    const nodes = await startNetwork(10);
    const node = await start({
      bootstrap: [`127.0.0.1:${nodes[0]!.port}`],
      onExternalAddress: (...args) => {
        told.push(args);
        throw error;
      },
    });
    for (const { port } of nodes) await node.ping({ address: '127.0.0.1', port });
    expect(await warned).toEqual([error]);
    expect(told).toEqual([['127.0.0.1', 4]]);
    expect((await node.findNode(id(1))).closest).toHaveLength(8);
  });

  it('are told before anybody is asked', async () => {
    const node = await start();
    const wrong = [
      node.publishTorrent(new Uint8Array(31), id(1)),
      node.publishTorrent(new Uint8Array(32), new Uint8Array(32)),
    ];
    for (const each of wrong)
      await expect(each).rejects.toMatchObject({ code: 'invalid-argument' });
    const salt = new Uint8Array(65);
    const salted = node.publishTorrent(new Uint8Array(32), id(1), { salt });
    await expect(salted).rejects.toMatchObject({ code: 'invalid-item' });
  });

  it('after the end all operations say that it is closed', async () => {
    const node = await start();
    await node.close();
    const all = [
      node.announce(id(1), { port: 0, impliedPort: true }),
      node.ping({ address: '127.0.0.1', port: 1 }),
      node.joined(),
      collect(node.sample(id(1))),
    ];
    for (const each of all) await expect(each).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('signals', () => {
  it('end an operation with their reason, and it leaves nothing behind', async () => {
    const silent = createSocket('udp4');
    silent.bind(0, '127.0.0.1');
    await once(silent, 'listening');
    const endpoint = { address: '127.0.0.1', port: silent.address().port };
    const node = await start({ bootstrap: [`127.0.0.1:${endpoint.port}`] });
    const reason = new Error('enough');
    const abort = new AbortController();
    const { signal } = abort;
    const all = [
      node.ping(endpoint, { signal }),
      node.findNode(id(1), { signal }),
      collect(node.getPeers(id(1), { signal })),
      node.announce(id(1), { port: 1, signal }),
      node.get({ target: id(1) }, { signal }),
      node.scrape(id(1), { signal }),
      collect(node.sample(id(1), { signal })),
    ];
    await once(silent, 'message');
    abort.abort(reason);
    for (const each of await Promise.allSettled(all)) {
      expect(each).toEqual({ status: 'rejected', reason });
    }
    expect(node.statistics().lookups.running).toBe(0);
    await expect(node.findNode(id(1), { signal })).rejects.toBe(reason);
    silent.close();
  });

  it('so does leaving the loop', async () => {
    const nodes = await startNetwork(3);
    for (const port of [1, 2, 3]) await nodes[1]!.announce(id(2), { port });
    for await (const peer of nodes[2]!.getPeers(id(2))) {
      expect(peer.address).toBe('127.0.0.1');
      break;
    }
    expect(nodes[2]!.statistics().lookups.running).toBe(0);
  });

  it('and so does the close of the node', async () => {
    const silent = createSocket('udp4');
    silent.bind(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address();
    const node = await start({ bootstrap: [`127.0.0.1:${port}`] });
    const ping = node.ping({ address: '127.0.0.1', port });
    const peers = collect(node.getPeers(id(1)));
    await once(silent, 'message');
    const closed = node.close();
    expect(node.close()).toBe(closed);
    await expect(ping).rejects.toMatchObject({ code: 'closed' });
    await expect(peers).rejects.toMatchObject({ code: 'closed' });
    await closed;
    await expect(node.findNode(id(1))).rejects.toMatchObject({ code: 'closed' });
    node.addNode({ address: '127.0.0.1', port: 1 });
    await node.close();
    silent.close();
  });
});

describe('the state file', () => {
  it('brings a node back under its id, among those it knew', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bt-dht-'));
    try {
      const stateFile = join(folder, 'state');
      const nodes = await startNetwork(4);
      const bootstrap = [`127.0.0.1:${nodes[0]!.port}`];
      const node = await start({ stateFile, bootstrap });
      await node.findNode(id(1));
      const ownId = node.id();
      await node.close();
      expect(await readdir(folder)).toEqual(['state']);
      const [saved] = decodeSavedTable(await readFile(stateFile))!;
      expect(saved!.nodes.length).toBeGreaterThanOrEqual(26);

      const again = await start({ stateFile });
      expect(again.id()).toEqual(ownId);
      expect((await again.findNode(id(1))).closest.length).toBeGreaterThan(0);
      await again.close();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('that is damaged is as if there were none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bt-dht-'));
    try {
      const stateFile = join(folder, 'state');
      await writeFile(stateFile, 'nonsense');
      const node = await start({ stateFile });
      await node.close();
      const whole = await readFile(stateFile);
      expect(decodeSavedTable(whole)).toHaveLength(1);
      // One in which a node has no port, and one that was cut.
      const node4 = Uint8Array.of(...id(1), 127, 0, 0, 1, 0, 0);
      const portless = encodeSavedTable([{ family: 4, id: id(2), nodes: node4 }]);
      for (const damaged of [portless, whole.subarray(0, 20)]) {
        await writeFile(stateFile, damaged);
        const again = await start({ stateFile });
        await expect(again.findNode(id(1))).rejects.toMatchObject({ code: 'no-nodes' });
        await again.close();
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('that can`t be written is told by `close`, once the sockets are closed', async () => {
    const node = await createDht({ bind: '127.0.0.1', stateFile: '/dev/null/state' });
    const { port } = node;
    await expect(node.close()).rejects.toMatchObject({ code: 'ENOTDIR' });
    await start({ port });
  });
});
