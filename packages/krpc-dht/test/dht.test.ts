import { encode } from '@bt/bencode';
import { encodeCompact } from '@bt/endpoint';
import { createRandom } from '@bt/simulator';
import { describe, expect, it } from 'vitest';
import {
  FIRST_PATIENCE_MS,
  GOOD_FOR_MS,
  JOIN_NEWCOMER_MS,
  JOIN_RETRY_MS,
  MAX_JOIN_NODES,
  MAX_JOIN_RETRY_MS,
  MAX_LOOKUP_PEERS,
  MAX_NEWCOMER_PINGS,
  MAX_NEWCOMERS,
  MAX_OPERATIONS,
  MIN_ADDRESS_VOTES,
  QUERY_TIMEOUT_MS,
} from '../src/constants.ts';
import {
  BloomFilter,
  Dht,
  type DhtEffect,
  type DhtOptions,
  type Item,
  idForAddress,
  immutableTarget,
  isIdOfAddress,
  pureEd25519,
  type ResponseFields,
  randomId,
  signItem,
} from '../src/index.ts';
import { id, text } from './bytes.ts';
import { acquaint, drain, type Sent, Stranger } from './stranger.ts';

const random = createRandom(11);

function makeDht(options: Partial<DhtOptions> = {}): Dht {
  return new Dht({ random: createRandom(2), id: id(0), ...options });
}

function neighbour(i: number, nodeId: Uint8Array = randomId(random)): Stranger {
  return new Stranger(nodeId, { address: `10.0.${i >> 8}.${i & 255}`, port: 1000 + i });
}

const neighbours = (count: number) => Array.from({ length: count }, (_, i) => neighbour(i + 1));

/** Runs time on, in steps that no deadline is passed by, and gives what was sent and told. */
function runUntil(dht: Dht, from: number, until: number): { sent: Sent[]; effects: DhtEffect[] } {
  const all = drain(dht);
  for (let now = dht.deadline(); now <= until; now = Math.max(dht.deadline(), now + 1)) {
    dht.handleTimeout(Math.max(now, from));
    const { sent, effects } = drain(dht);
    all.sent.push(...sent);
    all.effects.push(...effects);
  }
  return all;
}

