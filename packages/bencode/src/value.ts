// What decoding gives: numbers, byte strings, and lazy windows on a document's lists and dictionaries (BEP 3).
import { BYTE, contentStart, END, LINK, SLOTS, tokenAfter } from './tape.ts';
import { compareRanges, decodeText, encodeText } from './utf8.ts';

/**
 * A decoded value. Integers are numbers where that is exact and bigints beyond +-(2^53-1); byte strings are plain `Uint8Array`
 * views on the input.
 */
export type BencodeValue = number | bigint | Uint8Array | BencodeList | BencodeDict;

/** A range of bytes of the decoded input: `start` inclusive, `end` exclusive. */
export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

/** From this many members, an index is made on the first look-up, so that no document makes looking up quadratic. */
const INDEXED_MEMBERS = 16;

/** A window on one list or dictionary. */
abstract class Container {
  protected readonly input: Uint8Array;
  protected readonly tape: Int32Array;
  /** Tape index of the container's own token. */
  protected readonly token: number;

  constructor(input: Uint8Array, tape: Int32Array, token: number) {
    this.input = input;
    this.tape = tape;
    this.token = token;
  }

  /** Where the value stood in the input. */
  get span(): ByteSpan {
    return spanOf(this.tape, this.token);
  }

  /** The value's original bytes, a view on the input. */
  get raw(): Uint8Array {
    return rawOf(this.input, this.tape, this.token);
  }
}

/**
 * A decoded dictionary. Keys are byte strings; a `string` key means its UTF-8 bytes. The typed readers give `undefined` for a key
 * that is absent and for a value of another type.
 */
export class BencodeDict extends Container {
  #size = -1;
  /** Tape indices of the keys in the order of their bytes, once there was reason to make it. */
  #index: Int32Array | undefined;

