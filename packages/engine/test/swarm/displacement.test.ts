import { describe, expect, it } from 'vitest';
import { ExternalAddress } from '../../src/discovery/external-address.ts';
import { peerPriority } from '../../src/discovery/peer-priority.ts';
import { BareTorrent } from '../support/bare-torrent.ts';

const own = { address: '93.184.216.34', port: 6881 };
const byPriority = Array.from({ length: 30 }, (_, index) => ({
  address: `${20 + index}.7.${index}.9`,
  port: 40_000,
})).sort((a, b) => peerPriority(own, a) - peerPriority(own, b));

/** Room for ten, of which eight may come from outside. */
function full(direction: 'in' | 'out' = 'in') {
  const externalAddress = new ExternalAddress(own.address);
  const bare = new BareTorrent({ maxPeers: 10, externalAddress });
  // Of the middle of the field.
  const peers = byPriority.slice(11, 19).map((at) => bare.connect(at, at.address, direction));
  return { bare, peers };
}

describe('a newcomer for whom there is no room (BEP 40)', () => {
  it('displaces the peer of the lowest priority when its own is higher', () => {
    const { bare, peers } = full();
    const high = byPriority[29]!;
    expect(bare.tryConnect(high, 'high')).toBeDefined();
    expect(bare.closeReasons()).toEqual(['displaced']);
    expect(peers.map(({ transport }) => transport.isClosed).indexOf(true)).toBe(0);
  });

  it('is refused when its priority is lower', () => {
    const { bare, peers } = full();
    expect(bare.tryConnect(byPriority[0]!, 'low')).toBeUndefined();
    expect(peers.some(({ transport }) => transport.isClosed)).toBe(false);
  });

  it('displaces nobody who moves data', () => {
    const { bare, peers } = full();
    for (const [index, { peer }] of peers.entries()) {
      if (index !== 5) (index % 2 === 0 ? peer.up : peer.down).add(0, 16_384);
    }
    expect(bare.tryConnect(byPriority[29]!, 'high')).toBeDefined();
    expect(peers.map(({ transport }) => transport.isClosed).indexOf(true)).toBe(5);
    for (const { peer } of peers) peer.up.add(0, 1);
    expect(bare.tryConnect(byPriority[28]!, 'higher')).toBeUndefined();
  });

  it('displaces nobody whom we have dialled, and nobody without knowing our own address', () => {
    const { bare, peers } = full('out');
    bare.connect(byPriority[1]!, 'low');
    bare.connect(byPriority[2]!, 'low too');
    expect(bare.tryConnect(byPriority[29]!, 'high')).toBeDefined();
    expect(peers.some(({ transport }) => transport.isClosed)).toBe(false);
    const blind = new BareTorrent({ maxPeers: 10 });
    for (const at of byPriority.slice(0, 8)) blind.connect(at, at.address);
    expect(blind.tryConnect(byPriority[29]!, 'high')).toBeUndefined();
  });
});

describe('a peer that came to us', () => {
  it('is dialled where it said that it listens, when its connection has ended', () => {
    const bare = new BareTorrent();
    const peer = bare.connect({ address: '1.1.1.1', port: 40_000 }, 'peer');
    const handshake = Buffer.from('d1:md e1:pi7000ee'.replace(' ', ''));
    const bytes = Buffer.alloc(6);
    bytes.writeUInt32BE(2 + handshake.length);
    bytes[4] = 20;
    bare.receive(peer, Buffer.concat([bytes, handshake]));
    bare.runTo(30_000);
    const dials = () =>
      bare.effects().flatMap((effect) => (effect.type === 'dial' ? [effect.endpoint] : []));
    expect(dials()).toEqual([]);
    bare.torrent.handleClosed(bare.now, peer.peer);
    bare.runTo(60_000);
    bare.torrent.handleTimeout(bare.now);
    expect(dials()).toEqual([{ address: '1.1.1.1', port: 7000 }]);
    expect(bare.torrent.stats(bare.now).peerSources.incoming.known).toBe(1);
  });
});
