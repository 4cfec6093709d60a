// What the property tests draw from: values, and their documents.
import fc from 'fast-check';
import type { BencodeInput, PlainValue } from '../src/index.ts';

/** One byte a character, as the examples of the specifications are written. */
export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Bytes, with those that mean something in bencode drawn often. */
export const arbitraryBytes: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...latin1('deli:-0123456789')) },
      { weight: 1, arbitrary: fc.nat(255) },
    ),
    { maxLength: 64 },
  )
  .map((bytes) => Uint8Array.from(bytes));

const integer = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.nat(9));

const bigInteger = fc
  .bigInt({ min: -(2n ** 255n), max: 2n ** 255n })
  .filter((value) => !Number.isSafeInteger(Number(value)));

const byteString = fc.uint8Array({ maxLength: 40 });

/** Text that UTF-8 can express. */
export const text: fc.Arbitrary<string> = fc.string({ unit: 'binary', maxLength: 12 });

/** Keys as `toPlain` gives them: text, or bytes that are not UTF-8. */
const key: fc.Arbitrary<string | Uint8Array> = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 1, arbitrary: byteString.map((bytes) => Uint8Array.of(0xff, ...bytes)) },
);

function keyName(key: string | Uint8Array): string {
  return typeof key === 'string' ? `text ${key}` : `bytes ${key}`;
}

/** A value in the shapes of `toPlain`. */
export const plainValue: fc.Arbitrary<PlainValue> = fc.letrec<{ value: PlainValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    integer,
    byteString,
    bigInteger,
    fc.array(tie('value'), { maxLength: 20 }),
    fc
      .uniqueArray(fc.tuple(key, tie('value')), {
        maxLength: 20,
        selector: ([name]) => keyName(name),
      })
      .map((entries) => new Map(entries)),
  ),
})).value;

/** A value that npm bencode can express: objects with UTF-8 keys, no bigint. */
export const objectValue: fc.Arbitrary<BencodeInput> = fc.letrec<{ value: BencodeInput }>(
  (tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      integer,
      byteString,
      fc.array(tie('value'), { maxLength: 8 }),
      fc.dictionary(
        text.filter((name) => !/\ufffd|^\ufeff|^__proto__$|[\ud800-\uffff]/.test(name)),
        tie('value'),
        { maxKeys: 8 },
      ),
    ),
  }),
).value;
