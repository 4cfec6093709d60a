import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytes, sameBytes } from '../src/bytes.ts';

test('bytes are compared as Buffer does', () => {
  const short = fc.uint8Array({ maxLength: 3, max: 3 });
  fc.assert(
    fc.property(short, short, (a, b) => {
      expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
      expect(sameBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
    }),
  );
});
