import { encode } from '@bt/bencode';
import { encodeCompact } from '@bt/endpoint';
import { createRandom } from '@bt/simulator';
import { describe, expect, it } from 'vitest';
import {
  ANSWER_BURST_BYTES,
  ANSWER_BYTES_PER_SECOND,
  LARGE_ANSWER_BURST,
  MAX_AMPLIFICATION,
  MAX_ANSWER_BYTES,
  MAX_HELD_ANSWERS,
  MAX_UNVERIFIED_FACTOR,
  PEER_LIFETIME_MS,
  QUERY_BURST,
  TOKEN_ROTATION_MS,
} from '../src/constants.ts';
import {
  Dht,
  type DhtOptions,
  forEachValue,
  idForAddress,
  immutableTarget,
  mutableTarget,
  pureEd25519,
  randomId,
  signItem,
} from '../src/index.ts';
import { id, text } from './bytes.ts';
import { acquaint, drain, type Sent, Stranger } from './stranger.ts';

const random = createRandom(5);
const HASH = id(0x77);

function makeDht(options: Partial<DhtOptions> = {}): Dht {
  return new Dht({ random: createRandom(1), id: id(0), ...options });
}

/** A node at a public address, with an id that fits it unless one is given. */
function stranger(address = '192.0.2.1', nodeId?: Uint8Array): Stranger {
  const parts = Uint8Array.from(address.split('.').map(Number));
  return new Stranger(nodeId ?? idForAddress(parts, random), { address, port: 6881 });
}

/** The answer among what was sent to the stranger: not a ping. */
function answer(sent: Sent[]): Sent['message'] {
  const found = sent.filter(({ message }) => message.type !== 'query');
  expect(found).toHaveLength(1);
  return found[0]!.message;
}

function tokenOf(dht: Dht, now: number, by: Stranger, hash = HASH): Uint8Array {
  const message = answer(by.ask(dht, now, 'get_peers', { infoHash: hash }));
  return message.copy(message.tokenAt, message.tokenLength);
}

function announce(dht: Dht, now: number, by: Stranger, args = {}): Sent['message'] {
  const token = tokenOf(dht, now, by);
  return answer(by.ask(dht, now, 'announce_peer', { infoHash: HASH, port: 7000, token, ...args }));
}

function peersOf(message: Sent['message']): string[] {
  const peers: string[] = [];
  if (message.valuesAt < 0) return peers;
  forEachValue(message.bytes, message.valuesAt, message.valuesLength, (at, family) => {
    peers.push([...message.view(at, family === 4 ? 6 : 18)].join('.'));
  });
  return peers;
}

/** Nodes that the table knows, at addresses of one local network. */
function neighbours(count: number): Stranger[] {
  return Array.from(
    { length: count },
    (_, i) =>
      new Stranger(randomId(random), { address: `10.0.${i >> 8}.${i & 255}`, port: 1000 + i }),
  );
}

