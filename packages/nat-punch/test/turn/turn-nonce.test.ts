import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NONCE_LIFETIME_MS } from '../../src/turn/relay-limits.ts';
import { TurnNonces } from '../../src/turn/turn-nonce.ts';

const nonces = new TurnNonces(new Uint8Array(32).fill(7));
const NOW = 123_456_789;

describe('a nonce', () => {
  it('is good for ten minutes', () => {
    const nonce = nonces.issue(NOW, '192.0.2.1');
    expect(nonce).toHaveLength(16);
    expect(NONCE_LIFETIME_MS).toBe(600_000);
    expect(nonces.isValid(NOW, nonce, '192.0.2.1')).toBe(true);
    expect(nonces.isValid(NOW + NONCE_LIFETIME_MS - 1_000, nonce, '192.0.2.1')).toBe(true);
    expect(nonces.isValid(NOW + NONCE_LIFETIME_MS, nonce, '192.0.2.1')).toBe(false);
    expect(nonces.isValid(NOW - 1_000, nonce, '192.0.2.1')).toBe(false);
  });

  it('is bound to the address, and the server', () => {
    const nonce = nonces.issue(NOW, '2001:db8::1');
    expect(nonces.isValid(NOW, nonce, '2001:db8::2')).toBe(false);
    expect(new TurnNonces(new Uint8Array(32)).isValid(NOW, nonce, '2001:db8::1')).toBe(false);
  });

  it('is not what anybody makes up, or alters', () => {
    const nonce = nonces.issue(NOW, '192.0.2.1');
    for (let i = 0; i < nonce.length; i++) {
      const other = nonce[i] === 'a' ? 'b' : 'a';
      const altered = nonce.slice(0, i) + other + nonce.slice(i + 1);
      expect(nonces.isValid(NOW, altered, '192.0.2.1')).toBe(false);
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40, size: 'max' }), (text) => {
        expect(nonces.isValid(NOW, text, '192.0.2.1')).toBe(false);
        const dated = nonce.slice(0, 6) + text.slice(0, 10);
        expect(dated !== nonce && nonces.isValid(NOW, dated, '192.0.2.1')).toBe(false);
      }),
    );
  });
});
