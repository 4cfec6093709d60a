import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type AddressFamily,
  encodeCompact,
  parseAddress,
  parseEndpoint,
  printEndpoint,
  readCompact,
} from '@bt/endpoint';
import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BloomFilter } from '../src/bloom-filter.ts';
import {
  MAX_CACHED_FILTERS,
  MAX_HASHES,
  MAX_PEERS,
  MAX_PEERS_PER_ADDRESS,
  MAX_PEERS_PER_HASH,
  MAX_PEERS_PER_NETWORK,
} from '../src/constants.ts';
import { PeerStore, type PeerStoreOptions } from '../src/peer-store.ts';
import { id } from './bytes.ts';

const MINUTE = 60_000;
const storeOf = (options: Partial<PeerStoreOptions> = {}) =>
  new PeerStore({ random: createRandom(1), ...options });

const familyOf = (peer: string): AddressFamily => (peer.startsWith('[') ? 6 : 4);
const announce = (store: PeerStore, now: number, hash: Uint8Array, peer: string, seed = false) =>
  store.announce(now, hash, 0, encodeCompact(parseEndpoint(peer)!), 0, familyOf(peer), seed);

/** What an answer would name, in the order of their text. */
function sample(
  store: PeerStore,
  now: number,
  hash: Uint8Array,
  { family = 4 as AddressFamily, noSeed = false, count = 1000 } = {},
): string[] {
  const target = new Uint8Array(20_000);
  const end = store.sample(now, hash, 0, family, noSeed, count, target, 7);
  const length = family === 4 ? 6 : 18;
  const peers: string[] = [];
  for (let at = 7; at < end; at += length)
    peers.push(printEndpoint(readCompact(target, at, family)));
  return peers.sort();
}

/** A different public address for each number. */
const publicPeer = (n: number) => `${20 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}.1:6881`;
const hashOf = (n: number): Uint8Array => {
  const hash = id(0);
  hash[0] = n;
  hash[1] = n >> 8;
  return hash;
};

describe('PeerStore', () => {
  it('names the peers of an info-hash, by family', () => {
    const store = storeOf();
    expect(announce(store, 0, id(1), '198.51.100.1:6881')).toBe('stored');
    expect(announce(store, 0, id(1), '198.51.100.2:6881')).toBe('stored');
    expect(announce(store, 0, id(1), '[2001:db8::1]:6881')).toBe('stored');
    expect(announce(store, 0, id(2), '198.51.100.3:6881')).toBe('stored');
    expect(sample(store, 0, id(1))).toEqual(['198.51.100.1:6881', '198.51.100.2:6881']);
    expect(sample(store, 0, id(1), { family: 6 })).toEqual(['[2001:db8::1]:6881']);
    expect(sample(store, 0, id(2), { family: 6 })).toEqual([]);
    expect(sample(store, 0, id(3))).toEqual([]);
    expect([store.hashCount, store.peerCount]).toEqual([2, 4]);
  });

  it('refreshes one that comes again', () => {
    const store = storeOf();
    announce(store, 0, id(1), '198.51.100.1:6881', true);
    announce(store, 20 * MINUTE, id(1), '198.51.100.1:6881', false);
    expect(store.peerCount).toBe(1);
    expect(sample(store, 49 * MINUTE, id(1), { noSeed: true })).toHaveLength(1);
    expect(sample(store, 50 * MINUTE, id(1))).toEqual([]);
  });

  it('forgets after half an hour, by the clock it is given', () => {
    const begin = 1e12;
    const store = storeOf();
    announce(store, begin, id(1), '198.51.100.1:6881');
    announce(store, begin + 10 * MINUTE, id(1), '198.51.100.2:6881');
    expect(sample(store, begin + 29.9 * MINUTE, id(1))).toHaveLength(2);
    expect(sample(store, begin + 30 * MINUTE, id(1))).toEqual(['198.51.100.2:6881']);
    store.handleTimeout(begin + 30 * MINUTE);
    expect([store.hashCount, store.peerCount]).toEqual([1, 1]);
    store.handleTimeout(begin + 40 * MINUTE);
    expect([store.hashCount, store.peerCount, store.memoryBytes]).toEqual([0, 0, 0]);
  });

  it('BEP 33: leaves out seeds for one who wants none', () => {
    const store = storeOf();
    announce(store, 0, id(1), '198.51.100.1:1', true);
    announce(store, 0, id(1), '198.51.100.2:2');
    expect(sample(store, 0, id(1), { noSeed: true })).toEqual(['198.51.100.2:2']);
  });

  it('refuses port 0 and what is no address of a peer', () => {
    const store = storeOf();
    for (const peer of [
      '198.51.100.1:0',
      '0.1.2.3:1',
      '224.0.0.1:1',
      '255.255.255.255:1',
      '[::]:1',
      '[ff02::1]:1',
    ]) {
      expect(announce(store, 0, id(1), peer)).toBe('martian');
    }
    expect(store.hashCount).toBe(0);
    expect(announce(store, 0, id(1), '127.0.0.1:1')).toBe('stored');
  });

  it('reads and writes in place', () => {
    const store = storeOf();
    const bytes = new Uint8Array(40).fill(9);
    bytes.set(id(1), 3);
    bytes.set(encodeCompact(parseEndpoint('198.51.100.1:6881')!), 30);
    store.announce(0, bytes, 3, bytes, 30, 4, false);
    expect(sample(store, 0, id(1))).toEqual(['198.51.100.1:6881']);
  });
});

