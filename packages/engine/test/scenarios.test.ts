// Whole swarms of the real engine on virtual time, each from a seed that is printed when it fails.

import { StorageError } from '@bt/storage';
import { describe, expect, it } from 'vitest';
import { makeContent } from './support/content.ts';
import { checkInvariants, stopAll } from './support/invariants.ts';
import { type SimNode, SimSwarm } from './support/sim-swarm.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const SECOND = 1000;
const content = makeContent(6 * MiB, 128 * KiB);

function banned(node: SimNode): string[] {
  return node.events.flatMap((event) => (event.type === 'peer-banned' ? [event.address] : []));
}

describe.each([1, 2, 3])('with seed %i', (seed) => {
  it('bans the one peer that lies now and then, and nobody else', () => {
    const swarm = new SimSwarm(content, { seed });
    const isWrong = (piece: number, offset: number) => piece % 3 === 0 && offset === 65_536;
    const liar = swarm.addNode({ isSeed: true, isWrong, lineUp: 500 * KiB, announces: false });
    const honest = [0, 1, 2].map(() =>
      swarm.addNode({ isSeed: true, lineUp: 300 * KiB, announces: false }).start(),
    );
    const leecher = swarm.addNode({ announces: false }).start();
    leecher.connectTo(liar.start(), ...honest);
    expect(swarm.runUntilDone(120 * SECOND, [leecher])).toBeDefined();
    swarm.clock.runUntil(swarm.clock.now + 5 * SECOND);
    expect(new Set(banned(leecher))).toEqual(new Set([liar.endpoint.address]));
    expect(leecher.stats.rejectedBytes).toBeGreaterThan(0);
    checkInvariants(swarm, `liar, seed ${seed}`);
    stopAll(swarm, `liar, seed ${seed}`);
  });

  it('bans a sole sender of wrong data at once', () => {
    const swarm = new SimSwarm(content, { seed });
    const liar = swarm.addNode({ isSeed: true, isWrong: () => true, announces: false }).start();
    const leecher = swarm.addNode({ announces: false }).start();
    leecher.connectTo(liar);
    swarm.clock.runUntil(20 * SECOND);
    expect(banned(leecher)).toEqual([liar.endpoint.address]);
    expect(leecher.stats.peersConnected).toBe(0);
    expect(leecher.stats.piecesHave).toBe(0);
  });

  it('completes while peers come and go', () => {
    const swarm = new SimSwarm(content, { seed });
    swarm.addNode({ isSeed: true, lineUp: 400 * KiB }).start();
    const stayers = [0, 1, 2, 3].map(() => swarm.addNode({ lineUp: 200 * KiB }).start());
    const leave = (node: SimNode, afterMs: number) =>
      swarm.clock.after(afterMs, () => {
        if (!node.isStopped) node.stop();
      });
    for (let i = 0; i < 10; i += 1) {
      swarm.clock.after(i * 1500, () => {
        const guest = swarm.addNode({ lineUp: 200 * KiB }).start();
        leave(guest, 2000 + 6000 * swarm.random());
      });
    }
    expect(swarm.runUntilDone(300 * SECOND, stayers)).toBeDefined();
    checkInvariants(swarm, `churn, seed ${seed}`);
  });

  it('tells the rates of the last seconds', () => {
    const swarm = new SimSwarm(content, { seed });
    const source = swarm.addNode({ isSeed: true, lineUp: 200 * KiB, announces: false }).start();
    const leecher = swarm.addNode({ announces: false }).start();
    leecher.connectTo(source);
    swarm.clock.runUntil(12 * SECOND);
    for (const rate of [leecher.stats.downRate, source.stats.upRate]) {
      expect(rate).toBeGreaterThan(150 * KiB);
      expect(rate).toBeLessThan(250 * KiB);
    }
    leecher.host.goOfflineFor(60 * SECOND);
    swarm.clock.runUntil(18 * SECOND);
    expect(leecher.stats.downRate).toBe(0);
    stopAll(swarm, `rates, seed ${seed}`);
  });

  it('goes on after the network was cut for a minute', () => {
    const swarm = new SimSwarm(content, { seed });
    const source = swarm.addNode({ isSeed: true, lineUp: 300 * KiB }).start();
    const leecher = swarm.addNode({ announces: false }).start();
    leecher.connectTo(source);
    swarm.clock.runUntil(5 * SECOND);
    leecher.host.goOfflineFor(60 * SECOND);
    expect(swarm.runUntilDone(200 * SECOND, [leecher])).toBeLessThan(130 * SECOND);
    checkInvariants(swarm, `cut, seed ${seed}`);
  });

  it('waits for a full disk and goes on, and seeds meanwhile', () => {
    const swarm = new SimSwarm(content, { seed });
    const source = swarm.addNode({ isSeed: true, lineUp: MiB }).start();
    const leecher = swarm.addNode({ announces: false, bufferBytes: MiB }).start();
    leecher.connectTo(source);
    swarm.clock.runUntil(2 * SECOND);
    leecher.disk.isRepaired = false;
    leecher.disk.stall(new StorageError('no-space', 'no space left'));
    swarm.clock.runUntil(30 * SECOND);
    expect(leecher.stats.state).toBe('paused');
    expect(leecher.torrent.isDone).toBe(false);
    leecher.disk.isRepaired = true;
    expect(swarm.runUntilDone(60 * SECOND, [leecher])).toBeDefined();
    expect(leecher.stats.state).toBe('seeding');
    checkInvariants(swarm, `disk, seed ${seed}`);
  });

  it('does not wait for a peer that stops sending', () => {
    const swarm = new SimSwarm(content, { seed });
    const source = swarm.addNode({ isSeed: true, lineUp: MiB, announces: false }).start();
    const silent = swarm.addNode({ isSeed: true, lineUp: 500 * KiB, announces: false }).start();
    const leecher = swarm.addNode({ announces: false }).start();
    leecher.connectTo(source, silent);
    swarm.clock.runUntil(1.5 * SECOND);
    for (const stream of silent.host.streams) stream.stallUntil(600 * SECOND);
    expect(swarm.runUntilDone(100 * SECOND, [leecher])).toBeLessThan(10 * SECOND);
    checkInvariants(swarm, `silent, seed ${seed}`);
  });

  it('keeps to its limits in both directions', () => {
    const swarm = new SimSwarm(content, { seed });
    const source = swarm.addNode({ isSeed: true, upBytesPerSecond: 400 * KiB }).start();
    const leecher = swarm.addNode({ downBytesPerSecond: 250 * KiB }).start();
    leecher.connectTo(source);
    swarm.clock.runUntil(10 * SECOND);
    expect(leecher.stats.downloadedBytes).toBeGreaterThan(0.85 * 10 * 250 * KiB);
    expect(leecher.stats.downloadedBytes).toBeLessThan(1.15 * 10 * 250 * KiB);
  });

  it('does the same again from the same seed', () => {
    const run = () => {
      const swarm = new SimSwarm(content, { seed });
      swarm.addNode({ isSeed: true, upBytesPerSecond: MiB }).start();
      for (let i = 0; i < 3; i += 1) swarm.addNode({ lineUp: MiB }).start();
      const tookMs = swarm.runUntilDone(100 * SECOND);
      return [tookMs, swarm.clock.steps, ...swarm.nodes.map((node) => node.stats.uploadedBytes)];
    };
    expect(run()).toEqual(run());
  });
});
