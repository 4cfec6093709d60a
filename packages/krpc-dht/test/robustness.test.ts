import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { encode } from '@bt/bencode';
import { createRandom } from '@bt/simulator';
import { expect, it } from 'vitest';
import { MAX_ANSWER_BYTES, MAX_OPERATIONS, MAX_OUTSTANDING_QUERIES } from '../src/constants.ts';
import { Dht, type Method, randomId, signItem } from '../src/index.ts';
import { nodeEd25519 } from '../src/node/index.ts';
import { id, text } from './bytes.ts';
import { acquaint, drain, Stranger } from './stranger.ts';

const SEED = 77;
const PACKETS = 10_000;

const item = signItem(nodeEd25519, new Uint8Array(32), {
  ...{ value: encode({ a: [1, 'b'] }), sequence: 5n, salt: text('s') },
});

/** A valid message of each kind, with the token and the transaction that the node would take. */
function models(token: Uint8Array, transaction: Uint8Array): Uint8Array[] {
  const asker = new Stranger(id(1), { address: '192.0.2.1', port: 1 });
  const infoHash = id(9);
  const target = id(9);
  const queries: [Method, Parameters<Stranger['query']>[1]][] = [
    ['ping', {}],
    ['find_node', { target, wantsIpv4: true, wantsIpv6: true }],
    ['get_peers', { infoHash, scrape: true, noSeed: true }],
    ['announce_peer', { infoHash, port: 80, token, seed: true }],
    ['announce_peer', { infoHash, port: 80, token, impliedPort: true }],
    ['get', { target, sequence: 3n }],
    ['put', { ...item, token, compareSequence: 4n }],
    ['put', { value: encode('x'.repeat(500)), token }],
    ['sample_infohashes', { target }],
  ];
  const r = { id: id(2), nodes: new Uint8Array(26 * 8).fill(7), token: 'tttt', values: ['abcdef'] };
  return [
    ...queries.map(([method, args]) => asker.query(method, args)),
    encode({ ip: 'abcdef', r, t: transaction, y: 'r' }),
    encode({ r: { ...r, nodes6: new Uint8Array(38 * 3).fill(0x20) }, t: transaction, y: 'r' }),
    encode({ e: [201, 'a generic error'], t: transaction, y: 'e' }),
  ];
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function usedBytes(): number {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

it.each([true, false])(
  `${PACKETS} mutated packets (seed ${SEED}) leave the node answering, within its bounds; rate limits: %s`,
  (rateLimit) => {
    const random = createRandom(SEED);
    const pick = (below: number) => Math.floor(random() * below);
    const dht = new Dht({
      ...{ random: createRandom(1), id: id(0), rateLimit, ipv6: true, ed25519: nodeEd25519 },
    });
    const friend = new Stranger(id(3), { address: '192.0.2.9', port: 9 });
    const known = Array.from(
      { length: 30 },
      (_, i) => new Stranger(randomId(random), { address: `10.0.0.${i}`, port: 1000 + i }),
    );
    acquaint(dht, 0, known);
    // Peers of the same info-hash, for answers as long as they get.
    let now = 0;
    for (let i = 0; i < 200; i++) {
      now += 200;
      const each = new Stranger(randomId(random), { address: `198.51.${i}.1`, port: 9 });
      const asked = each.ask(dht, now, 'get_peers', { infoHash: id(9) });
      const message = asked.find(({ message }) => message.type === 'response')!.message;
      const token = message.copy(message.tokenAt, message.tokenLength);
      each.ask(dht, now, 'announce_peer', { infoHash: id(9), port: 1, token });
    }
    expect(dht.statistics(now).stored.peers).toBe(200);

    let replies = 0;
    let longest = 0;
    const take = () => {
      for (let effect = dht.poll(); effect !== undefined; effect = dht.poll()) {
        if (effect.type !== 'send') continue;
        replies++;
        longest = Math.max(longest, effect.bytes.length);
        expect(effect.to.port).not.toBe(0);
      }
    };
    let token = new Uint8Array();
    let used = 0;
    for (let i = 0; i < PACKETS; i++) {
      // Structures that are made when they are needed first are there by then.
      if (i === PACKETS / 4) used = usedBytes();
      const address = i % 7 === 0 ? `2001:db8::${pick(99)}` : `192.0.2.${pick(256)}`;
      // Some from an address that has a token.
      const from = i % 3 === 1 ? { ...friend.endpoint } : { address, port: pick(65536) };
      // Now and then it has asked something, so that there is a transaction to be hit.
      let transaction = text('aaaa');
      if (i % 10 === 0) {
        dht.getPeers(now, randomId(random));
        const { sent } = drain(dht);
        const query = sent[0];
        if (query !== undefined) {
          const { message } = query;
          transaction = message.copy(message.transactionAt, message.transactionLength);
          if (i % 20 === 0) Object.assign(from, query.to);
        }
      }
      const sent = friend.ask(dht, now, 'get_peers', { infoHash: id(9) });
      const answered = sent.find(({ message }) => message.type === 'response')?.message;
      if (answered !== undefined) token = answered.copy(answered.tokenAt, answered.tokenLength);
      const all = models(token, transaction);
      dht.handleDatagram(now, mutate(all[pick(all.length)]!, all[pick(all.length)]!, pick), from);
      take();
      now += 3;
      if (dht.deadline() <= now) dht.handleTimeout(now);
      take();
    }
    expect(replies).toBeGreaterThan(PACKETS / (rateLimit ? 100 : 10));
    expect(longest).toBeLessThanOrEqual(MAX_ANSWER_BYTES);
    expect(longest).toBeGreaterThan(MAX_ANSWER_BYTES / 2);
    // What the further packets have left behind: peers, items, nodes, and who was heard of.
    const grown = usedBytes() - used;
    expect(grown).toBeLessThan(500_000);
    const { queriesUnderWay, lookups, stored } = dht.statistics(now);
    expect(queriesUnderWay).toBeLessThanOrEqual(MAX_OUTSTANDING_QUERIES);
    expect(lookups.running).toBeLessThanOrEqual(MAX_OPERATIONS);
    // Some of them came through to the stores.
    if (!rateLimit) expect(Math.min(stored.infoHashes, stored.items)).toBeGreaterThan(5);
    // A whole second later it has room for an answer again.
    expect(friend.ask(dht, now + 1_000, 'ping')[0]!.message.type).toBe('response');
  },
  60_000,
);

/** One to four changes: a byte, a bit, a cut, an insertion, a piece of another message, digits made large. */
function mutate(model: Uint8Array, other: Uint8Array, pick: (below: number) => number): Uint8Array {
  let bytes = [...model];
  for (let changes = 1 + pick(4); changes > 0; changes--) {
    const at = pick(bytes.length + 1);
    switch (pick(6)) {
      case 0:
        bytes[at] = pick(256);
        break;
      case 1:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        bytes.splice(at, pick(4), ...Array.from({ length: pick(8) }, () => pick(256)));
        break;
      case 4:
        bytes.splice(at, pick(30), ...other.subarray(pick(other.length), pick(other.length)));
        break;
      default: {
        const digit = bytes.findIndex((byte, i) => i >= at && byte >= 0x30 && byte <= 0x39);
        if (digit >= 0) bytes.splice(digit, 1, ...text(String(pick(2) ? pick(2_000) : 2 ** 40)));
      }
    }
  }
  return Uint8Array.from(bytes);
}
