import { Picker } from '@bt/picker';
import { describe, expect, it, vi } from 'vitest';
import { RateLimit } from '../src/index.ts';
import { BareTorrent } from './support/bare-torrent.ts';
import { makeContent } from './support/content.ts';
import { checkInvariants, stopAll } from './support/invariants.ts';
import { type NodeOptions, SimSwarm } from './support/sim-swarm.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const RATE = 4 * MiB;

/** A seed of 4 MiB/s and some leechers with fast lines. */
function spread(bytes: number, pieceLength: number, leechers: number, options: NodeOptions = {}) {
  const swarm = new SimSwarm(makeContent(bytes, pieceLength), { seed: 5, latencyMs: 10 });
  const seed = swarm.addNode({ isSeed: true, upBytesPerSecond: RATE }).start();
  const nodes = Array.from({ length: leechers }, () =>
    swarm.addNode({ lineUp: 50 * MiB, lineDown: 50 * MiB, ...options }).start(),
  );
  return { swarm, seed, nodes, boundMs: (bytes / RATE) * 1000 };
}

describe('a seed with a limited upload', () => {
  it.each([
    [256 * KiB, 6],
    [MiB, 6],
    [128 * KiB, 12],
  ])('sends pieces of %i bytes about once to spread them to %i peers', (pieceLength, leechers) => {
    const { swarm, seed, boundMs } = spread(16 * MiB, pieceLength, leechers);
    const tookMs = swarm.runUntilDone(120_000);
    expect(tookMs).toBeLessThan(1.15 * boundMs);
    expect(seed.stats.uploadedBytes).toBeLessThan(1.1 * 16 * MiB);
    checkInvariants(swarm, 'spreading');
    stopAll(swarm, 'spreading');
  });

  it('serves one peer alone at its full rate', () => {
    const { swarm, boundMs } = spread(16 * MiB, 256 * KiB, 1);
    expect(swarm.runUntilDone(120_000)).toBeLessThan(1.2 * boundMs);
  });

  it('gives a peer that is alone what it reads first, within two seconds', () => {
    const { swarm, nodes } = spread(30 * MiB, 256 * KiB, 1);
    const [node] = nodes;
    let cameMs: number | undefined;
    node!.onChunk = () => {
      cameMs ??= swarm.clock.now;
    };
    node!.act(() => {
      const { torrent } = node!;
      torrent.pull(
        swarm.clock.now,
        torrent.openReader(swarm.clock.now, 0, 30 * MiB - 1_000, 1_000),
      );
    });
    swarm.clock.runUntil(10_000);
    expect(cameMs).toBeLessThan(2_000);
  });

  it('gives a few files to whoever wants no others, also beside peers that want all', () => {
    const content = makeContent(32 * MiB, 256 * KiB, { files: [32 * MiB - 45 * KiB, 45 * KiB] });
    const swarm = new SimSwarm(content, { seed: 5, latencyMs: 10 });
    swarm.addNode({ isSeed: true, upBytesPerSecond: RATE }).start();
    const line = { lineUp: 50 * MiB, lineDown: 50 * MiB };
    for (let others = 0; others < 3; others += 1) swarm.addNode(line).start();
    const node = swarm.addNode({ ...line, files: [1], announces: true }).start();
    expect(swarm.runUntilDone(20_000, [node])).toBeLessThan(4_000);
  });

  it('does not say that it is a seed, since libtorrent closes seeds that show nothing', () => {
    const { swarm, nodes } = spread(16 * MiB, 256 * KiB, 1);
    swarm.clock.runUntil(1000);
    const [seen] = [...nodes[0]!.torrent.peers];
    expect(seen?.client).toMatch(/^bt-engine/);
    expect(seen?.isUploadOnly).toBe(false);
  });

  it('gives everything to peers that give nothing to each other', () => {
    const { swarm, nodes, boundMs } = spread(8 * MiB, 256 * KiB, 4, { upBytesPerSecond: 1 });
    const tookMs = swarm.runUntilDone(300_000);
    // Four copies at the seed's rate, and the pauses in which it finds out.
    expect(tookMs).toBeLessThan(4 * boundMs + 20_000);
    expect(nodes.every((node) => node.torrent.isDone)).toBe(true);
  });

  it('goes on when a peer leaves with what it alone was shown', () => {
    const { swarm, nodes } = spread(16 * MiB, 256 * KiB, 3);
    swarm.clock.runUntil(1500);
    nodes[0]!.stop();
    expect(swarm.runUntilDone(60_000, nodes.slice(1))).toBeLessThan(10_000);
  });

  it('looks at few pieces while nobody is connected, however many there are', () => {
    const bare = new BareTorrent({
      content: makeContent(2_000 * 1_024, 1_024),
      have: new Uint8Array(250).fill(0xff),
      upLimit: new RateLimit(RATE),
    });
    const looks = vi.spyOn(Picker.prototype, 'availability');
    bare.runTo(10_000);
    expect(looks.mock.calls.length).toBeGreaterThan(0);
    expect(looks.mock.calls.length).toBeLessThan(100);
    looks.mockRestore();
  });
});