describe('queries', () => {
  it('ping: our id, and the address of the asker in `ip` (BEP 42)', () => {
    const asker = stranger();
    const message = answer(asker.ask(makeDht(), 0, 'ping'));
    expect(message.view(message.idAt, 20)).toEqual(id(0));
    expect(message.view(message.ipAt, message.ipLength)).toEqual(encodeCompact(asker.endpoint));
  });

  it('find_node: the 8 closest nodes of the table', () => {
    const dht = makeDht();
    const known = neighbours(20);
    acquaint(dht, 0, known);
    const message = answer(stranger().ask(dht, 0, 'find_node', { target: known[3]!.sender.id }));
    expect(message.nodesLength).toBe(8 * 26);
    expect(message.view(message.nodesAt, 26)).toEqual(known[3]!.node);
    expect(message.nodes6At).toBe(-1);
  });

  it('`want` (BEP 32): what is asked for, of the families that we take part in', () => {
    const both = makeDht({ ipv6: true });
    acquaint(both, 0, neighbours(3));
    const asker = stranger();
    const wants = { target: id(1), wantsIpv4: true, wantsIpv6: true };
    const message = answer(asker.ask(both, 0, 'find_node', wants));
    expect([message.nodesLength, message.nodes6Length]).toEqual([3 * 26, 0]);
    expect(message.nodes6At).toBeGreaterThan(0);
    const six = answer(asker.ask(both, 0, 'find_node', { target: id(1), wantsIpv6: true }));
    expect([six.nodesAt, six.nodes6Length]).toEqual([-1, 0]);
    const one = answer(asker.ask(makeDht(), 0, 'find_node', wants));
    expect(one.nodes6At).toBe(-1);
  });

  it('get_peers and announce_peer: what is announced with the token is told', () => {
    const dht = makeDht();
    expect(announce(dht, 0, stranger('192.0.2.1')).type).toBe('response');
    expect(announce(dht, 0, stranger('192.0.2.2'), { impliedPort: true }).type).toBe('response');
    const message = answer(stranger('192.0.2.3').ask(dht, 0, 'get_peers', { infoHash: HASH }));
    expect(peersOf(message).sort()).toEqual(['192.0.2.1.27.88', '192.0.2.2.26.225']);
    expect(message.tokenLength).toBe(8);
    expect(dht.statistics(0).stored).toMatchObject({ infoHashes: 1, peers: 2 });
  });

  it('`noseed` leaves out seeds, and a scrape tells of both (BEP 33)', () => {
    const dht = makeDht({ rateLimit: false });
    announce(dht, 0, stranger('192.0.2.1'), { seed: true });
    announce(dht, 0, stranger('192.0.2.2'));
    const asker = stranger('192.0.2.3');
    const noSeed = answer(asker.ask(dht, 0, 'get_peers', { infoHash: HASH, noSeed: true }));
    expect(peersOf(noSeed)).toEqual(['192.0.2.2.27.88']);
    const scrape = answer(asker.ask(dht, 0, 'get_peers', { infoHash: HASH, scrape: true }));
    const ones = (at: number) =>
      scrape
        .view(at, 256)
        .reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
    expect(ones(scrape.seedFilterAt)).toBe(2);
    expect(ones(scrape.peerFilterAt)).toBe(2);
  });

  it('sample_infohashes (BEP 51): what is stored, how much there is, and when to come again', () => {
    const dht = makeDht();
    const asker = stranger();
    const empty = answer(asker.ask(dht, 0, 'sample_infohashes', { target: id(1) }));
    expect([empty.samplesLength, empty.hashCount]).toEqual([0, 0]);
    announce(dht, 0, stranger('192.0.2.2'));
    const message = answer(asker.ask(dht, 1, 'sample_infohashes', { target: id(1) }));
    expect(message.view(message.samplesAt, message.samplesLength)).toEqual(HASH);
    expect(message.hashCount).toBe(1);
    expect(message.intervalSeconds).toBeGreaterThan(0);
  });

  it('put and get (BEP 44): immutable', () => {
    const dht = makeDht();
    const asker = stranger();
    const value = encode('hello');
    const target = immutableTarget(value);
    const token = tokenOf(dht, 0, asker);
    expect(answer(asker.ask(dht, 0, 'put', { token, value })).type).toBe('response');
    const message = answer(asker.ask(dht, 0, 'get', { target }));
    expect(message.view(message.valueAt, message.valueLength)).toEqual(value);
    expect(message.tokenLength).toBe(8);
    expect(message.nodesAt).toBeGreaterThan(0);
  });

  it('put and get (BEP 44): mutable, with `seq`, `cas` and salt', () => {
    const dht = makeDht();
    const asker = stranger();
    const seed = new Uint8Array(32).fill(9);
    const salt = text('salt');
    const sign = (value: string, sequence: bigint) =>
      signItem(pureEd25519, seed, { value: encode(value), sequence, salt });
    const token = tokenOf(dht, 0, asker);
    const put = (value: string, sequence: bigint, compareSequence?: bigint) =>
      answer(asker.ask(dht, 0, 'put', { ...sign(value, sequence), token, compareSequence }));
    expect(put('one', 1n).type).toBe('response');
    expect(put('two', 2n, 0n).errorCode).toBe(301);
    expect(put('two', 2n, 1n).type).toBe('response');
    expect(put('one', 1n).errorCode).toBe(302);

    const target = mutableTarget(pureEd25519.publicKey(seed), salt);
    const message = answer(asker.ask(dht, 0, 'get', { target }));
    expect(message.sequence).toBe(2n);
    expect(message.view(message.valueAt, message.valueLength)).toEqual(encode('two'));
    expect(message.publicKeyAt).toBeGreaterThan(0);
    // Not newer than what the asker has: the sequence number alone.
    const known = answer(asker.ask(dht, 0, 'get', { target, sequence: 2n }));
    expect([known.sequence, known.valueAt, known.publicKeyAt]).toEqual([2n, -1, -1]);
  });

  it('a read-only node (BEP 43) answers nobody', () => {
    const dht = makeDht({ readOnly: true });
    expect(stranger().ask(dht, 0, 'ping')).toEqual([]);
    expect(dht.statistics(0).dropped.readOnly).toBe(1);
  });
});

