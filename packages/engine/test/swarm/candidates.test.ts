import { describe, expect, it } from 'vitest';
import {
  BANNED_PORTS_PER_ADDRESS,
  MAX_BANS,
  MAX_CANDIDATES,
  MAX_DIAL_FAILURES,
} from '../../src/limits.ts';
import { Candidates } from '../../src/swarm/candidates.ts';

const here = { address: '93.184.216.34', port: 6881 };
const elsewhere = { address: '93.184.216.99', port: 6881 };
const middle = () => 0.5;

describe('bans', () => {
  it('are by address and port', () => {
    const candidates = new Candidates(middle);
    candidates.ban(here, undefined);
    expect(candidates.isBanned(here)).toBe(true);
    expect(candidates.isBanned({ ...here, port: 6882 })).toBe(false);
    expect(candidates.add(0, here, 'tracker', false)).toBeUndefined();
  });

  it('hold a peer id at its own address, whatever the port, and nowhere else', () => {
    const candidates = new Candidates(middle);
    candidates.ban(here, 'aa');
    expect(candidates.isBanned({ ...here, port: 50_000 }, 'aa')).toBe(true);
    expect(candidates.isBanned({ ...here, port: 50_000 }, 'bb')).toBe(false);
    expect(candidates.isBanned(elsewhere, 'aa')).toBe(false);
  });
});

describe('what is remembered', () => {
  const addressOf = (index: number) => ({
    address: `8.7.${index >> 8}.${index & 255}`,
    port: 6881,
  });

  it('is a bounded number of addresses: one that failed makes room, others do not', () => {
    const candidates = new Candidates(middle);
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
    const candidates = new Candidates(middle);
    candidates.add(0, here, 'tracker', false);
    for (let failures = 1; failures < MAX_DIAL_FAILURES; failures += 1) {
      candidates.failed(0, candidates.take(Number.MAX_SAFE_INTEGER, false)!);
    }
    expect(candidates.size).toBe(1);
    candidates.failed(0, candidates.take(Number.MAX_SAFE_INTEGER, false)!);
    expect(candidates.size).toBe(0);
  });

  it('is a bounded number of bans, of addresses and of peer ids', () => {
    const candidates = new Candidates(middle);
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
    const candidates = new Candidates(middle);
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
    const candidates = new Candidates(middle);
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
    const candidates = new Candidates(middle);
    candidates.add(0, here, 'user', false);
    candidates.add(0, here, 'tracker', false);
    expect(candidates.find(here)?.source).toBe('user');
  });
});
