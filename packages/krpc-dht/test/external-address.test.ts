import { encodeCompact, parseAddress } from '@bt/endpoint';
import { describe, expect, it } from 'vitest';
import { MAX_ADDRESS_VOTES, MIN_ADDRESS_VOTES } from '../src/constants.ts';
import { ExternalAddress } from '../src/external-address.ts';

const OURS = '198.51.100.77';
const LIE = '203.0.113.66';

/** The endpoint of a voter; of another /24 for another number. */
const voter = (i: number) => encodeCompact({ address: `192.0.${i}.1`, port: 6881 });

function vote(votes: ExternalAddress, from: Uint8Array, address: string): boolean {
  return votes.handleVote(from, parseAddress(address)!, 0);
}

describe('our external address', () => {
  it('is known when enough nodes agree, and told once', () => {
    const votes = new ExternalAddress(4);
    for (let i = 1; i < MIN_ADDRESS_VOTES; i++) expect(vote(votes, voter(i), OURS)).toBe(false);
    expect(votes.address).toBe(undefined);
    expect(vote(votes, voter(200), OURS)).toBe(true);
    expect(votes.address).toEqual(parseAddress(OURS));
    expect(vote(votes, voter(201), OURS)).toBe(false);
  });

  it('one network has one vote, which it may change', () => {
    const votes = new ExternalAddress(4);
    for (let host = 1; host < 100; host++) {
      const from = encodeCompact({ address: `192.0.2.${host}`, port: host });
      expect(vote(votes, from, LIE)).toBe(false);
    }
    for (let i = 3; i < 3 + MIN_ADDRESS_VOTES - 2; i++) vote(votes, voter(i), OURS);
    expect(vote(votes, encodeCompact({ address: '192.0.2.7', port: 1 }), OURS)).toBe(false);
    expect(vote(votes, voter(99), OURS)).toBe(true);
  });

  it('a fourth of liars neither gets its way nor hinders the others, however long it votes', () => {
    const votes = new ExternalAddress(4);
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 40; i++) vote(votes, voter(i), i % 5 === 0 ? LIE : OURS);
    }
    expect(votes.address).toEqual(parseAddress(OURS));
  });

  it('follows a change when most of the last votes say so', () => {
    const votes = new ExternalAddress(4);
    for (let i = 0; i < MAX_ADDRESS_VOTES; i++) vote(votes, voter(i), OURS);
    let changes = 0;
    let needed = 0;
    for (let i = 0; i < MAX_ADDRESS_VOTES; i++) {
      if (changes === 0) needed++;
      if (vote(votes, voter(100 + i), '198.51.100.78')) changes++;
    }
    expect(changes).toBe(1);
    expect(needed).toBe((3 * MAX_ADDRESS_VOTES) / 4);
  });

  it('a node on a local network has no say in the public one, nor the other way round', () => {
    const votes = new ExternalAddress(4);
    for (let i = 0; i < 20; i++) {
      vote(votes, encodeCompact({ address: `10.0.0.${i + 1}`, port: 1 }), OURS);
      vote(votes, voter(i), '10.0.0.77');
    }
    expect(votes.address).toBe(undefined);
    // On loopback each endpoint has a vote.
    for (let port = 1; port <= MIN_ADDRESS_VOTES; port++) {
      vote(votes, encodeCompact({ address: '127.0.0.1', port }), '127.0.0.1');
    }
    expect(votes.address).toEqual(parseAddress('127.0.0.1'));
  });

  it('nodes of the local network, however many, never outvote public ones', () => {
    const votes = new ExternalAddress(4);
    for (let i = 1; i <= MIN_ADDRESS_VOTES; i++) vote(votes, voter(i), OURS);
    for (let port = 1; port <= 100; port++) {
      const from = encodeCompact({ address: '192.168.0.66', port });
      expect(vote(votes, from, '192.168.0.77')).toBe(false);
    }
    expect(votes.address).toEqual(parseAddress(OURS));
    // Nor do they keep us from a public one.
    const late = new ExternalAddress(4);
    for (let port = 1; port <= 100; port++) {
      vote(late, encodeCompact({ address: '192.168.0.66', port }), '192.168.0.77');
    }
    expect(late.address).toEqual(parseAddress('192.168.0.77'));
    for (let i = 1; i < MIN_ADDRESS_VOTES; i++) expect(vote(late, voter(i), OURS)).toBe(false);
    expect(vote(late, voter(200), OURS)).toBe(true);
    expect(late.address).toEqual(parseAddress(OURS));
  });

  it('serves IPv6, where a /64 has one vote', () => {
    const votes = new ExternalAddress(6);
    const from = (i: number, host: number) =>
      encodeCompact({ address: `2001:db8:0:${i}::${host}`, port: 1 });
    for (let host = 1; host < 50; host++) vote(votes, from(1, host), '2001:db8:ffff::1');
    expect(votes.address).toBe(undefined);
    for (let i = 1; i <= MIN_ADDRESS_VOTES; i++) vote(votes, from(i, 1), '2001:db8:ffff::1');
    expect(votes.address).toEqual(parseAddress('2001:db8:ffff::1'));
  });
});
