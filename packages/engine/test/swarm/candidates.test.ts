import { describe, expect, it } from 'vitest';
import {
  BANNED_PORTS_PER_ADDRESS,
  MAX_BANS,
  MAX_CANDIDATES,
  MAX_DIAL_FAILURES,
  MAX_HEARSAY_PORTS,
  MAX_UNPROVED_PORTS,
} from '../../src/limits.ts';
import { Candidates } from '../../src/swarm/candidates.ts';

const here = { address: '93.184.216.34', port: 6881 };
const elsewhere = { address: '93.184.216.99', port: 6881 };
const middle = () => 0.5;

describe('bans', () => {
  it('are by address and port', () => {
    const candidates = new Candidates({ random: middle });
    candidates.ban(here, undefined);
    expect(candidates.isBanned(here)).toBe(true);
    expect(candidates.isBanned({ ...here, port: 6882 })).toBe(false);
    expect(candidates.add(0, here, 'tracker', false)).toBeUndefined();
  });

  it('hold a peer id at its own address, whatever the port, and nowhere else', () => {
    const candidates = new Candidates({ random: middle });
    candidates.ban(here, 'aa');
    expect(candidates.isBanned({ ...here, port: 50_000 }, 'aa')).toBe(true);
    expect(candidates.isBanned({ ...here, port: 50_000 }, 'bb')).toBe(false);
    expect(candidates.isBanned(elsewhere, 'aa')).toBe(false);
  });
});

describe('an IPv6 network, which is one host', () => {
  const at = (host: number) => ({ address: `2a00:1450:4001:81a::${host}`, port: 6881 });
  const neighbour = { address: '2a00:1450:4001:81b::1', port: 6881 };

  it('is banned when several of its addresses are', () => {
    const candidates = new Candidates({ random: middle });
    for (let host = 1; host < BANNED_PORTS_PER_ADDRESS; host += 1) {
      candidates.ban(at(host), undefined);
      expect(candidates.isBanned(at(99))).toBe(false);
    }
    candidates.ban(at(BANNED_PORTS_PER_ADDRESS), undefined);
    expect(candidates.isBanned(at(99))).toBe(true);
    expect(candidates.isBanned(neighbour)).toBe(false);
  });

  it('does not let a banned peer id in from another address', () => {
    const candidates = new Candidates({ random: middle });
    candidates.ban(at(1), 'aa');
    expect(candidates.isBanned(at(2), 'aa')).toBe(true);
    expect(candidates.isBanned(at(2), 'bb')).toBe(false);
    expect(candidates.isBanned(neighbour, 'aa')).toBe(false);
  });

  it('has as many places as strangers may name ports of an address', () => {
    const candidates = new Candidates({ random: middle });
    for (let host = 1; host <= MAX_HEARSAY_PORTS; host += 1) {
      expect(candidates.add(0, at(host), 'pex', false)).toBeDefined();
    }
    expect(candidates.add(0, at(99), 'pex', false)).toBeUndefined();
    expect(candidates.add(0, at(99), 'tracker', false)).toBeDefined();
    expect(candidates.add(0, neighbour, 'pex', false)).toBeDefined();
  });
});

