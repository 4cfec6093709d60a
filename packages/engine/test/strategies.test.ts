// Each strategy against its absence, on virtual time: the outcome has to differ in the way the strategy promises.

import { describe, expect, it } from 'vitest';
import type { Strategies } from '../src/index.ts';
import { makeContent } from './support/content.ts';
import { checkInvariants } from './support/invariants.ts';
import { type SimNode, SimSwarm } from './support/sim-swarm.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const SECOND = 1000;
const SEEDS = [11, 22, 33];

/** The mean outcome of a scenario with and without one strategy, over all seeds. */
function compare(
  name: keyof Strategies,
  scenario: (strategies: Partial<Strategies>, seed: number) => number,
): { on: number; off: number } {
  const mean = (isOn: boolean) =>
    SEEDS.reduce((sum, seed) => sum + scenario({ [name]: isOn }, seed), 0) / SEEDS.length;
  return { on: mean(true), off: mean(false) };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function connectAll(nodes: readonly SimNode[]): void {
  nodes.forEach((node, index) => {
    node.connectTo(...nodes.slice(index + 1));
  });
}

describe('strategies', () => {
  it('end game: the last blocks do not wait for the slowest peer', () => {
    const content = makeContent(8 * MiB, 256 * KiB);
    const { on, off } = compare('endGame', (strategies, seed) => {
      const swarm = new SimSwarm(content, { seed });
      const fast = swarm.addNode({ isSeed: true, lineUp: 2 * MiB, announces: false }).start();
      const slow = swarm.addNode({ isSeed: true, lineUp: 8 * KiB, announces: false }).start();
      const leecher = swarm.addNode({ strategies, announces: false }).start();
      leecher.connectTo(fast, slow);
      const tookMs = swarm.runUntilDone(120 * SECOND, [leecher]);
      checkInvariants(swarm, `end game, seed ${seed}`);
      return tookMs ?? 120 * SECOND;
    });
    expect(on).toBeLessThan(0.5 * off);
  });

  it('rarest first: what one peer alone has is fetched before it leaves', () => {
    const content = makeContent(16 * MiB, 256 * KiB);
    const rare = new Set([5, 17, 40, 61]);
    const common = range(0, 64).filter((piece) => !rare.has(piece));
    const { on, off } = compare('rarestFirst', (strategies, seed) => {
      const swarm = new SimSwarm(content, { seed });
      const holder = swarm.addNode({ isSeed: true, lineUp: MiB, announces: false }).start();
      const others = range(0, 3).map(() =>
        swarm.addNode({ have: common, lineUp: MiB, announces: false }).start(),
      );
      const leecher = swarm.addNode({ strategies, downBytesPerSecond: MiB, announces: false });
      leecher.start().connectTo(holder, ...others);
      swarm.clock.runUntil(6 * SECOND);
      holder.stop();
      swarm.clock.runUntil(60 * SECOND);
      checkInvariants(swarm, `rarest first, seed ${seed}`);
      return [...rare].filter((piece) => leecher.torrent.has(piece)).length / rare.size;
    });
    expect(on).toBe(1);
    expect(off).toBeLessThan(0.8);
  });

  it('choking: free riders get less than those who give', () => {
    const content = makeContent(32 * MiB, 256 * KiB);
    const { on, off } = compare('choking', (strategies, seed) => {
      const swarm = new SimSwarm(content, { seed });
      const give = { upBytesPerSecond: 60 * KiB, announces: false };
      const node = swarm.addNode({
        have: range(0, 64),
        strategies,
        upBytesPerSecond: 120 * KiB,
        uploadSlots: 4,
        announces: false,
      });
      const givers = range(0, 3).map(() => swarm.addNode({ have: range(64, 128), ...give }));
      const riders = range(0, 5).map(() =>
        swarm.addNode({ upBytesPerSecond: 1, announces: false }),
      );
      for (const other of [...givers, ...riders]) other.start().connectTo(node);
      node.start();
      swarm.clock.runUntil(120 * SECOND);
      checkInvariants(swarm, `choking, seed ${seed}`);
      const taken = riders.reduce((sum, rider) => sum + rider.stats.downloadedBytes, 0);
      return taken / node.stats.uploadedBytes;
    });
    expect(off).toBeGreaterThan(0.5);
    expect(on).toBeLessThan(0.6 * off);
  });

  it('optimistic unchoking: a newcomer with nothing to give gets its first piece', () => {
    const content = makeContent(32 * MiB, 256 * KiB);
    const { on, off } = compare('optimisticUnchoking', (strategies, seed) => {
      const swarm = new SimSwarm(content, { seed });
      const old = range(0, 5).map((index) =>
        swarm.addNode({
          have: range(0, 128).filter((piece) => piece % 5 === index),
          strategies,
          upBytesPerSecond: 40 * KiB,
          uploadSlots: 2,
          announces: false,
        }),
      );
      for (const node of old) node.start();
      connectAll(old);
      swarm.clock.runUntil(60 * SECOND);
      const newcomer = swarm.addNode({ announces: false }).start();
      newcomer.connectTo(...old);
      const hasFirst = swarm.clock.runWhile(() => newcomer.stats.piecesHave === 0, 240 * SECOND);
      checkInvariants(swarm, `optimistic, seed ${seed}`);
      return (hasFirst ? swarm.clock.now : 240 * SECOND) - 60 * SECOND;
    });
    expect(on).toBeLessThan(0.6 * off);
  });

  it('anti-snubbing: who takes and never sends loses its regular slot', () => {
    const content = makeContent(64 * MiB, 256 * KiB);
    const { on, off } = compare('antiSnubbing', (strategies, seed) => {
      const swarm = new SimSwarm(content, { seed });
      const node = swarm.addNode({
        have: range(0, 200),
        strategies,
        upBytesPerSecond: 100 * KiB,
        uploadSlots: 3,
        announces: false,
      });
      // They unchoke us and take our requests, and after one block nothing comes.
      const snubbers = range(0, 2).map(() =>
        swarm.addNode({ have: range(200, 256), upBytesPerSecond: 1, announces: false }),
      );
      const others = range(0, 2).map(() => swarm.addNode({ announces: false }));
      for (const other of [...snubbers, ...others]) other.start().connectTo(node);
      node.start();
      swarm.clock.runUntil(300 * SECOND);
      checkInvariants(swarm, `anti-snubbing, seed ${seed}`);
      const taken = snubbers.reduce((sum, other) => sum + other.stats.downloadedBytes, 0);
      return taken / node.stats.uploadedBytes;
    });
    expect(on).toBeLessThan(0.85 * off);
  });

  it('bbs-plus: a begun piece never waits for a slow peer, at the price of duplicates', () => {
    const content = makeContent(16 * MiB, MiB);
    const outcome = { duplicates: 0 };
    const { on, off } = compare('bbsPlus', (strategies, seed) => {
      const swarm = new SimSwarm(content, { seed });
      const fast = swarm.addNode({ isSeed: true, lineUp: 512 * KiB, announces: false }).start();
      const slow = range(0, 3).map(() =>
        swarm.addNode({ isSeed: true, lineUp: 4 * KiB, announces: false }).start(),
      );
      const leecher = swarm.addNode({ strategies, announces: false }).start();
      leecher.connectTo(...slow, fast);
      swarm.clock.runWhile(() => leecher.stats.piecesHave === 0, 120 * SECOND);
      const firstMs = swarm.clock.now;
      expect(swarm.runUntilDone(300 * SECOND, [leecher])).toBeDefined();
      if (strategies.bbsPlus === true) outcome.duplicates += leecher.stats.duplicateBytes;
      checkInvariants(swarm, `bbs-plus, seed ${seed}`);
      return firstMs;
    });
    expect(on).toBeLessThan(0.8 * off);
    expect(outcome.duplicates).toBeGreaterThan(0);
  });
});
