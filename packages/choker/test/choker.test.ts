import { describe, expect, test } from 'vitest';
import { Swarm } from './swarm.ts';

const MINUTE = 60_000;
const seeds = [1, 2, 3, 4, 5];
const plain = {
  interested: true,
  isUnchoked: false,
  connectedAt: 0,
  downloadRate: 0,
  uploadRate: 0,
  requestsOutstanding: false,
};

describe('rounds', () => {
  test('are due every 10 s, the first at once', () => {
    const swarm = new Swarm(1);
    expect(swarm.choker.deadline()).toBe(0);
    swarm.now = 500;
    swarm.round();
    expect(swarm.choker.deadline()).toBe(10_500);
  });

  test('never unchoke more interested peers than there are slots', () => {
    const swarm = new Swarm(2);
    for (let i = 0; i < 20; i += 1) swarm.join(i * 100);
    swarm.run(30 * MINUTE, () => expect(swarm.unchoked.length).toBe(4));
  });

  test('serve the best senders, apart from the optimistic slot', () => {
    const swarm = new Swarm(3);
    const peers = Array.from({ length: 20 }, (_, i) => swarm.join(i * 1000, { always: true }));
    const best = peers.slice(-3);
    swarm.run(10 * MINUTE, () => expect(best.every((peer) => peer.isUnchoked)).toBe(true));
  });

  test('choke a peer that has lost interest', () => {
    const swarm = new Swarm(4);
    const peer = swarm.join(1000);
    swarm.round();
    expect(peer.isUnchoked).toBe(true);
    peer.interested = false;
    expect(swarm.round().choke).toEqual([peer.id]);
  });

  test('forget peers that are gone', () => {
    const swarm = new Swarm(5);
    for (let i = 0; i < 200; i += 1) {
      const peer = swarm.join(1000);
      swarm.run(20_000);
      swarm.leave(peer);
    }
    const last = swarm.join(0);
    expect(swarm.round().unchoke).toEqual([last.id]);
  });

  test('decide the same again from the same seed', () => {
    const play = (): number[][] => {
      const swarm = new Swarm(6);
      for (let i = 0; i < 12; i += 1) swarm.join(i % 3);
      const decisions: number[][] = [];
      swarm.run(5 * MINUTE, ({ unchoke, choke }) => decisions.push([...unchoke], [...choke]));
      return decisions;
    };
    expect(play()).toEqual(play());
  });
});

describe('leeching', () => {
  test.each(seeds)('serves those that give in return, free riders little (seed %i)', (seed) => {
    const swarm = new Swarm(seed);
    const givers = Array.from({ length: 5 }, (_, i) => swarm.join(10_000 + i));
    const riders = Array.from({ length: 15 }, () => swarm.join(0));
    swarm.run(30 * MINUTE);
    const mean = (peers: typeof givers): number =>
      peers.reduce((sum, peer) => sum + peer.servedMs, 0) / peers.length;
    expect(mean(givers)).toBeGreaterThan(5 * mean(riders));
  });

  test('without optimistic unchoking the first that gave are served for ever', () => {
    const withTurns = new Swarm(7);
    const without = new Swarm(7, { optimisticUnchoking: false });
    for (const swarm of [withTurns, without]) {
      for (let i = 0; i < 4; i += 1) swarm.join(10);
      swarm.run(MINUTE);
      const better = swarm.join(100_000);
      swarm.run(20 * MINUTE);
      expect(better.servedMs > 0).toBe(swarm === withTurns);
      if (swarm === withTurns) expect(better.servedMs).toBeGreaterThan(10 * MINUTE);
    }
  });

  test('of peers that give nothing, one that is served keeps its slot for a turn of 30 s', () => {
    const swarm = new Swarm(21, { slots: 1, optimisticUnchoking: false });
    const first = swarm.join(0);
    swarm.round();
    const second = swarm.join(0);
    for (const [now, served] of [
      [10_000, first],
      [20_000, first],
      [30_000, second],
      [40_000, second],
      [60_000, first],
    ] as const) {
      swarm.now = now;
      swarm.round();
      expect(swarm.unchoked).toEqual([served]);
    }
  });

  test('peers that all give nothing take turns', () => {
    const swarm = new Swarm(8, { optimisticUnchoking: false });
    const peers = Array.from({ length: 12 }, () => swarm.join(0));
    swarm.run(30 * MINUTE);
    for (const peer of peers) expect(peer.servedMs).toBeGreaterThan(5 * MINUTE);
  });
});

