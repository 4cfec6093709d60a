import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeAnnouncement,
  encodeAnnouncement,
  LocalDiscovery,
  type LocalDiscoveryEffect,
  LSD_GROUPS,
} from '../../src/discovery/local-discovery.ts';
import {
  LSD_GATHER_MS,
  LSD_INTERVAL_MS,
  LSD_PAUSE_MS,
  MAX_LSD_BYTES,
  MAX_LSD_HASHES,
  MAX_LSD_MESSAGES_PER_MINUTE,
  MAX_LSD_TELLERS,
} from '../../src/limits.ts';

const hash = (index: number) => index.toString(16).padStart(40, '0');
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (lines: readonly string[]) => new TextEncoder().encode(lines.join('\r\n'));
/** Networks with public addresses of which we are part. */
const ours = [
  { address: '93.184.216.34', prefixBits: 25 },
  { address: '2a00:1450:4001:81a::1', prefixBits: 64 },
];
const neighbour = { address: '10.0.0.9', port: 6771 };

describe('the message', () => {
  it('is that of BEP 14, "Protocol"', () => {
    const announcement = { port: 6881, infoHashes: [hash(1), hash(2)], cookie: 'c0' };
    expect(text(encodeAnnouncement(LSD_GROUPS[6].host, announcement))).toBe(
      'BT-SEARCH * HTTP/1.1\r\n' +
        'Host: [ff15::efc0:988f]:6771\r\n' +
        'Port: 6881\r\n' +
        `Infohash: ${hash(1)}\r\nInfohash: ${hash(2)}\r\n` +
        'cookie: c0\r\n\r\n\r\n',
    );
  });

  it('comes back as it was', () => {
    const announcement = fc.record({
      port: fc.integer({ min: 1, max: 65_535 }),
      infoHashes: fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{40}$/), {
        minLength: 1,
        maxLength: MAX_LSD_HASHES,
      }),
      cookie: fc.option(fc.stringMatching(/^[!-~]{1,20}$/), { nil: undefined }),
    });
    fc.assert(
      fc.property(announcement, fc.constantFrom(4 as const, 6 as const), (sent, family) => {
        const bytes = encodeAnnouncement(LSD_GROUPS[family].host, sent);
        expect(bytes.length).toBeLessThanOrEqual(MAX_LSD_BYTES);
        expect(decodeAnnouncement(bytes)).toEqual(sent);
      }),
    );
  });

  it('may be any bytes, cut off anywhere', () => {
    const whole = encodeAnnouncement('h', { port: 1, infoHashes: [hash(1)], cookie: 'x' });
    for (let end = 0; end <= whole.length; end += 1) decodeAnnouncement(whole.subarray(0, end));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        const announcement = decodeAnnouncement(bytes);
        if (announcement !== undefined) expect(announcement.port).toBeGreaterThan(0);
      }),
    );
  });

  it('is understood as other clients write it', () => {
    const lines = [
      'BT-SEARCH * HTTP/1.1',
      'HOST:239.192.152.143:6771',
      'port:  51413 ',
      'X-More: 1',
    ];
    const bytes = bytesOf([...lines, `INFOHASH: ${'AB'.repeat(20)}`, '', '']);
    expect(decodeAnnouncement(bytes)).toEqual({ port: 51_413, infoHashes: ['ab'.repeat(20)] });
  });

  it.each([
    ['another method', ['GET / HTTP/1.1', 'Port: 1', `Infohash: ${hash(1)}`]],
    ['no port', ['BT-SEARCH * HTTP/1.1', `Infohash: ${hash(1)}`]],
    ['port 0', ['BT-SEARCH * HTTP/1.1', 'Port: 0', `Infohash: ${hash(1)}`]],
    ['a port too large', ['BT-SEARCH * HTTP/1.1', 'Port: 65536', `Infohash: ${hash(1)}`]],
    ['a port that is none', ['BT-SEARCH * HTTP/1.1', 'Port: 0x10', `Infohash: ${hash(1)}`]],
    ['no info-hash', ['BT-SEARCH * HTTP/1.1', 'Port: 1']],
    ['a short info-hash', ['BT-SEARCH * HTTP/1.1', 'Port: 1', 'Infohash: abcd']],
    [
      'too many bytes',
      ['BT-SEARCH * HTTP/1.1', 'Port: 1', ...Array(28).fill(`Infohash: ${hash(1)}`)],
    ],
  ])('with %s is none', (_, lines) => {
    expect(decodeAnnouncement(bytesOf([...lines, '', '']))).toBeUndefined();
  });
});

