// From a magnet link to the files, in swarms on virtual time: the info dictionary, and the connections that go on with pieces.

import { toHex } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { MagnetTorrent, type TorrentEvent } from '../src/index.ts';
import { type Content, makeContent } from './support/content.ts';
import { checkInvariants } from './support/invariants.ts';
import { type NodeOptions, type SimNode, SimSwarm } from './support/sim-swarm.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const SECOND = 1_000;
// 3,277 pieces: an info dictionary of 64 KiB, which is five pieces of metadata.
const content = makeContent(3_277 * 512, 512);
const small = makeContent(MiB, 64 * KiB);

function magnetOf({ info }: Content): NonNullable<NodeOptions['magnet']> {
  return { infoHashV1: info.infoHashV1!, ...(info.infoHashV2 && { infoHashV2: info.infoHashV2 }) };
}

/** Events of a kind. */
function heard<T extends TorrentEvent['type']>(node: SimNode, type: T) {
  return node.events.filter((event): event is TorrentEvent & { type: T } => event.type === type);
}

function toHexes(layers: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries(Array.from(layers, ([root, layer]) => [root, toHex(layer)]));
}

/** Why connections ended, but for those of which neither end had any use left. */
function closed(node: SimNode): string[] {
  return heard(node, 'peer-closed')
    .map(({ reason }) => `${reason}`)
    .filter((reason) => reason !== 'both-seeds');
}

/** A peer that says it has the dictionary, and whose dictionary is `change`d. */
function addLiar(swarm: SimSwarm, change: (infoBytes: Uint8Array) => Uint8Array): SimNode {
  const node = swarm.addNode({ magnet: magnetOf(swarm.content), announces: false });
  const { presence } = node.machine as MagnetTorrent;
  presence.metadata.infoBytes = change(swarm.content.info.bytes.slice());
  return node.start();
}

function flipped(at: number): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    bytes[at % bytes.length]! ^= 1;
    return bytes;
  };
}

