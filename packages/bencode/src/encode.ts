// Encoding to canonical bencode (BEP 3, "bencoding"): keys sorted by their bytes, integers only.

import { compareBytes, compareTexts, encodeText } from './bytes.ts';
import { BencodeError, type BencodeErrorCode } from './errors.ts';
import { DEFAULT_MAX_DEPTH, MAX_INTEGER_DIGITS } from './limits.ts';
import { BYTE } from './tape.ts';
import { BencodeDict, BencodeList } from './value.ts';

/**
 * What can be encoded. A `string` is its UTF-8 bytes. Members of a plain object that are undefined are left out; Maps can hold
 * byte-string keys. Decoded lists and dictionaries, and {@link rawBencode}, are emitted as they are.
 */
export type BencodeInput =
  | number
  | bigint
  | string
  | Uint8Array
  | readonly BencodeInput[]
  | ReadonlyMap<string | Uint8Array, BencodeInput>
  | { readonly [key: string]: BencodeInput | undefined }
  | BencodeDict
  | BencodeList
  | RawBencode;

/** One value that is bencoded already. */
export class RawBencode {
  readonly raw: Uint8Array;
  constructor(raw: Uint8Array) {
    this.raw = raw;
  }
}

/** Marks `bytes` as one complete bencoded value, to be emitted unchanged and unchecked. */
export function rawBencode(bytes: Uint8Array): RawBencode {
  return new RawBencode(bytes);
}

/**
 * Encodes `value` canonically.
 *
 * Results of up to 1 KiB share memory with others, as Node's small Buffers do: copy one before its `buffer` is transferred.
 *
 * @throws {BencodeError} for a value that bencode cannot express exactly; `code` says why.
 */
export function encode(value: BencodeInput): Uint8Array<ArrayBuffer> {
  const writer = idleWriter?.hasRoom() ? idleWriter : new Writer();
  idleWriter = undefined; // a getter in `value` may call encode again
  const encoded = writer.write(value);
  if (writer.hasRoom()) idleWriter = writer;
  return encoded;
}

/** The writer of the next call, unless one is at work. */
let idleWriter: Writer | undefined;

/** Memory of one writer. Making a typed array costs more than encoding a DHT message: small results are views on one block. */
const BLOCK_BYTES = 8 * 1024;
const SHARED_RESULT_BYTES = 1024;

const LARGEST_INT32 = 0x7fff_ffff;

/** Byte strings up to this length are copied in a loop, which is cheaper than a call of `set` (measured). */
const SHORT_BYTES = 32;

class Writer {
  out = new Uint8Array(BLOCK_BYTES);
  /** Where the value being written begins in `out`. */
  begin = 0;
  position = 0;

  write(value: BencodeInput): Uint8Array<ArrayBuffer> {
    this.begin = this.position;
    this.value(value, 0);
    const { out, begin, position } = this;
    if (position - begin <= SHARED_RESULT_BYTES) return out.subarray(begin, position);
    this.position = begin;
    return out.slice(begin, position);
  }

  /** Whether the block is one to go on with: not a grown one, not full, not taken away by a transfer. */
  hasRoom(): boolean {
    return (
      this.out.length === BLOCK_BYTES && this.position + SHARED_RESULT_BYTES <= this.out.length
    );
  }

  /** Writes one value; `depth` containers are open around it. */
  value(value: BencodeInput, depth: number): void {
    if (typeof value === 'string') this.text(value);
    else if (typeof value === 'number') this.number(value);
    else if (typeof value === 'bigint') this.bigint(value);
    else if (typeof value !== 'object' || value === null) throw this.unsupported(value);
    else if (value instanceof Uint8Array) this.bytes(value);
    else if (Array.isArray(value)) this.list(value, this.deeper(depth));
    else if (isPlainObject(value)) this.object(value, this.deeper(depth));
    else if (value instanceof Map) this.map(value, this.deeper(depth));
    else if (
      value instanceof BencodeDict ||
      value instanceof BencodeList ||
      value instanceof RawBencode
    ) {
      this.copy(value.raw);
    } else throw this.unsupported(value);
  }

  deeper(depth: number): number {
    if (depth < DEFAULT_MAX_DEPTH) return depth + 1;
    throw this.refuse('too-deep', 'too many containers within containers, or a cycle');
  }

  list(items: readonly BencodeInput[], depth: number): void {
    this.byte(BYTE.list);
    for (let i = 0; i < items.length; i++) this.value(items[i] as BencodeInput, depth);
    this.byte(BYTE.end);
  }