describe('telling the local network', () => {
  const make = () => new LocalDiscovery({ port: 6881, random: () => 0.5, networks: () => [] });

  function announced(discovery: LocalDiscovery): (readonly string[])[] {
    return effects(discovery).flatMap((effect) =>
      effect.type === 'announce' ? [effect.announcement.infoHashes] : [],
    );
  }

  /** The next announcement and its time. */
  function next(discovery: LocalDiscovery): [number, readonly string[]] {
    const now = discovery.deadline();
    discovery.handleTimeout(now);
    const [infoHashes, ...more] = announced(discovery);
    expect(more).toEqual([]);
    return [now, infoHashes ?? []];
  }

  it('begins soon, torrents that come together in one message, and goes on every five minutes', () => {
    const discovery = make();
    expect(discovery.deadline()).toBe(Number.POSITIVE_INFINITY);
    discovery.add(0, hash(1));
    discovery.add(100, hash(2));
    expect(next(discovery)).toEqual([LSD_GATHER_MS, [hash(1)]]);
    expect(next(discovery)).toEqual([LSD_GATHER_MS + LSD_PAUSE_MS, [hash(2)]]);
    expect(next(discovery)).toEqual([LSD_GATHER_MS + LSD_INTERVAL_MS, [hash(1)]]);
  });

  it('is one message a minute at most, in which every torrent has its turn', () => {
    const discovery = make();
    for (let index = 0; index < 60; index += 1) discovery.add(0, hash(index));
    const seen = new Map<string, number>();
    let before = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < 30; i += 1) {
      const [now, infoHashes] = next(discovery);
      expect(now - before).toBeGreaterThanOrEqual(LSD_PAUSE_MS);
      expect(infoHashes.length).toBeLessThanOrEqual(MAX_LSD_HASHES);
      for (const infoHash of infoHashes) seen.set(infoHash, (seen.get(infoHash) ?? 0) + 1);
      before = now;
    }
    expect(seen.size).toBe(60);
    expect(Math.max(...seen.values()) - Math.min(...seen.values())).toBeLessThanOrEqual(1);
  });

  it('does nothing before its time', () => {
    const discovery = make();
    discovery.add(0, hash(1));
    discovery.handleTimeout(LSD_GATHER_MS - 1);
    expect(effects(discovery)).toEqual([]);
  });

  it('ends with the torrent', () => {
    const discovery = make();
    discovery.add(0, hash(1));
    discovery.remove(hash(1));
    expect(discovery.deadline()).toBe(Number.POSITIVE_INFINITY);
    discovery.handleTimeout(1e9);
    expect(effects(discovery)).toEqual([]);
  });
});

describe('hearing from the local network', () => {
  function hearing() {
    const discovery = new LocalDiscovery({ port: 6881, random: () => 0.5, networks: () => ours });
    discovery.add(0, hash(1));
    discovery.add(0, hash(2));
    return discovery;
  }
  const message = (...infoHashes: string[]) =>
    encodeAnnouncement(LSD_GROUPS[4].host, { port: 7000, infoHashes, cookie: 'theirs' });

  it('names peers of our torrents, at the address the message came from', () => {
    const discovery = hearing();
    discovery.handleDatagram(0, message(hash(1), hash(9), hash(2)), neighbour);
    const endpoint = { address: neighbour.address, port: 7000 };
    expect(effects(discovery)).toEqual([
      { type: 'peer', infoHash: hash(1), endpoint },
      { type: 'peer', infoHash: hash(2), endpoint },
    ]);
  });

  it.each([
    ['10.0.0.9', true],
    ['192.168.7.7', true],
    ['169.254.1.1', true],
    ['127.0.0.1', true],
    ['fd00::9', true],
    ['fe80::9', true],
    ['93.184.216.77', true],
    ['93.184.216.129', false],
    ['93.184.215.77', false],
    ['2a00:1450:4001:81a:9:9:9:9', true],
    ['2a00:1450:4001:81b::9', false],
    ['1.1.1.1', false],
    ['2606:4700::1', false],
  ])('from %s, which is in it: %s', (address, isHeard) => {
    const discovery = hearing();
    discovery.handleDatagram(0, message(hash(1)), { address, port: 6771 });
    expect(effects(discovery)).toHaveLength(isHeard ? 1 : 0);
  });

  it('is not stopped by what strangers send', () => {
    const discovery = hearing();
    for (let i = 0; i < 2 * MAX_LSD_TELLERS; i += 1) {
      const address = `11.1.${i >> 8}.${i & 255}`;
      discovery.handleDatagram(0, message(hash(1)), { address, port: 6771 });
    }
    discovery.handleDatagram(0, message(hash(1)), neighbour);
    expect(effects(discovery)).toHaveLength(1);
  });

  it('passes over our own messages', () => {
    const discovery = hearing();
    discovery.handleTimeout(discovery.deadline());
    const [effect] = effects(discovery);
    if (effect?.type !== 'announce') throw new Error('nothing was announced');
    discovery.handleDatagram(0, encodeAnnouncement('h', effect.announcement), neighbour);
    expect(effects(discovery)).toEqual([]);
  });

  it('is bounded for each address and for all of them', () => {
    const discovery = hearing();
    for (let i = 0; i < 500; i += 1) discovery.handleDatagram(0, message(hash(1)), neighbour);
    expect(effects(discovery)).toHaveLength(MAX_LSD_MESSAGES_PER_MINUTE);
    for (let i = 0; i < 2 * MAX_LSD_TELLERS; i += 1) {
      const address = `10.1.${i >> 8}.${i & 255}`;
      discovery.handleDatagram(0, message(hash(1)), { address, port: 6771 });
    }
    expect(effects(discovery)).toHaveLength(MAX_LSD_TELLERS - 1);
    discovery.handleDatagram(60_000, message(hash(1)), neighbour);
    expect(effects(discovery)).toHaveLength(1);
  });
});

function effects(discovery: LocalDiscovery): LocalDiscoveryEffect[] {
  const all: LocalDiscoveryEffect[] = [];
  for (;;) {
    const effect = discovery.poll();
    if (effect === undefined) return all;
    all.push(effect);
  }
}