describe('a torrent of which only a magnet link is known', () => {
  it('gets the info dictionary and then the pieces over one connection', () => {
    const swarm = new SimSwarm(content);
    const seed = swarm.addNode({ isSeed: true, announces: false }).start();
    const leecher = swarm.addNode({ magnet: magnetOf(content), announces: false }).start();
    leecher.connectTo(seed);
    expect(leecher.stats).toMatchObject({
      state: 'fetching-metadata',
      totalBytes: 0,
      pieceCount: 0,
    });
    expect(swarm.runUntilDone(60 * SECOND)).toBeLessThan(15 * SECOND);
    expect(heard(leecher, 'peer').length).toBe(1);
    expect(heard(seed, 'peer').length).toBe(1);
    expect(closed(leecher)).toEqual([]);
    expect(heard(leecher, 'state').map(({ state }) => state)).toEqual([
      'fetching-metadata',
      'downloading',
      'seeding',
    ]);
    checkInvariants(swarm, 'magnet');
  });

  it('is served by a peer that has dialled it', () => {
    const swarm = new SimSwarm(small);
    const leecher = swarm.addNode({ magnet: magnetOf(small), announces: false }).start();
    const seed = swarm.addNode({ isSeed: true, announces: false }).start();
    seed.connectTo(leecher);
    expect(swarm.runUntilDone(30 * SECOND)).toBeDefined();
    expect(closed(leecher)).toEqual([]);
  });

  it('keeps its connections, and what peers say of their pieces, while files are checked for minutes', () => {
    const swarm = new SimSwarm(small);
    const seed = swarm.addNode({ isSeed: true, announces: false }).start();
    const other = swarm.addNode({ announces: false, have: [0, 1, 2] }).start();
    const magnet = magnetOf(small);
    const leecher = swarm.addNode({ magnet, announces: false, openingMs: 400 * SECOND }).start();
    leecher.connectTo(seed, other);
    swarm.clock.runUntil(20 * SECOND);
    expect(leecher.stats).toMatchObject({ state: 'checking', metadataShare: 1, uselessMs: 0 });
    // It gets pieces meanwhile, which it tells of.
    other.connectTo(seed);
    swarm.clock.runUntil(399 * SECOND);
    expect(leecher.stats.peersConnected).toBe(2);
    expect(swarm.runUntilDone(10 * SECOND, [leecher])).toBeDefined();
    expect(heard(leecher, 'peer').length).toBe(2);
    checkInvariants(swarm, 'long check');
  });

  it('finds peers through trackers, which hear of it once', () => {
    const swarm = new SimSwarm(small);
    swarm.addNode({ isSeed: true }).start();
    swarm.clock.runUntil(SECOND);
    const leecher = swarm.addNode({ magnet: magnetOf(small) }).start();
    expect(swarm.runUntilDone(30 * SECOND)).toBeDefined();
    swarm.clock.runUntil(swarm.clock.now + SECOND);
    const [first, ...later] = leecher.announces;
    expect(first).toMatchObject({ event: 'started', infoHash: small.info.infoHash });
    expect(first!.leftBytes).toBeGreaterThan(0);
    expect(later.map(({ event }) => event)).toEqual(['completed']);
  });

  it('says how long nobody has sent anything of the dictionary', () => {
    const swarm = new SimSwarm(small);
    const idle = swarm.addNode({ magnet: magnetOf(small), announces: false }).start();
    const leecher = swarm.addNode({ magnet: magnetOf(small), announces: false }).start();
    leecher.connectTo(idle);
    swarm.clock.runUntil(200 * SECOND);
    expect(leecher.stats).toMatchObject({ uselessMs: 200 * SECOND, peersConnected: 1 });
    expect(closed(leecher)).toEqual([]);
  });

  it('passes the dictionary on to those who wait for it, as soon as it has it', () => {
    const swarm = new SimSwarm(small);
    const magnet = magnetOf(small);
    const nodes = [0, 1, 2, 3].map(() => swarm.addNode({ magnet, announces: false }).start());
    for (const [index, node] of nodes.entries()) if (index > 0) node.connectTo(nodes[index - 1]!);
    swarm.clock.runUntil(5 * SECOND);
    const seed = swarm.addNode({ isSeed: true, announces: false }).start();
    nodes[0]!.connectTo(seed);
    expect(swarm.runUntilDone(60 * SECOND)).toBeLessThan(20 * SECOND);
    expect(swarm.nodes.map((node) => heard(node, 'peer').length)).toEqual([2, 2, 2, 1, 1]);
    checkInvariants(swarm, 'chain');
  });

  it('can be stopped, and says goodbye', () => {
    const swarm = new SimSwarm(small);
    const leecher = swarm.addNode({ magnet: magnetOf(small) }).start();
    swarm.clock.runUntil(SECOND);
    leecher.stop();
    swarm.clock.runUntil(10 * SECOND);
    expect(leecher.machine.deadline()).toBe(Number.POSITIVE_INFINITY);
    expect(leecher.machine.isSettled).toBe(true);
    expect(leecher.announces.map(({ event }) => event)).toEqual(['started', 'stopped']);
    expect(leecher.host.streams.length).toBe(0);
  });

  it('needs an info-hash', () => {
    const { machine } = new SimSwarm(small).addNode({ magnet: magnetOf(small) });
    const { presence } = machine as MagnetTorrent;
    expect(() => new MagnetTorrent({ ...presence, now: 0 } as never)).toThrow('no info-hash');
  });
});

describe('liars', () => {
  const honestMs = (() => {
    const swarm = new SimSwarm(content);
    const seed = swarm.addNode({ isSeed: true, announces: false }).start();
    const leecher = swarm.addNode({ magnet: magnetOf(content), announces: false }).start();
    leecher.connectTo(seed);
    swarm.clock.runWhile(() => leecher.stats.metadataShare < 1, 30 * SECOND);
    return swarm.clock.now;
  })();

  it.each<[string, ((bytes: Uint8Array) => Uint8Array)[]]>([
    ['one with a wrong byte', [flipped(40_000)]],
    ['one that is wrong everywhere', [(bytes) => bytes.map((byte) => byte ^ 0xff)]],
    ['one with a shorter dictionary', [(bytes) => bytes.subarray(0, 20_000)]],
    ['one with a longer one', [(bytes) => new Uint8Array(2 * bytes.length)]],
    [
      'five of all kinds',
      [1, 20_000, 50_000, 0, 1].map((at, index) =>
        index < 3 ? flipped(at) : (bytes: Uint8Array) => new Uint8Array(bytes.length + at),
      ),
    ],
    ['twelve', Array.from({ length: 12 }, (_, index) => flipped(5_000 * index))],
  ])('%s: they cost under 5 s, they are banned, and nobody else is', (_, changes) => {
    const swarm = new SimSwarm(content);
    const liars = changes.map((change) => addLiar(swarm, change));
    const seeds = [0, 1].map(() => swarm.addNode({ isSeed: true, announces: false }).start());
    const leecher = swarm.addNode({ magnet: magnetOf(content), announces: false }).start();
    leecher.connectTo(...liars);
    swarm.clock.runUntil(100);
    leecher.connectTo(...seeds);
    swarm.clock.runWhile(() => leecher.stats.metadataShare < 1, 30 * SECOND);
    expect(swarm.clock.now - honestMs).toBeLessThan(5 * SECOND);
    swarm.runUntilDone(60 * SECOND, [leecher]);
    const banned = heard(leecher, 'peer-banned');
    const addresses = liars.map(({ endpoint }) => endpoint.address);
    expect(banned.length).toBeGreaterThan(0);
    for (const { address, reason } of banned) {
      expect(addresses).toContain(address);
      expect(reason).toBe('bad-metadata');
    }
    expect(leecher.torrent.isDone).toBe(true);
  });
});

