// npm bencode 4.0.1 is the reference: where it is right, both must agree byte for byte. Each way in which it is not is listed in
// KNOWN_DIFFERENCES and shown by a test, so that none is believed and none is forgotten. docs/adr/0001 draws the conclusion.
import npm from 'bencode';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  BencodeDict,
  BencodeList,
  type BencodeValue,
  decode,
  decodeDict,
  encode,
  toPlain,
} from '../src/index.ts';
import { arbitraryBytes, latin1, objectValue, plainValue } from './arbitrary.ts';

/** The shape in which npm bencode would give a value, except that bigints stay. */
function asNpm(value: BencodeValue): unknown {
  if (value instanceof BencodeList) return value.toArray().map(asNpm);
  if (!(value instanceof BencodeDict)) return value;
  const entries = [...value].map(([key, member]) => [new TextDecoder().decode(key), asNpm(member)]);
  return Object.fromEntries(entries);
}

/** Whether a document holds something that npm bencode is known to read wrongly although the document is canonical. */
function isKnownDifference(value: BencodeValue): boolean {
  if (typeof value === 'bigint') return true; // rounded to a number
  if (value instanceof BencodeList) return value.toArray().some(isKnownDifference);
  if (!(value instanceof BencodeDict)) return false;
  return [...value].some(([key, member]) => {
    const text = Buffer.from(key).toString();
    const changed = !Buffer.from(text).equals(key) || text.includes('\ufffd'); // becomes hex
    const stripped = text.startsWith('\ufeff'); // a byte order mark is dropped
    return changed || stripped || text === '__proto__' || isKnownDifference(member);
  });
}

describe('both agree', () => {
  test('on encoding objects, lists, bytes and integers', () => {
    fc.assert(
      fc.property(objectValue, (value) => {
        expect(encode(value)).toEqual(npm.encode(value));
      }),
      { numRuns: 500 },
    );
  });

  test('on decoding what either encoded', () => {
    fc.assert(
      fc.property(objectValue, (value) => {
        const document = npm.encode(value);
        expect(asNpm(decode(document))).toEqual(npm.decode(document));
      }),
      { numRuns: 500 },
    );
  });

  test('on every document we accept, known differences aside', () => {
    const documents = fc.oneof(
      arbitraryBytes,
      plainValue.map((plain): Uint8Array => encode(plain)),
    );
    let compared = 0;
    fc.assert(
      fc.property(documents, (document) => {
        let ours: BencodeValue;
        try {
          ours = decode(document);
        } catch {
          return; // npm bencode accepts some of these: see below
        }
        if (isKnownDifference(ours)) return;
        compared++;
        expect(asNpm(ours)).toEqual(npm.decode(document));
      }),
      { numRuns: 2000 },
    );
    expect(compared).toBeGreaterThan(200);
  });
});

describe('KNOWN_DIFFERENCES, decoding: npm bencode accepts what BEP 3 forbids', () => {
  test.each<[string, string, unknown, string]>([
    ['a leading zero', 'i03e', 3, 'invalid-integer'],
    ['minus zero', 'i-0e', -0, 'invalid-integer'],
    ['a fraction, cut', 'i1.5e', 1, 'invalid-integer'],
    ['anything behind a dot', 'i1.xyze', 1, 'invalid-integer'],
    ['a plus sign', 'i+1e', 1, 'invalid-integer'],
    ['no digits', 'ie', 0, 'invalid-integer'],
    ['a minus without digits', 'i-e', -0, 'invalid-integer'],
    ['a leading zero in a length', '03:abc', latin1('abc'), 'invalid-length'],
    ['no length', ':', latin1(''), 'invalid-token'],
    ['trailing bytes', 'i1exyz', 1, 'trailing-data'],
    ['a truncated string', '10:abc', latin1('abc'), 'truncated'],
    ['empty input', '', null, 'truncated'],
    ['unsorted keys', 'd1:bi1e1:ai2ee', { b: 1, a: 2 }, 'unsorted-keys'],
    ['a duplicate key, the last kept', 'd1:ai1e1:ai2ee', { a: 2 }, 'duplicate-key'],
  ])('%s: %s', (_, document, theirs, code) => {
    expect(npm.decode(latin1(document))).toEqual(theirs);
    expect(() => decode(latin1(document))).toThrow(expect.objectContaining({ code }));
  });

  test('deep nesting overflows its stack', () => {
    const bytes = new Uint8Array(200_000).fill(0x6c);
    expect(() => npm.decode(bytes)).toThrow(RangeError);
    expect(() => decode(bytes)).toThrow(expect.objectContaining({ code: 'too-deep' }));
  });
});

