import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BencodeDict,
  BencodeError,
  type BencodeErrorCode,
  DEFAULT_MAX_DEPTH,
  type DecodeOptions,
  decode,
  decodeDict,
  decodePrefix,
  encode,
  MAX_INTEGER_DIGITS,
  toPlain,
} from '../src/index.ts';
import { arbitraryBytes, latin1, plainValue } from './arbitrary.ts';

/** The code and offset of the refusal, or what was decoded. */
function refusal(bytes: Uint8Array, options?: DecodeOptions): [BencodeErrorCode, number] | unknown {
  try {
    return toPlain(decode(bytes, options));
  } catch (error) {
    if (error instanceof BencodeError) return [error.code, error.offset];
    throw error;
  }
}

describe('the examples of BEP 3', () => {
  test.each([
    ['4:spam', latin1('spam')],
    ['i3e', 3],
    ['i-3e', -3],
    ['i0e', 0],
    ['l4:spam4:eggse', [latin1('spam'), latin1('eggs')]],
    [
      'd3:cow3:moo4:spam4:eggse',
      new Map([
        ['cow', latin1('moo')],
        ['spam', latin1('eggs')],
      ]),
    ],
    ['d4:spaml1:a1:bee', new Map([['spam', [latin1('a'), latin1('b')]]])],
  ])('%s', (document, expected) => {
    expect(toPlain(decode(latin1(document)))).toEqual(expected);
  });

  test.each(['i-0e', 'i03e', 'i-03e'])('%s is invalid', (document) => {
    expect(refusal(latin1(document))).toEqual(['invalid-integer', 0]);
  });
});

describe('refused, with the byte where it went wrong', () => {
  test.each<[string, BencodeErrorCode, number]>([
    ['', 'truncated', 0],
    ['i', 'truncated', 1],
    ['i-', 'truncated', 2],
    ['i12', 'truncated', 3],
    ['5', 'truncated', 1],
    ['5:abc', 'truncated', 5],
    ['10:abc', 'truncated', 6],
    ['l', 'truncated', 1],
    ['d', 'truncated', 1],
    ['d1:a', 'truncated', 4],
    ['d1:ai1e', 'truncated', 7],
    ['i1exyz', 'trailing-data', 3],
    ['0:0:', 'trailing-data', 2],
    ['lee', 'trailing-data', 2],
    ['x', 'invalid-token', 0],
    ['e', 'invalid-token', 0],
    ['-1:a', 'invalid-token', 0],
    ['+1:a', 'invalid-token', 0],
    ['li1e e', 'invalid-token', 4],
    ['ie', 'invalid-integer', 0],
    ['i-e', 'invalid-integer', 0],
    ['i--1e', 'invalid-integer', 0],
    ['i+1e', 'invalid-integer', 0],
    ['i1.5e', 'invalid-integer', 0],
    ['i 1e', 'invalid-integer', 0],
    ['i0x1e', 'invalid-integer', 0],
    ['i00e', 'invalid-integer', 0],
    ['li1ei02ee', 'invalid-integer', 4],
    ['01:a', 'invalid-length', 0],
    ['00:', 'invalid-length', 0],
    ['1x:a', 'invalid-length', 0],
    ['1e', 'invalid-length', 0],
    ['di1ei2ee', 'invalid-key', 1],
    ['dlei1ee', 'invalid-key', 1],
    ['dded', 'invalid-key', 1],
    ['d1:ae', 'missing-value', 4],
    ['d1:bi1e1:ai2ee', 'unsorted-keys', 7],
    ['d2:aai1e1:ai2ee', 'unsorted-keys', 8],
    ['d1:ai1e1:ai2ee', 'duplicate-key', 7],
    ['d0:i1e0:i2ee', 'duplicate-key', 6],
    ['99999999999999999999999:', 'too-long', 0],
    [`${'9'.repeat(400)}:`, 'too-long', 0],
    [`i${'9'.repeat(79)}e`, 'too-long', 0],
  ])('%s: %s', (document, code, offset) => {
    expect(refusal(latin1(document))).toEqual([code, offset]);
  });

  test('keys are compared as unsigned bytes', () => {
    expect(refusal(latin1('d1:\x80i1e1:\x7fi2ee'))).toEqual(['unsorted-keys', 7]);
    expect(decodeDict(latin1('d1:\x7fi1e1:\x80i2ee')).size).toBe(2);
  });

  test('decodeDict: another type', () => {
    expect(() => decodeDict(latin1('le'))).toThrow(
      expect.objectContaining({ name: 'BencodeError', code: 'not-a-dictionary', offset: 0 }),
    );
  });

  test('the message names the byte', () => {
    expect(() => decode(latin1('i1exyz'))).toThrow('data after the value (at byte 3)');
  });
});

