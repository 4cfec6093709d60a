import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decode, encode, toPlain } from '../src/index.ts';
import { latin1, plainValue } from './arbitrary.ts';

test('lists become arrays, dictionaries Maps, with text keys where they are text', () => {
  expect(toPlain(decode(latin1('d1:ali1ei9007199254740993ee2:\xc3\xa91:x1:\xffdee')))).toEqual(
    new Map<unknown, unknown>([
      ['a', [1, 9007199254740993n]],
      ['é', latin1('x')],
      [latin1('\xff'), new Map()],
    ]),
  );
});

test('of a key that stands twice the first is kept, text or not', () => {
  const document = latin1('d1:\xffi1e1:ai2e1:\xffi3e1:ai4ee');
  expect(encode(toPlain(decode(document, { lenient: true })))).toEqual(latin1('d1:ai2e1:\xffi1ee'));
});

test('nothing is lost', () => {
  fc.assert(
    fc.property(plainValue, (plain) => {
      const document = encode(plain);
      expect(toPlain(decode(document))).toEqual(plain);
      expect(encode(toPlain(decode(document)))).toEqual(document);
    }),
  );
});