describe('what is remembered', () => {
  const addressOf = (index: number) => ({
    address: `8.7.${index >> 8}.${index & 255}`,
    port: 6881,
  });

  it('is a bounded number of addresses: one that failed makes room, others do not', () => {
    const candidates = new Candidates({ random: middle });
    for (let index = 0; index < MAX_CANDIDATES; index += 1) {
      expect(candidates.add(0, addressOf(index), 'tracker', false)).toBeDefined();
    }
    expect(candidates.add(0, here, 'tracker', false)).toBeUndefined();
    candidates.failed(0, candidates.take(0, false)!);
    expect(candidates.add(0, here, 'tracker', false)).toBeDefined();
    expect(candidates.add(0, elsewhere, 'tracker', false)).toBeUndefined();
    expect(candidates.size).toBe(MAX_CANDIDATES);
  });

  it('does not hold an address that has failed too often', () => {
    const candidates = new Candidates({ random: middle });
    candidates.add(0, here, 'tracker', false);
    for (let failures = 1; failures < MAX_DIAL_FAILURES; failures += 1) {
      candidates.failed(0, candidates.take(Number.MAX_SAFE_INTEGER, false)!);
    }
    expect(candidates.size).toBe(1);
    candidates.failed(0, candidates.take(Number.MAX_SAFE_INTEGER, false)!);
    expect(candidates.size).toBe(0);
  });

  it('is a bounded number of bans, of addresses and of peer ids', () => {
    const candidates = new Candidates({ random: middle });
    for (let index = 0; index <= MAX_BANS; index += 1) candidates.ban(addressOf(index), `${index}`);
    const otherPort = (index: number) => ({ ...addressOf(index), port: 7000 });
    expect(candidates.isBanned(addressOf(0))).toBe(false);
    expect(candidates.isBanned(otherPort(0), '0')).toBe(false);
    for (const index of [1, MAX_BANS]) {
      expect(candidates.isBanned(addressOf(index))).toBe(true);
      expect(candidates.isBanned(otherPort(index), `${index}`)).toBe(true);
    }
  });

  it('is a whole address when several of its ports are banned', () => {
    const candidates = new Candidates({ random: middle });
    for (let port = 1; port < BANNED_PORTS_PER_ADDRESS; port += 1) {
      candidates.ban({ ...here, port }, undefined);
    }
    expect(candidates.isBanned(here)).toBe(false);
    candidates.ban({ ...here, port: BANNED_PORTS_PER_ADDRESS }, undefined);
    expect(candidates.isBanned(here)).toBe(true);
    expect(candidates.isBanned(elsewhere)).toBe(false);
  });
});

describe('an address that the user names', () => {
  it('is kept, though a tracker had named it and it had failed', () => {
    const candidates = new Candidates({ random: middle });
    candidates.add(0, here, 'tracker', false);
    candidates.failed(0, candidates.take(0, false)!);
    expect(candidates.nextDialMs(false)).toBeGreaterThan(1000);
    candidates.add(1000, here, 'user', false);
    expect(candidates.nextDialMs(false)).toBe(1000);
    for (let i = 0; i <= MAX_DIAL_FAILURES; i += 1) {
      candidates.failed(0, candidates.take(Number.MAX_SAFE_INTEGER, false)!);
    }
    expect(candidates.find(here)?.source).toBe('user');
  });

  it('stays the user’s when a tracker names it, too', () => {
    const candidates = new Candidates({ random: middle });
    candidates.add(0, here, 'user', false);
    candidates.add(0, here, 'tracker', false);
    expect(candidates.find(here)?.source).toBe('user');
  });
});

describe('sources', () => {
  it('add up, and the best one counts', () => {
    const candidates = new Candidates({ random: middle });
    candidates.add(0, here, 'pex', false);
    candidates.add(0, here, 'tracker', false);
    candidates.add(0, here, 'dht', false);
    expect(candidates.size).toBe(1);
    expect(candidates.find(here)).toMatchObject({ source: 'tracker' });
    expect([...(candidates.find(here)?.sources ?? [])]).toEqual(['pex', 'tracker', 'dht']);
  });

  it('better ones are dialled first, among those that have not failed', () => {
    const candidates = new Candidates({ random: middle });
    for (const [port, source] of [[1, 'pex'] as const, [2, 'lsd'] as const, [3, 'dht'] as const]) {
      candidates.add(0, { address: '10.0.0.1', port }, source, false);
    }
    const taken = [0, 0, 0].map((now) => candidates.take(now, false)?.source);
    expect(taken).toEqual(['lsd', 'dht', 'pex']);
  });
});

describe('a full list', () => {
  function fill(source: 'pex' | 'tracker' | 'lsd'): Candidates {
    const candidates = new Candidates({ random: middle });
    for (let i = 0; i < MAX_CANDIDATES; i += 1) {
      candidates.add(0, { address: `10.0.${i >> 8}.${i & 255}`, port: 1 }, source, false);
    }
    expect(candidates.size).toBe(MAX_CANDIDATES);
    return candidates;
  }

  it('takes no hearsay for what a tracker has named, though that has failed', () => {
    const candidates = fill('tracker');
    candidates.failed(0, candidates.take(0, false)!);
    expect(candidates.add(0, here, 'pex', false)).toBeUndefined();
    expect(candidates.add(0, here, 'dht', false)).toBeUndefined();
    expect(candidates.size).toBe(MAX_CANDIDATES);
    expect(candidates.add(0, here, 'tracker', false)).toBeDefined();
    expect(candidates.size).toBe(MAX_CANDIDATES);
  });

  it('gives up hearsay for what a tracker names', () => {
    const candidates = fill('pex');
    expect(candidates.add(0, here, 'pex', false)).toBeUndefined();
    expect(candidates.add(0, here, 'tracker', false)).toBeDefined();
    expect(candidates.size).toBe(MAX_CANDIDATES);
  });

  it('gives up what the local network told of for what a link names', () => {
    const candidates = fill('lsd');
    expect(candidates.add(0, here, 'magnet', false)).toBeDefined();
    expect(candidates.add(0, { ...here, port: 2 }, 'lsd', false)).toBeUndefined();
  });

  it('keeps what is in use', () => {
    const candidates = fill('pex');
    for (let i = 0; i < MAX_CANDIDATES; i += 1) candidates.take(0, false);
    expect(candidates.add(0, here, 'tracker', false)).toBeUndefined();
  });
});