describe('integers', () => {
  test.each<[string, number | bigint]>([
    ['i9007199254740991e', 9007199254740991],
    ['i-9007199254740991e', -9007199254740991],
    ['i9007199254740992e', 9007199254740992n],
    ['i9007199254740993e', 9007199254740993n],
    ['i-9007199254740993e', -9007199254740993n],
    ['i18446744073709551615e', 2n ** 64n - 1n],
    [`i${2n ** 256n - 1n}e`, 2n ** 256n - 1n],
  ])('%s is exact', (document, expected) => {
    expect(decode(latin1(document))).toBe(expected);
  });

  test('the longest is of 78 digits', () => {
    expect(MAX_INTEGER_DIGITS).toBe(String(2n ** 256n).length);
    expect(decode(latin1(`i-${'9'.repeat(78)}e`))).toBe(-(10n ** 78n) + 1n);
  });
});

describe('limits', () => {
  test('depth: 100 containers, not 101', () => {
    const nested = (depth: number) => latin1('l'.repeat(depth) + 'e'.repeat(depth));
    expect(DEFAULT_MAX_DEPTH).toBe(100);
    expect(decode(nested(100))).toBeDefined();
    expect(refusal(nested(101))).toEqual(['too-deep', 100]);
    expect(refusal(nested(3), { maxDepth: 2 })).toEqual(['too-deep', 2]);
    expect(refusal(latin1('i1e'), { maxDepth: 0 })).toBe(1);
  });

  test('a megabyte of l, or of d1:a, is refused at the hundredth container', () => {
    expect(refusal(new Uint8Array(1e6).fill(0x6c))).toEqual(['too-deep', 100]);
    expect(refusal(latin1('d1:a'.repeat(250_000)))).toEqual(['too-deep', 400]);
  });

  test('depth costs no stack: 200,000 containers, where they are allowed', () => {
    const depth = 200_000;
    const bytes = new Uint8Array(2 * depth).fill(0x6c, 0, depth).fill(0x65, depth);
    let value = toPlain(decode(bytes, { maxDepth: depth }));
    let levels = 0;
    while (Array.isArray(value) && value[0] !== undefined) {
      value = value[0];
      levels++;
    }
    expect(levels).toBe(depth - 1);
  });

  test('items: keys and containers count', () => {
    const document = latin1('d1:ai1e1:blee');
    expect(refusal(document, { maxItems: 5 })).toBeInstanceOf(Map);
    expect(refusal(document, { maxItems: 4 })).toEqual(['too-many-items', 10]);
  });

  test('length of the input', () => {
    expect(refusal(latin1('3:abc'), { maxBytes: 5 })).toEqual(latin1('abc'));
    expect(refusal(latin1('3:abc'), { maxBytes: 4 })).toEqual(['too-long', 4]);
  });

  test('length of a prefix', () => {
    const document = latin1('3:abc and more');
    expect(decodePrefix(document, { maxBytes: 5 }).bytesRead).toBe(5);
    expect(() => decodePrefix(document, { maxBytes: 4 })).toThrow(
      expect.objectContaining({ code: 'too-long', offset: 4 }),
    );
  });
});

