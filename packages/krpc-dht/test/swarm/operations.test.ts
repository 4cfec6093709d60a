import { encode } from '@bt/bencode';
import { type Endpoint, parseAddress } from '@bt/endpoint';
import { describe, expect, it } from 'vitest';
import {
  type Dht,
  immutableTarget,
  mutableTarget,
  pureEd25519,
  randomId,
  type Sample,
  signItem,
} from '../../src/index.ts';
import { type Outcome, Swarm, type SwarmNode } from './swarm.ts';

const SEED = 4;

describe.each([true, false])(
  `in a network of 200 nodes (seed ${SEED}), rate limits: %s`,
  (rateLimit) => {
    const swarm = new Swarm({ seed: SEED, dht: { rateLimit } });
    swarm.grow(200, 50, 60_000);

    /** Runs an operation on a node until it ends. */
    function run(node: SwarmNode, begin: (dht: Dht, now: number) => number): Outcome {
      return swarm.outcomes([{ node, begin }])[0]!;
    }

    const node = (i: number) => swarm.nodes[i]!;

    it('whoever announces himself is found by anybody', () => {
      const infoHash = randomId(swarm.random);
      for (const i of [3, 77, 150]) {
        const outcome = run(node(i), (dht, now) => dht.announce(now, infoHash, { port: 7000 + i }));
        expect(outcome).toMatchObject({ type: 'done', kind: 'announce', result: { stored: 8 } });
      }
      const found: Endpoint[] = [];
      node(12).onEffect = (effect) => {
        if (effect.type === 'peers') found.push(...effect.peers);
      };
      const outcome = run(node(12), (dht, now) => dht.getPeers(now, infoHash));
      expect(outcome).toMatchObject({ kind: 'get-peers', result: { peerCount: 3 } });
      expect(found.map(({ port }) => port).sort()).toEqual([7003, 7077, 7150]);
      expect(found.map(({ address }) => address)).toContain(node(77).endpoint.address);
    });

    it('with `impliedPort` under the port that the datagram came from', () => {
      const infoHash = randomId(swarm.random);
      const told = { port: 1, impliedPort: true };
      run(node(5), (dht, now) => dht.announce(now, infoHash, told));
      const found: Endpoint[] = [];
      node(6).onEffect = (effect) => {
        if (effect.type === 'peers') found.push(...effect.peers);
      };
      run(node(6), (dht, now) => dht.getPeers(now, infoHash));
      expect(found).toEqual([node(5).endpoint]);
    });

    it('a scrape estimates seeds and downloaders (BEP 33)', () => {
      const infoHash = randomId(swarm.random);
      for (let i = 0; i < 60; i++) {
        const seed = i < 40;
        run(node(i), (dht, now) => dht.announce(now, infoHash, { port: 1, seed }));
      }
      const outcome = run(node(100), (dht, now) => dht.scrape(now, infoHash));
      if (outcome.type !== 'done' || outcome.kind !== 'scrape') throw new Error('no scrape');
      expect(outcome.result.seeds).toBeGreaterThan(35);
      expect(outcome.result.seeds).toBeLessThan(45);
      expect(outcome.result.downloaders).toBeGreaterThan(16);
      expect(outcome.result.downloaders).toBeLessThan(24);
      expect(outcome.result.nodes).toBeGreaterThanOrEqual(8);
    });

    it('a sample brings info-hashes that the nodes keep (BEP 51)', () => {
      const infoHash = randomId(swarm.random);
      run(node(9), (dht, now) => dht.announce(now, infoHash, { port: 1 }));
      const samples: Sample[] = [];
      node(10).onEffect = (effect) => {
        if (effect.type === 'samples') samples.push(effect.sample);
      };
      const outcome = run(node(10), (dht, now) => dht.sample(now, infoHash));
      expect(outcome).toMatchObject({ type: 'done', kind: 'sample' });
      expect(samples.length).toBeGreaterThanOrEqual(8);
      const holders = samples.filter(({ infoHashes }) =>
        infoHashes.some((each) => each.join() === infoHash.join()),
      );
      expect(holders.length).toBeGreaterThanOrEqual(7);
      for (const { totalCount, infoHashes } of samples) {
        expect(totalCount).toBeGreaterThanOrEqual(infoHashes.length);
      }
    });

    it('an immutable item is got from wherever it was put (BEP 44)', () => {
      const value = encode({ a: 'thing', n: 7 });
      const put = run(node(20), (dht, now) => dht.put(now, { value }));
      expect(put).toMatchObject({ kind: 'put', result: { stored: 8, refusedWith: undefined } });
      const target = immutableTarget(value);
      const got = run(node(180), (dht, now) => dht.get(now, { target }));
      expect(got).toMatchObject({ kind: 'get', result: { item: { value } } });
      const other = run(node(180), (dht, now) => dht.get(now, { target: randomId(swarm.random) }));
      expect(other).toMatchObject({ kind: 'get', result: { item: undefined } });
    });

    it('a read-only node (BEP 43) gets items of any size, and scrapes like others', () => {
      const readOnly = swarm.addNode({ readOnly: true });
      readOnly.join([node(0).endpoint]);
      const seed = new Uint8Array(32).fill(8);
      for (const length of [100, 300, 600, 990]) {
        const value = encode('r'.repeat(length));
        run(node(21), (dht, now) => dht.put(now, { value }));
        const got = run(readOnly, (dht, now) => dht.get(now, { target: immutableTarget(value) }));
        expect(got).toMatchObject({ result: { item: { value } } });
        const item = signItem(pureEd25519, seed, { value, sequence: BigInt(length) });
        run(node(22), (dht, now) => dht.put(now, item));
        const { publicKey } = item;
        const newest = run(readOnly, (dht, now) => dht.get(now, { publicKey }));
        expect(newest).toMatchObject({ result: { item: { value } } });
      }
      const infoHash = randomId(swarm.random);
      for (let i = 0; i < 20; i++) {
        run(node(i), (dht, now) => dht.announce(now, infoHash, { port: 1, seed: i < 10 }));
      }
      const scrape = run(readOnly, (dht, now) => dht.scrape(now, infoHash));
      if (scrape.type !== 'done' || scrape.kind !== 'scrape') throw new Error('no scrape');
      expect(scrape.result.seeds).toBeGreaterThan(8);
      expect(scrape.result.downloaders).toBeLessThan(12);
      for (const { dht } of swarm.nodes.slice(0, 200)) {
        const { nodes } = dht.statistics(swarm.clock.now).ipv4!;
        expect(nodes.bad).toBe(0);
      }
    });

    it('a mutable item is updated with `cas`, and not by whoever missed an update', () => {
      const seed = new Uint8Array(32).fill(3);
      const salt = encode('my salt');
      const publicKey = pureEd25519.publicKey(seed);
      const put = (i: number, text: string, sequence: bigint, compareSequence?: bigint) => {
        const item = signItem(pureEd25519, seed, { value: encode(text), sequence, salt });
        const options = compareSequence === undefined ? {} : { compareSequence };
        return run(node(i), (dht, now) => dht.put(now, item, options));
      };
      expect(put(30, 'first', 1n)).toMatchObject({ result: { stored: 8 } });
      expect(put(31, 'second', 2n, 1n)).toMatchObject({ result: { stored: 8 } });
      expect(put(32, 'late', 2n, 1n)).toMatchObject({ type: 'failed', error: { krpcCode: 301 } });
      expect(put(32, 'late', 1n)).toMatchObject({ type: 'failed', error: { krpcCode: 302 } });
      const got = run(node(190), (dht, now) => dht.get(now, { publicKey, salt }));
      expect(got).toMatchObject({ result: { item: { value: encode('second'), sequence: 2n } } });
      // Without its salt it can't be checked, and so it is not taken.
      const target = mutableTarget(publicKey, salt);
      const unsalted = run(node(190), (dht, now) => dht.get(now, { target }));
      expect(unsalted).toMatchObject({ result: { item: undefined } });
    });

    it('all tables keep to one node an address and to nodes that answered', () => {
      const addresses = new Set(swarm.nodes.map(({ endpoint }) => endpoint.address));
      expect(addresses.size).toBe(swarm.nodes.length);
      for (const { dht } of swarm.nodes.slice(0, 200)) {
        const { nodes } = dht.statistics(swarm.clock.now).ipv4!;
        expect(nodes.good).toBeGreaterThan(15);
        expect(nodes.bad).toBe(0);
      }
    });
  },
);