describe('hearsay of one address', () => {
  const ports = (source: 'pex' | 'tracker' | 'lsd' | 'magnet', address: string) => {
    const candidates = new Candidates({ random: middle });
    for (let port = 1; port <= 50; port += 1) candidates.add(0, { address, port }, source, false);
    return candidates.size;
  };

  it('is believed for a few ports', () => {
    expect(ports('pex', here.address)).toBe(MAX_HEARSAY_PORTS);
    expect(ports('tracker', here.address)).toBe(50);
    expect(ports('pex', '10.0.0.1')).toBe(50);
    expect(ports('lsd', here.address)).toBe(MAX_HEARSAY_PORTS);
    expect(ports('magnet', here.address)).toBe(MAX_HEARSAY_PORTS);
  });

  it.each(['lsd', 'magnet'] as const)('is believed for a few more ports of source %s', (source) => {
    expect(ports(source, '10.0.0.1')).toBe(MAX_UNPROVED_PORTS);
    const candidates = new Candidates({ random: middle });
    const at = (port: number) => ({ address: '10.0.0.1', port });
    for (let port = 1; port <= 50; port += 1) candidates.add(0, at(port), 'tracker', false);
    expect(candidates.add(0, at(60), source, false)).toBeDefined();
  });

  it('is believed again when what was there has gone', () => {
    const candidates = new Candidates({ random: middle });
    for (let port = 1; port <= 50; port += 1) candidates.add(0, { ...here, port }, 'pex', false);
    candidates.ban({ ...here, port: 1 }, undefined);
    expect(candidates.add(0, { ...here, port: 60 }, 'pex', false)).toBeDefined();
    expect(candidates.add(0, { ...here, port: 61 }, 'pex', false)).toBeUndefined();
  });
});

describe('the candidates of a private torrent (BEP 27)', () => {
  it.each(['dht', 'pex', 'lsd', 'magnet', 'incoming'] as const)(
    'are none of source %s',
    (source) => {
      const candidates = new Candidates({ random: middle, isPrivate: true });
      expect(candidates.add(0, here, source, true)).toBeUndefined();
      expect(candidates.add(0, here, 'tracker', true)).toBeDefined();
      candidates.add(0, here, source, true);
      expect([...(candidates.find(here)?.sources ?? [])]).toEqual(['tracker']);
    },
  );

  it.each(['user', 'tracker'] as const)('are those of source %s', (source) => {
    const candidates = new Candidates({ random: middle, isPrivate: true });
    expect(candidates.add(0, here, source, true)).toBeDefined();
  });
});

describe('priorities (BEP 40)', () => {
  it('decide among equals, also when they change', () => {
    const priorities = { version: 0, of: ({ port }: { port: number }) => port };
    const candidates = new Candidates({ random: middle, priorities });
    for (const port of [5, 9, 1, 7]) candidates.add(port, { ...here, port }, 'tracker', false);
    expect(candidates.take(10, false)?.endpoint.port).toBe(9);
    priorities.version = 1;
    priorities.of = ({ port }) => -port;
    expect(candidates.take(10, false)?.endpoint.port).toBe(1);
  });

  it('come behind failures', () => {
    const priorities = { version: 0, of: ({ port }: { port: number }) => port };
    const candidates = new Candidates({ random: middle, priorities });
    for (const port of [5, 9]) candidates.add(0, { ...here, port }, 'tracker', false);
    candidates.failed(0, candidates.take(0, false)!);
    expect(candidates.take(1e9, false)?.endpoint.port).toBe(5);
  });
});
