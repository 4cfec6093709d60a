import { describe, expect, it } from 'vitest';
import type { PeerMessage } from '../../src/index.ts';
import {
  AWAY_MS,
  MAKE_WAY_MS,
  MAX_MEMBERS_PER_NETWORK,
  MAX_POOL_MEMBERS,
  MAX_POOL_MEMBERS_PER_NETWORK,
  MAX_POOLS,
  MAX_RELAYED_PER_MEMBER,
  MAX_SEEN_ADDRESSES,
  REUNION_MS,
} from '../../src/rendezvous/rendezvous-limits.ts';
import { Bench, peerIn, peersIn, RELAYED, signal } from '../support/rendezvous-bench.ts';

describe('a pool of two', () => {
  it('puts two together: one controls, both have one key', () => {
    const server = new Bench();
    server.join('a', { address: '192.0.2.1', name: 'Ada' });
    expect(server.take('a')).toEqual([{ type: 'welcome', member: expect.any(String) }]);
    server.join('b', { address: '192.0.2.2' });
    const toA = peerIn(server.take('a'));
    const toB = peerIn(server.take('b'));
    expect(toA.seen).toEqual(['192.0.2.2']);
    expect(toB).toMatchObject({ seen: ['192.0.2.1'], name: 'Ada', kind: 'terminal' });
    expect(toA.pairKey).toEqual(toB.pairKey);
    expect(toA.isControlling).toBe(!toB.isControlling);
    expect(server.machine.statistics).toEqual({ pools: 1, members: 2, away: 0, pairs: 1 });
  });

  it('lets both begin at one time, whatever the delay', () => {
    const server = new Bench();
    server.join('near', { delayMs: 5 });
    server.join('far', { delayMs: 80 });
    expect(peerIn(server.take('near')).startInMs).toBe(75);
    expect(peerIn(server.take('far')).startInMs).toBe(0);
    server.join('slow');
    server.machine.handleDelay('slow', 100_000);
    server.join('quick');
    expect(peerIn(server.take('quick')).startInMs).toBe(5000);
  });

  it('does not put together clients of different pools', () => {
    const server = new Bench();
    server.join('a', { pool: '100' });
    server.join('b', { pool: '101' });
    expect(server.machine.statistics).toMatchObject({ pools: 2, pairs: 0 });
  });

  it('lets a third wait, and pairs it with a fourth', () => {
    const server = new Bench('a', 'b', 'c');
    expect(server.take('c')).toContainEqual({ type: 'waiting', ahead: 0 });
    server.join('d');
    expect(peerIn(server.take('c')).peer).toBe(server.member('d'));
    expect(server.take('d')).not.toContainEqual(expect.objectContaining({ type: 'waiting' }));
  });

  it('pairs who waits with whoever is left alone', () => {
    const server = new Bench('a', 'b', 'c');
    server.clear();
    server.leave('a');
    expect(server.take('b')).toEqual([
      { type: 'peer-left', peer: server.member('a'), reason: 'left' },
      expect.objectContaining({ type: 'peer', peer: server.member('c') }),
    ]);
    expect(peerIn(server.take('c')).peer).toBe(server.member('b'));
  });

  it('lets one that is left alone wait for the next', () => {
    const server = new Bench('a', 'b');
    server.leave('a');
    server.clear();
    server.join('c');
    expect(peerIn(server.take('b')).peer).toBe(server.member('c'));
  });
});

describe('a larger room', () => {
  it('pairs everybody with everybody, and lets the next wait in order', () => {
    const server = new Bench({ roomSize: 3 }, 'a', 'b', 'c');
    expect(server.machine.statistics.pairs).toBe(3);
    for (const name of ['a', 'b', 'c']) {
      expect(server.take(name).filter(({ type }) => type === 'peer')).toHaveLength(2);
    }
    server.join('d');
    server.join('e');
    expect(server.take('d')).toContainEqual({ type: 'waiting', ahead: 0 });
    expect(server.take('e')).toContainEqual({ type: 'waiting', ahead: 1 });
    server.leave('b');
    expect(server.take('d').filter(({ type }) => type === 'peer')).toHaveLength(2);
    expect(server.take('e')).toEqual([{ type: 'waiting', ahead: 0 }]);
  });

  it('has 2 to 16 members', () => {
    for (const roomSize of [0, 1, 17, 2.5, Number.NaN]) {
      expect(() => new Bench({ roomSize })).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    }
    const names = Array.from({ length: 17 }, (_, index) => `m${index}`);
    const server = new Bench({ roomSize: 16 }, ...names);
    expect(server.machine.statistics).toMatchObject({ members: 17, pairs: 120 });
  });
});

