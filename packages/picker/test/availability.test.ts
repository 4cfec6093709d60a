import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Picker } from '../src/index.ts';
import { assertInvariants } from '../src/invariants.ts';
import { stateOf } from '../src/picker.ts';
import { createRandom } from './random.ts';

function createPicker(pieceCount: number): Picker {
  return new Picker({
    pieceCount,
    blockCount: () => 1,
    random: createRandom(1),
    rarestFirst: true,
    endGame: true,
    randomFirstPieces: 0,
  });
}

function bitfield(pieceCount: number, has: (pieceIndex: number) => boolean): Uint8Array {
  const bits = new Uint8Array((pieceCount + 7) >>> 3);
  for (let p = 0; p < pieceCount; p += 1) if (has(p)) bits[p >>> 3]! |= 0x80 >>> (p & 7);
  return bits;
}

describe('availability', () => {
  test('seeds are counted apart: they touch no piece', () => {
    const picker = createPicker(100);
    const { counters } = stateOf(picker).availability;
    const seeds = Array.from({ length: 50 }, () => picker.addPeer());
    for (const seed of seeds)
      picker.peerBitfield(
        seed,
        bitfield(100, () => true),
      );
    expect(picker.availability(7)).toBe(50);
    expect(picker.rarestAvailability).toBe(50);
    expect(new Set(counters)).toEqual(new Set([0]));
    for (const seed of seeds) picker.removePeer(seed);
    expect(picker.availability(7)).toBe(0);
    assertInvariants(picker);
  });

  test('of a peer that lacks little, what it lacks is counted', () => {
    const picker = createPicker(100);
    const { counters } = stateOf(picker).availability;
    const peer = picker.addPeer();
    picker.peerBitfield(
      peer,
      bitfield(100, (p) => p !== 40),
    );
    expect(counters.filter((counter) => counter !== 0).length).toBe(1);
    expect(picker.availability(40)).toBe(0);
    expect(picker.availability(41)).toBe(1);
    assertInvariants(picker);
  });

  test('a peer that becomes a seed piece by piece is a seed', () => {
    const picker = createPicker(40);
    const peer = picker.addPeer();
    for (let p = 0; p < 40; p += 1) picker.peerHave(peer, p);
    expect(picker.isSeed(peer)).toBe(true);
    expect(picker.availability(3)).toBe(1);
    picker.peerHave(peer, 3);
    expect(picker.availability(3)).toBe(1);
    picker.removePeer(peer);
    expect(picker.availability(3)).toBe(0);
    assertInvariants(picker);
  });

  test('thousands of leechers that come, complete and go leave no trace', () => {
    const picker = createPicker(20);
    const stayer = picker.addPeer();
    picker.peerHave(stayer, 5);
    for (let i = 0; i < 3000; i += 1) {
      const peer = picker.addPeer();
      // Joined with most pieces or with few, left as a seed or not: counters and base drift apart in every way.
      if (i % 2 === 0)
        picker.peerBitfield(
          peer,
          bitfield(20, (p) => p % 5 !== i % 5),
        );
      if (i % 3 > 0) for (let p = 0; p < 20; p += 1) picker.peerHave(peer, p);
      if (i % 100 === 0) assertInvariants(picker);
      picker.removePeer(peer);
    }
    assertInvariants(picker);
    expect(picker.availability(5)).toBe(1);
    const chosen: number[] = [];
    picker.pick(stayer, 10, (p) => chosen.push(p));
    expect(chosen).toEqual([5]);
  });

  test('grows with the number of peers', () => {
    const picker = createPicker(64);
    const peers = Array.from({ length: 700 }, (_, i) => {
      const peer = picker.addPeer();
      for (let p = 0; p < 64; p += 1) if ((i * 7 + p) % 64 >= p) picker.peerHave(peer, p);
      return peer;
    });
    assertInvariants(picker);
    const rarest = Math.min(...Array.from({ length: 64 }, (_, p) => picker.availability(p)));
    expect(picker.rarestAvailability).toBe(rarest);
    for (const peer of peers.slice(0, 650)) picker.removePeer(peer);
    assertInvariants(picker);
  });

  test('a piece that became rarer when its holders left is found by those who passed it over', () => {
    const picker = createPicker(200);
    const holders = Array.from({ length: 30 }, () => picker.addPeer());
    for (const holder of holders) {
      picker.peerBitfield(
        holder,
        bitfield(200, (p) => p < 80),
      );
    }
    const [other] = [picker.addPeer()];
    for (const holder of holders) for (let p = 100; p < 120; p += 1) picker.peerHave(holder, p);
    picker.peerBitfield(
      other!,
      bitfield(200, (p) => p < 70 || p === 110 || p === 150),
    );
    const first: number[] = [];
    picker.pick(other!, 1, (p) => first.push(p));
    expect(first).toEqual([150]);
    picker.pick(other!, 1, (p) => first.push(p));
    expect(first[1]).toBe(110);
    picker.releaseRequest(other!, 110, 0);
    for (const holder of holders) picker.removePeer(holder);
    assertInvariants(picker);
    picker.pick(other!, 71, (p) => first.push(p));
    expect(new Set(first).size).toBe(72);
  });

  test('1,000 pieces at a time are searched alike by peers with few and with many pieces', () => {
    const picker = createPicker(5000);
    const few = picker.addPeer();
    const many = picker.addPeer();
    const third = picker.addPeer();
    for (let p = 0; p < 60; p += 1) picker.peerHave(few, p * 80);
    picker.peerBitfield(
      many,
      bitfield(5000, (p) => p % 2 === 0),
    );
    picker.peerBitfield(
      third,
      bitfield(5000, (p) => p % 3 === 0),
    );
    const rarestOf = (peer: number): number => {
      const list = Array.from({ length: 5000 }, (_, p) => p).filter((p) => picker.peerHas(peer, p));
      return Math.min(...list.filter((p) => !isAsked(p)).map((p) => picker.availability(p)));
    };
    const isAsked = (p: number): boolean =>
      [few, many, third].some((peer) => picker.isRequested(peer, p, 0));
    for (let i = 0; i < 60; i += 1) {
      for (const peer of [few, many, third]) {
        const rarest = rarestOf(peer);
        picker.pick(peer, 1, (p) => expect(picker.availability(p)).toBe(rarest));
      }
    }
  });
});

