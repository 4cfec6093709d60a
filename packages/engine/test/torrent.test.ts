import { describe, expect, it } from 'vitest';
import { makeContent } from './support/content.ts';
import { SimSwarm } from './support/sim-swarm.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('a torrent on virtual time', () => {
  it('downloads from a seed it was told of', () => {
    const swarm = new SimSwarm(makeContent(3 * MiB + 12_345, 256 * KiB));
    const seed = swarm.addNode({ isSeed: true }).start();
    const leecher = swarm.addNode().start();
    leecher.connectTo(seed);
    const tookMs = swarm.runUntilDone(60_000);
    expect(tookMs).toBeLessThan(5_000);
    expect(leecher.disk.written.size).toBe(13);
    expect(leecher.stats.duplicateBytes).toBe(0);
    expect(seed.stats.uploadedBytes).toBe(3 * MiB + 12_345);
  });

  it('counts a piece as in flight from its first block until it is written', () => {
    const options = { announces: false };
    const swarm = new SimSwarm(makeContent(3 * 256 * KiB, 256 * KiB));
    const seed = swarm.addNode({ ...options, isSeed: true, lineUp: 256 * KiB }).start();
    const leecher = swarm.addNode({ ...options, diskDelayMs: 60_000 }).start();
    expect(leecher.stats.piecesInFlight).toBe(0);
    leecher.connectTo(seed);
    swarm.clock.runWhile(() => leecher.stats.downloadedBytes === 0, 10_000);
    expect(leecher.stats.piecesInFlight).toBe(1);
    swarm.clock.runUntil(30_000);
    expect(leecher.stats).toMatchObject({ piecesHave: 0, piecesInFlight: 3 });
    swarm.runUntilDone(100_000);
    expect(leecher.stats).toMatchObject({ piecesHave: 3, piecesInFlight: 0 });
  });
});