describe('KNOWN_DIFFERENCES, decoding: npm bencode changes canonical documents', () => {
  test('2^53+1 is rounded', () => {
    const document = latin1('i9007199254740993e');
    expect(npm.decode(document)).toBe(9007199254740992);
    expect(decode(document)).toBe(9007199254740993n);
  });

  test('a key that is not UTF-8 becomes its hex digits, and encodes as another document: another info-hash', () => {
    const document = latin1('d2:\xff\xfei1ee');
    expect(npm.decode(document)).toEqual({ fffe: 1 });
    expect(npm.encode(npm.decode(document))).toEqual(latin1('d4:fffei1ee'));
    expect(decodeDict(document).raw).toEqual(document);
    expect(encode(toPlain(decode(document)))).toEqual(document);
  });

  test('a byte order mark at the start of a key is dropped', () => {
    const document = latin1('d4:\xef\xbb\xbfai1ee');
    expect(npm.encode(npm.decode(document))).toEqual(latin1('d1:ai1ee'));
    expect(encode(toPlain(decode(document)))).toEqual(document);
  });

  test('the key __proto__ sets the prototype of the result', () => {
    const document = latin1('d9:__proto__d7:isAdmini1eee');
    const theirs = npm.decode(document);
    expect(Object.keys(theirs)).toEqual([]);
    expect(theirs.isAdmin).toBe(1);
    expect(decodeDict(document).has('isAdmin')).toBe(false);
    expect(decodeDict(document).dict('__proto__')?.integer('isAdmin')).toBe(1);
  });
});

describe('KNOWN_DIFFERENCES, encoding: npm bencode writes something else', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each<[string, () => unknown, string, string]>([
    ['a bigint is left out', () => [1n], 'le', 'li1ee'],
    ['a float is cut', () => 1.5, 'i1e', 'not-an-integer'],
    ['2^53+2 is taken for exact', () => 2 ** 53 + 2, 'i9007199254740994e', 'unsafe-integer'],
    ['NaN is zero', () => Number.NaN, 'i0e', 'not-an-integer'],
    ['true is one', () => true, 'i1e', 'unsupported-value'],
    ['null in a list is left out', () => [null, 1], 'li1ee', 'unsupported-value'],
    ['undefined alone is nothing', () => undefined, '', 'unsupported-value'],
    ['a Date is an empty dictionary', () => new Date(0), 'de', 'unsupported-value'],
    ['a Set is a list', () => new Set([1]), 'li1ee', 'unsupported-value'],
    ['a lone surrogate is U+FFFD', () => '\ud800', '3:\xef\xbf\xbd', 'invalid-text'],
    [
      'byte keys of a Map are sorted as lists of decimals',
      () =>
        new Map([
          [latin1('\x0a'), 1],
          [latin1('\x09'), 2],
        ]),
      'd1:\x0ai1e1:\x09i2ee',
      'd1:\x09i2e1:\x0ai1ee',
    ],
    [
      'keys are sorted by UTF-16 units',
      () => ({ '\u{1f600}': 1, '\uff5e': 2 }),
      'd4:\xf0\x9f\x98\x80i1e3:\xef\xbd\x9ei2ee',
      'd3:\xef\xbd\x9ei2e4:\xf0\x9f\x98\x80i1ee',
    ],
  ])('%s', (_, value, theirs, ours) => {
    for (const method of ['warn', 'trace'] as const) {
      vi.spyOn(console, method).mockImplementation(() => {});
    }
    expect(npm.encode(value())).toEqual(latin1(theirs));
    if (/^[a-z]+-/.test(ours)) {
      expect(() => encode(value() as never)).toThrow(expect.objectContaining({ code: ours }));
    } else {
      expect(encode(value() as never)).toEqual(latin1(ours));
    }
  });

  test('a cycle overflows its stack', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => npm.encode(cycle)).toThrow(RangeError);
    expect(() => encode(cycle as never)).toThrow(expect.objectContaining({ code: 'too-deep' }));
  });
});
