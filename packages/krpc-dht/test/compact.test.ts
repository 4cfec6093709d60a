import fc from 'fast-check';
import { expect, it } from 'vitest';
import { forEachValue, nodeLength } from '../src/compact.ts';
import { id, received } from './bytes.ts';

it('BEP 5 and 32: nodes of 26 and 38 bytes', () => {
  expect([nodeLength(4), nodeLength(6)]).toEqual([26, 38]);
});

it('peers come out of values as they went in, strings of other lengths left out', () => {
  const item = fc
    .constantFrom(0, 5, 6, 7, 18, 19, 100)
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
  fc.assert(
    fc.property(fc.array(item, { maxLength: 12 }), (values) => {
      const message = received({ t: 'aa', y: 'r', r: { id: id(1), values } });
      const found: Uint8Array[] = [];
      forEachValue(message.bytes, message.valuesAt, message.valuesLength, (at, family) => {
        found.push(Uint8Array.from(message.view(at, family === 4 ? 6 : 18)));
      });
      expect(found).toEqual(values.filter(({ length }) => length === 6 || length === 18));
    }),
  );
});