  object(members: { readonly [key: string]: BencodeInput | undefined }, depth: number): void {
    this.byte(BYTE.dictionary);
    const keys = Object.keys(members);
    for (let i = 1; i < keys.length; i++) {
      if (compareTexts(keys[i - 1] as string, keys[i] as string) > 0) {
        keys.sort(compareTexts);
        break;
      }
    }
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      const value = members[key];
      if (value === undefined) continue;
      this.text(key);
      this.value(value, depth);
    }
    this.byte(BYTE.end);
  }

  map(members: ReadonlyMap<string | Uint8Array, BencodeInput>, depth: number): void {
    this.byte(BYTE.dictionary);
    const entries = Array.from(members, ([key, value]) => ({ key: this.key(key), value }));
    entries.sort((a, b) => compareBytes(a.key, b.key));
    let previous: Uint8Array | undefined;
    for (const { key, value } of entries) {
      if (previous !== undefined && compareBytes(previous, key) === 0) {
        throw this.refuse('duplicate-key', 'a text key and a byte key, or two, of the same bytes');
      }
      previous = key;
      this.bytes(key);
      this.value(value, depth);
    }
    this.byte(BYTE.end);
  }

  key(key: unknown): Uint8Array {
    if (key instanceof Uint8Array) return key;
    if (typeof key === 'string') return this.utf8(key);
    throw this.unsupported(key);
  }

  utf8(text: string): Uint8Array {
    const encoded = encodeText(text);
    if (encoded === undefined) throw this.refuse('invalid-text', 'text with a lone surrogate');
    return encoded;
  }

  text(text: string): void {
    const { length } = text;
    this.reserve(length + LENGTH_BYTES);
    const begin = this.position;
    this.digits(length);
    const { out } = this;
    let position = this.position;
    out[position++] = BYTE.colon;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) {
        this.position = begin;
        this.bytes(this.utf8(text));
        return;
      }
      out[position++] = unit;
    }
    this.position = position;
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(LENGTH_BYTES);
    this.digits(bytes.length);
    this.out[this.position++] = BYTE.colon;
    this.copy(bytes);
  }

  number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      if (Number.isInteger(value)) {
        throw this.refuse('unsafe-integer', `${value} is beyond 2^53-1: pass a bigint`);
      }
      throw this.refuse('not-an-integer', `${value} is not an integer`);
    }
    this.reserve(LENGTH_BYTES);
    this.out[this.position++] = BYTE.integer;
    if (value < 0) this.out[this.position++] = BYTE.minus;
    this.digits(Math.abs(value));
    this.out[this.position++] = BYTE.end;
  }

  bigint(value: bigint): void {
    const digits = value.toString();
    if (digits.length - (value < 0n ? 1 : 0) > MAX_INTEGER_DIGITS) {
      throw this.refuse('too-long', `an integer of more than ${MAX_INTEGER_DIGITS} digits`);
    }
    this.byte(BYTE.integer);
    this.ascii(digits);
    this.byte(BYTE.end);
  }

  /** Writes a safe integer that is not negative. */
  digits(value: number): void {
    if (value > LARGEST_INT32) {
      this.ascii(String(value));
      return;
    }
    let count = 1;
    for (let limit = 10; value >= limit; limit *= 10) count++;
    this.reserve(count);
    const { out, position } = this;
    let rest = value;
    for (let i = count - 1; i >= 0; i--) {
      const tenth = (rest / 10) | 0; // V8 divides 32-bit integers by a constant without a division
      out[position + i] = BYTE.zero + (rest - tenth * 10);
      rest = tenth;
    }
    this.position = position + count;
  }

  ascii(text: string): void {
    this.reserve(text.length);
    const { out, position } = this;
    for (let i = 0; i < text.length; i++) out[position + i] = text.charCodeAt(i);
    this.position = position + text.length;
  }

  copy(bytes: Uint8Array): void {
    const { length } = bytes;
    this.reserve(length);
    const { out, position } = this;
    if (length <= SHORT_BYTES) {
      for (let i = 0; i < length; i++) out[position + i] = bytes[i] as number;
    } else {
      out.set(bytes, position);
    }
    this.position = position + length;
  }

  byte(byte: number): void {
    this.reserve(1);
    this.out[this.position++] = byte;
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    if (this.position + bytes <= this.out.length) return;
    const written = this.position - this.begin;
    const grown = new Uint8Array(Math.max(2 * this.out.length, 2 * (written + bytes)));
    grown.set(this.out.subarray(this.begin, this.position));
    this.out = grown;
    this.begin = 0;
    this.position = written;
  }

  unsupported(value: unknown): BencodeError {
    return this.refuse('unsupported-value', `cannot encode ${describe(value)}`);
  }

  refuse(code: BencodeErrorCode, message: string): BencodeError {
    return new BencodeError(code, this.position - this.begin, message);
  }
}

/** Room for a safe integer of 16 digits and the bytes around it. */
const LENGTH_BYTES = 20;

/** `{}` and `Object.create(null)`, of any realm; a class instance (a Date, a Set) is not one. */
function isPlainObject(value: object): value is { readonly [key: string]: BencodeInput } {
  if (value.constructor === Object) return true; // nearly always; asking for the prototype is a slow call in V8
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return String(value);
  return `an instance of ${value.constructor?.name ?? 'no class'}`;
}