describe('without choking', () => {
  test('everybody interested is unchoked', () => {
    const swarm = new Swarm(9, { choking: false });
    for (let i = 0; i < 60; i += 1) swarm.join(0);
    const idle = swarm.join(0, { interested: false });
    swarm.round();
    expect(swarm.unchoked.length).toBe(60);
    expect(idle.isUnchoked).toBe(false);
  });

  test('up to the cap, and nobody served is choked for a newcomer', () => {
    const swarm = new Swarm(10, { choking: false, maxUnchoked: 10 });
    const first = Array.from({ length: 10 }, () => swarm.join(0));
    swarm.round();
    for (let i = 0; i < 10; i += 1) swarm.join(10_000, { always: true });
    swarm.run(5 * MINUTE);
    expect(swarm.unchoked).toEqual(first);
  });

  test('who loses interest is not choked as long as there is room', () => {
    const swarm = new Swarm(11, { choking: false, maxUnchoked: 2 });
    const [a, b] = [swarm.join(0), swarm.join(0)];
    swarm.round();
    a.interested = false;
    expect(swarm.round().choke).toEqual([]);
    const c = swarm.join(0);
    expect(swarm.round()).toMatchObject({ unchoke: [c.id], choke: [a.id] });
    expect(b.isUnchoked).toBe(true);
  });
});

describe('seeding', () => {
  test.each(seeds)('gives everybody equal time, however fast they are (seed %i)', (seed) => {
    const swarm = new Swarm(seed);
    swarm.mode = 'seeding';
    const peers = Array.from({ length: 12 }, () => swarm.join(0));
    swarm.run(120 * MINUTE);
    const share = (120 * MINUTE * 4) / 12;
    for (const peer of peers) {
      expect(peer.servedMs).toBeGreaterThan(0.6 * share);
      expect(peer.servedMs).toBeLessThan(1.4 * share);
    }
  });

  test('with 4 slots unchokes one peer anew in two rounds of three (Legout et al. 2006)', () => {
    const swarm = new Swarm(12);
    swarm.mode = 'seeding';
    for (let i = 0; i < 12; i += 1) swarm.join(0);
    const unchoked: number[] = [];
    swarm.run(MINUTE, ({ unchoke }) => unchoked.push(unchoke.length));
    expect(unchoked).toEqual([4, 1, 1, 0, 1, 1]);
  });

  test('a new peer takes the slot of the one served longest', () => {
    const swarm = new Swarm(13);
    swarm.mode = 'seeding';
    for (let i = 0; i < 30; i += 1) swarm.join(0);
    swarm.run(5 * MINUTE);
    swarm.run(5 * MINUTE, ({ choke }) => {
      const [gone] = choke.map((id) => swarm.peers.get(id)!);
      if (gone === undefined) return;
      for (const kept of swarm.unchoked) {
        expect(kept.unchokedAt!).toBeGreaterThanOrEqual(gone.unchokedAt!);
      }
    });
  });

  test('a peer that asks for nothing is let go before one that asks', () => {
    const swarm = new Swarm(14, { slots: 2 });
    swarm.mode = 'seeding';
    for (let i = 0; i < 2; i += 1) swarm.join(0);
    swarm.round();
    swarm.now = 25_000;
    swarm.join(0);
    const idle = swarm.unchoked[0]!.id;
    const view = swarm
      .view()
      .map((peer) => ({ ...peer, hasPendingRequests: peer.id !== idle, uploadRate: 1 }));
    swarm.choker.round(15_000, [], 'seeding', { uploadRate: 0 });
    const decision = swarm.choker.round(25_000, view, 'seeding', { uploadRate: 0 });
    expect(decision.choke).toEqual([idle]);
  });

  test('a peer just unchoked is kept although it has not asked yet', () => {
    const view = (id: number, unchokedAt: number, hasPendingRequests: boolean) => ({
      ...plain,
      id,
      isUnchoked: true,
      unchokedAt,
      hasPendingRequests,
    });
    const { choker } = new Swarm(22, { slots: 1 });
    const peers = [view(1, 0, true), view(2, 15_000, false)];
    expect(choker.round(20_000, peers, 'seeding', { uploadRate: 0 }).choke).toEqual([1]);
    expect(choker.round(40_000, peers, 'seeding', { uploadRate: 0 }).choke).toEqual([2]);
  });

  test('of peers unchoked together the one we send most is kept', () => {
    const { choker } = new Swarm(23, { slots: 1 });
    const peers = [10, 30, 20].map((uploadRate, id) => ({
      ...plain,
      id,
      isUnchoked: true,
      unchokedAt: 5,
      uploadRate,
    }));
    expect(choker.round(1000, peers, 'seeding', { uploadRate: 60 }).choke).toEqual([0, 2]);
  });

  test('without optimistic unchoking nobody new is served while the slots are taken', () => {
    const swarm = new Swarm(15, { optimisticUnchoking: false });
    swarm.mode = 'seeding';
    for (let i = 0; i < 12; i += 1) swarm.join(0);
    swarm.run(10 * MINUTE);
    expect([...swarm.peers.values()].filter((peer) => peer.turns > 0).length).toBe(4);
  });
});

