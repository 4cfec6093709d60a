// A decoded document as ordinary JavaScript values, for printing, comparing and editing.
import { decodeText } from './bytes.ts';
import { BencodeDict, BencodeList, type BencodeValue } from './value.ts';

/** A decoded value in ordinary JavaScript. `encode(toPlain(value))` is the value's canonical form: nothing is lost. */
export type PlainValue = number | bigint | Uint8Array | PlainValue[] | PlainDict;

/** Keys are text where they are valid UTF-8, else the bytes. A Map, so that no key (`__proto__`) means anything. */
export type PlainDict = Map<string | Uint8Array, PlainValue>;

/**
 * Converts a value with everything in it: lists to arrays, dictionaries to Maps. Byte strings stay views on the input. Of duplicate
 * keys, which only lenient decoding lets pass, the first is kept.
 */
export function toPlain(value: BencodeValue): PlainValue {
  // A list of work instead of recursion: `maxDepth` is the caller's to choose, the size of the stack is not.
  const open: (() => void)[] = [];
  const convert = (member: BencodeValue): PlainValue => {
    if (member instanceof BencodeDict) {
      const map: PlainDict = new Map();
      open.push(() => {
        const seen = new Set<string>();
        for (const [bytes, inner] of member) {
          const text = decodeText(bytes, 0, bytes.length);
          const name = text === undefined ? `bytes ${bytes}` : `text ${text}`;
          if (seen.has(name)) continue;
          seen.add(name);
          map.set(text ?? bytes, convert(inner));
        }
      });
      return map;
    }
    if (member instanceof BencodeList) {
      const array: PlainValue[] = [];
      open.push(() => {
        for (const inner of member) array.push(convert(inner));
      });
      return array;
    }
    return member;
  };
  const plain = convert(value);
  for (let fill = open.pop(); fill !== undefined; fill = open.pop()) fill();
  return plain;
}