describe('a rejected partner', () => {
  it('is parted from, and both are paired with others', () => {
    const server = new Bench('a', 'stranger', 'friend');
    server.clear();
    server.reject('a', 'stranger');
    const left = (name: string) => ({
      type: 'peer-left',
      peer: server.member(name),
      reason: 'rejected',
    });
    expect(server.take('a')).toEqual([
      left('stranger'),
      expect.objectContaining({ type: 'peer', peer: server.member('friend') }),
    ]);
    expect(server.take('stranger')).toEqual([left('a'), { type: 'waiting', ahead: 0 }]);
    expect(server.reach('stranger')).toEqual({});
    server.join('d');
    expect(peerIn(server.take('stranger')).peer).toBe(server.member('d'));
  });

  it('is not met again, whoever leaves or comes back', () => {
    const server = new Bench('a', 'stranger');
    server.reject('stranger', 'a');
    server.close('a');
    server.join('a', { connection: 'a2', pairs: [] });
    server.clear();
    server.advance(60_000);
    expect(server.machine.statistics.pairs).toBe(0);
    server.join('friend');
    expect(peerIn(server.take('friend')).peer).toBe(server.member('a'));
  });

  it('stays in a larger room, for the others', () => {
    const server = new Bench({ roomSize: 4 }, 'a', 'b', 'stranger');
    server.reject('a', 'stranger');
    expect(server.machine.statistics.pairs).toBe(2);
    server.join('c');
    expect(server.machine.statistics.pairs).toBe(5);
    expect(Object.keys(server.reach('stranger')).sort()).toEqual(['b', 'c']);
  });

  it('whose last partner it was has no place in a larger room any more', () => {
    const server = new Bench({ roomSize: 3 }, 'stranger', 'a');
    server.reject('stranger', 'a');
    server.join('b');
    server.reject('stranger', 'b');
    server.clear();
    server.join('c');
    expect(peersIn(server.take('stranger'))).toEqual([]);
    expect(peersIn(server.take('c')).map(({ peer }) => peer)).toEqual([
      server.member('a'),
      server.member('b'),
    ]);
  });

  it('keeps nobody from meeting, though strangers fill the room that there is', () => {
    const server = new Bench({ roomSize: 3 }, 'a', 's1', 's2');
    server.reject('a', 's1');
    server.reject('a', 's2');
    server.join('b');
    server.reject('b', 's1');
    server.reject('b', 's2');
    expect(Object.keys(server.reach('a'))).toEqual(['b']);
    expect(Object.keys(server.reach('b'))).toEqual(['a']);
    server.clear();
    server.join('c');
    expect(peersIn(server.take('c')).map(({ peer }) => peer)).toEqual([
      server.member('a'),
      server.member('b'),
    ]);
    // Where one room is full, the next one is gone to.
    server.join('d');
    expect(peersIn(server.take('d')).map(({ peer }) => peer)).toEqual([
      server.member('s1'),
      server.member('s2'),
    ]);
  });

  it('has to be a partner', () => {
    const server = new Bench('a', 'b', 'c', 'd');
    server.reject('a', 'c');
    server.reject('a', 'a');
    server.machine.handleReject(0, 'nobody', server.member('a'));
    expect(server.machine.statistics.pairs).toBe(2);
  });
});