describe('lenient', () => {
  test.each<[string, unknown]>([
    ['i03e', 3],
    ['i-03e', -3],
    ['i-0e', 0],
    ['03:abc', latin1('abc')],
    [
      'd1:bi1e1:ai2ee',
      new Map([
        ['b', 1],
        ['a', 2],
      ]),
    ],
    ['d1:ai1e1:ai2ee', new Map([['a', 1]])],
  ])('%s is read', (document, expected) => {
    expect(refusal(latin1(document), { lenient: true })).toEqual(expected);
    expect(refusal(latin1(document))).toEqual([expect.any(String), expect.any(Number)]);
  });

  test.each<[string, BencodeErrorCode]>([
    ['ie', 'invalid-integer'],
    ['i-e', 'invalid-integer'],
    ['i1.5e', 'invalid-integer'],
    ['di1ei2ee', 'invalid-key'],
    ['d1:ae', 'missing-value'],
    ['3:ab', 'truncated'],
    ['i1e ', 'trailing-data'],
  ])('%s is not', (document, code) => {
    expect(refusal(latin1(document), { lenient: true })).toEqual([code, expect.any(Number)]);
  });
});

describe('decodePrefix', () => {
  test('a BEP 9 data message: the metadata piece follows the dictionary', () => {
    const header = 'd8:msg_typei1e5:piecei0e10:total_sizei34256ee';
    const { value, bytesRead } = decodePrefix(latin1(`${header}xxxxxxxx`));
    expect(bytesRead).toBe(header.length);
    expect((value as BencodeDict).integer('total_size')).toBe(34256);
  });

  test('it reads what decode reads, whatever follows', () => {
    fc.assert(
      fc.property(plainValue, fc.uint8Array({ minLength: 1 }), (plain, rest) => {
        const document = encode(plain);
        const bytes = Uint8Array.of(...document, ...rest);
        const { value, bytesRead } = decodePrefix(bytes);
        expect(bytesRead).toBe(document.length);
        expect(toPlain(value)).toEqual(toPlain(decode(document)));
        expect(refusal(bytes)).toEqual(['trailing-data', document.length]);
      }),
    );
  });
});

describe('any input', () => {
  test('is decoded or refused with a typed error, and what is decoded was canonical', () => {
    fc.assert(
      fc.property(arbitraryBytes, (bytes) => {
        const result = refusal(bytes);
        if (Array.isArray(result) && typeof result[0] === 'string') {
          expect(result[1]).toBeGreaterThanOrEqual(0);
          expect(result[1]).toBeLessThanOrEqual(bytes.length);
        } else {
          expect(encode(toPlain(decode(bytes)))).toEqual(bytes);
        }
      }),
      { numRuns: 5000 },
    );
  });

  test('one byte of a document changed, strict or lenient: the same', () => {
    fc.assert(
      fc.property(
        plainValue,
        fc.nat(),
        fc.nat(255),
        fc.boolean(),
        (plain, place, byte, lenient) => {
          const bytes = encode(plain).slice();
          bytes[place % bytes.length] = byte;
          const result = refusal(bytes, { lenient });
          const refused = Array.isArray(result) && typeof result[0] === 'string';
          if (!refused && !lenient) expect(encode(toPlain(decode(bytes)))).toEqual(bytes);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('every proper beginning of a document is truncated, at its end', () => {
    fc.assert(
      fc.property(plainValue, (plain) => {
        const bytes = encode(plain);
        for (let length = 0; length < bytes.length; length++) {
          expect(refusal(bytes.subarray(0, length))).toEqual(['truncated', length]);
        }
      }),
    );
  });
});

test('small documents stay readable whatever is decoded after them', () => {
  const documents = Array.from({ length: 2000 }, (_, i) =>
    decodeDict(encode({ i, l: [i, `${i}`] })),
  );
  expect(refusal(latin1('d1:ale1:bl'))).toEqual(['truncated', 10]);
  for (const [i, document] of documents.entries()) {
    expect(document.integer('i')).toBe(i);
    expect(document.list('l')?.text(1)).toBe(`${i}`);
  }
});