describe('refusals', () => {
  it('a forged, foreign, stale or missing token gets 203, and nothing is stored (BEP 5)', () => {
    const dht = makeDht();
    const asker = stranger();
    const foreign = tokenOf(dht, 0, stranger('192.0.2.2'));
    const stale = tokenOf(dht, 0, asker);
    const now = 2 * TOKEN_ROTATION_MS;
    const value = encode('x');
    for (const token of [new Uint8Array(8), foreign, stale, text('a'), undefined]) {
      const args = { infoHash: HASH, port: 7000, token };
      expect(answer(asker.ask(dht, now, 'announce_peer', args)).errorCode).toBe(203);
      expect(answer(asker.ask(dht, now, 'put', { token, value })).errorCode).toBe(203);
    }
    expect(dht.statistics(now).stored).toMatchObject({ infoHashes: 0, peers: 0, items: 0 });
  });

  it('a peer without a port gets 203', () => {
    const dht = makeDht();
    const asker = stranger();
    const token = tokenOf(dht, 0, asker);
    const args = { infoHash: HASH, port: 0, token };
    expect(answer(asker.ask(dht, 0, 'announce_peer', args)).errorCode).toBe(203);
    expect(dht.statistics(0).stored.peers).toBe(0);
  });

  it('an unknown method gets 204, arguments of a wrong type 203', () => {
    const dht = makeDht();
    const { endpoint } = stranger();
    const query = (q: string, a: Parameters<typeof encode>[0]) => {
      dht.handleDatagram(0, encode({ a, q, t: 'aa', y: 'q' }), endpoint);
      return answer(drain(dht).sent).errorCode;
    };
    expect(query('vote', { id: id(1) })).toBe(204);
    // What ends a well-known implementation.
    expect(query('get_peers', { id: id(1), info_hash: ['a'] })).toBe(203);
    expect(query('find_node', { id: id(1) })).toBe(203);
    expect(dht.statistics(0)).toMatchObject({ errorsOut: 3, queriesIn: { unknown: 1 } });
  });

  it('an item that BEP 44 forbids gets its code', () => {
    const dht = makeDht();
    const asker = stranger();
    const token = tokenOf(dht, 0, asker);
    const large = encode('x'.repeat(1000));
    expect(answer(asker.ask(dht, 0, 'put', { token, value: large })).errorCode).toBe(205);
    const item = signItem(pureEd25519, new Uint8Array(32), { value: encode('a'), sequence: 1n });
    const forged = { ...item, signature: new Uint8Array(64), token };
    expect(answer(asker.ask(dht, 0, 'put', forged)).errorCode).toBe(206);
  });
});