describe('signals', () => {
  it('go to the other of the pair, with its data as they are', () => {
    const server = new Bench('a', 'b');
    server.clear();
    server.signal('a', 'b', { kind: 'candidates', list: [1, { x: null }] });
    expect(server.take('b')).toEqual([
      {
        type: 'signal',
        peer: server.member('a'),
        number: 1,
        acknowledged: 0,
        data: { kind: 'candidates', list: [1, { x: null }] },
      },
    ]);
  });

  it('go to nobody else', () => {
    const server = new Bench('a', 'b', 'c', 'd');
    server.join('stranger', { pool: 'other' });
    server.clear();
    server.signal('a', 'c');
    server.signal('stranger', 'a');
    server.signal('a', 'a');
    server.machine.handleSignal('nobody', signal(server.member('a')));
    server.machine.handleSignal('a', signal('f'.repeat(16)));
    for (const name of ['a', 'b', 'c', 'd', 'stranger']) expect(server.take(name)).toEqual([]);
  });

  it('are not sent to who is away', () => {
    const server = new Bench('a', 'b');
    server.close('b');
    server.clear();
    server.signal('a', 'b');
    expect(server.take('b')).toEqual([]);
  });
});

describe('a broken connection', () => {
  it('keeps its place: the same member comes back, with the same key', () => {
    const server = new Bench('a', 'b');
    const before = peerIn(server.take('a'));
    const member = server.member('a');
    server.take('b');
    server.close('a');
    expect(server.take('b')).toEqual([{ type: 'peer-away', peer: member }]);
    server.advance(AWAY_MS - 1);
    server.join('a', { connection: 'a2', pairs: [before] });
    expect(server.member('a')).toBe(member);
    expect(peerIn(server.take('a'))).toEqual(before);
    expect(server.take('b')).toEqual([{ type: 'peer-back', peer: member }]);
    server.advance(10 * AWAY_MS);
    expect(server.machine.statistics).toMatchObject({ members: 2, away: 0, pairs: 1 });
  });

  it('gives the place up after a while, once', () => {
    const server = new Bench('a', 'b', 'c');
    server.close('a');
    server.clear();
    server.advance(AWAY_MS);
    expect(server.take('b')).toEqual([
      { type: 'peer-left', peer: server.member('a'), reason: 'timeout' },
      expect.objectContaining({ type: 'peer', peer: server.member('c') }),
    ]);
    server.advance(AWAY_MS);
    expect(server.take('b')).toEqual([]);
  });

  it('is closed when the same client has come by another one meanwhile', () => {
    const server = new Bench('a', 'b');
    const before = peerIn(server.take('a'));
    server.join('a', { connection: 'a2', pairs: [before] });
    expect(server.closed.get('a')).toBe('replaced');
    // What still happens to the old connection is nobody's affair any more.
    server.machine.handleClose(server.now, 'a');
    server.machine.handleLeave(server.now, 'a');
    expect(server.machine.statistics).toMatchObject({ members: 2, away: 0 });
  });

  it('of who has heard nothing of its partner begins the pair anew for both', () => {
    const server = new Bench('a', 'b');
    const before = peerIn(server.take('b'));
    server.close('a');
    server.clear();
    server.join('a', { connection: 'a2', pairs: [] });
    const toA = peerIn(server.take('a'));
    expect(toA.pairKey).not.toEqual(before.pairKey);
    expect(peerIn(server.take('b')).pairKey).toEqual(toA.pairKey);
    expect(server.machine.statistics.pairs).toBe(1);
  });

  it('of both: each finds the other away, then back', () => {
    const server = new Bench('a', 'b');
    const [toA, toB] = [peerIn(server.take('a')), peerIn(server.take('b'))];
    server.close('a');
    server.close('b');
    server.clear();
    server.join('a', { connection: 'a2', pairs: [toA] });
    expect(server.take('a').map(({ type }) => type)).toEqual(['welcome', 'peer', 'peer-away']);
    server.join('b', { connection: 'b2', pairs: [toB] });
    expect(server.take('a')).toEqual([{ type: 'peer-back', peer: server.member('b') }]);
    expect(peerIn(server.take('b')).pairKey).toEqual(toA.pairKey);
  });

  it('of one that waits: it is told again how many are before it', () => {
    const server = new Bench('a', 'b', 'c');
    server.close('c');
    server.clear();
    server.join('c', { connection: 'c2', pairs: [] });
    expect(server.take('c')).toContainEqual({ type: 'waiting', ahead: 0 });
    server.clear();
    server.join('c', { connection: 'c3', pairs: [] });
    expect(server.take('c')).toContainEqual({ type: 'waiting', ahead: 0 });
  });

  it('of one that waits: it is paired with nobody until it is back', () => {
    const server = new Bench('a', 'b', 'c');
    server.close('c');
    server.join('d');
    expect(server.machine.statistics.pairs).toBe(1);
    server.join('c', { connection: 'c2', pairs: [] });
    expect(server.machine.statistics.pairs).toBe(2);
  });
});

