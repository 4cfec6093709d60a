// What decoding gives: numbers, byte strings, and lazy windows on a document's lists and dictionaries (BEP 3).
import { encodeText } from './bytes.ts';
import { BYTE, compareContents, SLOTS, type Tape } from './tape.ts';

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

/** Looking among more members than this makes an index first, so that no document makes looking up quadratic. */
const UNINDEXED_MEMBERS = 16;

/**
 * A decoded dictionary. Keys are byte strings; a `string` key means its UTF-8 bytes. The typed readers give `undefined` for a key
 * that is absent and for a value of another type.
 */
export class BencodeDict {
  readonly #tape: Tape;
  readonly #at: number;
  #size = -1;
  /** The keys in the order of their bytes, once there was reason to sort them. */
  #sorted: Int32Array | undefined;

  /** @internal */
  constructor(tape: Tape, at: number) {
    this.#tape = tape;
    this.#at = at;
  }

  /** How many keys it has. */
  get size(): number {
    if (this.#size < 0) this.#size = this.#tape.countMembers(this.#at) / 2;
    return this.#size;
  }

  /** Where the dictionary stood in the input. */
  get span(): ByteSpan {
    return spanOf(this.#tape, this.#at);
  }

  /** The dictionary's original bytes, a view on the input. */
  get raw(): Uint8Array {
    return this.#tape.raw(this.#at);
  }

  has(key: string | Uint8Array): boolean {
    return this.#find(key) > 0;
  }

  get(key: string | Uint8Array): BencodeValue | undefined {
    const at = this.#find(key);
    return at > 0 ? readValue(this.#tape, at) : undefined;
  }

  /** The integer where a number holds it exactly; larger ones are undefined here, see {@link bigint}. */
  integer(key: string | Uint8Array): number | undefined {
    const at = this.#find(key);
    return at > 0 ? this.#tape.integer(at) : undefined;
  }

  /** Any integer, as a bigint. */
  bigint(key: string | Uint8Array): bigint | undefined {
    const at = this.#find(key);
    return at > 0 ? this.#tape.bigint(at) : undefined;
  }

  /** The byte string, a view on the input. */
  bytes(key: string | Uint8Array): Uint8Array | undefined {
    const at = this.#find(key);
    return at > 0 ? this.#tape.bytes(at) : undefined;
  }

  /** The byte string as text; undefined also where it is not valid UTF-8. */
  text(key: string | Uint8Array): string | undefined {
    const at = this.#find(key);
    return at > 0 ? this.#tape.text(at) : undefined;
  }

  list(key: string | Uint8Array): BencodeList | undefined {
    const at = this.#find(key);
    return at > 0 ? readList(this.#tape, at) : undefined;
  }

  dict(key: string | Uint8Array): BencodeDict | undefined {
    const at = this.#find(key);
    return at > 0 ? readDict(this.#tape, at) : undefined;
  }

  /** Whether the value is the byte string `expected` (a `string`: its UTF-8 bytes); makes no view. */
  equals(key: string | Uint8Array, expected: string | Uint8Array): boolean {
    const at = this.#find(key);
    return at > 0 && this.#tape.equals(at, expected);
  }

  /** The original bytes of a value, whatever its type: an info-hash is the hash of `rawOf('info')`. */
  rawOf(key: string | Uint8Array): Uint8Array | undefined {
    const at = this.#find(key);
    return at > 0 ? this.#tape.raw(at) : undefined;
  }

  /** Where a value stood in the input. */
  spanOf(key: string | Uint8Array): ByteSpan | undefined {
    const at = this.#find(key);
    return at > 0 ? spanOf(this.#tape, at) : undefined;
  }

  /** The keys, in the order of the input. */
  keys(): IterableIterator<Uint8Array> {
    return new Members(this.#tape, this.#at, SLOTS, readKey);
  }

  /** Keys and values, in the order of the input. */
  entries(): IterableIterator<[Uint8Array, BencodeValue]> {
    return new Members(this.#tape, this.#at, SLOTS, readEntry);
  }

  [Symbol.iterator](): IterableIterator<[Uint8Array, BencodeValue]> {
    return this.entries();
  }

  /** The value of `key`, 0 where there is none. */
  #find(key: string | Uint8Array): number {
    const tape = this.#tape;
    if (this.#sorted !== undefined) return this.#findSorted(key);
    const end = tape.membersEnd(this.#at);
    let passed = 0;
    for (let at = this.#at + SLOTS; at < end; at = tape.after(at + SLOTS)) {
      if (passed++ === UNINDEXED_MEMBERS) return this.#findSorted(key);
      if (tape.equals(at, key)) return at + SLOTS;
    }
    return 0;
  }

  #findSorted(key: string | Uint8Array): number {
    const tape = this.#tape;
    const wanted = typeof key === 'string' ? encodeText(key) : key;
    if (wanted === undefined) return 0;
    this.#sorted ??= this.#sortKeys();
    const sorted = this.#sorted;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (tape.compare(sorted[middle] as number, wanted) < 0) low = middle + 1;
      else high = middle;
    }
    const at = sorted[low];
    return at !== undefined && tape.equals(at, wanted) ? at + SLOTS : 0;
  }

  /** They come sorted unless they were decoded leniently; of equal keys the first stays first. */
  #sortKeys(): Int32Array {
    const tape = this.#tape;
    const keys = indexMembers(tape, this.#at, this.size, SLOTS);
    return keys.sort((a, b) => compareContents(tape.input, tape.slots, a, b) || a - b);
  }
}

/** A decoded list. The typed readers give `undefined` for an index out of range and for a value of another type. */
export class BencodeList {
  readonly #tape: Tape;
  readonly #at: number;
  #length = -1;
  /** The items, once there was reason to find them all. */
  #items: Int32Array | undefined;

  /** @internal */
  constructor(tape: Tape, at: number) {
    this.#tape = tape;
    this.#at = at;
  }

  get length(): number {
    if (this.#length < 0) this.#length = this.#tape.countMembers(this.#at);
    return this.#length;
  }

  /** Where the list stood in the input. */
  get span(): ByteSpan {
    return spanOf(this.#tape, this.#at);
  }

  /** The list's original bytes, a view on the input. */
  get raw(): Uint8Array {
    return this.#tape.raw(this.#at);
  }

  at(i: number): BencodeValue | undefined {
    const at = this.#find(i);
    return at > 0 ? readValue(this.#tape, at) : undefined;
  }

  /** The integer where a number holds it exactly; larger ones are undefined here, see {@link bigint}. */
  integer(i: number): number | undefined {
    const at = this.#find(i);
    return at > 0 ? this.#tape.integer(at) : undefined;
  }

  /** Any integer, as a bigint. */
  bigint(i: number): bigint | undefined {
    const at = this.#find(i);
    return at > 0 ? this.#tape.bigint(at) : undefined;
  }

  /** The byte string, a view on the input. */
  bytes(i: number): Uint8Array | undefined {
    const at = this.#find(i);
    return at > 0 ? this.#tape.bytes(at) : undefined;
  }

  /** The byte string as text; undefined also where it is not valid UTF-8. */
  text(i: number): string | undefined {
    const at = this.#find(i);
    return at > 0 ? this.#tape.text(at) : undefined;
  }

  list(i: number): BencodeList | undefined {
    const at = this.#find(i);
    return at > 0 ? readList(this.#tape, at) : undefined;
  }

  dict(i: number): BencodeDict | undefined {
    const at = this.#find(i);
    return at > 0 ? readDict(this.#tape, at) : undefined;
  }

  toArray(): BencodeValue[] {
    return [...this];
  }

  [Symbol.iterator](): IterableIterator<BencodeValue> {
    return new Members(this.#tape, this.#at, 0, readValue);
  }

  /** Item `i`, 0 where there is none. */
  #find(i: number): number {
    if (!Number.isInteger(i) || i < 0 || i >= this.length) return 0;
    const tape = this.#tape;
    if (i < UNINDEXED_MEMBERS) {
      let at = this.#at + SLOTS;
      for (let passed = 0; passed < i; passed++) at = tape.after(at);
      return at;
    }
    this.#items ??= indexMembers(tape, this.#at, this.length, 0);
    return this.#items[i] as number;
  }
}

/** Reads a container's members one by one. `keySlots` is the room of the key before each value: SLOTS in a dictionary, 0 in a list. */
class Members<T> implements IterableIterator<T> {
  readonly #tape: Tape;
  readonly #end: number;
  readonly #keySlots: number;
  readonly #read: (tape: Tape, at: number) => T;
  #at: number;

  constructor(
    tape: Tape,
    container: number,
    keySlots: number,
    read: (tape: Tape, at: number) => T,
  ) {
    this.#tape = tape;
    this.#end = tape.membersEnd(container);
    this.#keySlots = keySlots;
    this.#read = read;
    this.#at = container + SLOTS;
  }

  next(): IteratorResult<T, undefined> {
    const at = this.#at;
    if (at >= this.#end) return { done: true, value: undefined };
    this.#at = this.#tape.after(at + this.#keySlots);
    return { done: false, value: this.#read(this.#tape, at) };
  }

  [Symbol.iterator](): this {
    return this;
  }
}

/** Where a container's members begin; `keySlots` as in {@link Members}. */
function indexMembers(tape: Tape, container: number, count: number, keySlots: number): Int32Array {
  const index = new Int32Array(count);
  let at = container + SLOTS;
  for (let i = 0; i < count; i++) {
    index[i] = at;
    at = tape.after(at + keySlots);
  }
  return index;
}

/** The value at a token, of whatever kind it is. */
export function readValue(tape: Tape, at: number): BencodeValue {
  switch (tape.kind(at)) {
    case BYTE.dictionary:
      return new BencodeDict(tape, at);
    case BYTE.list:
      return new BencodeList(tape, at);
    case BYTE.integer:
      return tape.integer(at) ?? (tape.bigint(at) as bigint);
    default:
      return tape.content(at);
  }
}

function readDict(tape: Tape, at: number): BencodeDict | undefined {
  return tape.kind(at) === BYTE.dictionary ? new BencodeDict(tape, at) : undefined;
}

function readList(tape: Tape, at: number): BencodeList | undefined {
  return tape.kind(at) === BYTE.list ? new BencodeList(tape, at) : undefined;
}

function readKey(tape: Tape, at: number): Uint8Array {
  return tape.content(at);
}

function readEntry(tape: Tape, at: number): [Uint8Array, BencodeValue] {
  return [tape.content(at), readValue(tape, at + SLOTS)];
}

function spanOf(tape: Tape, at: number): ByteSpan {
  return { start: tape.start(at), end: tape.end(at) };
}