describe('limits', () => {
  it('one address gets 20 answers at once and 5 a second', () => {
    const dht = makeDht();
    const asker = stranger();
    const count = (now: number, tries: number) => {
      let answers = 0;
      for (let i = 0; i < tries; i++) {
        answers += asker
          .ask(dht, now, 'ping')
          .filter(({ message }) => message.type === 'response').length;
      }
      return answers;
    };
    expect(count(0, 100)).toBe(QUERY_BURST);
    expect(count(1_000, 100)).toBe(5);
    expect(dht.statistics(0).dropped.rateLimited).toBe(175);
  });

  it('among addresses that are not public each endpoint has its own', () => {
    const dht = makeDht();
    for (let port = 1; port <= 3; port++) {
      const asker = new Stranger(id(port), { address: '127.0.0.1', port });
      for (let i = 0; i < QUERY_BURST; i++) {
        expect(asker.ask(dht, 0, 'ping').length).toBeGreaterThan(0);
      }
    }
  });

  it('all answers to strangers together stay within half of a budget of bytes', () => {
    const dht = makeDht();
    const known = Array.from({ length: 100 }, (_, i) => stranger(`193.1.${i}.1`));
    acquaint(dht, 0, known);
    const fill = (now: number) => {
      let bytes = 0;
      for (let i = 0; i < 2_000; i++) {
        const asker = stranger(`192.${(i >> 8) + 1}.${i & 255}.1`);
        for (const each of asker.ask(dht, now, 'ping')) {
          if (each.message.type === 'response') bytes += each.bytes.length;
        }
      }
      return bytes;
    };
    const burst = fill(0);
    expect(burst).toBeLessThanOrEqual(ANSWER_BURST_BYTES / 2);
    expect(burst).toBeGreaterThan(0.45 * ANSWER_BURST_BYTES);
    expect(fill(1_000)).toBeLessThanOrEqual(ANSWER_BYTES_PER_SECOND / 2);
    // Those who have answered us, with the rest.
    let bytes = 0;
    for (let i = 0; i < 10; i++) {
      for (const each of known) {
        for (const sent of each.ask(dht, 1_000, 'ping')) bytes += sent.bytes.length;
      }
    }
    expect(bytes).toBeGreaterThan(0.4 * ANSWER_BURST_BYTES);
    expect(bytes).toBeLessThanOrEqual(ANSWER_BURST_BYTES / 2 + ANSWER_BYTES_PER_SECOND);
  });

  it('`rateLimit: false` lifts them', () => {
    const dht = makeDht({ rateLimit: false });
    const asker = stranger();
    for (let i = 0; i < 1_000; i++) {
      const sent = asker.ask(dht, 0, 'ping').filter(({ message }) => message.type === 'response');
      expect(sent).toHaveLength(1);
    }
  });

  it('an answer has 1,400 bytes at most, with every peer and node that fits', () => {
    const dht = makeDht({ rateLimit: false, ipv6: true });
    acquaint(dht, 0, neighbours(20));
    for (let i = 0; i < 300; i++) announce(dht, 0, stranger(`192.0.${i >> 4}.${i & 15}`));
    const args = { infoHash: HASH, scrape: true, wantsIpv4: true, wantsIpv6: true };
    for (const each of [args, { infoHash: HASH }]) {
      const sent = stranger('198.51.100.1').ask(dht, 0, 'get_peers', each);
      const message = answer(sent);
      expect(message.bytes.length).toBeLessThanOrEqual(MAX_ANSWER_BYTES);
      expect(peersOf(message).length).toBeGreaterThan(40);
    }
  });

  it('what has expired is forgotten', () => {
    const dht = makeDht();
    announce(dht, 0, stranger());
    expect(dht.deadline()).toBeLessThanOrEqual(60_000);
    const later = PEER_LIFETIME_MS + 60_000;
    dht.handleTimeout(later);
    expect(dht.statistics(later).stored).toMatchObject({ infoHashes: 0, peers: 0 });
  });
});

