import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readableText } from '../src/text.ts';

/** Text with control characters, half surrogates and everything else. */
const codeUnits = fc
  .array(fc.oneof(fc.nat(0x2100), fc.nat(0xffff)), { maxLength: 600 })
  .map((units) => String.fromCharCode(...units));

it('makes anything one line of at most 256 harmless characters', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 3000 }),
        codeUnits.map((s) => new TextEncoder().encode(s)),
      ),
      (bytes) => {
        const text = readableText(bytes);
        expect(text.length).toBeLessThanOrEqual(256);
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
      },
    ),
  );
});

it('leaves plain text as it is', () => {
  expect(readableText(new TextEncoder().encode('Gr\u00fc\u00dfe \u{1f600}'))).toBe(
    'Gr\u00fc\u00dfe \u{1f600}',
  );
});