  /** How many keys it has. */
  get size(): number {
    if (this.#size < 0) this.#size = countMembers(this.tape, this.token) / 2;
    return this.#size;
  }

  has(key: string | Uint8Array): boolean {
    return this.#find(key) > 0;
  }

  get(key: string | Uint8Array): BencodeValue | undefined {
    const at = this.#find(key);
    return at > 0 ? readValue(this.input, this.tape, at) : undefined;
  }

  /** The integer where a number holds it exactly; larger ones are undefined here, see {@link bigint}. */
  integer(key: string | Uint8Array): number | undefined {
    const at = this.#find(key);
    return at > 0 ? readNumber(this.input, this.tape, at) : undefined;
  }

  /** Any integer, as a bigint. */
  bigint(key: string | Uint8Array): bigint | undefined {
    const at = this.#find(key);
    return at > 0 ? readBigint(this.input, this.tape, at) : undefined;
  }

  /** The byte string, a view on the input. */
  bytes(key: string | Uint8Array): Uint8Array | undefined {
    const at = this.#find(key);
    return at > 0 ? readBytes(this.input, this.tape, at) : undefined;
  }

  /** The byte string as text; undefined also where it is not valid UTF-8. */
  text(key: string | Uint8Array): string | undefined {
    const at = this.#find(key);
    return at > 0 ? readText(this.input, this.tape, at) : undefined;
  }

  list(key: string | Uint8Array): BencodeList | undefined {
    const at = this.#find(key);
    return at > 0 ? readList(this.input, this.tape, at) : undefined;
  }

  dict(key: string | Uint8Array): BencodeDict | undefined {
    const at = this.#find(key);
    return at > 0 ? readDict(this.input, this.tape, at) : undefined;
  }

  /** Whether the value is the byte string `expected` (a `string`: its UTF-8 bytes); makes no view. */
  equals(key: string | Uint8Array, expected: string | Uint8Array): boolean {
    const at = this.#find(key);
    return at > 0 && isString(this.input, this.tape, at) && this.#contentEquals(at, expected);
  }

  /** The original bytes of a value, whatever its type: an info-hash is the hash of `rawOf('info')`. */
  rawOf(key: string | Uint8Array): Uint8Array | undefined {
    const at = this.#find(key);
    return at > 0 ? rawOf(this.input, this.tape, at) : undefined;
  }

  /** Where a value stood in the input. */
  spanOf(key: string | Uint8Array): ByteSpan | undefined {
    const at = this.#find(key);
    return at > 0 ? spanOf(this.tape, at) : undefined;
  }

  /** The keys, in the order of the input. */
  *keys(): IterableIterator<Uint8Array> {
    const end = this.tape[this.token + LINK] as number;
    for (let at = this.token + SLOTS; at < end; at = tokenAfter(this.tape, at + SLOTS)) {
      yield viewOf(this.input, this.tape, at);
    }
  }

  /** Keys and values, in the order of the input. */
  *entries(): IterableIterator<[Uint8Array, BencodeValue]> {
    const end = this.tape[this.token + LINK] as number;
    for (let at = this.token + SLOTS; at < end; at = tokenAfter(this.tape, at + SLOTS)) {
      yield [viewOf(this.input, this.tape, at), readValue(this.input, this.tape, at + SLOTS)];
    }
  }

  [Symbol.iterator](): IterableIterator<[Uint8Array, BencodeValue]> {
    return this.entries();
  }

  /** The tape index of the value of `key`, 0 where there is none. */
  #find(key: string | Uint8Array): number {
    const { tape } = this;
    if (this.#index !== undefined) return this.#findIndexed(key);
    const end = tape[this.token + LINK] as number;
    let passed = 0;
    for (let at = this.token + SLOTS; at < end; at = tokenAfter(tape, at + SLOTS)) {
      if (this.#contentEquals(at, key)) return at + SLOTS;
      if (++passed === INDEXED_MEMBERS) return this.#findIndexed(key);
    }
    return 0;
  }

  #findIndexed(key: string | Uint8Array): number {
    const { input, tape } = this;
    const wanted = typeof key === 'string' ? encodeText(key) : key;
    if (wanted === undefined) return 0;
    this.#index ??= this.#sortKeys();
    const index = this.#index;
    let low = 0;
    let high = index.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = index[middle] as number;
      const start = contentStart(tape, at);
      if (compareRanges(input, start, tape[at + END] as number, wanted, 0, wanted.length) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const at = index[low];
    return at !== undefined && this.#contentEquals(at, wanted) ? at + SLOTS : 0;
  }

  #sortKeys(): Int32Array {
    const { input, tape } = this;
    const index = new Int32Array(this.size);
    let at = this.token + SLOTS;
    for (let i = 0; i < index.length; i++) {
      index[i] = at;
      at = tokenAfter(tape, at + SLOTS);
    }
    // Sorted already unless it was decoded leniently; of equal keys the first stays first.
    return index.sort(
      (a, b) =>
        compareRanges(
          input,
          contentStart(tape, a),
          tape[a + END] as number,
          input,
          contentStart(tape, b),
          tape[b + END] as number,
        ) || a - b,
    );
  }

  /** Whether the string token at `at` holds `expected`. */
  #contentEquals(at: number, expected: string | Uint8Array): boolean {
    const { input, tape } = this;
    const start = contentStart(tape, at);
    const length = (tape[at + END] as number) - start;
    if (typeof expected === 'string') {
      if (expected.length > length) return false;
      for (let i = 0; i < expected.length; i++) {
        const unit = expected.charCodeAt(i);
        if (unit >= 0x80) {
          const encoded = encodeText(expected);
          return encoded !== undefined && this.#contentEquals(at, encoded);
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
}

/** A decoded list. The typed readers give `undefined` for an index out of range and for a value of another type. */
export class BencodeList extends Container {
  #length = -1;
  /** Tape indices of the items, once there was reason to make it. */
  #index: Int32Array | undefined;

  get length(): number {
    if (this.#length < 0) this.#length = countMembers(this.tape, this.token);
    return this.#length;
  }

  at(i: number): BencodeValue | undefined {
    const at = this.#find(i);
    return at > 0 ? readValue(this.input, this.tape, at) : undefined;
  }

  /** The integer where a number holds it exactly; larger ones are undefined here, see {@link bigint}. */
  integer(i: number): number | undefined {
    const at = this.#find(i);
    return at > 0 ? readNumber(this.input, this.tape, at) : undefined;
  }

  /** Any integer, as a bigint. */
  bigint(i: number): bigint | undefined {
    const at = this.#find(i);
    return at > 0 ? readBigint(this.input, this.tape, at) : undefined;
  }

  /** The byte string, a view on the input. */
  bytes(i: number): Uint8Array | undefined {
    const at = this.#find(i);
    return at > 0 ? readBytes(this.input, this.tape, at) : undefined;
  }

  /** The byte string as text; undefined also where it is not valid UTF-8. */
  text(i: number): string | undefined {
    const at = this.#find(i);
    return at > 0 ? readText(this.input, this.tape, at) : undefined;
  }

  list(i: number): BencodeList | undefined {
    const at = this.#find(i);
    return at > 0 ? readList(this.input, this.tape, at) : undefined;
  }

  dict(i: number): BencodeDict | undefined {
    const at = this.#find(i);
    return at > 0 ? readDict(this.input, this.tape, at) : undefined;
  }

  toArray(): BencodeValue[] {
    return [...this];
  }

  *[Symbol.iterator](): IterableIterator<BencodeValue> {
    const end = this.tape[this.token + LINK] as number;
    for (let at = this.token + SLOTS; at < end; at = tokenAfter(this.tape, at)) {
      yield readValue(this.input, this.tape, at);
    }
  }

  /** The tape index of item `i`, 0 where there is none. */
  #find(i: number): number {
    if (!(i >= 0 && i < this.length)) return 0;
    if (i < INDEXED_MEMBERS) {
      let at = this.token + SLOTS;
      for (let passed = 0; passed < i; passed++) at = tokenAfter(this.tape, at);
      return at;
    }
    this.#index ??= this.#indexItems();
    return this.#index[i] ?? 0;
  }

  #indexItems(): Int32Array {
    const index = new Int32Array(this.length);
    let at = this.token + SLOTS;
    for (let i = 0; i < index.length; i++) {
      index[i] = at;
      at = tokenAfter(this.tape, at);
    }
    return index;
  }
}

/** The value at a token, of whatever kind it is. */
export function readValue(input: Uint8Array, tape: Int32Array, at: number): BencodeValue {
  switch (input[tape[at] as number]) {
    case BYTE.dictionary:
      return new BencodeDict(input, tape, at);
    case BYTE.list:
      return new BencodeList(input, tape, at);
    case BYTE.integer:
      return readNumber(input, tape, at) ?? digitsToBigint(input, tape, at);
    default:
      return viewOf(input, tape, at);
  }
}

function readDict(input: Uint8Array, tape: Int32Array, at: number): BencodeDict | undefined {
  return input[tape[at] as number] === BYTE.dictionary
    ? new BencodeDict(input, tape, at)
    : undefined;
}

function readList(input: Uint8Array, tape: Int32Array, at: number): BencodeList | undefined {
  return input[tape[at] as number] === BYTE.list ? new BencodeList(input, tape, at) : undefined;
}

function readBytes(input: Uint8Array, tape: Int32Array, at: number): Uint8Array | undefined {
  return isString(input, tape, at) ? viewOf(input, tape, at) : undefined;
}

function readText(input: Uint8Array, tape: Int32Array, at: number): string | undefined {
  return isString(input, tape, at)
    ? decodeText(input, contentStart(tape, at), tape[at + END] as number)
    : undefined;
}

function readBigint(input: Uint8Array, tape: Int32Array, at: number): bigint | undefined {
  return input[tape[at] as number] === BYTE.integer ? digitsToBigint(input, tape, at) : undefined;
}

/** The integer at a token, undefined where it is none or a number would not be exact. */
function readNumber(input: Uint8Array, tape: Int32Array, at: number): number | undefined {
  if (input[tape[at] as number] !== BYTE.integer) return undefined;
  const end = (tape[at + END] as number) - 1;
  let offset = contentStart(tape, at);
  const negative = input[offset] === BYTE.minus;
  if (negative) offset++;
  let magnitude = 0;
  // Once the sum has left the safe integers it never returns to them, rounding or not.
  for (; offset < end; offset++) {
    magnitude = magnitude * 10 + ((input[offset] as number) - BYTE.zero);
  }
  if (magnitude > Number.MAX_SAFE_INTEGER) return undefined;
  return negative && magnitude !== 0 ? -magnitude : magnitude;
}

function digitsToBigint(input: Uint8Array, tape: Int32Array, at: number): bigint {
  const start = contentStart(tape, at);
  const end = (tape[at + END] as number) - 1;
  let digits = '';
  const negative = input[start] === BYTE.minus;
  for (let offset = negative ? start + 1 : start; offset < end; offset++) {
    digits += String.fromCharCode(input[offset] as number);
  }
  return negative ? -BigInt(digits) : BigInt(digits);
}

function isString(input: Uint8Array, tape: Int32Array, at: number): boolean {
  return (input[tape[at] as number] as number) <= BYTE.nine;
}

/** The content of a string token. A plain Uint8Array even where the input is a Buffer. */
function viewOf(input: Uint8Array, tape: Int32Array, at: number): Uint8Array {
  const start = contentStart(tape, at);
  return new Uint8Array(input.buffer, input.byteOffset + start, (tape[at + END] as number) - start);
}

function rawOf(input: Uint8Array, tape: Int32Array, at: number): Uint8Array {
  const start = tape[at] as number;
  return new Uint8Array(input.buffer, input.byteOffset + start, (tape[at + END] as number) - start);
}

function spanOf(tape: Int32Array, at: number): ByteSpan {
  return { start: tape[at] as number, end: tape[at + END] as number };
}

function countMembers(tape: Int32Array, token: number): number {
  const end = tape[token + LINK] as number;
  let members = 0;
  for (let at = token + SLOTS; at < end; at = tokenAfter(tape, at)) members++;
  return members;
}
