import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Ed25519, pureEd25519 } from '../src/ed25519.ts';
import { nodeEd25519 } from '../src/node/ed25519.ts';
import { fromHex, text, toHex } from './bytes.ts';

const IMPLEMENTATIONS: [string, Ed25519][] = [
  ['pure', pureEd25519],
  ['node:crypto', nodeEd25519],
];

describe.each(IMPLEMENTATIONS)('Ed25519, %s', (_, ed25519) => {
  it.each([
    [
      'TEST 1',
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      'TEST 2',
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
  ])('RFC 8032 section 7.1, %s', (_name, seed, publicKey, message, signature) => {
    expect(toHex(ed25519.publicKey(fromHex(seed)))).toBe(publicKey);
    expect(toHex(ed25519.sign(fromHex(message), fromHex(seed)))).toBe(signature);
    expect(ed25519.verify(fromHex(signature), fromHex(message), fromHex(publicKey))).toBe(true);
    expect(ed25519.verify(fromHex(signature), text('other'), fromHex(publicKey))).toBe(false);
  });

  it('says yes or no to any bytes, and never throws', () => {
    const bytes = (length: number) =>
      fc.oneof(
        fc.uint8Array({ minLength: length, maxLength: length }),
        fc.uint8Array({ maxLength: 100 }),
        fc.constant(new Uint8Array(length)),
        fc.constant(new Uint8Array(length).fill(0xff)),
      );
    fc.assert(
      fc.property(bytes(64), bytes(32), (signature, publicKey) => {
        expect(ed25519.verify(signature, text('message'), publicKey)).toBeTypeOf('boolean');
      }),
      { numRuns: 50 },
    );
  });

  it('takes the signatures of the other one', () => {
    for (const [, other] of IMPLEMENTATIONS) {
      const seed = new Uint8Array(32).fill(7);
      const signature = other.sign(text('message'), seed);
      expect(ed25519.verify(signature, text('message'), other.publicKey(seed))).toBe(true);
    }
  });
});
