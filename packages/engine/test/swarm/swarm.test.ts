import type { Endpoint } from '@bt/endpoint';
import { describe, expect, it } from 'vitest';
import {
  IDLE_INTEREST_MS,
  IDLE_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  MAX_DIALS_PER_SECOND,
  MAX_PEERS_PER_ADDRESS,
  MAX_PEERS_PER_LOCAL_ADDRESS,
  MAX_PEERS_PER_TORRENT,
  USELESS_PEER_MS,
} from '../../src/limits.ts';
import {
  type BareConnection,
  BareTorrent,
  message,
  PIECE,
  REQUEST,
  sentMessages,
  UNCHOKE,
} from '../support/bare-torrent.ts';
import { makeContent } from '../support/content.ts';

const INTERESTED = 2;
const home = { address: '10.0.0.1', port: 6881 };
const other = { address: '10.0.0.2', port: 6881 };

function dials(bare: BareTorrent): number {
  return bare.effects().filter(({ type }) => type === 'dial').length;
}

describe('a silent peer', () => {
  it('hears from us now and then, and is closed when it stays silent', () => {
    const bare = new BareTorrent();
    const { transport } = bare.connect(home, 'silent');
    bare.torrent.handleTimeout(0);
    const { length } = transport.sent;
    bare.runTo(KEEP_ALIVE_MS - 1000);
    expect(transport.sent).toHaveLength(length);
    bare.runTo(KEEP_ALIVE_MS + 1000);
    expect(transport.sent.slice(length)).toEqual([new Uint8Array(4)]);
    bare.runTo(IDLE_TIMEOUT_MS - 1000);
    expect(bare.closeReasons()).toEqual([]);
    bare.runTo(IDLE_TIMEOUT_MS);
    expect(bare.closeReasons()).toEqual(['idle']);
  });
});

describe('the connections of a torrent', () => {
  const manyAddresses = (index: number) => ({
    address: `10.1.${index >> 8}.${index & 255}`,
    port: 1,
  });
  const connectAll = (bare: BareTorrent, endpointOf: (index: number) => Endpoint) => {
    let count = 0;
    while (count < 2000 && bare.tryConnect(endpointOf(count), `peer${count}`)) count += 1;
    return count;
  };

  it('are bounded', () => {
    const bare = new BareTorrent();
    const accepted = connectAll(bare, manyAddresses);
    for (let index = accepted; index < MAX_PEERS_PER_TORRENT; index += 1) {
      expect(bare.tryConnect(manyAddresses(index), `dialled${index}`, 'out')).toBeDefined();
    }
    expect(bare.torrent.stats(0).peersConnected).toBe(MAX_PEERS_PER_TORRENT);
    expect(bare.tryConnect(other, 'one more', 'out')).toBeUndefined();
    expect(bare.tryConnect(other, 'one more', 'in')).toBeUndefined();
  });

  it('are few from one address, but from a local one, where whole swarms may stand', () => {
    const at = (address: string) => (index: number) => ({ address, port: 1024 + index });
    const bare = new BareTorrent({ maxPeers: 5000 });
    expect(connectAll(bare, at('93.184.216.34'))).toBe(MAX_PEERS_PER_ADDRESS);
    expect(connectAll(bare, at('192.168.1.1'))).toBe(MAX_PEERS_PER_LOCAL_ADDRESS);
  });

  it('are few from one IPv6 network, whichever of its addresses they come from', () => {
    const bare = new BareTorrent({ maxPeers: 5000 });
    const inOne = (index: number) => ({ address: `2a00:1450:4001:81a::${index}`, port: 6881 });
    expect(connectAll(bare, inOne)).toBe(MAX_PEERS_PER_ADDRESS);
    expect(
      bare.tryConnect({ address: '2a00:1450:4001:81b::1', port: 6881 }, 'other'),
    ).toBeDefined();
    const atHome = (index: number) => ({ address: `fd00:1:2:3::${index}`, port: 6881 });
    expect(connectAll(bare, atHome)).toBe(MAX_PEERS_PER_LOCAL_ADDRESS);
  });

  it('are dialled so many in a second', () => {
    const bare = new BareTorrent();
    const known = Array.from({ length: 3 * MAX_DIALS_PER_SECOND }, (_, i) => manyAddresses(i));
    bare.torrent.handleCandidates(0, known, 'tracker', true);
    expect(dials(bare)).toBe(MAX_DIALS_PER_SECOND);
    bare.torrent.handleTimeout(999);
    expect(dials(bare)).toBe(0);
    expect(bare.torrent.deadline()).toBe(1000);
    bare.torrent.handleTimeout(1000);
    expect(dials(bare)).toBe(MAX_DIALS_PER_SECOND);
  });
});