describe('a restart of the server', () => {
  /** Everybody as they were before it: what each was told of its peers. */
  function before(...names: string[]): Map<string, PeerMessage[]> {
    const server = new Bench(...names);
    return new Map(names.map((name) => [name, peersIn(server.take(name))]));
  }

  it('keeps pairs with their keys and roles, whoever comes first', () => {
    const told = before('a', 'b');
    const server = new Bench();
    server.join('b', { pairs: told.get('b')! });
    server.join('a', { pairs: told.get('a')! });
    const [old] = told.get('a')!;
    expect(peerIn(server.take('a'))).toEqual({ ...old, peer: server.member('b') });
    expect(server.member('b')).not.toBe(old!.peer);
  });

  it('keeps a pair although others come in between', () => {
    const told = before('a', 'b', 'c');
    const server = new Bench();
    server.join('a', { pairs: told.get('a')! });
    server.join('c', { pairs: [] });
    server.join('fresh');
    expect(server.machine.statistics.pairs).toBe(0);
    server.join('b', { pairs: told.get('b')! });
    expect(peerIn(server.take('a'))).toMatchObject({ pairKey: told.get('a')![0]!.pairKey });
    expect(server.take('a')).not.toContainEqual(expect.objectContaining({ type: 'waiting' }));
    server.advance(MAKE_WAY_MS);
    expect(peerIn(server.take('c')).peer).toBe(server.member('fresh'));
  });

  it('lets who was alone make way only while the pool has just begun', () => {
    const server = new Bench();
    server.join('first');
    server.advance(MAKE_WAY_MS - 1);
    server.join('c', { pairs: [] });
    expect(server.machine.statistics.pairs).toBe(0);
    server.advance(1);
    expect(server.machine.statistics.pairs).toBe(1);
    const old = new Bench();
    old.join('first');
    old.advance(MAKE_WAY_MS);
    old.join('c', { pairs: [] });
    expect(old.machine.statistics.pairs).toBe(1);
  });

  it('keeps nobody free for ever', () => {
    const told = before('a', 'b');
    const server = new Bench();
    server.join('a', { pairs: told.get('a')! });
    server.join('c');
    server.advance(REUNION_MS - 1);
    expect(server.machine.statistics.pairs).toBe(0);
    server.advance(1);
    expect(server.machine.statistics.pairs).toBe(1);
    server.join('b', { pairs: told.get('b')! });
    expect(server.take('b')).not.toContainEqual(expect.objectContaining({ type: 'peer' }));
    server.advance(REUNION_MS);
    expect(server.take('b')).toContainEqual({ type: 'waiting', ahead: 0 });
  });

  it('makes a new key where only one side knows of the pair, or each another', () => {
    const told = before('a', 'b');
    for (const pairs of [[], [{ ...told.get('b')![0]!, pairKey: new Uint8Array(32) }]]) {
      const server = new Bench();
      server.join('a', { pairs: told.get('a')! });
      server.join('b', { pairs });
      server.advance(REUNION_MS);
      const { pairKey } = peerIn(server.take('a'));
      expect(pairKey).not.toEqual(told.get('a')![0]!.pairKey);
      expect(pairKey).not.toEqual(new Uint8Array(32));
      expect(peerIn(server.take('b')).pairKey).toEqual(pairKey);
    }
  });

  it('gives no precedence for what one side alone says', () => {
    const server = new Bench('a', 's0', 'b');
    const { clientTag } = peerIn(server.take('s0'));
    const claim = { pairs: [{ clientTag, pairKey: new Uint8Array(32) }] };
    server.join('s1', claim);
    server.join('s2', claim);
    server.clear();
    server.reject('a', 's0');
    expect(peerIn(server.take('a')).peer).toBe(server.member('b'));
  });

  it('keeps no places in a larger room for what one side alone says later on', () => {
    const claim = (name: string) => ({ ...before('x', name).get('x')![0]! });
    const server = new Bench({ roomSize: 3 }, 'a');
    server.advance(REUNION_MS);
    server.join('stranger', { pairs: [claim('m'), claim('n')] });
    server.join('b');
    expect(server.machine.statistics.pairs).toBe(3);
    // Nor before others that wait.
    server.join('c');
    server.join('s2', { pairs: [claim('a')] });
    server.clear();
    server.leave('b');
    expect(peersIn(server.take('c'))).toHaveLength(2);
    expect(peersIn(server.take('s2'))).toEqual([]);
  });

  it('keeps the places of a larger room for those who had them', () => {
    const names = ['a', 'b', 'c'];
    const first = new Bench({ roomSize: 3 }, ...names);
    const told = new Map(names.map((name) => [name, peersIn(first.take(name))]));
    const server = new Bench({ roomSize: 3 });
    server.join('waiting', { pairs: [] });
    server.join('a', { pairs: told.get('a')! });
    server.join('fresh');
    server.join('c', { pairs: told.get('c')! });
    server.join('b', { pairs: told.get('b')! });
    expect(server.machine.statistics.pairs).toBe(3);
    const keys = peersIn(server.take('b')).map(({ pairKey }) => pairKey);
    expect(keys).toEqual(expect.arrayContaining(told.get('b')!.map(({ pairKey }) => pairKey)));
    server.advance(REUNION_MS);
    expect(server.take('waiting')).toContainEqual({ type: 'waiting', ahead: 0 });
  });

  it('lets the others into a larger room when those who had a place do not come', () => {
    const first = new Bench({ roomSize: 3 }, 'a', 'b', 'c');
    const server = new Bench({ roomSize: 3 });
    server.join('a', { pairs: peersIn(first.take('a')) });
    server.join('fresh');
    server.advance(REUNION_MS - 1);
    expect(server.machine.statistics.pairs).toBe(0);
    server.advance(1);
    expect(server.machine.statistics.pairs).toBe(1);
  });

  it('keeps pairs that are only told of later, over the same connection', () => {
    const server = new Bench('a', 'b');
    const [toA, toB] = [peerIn(server.take('a')), peerIn(server.take('b'))];
    server.close('b');
    server.advance(AWAY_MS);
    server.clear();
    server.join('a', { pairs: [toA] });
    expect(server.closed.size).toBe(0);
    server.join('b', { connection: 'b2', pairs: [toB] });
    expect(peerIn(server.take('a'))).toEqual({ ...toA, peer: server.member('b') });
  });
});