describe('an address that nobody has verified', () => {
  const value = encode('x'.repeat(900));
  const target = immutableTarget(value);

  /** A node that keeps a large item and a hundred peers. */
  function richDht(): Dht {
    const dht = makeDht({ ipv6: true });
    const friend = stranger('203.0.113.1');
    const token = tokenOf(dht, 0, friend);
    friend.ask(dht, 0, 'put', { token, value });
    for (let i = 0; i < 100; i++) {
      announce(dht, 500 * i, stranger(`198.51.${i}.1`));
      dht.handleTimeout(500 * i);
      drain(dht);
    }
    return dht;
  }

  it('gets at most six times what it sent, and one ping', () => {
    const dht = richDht();
    const victim = stranger('192.0.2.1');
    const queries = [
      victim.query('ping'),
      victim.query('find_node', { target: id(1), wantsIpv4: true, wantsIpv6: true }),
      victim.query('get_peers', { infoHash: HASH }),
      victim.query('get_peers', { infoHash: HASH, scrape: true }),
      victim.query('get', { target }),
      victim.query('sample_infohashes', { target: id(1) }),
    ];
    let pings = 0;
    for (const query of queries) {
      dht.handleDatagram(100_000, query, victim.endpoint);
      for (const { bytes, message } of drain(dht).sent) {
        if (message.type === 'query') pings++;
        else expect(bytes.length).toBeLessThanOrEqual(MAX_UNVERIFIED_FACTOR * query.length);
      }
    }
    expect(pings).toBe(1);
  });

  it('gets a large item when it has answered the ping', () => {
    const dht = richDht();
    const asker = stranger('192.0.2.1');
    const sent = asker.ask(dht, 100_000, 'get', { target });
    expect(sent.map(({ message }) => message.method)).toEqual(['ping']);
    asker.respond(dht, 100_010, sent[0]!);
    const message = answer(drain(dht).sent);
    expect(message.view(message.valueAt, message.valueLength)).toEqual(value);
  });

  it('gets nothing of it when somebody else answers, or nobody', () => {
    const dht = richDht();
    const [ping] = stranger('192.0.2.1').ask(dht, 100_000, 'get', { target });
    stranger('192.0.2.2').respond(dht, 100_010, ping!);
    expect(drain(dht).sent).toEqual([]);
    for (let now = 100_000; now < 130_000; now += 100) dht.handleTimeout(now);
    expect(drain(dht).sent.filter(({ message }) => message.type === 'response')).toEqual([]);
  });

  it('gets an item or filters before nodes', () => {
    const dht = makeDht();
    acquaint(dht, 0, neighbours(20));
    const small = { value: encode('x'.repeat(400)) };
    const friend = stranger('203.0.113.1');
    friend.ask(dht, 0, 'put', { token: tokenOf(dht, 0, friend), ...small });
    announce(dht, 0, friend, { seed: true });
    const asker = new Stranger(id(3), { address: '192.0.2.1', port: 6881 }, true);
    const got = answer(asker.ask(dht, 0, 'get', { target: immutableTarget(small.value) }));
    expect(got.view(got.valueAt, got.valueLength)).toEqual(small.value);
    expect(got.nodesLength).toBeLessThan(8 * 26);
    const scrape = answer(asker.ask(dht, 0, 'get_peers', { infoHash: HASH, scrape: true }));
    expect([scrape.seedFilterAt, scrape.peerFilterAt].every((at) => at > 0)).toBe(true);
  });

  it('is pinged also when it is read-only (BEP 43), for an item that is larger; it stays out of the table', () => {
    const dht = richDht();
    const asker = new Stranger(id(3), { address: '192.0.2.1', port: 6881 }, true);
    const nodes = dht.nodeCount();
    const sent = asker.ask(dht, 100_000, 'get', { target });
    expect(sent.map(({ message }) => message.method)).toEqual(['ping']);
    asker.respond(dht, 100_010, sent[0]!);
    expect(answer(drain(dht).sent).valueLength).toBe(value.length);
    expect(dht.nodeCount()).toBe(nodes);
  });

  it('is told the number of a mutable item that can`t wait for its answer', () => {
    const dht = makeDht();
    const item = signItem(pureEd25519, new Uint8Array(32), { value, sequence: 7n });
    const friend = stranger('203.0.113.1');
    friend.ask(dht, 0, 'put', { token: tokenOf(dht, 0, friend), ...item });
    const itsTarget = mutableTarget(item.publicKey);
    const asker = stranger('192.0.2.1');
    // A ping that is never answered, and none again for ten minutes.
    asker.ask(dht, 0, 'get', { target: itsTarget });
    for (let now = 0; now < 30_000; now += 100) dht.handleTimeout(now);
    drain(dht);
    const message = answer(asker.ask(dht, 30_000, 'get', { target: itsTarget }));
    expect([message.sequence, message.valueAt, message.tokenLength]).toEqual([7n, -1, 8]);
  });

  it('waits together with 63 others at most', () => {
    const dht = richDht();
    let waiting = 0;
    for (let i = 0; i < 200; i++) {
      const sent = stranger(`192.1.${i}.1`).ask(dht, 100_000, 'get', { target });
      if (sent.every(({ message }) => message.type === 'query')) waiting++;
    }
    expect(waiting).toBeGreaterThan(0);
    expect(waiting).toBeLessThanOrEqual(MAX_HELD_ANSWERS);
  });
});

