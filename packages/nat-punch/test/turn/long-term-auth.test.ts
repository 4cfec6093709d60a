import { describe, expect, it } from 'vitest';
import {
  decodeStunMessage,
  longTermKey,
  STUN_ATTRIBUTE,
  STUN_METHOD,
  StunWriter,
} from '../../src/index.ts';
import { LongTermAuth } from '../../src/turn/long-term-auth.ts';
import { MAX_REALM_BYTES, NONCE_LIFETIME_MS } from '../../src/turn/relay-limits.ts';

const ADDRESS = '198.51.100.9';
const NOW = 5_000_000;

function auth(realm = 'p2p'): LongTermAuth {
  return new LongTermAuth({
    realm,
    secret: new Uint8Array(32).fill(1),
    passwordOf: (username, now) => (username === 'alice' && now < 6_000_000 ? 'secret' : undefined),
  });
}

interface Parts {
  username?: string;
  password?: string;
  realm?: string | undefined;
  nonce?: string | undefined;
  hash?: 'sha1' | 'sha256' | undefined;
}

function request(parts: Parts) {
  const { username = 'alice', password = 'secret', realm, nonce, hash } = parts;
  const writer = new StunWriter('request', STUN_METHOD.refresh, new Uint8Array(12));
  writer.text(STUN_ATTRIBUTE.username, username);
  if (realm !== undefined) writer.text(STUN_ATTRIBUTE.realm, realm);
  if (nonce !== undefined) writer.text(STUN_ATTRIBUTE.nonce, nonce);
  if (hash !== undefined) writer.integrity(hash, longTermKey(username, realm ?? '', password));
  return decodeStunMessage(writer.finish())!;
}

describe('RFC 8489 section 9.2.4', () => {
  const server = auth();
  const nonce = server.issueNonce(NOW, ADDRESS);
  const good: Parts = { realm: 'p2p', nonce, hash: 'sha1' };
  const check = (parts: Parts, now = NOW, address = ADDRESS) => {
    const message = request(parts);
    return server.check(now, message, server.hasNonce(now, message, address));
  };

  it('knows who has the password, by either hash', () => {
    expect(check(good)).toMatchObject({ username: 'alice', hash: 'sha1' });
    expect(check({ ...good, hash: 'sha256' })).toMatchObject({ username: 'alice', hash: 'sha256' });
  });

  it('401 without integrity, with a wrong password, a wrong realm, an unknown name, or one that has run out', () => {
    expect(check({ ...good, hash: undefined })).toBe(401);
    expect(check({ ...good, password: 'wrong' })).toBe(401);
    expect(check({ ...good, realm: 'other' })).toBe(401);
    expect(check({ ...good, username: 'mallory' })).toBe(401);
    expect(check({ ...good, username: 'mallory', password: '' })).toBe(401);
    expect(check({ ...good, nonce: server.issueNonce(6_000_000, ADDRESS) }, 6_000_000)).toBe(401);
  });

  it('400 without name, realm or nonce', () => {
    expect(check({ ...good, username: '' })).toBe(400);
    expect(check({ ...good, realm: undefined })).toBe(400);
    expect(check({ ...good, nonce: undefined })).toBe(400);
    expect(check({ ...good, username: 'x'.repeat(509) })).toBe(400);
  });

  it('438 with a nonce that is old, made up, or of another address', () => {
    expect(check(good, NOW + NONCE_LIFETIME_MS)).toBe(438);
    expect(check({ ...good, nonce: '0123456789abcdef' })).toBe(438);
    expect(check(good, NOW, '198.51.100.10')).toBe(438);
  });
});

it(`a realm has 1 to ${MAX_REALM_BYTES} bytes, so that a challenge stays short`, () => {
  expect(auth('x'.repeat(MAX_REALM_BYTES)).realm).toHaveLength(MAX_REALM_BYTES);
  expect(() => auth('x'.repeat(MAX_REALM_BYTES + 1))).toThrow('a realm has');
  expect(() => auth('')).toThrow('a realm has');
});
