import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BencodeDict,
  BencodeList,
  decode,
  decodeDict,
  encode,
  type PlainDict,
  toPlain,
} from '../src/index.ts';
import { latin1, plainValue } from './arbitrary.ts';

const document = latin1(
  'd3:bini-5e4:dictd1:xi1ee4:hugei9007199254740993e4:listl1:ai2elee4:text4:spam4:\xff\xfe\xfd\xfc2:\xc3\xa9e',
);
const dict = decodeDict(document);

describe('a dictionary', () => {
  test('has typed readers', () => {
    expect(dict.integer('bin')).toBe(-5);
    expect(dict.bigint('bin')).toBe(-5n);
    expect(dict.bigint('huge')).toBe(9007199254740993n);
    expect(dict.text('text')).toBe('spam');
    expect(dict.bytes('text')).toEqual(latin1('spam'));
    expect(dict.dict('dict')?.integer('x')).toBe(1);
    expect(dict.list('list')?.length).toBe(3);
    expect(dict.get('bin')).toBe(-5);
    expect(dict.get('huge')).toBe(9007199254740993n);
    expect(dict.get('dict')).toBeInstanceOf(BencodeDict);
    expect(dict.get('list')).toBeInstanceOf(BencodeList);
  });

  test('gives undefined for another type and for what is absent', () => {
    expect(dict.integer('huge')).toBeUndefined(); // not exact as a number
    for (const key of ['text', 'list', 'dict', 'absent']) {
      expect(dict.integer(key)).toBeUndefined();
      expect(dict.bigint(key)).toBeUndefined();
    }
    for (const key of ['bin', 'list', 'dict', 'absent']) {
      expect(dict.bytes(key)).toBeUndefined();
      expect(dict.text(key)).toBeUndefined();
      expect(dict.equals(key, '')).toBe(false);
    }
    for (const key of ['bin', 'text', 'dict', 'absent']) expect(dict.list(key)).toBeUndefined();
    for (const key of ['bin', 'text', 'list', 'absent']) expect(dict.dict(key)).toBeUndefined();
    expect(dict.get('absent')).toBeUndefined();
    expect(dict.rawOf('absent')).toBeUndefined();
    expect(dict.spanOf('absent')).toBeUndefined();
    expect(dict.has('absent')).toBe(false);
    expect(dict.has('tex')).toBe(false);
    expect(dict.has('texts')).toBe(false);
  });

  test('keeps keys that are not text, without loss', () => {
    const key = Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc);
    expect(dict.text(key)).toBe('é');
    expect([...dict.keys()].at(-1)).toEqual(key);
    expect(encode(toPlain(dict))).toEqual(document);
  });

  test('tells where each value stood', () => {
    expect(dict.size).toBe(6);
    expect(dict.span).toEqual({ start: 0, end: document.length });
    const span = dict.spanOf('dict');
    expect(span).toEqual({ start: 16, end: 24 });
    expect(dict.rawOf('dict')).toEqual(latin1('d1:xi1ee'));
    expect(dict.dict('dict')?.raw).toEqual(latin1('d1:xi1ee'));
    expect(dict.dict('dict')?.span).toEqual(span);
    expect(dict.rawOf('bin')).toEqual(latin1('i-5e'));
    expect(dict.rawOf('text')).toEqual(latin1('4:spam'));
  });

  test('compares in place', () => {
    expect(dict.equals('text', 'spam')).toBe(true);
    expect(dict.equals('text', latin1('spam'))).toBe(true);
    expect(dict.equals('text', 'spa')).toBe(false);
    expect(dict.equals('text', 'spamm')).toBe(false);
    expect(dict.equals('text', 'spaM')).toBe(false);
    expect(dict.equals(Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc), 'é')).toBe(true);
    expect(dict.equals(Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc), '\ud800')).toBe(false);
  });

  test('iterates in the order of the input', () => {
    const keys = ['bin', 'dict', 'huge', 'list', 'text'].map(latin1);
    expect([...dict.keys()].slice(0, 5)).toEqual(keys);
    expect([...dict].map(([key]) => key).slice(0, 5)).toEqual(keys);
    expect([...dict.entries()][0]).toEqual([latin1('bin'), -5]);
  });

  test('has no key that means anything to JavaScript', () => {
    const hostile = decodeDict(
      latin1('d9:__proto__d8:pollutedi1ee11:constructori2e8:toString1:xe'),
    );
    expect(hostile.dict('__proto__')?.integer('polluted')).toBe(1);
    expect(hostile.integer('constructor')).toBe(2);
    expect(hostile.has('hasOwnProperty')).toBe(false);
    const plain = toPlain(hostile) as PlainDict;
    expect(Object.getPrototypeOf(plain)).toBe(Map.prototype);
    expect(plain.get('__proto__')).toEqual(new Map([['polluted', 1]]));
    expect('polluted' in {}).toBe(false);
  });
});

