// v2 and hybrid torrents in whole swarms on virtual time (BEP 52): piece layers from peers, and blocks judged one by one.

import { describe, expect, it } from 'vitest';
import { makeContent } from '../support/content.ts';
import { checkInvariants, stopAll } from '../support/invariants.ts';
import { type SimNode, SimSwarm } from '../support/sim-swarm.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const SECOND = 1000;

function banned(node: SimNode): string[] {
  return node.events.flatMap((event) => (event.type === 'peer-banned' ? [event.address] : []));
}

describe.each([1, 2, 3])('without piece layers, with seed %i', (seed) => {
  // 1,300 pieces: three chunks of hashes; and some files of one chunk, and of one piece.
  const files = [1_300 * 16 * KiB, 40 * KiB, 33 * KiB + 1, 5 * KiB];
  const total = files.reduce((sum, length) => sum + length, 0);
  const contents = {
    v2: makeContent(total, 16 * KiB, { version: 'v2', files }),
    hybrid: makeContent(total, 16 * KiB, { version: 'hybrid', files }),
  };

  it.each(['v2', 'hybrid'] as const)('a %s torrent gets them from several peers', (version) => {
    const content = contents[version];
    const swarm = new SimSwarm(content, { seed });
    // Each has the pieces of one chunk of hashes, and so can't be asked for the others.
    const { pieceCount } = content.info.geometry;
    const sources = [0, 1, 2].map((part) => {
      const end = part === 2 ? pieceCount : (part + 1) * 512;
      const have = Array.from({ length: end - part * 512 }, (_, i) => part * 512 + i);
      return swarm.addNode({ have, announces: false, lineUp: 4 * MiB, latencyMs: 20 }).start();
    });
    const leecher = swarm.addNode({ lacksLayers: true, announces: false }).start();
    leecher.connectTo(...sources);
    expect(leecher.torrent.hasPieceLayers).toBe(false);
    expect(swarm.runUntilDone(60 * SECOND, [leecher])).toBeDefined();
    expect(leecher.pieceLayers).toEqual(content.metainfo.pieceLayers);
    expect(leecher.torrent.hasPieceLayers).toBe(true);
    expect(leecher.events.filter(({ type }) => type === 'piece-layers')).toHaveLength(1);
    checkInvariants(swarm, `layers, seed ${seed}`);
    stopAll(swarm, `layers, seed ${seed}`);
  });

  it('a v2 torrent asks for no piece before its hash is there', () => {
    const swarm = new SimSwarm(contents.v2, { seed });
    const source = swarm.addNode({ isSeed: true, announces: false, hasWrongLayers: true }).start();
    const leecher = swarm.addNode({ lacksLayers: true, announces: false }).start();
    leecher.connectTo(source);
    swarm.clock.runUntil(10 * SECOND);
    // The one file of one piece needs no layer.
    expect(leecher.stats.piecesHave).toBeLessThanOrEqual(1);
    expect(banned(leecher)).toEqual([source.endpoint.address]);
  });

  it('bans who sends wrong hashes, and gets them from others', () => {
    const swarm = new SimSwarm(contents.v2, { seed });
    const liars = [0, 1].map(() =>
      swarm.addNode({ isSeed: true, announces: false, hasWrongLayers: true }).start(),
    );
    const honest = swarm.addNode({ isSeed: true, announces: false, latencyMs: 50 }).start();
    const leecher = swarm.addNode({ lacksLayers: true, announces: false }).start();
    leecher.connectTo(...liars, honest);
    expect(swarm.runUntilDone(60 * SECOND, [leecher])).toBeDefined();
    expect(new Set(banned(leecher))).toEqual(new Set(liars.map((liar) => liar.endpoint.address)));
    expect(leecher.pieceLayers).toEqual(contents.v2.metainfo.pieceLayers);
    checkInvariants(swarm, `wrong hashes, seed ${seed}`);
  });

  it('gets them without wanting any file', () => {
    const swarm = new SimSwarm(contents.hybrid, { seed });
    const source = swarm.addNode({ isSeed: true, announces: false }).start();
    const wanted = { files: [], wantsPieceLayers: true };
    const collector = swarm.addNode({ lacksLayers: true, announces: false, ...wanted }).start();
    collector.connectTo(source);
    swarm.clock.runUntil(5 * SECOND);
    expect(collector.pieceLayers).toEqual(contents.hybrid.metainfo.pieceLayers);
    expect(collector.stats.downloadedBytes).toBe(0);
    expect(collector.stats.peersConnected).toBe(0);
  });

  it('passes them on to others who lack them', () => {
    const swarm = new SimSwarm(contents.v2, { seed });
    swarm.addNode({ isSeed: true, lineUp: 2 * MiB }).start();
    const leechers = [0, 1, 2].map(() => swarm.addNode({ lacksLayers: true }).start());
    expect(swarm.runUntilDone(120 * SECOND, leechers)).toBeDefined();
    checkInvariants(swarm, `chain, seed ${seed}`);
  });
});

describe.each([1, 2, 3, 4, 5])('a corrupt block, with seed %i', (seed) => {
  const PIECE = 256 * KiB;
  const files = [3 * MiB + 5, 2 * MiB, 100 * KiB];
  const total = files.reduce((sum, length) => sum + length, 0);

  for (const version of ['v2', 'hybrid'] as const) {
    const content = makeContent(total, PIECE, { version, files });

    it(`of a ${version} torrent names its sender, and only it comes again`, () => {
      const swarm = new SimSwarm(content, { seed });
      // One block in the whole torrent, of whatever piece the liar gets to send.
      let corrupt: string | undefined;
      const isWrong = (piece: number, offset: number) => {
        if (offset !== 7 * 16_384) return false;
        corrupt ??= `${piece} ${offset}`;
        return corrupt === `${piece} ${offset}`;
      };
      const liar = swarm.addNode({ isSeed: true, isWrong, lineUp: MiB, announces: false });
      const honest = [0, 1, 2].map(() =>
        swarm.addNode({ isSeed: true, lineUp: 500 * KiB, announces: false }).start(),
      );
      const leecher = swarm.addNode({ announces: false }).start();
      leecher.connectTo(liar.start(), ...honest);
      expect(swarm.runUntilDone(120 * SECOND, [leecher])).toBeDefined();
      expect(corrupt).toBeDefined();
      expect(banned(leecher)).toEqual([liar.endpoint.address]);
      const { rejectedBytes, downloadedBytes, totalBytes, duplicateBytes } = leecher.stats;
      expect(rejectedBytes).toBe(16_384);
      expect(downloadedBytes - duplicateBytes - totalBytes).toBeLessThan(PIECE);
      checkInvariants(swarm, `corrupt, seed ${seed}`);
      stopAll(swarm, `corrupt, seed ${seed}`);
    });
  }
});