describe('fill', () => {
  test('unchokes a newly interested peer at once when a slot is free', () => {
    const swarm = new Swarm(16);
    swarm.round();
    const peer = swarm.join(0);
    swarm.now = 1;
    expect(swarm.fill()).toMatchObject({ unchoke: [peer.id], choke: [] });
    expect(swarm.choker.deadline()).toBe(10_000);
  });

  test.each(['leeching', 'seeding'] as const)('takes nobody’s slot while %s', (mode) => {
    const swarm = new Swarm(17);
    swarm.mode = mode;
    for (let i = 0; i < 4; i += 1) swarm.join(0);
    swarm.round();
    swarm.join(100_000, { always: true });
    expect(swarm.fill()).toMatchObject({ unchoke: [], choke: [] });
  });

  test('gives the slot of a peer that lost interest to another, which is choked at the next round', () => {
    const swarm = new Swarm(18);
    const [first] = Array.from({ length: 5 }, () => swarm.join(0));
    swarm.round();
    const served = swarm.unchoked[0]!;
    const waiting = [...swarm.peers.values()].find((peer) => !peer.isUnchoked)!;
    served.interested = false;
    expect(swarm.fill().unchoke).toEqual([waiting.id]);
    expect(swarm.round().choke).toEqual([served.id]);
    expect(first).toBeDefined();
  });

  test.each(seeds)('prefers the peer that has waited longest while seeding (seed %i)', (seed) => {
    const swarm = new Swarm(seed, { slots: 1 });
    swarm.mode = 'seeding';
    const first = swarm.join(0);
    swarm.fill();
    const second = swarm.join(0);
    first.interested = false;
    swarm.now = 1000;
    swarm.fill();
    expect(second.isUnchoked).toBe(true);
    first.isUnchoked = false;
    first.interested = true;
    second.interested = false;
    const third = swarm.join(0);
    expect(swarm.fill().unchoke).toEqual([third.id]);
  });

  test('counts as a turn that the next rounds of a seed need not begin', () => {
    const swarm = new Swarm(20);
    swarm.mode = 'seeding';
    for (let i = 0; i < 8; i += 1) swarm.join(0);
    swarm.run(30_000);
    const gone = swarm.unchoked[0]!;
    swarm.leave(gone);
    expect(swarm.fill().unchoke.length).toBe(1);
    swarm.now = 40_000;
    swarm.round(); // the round of three that begins no turn anyway
    swarm.leave(swarm.unchoked[0]!);
    expect(swarm.fill().unchoke.length).toBe(1);
    swarm.now = 50_000;
    expect(swarm.round().unchoke).toEqual([]);
    swarm.now = 60_000;
    expect(swarm.round().unchoke.length).toBe(1);
  });
});
