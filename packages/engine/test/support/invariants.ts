// What must hold after every scenario, whatever happened in it.

import { expect } from 'vitest';
import type { SimSwarm } from './sim-swarm.ts';

/** No byte lost, nothing claimed that isn't written, nobody honest banned, all counts within their bounds. */
export function checkInvariants(swarm: SimSwarm, label: string): void {
  for (const node of swarm.nodes) {
    const where = `${label}, node ${node.host.address}`;
    const { stats, torrent, disk } = node;
    const { pieceCount } = swarm.content.info.geometry;
    let have = 0;
    for (let piece = 0; piece < pieceCount; piece += 1) {
      if (!torrent.has(piece)) continue;
      have += 1;
      const isKnown = disk.written.has(piece) || node.initialPieces.has(piece);
      expect(isKnown, `${where}: piece ${piece} is claimed and not written`).toBe(true);
    }
    expect(stats.piecesHave, where).toBe(have);
    for (const [piece, times] of disk.written) {
      expect(times, `${where}: piece ${piece} written again`).toBe(1);
    }
    let requests = 0;
    for (const peer of torrent.peers) {
      requests += peer.requests.length;
      expect(peer.requests.length, where).toBeLessThanOrEqual(2_000);
      expect(peer.lapsed.length, where).toBeLessThanOrEqual(2_048);
      expect(peer.uploads.length, where).toBeLessThanOrEqual(2_000);
    }
    expect(torrent.requestCount, where).toBe(requests);
    expect(requests, where).toBeLessThanOrEqual(4_096 + 16 * 200);
    const errors = node.events.filter(
      (event) =>
        (event.type === 'peer-closed' && event.reason === 'internal-error') ||
        (event.type === 'warning' && event.message.includes('internal error')),
    );
    expect(errors, where).toEqual([]);
    for (const event of node.events) {
      if (event.type !== 'peer-banned') continue;
      const isHonest = swarm.nodes.some(
        (other) => !other.isLiar && other.endpoint.address === event.address,
      );
      expect(isHonest, `${where}: honest ${event.address} banned`).toBe(false);
    }
  }
}

/** Everything cleans up: nobody stays connected, no deadline stays behind. */
export function stopAll(swarm: SimSwarm, label: string): void {
  for (const node of swarm.nodes) node.stop();
  swarm.clock.runUntil(swarm.clock.now + 30_000);
  for (const node of swarm.nodes) {
    const where = `${label}, node ${node.host.address}`;
    expect(node.torrent.deadline(), where).toBe(Number.POSITIVE_INFINITY);
    expect(node.stats.peersConnected, where).toBe(0);
    expect(node.host.streams.length, where).toBe(0);
    expect(node.torrent.isSettled, where).toBe(true);
  }
}
