import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, toHex } from '../src/index.ts';

test('hex is written in lower case and read in either', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = toHex(bytes);
      expect(text).toBe(Buffer.from(bytes).toString('hex'));
      expect(fromHex(text)).toEqual(bytes);
      expect(fromHex(text.toUpperCase())).toEqual(bytes);
    }),
  );
});

test.each(['0', '0g', ' 0', '0x', '+1', '-1', '1\n', '\uff10\uff10'])('%j is no hex', (text) => {
  expect(fromHex(text)).toBeUndefined();
});
