import { describe, expect, it } from 'vitest';
import {
  decodeStunMessage,
  hasIntegrity,
  integrityHash,
  longTermKey,
  STUN_ATTRIBUTE,
  STUN_METHOD,
  StunWriter,
  shortTermKey,
} from '../../src/index.ts';
import { isEqual } from '../../src/stun/stun-integrity.ts';
import { fromHex } from '../support/hex.ts';

const ID = new Uint8Array(12);
const KEY = shortTermKey('secret');

function message(write: (writer: StunWriter) => StunWriter) {
  return decodeStunMessage(write(new StunWriter('request', STUN_METHOD.binding, ID)).finish())!;
}

describe('keys', () => {
  it('RFC 8489 section 9.2.2: MD5 of user:realm:password', () => {
    expect(longTermKey('user', 'realm', 'pass')).toEqual(
      fromHex('8493fbc53ba582fb4c044c456bdc40eb'),
    );
  });

  it('are the same for composed and decomposed letters', () => {
    expect(shortTermKey('caf\u0065\u0301')).toEqual(shortTermKey('caf\u00e9'));
    expect(longTermKey('e\u0301', 'r', 'p')).toEqual(longTermKey('\u00e9', 'r', 'p'));
  });
});

describe('integrity', () => {
  it('by the stronger hash counts where there are two', () => {
    const both = message((writer) =>
      writer.integrity('sha1', KEY).integrity('sha256', shortTermKey('other')),
    );
    expect(integrityHash(both)).toBe('sha256');
    expect(hasIntegrity(both, KEY)).toBe(false);
    expect(hasIntegrity(both, shortTermKey('other'))).toBe(true);
  });

  it('is absent, shortened or too long', () => {
    expect(integrityHash(message((writer) => writer))).toBeUndefined();
    expect(
      hasIntegrity(
        message((writer) => writer),
        KEY,
      ),
    ).toBe(false);
    for (const length of [0, 16, 28, 36]) {
      const short = message((writer) =>
        writer.bytes(STUN_ATTRIBUTE.messageIntegritySha256, new Uint8Array(length)),
      );
      expect(hasIntegrity(short, KEY)).toBe(false);
    }
  });

  it('counts over the bytes as received, padding included', () => {
    const bytes = new StunWriter('request', STUN_METHOD.binding, ID)
      .text(STUN_ATTRIBUTE.username, 'a')
      .integrity('sha256', KEY)
      .finish()
      .slice();
    expect(hasIntegrity(decodeStunMessage(bytes)!, KEY)).toBe(true);
    bytes[27] = 0x20;
    expect(hasIntegrity(decodeStunMessage(bytes)!, KEY)).toBe(false);
  });
});

it('compares bytes', () => {
  expect(isEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
  expect(isEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
  expect(isEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3))).toBe(false);
});