describe('what the relay may carry', () => {
  it('is, between two of a room, to all addresses that each was seen at or has allocated', () => {
    const server = new Bench();
    server.join('a', { address: '192.0.2.1' });
    server.join('b', { address: '192.0.2.2' });
    expect(server.reach('a')).toEqual({ b: ['192.0.2.2'] });
    expect(server.reach('b')).toEqual({ a: ['192.0.2.1'] });
    server.machine.handleSeen(server.member('b'), '198.51.100.7');
    server.machine.handleAllocation(server.member('b'), RELAYED, true);
    expect(server.reach('a')).toEqual({ b: ['192.0.2.2', '198.51.100.7', '127.0.0.1:50000'] });
    server.machine.handleAllocation(server.member('b'), RELAYED, false);
    expect(server.reach('a')).toEqual({ b: ['192.0.2.2', '198.51.100.7'] });
    expect(server.reach('b')).toEqual({ a: ['192.0.2.1'] });
  });

  it('is nothing before there is a pair, and nothing behind it', () => {
    const server = new Bench('a', 'b', 'c');
    expect(server.reach('c')).toEqual({});
    server.leave('b');
    expect(Object.keys(server.reach('a'))).toEqual(['c']);
    expect(server.left).toEqual(new Set([server.member('b')]));
  });

  it('goes on while one is away', () => {
    const server = new Bench('a', 'b');
    server.close('a');
    expect(Object.keys(server.reach('a'))).toEqual(['b']);
    server.advance(AWAY_MS);
    expect(server.reach('a')).toEqual({});
    expect(server.reach('b')).toEqual({});
    expect(server.left).toEqual(new Set([server.member('a')]));
  });

  it('is told to the other once for each address', () => {
    const server = new Bench('a', 'b');
    server.clear();
    server.machine.handleSeen(server.member('a'), '198.51.100.7');
    server.machine.handleSeen(server.member('a'), '198.51.100.7');
    const seen = ['192.0.2.9', '198.51.100.7'];
    expect(server.take('b')).toEqual([{ type: 'peer-seen', peer: server.member('a'), seen }]);
  });

  it('is bounded, the latest being kept', () => {
    const server = new Bench('a', 'b');
    for (let n = 0; n < 200; n++) {
      server.machine.handleSeen(server.member('b'), `198.51.100.${n}`);
      const relayed = { address: '127.0.0.1', port: 50_000 + n };
      server.machine.handleAllocation(server.member('b'), relayed, true);
    }
    const { b } = server.reach('a');
    expect(b).toHaveLength(MAX_SEEN_ADDRESSES + MAX_RELAYED_PER_MEMBER);
    expect(b).toContain('198.51.100.199');
    expect(b).toContain('127.0.0.1:50199');
    expect(b).not.toContain('198.51.100.0');
  });

  it('does not change by what is told of strangers', () => {
    const server = new Bench('a');
    server.machine.handleSeen('f'.repeat(16), '192.0.2.1');
    server.machine.handleAllocation('f'.repeat(16), RELAYED, true);
    expect(server.reach('a')).toEqual({});
  });
});

