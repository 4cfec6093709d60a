import { encode } from '@bt/bencode';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pureEd25519 } from '../src/ed25519.ts';
import { DhtError, KRPC_ERROR } from '../src/errors.ts';
import {
  decodeTorrentPointer,
  encodeTorrentPointer,
  immutableTarget,
  isMutable,
  itemTarget,
  type MutableItem,
  mutableTarget,
  signBuffer,
  signItem,
  validateItem,
} from '../src/item.ts';
import { nodeEd25519 } from '../src/node/ed25519.ts';
import { fromHex, id, text, toHex } from './bytes.ts';

const HELLO = text('12:Hello World!');
const BEP_44_KEY = fromHex('77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548');
const SEED = new Uint8Array(32).fill(7);
const ascii = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe('BEP 44: test vectors', () => {
  it.each([
    [
      'test 1 (mutable)',
      '',
      '3:seqi1e1:v12:Hello World!',
      '4a533d47ec9c7d95b1ad75f576cffc641853b750',
      '305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01',
    ],
    [
      'test 2 (mutable with salt)',
      'foobar',
      '4:salt6:foobar3:seqi1e1:v12:Hello World!',
      '411eba73b6f087ca51a3795d9c8c938d365e32c1',
      '6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17ddf9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08',
    ],
  ])('%s', (_, salt, signed, target, signature) => {
    const item: MutableItem = {
      value: HELLO,
      publicKey: BEP_44_KEY,
      salt: text(salt),
      sequence: 1n,
      signature: fromHex(signature),
    };
    expect(ascii(signBuffer(item.value, item.sequence, item.salt))).toBe(signed);
    expect(toHex(itemTarget(item))).toBe(target);
    expect(toHex(mutableTarget(BEP_44_KEY, text(salt)))).toBe(target);
    for (const ed25519 of [pureEd25519, nodeEd25519]) {
      expect(validateItem(ed25519, item)).toBeUndefined();
      expect(validateItem(ed25519, { ...item, sequence: 2n })).toBe(KRPC_ERROR.invalidSignature);
      expect(validateItem(ed25519, { ...item, salt: text('other') })).toBe(206);
      expect(validateItem(ed25519, { ...item, value: text('2:no') })).toBe(206);
    }
  });

  it('test 3 (immutable)', () => {
    expect(toHex(itemTarget({ value: HELLO }))).toBe('e5f96f6f38320f0f33959cb4d3d656452117aadb');
    expect(immutableTarget(HELLO)).toEqual(itemTarget({ value: HELLO }));
    expect(validateItem(pureEd25519, { value: HELLO })).toBeUndefined();
  });
});

describe('what is signed', () => {
  it('is valid, and mutable', () => {
    const items = fc.record({
      value: fc.uint8Array({ maxLength: 100 }).map((bytes) => encode([bytes])),
      sequence: fc.bigInt(0n, 2n ** 63n - 1n),
      salt: fc.option(fc.uint8Array({ maxLength: 64 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(items, (item) => {
        const signed = signItem(nodeEd25519, SEED, item);
        expect(isMutable(signed)).toBe(true);
        expect(validateItem(nodeEd25519, signed)).toBeUndefined();
        expect(signed.signature).toHaveLength(64);
      }),
      { numRuns: 30 },
    );
  });

  it('is within the bounds, for whoever signs', () => {
    const sign = (overrides: object, seed = SEED) =>
      signItem(pureEd25519, seed, { value: HELLO, sequence: 1n, ...overrides });
    const code = (work: () => unknown) => {
      try {
        work();
      } catch (error) {
        if (error instanceof DhtError) return error.code;
      }
      return undefined;
    };
    expect(code(() => sign({}))).toBeUndefined();
    expect(code(() => sign({ value: encode('x'.repeat(996)) }))).toBeUndefined();
    expect(code(() => sign({ value: encode('x'.repeat(997)) }))).toBe('invalid-item');
    expect(code(() => sign({ value: text('Hello') }))).toBe('invalid-item');
    expect(code(() => sign({ salt: new Uint8Array(65) }))).toBe('invalid-item');
    expect(code(() => sign({ sequence: -1n }))).toBe('invalid-item');
    expect(code(() => sign({ sequence: 2n ** 63n }))).toBe('invalid-item');
    expect(code(() => sign({}, new Uint8Array(64)))).toBe('invalid-argument');
  });
});

describe('what is not valid', () => {
  const { protocol, valueTooBig, saltTooBig } = KRPC_ERROR;
  const item = signItem(pureEd25519, SEED, { value: HELLO, sequence: 1n });

  it.each([
    ['a value of 1001 bytes', { value: encode('x'.repeat(997)) }, valueTooBig],
    ['no value', { value: new Uint8Array() }, protocol],
    ['keys out of order', { value: text('d1:bi1e1:ai1ee') }, protocol],
    ['two values', { value: text('i1ei2e') }, protocol],
    ['a number with a leading zero', { value: text('i01e') }, protocol],
    ['a salt of 65 bytes', { salt: new Uint8Array(65) }, saltTooBig],
    ['a key of 31 bytes', { publicKey: new Uint8Array(31) }, protocol],
    ['a signature of 63 bytes', { signature: new Uint8Array(63) }, protocol],
    ['a negative sequence number', { sequence: -1n }, protocol],
  ])('%s', (_, overrides, code) => {
    expect(validateItem(pureEd25519, { ...item, ...overrides })).toBe(code);
  });

  it('an immutable item that is no bencode', () => {
    expect(validateItem(pureEd25519, { value: text('x') })).toBe(protocol);
    expect(validateItem(pureEd25519, { value: new Uint8Array(1001) })).toBe(valueTooBig);
  });
});

describe('BEP 46', () => {
  const key = fromHex('8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e');

  it('test 1 (magnet to target ID)', () => {
    expect(toHex(mutableTarget(key))).toBe('cc3f9d90b572172053626f9980ce261a850d050b');
  });

  it('test 2 (magnet to targetID, with salt)', () => {
    expect(toHex(mutableTarget(key, fromHex('6e')))).toBe(
      '59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f',
    );
  });

  it('a pointer to a torrent is read as it was written', () => {
    const pointer = encodeTorrentPointer(text('abcdefghij0123456789'));
    expect(ascii(pointer)).toBe('d2:ih20:abcdefghij0123456789e');
    expect(decodeTorrentPointer(pointer)).toEqual(text('abcdefghij0123456789'));
    expect(decodeTorrentPointer(encode({ ih: id(1), name: 'x' }))).toEqual(id(1));
    expect(() => encodeTorrentPointer(new Uint8Array(32))).toThrow(DhtError);
  });

  it('nothing else points to one', () => {
    for (const value of ['d2:ih19:abcdefghij012345678e', 'd2:ihi1ee', 'de', 'le', 'i1e', 'x', '']) {
      expect(decodeTorrentPointer(text(value))).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const infoHash = decodeTorrentPointer(bytes);
        if (infoHash !== undefined) expect(infoHash).toHaveLength(20);
      }),
    );
  });
});