describe('joining', () => {
  it('asks the entrances for our own id, and tells when it is done', () => {
    const dht = makeDht();
    const entrance = neighbour(1);
    const other = neighbour(2);
    dht.join(0, [entrance.endpoint]);
    const [first] = drain(dht).sent;
    expect(first!.to).toEqual(entrance.endpoint);
    expect(first!.message.method).toBe('find_node');
    expect(first!.message.view(first!.message.targetAt, 20)).toEqual(id(0));
    entrance.respond(dht, 10, first!, { nodes: other.node });
    const [second] = drain(dht).sent;
    expect(second!.to).toEqual(other.endpoint);
    other.respond(dht, 20, second!, { nodes: new Uint8Array() });
    expect(drain(dht).effects).toEqual([{ type: 'joined' }]);
    expect(dht.nodeCount()).toBe(2);
  });

  it('tries again while nobody answers, after 5 s, then twice as long each time, up to 5 minutes', () => {
    const dht = makeDht();
    dht.join(0, [neighbour(1).endpoint]);
    const tries: number[] = [];
    let ends = 0;
    for (let now = 0; now < 30 * 60_000; now = Math.max(dht.deadline(), now + 1)) {
      dht.handleTimeout(now);
      const { sent, effects } = drain(dht);
      expect(effects).toEqual(effects.map(() => ({ type: 'unanswered' })));
      ends += effects.length;
      if (sent.length > 0) tries.push(now);
    }
    const pauses = tries.slice(1).map((at, i) => at - tries[i]! - FIRST_PATIENCE_MS);
    expect(ends).toBeGreaterThanOrEqual(tries.length - 1);
    expect(pauses[0]).toBe(JOIN_RETRY_MS);
    expect(pauses[1]).toBe(2 * JOIN_RETRY_MS);
    expect(pauses.at(-1)).toBe(MAX_JOIN_RETRY_MS);
  });

  it('goes on soon when somebody turns up', () => {
    const dht = makeDht();
    dht.join(0, []);
    drain(dht);
    dht.addNode(1_000, neighbour(1).endpoint);
    const [ping] = drain(dht).sent;
    neighbour(1).respond(dht, 1_010, ping!);
    expect(dht.deadline()).toBe(1_010 + JOIN_NEWCOMER_MS);
    dht.handleTimeout(dht.deadline());
    expect(drain(dht).sent.map(({ message }) => message.method)).toEqual(['find_node']);
  });

  it('asks public routers, and keeps them out of the table (BEP 5)', () => {
    const dht = makeDht();
    const router = neighbour(1);
    const other = neighbour(2);
    dht.join(0, [{ ...router.endpoint, isRouter: true }]);
    router.respond(dht, 10, drain(dht).sent[0]!, { nodes: other.node });
    other.respond(dht, 20, drain(dht).sent[0]!, { nodes: new Uint8Array() });
    expect(dht.nodeCount()).toBe(1);
  });

  it('by ourselves is no joining', () => {
    const dht = makeDht();
    const ourselves = { address: '10.0.0.1', port: 6881 };
    dht.join(0, [ourselves]);
    const [query] = drain(dht).sent;
    dht.handleDatagram(1, query!.bytes, ourselves);
    const [answer] = drain(dht).sent;
    dht.handleDatagram(2, answer!.bytes, ourselves);
    expect(drain(dht)).toEqual({ sent: [], effects: [{ type: 'unanswered' }] });
    expect(dht.nodeCount()).toBe(0);
  });

  it('remembers 100 entrances', () => {
    const dht = makeDht({ lookupCount: 32, lookupConcurrency: 32 });
    dht.join(
      0,
      neighbours(300).map(({ endpoint }) => endpoint),
    );
    const asked = new Set<number>();
    for (let now = 0; now < 20 * 60_000; now = Math.max(dht.deadline(), now + 1)) {
      dht.handleTimeout(now);
      for (const { to } of drain(dht).sent) asked.add(to.port);
    }
    expect(asked.size).toBe(MAX_JOIN_NODES);
  });

  it('takes in further entrances while it goes on', () => {
    const dht = makeDht();
    const [silent, late, later] = neighbours(3);
    dht.join(0, [silent!.endpoint]);
    drain(dht);
    dht.join(10, [late!.endpoint]);
    const { sent } = drain(dht);
    expect(sent.map(({ to }) => to)).toEqual([late!.endpoint]);
    late!.respond(dht, 20, sent[0]!, { nodes: new Uint8Array() });
    runUntil(dht, 20, FIRST_PATIENCE_MS);
    // And afterwards too, as long as hardly anybody is known.
    dht.join(2_000, [later!.endpoint]);
    expect(drain(dht).sent.map(({ to }) => to)).toContainEqual(later!.endpoint);
  });

  describe('anew, when everybody has gone', () => {
    const [entrance, witness] = neighbours(2);

    /** A node that knew one other, which has died, and hears of somebody who is no node now and then. */
    function emptied(): { dht: Dht; now: number } {
      const dht = makeDht();
      dht.join(0, [entrance!.endpoint]);
      entrance!.respond(dht, 1, drain(dht).sent[0]!, { nodes: new Uint8Array() });
      expect(dht.nodeCount()).toBe(1);
      const readOnly = new Stranger(witness!.sender.id, witness!.endpoint, true);
      let now = 2;
      for (; dht.nodeCount() > 0 && now < 3 * 60 * 60_000; now += 30_000) {
        readOnly.ask(dht, now, 'ping');
        runUntil(dht, now, now + 30_000);
      }
      expect(dht.nodeCount()).toBe(0);
      return { dht, now };
    }

    it('asks the entrances again and again', () => {
      const { dht, now } = emptied();
      expect(dht.deadline()).toBeLessThan(Number.POSITIVE_INFINITY);
      let at = now;
      let sent: Sent[] = [];
      while (sent.length === 0 && at < now + 2 * MAX_JOIN_RETRY_MS) {
        at = Math.max(dht.deadline(), at + 1);
        dht.handleTimeout(at);
        sent = drain(dht).sent;
      }
      expect(sent.map(({ to, message }) => [to, message.method])).toEqual([
        [entrance!.endpoint, 'find_node'],
      ]);
      entrance!.respond(dht, at, sent[0]!, { nodes: new Uint8Array() });
      expect(dht.nodeCount()).toBe(1);
    });

    it('and at once for an operation, which waits for that', () => {
      const { dht } = emptied();
      const now = dht.deadline() - 1;
      dht.findNode(now, id(9));
      const [joining] = drain(dht).sent;
      expect(joining!.to).toEqual(entrance!.endpoint);
      entrance!.respond(dht, now + 1, joining!, { nodes: new Uint8Array() });
      const { sent } = drain(dht);
      expect(sent.some(({ message }) => message.view(message.targetAt, 20)[0] === 9)).toBe(true);
    });
  });

  it('tells of it once', () => {
    const dht = makeDht();
    const entrance = neighbour(1);
    dht.join(0, [entrance.endpoint]);
    let joined = 0;
    for (let now = 0; now < 60_000; now = Math.max(dht.deadline(), now + 1)) {
      dht.handleTimeout(now);
      const { sent, effects } = drain(dht);
      joined += effects.filter(({ type }) => type === 'joined').length;
      for (const each of sent) entrance.respond(dht, now, each, { nodes: new Uint8Array() });
    }
    expect(joined).toBe(1);
  });

  it('operations wait for its end', () => {
    const dht = makeDht();
    const entrance = neighbour(1);
    dht.join(0, [entrance.endpoint]);
    const [joining] = drain(dht).sent;
    dht.getPeers(5, id(9));
    expect(drain(dht).sent).toEqual([]);
    entrance.respond(dht, 10, joining!, { nodes: new Uint8Array() });
    expect(drain(dht).sent.map(({ message }) => message.method)).toContain('get_peers');
  });

  it('and fail at its end when there is nobody to ask', () => {
    const dht = makeDht();
    dht.join(0, [neighbour(1).endpoint]);
    const operation = dht.findNode(0, id(9));
    const { effects } = runUntil(dht, 0, FIRST_PATIENCE_MS);
    expect(effects).toMatchObject([
      { type: 'unanswered' },
      { type: 'failed', operation, error: { code: 'no-nodes' } },
    ]);
  });
});

