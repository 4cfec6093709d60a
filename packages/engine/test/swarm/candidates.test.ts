import { describe, expect, it } from 'vitest';
import { MAX_DIAL_FAILURES } from '../../src/limits.ts';
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