describe('the room of a torrent', () => {
  const addressOf = (index: number) => ({ address: `10.0.1.${index}`, port: 6881 });
  const many = Array.from({ length: 20 }, (_, index) => addressOf(index));

  it('has a part that accepted connections can not take from dials', () => {
    const bare = new BareTorrent({ maxPeers: 10 });
    const accepted = many.filter((endpoint, index) => bare.tryConnect(endpoint, `peer${index}`));
    expect(accepted).toHaveLength(8);
    bare.torrent.handleCandidates(0, many.slice(10), 'tracker', true);
    expect(dials(bare)).toBe(2);
    expect(bare.tryConnect(addressOf(10), 'dialled', 'out')).toBeDefined();
  });

  it('has a part that dials can not take from accepted connections', () => {
    const bare = new BareTorrent({ maxPeers: 10 });
    bare.torrent.handleCandidates(0, many, 'tracker', true);
    expect(dials(bare)).toBe(8);
    for (const endpoint of many.slice(0, 8)) bare.connect(endpoint, endpoint.address, 'out');
    expect(bare.tryConnect(addressOf(8), 'first')).toBeDefined();
    expect(bare.tryConnect(addressOf(9), 'second')).toBeDefined();
    expect(bare.tryConnect(addressOf(10), 'third')).toBeUndefined();
  });

  it('is all for dials where nobody can connect to us', () => {
    const bare = new BareTorrent({ maxPeers: 10, listenPort: 0 });
    bare.torrent.handleCandidates(0, many, 'tracker', true);
    expect(dials(bare)).toBe(10);
  });

  it('is made by closing useless peers of the direction in which it is short', () => {
    const bare = new BareTorrent({ maxPeers: 10 });
    for (const endpoint of many.slice(0, 8)) bare.connect(endpoint, endpoint.address);
    bare.runTo(USELESS_PEER_MS + 1000);
    const reasons = bare.closeReasons();
    expect(reasons.length).toBeGreaterThan(0);
    expect(new Set(reasons)).toEqual(new Set(['useless']));
    expect(bare.tryConnect(addressOf(9), 'next')).toBeDefined();
  });

  it('is made by closing peers that say they want something and never take it', () => {
    const have = Uint8Array.of(0xf0);
    const bare = new BareTorrent({ maxPeers: 10, have, uploadSlots: 8 });
    const peers = many.slice(0, 8).map((endpoint) => bare.connect(endpoint, endpoint.address));
    const [customer, ...others] = peers;
    for (const peer of peers) bare.receive(peer, message(INTERESTED));
    while (bare.now < IDLE_INTEREST_MS + 10_000) {
      bare.runTo(bare.now + 100_000);
      bare.receive(customer!, message(REQUEST, 0, 16_384, 16_384));
      for (const peer of others) bare.receive(peer, message(INTERESTED));
    }
    const reasons = bare.closeReasons();
    expect(reasons.length).toBeGreaterThan(0);
    expect(new Set(reasons)).toEqual(new Set(['useless']));
    expect(customer!.transport.isClosed).toBe(false);
    expect(bare.tryConnect(addressOf(9), 'next')).toBeDefined();
  });

  it('is made as well where there is little left for all torrents of the session', () => {
    let share = 0.5;
    const bare = new BareTorrent({ sessionShare: (direction) => (direction === 'in' ? share : 0) });
    bare.connect(addressOf(0), 'idle');
    bare.connect(addressOf(1), 'dialled', 'out');
    bare.runTo(USELESS_PEER_MS + 1000);
    expect(bare.closeReasons()).toEqual([]);
    share = 0.9;
    bare.runTo(bare.now + 1000);
    expect(bare.closeReasons()).toEqual(['useless']);
    expect(bare.torrent.stats(bare.now).peersConnected).toBe(1);
  });
});