describe('an address that has answered', () => {
  const value = encode('x'.repeat(990));
  const target = immutableTarget(value);

  /** A node that keeps a large item and knows 20 others. */
  function makeKeeper(known: readonly Stranger[]): Dht {
    const dht = makeDht();
    acquaint(dht, 0, known);
    const friend = stranger('203.0.113.1');
    friend.ask(dht, 0, 'put', { token: tokenOf(dht, 0, friend), value });
    return dht;
  }

  it('gets at most ten times what it sent: anybody may forge its queries', () => {
    const known = stranger('192.0.2.1');
    const dht = makeKeeper([known, ...neighbours(20)]);
    const seed = new Uint8Array(32);
    const item = signItem(pureEd25519, seed, { value: encode('y'.repeat(600)), sequence: 1n });
    known.ask(dht, 0, 'put', { token: tokenOf(dht, 0, known), ...item });
    for (const each of [target, mutableTarget(item.publicKey)]) {
      const query = known.query('get', { target: each, wantsIpv4: true, wantsIpv6: true });
      dht.handleDatagram(1_000, query, known.endpoint);
      for (const { bytes } of drain(dht).sent) {
        expect(bytes.length).toBeLessThanOrEqual(MAX_AMPLIFICATION * query.length);
      }
    }
  });

  it('gets more behind a ping, ten times and then once in ten seconds', () => {
    const known = stranger('192.0.2.1');
    const dht = makeKeeper([known]);
    const get = (now: number): boolean => {
      const [ping] = known.ask(dht, now, 'get', { target });
      if (ping!.message.method !== 'ping') return false;
      known.respond(dht, now, ping!);
      const message = answer(drain(dht).sent);
      expect(message.bytes.length).toBeLessThanOrEqual(MAX_ANSWER_BYTES);
      return message.valueLength === value.length;
    };
    for (let i = 0; i < LARGE_ANSWER_BURST; i++) expect(get(1_000 * i)).toBe(true);
    expect(get(10_000)).toBe(true);
    expect(get(10_100)).toBe(false);
    expect(get(20_000)).toBe(true);
  });

  it('is answered however many strangers ask', () => {
    const known = stranger('192.0.2.1');
    const dht = makeKeeper([known, ...neighbours(20)]);
    let answers = 0;
    for (let now = 0; now < 60_000; now += 100) {
      // 60 a second from 12 addresses.
      for (let i = 0; i < 6; i++) {
        const forged = stranger(`198.51.${(now / 100 + i) % 12}.1`);
        forged.ask(dht, now, 'find_node', { target: id(1) });
      }
      if (now < 10_000 || now % 1_000 > 0) continue;
      const sent = known.ask(dht, now, 'find_node', { target: id(1) });
      answers += sent.filter(({ message }) => message.type === 'response').length;
    }
    expect(answers).toBe(50);
  });
});

describe('a read-only node (BEP 43)', () => {
  it('answers a ping of somebody whom it is asking, and of nobody else', () => {
    const dht = makeDht({ readOnly: true });
    const [asked, other] = [stranger('192.0.2.1'), stranger('192.0.2.2')];
    dht.addNode(0, asked!.endpoint);
    const [query] = drain(dht).sent;
    expect(other!.ask(dht, 10, 'ping')).toEqual([]);
    expect(asked!.ask(dht, 10, 'find_node', { target: id(1) })).toEqual([]);
    expect(answer(asked!.ask(dht, 10, 'ping')).type).toBe('response');
    asked!.respond(dht, 20, query!);
    expect(asked!.ask(dht, 30, 'ping')).toEqual([]);
  });
});
