import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BencodeInput,
  decode,
  decodeDict,
  encode,
  MAX_INTEGER_DIGITS,
  rawBencode,
} from '../src/index.ts';
import { latin1, text } from './arbitrary.ts';

function refusalCode(value: unknown): string {
  try {
    encode(value as BencodeInput);
  } catch (error) {
    return (error as { code: string }).code;
  }
  throw new Error('it was encoded');
}

describe('the examples of BEP 3', () => {
  test.each<[BencodeInput, string]>([
    ['spam', '4:spam'],
    [3, 'i3e'],
    [-3, 'i-3e'],
    [0, 'i0e'],
    [['spam', 'eggs'], 'l4:spam4:eggse'],
    [{ cow: 'moo', spam: 'eggs' }, 'd3:cow3:moo4:spam4:eggse'],
    [{ spam: ['a', 'b'] }, 'd4:spaml1:a1:bee'],
  ])('%j', (value, expected) => {
    expect(encode(value)).toEqual(latin1(expected));
  });
});

describe('canonical', () => {
  test.each<[BencodeInput, string]>([
    [-0, 'i0e'],
    [10, 'i10e'],
    [999_999, 'i999999e'],
    [2 ** 31, 'i2147483648e'],
    [-(2 ** 31), 'i-2147483648e'],
    [Number.MAX_SAFE_INTEGER, 'i9007199254740991e'],
    [Number.MIN_SAFE_INTEGER, 'i-9007199254740991e'],
    [9007199254740993n, 'i9007199254740993e'],
    [-0n, 'i0e'],
    ['', '0:'],
    ['é', '2:\xc3\xa9'],
    ['\ufeff', '3:\xef\xbb\xbf'],
    [new Uint8Array(), '0:'],
    [[], 'le'],
    [{}, 'de'],
    [Object.create(null), 'de'],
    [{ a: undefined, b: 1 }, 'd1:bi1ee'],
    [JSON.parse('{"__proto__": 1, "constructor": 2}'), 'd9:__proto__i1e11:constructori2ee'],
  ])('case %#', (value, expected) => {
    expect(encode(value)).toEqual(latin1(expected));
  });

  test('any safe integer as String writes it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.bigInt(-(2n ** 200n), 2n ** 200n)), (value) => {
        expect(encode(value)).toEqual(latin1(`i${value}e`));
      }),
    );
  });

  test('any text as TextEncoder writes it, of every length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 5000, size: 'max' }), (value) => {
        const bytes = new TextEncoder().encode(value);
        expect(encode(value)).toEqual(Uint8Array.of(...latin1(`${bytes.length}:`), ...bytes));
      }),
      { numRuns: 50 },
    );
  });
});

describe('keys', () => {
  test('are sorted by bytes, not as numbers, not by UTF-16 units', () => {
    expect(encode({ 10: 1, 9: 2, b: 3, a: 4 })).toEqual(latin1('d2:10i1e1:9i2e1:ai4e1:bi3ee'));
    // U+1F600 is written with surrogates from D83D on, below U+FF5E; as bytes it is F0..., above EF...
    const smile = '\u{1f600}';
    const tilde = '\uff5e';
    expect([smile, tilde].sort()).toEqual([smile, tilde]);
    expect([...decodeDict(encode({ [smile]: 1, [tilde]: 2 }))].map(([, value]) => value)).toEqual([
      2, 1,
    ]);
  });

  test('of any kind and in any order give one document, which is strict', () => {
    const keys = fc.uniqueArray(text, { maxLength: 20 });
    fc.assert(
      fc.property(keys, (names) => {
        const forward = encode(Object.fromEntries(names.map((name) => [name, name])));
        const asMap = new Map(names.toReversed().map((name) => [name, name]));
        const asBytes = new Map(names.map((name) => [new TextEncoder().encode(name), name]));
        const mixed = new Map(
          names.map((name, i) => [i % 2 === 0 ? name : new TextEncoder().encode(name), name]),
        );
        expect(decodeDict(forward).size).toBe(names.length);
        for (const map of [asMap, asBytes, mixed]) expect(encode(map)).toEqual(forward);
      }),
    );
  });

  test('of a Map may be bytes that are no text', () => {
    const map = new Map<string | Uint8Array, BencodeInput>([
      [Uint8Array.of(0xff), 1],
      ['z', 2],
      [Uint8Array.of(0x61), 3],
    ]);
    expect(encode(map)).toEqual(latin1('d1:ai3e1:zi2e1:\xffi1ee'));
  });

  test('must differ', () => {
    expect(
      refusalCode(
        new Map<string | Uint8Array, number>([
          ['a', 1],
          [latin1('a'), 2],
        ]),
      ),
    ).toBe('duplicate-key');
    expect(
      refusalCode(
        new Map([
          [latin1('a'), 1],
          [latin1('a'), 2],
        ]),
      ),
    ).toBe('duplicate-key');
  });
});