describe('a peer that sends wrong data', () => {
  function liarAt(bare: BareTorrent, id: string) {
    const liar = bare.connect({ ...home, port: 40_000 }, id);
    const listensAt = Buffer.concat([Uint8Array.of(0), Buffer.from('d1:pi6881ee')]);
    const extended = message(20);
    new DataView(extended.buffer, extended.byteOffset).setUint32(0, 1 + listensAt.length);
    bare.receive(liar, Buffer.concat([extended, listensAt, message(14), message(1)]));
    return liar;
  }

  function lie(bare: BareTorrent, liar: BareConnection) {
    const block = message(PIECE, 0, 0);
    new DataView(block.buffer, block.byteOffset).setUint32(0, 9 + 16_384);
    bare.receive(liar, Buffer.concat([block, new Uint8Array(16_384)]));
    bare.torrent.handlePieceSaved(bare.now, 0, { outcome: 'mismatch' });
  }

  it('is banned, and the honest peer whose id it uses stays and may come again', () => {
    const bare = new BareTorrent({ content: makeContent(16_384, 16_384) });
    const liar = liarAt(bare, 'stolen');
    const honest = bare.connect(other, 'stolen', 'out');
    lie(bare, liar);
    expect(bare.closeReasons()).toEqual(['banned']);
    expect(liar.transport.isClosed).toBe(true);
    expect(honest.transport.isClosed).toBe(false);
    bare.torrent.handleClosed(bare.now, honest.peer);
    expect(bare.tryConnect(other, 'stolen')).toBeDefined();
    expect(bare.tryConnect({ ...home, port: 50_000 }, 'stolen')).toBeUndefined();
  });

  it('is banned wherever in its IPv6 network it comes from, and nobody beyond it', () => {
    const bare = new BareTorrent({ content: makeContent(16_384, 16_384) });
    const at = (host: string) => ({ address: `2a00:1450:4001:81a::${host}`, port: 6881 });
    const liar = bare.connect(at('1'), 'liar');
    bare.receive(liar, Buffer.concat([message(14), message(1)]));
    const honest = bare.connect({ address: '2a00:1450:4001:81b::2', port: 6881 }, 'liar', 'out');
    lie(bare, liar);
    expect(liar.transport.isClosed).toBe(true);
    expect(honest.transport.isClosed).toBe(false);
    expect(bare.tryConnect(at('2'), 'liar')).toBeUndefined();
  });

  it('gives the place of a dial back that was under way to it', () => {
    const content = makeContent(16_384, 16_384);
    const bare = new BareTorrent({ content, maxPeers: 2 });
    bare.torrent.handleCandidates(0, [home], 'tracker', true);
    expect(dials(bare)).toBe(1);
    const liar = liarAt(bare, 'liar');
    lie(bare, liar);
    bare.torrent.handleDialFailed(bare.now, home);
    expect(bare.closeReasons()).toEqual(['banned']);
    const more = [other, { ...other, port: 6882 }];
    bare.torrent.handleCandidates(bare.now, more, 'tracker', true);
    expect(dials(bare)).toBe(2);
  });
});

