import fc from 'fast-check';
import { expect, it } from 'vitest';
import { printableLines, printableText } from '../../src/chat/printable-text.ts';

it.each([
  [
    'ordinary words, žluťoučký kůň, 日本語, العربية',
    'ordinary words, žluťoučký kůň, 日本語, العربية',
  ],
  ['family 👨‍👩‍👧', 'family 👨‍👩‍👧'],
  ['\u001b[2Jgone', '\\x1b[2Jgone'],
  ['\u009b31mred', '\\x9b31mred'],
  ['a\u0007b\rc\nd', 'a\\x07b\\x0dc\\x0ad'],
  ['tab\there', 'tab here'],
  ['txt.\u202egpj', 'txt.\\u{202e}gpj'],
  ['\u2066isolated\u2069', '\\u{2066}isolated\\u{2069}'],
  ['\u{e0041}tag', '\\u{e0041}tag'],
  ['half \ud800 pair', 'half \\u{d800} pair'],
])('%j', (text, printed) => {
  expect(printableText(text)).toBe(printed);
});

it('leaves nothing that a terminal obeys or that turns text around', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(printableText(text)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u200e\u200f]/u);
    }),
  );
});

it('gives several lines one by one', () => {
  expect(printableLines('one\r\ntwo\n\u001bthree')).toEqual(['one', 'two', '\\x1bthree']);
});
