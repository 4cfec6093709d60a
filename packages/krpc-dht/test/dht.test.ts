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
  MAX_NEWCOMER_PINGS,
  MAX_NEWCOMERS,
  MAX_OPERATIONS,
  MIN_ADDRESS_VOTES,
  QUERY_TIMEOUT_MS,
} from '../src/constants.ts';
import { Dht, type DhtEffect, type DhtOptions, idForAddress, isIdOfAddress } from '../src/index.ts';
import { id } from './bytes.ts';
import { makeDht, neighbour, neighbours, random, runUntil } from './neighbourhood.ts';
import { acquaint, drain, type Sent, Stranger } from './stranger.ts';

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
