import { describe, expect, it } from 'vitest';
import { DhtSchedule } from '../../src/discovery/dht-schedule.ts';
import { DHT_FIRST_PAUSE_MS, DHT_INTERVAL_MS, DHT_LONGEST_PAUSE_MS } from '../../src/limits.ts';
import { BareTorrent } from '../support/bare-torrent.ts';
import { makeContent } from '../support/content.ts';
import { SimSwarm } from '../support/sim-swarm.ts';

const exact = () => 0;

/** Begins the lookup that is due, and ends it at once. */
function lookUp(schedule: DhtSchedule): number {
  const now = schedule.deadline();
  expect(schedule.take(now)).toBe(true);
  schedule.ended(now, false);
  return now;
}

describe('lookups in the DHT', () => {
  it('begin with the torrent, one at a time', () => {
    const schedule = new DhtSchedule(exact);
    expect(schedule.deadline()).toBe(Number.POSITIVE_INFINITY);
    expect(schedule.take(1e9)).toBe(false);
    schedule.start(5);
    expect(schedule.deadline()).toBe(5);
    expect(schedule.take(4)).toBe(false);
    expect(schedule.take(5)).toBe(true);
    expect(schedule.take(1e9)).toBe(false);
    expect(schedule.deadline()).toBe(Number.POSITIVE_INFINITY);
    schedule.ended(100, false);
    expect(schedule.deadline()).toBe(100 + DHT_INTERVAL_MS);
  });

  it('come at their regular pace when nothing is lacking', () => {
    const schedule = new DhtSchedule(exact);
    schedule.start(0);
    expect([lookUp(schedule), lookUp(schedule), lookUp(schedule)]).toEqual([
      0,
      DHT_INTERVAL_MS,
      2 * DHT_INTERVAL_MS,
    ]);
  });

  it('come sooner when nobody has answered, with growing pauses, and at their pace afterwards', () => {
    const schedule = new DhtSchedule(exact);
    schedule.start(0);
    const failed = () => {
      const now = schedule.deadline();
      expect(schedule.take(now)).toBe(true);
      schedule.ended(now, true);
      return schedule.deadline() - now;
    };
    const pauses = Array.from({ length: 8 }, failed);
    expect(pauses.slice(0, 3)).toEqual([30_000, 60_000, 120_000]);
    expect(pauses.at(-1)).toBe(DHT_LONGEST_PAUSE_MS);
    const now = lookUp(schedule);
    expect(schedule.deadline()).toBe(now + DHT_INTERVAL_MS);
  });

  it('come sooner while peers are lacking, with growing pauses', () => {
    const schedule = new DhtSchedule(exact);
    schedule.start(0);
    schedule.peersNeeded(true);
    const times = Array.from({ length: 8 }, () => lookUp(schedule));
    const pauses = times.slice(1).map((time, index) => time - times[index]!);
    expect(pauses.slice(0, 3)).toEqual([30_000, 60_000, 120_000]);
    expect(pauses.at(-1)).toBe(DHT_LONGEST_PAUSE_MS);
    expect(Math.max(...pauses)).toBe(DHT_LONGEST_PAUSE_MS);
  });

  it('are brought forward when peers begin to lack, and put off when they don’t any more', () => {
    const schedule = new DhtSchedule(exact);
    schedule.start(0);
    lookUp(schedule);
    schedule.peersNeeded(true);
    expect(schedule.deadline()).toBe(DHT_FIRST_PAUSE_MS);
    schedule.peersNeeded(false);
    expect(schedule.deadline()).toBe(DHT_INTERVAL_MS);
  });

  it('don’t become frequent because the need comes and goes', () => {
    const schedule = new DhtSchedule(exact);
    schedule.start(0);
    schedule.peersNeeded(true);
    lookUp(schedule);
    lookUp(schedule);
    lookUp(schedule);
    const before = schedule.deadline();
    schedule.peersNeeded(false);
    schedule.peersNeeded(true);
    expect(schedule.deadline()).toBe(before);
    schedule.peersNeeded(false);
    lookUp(schedule);
    schedule.peersNeeded(true);
    const last = schedule.deadline();
    expect(lookUp(schedule)).toBe(last);
    expect(schedule.deadline() - last).toBe(2 * DHT_FIRST_PAUSE_MS);
  });

  it('are spread by a fifth', () => {
    const schedule = new DhtSchedule(() => 0.999);
    schedule.start(0);
    lookUp(schedule);
    expect(schedule.deadline() / DHT_INTERVAL_MS).toBeCloseTo(0.8);
  });

  it('end with the torrent, also while one is under way', () => {
    const schedule = new DhtSchedule(exact);
    schedule.start(0);
    expect(schedule.take(0)).toBe(true);
    schedule.stop();
    schedule.ended(1, false);
    schedule.peersNeeded(true);
    expect(schedule.deadline()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a peer’s DHT node (BEP 5 `port`)', () => {
  it('is passed on once a connection, at the address of the peer', () => {
    const bare = new BareTorrent({ dhtPort: 6881 });
    const peer = bare.connect({ address: '1.1.1.1', port: 40_000 }, 'peer', 'in', { dht: true });
    const port = (number: number) => Uint8Array.of(0, 0, 0, 3, 9, number >> 8, number & 255);
    bare.effects();
    bare.receive(peer, port(0));
    expect(bare.effects()).toEqual([]);
    bare.receive(peer, Buffer.concat([port(7000), port(7001), port(7002)]));
    const endpoint = { address: '1.1.1.1', port: 7000 };
    expect(bare.effects()).toEqual([{ type: 'dht-node', endpoint }]);
  });
});

describe('torrents on virtual time', () => {
  const content = makeContent(2 ** 20, 65_536);
  const options = { announces: false, dht: true };

  it('find each other through the DHT alone', () => {
    const swarm = new SimSwarm(content);
    swarm.addNode({ ...options, isSeed: true }).start();
    const leecher = swarm.addNode(options);
    swarm.clock.after(5_000, () => leecher.start());
    expect(swarm.runUntilDone(60_000)).toBeLessThan(10_000);
    expect(leecher.stats.peerSources.dht.known).toBe(1);
    expect(leecher.events.find(({ type }) => type === 'peer')).toMatchObject({ source: 'dht' });
  });

  it('ask again when the first answer had nobody', () => {
    const swarm = new SimSwarm(content);
    const leecher = swarm.addNode(options).start();
    swarm.clock.runUntil(5_000);
    swarm.announcedToDht.length = 0;
    swarm.addNode({ ...options, isSeed: true }).start();
    expect(swarm.runUntilDone(60_000)).toBeLessThan(40_000);
    expect(leecher.lookupsMs.length).toBeLessThanOrEqual(2);
  });

  it('tell each other of their nodes', () => {
    const swarm = new SimSwarm(content);
    const one = swarm.addNode({ ...options, isSeed: true }).start();
    const other = swarm
      .addNode({ ...options })
      .connectTo(one)
      .start();
    const without = swarm.addNode({ announces: false }).connectTo(one).start();
    expect(swarm.runUntilDone(60_000)).toBeDefined();
    expect(one.nodesTold).toEqual([other.endpoint]);
    expect(other.nodesTold).toEqual([one.endpoint]);
    expect(without.nodesTold).toEqual([]);
  });
});