describe('a saved table', () => {
  it('brings back the id and the nodes, which are asked before they are believed', () => {
    const dht = makeDht({ id: id(5) });
    const known = neighbours(30);
    acquaint(dht, 0, known);
    const count = dht.nodeCount();
    expect(count).toBeGreaterThan(16);

    const again = new Dht({ random: createRandom(3), savedTable: dht.save() });
    expect(again.id()).toEqual(id(5));
    expect(again.nodeCount()).toBe(0);
    again.join(0, []);
    let now = 0;
    for (let { sent } = drain(again); sent.length > 0; { sent } = drain(again)) {
      now += 10;
      for (const each of sent) {
        const asked = known.find(({ endpoint }) => endpoint.port === each.to.port)!;
        asked.respond(again, now, each, { nodes: new Uint8Array() });
      }
    }
    expect(again.nodeCount()).toBe(count);
  });

  it('that is none is ignored', () => {
    const dht = new Dht({ random: createRandom(3), savedTable: new Uint8Array(100) });
    dht.join(0, []);
    expect(drain(dht).sent).toEqual([]);
  });
});

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

describe('lookups', () => {
  /** Nodes by their first byte, a lookup for id(0) among them, and what it asks. */
  function begin(firsts: readonly number[], options: Partial<DhtOptions> = {}) {
    const nodes = new Map(
      firsts.map((first, i) => {
        const nodeId = id(0).slice();
        nodeId[0] = first;
        return [first, neighbour(i + 1, nodeId)];
      }),
    );
    const dht = makeDht({ id: id(0xff), ...options });
    acquaint(dht, 0, [...nodes.values()]);
    const operation = dht.findNode(100, id(0));
    return { dht, nodes, operation };
  }

  const first = (sent: Sent, nodes: Map<number, Stranger>): number =>
    [...nodes].find(([, { endpoint }]) => endpoint.port === sent.to.port)![0];

  it('have three queries under way, the nearest first', () => {
    const { dht, nodes } = begin([9, 3, 7, 5, 1]);
    const { sent } = drain(dht);
    expect(sent.map((each) => first(each, nodes))).toEqual([1, 3, 5]);
    nodes.get(3)!.respond(dht, 110, sent[1]!, { nodes: new Uint8Array() });
    expect(drain(dht).sent.map((each) => first(each, nodes))).toEqual([7]);
  });

  it('go around a slow node, which counts when it answers after all', () => {
    const { dht, nodes } = begin([1, 2, 3, 4, 5]);
    const asked = drain(dht).sent;
    const answer = (each: Sent, now: number) =>
      nodes.get(first(each, nodes))!.respond(dht, now, each, { nodes: new Uint8Array() });
    const slow = asked.find((each) => first(each, nodes) === 1)!;
    for (const each of asked) if (each !== slow) answer(each, 600);
    const { sent } = drain(dht);
    expect(sent.map((each) => first(each, nodes))).toEqual([4, 5]);
    expect(runUntil(dht, 600, 100 + FIRST_PATIENCE_MS).effects).toEqual([]);
    answer(slow, 1_200);
    for (const each of sent) answer(each, 1_300);
    expect(drain(dht).effects).toMatchObject([{ type: 'done', result: { answers: 5 } }]);
  });

  it('end without those who never answer', () => {
    const { dht, nodes, operation } = begin([1, 2, 3]);
    for (const each of drain(dht).sent) {
      if (first(each, nodes) !== 2) {
        nodes.get(first(each, nodes))!.respond(dht, 110, each, { nodes: new Uint8Array() });
      }
    }
    const { effects } = runUntil(dht, 110, QUERY_TIMEOUT_MS);
    expect(effects).toMatchObject([
      { type: 'done', operation, result: { queries: 3, answers: 2 } },
    ]);
  });

  it('count a node under the id that it gives itself', () => {
    const { dht, nodes } = begin([1, 2]);
    const [one, two] = drain(dht).sent;
    const liar = new Stranger(id(0xcc), nodes.get(1)!.endpoint);
    liar.respond(dht, 110, one!, { nodes: new Uint8Array() });
    nodes.get(2)!.respond(dht, 110, two!, { nodes: new Uint8Array() });
    const [done] = drain(dht).effects;
    if (done?.type !== 'done' || done.kind !== 'find-node') throw new Error('not done');
    expect(done.result.closest.map((node) => node.id[0])).toEqual([2, 0xcc]);
    expect(dht.nodeCount()).toBe(2);
  });

  it('of a family that nobody is known of at first take their second look when it is due', () => {
    const dht = makeDht({ id: id(0xff), ipv6: true, lookupCount: 2 });
    const teller = neighbour(1);
    acquaint(dht, 0, [teller]);
    const [dead, ...living] = [1, 2, 3].map((first) => {
      const nodeId = id(0).slice();
      nodeId[0] = first;
      return new Stranger(nodeId, { address: `2001:db8:${first}::1`, port: first });
    });
    dht.findNode(100, id(0));
    const nodes6 = Uint8Array.of(...[dead!, ...living].flatMap(({ node }) => [...node]));
    teller.respond(dht, 110, drain(dht).sent[0]!, { nodes6 });
    const asked: Sent[] = [];
    for (let now = 120; now < QUERY_TIMEOUT_MS; now += 10) {
      dht.handleTimeout(now);
      for (const each of drain(dht).sent) {
        asked.push(each);
        const node = living.find(({ endpoint }) => endpoint.port === each.to.port);
        node?.respond(dht, now, each, { nodes6: new Uint8Array() });
      }
    }
    const isAside = ({ message }: Sent) =>
      message.view(message.targetAt, 20).some((byte) => byte > 0);
    expect(asked.filter((each) => !isAside(each)).map(({ to }) => to.port)).toEqual([1, 2, 3]);
    expect(new Set(asked.filter(isAside).map(({ to }) => to.port))).toEqual(new Set([2, 3]));
  });

  it('nodes near the target that a liar made up cost their queries and no more', () => {
    const { dht, nodes } = begin([0x10, 0x20, 0x30]);
    const madeUp = Array.from({ length: 100 }, (_, i) =>
      neighbour(1_000 + i, id(0)).node.map((byte, at) => (at === 5 ? i + 1 : byte)),
    );
    let now = 110;
    let queries = 0;
    for (let turn = drain(dht); ; ) {
      queries += turn.sent.length;
      for (const each of turn.sent) {
        const honest = [...nodes.values()].find(({ endpoint }) => endpoint.port === each.to.port);
        const lies = honest === nodes.get(0x10) ? madeUp : [];
        honest?.respond(dht, now, each, {
          nodes: Uint8Array.of(...lies.flatMap((lie) => [...lie])),
        });
      }
      const next = drain(dht);
      if (next.sent.length === 0 && next.effects.length === 0) {
        now = dht.deadline();
        dht.handleTimeout(now);
        turn = drain(dht);
      } else turn = next;
      const done = turn.effects[0];
      if (done?.type !== 'done' || done.kind !== 'find-node') continue;
      expect(done.result.closest.map((node) => node.id[0])).toEqual([0x10, 0x20, 0x30]);
      break;
    }
    expect(queries).toBeLessThanOrEqual(3 + 16);
    expect(now).toBeLessThan(8_000);
  });
});