describe('a peer that says anew what it has', () => {
  it('is asked for that, and not for what it has not', () => {
    const bare = new BareTorrent({ content: makeContent(4 * 16_384, 16_384) });
    const peer = bare.connect(home, 'peer', 'out');
    const bitfield = (bits: number) => Uint8Array.of(0, 0, 0, 2, 5, bits);
    bare.receive(peer, Buffer.concat([bitfield(0), bitfield(0x40), message(UNCHOKE)]));
    bare.runTo(1000);
    const asked = sentMessages(peer).filter(({ id }) => id === REQUEST);
    expect(asked.map(({ payload }) => payload[3])).toEqual([1]);
    bare.receive(peer, bitfield(0x60));
    bare.runTo(2000);
    const later = sentMessages(peer).filter(({ id }) => id === REQUEST);
    expect(later.map(({ payload }) => payload[3])).toEqual([1, 2]);
    expect(peer.transport.isClosed).toBe(false);
  });
});

describe('without peers', () => {
  it('asks the trackers for more when all have left at once', () => {
    const bare = new BareTorrent({ announceTiers: [['http://10.9.9.9/announce']] });
    bare.torrent.start(0);
    const announced = () => bare.effects().filter(({ type }) => type === 'announce');
    const [first] = announced();
    if (first?.type !== 'announce') throw new Error('nothing was announced');
    const response = { intervalSeconds: 1800, minIntervalSeconds: 60, peers: [] };
    bare.torrent.handleAnnounced(0, first.requestId, first.url, response);
    const peers = Array.from({ length: 40 }, (_, index) =>
      bare.connect({ address: `10.0.1.${index}`, port: 4000 }, `peer${index}`),
    );
    bare.runTo(10_000);
    const before = bare.torrent.deadline();
    for (const { peer } of peers) bare.torrent.handleClosed(bare.now, peer);
    expect(before).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(bare.torrent.deadline()).toBeLessThan(1_000_000);
    bare.effects();
    bare.now = bare.torrent.deadline();
    bare.torrent.handleTimeout(bare.now);
    expect(announced()).toHaveLength(1);
  });
});

describe('a leecher that we have only given to', () => {
  it('is not a failure', () => {
    const bare = new BareTorrent({ have: Uint8Array.of(0xf0), files: [0] });
    bare.torrent.handleCandidates(0, [home], 'user', true);
    expect(bare.effects().some(({ type }) => type === 'dial')).toBe(true);
    const leecher = bare.connect(home, 'leecher', 'out');
    bare.receive(leecher, message(2));
    bare.runTo(11_000);
    leecher.peer.up.add(bare.now, 16_384);
    const { candidate } = leecher.peer;
    if (candidate === undefined) throw new Error('it was dialled');
    candidate.failures = 3;
    bare.torrent.handleClosed(bare.now, leecher.peer);
    expect(candidate.failures).toBe(1);
  });
});

describe('a peer that the user named and that is not reached', () => {
  const unreachable = (bare: BareTorrent) =>
    bare
      .effects()
      .flatMap((effect) => (effect.type === 'event' ? [effect.event] : []))
      .filter(({ type }) => type === 'peer-unreachable');
  const failFor = (source: 'user' | 'tracker', hours: number) => {
    const bare = new BareTorrent();
    bare.torrent.start(0);
    bare.torrent.handleCandidates(0, [home], source, true);
    const told: unknown[] = [];
    for (; bare.now < hours * 3_600_000; bare.now += 1_000) {
      bare.torrent.handleTimeout(bare.now);
      bare.torrent.handleDialFailed(bare.now, home, 'refused');
      told.push(...unreachable(bare));
    }
    return told;
  };

  it('is told of at once, and ever more seldom', () => {
    const told = failFor('user', 10);
    expect(told[0]).toEqual({ type: 'peer-unreachable', ...home, message: 'refused' });
    expect(told.length).toBeGreaterThan(5);
    expect(told.length).toBeLessThan(12);
  });

  it('is told of only if it was the user who named it', () => {
    expect(failFor('tracker', 1)).toEqual([]);
  });
});
