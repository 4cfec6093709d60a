import { encode } from '@bt/bencode';
import { createRandom } from '@bt/simulator';
import { describe, expect, it } from 'vitest';
import { MAX_LOOKUP_PEERS, MAX_OPERATIONS, QUERY_TIMEOUT_MS } from '../src/constants.ts';
import {
  BloomFilter,
  Dht,
  type DhtEffect,
  type Item,
  immutableTarget,
  pureEd25519,
  type ResponseFields,
  randomId,
  signItem,
} from '../src/index.ts';
import { id, text } from './bytes.ts';
import { makeDht, neighbour, neighbours, random, runUntil } from './neighbourhood.ts';
import { acquaint, drain, type Stranger } from './stranger.ts';

describe('operations', () => {
  it('a ping gives the node and the round trip', () => {
    const dht = makeDht();
    const other = neighbour(1);
    const operation = dht.ping(0, other.endpoint);
    other.respond(dht, 25, drain(dht).sent[0]!);
    const node = { id: other.sender.id, endpoint: other.endpoint };
    expect(drain(dht).effects).toEqual([
      { type: 'done', operation, kind: 'ping', result: { node, roundTripMs: 25 } },
    ]);
  });

  it('or fails: nobody answers, or with an error', () => {
    const dht = makeDht();
    dht.ping(0, neighbour(1).endpoint);
    const { effects } = runUntil(dht, 0, QUERY_TIMEOUT_MS);
    expect(effects).toMatchObject([{ type: 'failed', error: { code: 'timeout' } }]);
    dht.ping(10_000, neighbour(2).endpoint);
    neighbour(2).refuse(dht, 10_010, drain(dht).sent[0]!, 202);
    expect(drain(dht).effects).toMatchObject([
      { type: 'failed', error: { code: 'krpc-error', krpcCode: 202 } },
    ]);
  });

  it('one that is cancelled has no further effects', () => {
    const dht = makeDht();
    const [other] = neighbours(1);
    acquaint(dht, 0, [other!]);
    for (const operation of [dht.getPeers(0, id(9)), dht.ping(0, other!.endpoint)]) {
      dht.cancel(operation);
    }
    for (const each of drain(dht).sent) other!.respond(dht, 10, each);
    expect(runUntil(dht, 10, QUERY_TIMEOUT_MS + 10).effects).toEqual([]);
    expect(dht.statistics(0).lookups.running).toBe(0);
    dht.cancel(12345);
  });

  it('there is a limit to how many run at one time', () => {
    const dht = makeDht();
    dht.join(0, [neighbour(1).endpoint]);
    for (let i = 0; i < MAX_OPERATIONS; i++) dht.findNode(0, id(1));
    expect(() => dht.findNode(0, id(1))).toThrow(expect.objectContaining({ code: 'busy' }));
  });

  it('more than there is room for wait for each other, and all end', () => {
    const dht = makeDht({ rateLimit: false });
    const known = neighbours(60);
    acquaint(dht, 0, known);
    const byPort = new Map(known.map((each) => [each.endpoint.port, each]));
    for (let i = 0; i < 900; i++) dht.findNode(0, randomId(random));
    let ended = 0;
    let now = 0;
    for (let turn = drain(dht); ; turn = drain(dht)) {
      ended += turn.effects.filter(({ type }) => type === 'done').length;
      if (turn.sent.length === 0) break;
      expect(dht.statistics(now).queriesUnderWay).toBeLessThanOrEqual(1_024);
      now += 10;
      for (const each of turn.sent) {
        byPort.get(each.to.port)!.respond(dht, now, each, { nodes: new Uint8Array() });
      }
    }
    expect(ended).toBe(900);
  });

  it('a lookup hands out 5,000 peers, each once, whatever it is told', () => {
    const dht = makeDht({ lookupCount: 32 });
    const known = neighbours(300);
    acquaint(dht, 0, known);
    dht.getPeers(0, id(1));
    let told = 0;
    let count = 0;
    for (let turn = drain(dht); ; turn = drain(dht)) {
      for (const effect of turn.effects) {
        if (effect.type === 'peers') count += effect.peers.length;
        if (effect.type !== 'done' || effect.kind !== 'get-peers') continue;
        expect(effect.result.peerCount).toBe(MAX_LOOKUP_PEERS);
        expect(count).toBe(MAX_LOOKUP_PEERS);
        expect(told).toBeGreaterThan(MAX_LOOKUP_PEERS);
        return;
      }
      for (const each of turn.sent) {
        const asked = known.find(({ endpoint }) => endpoint.port === each.to.port)!;
        const values = new Uint8Array(160 * 6);
        for (let at = 0; at < values.length; at += 6, told++) {
          values.set([192, 0, told >> 8, told & 255, 1, 1], at);
        }
        const { message } = each;
        const t = message.copy(message.transactionAt, message.transactionLength);
        const peers = Array.from({ length: 160 }, (_, i) => values.subarray(6 * i, 6 * i + 6));
        const r = { id: asked.sender.id, values: [...peers, ...peers.slice(0, 3)] };
        dht.handleDatagram(10, encode({ r, t, y: 'r' }), asked.endpoint);
      }
    }
  });

  /** Two nodes that know each other. */
  function pair(): [Dht, Dht, () => DhtEffect[]] {
    const endpoints = [1, 2].map((i) => neighbour(i).endpoint);
    const dhts = [1, 2].map((i) => makeDht({ id: id(i), random: createRandom(i) }));
    let now = 0;
    const exchange = () => {
      const told: DhtEffect[] = [];
      for (let isBusy = true; isBusy; now += 10) {
        isBusy = false;
        dhts.forEach((dht, i) => {
          for (let effect = dht.poll(); effect !== undefined; effect = dht.poll()) {
            if (effect.type !== 'send') told.push(effect);
            else dhts[1 - i]!.handleDatagram(now, effect.bytes, endpoints[i]!);
            isBusy = true;
          }
        });
      }
      return told;
    };
    dhts[1]!.join(0, [endpoints[0]!]);
    exchange();
    expect(dhts.map((dht) => dht.nodeCount())).toEqual([1, 1]);
    return [dhts[0]!, dhts[1]!, exchange];
  }

  it('look into what the node keeps itself', () => {
    const [a, b, exchange] = pair();
    const value = encode('kept');
    const sign = (sequence: bigint) =>
      signItem(pureEd25519, new Uint8Array(32), { value, sequence });
    const item = sign(3n);
    b.announce(100, id(9), { port: 7000, seed: true });
    b.put(100, { value });
    b.put(100, item);
    // Both of them keep an item: b is one of the nearest, too.
    const put = exchange().filter((effect) => effect.type === 'done' && effect.kind === 'put');
    expect(put).toMatchObject([{ result: { stored: 2 } }, { result: { stored: 2 } }]);

    a.getPeers(200, id(9));
    a.scrape(200, id(9));
    a.get(200, { target: immutableTarget(value) });
    a.get(200, { publicKey: item.publicKey });
    const told = exchange();
    const port = 7000;
    expect(told).toMatchObject([
      { type: 'peers', peers: [{ address: neighbour(2).endpoint.address, port }], from: undefined },
      { type: 'done', kind: 'get', result: { queries: 0, item: { value } } },
      { type: 'done', kind: 'get-peers', result: { peerCount: 1 } },
      { type: 'done', kind: 'scrape', result: { seeds: 1, downloaders: 0 } },
      { type: 'done', kind: 'get', result: { item: { sequence: 3n } } },
    ]);
    a.getPeers(300, id(9), { noSeed: true });
    expect(exchange()).toMatchObject([{ type: 'done', result: { peerCount: 0 } }]);
    // Nor does the node take in itself what others would refuse.
    a.put(400, sign(2n));
    expect(exchange()).toMatchObject([{ type: 'failed', error: { krpcCode: 302 } }]);
  });

  it('count a node of both families that keeps an item itself once', () => {
    const dht = makeDht({ ipv6: true });
    const [other] = neighbours(1);
    acquaint(dht, 0, [other!]);
    dht.put(0, { value: encode('x') });
    const fields = { nodes: new Uint8Array(), token: text('t') };
    other!.respond(dht, 10, drain(dht).sent[0]!, fields);
    other!.respond(dht, 20, drain(dht).sent[0]!);
    expect(drain(dht).effects).toMatchObject([{ kind: 'put', result: { stored: 2 } }]);
  });

  it('give what the node keeps also when nobody answers', () => {
    const [a, b, exchange] = pair();
    const value = encode('kept');
    b.announce(100, id(9), { port: 7000 });
    b.put(100, signItem(pureEd25519, new Uint8Array(32), { value, sequence: 1n }));
    exchange();
    a.getPeers(200, id(9));
    a.get(200, { publicKey: pureEd25519.publicKey(new Uint8Array(32)) });
    a.findNode(200, id(9));
    const { effects } = runUntil(a, 200, 200 + QUERY_TIMEOUT_MS);
    expect(effects).toMatchObject([
      { type: 'peers', peers: [{ port: 7000 }] },
      { type: 'done', kind: 'get-peers' },
      { type: 'done', kind: 'get', result: { item: { value } } },
      { type: 'failed', error: { code: 'no-nodes' } },
    ]);
  });

  it('a put that nobody keeps fails', () => {
    const dht = makeDht({ readOnly: true });
    const [other] = neighbours(1);
    acquaint(dht, 0, [other!]);
    dht.put(0, { value: encode('x') });
    // It gives no token.
    other!.respond(dht, 10, drain(dht).sent[0]!, { nodes: new Uint8Array() });
    expect(drain(dht).effects).toMatchObject([{ type: 'failed', error: { code: 'not-stored' } }]);
  });

  it('keep what they are given: the caller may use his arrays for something else', () => {
    const dht = makeDht();
    const [other] = neighbours(1);
    acquaint(dht, 0, [other!]);
    const seed = new Uint8Array(32);
    const item = signItem(pureEd25519, seed, { value: encode('mine'), sequence: 1n });
    const target = immutableTarget(encode('other'));
    const wanted = target.slice();
    dht.put(0, item);
    dht.get(0, { target });
    item.value.fill(0x30);
    target.fill(0);
    const { sent } = drain(dht);
    expect(sent[1]!.message.view(sent[1]!.message.targetAt, 20)).toEqual(wanted);
    other!.respond(dht, 10, sent[0]!, { nodes: new Uint8Array(), token: text('t') });
    const put = drain(dht).sent.find(({ message }) => message.method === 'put')!.message;
    expect(put.view(put.valueAt, put.valueLength)).toEqual(encode('mine'));
  });

  it('a put with `cas` brings nodes up to date that have missed updates, and reads again where it lost a race', () => {
    const dht = makeDht({ readOnly: true });
    const [stale, current, racing, ahead] = neighbours(4);
    const nodes = [stale!, current!, racing!, ahead!];
    acquaint(dht, 0, nodes);
    const seed = new Uint8Array(32);
    const sign = (sequence: bigint) =>
      signItem(pureEd25519, seed, { value: encode('v'), sequence });
    const held = new Map([
      [stale!, 2n],
      [current!, 5n],
      [racing!, 3n],
      [ahead!, 6n],
    ]);
    const byPort = new Map(nodes.map((each) => [each.endpoint.port, each]));
    dht.put(0, sign(7n), { compareSequence: 5n });
    const puts: [Stranger, bigint | undefined][] = [];
    const effects: DhtEffect[] = [];
    for (let turn = drain(dht); ; turn = drain(dht)) {
      effects.push(...turn.effects);
      if (turn.sent.length === 0) break;
      for (const each of turn.sent) {
        const asked = byPort.get(each.to.port)!;
        if (each.message.method === 'get') {
          const fields = { ...sign(held.get(asked)!), nodes: new Uint8Array(), token: text('t') };
          asked.respond(dht, 10, each, fields);
          // Somebody updates it behind our back.
          if (asked === racing) held.set(asked, 4n);
          continue;
        }
        puts.push([asked, each.message.compareSequence]);
        if (each.message.compareSequence === held.get(asked)) asked.respond(dht, 20, each);
        else asked.refuse(dht, 20, each, 301);
      }
    }
    const of = (node: Stranger) => puts.filter(([each]) => each === node).map(([, cas]) => cas);
    expect([of(stale!), of(current!), of(racing!), of(ahead!)]).toEqual([
      [2n],
      [5n],
      [3n, 4n],
      [5n],
    ]);
    expect(effects).toMatchObject([{ kind: 'put', result: { stored: 3, refusedWith: 301 } }]);
  });

  it('a scrape believes no single node', () => {
    const nodes = [1, 2, 3, 4, 0x80].map((first, i) => {
      const nodeId = id(0).slice();
      nodeId[0] = first;
      return neighbour(i + 1, nodeId);
    });
    const scrape = (filters: ResponseFields[]) => {
      const one = makeDht({ lookupCount: 4, readOnly: true, id: id(0xff) });
      acquaint(one, 0, nodes);
      one.scrape(0, id(0));
      for (let turn = drain(one); ; turn = drain(one)) {
        for (const each of turn.sent) {
          const i = nodes.findIndex(({ endpoint }) => endpoint.port === each.to.port);
          nodes[i]!.respond(one, 10, each, { nodes: new Uint8Array(), ...filters[i] });
        }
        const [done] = turn.effects;
        if (done?.type === 'done' && done.kind === 'scrape') return done.result;
      }
    };
    const filterOf = (addresses: number[]) => {
      const filter = new BloomFilter();
      for (const host of addresses) filter.add(Uint8Array.of(198, 51, 100, host));
      return filter.bytes;
    };
    const honest = { seedFilter: filterOf([1, 2, 3]), peerFilter: filterOf([4]) };
    const full = new Uint8Array(256).fill(0xff);
    // One that is full, one that is half full of nothing.
    const liars = [
      { ...honest, seedFilter: full },
      { ...honest, seedFilter: full.map(() => 0x55) },
    ];
    for (const liar of liars) {
      expect(scrape([honest, honest, honest, liar])).toMatchObject({ seeds: 3, downloaders: 1 });
    }
    // Nor such as are not near.
    const far = { seedFilter: filterOf([50, 51]), peerFilter: filterOf([52]) };
    const near = [
      honest,
      honest,
      { values: Uint8Array.of(198, 51, 100, 9, 1, 1, 198, 51, 100, 2, 1, 1) },
    ];
    // Who lists peers lists seeds as well: one that is known as such is no downloader (BEP 33).
    expect(scrape([...near, honest, far])).toMatchObject({ seeds: 3, downloaders: 2 });
  });

  it('wrong arguments are the caller`s mistake', () => {
    const dht = makeDht();
    const wrong = [
      () => dht.findNode(0, new Uint8Array(19)),
      () => dht.getPeers(0, new Uint8Array(32)),
      () => dht.announce(0, id(1), { port: 0 }),
      () => dht.announce(0, id(1), { port: 65_536 }),
      () => dht.ping(0, { address: '::1', port: 1 }),
      () => dht.ping(0, { address: 'example.org', port: 1 }),
      () => dht.ping(0, { address: '224.0.0.1', port: 1 }),
      () => dht.get(0, { publicKey: new Uint8Array(31) }),
      () => new Dht({ random, id: new Uint8Array(3) }),
      () => new Dht({ random, version: new Uint8Array(3) }),
      () => new Dht({ random, ipv4: false }),
      () => new Dht({ random, lookupCount: 33 }),
      () => new Dht({ random, lookupConcurrency: 0 }),
    ];
    for (const each of wrong) {
      expect(each).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    }
    const putting = (item: Item) => expect(() => dht.put(0, item));
    const fault = (message: string) => expect.objectContaining({ code: 'invalid-item', message });
    putting({ value: new Uint8Array(1001) }).toThrow(fault('a value of more than 1000 bytes'));
    const plain = { value: new TextEncoder().encode('hello') };
    putting(plain).toThrow(fault('a value that is not canonical bencode: encode it first'));
    const parts = { value: new TextEncoder().encode('5:hello'), sequence: 1n };
    const item = signItem(pureEd25519, new Uint8Array(32), parts);
    const signature = new Uint8Array(64);
    putting({ ...item, signature }).toThrow(fault('a wrong signature'));
    putting({ ...item, sequence: -1n }).toThrow(fault('a sequence number out of bounds'));
    putting({ ...item, salt: new Uint8Array(65) }).toThrow(fault('a salt of more than 64 bytes'));
  });
});