describe('a dictionary of many keys', () => {
  const keys = Array.from({ length: 300 }, (_, i) => `key ${i} é`);
  const many = decodeDict(encode(Object.fromEntries(keys.map((key, i) => [key, i]))));

  test('finds each of them, and nothing else', () => {
    expect(many.size).toBe(300);
    for (const [i, key] of keys.entries()) expect(many.integer(key)).toBe(i);
    for (const key of ['', 'key', 'key 300 é', 'zzz', '\ud800']) expect(many.has(key)).toBe(false);
  });

  test('finds the first of equal keys, unsorted as they may be', () => {
    const shuffled = [...keys.slice(200), ...keys.slice(0, 200), ...keys];
    const bytes = latin1(
      `d${shuffled.map((key, i) => `${key.length + 1}:${key.replace('é', 'Ã©')}i${i}e`).join('')}e`,
    );
    const lenient = decodeDict(bytes, { lenient: true });
    expect(lenient.size).toBe(600);
    for (const [i, key] of shuffled.slice(0, 300).entries()) expect(lenient.integer(key)).toBe(i);
    expect((toPlain(lenient) as PlainDict).get(keys[0] as string)).toBe(100);
  });
});

describe('a list', () => {
  const list = decode(latin1('l4:spami-7ed1:ai1eeli9007199254740992eee')) as BencodeList;

  test('has typed readers', () => {
    expect(list.length).toBe(4);
    expect(list.text(0)).toBe('spam');
    expect(list.bytes(0)).toEqual(latin1('spam'));
    expect(list.integer(1)).toBe(-7);
    expect(list.bigint(1)).toBe(-7n);
    expect(list.dict(2)?.integer('a')).toBe(1);
    expect(list.list(3)?.at(0)).toBe(2n ** 53n);
    expect(list.list(3)?.integer(0)).toBeUndefined();
    expect(list.at(1)).toBe(-7);
  });

  test('gives undefined for another type and out of range', () => {
    for (const i of [1, -1, 4, 0.5, Number.NaN]) {
      expect(list.text(i)).toBeUndefined();
      expect(list.bytes(i)).toBeUndefined();
      expect(list.list(i)).toBeUndefined();
      expect(list.dict(i)).toBeUndefined();
    }
    for (const i of [0, -1, 4]) {
      expect(list.integer(i)).toBeUndefined();
      expect(list.bigint(i)).toBeUndefined();
    }
    expect(list.at(4)).toBeUndefined();
    expect(list.at(0.5)).toBeUndefined();
  });

  test('iterates, and tells where it stood', () => {
    expect(list.toArray()).toHaveLength(4);
    expect([...list][1]).toBe(-7);
    expect(list.list(3)?.raw).toEqual(latin1('li9007199254740992ee'));
    expect(list.list(3)?.span).toEqual({ start: 19, end: 39 });
  });

  test('reaches any of many items, in any order', () => {
    const items = Array.from({ length: 500 }, (_, i) => (i % 3 === 0 ? [i, [i]] : i));
    const many = decode(encode(items)) as BencodeList;
    for (let i = 499; i >= 0; i--) {
      expect(i % 3 === 0 ? many.list(i)?.integer(0) : many.integer(i)).toBe(i);
    }
    expect(many.at(500)).toBeUndefined();
    expect(many.at(20.5)).toBeUndefined();
  });
});

describe('text', () => {
  test('is strict UTF-8, with nothing stripped', () => {
    const read = (bytes: Uint8Array) => decodeDict(encode({ t: bytes })).text('t');
    expect(read(latin1('\xff\xfe'))).toBeUndefined();
    expect(read(latin1('\xc0\xaf'))).toBeUndefined(); // overlong
    expect(read(latin1('\xed\xa0\x80'))).toBeUndefined(); // a surrogate
    expect(read(latin1('\xef\xbb\xbfbom'))).toBe('\ufeffbom');
    expect(read(latin1('a\0b'))).toBe('a\0b');
  });

  test('of every length is what TextDecoder says', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (text) => {
        expect(decodeDict(encode({ t: text })).text('t')).toBe(text);
      }),
    );
    for (let length = 0; length < 80; length++) {
      const text = 'abcdefghij'.repeat(8).slice(0, length);
      expect(decodeDict(encode({ t: text })).text('t')).toBe(text);
      expect(decodeDict(encode({ t: `${text}é` })).text('t')).toBe(`${text}é`);
    }
  });
});

describe('bytes', () => {
  test('are views: nothing is copied', () => {
    const input = latin1('xx4:spam').subarray(2);
    const view = decode(input) as Uint8Array;
    expect(view.buffer).toBe(input.buffer);
    expect(view.byteOffset).toBe(4);
  });

  test('are plain Uint8Arrays, even of a Buffer', () => {
    const view = decode(Buffer.from('4:spam')) as Uint8Array;
    expect(Object.getPrototypeOf(view)).toBe(Uint8Array.prototype);
    expect(view).toEqual(latin1('spam'));
  });
});

test('where a document lies in its memory does not matter', () => {
  fc.assert(
    fc.property(plainValue, fc.nat(9), (plain, shift) => {
      const bytes = encode(plain);
      const memory = new Uint8Array(bytes.length + 20).fill(0x65);
      memory.set(bytes, shift);
      const shifted = decode(memory.subarray(shift, shift + bytes.length));
      expect(toPlain(shifted)).toEqual(toPlain(decode(bytes)));
    }),
  );
});