describe('the search for a rare piece', () => {
  const pieceCount = 150; // peers with more than 64 pieces are searched by buckets

  const step = fc.record({
    op: fc.constantFrom(
      ...[
        'have',
        'have',
        'have',
        'have',
        'pick',
        'pick',
        'pick',
        'give back',
        'give back',
        'give back',
      ],
      ...['bitfield', 'leave', 'seed', 'priority', 'lose', 'lose'],
    ),
    a: fc.nat(1_000_000),
    b: fc.nat(1_000_000),
  });

  test('finds a rarest one of the highest priority, whatever happened before', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { minLength: 60, maxLength: 150 }), search),
      { numRuns: 20 },
    );
  });

  function search(seed: number, steps: readonly { op: string; a: number; b: number }[]): void {
    const random = createRandom(seed);
    const picker = createPicker(pieceCount);
    const peers: number[] = [];
    const asked: [peer: number, piece: number][] = [];
    for (const { op, a, b } of steps) {
      if (peers.length < 8) {
        peers.push(picker.addPeer());
        const share = 0.3 + 0.6 * random();
        picker.peerBitfield(
          peers.at(-1)!,
          bitfield(pieceCount, () => random() < share),
        );
      }
      const peer = peers[a % peers.length]!;
      const p = b % pieceCount;
      if (op === 'bitfield')
        picker.peerBitfield(
          peer,
          bitfield(pieceCount, () => random() < 0.5),
        );
      else if (op === 'have') picker.peerHave(peer, p);
      else if (op === 'seed') picker.peerHaveAll(peer);
      else if (op === 'priority') picker.setPiecePriority(p, a % 7);
      else if (op === 'lose') {
        picker.markHave(p);
        if (a % 2 === 0) picker.loseHave(p);
      } else if (op === 'leave') {
        picker.removePeer(peer);
        peers.splice(peers.indexOf(peer), 1);
      } else if (op === 'give back') {
        const [from, piece] = asked.splice(a % (asked.length + 1), 1)[0] ?? [];
        if (from !== undefined && peers.includes(from)) picker.releaseRequest(from, piece!, 0);
      } else for (let i = b % 20; i >= 0; i -= 1) pickRarest(picker, peers, peer, asked);
      assertInvariants(picker);
    }
  }

  function pickRarest(
    picker: Picker,
    peers: number[],
    peer: number,
    asked: [number, number][],
  ): void {
    const fresh = [...Array(pieceCount).keys()].filter((p) => isFresh(picker, peers, peer, p));
    const top = Math.max(...fresh.map((p) => picker.piecePriority(p)));
    const best = fresh.filter((p) => picker.piecePriority(p) === top);
    const rarest = Math.min(...best.map((p) => picker.availability(p)));
    picker.pick(peer, 1, (p) => {
      if (fresh.length > 0) {
        expect(best).toContain(p);
        expect(picker.availability(p)).toBe(rarest);
      }
      asked.push([peer, p]);
    });
  }

  function isFresh(picker: Picker, peers: number[], peer: number, p: number): boolean {
    if (!picker.peerHas(peer, p) || picker.hasPiece(p) || picker.piecePriority(p) === 0)
      return false;
    return !peers.some((other) => picker.isRequested(other, p, 0));
  }

  test('knows the rarest availability after counters have drifted while nothing was fresh', () => {
    const picker = createPicker(4);
    for (let p = 0; p < 4; p += 1) picker.markHave(p);
    for (let i = 0; i < 40; i += 1) {
      const peer = picker.addPeer();
      for (let p = 0; p < 4; p += 1) picker.peerHave(peer, p);
      picker.removePeer(peer);
    }
    const seed = picker.addPeer();
    picker.peerHaveAll(seed);
    picker.loseHave(2);
    expect(picker.rarestAvailability).toBe(1);
  });
});
