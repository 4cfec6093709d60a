import { describe, expect, test } from 'vitest';
import { BencodeDict, decode, decodeDict, decodePrefix, encode, toPlain } from '../src/index.ts';

const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

describe('the examples of BEP 3', () => {
  test.each([
    ['4:spam', latin1('spam')],
    ['i3e', 3],
    ['i-3e', -3],
    ['i0e', 0],
    ['l4:spam4:eggse', [latin1('spam'), latin1('eggs')]],
  ])('%s', (text, expected) => {
    expect(toPlain(decode(latin1(text)))).toEqual(expected);
    expect(encode(toPlain(decode(latin1(text))))).toEqual(latin1(text));
  });
  test('d3:cow3:moo4:spam4:eggse', () => {
    const dict = decodeDict(latin1('d3:cow3:moo4:spam4:eggse'));
    expect(dict).toBeInstanceOf(BencodeDict);
    expect(dict.text('cow')).toBe('moo');
    expect(dict.text('spam')).toBe('eggs');
  });
});

test('a prefix', () => {
  const { value, bytesRead } = decodePrefix(latin1('d1:ai1eexyz'));
  expect(bytesRead).toBe(8);
  expect((value as BencodeDict).integer('a')).toBe(1);
});
