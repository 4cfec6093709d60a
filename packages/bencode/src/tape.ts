// The tape: what the decoder knows of a document, as one flat array of numbers beside the input. Values are windows on it.
//
// Each token (an integer, a string, a list, a dictionary; keys are strings) takes SLOTS numbers, in the order of the input:
//   [START]  offset of the token's first byte, prefix included
//   [END]    offset behind its last byte
//   [LINK]   a list or dictionary: the index behind its last member, always positive;
//            a string or integer: the offset of its content, complemented, always negative
// A dictionary's members are key, value, key, value. A token's kind is the byte of the input at its start. START is slot 0.
import { compareRanges, decodeText, encodeText } from './bytes.ts';

export const SLOTS = 3;
export const END = 1;
export const LINK = 2;

/** ASCII. */
export const BYTE = {
  minus: 0x2d,
  zero: 0x30,
  nine: 0x39,
  colon: 0x3a,
  dictionary: 0x64,
  end: 0x65,
  integer: 0x69,
  list: 0x6c,
} as const;

/** Orders the contents of two strings of one tape. */
export function compareContents(
  input: Uint8Array,
  slots: Int32Array,
  a: number,
  b: number,
): number {
  return compareRanges(
    input,
    ~(slots[a + LINK] as number),
    slots[a + END] as number,
    input,
    ~(slots[b + LINK] as number),
    slots[b + END] as number,
  );
}

/** A parsed input. `at` is always the index of a token. */
export class Tape {
  readonly input: Uint8Array;
  readonly slots: Int32Array;
  /** Index of the outermost value. */
  readonly root: number;
  /** The input's memory, kept since asking a typed array for it is a slow call in V8. */
  #buffer: ArrayBufferLike | undefined;
  #byteOffset = 0;

  constructor(input: Uint8Array, slots: Int32Array, root: number) {
    this.input = input;
    this.slots = slots;
    this.root = root;
  }

  start(at: number): number {
    return this.slots[at] as number;
  }

  end(at: number): number {
    return this.slots[at + END] as number;
  }

  /** The byte that tells what kind of token it is: a digit, `i`, `l` or `d`. */
  kind(at: number): number {
    return this.input[this.slots[at] as number] as number;
  }

  /** Where the content of a string or integer begins: behind `5:` or `i`. */
  contentStart(at: number): number {
    return ~(this.slots[at + LINK] as number);
  }

  /** The index behind a list's or dictionary's last member. */
  membersEnd(at: number): number {
    return this.slots[at + LINK] as number;
  }

  /** The index behind a token and its members. */
  after(at: number): number {
    const link = this.slots[at + LINK] as number;
    return link > 0 ? link : at + SLOTS;
  }

  /** How many tokens stand directly in a list or dictionary. */
  countMembers(at: number): number {
    const end = this.membersEnd(at);
    let members = 0;
    for (let member = at + SLOTS; member < end; member = this.after(member)) members++;
    return members;
  }

  /** The token's original bytes. */
  raw(at: number): Uint8Array {
    return this.#view(this.start(at), this.end(at));
  }

  /** The content of a string. */
  content(at: number): Uint8Array {
    return this.#view(this.contentStart(at), this.end(at));
  }

  /** A byte string, undefined where the token is something else. */
  bytes(at: number): Uint8Array | undefined {
    return this.kind(at) <= BYTE.nine ? this.content(at) : undefined;
  }

  /** A byte string as text, undefined where the token is something else or not UTF-8. */
  text(at: number): string | undefined {
    return this.kind(at) <= BYTE.nine
      ? decodeText(this.input, this.contentStart(at), this.end(at))
      : undefined;
  }

  /** An integer, undefined where the token is something else or a number would not be exact. */
  integer(at: number): number | undefined {
    if (this.kind(at) !== BYTE.integer) return undefined;
    const { input } = this;
    const end = this.end(at) - 1;
    let offset = this.contentStart(at);
    const negative = input[offset] === BYTE.minus;
    if (negative) offset++;
    let magnitude = 0;
    // A sum that has left the safe integers never comes back, rounded or not.
    for (; offset < end; offset++) {
      magnitude = magnitude * 10 + ((input[offset] as number) - BYTE.zero);
    }
    if (magnitude > Number.MAX_SAFE_INTEGER) return undefined;
    return negative && magnitude !== 0 ? -magnitude : magnitude;
  }

  /** Any integer, undefined where the token is something else. */
  bigint(at: number): bigint | undefined {
    if (this.kind(at) !== BYTE.integer) return undefined;
    return BigInt(decodeText(this.input, this.contentStart(at), this.end(at) - 1) as string);
  }

  /** Whether the token is the byte string `expected`. */
  equals(at: number, expected: string | Uint8Array): boolean {
    if (this.kind(at) > BYTE.nine) return false;
    const { input } = this;
    const start = this.contentStart(at);
    const length = this.end(at) - start;
    if (typeof expected === 'string') {
      if (expected.length > length) return false;
      for (let i = 0; i < expected.length; i++) {
        const unit = expected.charCodeAt(i);
        if (unit >= 0x80) {
          const encoded = encodeText(expected);
          return encoded !== undefined && this.equals(at, encoded);
        }
        if (unit !== input[start + i]) return false;
      }
      return expected.length === length;
    }
    if (expected.length !== length) return false;
    for (let i = 0; i < length; i++) {
      if (expected[i] !== input[start + i]) return false;
    }
    return true;
  }

  /** Orders the content of a string against `other`. */
  compare(at: number, other: Uint8Array): number {
    return compareRanges(this.input, this.contentStart(at), this.end(at), other, 0, other.length);
  }

  /** A plain Uint8Array even where the input is a Buffer. */
  #view(start: number, end: number): Uint8Array {
    if (this.#buffer === undefined) {
      this.#buffer = this.input.buffer;
      this.#byteOffset = this.input.byteOffset;
    }
    return new Uint8Array(this.#buffer, this.#byteOffset + start, end - start);
  }
}
