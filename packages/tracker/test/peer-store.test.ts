import { type Endpoint, endpointKey } from '@bt/endpoint';
import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AnnounceRequest } from '../src/announce.ts';
import { PeerStore, type PeerStoreOptions } from '../src/peer-store.ts';
import { REQUEST } from './requests.ts';

const LIFETIME = 120_000;
const store = (options: Partial<PeerStoreOptions> = {}) =>
  new PeerStore({
    intervalSeconds: 60,
    maxTorrents: 10,
    maxPeers: 100,
    maxPeersPerTorrent: 50,
    maxPeersPerNetwork: 50,
    maxPeersPerNetworkAndTorrent: 50,
    random: createRandom(1),
    ...options,
  });
const at = (n: number, family = 4): Endpoint => ({
  address: family === 4 ? `10.0.0.${n}` : `2001:db8::${n}`,
  port: 6881,
});
const torrent = (n: number): Uint8Array => new Uint8Array(20).fill(n);
const asking = (overrides: Partial<AnnounceRequest> = {}): AnnounceRequest => ({
  ...REQUEST,
  infoHash: torrent(1),
  ...overrides,
});
const names = (peers: readonly { endpoint: Endpoint }[]) =>
  peers.map(({ endpoint }) => endpoint.address).sort();

describe('PeerStore', () => {
  it('gives a peer the others of its torrent, by family', () => {
    const peers = store();
    for (const n of [1, 2, 3]) peers.announce(0, at(n), asking());
    peers.announce(0, at(4, 6), asking());
    peers.announce(0, at(5), asking({ infoHash: torrent(2) }));
    const asker = { endpoint: at(1), isSeed: false };
    expect(names(peers.sample(torrent(1), asker, 4, 50))).toEqual(['10.0.0.2', '10.0.0.3']);
    expect(names(peers.sample(torrent(1), asker, 6, 50))).toEqual(['2001:db8::4']);
    expect(peers.sample(torrent(1), asker, 4, 1)).toHaveLength(1);
    expect(peers.sample(torrent(1), asker, 4, 0)).toEqual([]);
    expect(peers.sample(torrent(3), asker, 4, 50)).toEqual([]);
  });

  it('gives seeds no seeds, and counts both', () => {
    const peers = store();
    peers.announce(0, at(1), asking({ leftBytes: 0 }));
    peers.announce(0, at(2), asking({ leftBytes: 0 }));
    peers.announce(0, at(3), asking());
    expect(names(peers.sample(torrent(1), { endpoint: at(1), isSeed: true }, 4, 50))).toEqual([
      '10.0.0.3',
    ]);
    expect(names(peers.sample(torrent(1), { endpoint: at(3), isSeed: false }, 4, 50))).toEqual([
      '10.0.0.1',
      '10.0.0.2',
    ]);
    expect(peers.scrape(0, torrent(1))).toEqual({ complete: 2, incomplete: 1, downloaded: 0 });
    expect(peers.scrape(0, torrent(2))).toBeUndefined();
  });

  it('counts a download once, for a leecher it knew', () => {
    const peers = store();
    peers.announce(0, at(1), asking());
    for (const n of [1, 1, 2])
      peers.announce(1, at(n), asking({ event: 'completed', leftBytes: 0 }));
    expect(peers.scrape(1, torrent(1))).toEqual({ complete: 2, incomplete: 0, downloaded: 1 });
  });

  it('strikes out those who stop, and does not list a stranger for it', () => {
    const peers = store();
    peers.announce(0, at(1), asking());
    peers.announce(0, at(2), asking({ event: 'stopped' }));
    expect(peers.peerCount).toBe(1);
    peers.announce(0, at(1), asking({ event: 'stopped' }));
    expect([peers.peerCount, peers.torrentCount]).toEqual([0, 0]);
  });

  it('forgets those who do not come again within two intervals', () => {
    const peers = store();
    peers.announce(0, at(1), asking());
    peers.announce(50, at(2), asking());
    peers.announce(60_000, at(1), asking());
    expect(peers.scrape(LIFETIME + 49, torrent(1))?.incomplete).toBe(2);
    expect(peers.scrape(LIFETIME + 50, torrent(1))?.incomplete).toBe(1);
    peers.handleTimeout(LIFETIME + 60_000);
    expect([peers.peerCount, peers.torrentCount]).toEqual([0, 0]);
    expect(peers.announce(2 * LIFETIME, at(3), asking())).toBeUndefined();
    expect(peers.scrape(2 * LIFETIME, torrent(1))?.incomplete).toBe(1);
  });

  it('takes no more than its caps, and keeps those who are there', () => {
    const peers = store({ maxTorrents: 2, maxPeers: 5, maxPeersPerTorrent: 3 });
    for (const n of [1, 2, 3]) expect(peers.announce(0, at(n), asking())).toBeUndefined();
    expect(peers.announce(0, at(4), asking())).toBe('full');
    expect(peers.announce(0, at(1), asking({ infoHash: torrent(2) }))).toBeUndefined();
    expect(peers.announce(0, at(1), asking({ infoHash: torrent(3) }))).toBe('full');
    expect(peers.announce(0, at(2), asking({ infoHash: torrent(2) }))).toBeUndefined();
    expect(peers.announce(0, at(3), asking({ infoHash: torrent(2) }))).toBe('full');
    expect(peers.announce(0, at(1), asking())).toBeUndefined();
    expect([peers.peerCount, peers.torrentCount]).toEqual([5, 2]);
    peers.announce(0, at(1), asking({ event: 'stopped' }));
    expect(peers.announce(0, at(4), asking())).toBeUndefined();
  });

  it.each([
    ['an address', (n: number) => ({ address: '192.0.2.1', port: n })],
    ['an IPv6 /64', (n: number) => ({ address: `2001:db8::${n.toString(16)}:1`, port: 6881 })],
  ])('is filled by nobody who has one host: %s has a share', (_, from) => {
    const peers = store({
      ...{ maxTorrents: 10, maxPeers: 100, maxPeersPerTorrent: 20 },
      ...{ maxPeersPerNetwork: 9, maxPeersPerNetworkAndTorrent: 4 },
    });
    const taken = [1, 2, 3, 4].map((t) =>
      [1, 2, 3, 4, 5, 6].map((n) =>
        peers.announce(0, from(10 * t + n), asking({ infoHash: torrent(t) })),
      ),
    );
    const counts = taken.map((some) => some.filter((refusal) => refusal === undefined).length);
    expect(counts).toEqual([4, 4, 1, 0]);
    expect(taken[3]).toEqual(Array(6).fill('crowded'));
    expect([peers.peerCount, peers.torrentCount]).toEqual([9, 3]);
    // Who is listed stays so, and others have their room.
    expect(peers.announce(0, from(11), asking())).toBeUndefined();
    for (let n = 0; n < 12; n++) {
      const other = { address: `198.51.100.${n}`, port: 6881 };
      expect(peers.announce(0, other, asking())).toBeUndefined();
    }
    peers.announce(0, from(11), asking({ event: 'stopped' }));
    expect(peers.announce(0, from(15), asking())).toBeUndefined();
    expect(peers.announce(0, from(16), asking())).toBe('crowded');
    peers.handleTimeout(LIFETIME);
    expect(peers.announce(LIFETIME, from(16), asking())).toBeUndefined();
  });

  it('does not count those who may be many behind one address', () => {
    const peers = store({ maxPeersPerNetwork: 2, maxPeersPerNetworkAndTorrent: 2 });
    for (const address of ['127.0.0.1', '10.0.0.1', '100.64.0.1', 'fd00::1']) {
      for (const port of [1, 2, 3]) {
        expect(peers.announce(0, { address, port }, asking())).toBeUndefined();
      }
    }
  });

  it('samples every peer fairly', () => {
    const peers = store({ random: createRandom(7) });
    for (let n = 0; n < 20; n++) peers.announce(0, at(n), asking());
    const counts = new Map<string, number>();
    for (let i = 0; i < 2000; i++) {
      for (const name of names(peers.sample(torrent(1), { endpoint: at(99), isSeed: false }, 4, 5)))
        counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect(counts.size).toBe(20);
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(150);
  });

  it('agrees with a plain list under random announces', () => {
    const announce = fc.record({
      peer: fc.nat(9),
      torrent: fc.constantFrom(1, 1, 1, 2),
      wait: fc.constantFrom(0, 0, 0, 0, 0, 1000, 30_000, 130_000),
      leftBytes: fc.constantFrom(0, 5),
      event: fc.constantFrom(
        undefined,
        undefined,
        'started' as const,
        'completed' as const,
        'stopped' as const,
      ),
    });
    fc.assert(
      fc.property(fc.array(announce, { maxLength: 80, size: 'max' }), (announces) => {
        const peers = store({ maxTorrents: 100, maxPeers: 1000 });
        let model: {
          key: string;
          torrent: number;
          endpoint: Endpoint;
          isSeed: boolean;
          expiresAt: number;
        }[] = [];
        let now = 0;
        for (const { peer, torrent: n, wait, leftBytes, event } of announces) {
          now += wait;
          const endpoint = at(peer, peer % 2 === 0 ? 4 : 6);
          const key = `${n} ${endpointKey(endpoint)}`;
          expect(
            peers.announce(now, endpoint, asking({ infoHash: torrent(n), leftBytes, event })),
          ).toBeUndefined();
          model = model.filter((entry) => entry.expiresAt > now && entry.key !== key);
          if (event !== 'stopped')
            model.push({
              key,
              torrent: n,
              endpoint,
              isSeed: leftBytes === 0,
              expiresAt: now + LIFETIME,
            });
          peers.handleTimeout(now);
          expect(peers.peerCount).toBe(model.length);
          expect(peers.torrentCount).toBe(new Set(model.map((entry) => entry.torrent)).size);
          const mine = model.filter((entry) => entry.torrent === n);
          const scraped = peers.scrape(now, torrent(n));
          expect(scraped?.complete ?? 0).toBe(mine.filter((entry) => entry.isSeed).length);
          const asker = { endpoint, isSeed: false };
          const sampled = [
            ...peers.sample(torrent(n), asker, 4, 99),
            ...peers.sample(torrent(n), asker, 6, 99),
          ];
          expect(names(sampled)).toEqual(names(mine.filter((entry) => entry.key !== key)));
        }
      }),
    );
  });
});
