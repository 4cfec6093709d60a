import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clientTagOf,
  mintPoolCredentials,
  parsePoolUsername,
  poolPassword,
} from '../../src/index.ts';

const SECRET = new Uint8Array(32).fill(7);
const MEMBER = '0123456789abcdef';
const mint = (pool: string, now = 0) =>
  mintPoolCredentials(SECRET, { member: MEMBER, pool, now, lifetimeMs: 60_000 });

describe('credentials of a member', () => {
  it('are known by their user name alone, until their time is up', () => {
    const { username, password } = mint('100', 5_000);
    expect(parsePoolUsername(username)).toMatchObject({ member: MEMBER, expiresAtSeconds: 65 });
    expect(poolPassword(SECRET, username, 64_999)).toBe(password);
    expect(poolPassword(SECRET, username, 65_000)).toBeUndefined();
  });

  it('have the HMAC-SHA256 of the user name as their password', () => {
    const { username, password } = mint('100');
    expect(password).toBe(createHmac('sha256', SECRET).update(username).digest('hex'));
  });

  it('differ by pool, and do not name it', () => {
    const pools = ['100', '101'].map((pool) => parsePoolUsername(mint(pool).username)!.poolTag);
    expect(pools[0]).not.toBe(pools[1]);
    expect(mint('secret pool').username).not.toContain('secret');
  });

  it('can not be made longer-lived, or those of another member', () => {
    const { username, password } = mint('100');
    for (const forged of [
      username.replace(/^[0-9]+/, '999999'),
      username.replace(MEMBER, 'f'.repeat(16)),
      username.replace(/.{16}$/, '0'.repeat(16)),
    ]) {
      expect(forged).not.toBe(username);
      expect(poolPassword(SECRET, forged, 0)).not.toBe(password);
    }
    expect(poolPassword(new Uint8Array(32), username, 0)).not.toBe(password);
  });

  it('have no password for user names of any other form', () => {
    for (const other of [
      '',
      'alice',
      `1:${MEMBER}`,
      `1:${MEMBER}:0:0`,
      `-1:${MEMBER}:${MEMBER}`,
      `1:${MEMBER.toUpperCase()}:${MEMBER}`,
      `1:${MEMBER}:${MEMBER}\n`,
      `9999999999999:${MEMBER}:${MEMBER}`,
    ]) {
      expect(parsePoolUsername(other)).toBeUndefined();
      expect(poolPassword(SECRET, other, 0)).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.string(), (other) => {
        expect(poolPassword(SECRET, other, 0)).toBeUndefined();
      }),
    );
  });
});

it('the tag of a client is one for each client and pool', () => {
  const clients = ['00'.repeat(16), '01'.repeat(16)];
  const tags = ['100', '101'].flatMap((pool) => clients.map((client) => clientTagOf(pool, client)));
  expect(new Set(tags).size).toBe(4);
  for (const tag of tags) expect(tag).toMatch(/^[0-9a-f]{32}$/);
  expect(clientTagOf('100', clients[0]!)).toBe(tags[0]);
});
