import { createRandom } from '@bt/simulator';
import { describe, expect, it } from 'vitest';
import { SipHash } from '../src/siphash.ts';
import { fromHex, toHex } from './bytes.ts';

/** The hash as the reference code prints it: 8 bytes, little-endian. */
function hashOf(hash: SipHash, bytes: Uint8Array, offset: number, length: number): string {
  hash.hash(bytes, offset, length);
  const out = new Int32Array([hash.low, hash.high]);
  return toHex(new Uint8Array(out.buffer));
}

const KEY = new Int32Array(fromHex('000102030405060708090a0b0c0d0e0f').buffer);
const HASH = new SipHash(KEY[0]!, KEY[1]!, KEY[2]!, KEY[3]!);

describe('SipHash-2-4, the reference vectors', () => {
  it.each(
    [
      '310e0edd47db6f72',
      'fd67dc93c539f874',
      '5a4fa9d909806c0d',
      '2d7efbd796666785',
      'b7877127e09427cf',
      '8da699cd64557618',
      'cee3fe586e46c9cb',
      '37d1018bf50002ab',
      '6224939a79f5f593',
      'b0e4a90bdf82009e',
      'f3b9dd94c5bb5d7a',
      'a7ad6b22462fb3f4',
      'fbe50e86bc8f1e75',
      '903d84c02756ea14',
      'eef27a8e90ca23f7',
      'e545be4961ca29a1',
    ].map((hash, length) => [length, hash] as const),
  )('%i bytes', (length, hash) => {
    const input = Uint8Array.from({ length }, (_, i) => i);
    expect(hashOf(HASH, input, 0, length)).toBe(hash);
    // The same in the midst of others.
    const around = new Uint8Array(length + 20).fill(0xaa);
    around.set(input, 9);
    expect(hashOf(HASH, around, 9, length)).toBe(hash);
  });
});

it('a key comes from the source of randomness', () => {
  const input = new Uint8Array(4);
  const made = (seed: number) => hashOf(SipHash.create(createRandom(seed)), input, 0, 4);
  expect(made(1)).toBe(made(1));
  expect(made(1)).not.toBe(made(2));
});
