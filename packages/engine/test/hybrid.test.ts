// Hybrid torrents in both swarms (BEP 52, "upgrade path").

import { swarmHashes, toHex } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { makeContent } from './support/content.ts';
import { checkInvariants, stopAll } from './support/invariants.ts';
import { type SimNode, SimSwarm } from './support/sim-swarm.ts';

const KiB = 1024;
const SECOND = 1000;
const content = makeContent(700 * KiB + 5, 64 * KiB, {
  version: 'hybrid',
  files: [300 * KiB, 400 * KiB + 5],
});

function v2Peers(node: SimNode): boolean[] {
  return [...node.torrent.peers].map((peer) => peer.session.features.v2);
}

describe('a hybrid torrent', () => {
  it('finds and serves peers that know only one half of it, each in its swarm', () => {
    const swarm = new SimSwarm(content);
    const seed = swarm.addNode({ isSeed: true }).start();
    swarm.clock.runUntil(SECOND);
    const hashes = swarmHashes(content.info).map(toHex);
    expect([...swarm.announced.keys()].sort()).toEqual([...hashes].sort());
    const halves = (['v1', 'v2'] as const).map((half) => swarm.addNode({ half }).start());
    expect(swarm.runUntilDone(60 * SECOND, halves)).toBeDefined();
    expect(seed.stats.uploadedBytes).toBeGreaterThan(1400 * KiB);
    checkInvariants(swarm, 'halves');
    stopAll(swarm, 'halves');
  });

  it('joins the swarms: what one half has, the other gets through it', () => {
    const swarm = new SimSwarm(content);
    swarm.addNode({ isSeed: true, half: 'v1' }).start();
    const both = swarm.addNode().start();
    const other = swarm.addNode({ half: 'v2' }).start();
    expect(swarm.runUntilDone(120 * SECOND, [both, other])).toBeDefined();
    checkInvariants(swarm, 'bridge');
  });

  it.each(['v1', 'v2', undefined] as const)('dials a peer of %s and is dialled by it', (half) => {
    for (const isDialler of [true, false]) {
      const swarm = new SimSwarm(content);
      const seed = swarm.addNode({ isSeed: true, lineUp: 10 * KiB, announces: false }).start();
      const peer = swarm.addNode({ announces: false, ...(half && { half }) }).start();
      const [dialler, dialled] = isDialler ? [seed, peer] : [peer, seed];
      dialler.connectTo(dialled);
      // Who knows only v2 can't be dialled under v1: it is dialled again.
      swarm.clock.runUntil(5 * SECOND);
      expect([v2Peers(seed), v2Peers(peer)]).toEqual([[half !== 'v1'], [half !== 'v1']]);
    }
  });

  it('dials who was found in the v2 swarm under that info-hash at once', () => {
    const swarm = new SimSwarm(content);
    swarm.addNode({ isSeed: true, half: 'v2', lineUp: 50 * KiB }).start();
    swarm.clock.runUntil(SECOND);
    const peer = swarm.addNode().start();
    swarm.clock.runUntil(1.5 * SECOND);
    expect(v2Peers(peer)).toEqual([true]);
  });

  it('of which a magnet link told v1 alone gets hashes over connections that it opens anew', () => {
    const swarm = new SimSwarm(content);
    const seed = swarm.addNode({ isSeed: true, announces: false }).start();
    const magnet = { infoHashV1: content.info.infoHashV1! };
    const wanted = { magnet, lacksLayers: true, wantsPieceLayers: true };
    const node = swarm.addNode({ ...wanted, announces: false }).start();
    node.connectTo(seed);
    expect(swarm.runUntilDone(10 * SECOND, [node])).toBeDefined();
    swarm.clock.runUntil(10 * SECOND);
    expect(node.torrent.hasPieceLayers).toBe(true);
    expect(node.stats.peersConnected).toBe(0);
    const reasons = node.events.flatMap((e) => (e.type === 'peer-closed' ? [e.reason] : []));
    expect(reasons).toEqual(['upgraded', 'both-seeds']);
    checkInvariants(swarm, 'upgrade');
  });

  it('ends its connections when it is done, though nobody has told its piece layers', () => {
    const swarm = new SimSwarm(content);
    const seed = swarm.addNode({ isSeed: true, announces: false, half: 'v1' }).start();
    const node = swarm.addNode({ lacksLayers: true, announces: false }).start();
    node.connectTo(seed);
    expect(swarm.runUntilDone(10 * SECOND, [node])).toBeDefined();
    swarm.clock.runUntil(20 * SECOND);
    expect(node.torrent.hasPieceLayers).toBe(false);
    expect(node.stats.peersConnected).toBe(0);
  });

  it('is connected once to a peer that is in both swarms', () => {
    const swarm = new SimSwarm(content);
    const seed = swarm.addNode({ isSeed: true, lineUp: 50 * KiB }).start();
    swarm.clock.runUntil(SECOND);
    const peer = swarm.addNode().start();
    swarm.clock.runUntil(6 * SECOND);
    expect([...peer.torrent.peers].length).toBe(1);
    expect([...seed.torrent.peers].length).toBe(1);
    expect(peer.stats.peersKnown).toBe(1);
    checkInvariants(swarm, 'once');
  });
});
