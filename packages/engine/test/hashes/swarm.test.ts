// v2 and hybrid torrents in whole swarms on virtual time (BEP 52): piece layers from peers, and blocks judged one by one.

import { describe, expect, it } from 'vitest';
import { makeContent } from '../support/content.ts';
import { checkInvariants, stopAll } from '../support/invariants.ts';
import { type SimNode, SimSwarm } from '../support/sim-swarm.ts';
import { SimWebServer } from '../support/sim-web-server.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const SECOND = 1000;

function banned(node: SimNode): string[] {
  return node.events.flatMap((event) => (event.type === 'peer-banned' ? [event.address] : []));
}

// 1,300 pieces: three chunks of hashes; and some files of one chunk, and of one piece.
const LAYER_FILES = [1_300 * 16 * KiB, 40 * KiB, 33 * KiB + 1, 5 * KiB];
const LAYER_BYTES = LAYER_FILES.reduce((sum, length) => sum + length, 0);
const contents = {
  v2: makeContent(LAYER_BYTES, 16 * KiB, { version: 'v2', files: LAYER_FILES }),
  hybrid: makeContent(LAYER_BYTES, 16 * KiB, { version: 'hybrid', files: LAYER_FILES }),
};

describe.each([1, 2, 3])('without piece layers, with seed %i', (seed) => {
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

const PIECE = 256 * KiB;
const FILES = [3 * MiB + 5, 2 * MiB, 100 * KiB];
const TOTAL = FILES.reduce((sum, length) => sum + length, 0);
const corrupted = {
  v2: makeContent(TOTAL, PIECE, { version: 'v2', files: FILES }),
  hybrid: makeContent(TOTAL, PIECE, { version: 'hybrid', files: FILES }),
};

describe.each([1, 2, 3, 4, 5])('a corrupt block, with seed %i', (seed) => {
  for (const version of ['v2', 'hybrid'] as const) {
    const content = corrupted[version];

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

it('a web seed is asked for no piece whose hash is not known', () => {
  const content = makeContent(2 * MiB, 64 * KiB, { version: 'v2' });
  const swarm = new SimSwarm(content, { seed: 1 });
  const server = new SimWebServer(swarm.clock, content, 'http://seed.example/', {});
  const node = swarm.addNode({ lacksLayers: true, announces: false, webServers: [server] }).start();
  swarm.clock.runUntil(30 * SECOND);
  expect(server.sentBytes).toBe(0);
  // Somebody who has one piece tells all hashes; the rest is the server's.
  const source = swarm.addNode({ have: [4], announces: false }).start();
  node.connectTo(source);
  expect(swarm.runUntilDone(60 * SECOND, [node])).toBeDefined();
  expect(server.sentBytes).toBeGreaterThan(1.9 * MiB);
  checkInvariants(swarm, 'web seed');
});

// Many liars of both kinds, pieces of every size: nobody honest is ever banned (see checkInvariants).
it.each([16, 64, 256, 1024])('in pieces of %i KiB, liars cost themselves alone', (kib) => {
  const files = [3 * MiB + 5, 2 * MiB, 100 * KiB, 3, 17 * KiB];
  const total = files.reduce((sum, length) => sum + length, 0);
  for (const version of ['v2', 'hybrid'] as const) {
    const content = makeContent(total, kib * KiB, { version, files });
    for (const seed of [1, 2, 3, 4]) {
      const swarm = new SimSwarm(content, { seed });
      const liars = [0, 1].map((n) =>
        swarm
          .addNode({
            isSeed: true,
            announces: false,
            lineUp: (200 + 300 * n) * KiB,
            hasWrongLayers: (seed + n) % 3 === 0,
            isWrong: (piece, offset) =>
              (piece * 31 + (offset / 16_384) * 17 + seed * 7 + n) % (3 + seed) === 0,
          })
          .start(),
      );
      const honest = Array.from({ length: seed }, () =>
        swarm.addNode({ isSeed: true, announces: false, lineUp: 300 * KiB }).start(),
      );
      const leechers = [0, 1].map(() => swarm.addNode({ lacksLayers: seed % 2 === 0 }).start());
      for (const leecher of leechers) leecher.connectTo(...liars, ...honest);
      const label = `${version}, ${kib} KiB, seed ${seed}`;
      expect(swarm.runUntilDone(300 * SECOND, leechers), label).toBeDefined();
      checkInvariants(swarm, label);
      stopAll(swarm, label);
    }
  }
});