describe('losses', () => {
  it('a tenth of all datagrams lost costs time and little else', () => {
    const lossy = new Swarm({ seed: 5, loss: 0.1 });
    lossy.grow(100, 100, 120_000);
    const infoHash = randomId(lossy.random);
    const [announced] = lossy.outcomes([
      { node: lossy.nodes[1]!, begin: (dht, now) => dht.announce(now, infoHash, { port: 7000 }) },
    ]);
    if (announced?.type !== 'done' || announced.kind !== 'announce') throw new Error('failed');
    expect(announced.result.stored).toBeGreaterThanOrEqual(5);
    const found = lossy.outcomes(
      lossy.nodes
        .slice(50)
        .map((node) => ({ node, begin: (dht, now) => dht.getPeers(now, infoHash) })),
    );
    for (const each of found) expect(each).toMatchObject({ result: { peerCount: 1 } });
  });
});

describe('addresses that are not public', () => {
  it('may hold a whole network: a hundred nodes at one loopback address', () => {
    const local = new Swarm({ seed: 6, address: () => '127.0.0.1', port: (i) => 2000 + i });
    local.grow(100, 50, 60_000);
    const infoHash = randomId(local.random);
    const outcomes = local.outcomes([
      { node: local.nodes[1]!, begin: (dht, now) => dht.announce(now, infoHash, { port: 7000 }) },
    ]);
    expect(outcomes).toMatchObject([{ result: { stored: 8 } }]);
    const found = local.outcomes([
      { node: local.nodes[99]!, begin: (dht, now) => dht.getPeers(now, infoHash) },
    ]);
    expect(found).toMatchObject([{ result: { peerCount: 1 } }]);
    expect(parseAddress(local.nodes[0]!.dht.externalAddress()!)).toEqual(
      Uint8Array.of(127, 0, 0, 1),
    );
  });
});