describe('a sample', () => {
  it('has as many as are wanted, none twice, each as often as another', () => {
    const store = storeOf();
    for (let n = 0; n < 100; n++) announce(store, 0, id(1), publicPeer(n));
    const seen = new Map<string, number>();
    for (let i = 0; i < 10_000; i++) {
      const peers = sample(store, 0, id(1), { count: 10 });
      expect(new Set(peers).size).toBe(10);
      for (const peer of peers) seen.set(peer, (seen.get(peer) ?? 0) + 1);
    }
    expect(seen.size).toBe(100);
    // 1,000 each is the mean; 5 standard deviations are 150.
    for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('does not show who announced after whom', () => {
    let together = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const store = storeOf({ random: createRandom(seed) });
      for (let n = 0; n < 100; n++) announce(store, 0, id(1), publicPeer(n));
      const peers = sample(store, 0, id(1), { count: 10 });
      if (peers.includes(publicPeer(42)) && peers.includes(publicPeer(43))) together++;
    }
    // By chance 0.9% of samples have both; neighbours would have them in 9%.
    expect(together).toBeLessThan(12);
  });
});

/** For somebody at an address of which nothing is stored, unless another is given. */
function hasRoom(store: PeerStore, hash: Uint8Array, family: 4 | 6, address?: string): boolean {
  const asker = address ?? (family === 4 ? '9.9.9.9' : '2001:db8:9::9');
  return store.hasRoom(hash, 0, family, parseAddress(asker)!);
}

describe('caps', () => {
  it('threat D4: their defaults', () => {
    expect([MAX_PEERS_PER_HASH, MAX_HASHES, MAX_PEERS]).toEqual([500, 10_000, 1_000_000]);
  });

  it('peers of an info-hash, of each family', () => {
    const store = storeOf();
    for (let n = 0; n < 500; n++) {
      expect(hasRoom(store, id(1), 4)).toBe(true);
      expect(announce(store, 0, id(1), publicPeer(n))).toBe('stored');
    }
    expect(hasRoom(store, id(1), 4)).toBe(false);
    // But for one that is there already, who would be forgotten without a token.
    expect(hasRoom(store, id(1), 4, publicPeer(7).split(':')[0])).toBe(true);
    expect(announce(store, 0, id(1), publicPeer(500))).toBe('full');
    // One that is there may come again, and the other family has its own room.
    expect(announce(store, 0, id(1), publicPeer(0))).toBe('stored');
    expect(hasRoom(store, id(1), 6)).toBe(true);
    expect(announce(store, 0, id(1), '[2001:db8::1]:1')).toBe('stored');
    expect(sample(store, 0, id(1))).toHaveLength(500);
    // After half an hour there is room again.
    expect(announce(store, 30 * MINUTE, id(1), publicPeer(500))).toBe('stored');
    expect(sample(store, 30 * MINUTE, id(1))).toEqual([publicPeer(500)]);
  });

  it('info-hashes', () => {
    const store = storeOf({ maxHashes: 3 });
    for (let n = 0; n < 3; n++) expect(announce(store, 0, hashOf(n), publicPeer(n))).toBe('stored');
    expect(hasRoom(store, hashOf(3), 4)).toBe(false);
    expect(announce(store, 0, hashOf(3), publicPeer(3))).toBe('full');
    expect(hasRoom(store, hashOf(2), 4)).toBe(true);
    expect(announce(store, 0, hashOf(2), publicPeer(3))).toBe('stored');
    expect(store.hashCount).toBe(3);
    expect(announce(store, 30 * MINUTE, hashOf(3), publicPeer(3))).toBe('stored');
  });

  it('info-hashes of those who have most of them make room for others', () => {
    const store = storeOf({ maxHashes: 100 });
    for (let n = 0; n < 98; n++) announce(store, 0, hashOf(n), `198.51.100.${n % 4}:1`);
    // One of somebody else, and one with two peers.
    announce(store, 0, hashOf(98), '192.0.2.1:1');
    for (const host of [1, 2]) announce(store, 0, hashOf(99), `198.51.100.${host}:1`);
    for (let n = 100; n < 120; n++) {
      const address = `203.0.${n}.1`;
      expect(hasRoom(store, hashOf(n), 4, address)).toBe(true);
      expect(announce(store, 0, hashOf(n), `${address}:1`)).toBe('stored');
    }
    expect([store.hashCount, store.peerCount]).toEqual([100, 101]);
    expect([98, 99, 119].map((n) => sample(store, 0, hashOf(n)).length)).toEqual([1, 2, 1]);
    expect(announce(store, 0, hashOf(200), '198.51.100.77:1')).toBe('full');
    // What has gone counts no longer.
    store.handleTimeout(30 * MINUTE);
    expect([store.hashCount, store.peerCount]).toEqual([0, 0]);
    for (let n = 0; n < 100; n++) announce(store, 30 * MINUTE, hashOf(n), publicPeer(n));
    expect(announce(store, 30 * MINUTE, hashOf(100), publicPeer(100))).toBe('full');
  });

  it('of one public /24 or IPv6 /48 4,000 in all', () => {
    for (const from of [
      (n: number) => `198.51.100.${n % 256}:1`,
      (n: number) => `[2001:db8:1:${(n % 256).toString(16)}::1]:1`,
    ]) {
      const store = storeOf();
      for (let n = 0; n < MAX_PEERS_PER_NETWORK; n++) {
        expect(announce(store, 0, hashOf(n), from(n))).toBe('stored');
      }
      expect(announce(store, 0, hashOf(5000), from(77))).toBe('full');
      expect(announce(store, 0, hashOf(5000), publicPeer(1))).toBe('stored');
    }
  });

  it('peers in all', () => {
    const store = storeOf({ maxPeers: 4 });
    for (let n = 0; n < 4; n++) announce(store, 0, hashOf(n >> 1), publicPeer(n));
    expect(hasRoom(store, hashOf(0), 4)).toBe(false);
    expect(announce(store, 0, hashOf(0), publicPeer(9))).toBe('full');
    expect(announce(store, 0, hashOf(7), publicPeer(9))).toBe('full');
    expect([store.hashCount, store.peerCount]).toEqual([2, 4]);
  });

  it('of one public address 4 under an info-hash: a fifth takes the place of its oldest', () => {
    const store = storeOf();
    announce(store, 0, id(1), '198.51.100.2:1');
    for (let port = 1; port <= 50; port++) {
      expect(announce(store, 1000 * port, id(1), `198.51.100.1:${port}`)).toBe('stored');
    }
    expect(sample(store, MINUTE, id(1))).toEqual([
      '198.51.100.1:47',
      '198.51.100.1:48',
      '198.51.100.1:49',
      '198.51.100.1:50',
      '198.51.100.2:1',
    ]);
    expect(store.peerCount).toBe(5);
  });

  it('of one /64 as many', () => {
    const store = storeOf();
    for (let n = 1; n <= 50; n++) announce(store, 1000 * n, id(1), `[2001:db8:1:2::${n}]:1`);
    announce(store, 0, id(1), '[2001:db8:1:3::1]:1');
    expect(sample(store, MINUTE, id(1), { family: 6 })).toHaveLength(5);
  });

  it('of one public address 1,000 in all', () => {
    const store = storeOf();
    for (let n = 0; n < MAX_PEERS_PER_ADDRESS; n++) {
      expect(announce(store, 0, hashOf(n), '198.51.100.1:1')).toBe('stored');
    }
    expect(announce(store, 0, hashOf(5000), '198.51.100.1:1')).toBe('full');
    expect(announce(store, 0, hashOf(5000), '198.51.100.1:2')).toBe('full');
    expect(announce(store, 0, hashOf(5000), '198.51.100.2:1')).toBe('stored');
    expect(announce(store, 0, hashOf(7), '198.51.100.1:1')).toBe('stored');
    // What expires counts no longer.
    expect(announce(store, 30 * MINUTE, hashOf(5000), '198.51.100.1:1')).toBe('stored');
  });

  it('addresses that are not public are exempt: many nodes share one in a lab', () => {
    const store = storeOf();
    for (let port = 1; port <= 100; port++) announce(store, 0, id(1), `127.0.0.1:${port}`);
    expect(sample(store, 0, id(1))).toHaveLength(100);
    for (let n = 0; n < 2000; n++) {
      expect(announce(store, 0, hashOf(n), '10.0.0.1:1')).toBe('stored');
    }
  });
});

describe('BEP 33: filters', () => {
  it('of seeds and downloaders of both families, each address once', () => {
    const store = storeOf();
    announce(store, 0, id(1), '192.0.2.1:1', true);
    announce(store, 0, id(1), '192.0.2.1:2', true);
    announce(store, 0, id(1), '192.0.2.2:1');
    announce(store, 0, id(1), '[2001:db8::1]:1');
    const seeds = new BloomFilter();
    seeds.add(Uint8Array.of(192, 0, 2, 1));
    const downloaders = new BloomFilter();
    downloaders.add(Uint8Array.of(192, 0, 2, 2));
    downloaders.add(encodeCompact(parseEndpoint('[2001:db8::1]:1')!).subarray(0, 16));
    expect(store.filters(0, id(1), 0)).toEqual({
      madeAt: 0,
      seeds: seeds.bytes,
      downloaders: downloaders.bytes,
    });
    expect(store.filters(0, id(2), 0)).toBeUndefined();
  });

  it('are made once a minute, and forget who has expired', () => {
    const store = storeOf();
    announce(store, 0, id(1), '192.0.2.1:1');
    const first = store.filters(0, id(1), 0);
    announce(store, 0.5 * MINUTE, id(1), '192.0.2.2:1', true);
    expect(store.filters(0.9 * MINUTE, id(1), 0)).toBe(first);
    announce(store, 20 * MINUTE, id(1), '192.0.2.2:1', true);
    const later = store.filters(31 * MINUTE, id(1), 0)!;
    expect(new BloomFilter().bytes).toEqual(later.downloaders);
    expect(later.seeds.some((byte) => byte !== 0)).toBe(true);
  });
});

it('keeps the filters of 100 info-hashes, the last ones made', () => {
  const store = storeOf();
  for (let n = 0; n < 102; n++) announce(store, 0, hashOf(n), publicPeer(n));
  const made = Array.from({ length: 102 }, (_, n) => store.filters(0, hashOf(n), 0));
  expect(MAX_CACHED_FILTERS).toBe(100);
  expect(store.filters(0, hashOf(2), 0)).toBe(made[2]);
  expect(store.filters(0, hashOf(101), 0)).toBe(made[101]);
  expect(store.filters(0, hashOf(1), 0)).not.toBe(made[1]);
});

describe('BEP 51: a sample of info-hashes', () => {
  const keys = (samples: Uint8Array) =>
    Array.from(
      { length: samples.length / 20 },
      (_, i) => samples[20 * i]! + 256 * samples[20 * i + 1]!,
    );

  it('is all of them when they are few, as they are now', () => {
    const store = storeOf();
    expect(store.sampleHashes(0).samples).toHaveLength(0);
    for (let n = 0; n < 19; n++) announce(store, 0, hashOf(n), publicPeer(n));
    expect(keys(store.sampleHashes(0).samples)).toHaveLength(19);
    expect(store.sampleHashes(31 * MINUTE).samples).toHaveLength(0);
  });

  it('is a choice of 20 that stays the same for five minutes', () => {
    const store = storeOf();
    for (let n = 0; n < 500; n++) announce(store, 0, hashOf(n), publicPeer(n));
    const first = store.sampleHashes(0);
    expect(new Set(keys(first.samples)).size).toBe(20);
    expect(first.intervalSeconds).toBe(300);
    const again = store.sampleHashes(200_000);
    expect([again.samples, again.intervalSeconds]).toEqual([first.samples, 100]);
    const seen = new Set<number>();
    for (let i = 1; i <= 200; i++) {
      for (let n = 0; n < 500; n++) announce(store, i * 5 * MINUTE, hashOf(n), publicPeer(n));
      for (const key of keys(store.sampleHashes(i * 5 * MINUTE).samples)) seen.add(key);
    }
    expect(seen.size).toBe(500);
  });
});

describe('memory', () => {
  const fill = (store: PeerStore) => {
    const hash = id(0);
    const endpoint = Uint8Array.of(20, 0, 0, 0, 0x1a, 0xe1);
    for (let n = 0; n < 5000; n++) {
      hash[0] = n;
      hash[1] = n >> 8;
      endpoint[1] = n;
      endpoint[2] = n >> 8;
      for (let peer = 0; peer < 100; peer++) {
        endpoint[3] = peer;
        store.announce(0, hash, 0, endpoint, 0, 4, false);
      }
    }
    expect(store.peerCount).toBe(500_000);
  };

  it('5,000 info-hashes of 100 peers each take under 12 MB, as documented', () => {
    const store = storeOf();
    fill(store);
    expect(store.memoryBytes).toBeLessThan(12e6);
    expect(store.memoryBytes).toBeGreaterThan(500_000 * 10);
  });

  it('and so the process sees it', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = () => {
      collect();
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    fill(storeOf());
    const before = used();
    const store = storeOf();
    fill(store);
    expect(used() - before).toBeLessThan(12e6);
    expect(store.hashCount).toBe(5000);
  });

  it('is given back', () => {
    const store = storeOf();
    fill(store);
    for (let n = 0; n < 5000; n++) announce(store, 20 * MINUTE, hashOf(n), publicPeer(n));
    store.handleTimeout(31 * MINUTE);
    expect(store.peerCount).toBe(5000);
    expect(store.memoryBytes).toBe(5000 * (600 + 4 * 10));
  });
});

it('keeps its counts and its order of records through anything', () => {
  const event = fc.record({
    pause: fc.nat(5 * MINUTE),
    hash: fc.nat(3),
    address: fc.nat(5),
    port: fc.integer({ min: 1, max: 6 }),
    seed: fc.boolean(),
    isPublic: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 100 }), (events) => {
      const store = storeOf({ maxHashes: 3, maxPeers: 20, maxPeersPerHash: 8 });
      const model = new Map<string, number>();
      let now = 0;
      for (const { pause, hash, address, port, seed, isPublic } of events) {
        now += pause - (pause % 1000);
        const peer = `${isPublic ? '20' : '10'}.0.0.${address}:${port}`;
        if (announce(store, now, hashOf(hash), peer, seed) !== 'stored') continue;
        model.set(`${hash} ${peer}`, now + 30 * MINUTE);
        // A full store may have made room: an info-hash with a single public peer is gone then.
        for (const other of [0, 1, 2, 3].filter((n) => n !== hash)) {
          const there = [...model].filter(([key, at]) => at > now && key.startsWith(`${other} `));
          const isSingle = there.length === 1 && there[0]![0].includes(' 20.');
          if (isSingle && sample(store, now, hashOf(other)).length === 0)
            model.delete(there[0]![0]);
        }
        if (!isPublic) continue;
        const ofAddress = [...model]
          .filter(([key, at]) => at > now && key.startsWith(`${hash} 20.0.0.${address}:`))
          .sort((a, b) => a[1] - b[1]);
        // At the same time any may be the oldest, but not the one that just came.
        if (ofAddress.length > 4) {
          const there = sample(store, now, hashOf(hash)).map((name) => `${hash} ${name}`);
          const gone = ofAddress.filter(([key]) => !there.includes(key));
          expect(gone).toHaveLength(1);
          expect(gone[0]![1]).toBe(ofAddress[0]![1]);
          model.delete(gone[0]![0]);
        }
      }
      store.handleTimeout(now);
      const left = [...model].filter(([, at]) => at > now).map(([key]) => key);
      const stored = [0, 1, 2, 3].flatMap((hash) =>
        sample(store, now, hashOf(hash)).map((peer) => `${hash} ${peer}`),
      );
      expect(stored.sort()).toEqual(left.sort());
      expect(store.peerCount).toBe(left.length);
    }),
  );
});