describe('caps', () => {
  it('on members of a pool, of one address in a pool, and of one address', () => {
    const server = new Bench();
    for (let n = 0; n < MAX_POOL_MEMBERS; n++) {
      server.join(`m${n}`, { address: `192.0.2.${1 + (n % 2)}` });
    }
    server.join('more', { address: '192.0.2.3' });
    expect(server.closed).toEqual(new Map([['more', 'full']]));

    const crowd = new Bench();
    for (let n = 0; n <= MAX_POOL_MEMBERS_PER_NETWORK; n++) crowd.join(`m${n}`);
    expect(crowd.closed).toEqual(new Map([[`m${MAX_POOL_MEMBERS_PER_NETWORK}`, 'crowded']]));

    const spread = new Bench();
    for (let n = 0; n <= MAX_MEMBERS_PER_NETWORK; n++) {
      // One subscriber has all addresses of a /64.
      spread.join(`m${n}`, { pool: `pool ${n}`, address: `2001:db8::${n.toString(16)}` });
    }
    expect(spread.closed).toEqual(new Map([[`m${MAX_MEMBERS_PER_NETWORK}`, 'crowded']]));
    spread.leave('m0');
    spread.join('again', { pool: 'x', address: '2001:db8::1' });
    expect(spread.closed.size).toBe(1);
  });

  it('on pools', () => {
    const server = new Bench();
    for (let n = 0; n <= MAX_POOLS; n++) {
      server.join(`m${n}`, { pool: `pool ${n}`, address: `10.${n >> 8}.${n & 255}.1` });
    }
    expect(server.closed).toEqual(new Map([[`m${MAX_POOLS}`, 'full']]));
    server.leave('m0');
    expect(server.ended).toEqual(['pool 0']);
    server.join('again', { pool: 'new', address: '10.0.0.1' });
    expect(server.machine.statistics.pools).toBe(MAX_POOLS);
  });
});

describe('wrong joins', () => {
  it('of another version are refused', () => {
    const server = new Bench();
    server.join('a', { version: 2 });
    expect(server.closed.get('a')).toBe('version');
    expect(server.machine.statistics.members).toBe(0);
  });

  it('to a second pool over one connection are refused', () => {
    const server = new Bench('a');
    server.join('a', { pool: 'other' });
    expect(server.closed.get('a')).toBe('invalid-message');
  });
});

it('a pool that is dropped leaves nothing behind', () => {
  const server = new Bench('a', 'b', 'c');
  server.close('c');
  expect(server.machine.connectionsOf('100')).toEqual(['a', 'b']);
  server.machine.dropPool('100');
  server.machine.dropPool('100');
  server.drain();
  expect(server.machine.statistics).toEqual({ pools: 0, members: 0, away: 0, pairs: 0 });
  expect(server.machine.deadline()).toBe(Number.POSITIVE_INFINITY);
  expect(server.reach('a')).toEqual({});
});