describe('emitted as they were', () => {
  const document = latin1('d4:infod1:bi1e1:ai2ee4:lastli1eee');

  test('decoded dictionaries and lists, canonical or not', () => {
    const { info, last } = {
      info: decodeDict(document, { lenient: true }).dict('info')!,
      last: decodeDict(document, { lenient: true }).list('last')!,
    };
    expect(encode({ last, info })).toEqual(document);
  });

  test('raw bencode', () => {
    expect(encode([rawBencode(latin1('i1e')), 2])).toEqual(latin1('li1ei2ee'));
  });
});

describe('refused', () => {
  class Point {
    x = 1;
  }
  test.each<[string, unknown]>([
    ['not-an-integer', 1.5],
    ['not-an-integer', Number.NaN],
    ['not-an-integer', Number.POSITIVE_INFINITY],
    ['unsafe-integer', 2 ** 53],
    ['unsafe-integer', -(2 ** 53)],
    ['unsafe-integer', 1e300],
    ['too-long', 10n ** BigInt(MAX_INTEGER_DIGITS)],
    ['unsupported-value', null],
    ['unsupported-value', undefined],
    ['unsupported-value', true],
    ['unsupported-value', Symbol('s')],
    ['unsupported-value', () => 1],
    ['unsupported-value', [undefined]],
    ['unsupported-value', new Array(1)],
    ['unsupported-value', { a: null }],
    ['unsupported-value', new Map([['a', undefined]])],
    ['unsupported-value', new Date(0)],
    ['unsupported-value', new Set([1])],
    ['unsupported-value', new Point()],
    ['unsupported-value', new ArrayBuffer(1)],
    ['unsupported-value', new Uint16Array(1)],
    ['unsupported-value', new Map([[1, 1]])],
    ['invalid-text', '\ud800'],
    ['invalid-text', { '\ud800': 1 }],
    ['invalid-text', new Map<string | Uint8Array, number>([['\ud800', 1]]).set(latin1('a'), 2)],
  ])('%s: case %#', (code, value) => {
    expect(refusalCode(value)).toBe(code);
  });

  test('more than 100 containers within containers, and so a cycle', () => {
    const nested = (depth: number): BencodeInput =>
      depth === 0 ? 1 : depth % 2 === 0 ? [nested(depth - 1)] : { a: nested(depth - 1) };
    expect(decode(encode(nested(100)))).toBeDefined();
    expect(refusalCode(nested(101))).toBe('too-deep');
    const cycle: BencodeInput[] = [];
    cycle.push(cycle);
    expect(refusalCode(cycle)).toBe('too-deep');
    const map = new Map<string, BencodeInput>();
    expect(refusalCode(map.set('self', map))).toBe('too-deep');
  });

  test('with the number of bytes that were written before', () => {
    expect(() => encode(['ab', 1.5])).toThrow(
      expect.objectContaining({
        name: 'BencodeError',
        offset: 5,
        message: '1.5 is not an integer (at byte 5)',
      }),
    );
  });

  test('anything is encoded or refused with a typed error', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withMap: true, withTypedArray: true }),
        (value) => {
          let encoded: Uint8Array;
          try {
            encoded = encode(value as BencodeInput);
          } catch (error) {
            expect(error).toMatchObject({ name: 'BencodeError' });
            return;
          }
          expect(() => decode(encoded)).not.toThrow();
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('the memory of results', () => {
  test('is not written again', () => {
    const sizes = [1, 60, 1000, 1020, 1024, 1030, 5000, 8192, 100_000];
    const inputs = Array.from({ length: 300 }, (_, i) =>
      new Uint8Array(sizes[i % sizes.length] as number).fill(i),
    );
    const results = inputs.map((input) => encode(input));
    for (const [i, result] of results.entries()) {
      expect(Buffer.compare(decode(result) as Uint8Array, inputs[i] as Uint8Array)).toBe(0);
    }
  });

  test('is theirs alone above 1 KiB', () => {
    const encoded = encode(new Uint8Array(1100));
    expect(encoded.buffer.byteLength).toBe(encoded.length);
  });

  test('survives that its block is transferred away', () => {
    structuredClone(null, { transfer: [encode(1).buffer] });
    expect(encode(2)).toEqual(latin1('i2e'));
  });

  test('survives a getter that encodes, and a refusal', () => {
    const value = {
      a: 1,
      get b() {
        return encode({ inner: [2] });
      },
      c: 3,
    };
    expect(encode(value)).toEqual(latin1('d1:ai1e1:b14:d5:innerli2eee1:ci3ee'));
    expect(refusalCode([1, 2, 1.5])).toBe('not-an-integer');
    expect(encode([1])).toEqual(latin1('li1ee'));
  });
});