describe('the table', () => {
  it('takes in an asker when he has answered a ping, and not by his word', () => {
    const dht = makeDht();
    const asker = neighbour(1);
    const sent = asker.ask(dht, 0, 'find_node', { target: id(9) });
    expect(sent.map(({ message }) => message.type)).toEqual(['response', 'query']);
    expect(dht.nodeCount()).toBe(0);
    asker.respond(dht, 10, sent[1]!);
    expect(dht.nodeCount()).toBe(1);
  });

  it('does not ping one that is read-only (BEP 43)', () => {
    const dht = makeDht();
    const asker = new Stranger(id(3), { address: '192.0.2.1', port: 1 }, true);
    expect(asker.ask(dht, 0, 'ping')).toHaveLength(1);
  });

  it('takes in a node of a PORT message, and passes over what can be none', () => {
    const dht = makeDht();
    const martians = ['2001:db8::1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '127.0.0.1'];
    for (const address of martians) dht.addNode(0, { address, port: 1 });
    dht.addNode(0, { address: '192.0.2.1', port: 0 });
    dht.join(0, [{ address: '224.0.0.1', port: 1 }]);
    expect(drain(dht).sent).toEqual([]);
    const local = makeDht({ isOnLoopback: true });
    local.addNode(0, { address: '127.0.0.1', port: 1 });
    expect(drain(local).sent).toHaveLength(1);
    acquaint(dht, 0, neighbours(1));
    expect(dht.nodeCount()).toBe(1);
  });

  it('forgets none that it was told of while too many queries were under way', () => {
    const dht = makeDht();
    for (let i = 0; i < MAX_OPERATIONS; i++) dht.ping(0, neighbour(2_000 + i).endpoint);
    const told = Array.from({ length: 60 }, (_, i) => ({ address: '10.1.1.1', port: 1 + i }));
    for (const endpoint of told) dht.addNode(0, endpoint);
    const { sent } = runUntil(dht, 0, 10 * QUERY_TIMEOUT_MS);
    const pinged = new Set(
      sent.filter(({ to }) => to.address === '10.1.1.1').map(({ to }) => to.port),
    );
    expect(pinged.size).toBe(told.length);
  });

  it('pings 32 new nodes at a time, and remembers a thousand', () => {
    const dht = makeDht();
    const told = Array.from({ length: 3_000 }, (_, i) => ({ address: '10.1.1.1', port: 1 + i }));
    for (const endpoint of told) dht.addNode(0, endpoint);
    expect(drain(dht).sent).toHaveLength(MAX_NEWCOMER_PINGS);
    const { sent } = runUntil(dht, 0, 60 * 60_000);
    expect(sent).toHaveLength(MAX_NEWCOMERS);
    const asker = neighbour(1);
    for (const endpoint of told) dht.addNode(0, endpoint);
    drain(dht);
    // An asker has to wait for a place, too.
    expect(asker.ask(dht, 0, 'ping').map(({ message }) => message.type)).toEqual(['response']);
  });

  it('pings who was silent for 15 minutes, and forgets who does not answer for long', () => {
    const dht = makeDht();
    const [dead, living] = neighbours(2);
    acquaint(dht, 0, [dead!, living!]);
    const pings: number[] = [];
    for (let now = 0; now < 2 * 60 * 60_000; now = Math.max(dht.deadline(), now + 1)) {
      dht.handleTimeout(now);
      for (const each of drain(dht).sent) {
        if (each.to.port === living!.endpoint.port) {
          living!.respond(dht, now, each, { nodes: new Uint8Array() });
        } else if (each.message.method === 'ping') pings.push(now);
      }
    }
    expect(pings[0]).toBe(GOOD_FOR_MS);
    expect(pings.length).toBeLessThan(100);
    expect(dht.nodeCount()).toBe(1);
  });

  it('blames nobody while nothing at all comes in: then it is our own line', () => {
    const dht = makeDht();
    acquaint(dht, 0, neighbours(5));
    runUntil(dht, 1, 2 * 60 * 60_000);
    expect(dht.statistics(0).ipv4?.nodes.bad).toBe(0);
    expect(dht.nodeCount()).toBe(5);
  });
});

describe('our external address', () => {
  it('is known when enough nodes agree; then our id is bound to it (BEP 42), and we join anew', () => {
    const dht = makeDht();
    const ours = { address: '198.51.100.7', port: 6881 };
    const voters = Array.from({ length: MIN_ADDRESS_VOTES }, (_, i) => {
      const parts = Uint8Array.of(192, 0, i, 1);
      return new Stranger(idForAddress(parts, random), { address: parts.join('.'), port: 6881 });
    });
    const told: DhtEffect[] = [];
    let asked: Sent[] = [];
    voters.forEach((voter, i) => {
      expect(dht.id()).toEqual(id(0));
      dht.ping(i, voter.endpoint);
      const ping = drain(dht).sent[0]!;
      voter.respond(dht, i, ping, {}, encodeCompact(ours));
      const { sent, effects } = drain(dht);
      asked = sent;
      told.push(...effects.filter(({ type }) => type === 'external-address'));
    });
    expect(told).toEqual([{ type: 'external-address', family: 4, address: ours.address }]);
    expect(dht.externalAddress()).toBe(ours.address);
    expect(isIdOfAddress(dht.id()!, 0, encodeCompact(ours), 0, 4)).toBe(true);
    expect(dht.nodeCount()).toBe(voters.length);
    expect(asked.map(({ message }) => message.method)).toEqual([
      'find_node',
      'find_node',
      'find_node',
    ]);
    expect(asked[0]!.message.view(asked[0]!.message.idAt, 20)).toEqual(dht.id());
  });
});

it('a node takes little memory before anybody asks it something', () => {
  const before = process.memoryUsage().arrayBuffers;
  const dhts = Array.from({ length: 100 }, () => makeDht());
  const bytes = process.memoryUsage().arrayBuffers - before;
  expect(bytes / dhts.length).toBeLessThan(20_000);
});

describe('statistics', () => {
  it('are plain numbers that can be serialised', () => {
    const dht = makeDht();
    acquaint(dht, 0, neighbours(3));
    dht.handleDatagram(0, new Uint8Array(1501), { address: '192.0.2.1', port: 1 });
    dht.handleDatagram(0, new Uint8Array(10), { address: '192.0.2.1', port: 1 });
    dht.handleDatagram(0, new Uint8Array(10), { address: '2001:db8::1', port: 1 });
    dht.handleDatagram(0, new Uint8Array(10), { address: '224.0.0.1', port: 1 });
    dht.handleDatagram(0, new Uint8Array(10), { address: 'nonsense', port: 1 });
    const statistics = dht.statistics(0);
    expect(JSON.parse(JSON.stringify(statistics))).toMatchObject({
      ipv4: { id: '00'.repeat(20), nodes: { good: 3, questionable: 0, bad: 0 } },
      queriesOut: { ping: 3 },
      answersIn: 3,
      dropped: { oversized: 1, malformed: 2, martian: 2, unmatched: 0 },
    });
    expect(statistics.ipv6).toBe(undefined);
    expect(statistics.bytesIn).toBeGreaterThan(1_501);
  });
});
