import fc from 'fast-check';
import { expect, it } from 'vitest';
import { shortCode } from '../../src/channel/short-code.ts';

const fingerprint = () => fc.uint8Array({ minLength: 32, maxLength: 32 });

it('is the same at both ends', () => {
  fc.assert(
    fc.property(fingerprint(), fingerprint(), (a, b) => {
      expect(shortCode([a, b])).toBe(shortCode([b, a]));
      expect(shortCode([a, b])).toMatch(/^\d{3} \d{3} \d{3} \d{3}$/);
    }),
  );
});

it('is another with another certificate at either end', () => {
  const [a, b, c] = [1, 2, 3].map((fill) => new Uint8Array(32).fill(fill)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  expect(new Set([shortCode([a, b]), shortCode([a, c]), shortCode([c, b])]).size).toBe(3);
});

it('stays what it is', () => {
  const code = shortCode([new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]);
  expect(code).toMatchInlineSnapshot(`"178 177 012 184"`);
});