describe('IPv6 (BEP 32)', () => {
  const v4 = (i: number) => `203.0.${i}.1`;
  const v6 = (i: number) => `2001:db8:${(i + 1).toString(16)}::1`;

  it('a node of both families that enters by IPv4 is told of IPv6 nodes, and joins both networks', () => {
    const both = new Swarm({ seed: 7, addresses: (i) => [v4(i), v6(i)] });
    for (let i = 0; i < 60; i++) {
      const [first] = both.nodes;
      const node = both.addNode();
      // The first few know each other over both, all later ones know one address of IPv4.
      node.join(first === undefined ? [] : i < 8 ? first.endpoints : [first.endpoint]);
      both.clock.runUntil(both.clock.now + 500);
    }
    both.clock.runUntil(both.clock.now + 60_000);
    for (const { dht } of both.nodes.slice(1)) {
      expect(dht.nodeCount(4)).toBeGreaterThan(10);
      expect(dht.nodeCount(6)).toBeGreaterThan(10);
    }
    const infoHash = randomId(both.random);
    const [announced] = both.outcomes([
      { node: both.nodes[3]!, begin: (dht, now) => dht.announce(now, infoHash, { port: 7000 }) },
    ]);
    expect(announced).toMatchObject({ result: { stored: 16 } });
    const found: Endpoint[] = [];
    both.nodes[40]!.onEffect = (effect) => {
      if (effect.type === 'peers') found.push(...effect.peers);
    };
    both.outcomes([{ node: both.nodes[40]!, begin: (dht, now) => dht.getPeers(now, infoHash) }]);
    expect(found.map(({ address }) => address).sort()).toEqual([v6(3), v4(3)].sort());
  });

  it('a network of IPv6 alone works like one of IPv4', () => {
    const six = new Swarm({ seed: 8, address: v6 });
    six.grow(60, 100, 60_000);
    const value = encode('six');
    const [put] = six.outcomes([
      { node: six.nodes[3]!, begin: (dht, now) => dht.put(now, { value }) },
    ]);
    expect(put).toMatchObject({ result: { stored: 8 } });
    const [got] = six.outcomes([
      {
        node: six.nodes[50]!,
        begin: (dht, now) => dht.get(now, { target: immutableTarget(value) }),
      },
    ]);
    expect(got).toMatchObject({ result: { item: { value } } });
  });
});