describe('info-hashes of a link', () => {
  const files = [100_000, 70_000];
  const hybrid = makeContent(170_000, 16 * KiB, { version: 'hybrid', files });
  const v2 = makeContent(170_000, 16 * KiB, { version: 'v2', files });
  const { infoHashV1, infoHashV2 } = hybrid.info;

  it.each<[string, Content, NonNullable<NodeOptions['magnet']>]>([
    ['v2 of a v2 torrent', v2, { infoHashV2: v2.info.infoHashV2! }],
    ['v2 of a hybrid', hybrid, { infoHashV2: infoHashV2! }],
    ['both of a hybrid', hybrid, { infoHashV1: infoHashV1!, infoHashV2: infoHashV2! }],
  ])('%s lead to everything, piece layers included', (_, torrent, magnet) => {
    const swarm = new SimSwarm(torrent);
    swarm.addNode({ isSeed: true }).start();
    swarm.clock.runUntil(SECOND);
    const leecher = swarm.addNode({ magnet, lacksLayers: true }).start();
    expect(swarm.runUntilDone(60 * SECOND)).toBeDefined();
    swarm.clock.runUntil(swarm.clock.now + 10 * SECOND);
    expect(toHexes(leecher.pieceLayers)).toEqual(toHexes(torrent.metainfo.pieceLayers));
    checkInvariants(swarm, 'hashes');
  });

  it('v1 of a hybrid lead to everything, over the connections that there are', () => {
    const swarm = new SimSwarm(hybrid);
    const seed = swarm.addNode({ isSeed: true, half: 'v1', announces: false }).start();
    const magnet = { infoHashV1: infoHashV1! };
    const leecher = swarm.addNode({ magnet, lacksLayers: true, announces: false }).start();
    leecher.connectTo(seed);
    expect(swarm.runUntilDone(60 * SECOND)).toBeDefined();
    expect(heard(leecher, 'peer').length).toBe(1);
    expect(leecher.announces).toEqual([]);
    checkInvariants(swarm, 'v1 of a hybrid');
  });
});

describe('a private torrent got by a magnet link', () => {
  it('keeps to its trackers and its user from then on', () => {
    const secret = makeContent(MiB, 64 * KiB, { isPrivate: true });
    const swarm = new SimSwarm(secret);
    const seeds = [0, 1, 2].map(() => swarm.addNode({ isSeed: true, announces: false }).start());
    const leecher = swarm.addNode({
      magnet: magnetOf(secret),
      announces: false,
      peerExchange: true,
      dht: true,
    });
    leecher.start();
    const told = (source: 'dht' | 'magnet' | 'user', seed: SimNode) =>
      leecher.act(() =>
        leecher.machine.handleCandidates(swarm.clock.now, [seed.endpoint], source, false),
      );
    told('dht', seeds[0]!);
    told('magnet', seeds[1]!);
    told('user', seeds[2]!);
    expect(swarm.runUntilDone(30 * SECOND)).toBeDefined();
    const dropped = heard(leecher, 'peer-closed').filter(({ reason }) => reason === 'private');
    expect(dropped.map(({ address }) => address).sort()).toEqual(
      [seeds[0]!, seeds[1]!].map(({ endpoint }) => endpoint.address).sort(),
    );
    expect(leecher.stats.peersConnected).toBeLessThanOrEqual(1);
    const lookups = leecher.lookupsMs.length;
    swarm.clock.runUntil(swarm.clock.now + 3_600 * SECOND);
    expect(leecher.lookupsMs.length).toBe(lookups);
  });
});
