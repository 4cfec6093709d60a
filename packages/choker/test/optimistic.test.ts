import { describe, expect, test } from 'vitest';
import type { ChokerPeer } from '../src/index.ts';
import { OptimisticRotation } from '../src/optimistic.ts';
import { createRandom } from './random.ts';
import { Swarm } from './swarm.ts';

const MINUTE = 60_000;

function peer(id: number): ChokerPeer {
  return {
    id,
    interested: true,
    isUnchoked: false,
    connectedAt: 0,
    downloadRate: 0,
    uploadRate: 0,
    requestsOutstanding: false,
  };
}

describe('the rotation', () => {
  test('a turn lasts 30 s, also when rounds come a little early', () => {
    const rotation = new OptimisticRotation(createRandom(1));
    const peers = [peer(1), peer(2), peer(3)];
    rotation.update(peers);
    const [first] = rotation.choose(5, 1, peers);
    expect(rotation.choose(10_000, 1, peers)).toEqual([first]);
    expect(rotation.choose(20_000, 1, peers)).toEqual([first]);
    expect(rotation.choose(30_000, 1, peers)).not.toEqual([first]);
  });

  test('everybody has a turn before anybody has a second one', () => {
    const rotation = new OptimisticRotation(createRandom(2));
    const peers = Array.from({ length: 9 }, (_, id) => peer(id));
    rotation.update(peers);
    const turns = Array.from({ length: 18 }, (_, i) => rotation.choose(i * 30_000, 1, peers)[0]!);
    expect(new Set(turns.slice(0, 9)).size).toBe(9);
    expect(turns.slice(9)).toEqual(turns.slice(0, 9));
  });

  test('a new peer is three times as likely to be next as to be at any other place (BEP 3)', () => {
    const random = createRandom(3);
    const places = new Array<number>(10).fill(0);
    const trials = 12_000;
    for (let i = 0; i < trials; i += 1) {
      const rotation = new OptimisticRotation(random);
      const old = Array.from({ length: 9 }, (_, id) => peer(id));
      rotation.update(old);
      const all = [...old, peer(99)];
      rotation.update(all);
      const turns = Array.from({ length: 10 }, (_, t) => rotation.choose(t * 30_000, 1, all)[0]!);
      places[turns.indexOf(99)]! += 1;
    }
    const [first, ...others] = places;
    const share = trials / 12; // nine old peers: weights 3, 1, 1, ... of 12
    expect(first! / share).toBeGreaterThan(2.8);
    expect(first! / share).toBeLessThan(3.2);
    for (const other of others) {
      expect(other / share).toBeGreaterThan(0.85);
      expect(other / share).toBeLessThan(1.15);
    }
  });

  test('a turn ends when its peer is served for another reason', () => {
    const rotation = new OptimisticRotation(createRandom(4));
    const peers = [peer(1), peer(2)];
    rotation.update(peers);
    const [first] = rotation.choose(0, 1, peers);
    const others = peers.filter(({ id }) => id !== first);
    expect(rotation.choose(10_000, 1, others)).toEqual(others.map(({ id }) => id));
  });

  test('a peer that comes back is new', () => {
    const rotation = new OptimisticRotation(() => 0); // new peers are put first
    const peers = [peer(1), peer(2), peer(3)];
    rotation.update(peers);
    expect(rotation.choose(0, 1, peers)).toEqual([3]);
    rotation.update([peer(1), peer(2)]);
    rotation.update(peers);
    expect(rotation.choose(60_000, 1, peers)).toEqual([3]);
    rotation.update(peers);
    expect(rotation.choose(90_000, 1, peers)).toEqual([2]);
  });

  test('fewer slots end the longest turns first', () => {
    const rotation = new OptimisticRotation(createRandom(5));
    const peers = [peer(1), peer(2), peer(3)];
    rotation.update(peers);
    rotation.choose(0, 1, peers);
    const both = rotation.choose(10_000, 2, peers);
    expect(both.length).toBe(2);
    expect(rotation.choose(20_000, 1, peers)).toEqual([both[1]]);
  });
});

describe('in a swarm', () => {
  // After libtorrent's simulation test of optimistic unchoking: 20 peers that all are as good, 30 minutes.
  test.each([1, 2, 3])(
    '20 peers share the unchoked time of the optimistic slot (seed %i)',
    (seed) => {
      const swarm = new Swarm(seed);
      for (let i = 0; i < 3; i += 1) swarm.join(50_000, { always: true });
      const others = Array.from({ length: 20 }, () => swarm.join(0));
      swarm.run(30 * MINUTE);
      for (const { servedMs } of others) {
        expect(servedMs).toBeGreaterThanOrEqual(60_000);
        expect(servedMs).toBeLessThanOrEqual(120_000);
      }
      expect(others.reduce((sum, { servedMs }) => sum + servedMs, 0)).toBe(30 * MINUTE);
    },
  );

  test('a peer found to be better by an optimistic turn keeps a regular slot', () => {
    const swarm = new Swarm(6);
    for (let i = 0; i < 10; i += 1) swarm.join(100);
    swarm.run(2 * MINUTE);
    const better = swarm.join(100_000);
    swarm.run(20 * MINUTE);
    const before = better.servedMs;
    swarm.run(5 * MINUTE);
    expect(better.servedMs - before).toBe(5 * MINUTE);
  });
});
