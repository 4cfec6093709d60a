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
});
