import { describe, expect, test } from 'vitest';
import type { ChokerPeer } from '../src/index.ts';
import { SnubWatch } from '../src/snub.ts';
import { Swarm } from './swarm.ts';

const MINUTE = 60_000;

function peer(changes: Partial<ChokerPeer>): ChokerPeer {
  return {
    id: 1,
    interested: true,
    isUnchoked: false,
    connectedAt: 0,
    downloadRate: 0,
    uploadRate: 0,
    requestsOutstanding: true,
    ...changes,
  };
}

describe('a peer snubs us', () => {
  test('60 s after it was asked first, if no block came', () => {
    const watch = new SnubWatch();
    expect(watch.update(1000, [peer({})]).has(1)).toBe(false);
    expect(watch.update(60_999, [peer({})]).has(1)).toBe(false);
    expect(watch.update(61_000, [peer({})]).has(1)).toBe(true);
  });

  test('60 s after its last block', () => {
    const watch = new SnubWatch();
    watch.update(0, [peer({})]);
    expect(watch.update(70_000, [peer({ lastBlockAt: 30_000 })]).has(1)).toBe(false);
    expect(watch.update(90_000, [peer({ lastBlockAt: 30_000 })]).has(1)).toBe(true);
  });

  test('no more as soon as it sends a block', () => {
    const watch = new SnubWatch();
    watch.update(0, [peer({})]);
    expect(watch.update(60_000, [peer({})]).has(1)).toBe(true);
    expect(watch.update(61_000, [peer({ lastBlockAt: 60_500 })]).has(1)).toBe(false);
  });

  test('still, when our requests were given to others', () => {
    const watch = new SnubWatch();
    watch.update(0, [peer({})]);
    watch.update(60_000, [peer({})]);
    expect(watch.update(61_000, [peer({ requestsOutstanding: false })]).has(1)).toBe(true);
  });

  test('not when nothing was asked of it', () => {
    const watch = new SnubWatch();
    const idle = peer({ requestsOutstanding: false, lastBlockAt: 10 });
    watch.update(0, [idle]);
    expect(watch.update(300_000, [idle]).has(1)).toBe(false);
  });

  test('not before it was asked for 60 s on end', () => {
    const watch = new SnubWatch();
    watch.update(0, [peer({})]);
    watch.update(10_000, [peer({ requestsOutstanding: false })]);
    watch.update(50_000, [peer({})]);
    expect(watch.update(70_000, [peer({})]).has(1)).toBe(false);
    expect(watch.update(110_000, [peer({})]).has(1)).toBe(true);
  });

  test('when it used to send, has more for us, and chokes us', () => {
    const watch = new SnubWatch();
    const choking = peer({ requestsOutstanding: false, interesting: true, lastBlockAt: 1000 });
    watch.update(2000, [choking]);
    expect(watch.update(61_000, [choking]).has(1)).toBe(false);
    expect(watch.update(62_000, [choking]).has(1)).toBe(true);
  });

  test('not for an earlier peer with its id', () => {
    const watch = new SnubWatch();
    watch.update(0, [peer({})]);
    watch.update(60_000, [peer({})]);
    watch.update(61_000, []);
    expect(watch.update(62_000, [peer({})]).has(1)).toBe(false);
  });
});

describe('anti-snubbing', () => {
  const play = (antiSnubbing: boolean) => {
    const swarm = new Swarm(1, { antiSnubbing, optimisticUnchoking: antiSnubbing });
    const snubbers = Array.from({ length: 3 }, () => swarm.join(0));
    for (const snubber of snubbers) snubber.requestsOutstanding = true;
    swarm.run(2 * MINUTE);
    const waiting = Array.from({ length: 6 }, () => swarm.join(0));
    swarm.run(2 * MINUTE);
    return { swarm, snubbers, waiting };
  };

  test('gives snubbing peers optimistic slots only, several at a time', () => {
    const { swarm, snubbers } = play(true);
    for (const snubber of snubbers) expect(swarm.round().snubbed).toContain(snubber.id);
    const givers = Array.from({ length: 3 }, () => swarm.join(5000));
    for (const giver of givers) giver.unchokedAt = undefined;
    swarm.run(10 * MINUTE);
    const before = snubbers.map(({ servedMs }) => servedMs);
    swarm.run(10 * MINUTE);
    const served = snubbers.map(({ servedMs }, i) => servedMs - before[i]!);
    for (const ms of served) expect(ms).toBeLessThan(5 * MINUTE);
  });

  test('more than one optimistic slot when the regular ones are snubbing', () => {
    const swarm = new Swarm(2);
    const all = Array.from({ length: 12 }, () => swarm.join(0));
    for (const one of all) one.requestsOutstanding = true;
    swarm.run(MINUTE + 10_000);
    expect(swarm.round().snubbed.length).toBe(12);
    const before = all.map(({ turns }) => turns);
    swarm.run(3 * MINUTE);
    // 4 slots, 6 turns each, 12 peers: two turns for everybody.
    for (const [i, { turns }] of all.entries()) {
      expect(turns - before[i]!).toBeGreaterThanOrEqual(1);
      expect(turns - before[i]!).toBeLessThanOrEqual(3);
    }
  });

  test('switched off, nobody is called snubbing', () => {
    const { swarm } = play(false);
    expect(swarm.round().snubbed).toEqual([]);
  });

  test('a snubbing peer gets no free slot between rounds', () => {
    const swarm = new Swarm(3);
    const snubber = swarm.join(0);
    snubber.requestsOutstanding = true;
    swarm.run(MINUTE + 10_000);
    snubber.isUnchoked = false;
    expect(swarm.fill()).toMatchObject({ unchoke: [], snubbed: [snubber.id] });
    const other = swarm.join(0);
    expect(swarm.fill().unchoke).toEqual([other.id]);
  });

  test('does not exist while seeding', () => {
    const swarm = new Swarm(4);
    swarm.mode = 'seeding';
    swarm.join(0).requestsOutstanding = true;
    swarm.run(5 * MINUTE);
    expect(swarm.round().snubbed).toEqual([]);
  });
});
