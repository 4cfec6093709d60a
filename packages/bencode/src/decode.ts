// Decoding bencode (BEP 3, "bencoding") in one pass, without recursion and without copies: the parser checks the document and
// writes a tape of its tokens (tape.ts); values are windows on tape and input (value.ts), made when they are asked for.

import { BencodeError, type BencodeErrorCode } from './errors.ts';
import {
  DEFAULT_MAX_BYTES,
  DEFAULT_MAX_DEPTH,
  DEFAULT_MAX_ITEMS,
  MAX_INTEGER_DIGITS,
} from './limits.ts';
import { BYTE, compareContents, END, LINK, SLOTS, Tape } from './tape.ts';
import { BencodeDict, type BencodeValue, readValue } from './value.ts';

export interface DecodeOptions {
  /** Containers within containers, the outermost counted. Default 100. */
  readonly maxDepth?: number;
  /** Integers, strings (keys too), lists and dictionaries in all. Default 3,000,000: a .torrent of some 400,000 files. */
  readonly maxItems?: number;
  /** The longest input, and for `decodePrefix` the longest value, in bytes. Default 64 MiB, at most 2^31-1. */
  readonly maxBytes?: number;
  /**
   * Accept what real programs send against BEP 3: unsorted keys, duplicate keys (the first one is found), leading zeros in
   * integers and lengths, and `i-0e`. Default false.
   */
  readonly lenient?: boolean;
}

/** Tape offsets are 32-bit integers. */
const LARGEST_INPUT_BYTES = 0x7fff_ffff;

const DEFAULTS: DecodeOptions = {};

/**
 * Decodes `bytes`, all of it, as one value.
 *
 * Nothing is copied: the result borrows `bytes`, which must not change while the result is used.
 *
 * @throws {BencodeError} with the byte offset, for anything but one canonical value.
 */
export function decode(bytes: Uint8Array, options: DecodeOptions = DEFAULTS): BencodeValue {
  const tape = parseWhole(bytes, options);
  return readValue(tape, tape.root);
}

/** Decodes `bytes`, all of it, as one dictionary. As {@link decode} otherwise. */
export function decodeDict(bytes: Uint8Array, options: DecodeOptions = DEFAULTS): BencodeDict {
  const tape = parseWhole(bytes, options);
  if (tape.kind(tape.root) !== BYTE.dictionary) {
    throw new BencodeError('not-a-dictionary', 0, 'expected a dictionary');
  }
  return new BencodeDict(tape, tape.root);
}

/**
 * Decodes the value that `bytes` begins with and tells how long it is; what follows is not looked at (BEP 9 puts a piece of
 * metadata behind its message). As {@link decode} otherwise.
 */
export function decodePrefix(
  bytes: Uint8Array,
  options: DecodeOptions = DEFAULTS,
): { value: BencodeValue; bytesRead: number } {
  const tape = parse(bytes, options);
  return { value: readValue(tape, tape.root), bytesRead: tape.end(tape.root) };
}

function parseWhole(bytes: Uint8Array, options: DecodeOptions): Tape {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  if (bytes.length > maxBytes) {
    throw new BencodeError('too-long', maxBytes, `the input is longer than ${maxBytes} bytes`);
  }
  const tape = parse(bytes, options);
  const end = tape.end(tape.root);
  if (end !== bytes.length) throw new BencodeError('trailing-data', end, 'data after the value');
  return tape;
}

/**
 * The tapes of small documents lie one behind the other in a shared array, since making a typed array costs as much as parsing
 * a DHT message. Nothing in it is ever overwritten; a full one is left to its documents.
 */
const SHARED_SLOTS = 4096;
let shared = new Int32Array(0);
let sharedUsed = 0;

function parse(bytes: Uint8Array, options: DecodeOptions): Tape {
  const slots = bytes.length * SLOTS; // a token has at least one byte, so this always suffices
  if (slots > SHARED_SLOTS) {
    // A token for every 8 bytes is what a long file list has. It grows where that is too few.
    const tokens = Math.min(bytes.length >> 3, DEFAULT_MAX_ITEMS);
    const own = new Int32Array(Math.max(tokens * SLOTS, SHARED_SLOTS));
    return new Tape(bytes, writeTape(bytes, options, own, 0), 0);
  }
  if (sharedUsed + slots > shared.length) {
    shared = new Int32Array(SHARED_SLOTS);
    sharedUsed = 0;
  }
  const tape = new Tape(bytes, writeTape(bytes, options, shared, sharedUsed), sharedUsed);
  sharedUsed = tape.after(tape.root);
  return tape;
}

/** Parses the value at the start of `bytes` into `slots` from index `root`. Returns the slots: other ones if they had to grow. */
function writeTape(
  bytes: Uint8Array,
  options: DecodeOptions,
  slots: Int32Array,
  root: number,
): Int32Array {
  const maxDepth = options.maxDepth ?? DEFAULT_MAX_DEPTH;
  const maxBytes = Math.min(options.maxBytes ?? DEFAULT_MAX_BYTES, LARGEST_INPUT_BYTES);
  const lastIndex = root + (options.maxItems ?? DEFAULT_MAX_ITEMS) * SLOTS;
  const lenient = options.lenient ?? false;
  const end = Math.min(bytes.length, maxBytes);

  let offset = 0;
  let index = root;
  let depth = 0;
  // The innermost open container. While it is open its LINK holds the container around it, its END the last key (0: none yet).
  let container = -1;
  let inDict = false;
  let keyNext = false;

  do {
    if (offset >= end) throw ranOut(bytes, end);
    const start = offset;
    const byte = bytes[offset++] as number;

    if (byte === BYTE.end) {
      if (container < 0) throw invalid('invalid-token', start);
      if (inDict && !keyNext) throw invalid('missing-value', start);
      const around = slots[container + LINK] as number;
      slots[container + END] = offset;
      slots[container + LINK] = index;
      container = around;
      depth--;
      inDict = container >= 0 && bytes[slots[container] as number] === BYTE.dictionary;
      keyNext = inDict;
      continue;
    }

    if (index >= lastIndex) throw invalid('too-many-items', start);
    if (index + SLOTS > slots.length) slots = grow(slots);
    slots[index] = start;

    if (byte >= BYTE.zero && byte <= BYTE.nine) {
      let length = byte - BYTE.zero;
      for (;;) {
        if (offset >= end) throw ranOut(bytes, end);
        const next = bytes[offset++] as number;
        if (next === BYTE.colon) break;
        if (next < BYTE.zero || next > BYTE.nine) throw invalid('invalid-length', start);
        if (byte === BYTE.zero && !lenient) throw invalid('invalid-length', start);
        length = length * 10 + (next - BYTE.zero);
        if (length > maxBytes) throw invalid('too-long', start);
      }
      slots[index + LINK] = ~offset;
      offset += length;
      if (offset > end) throw ranOut(bytes, end);
      slots[index + END] = offset;
      if (keyNext) {
        if (!lenient) checkOrder(bytes, slots, slots[container + END] as number, index);
        slots[container + END] = index;
        keyNext = false;
      } else {
        keyNext = inDict;
      }
    } else {
      if (keyNext) throw invalid('invalid-key', start);
      if (byte === BYTE.integer) {
        slots[index + LINK] = ~offset;
        offset = integerEnd(bytes, offset, end, lenient);
        slots[index + END] = offset;
        keyNext = inDict;
      } else if (byte === BYTE.dictionary || byte === BYTE.list) {
        if (depth === maxDepth) throw invalid('too-deep', start);
        depth++;
        slots[index + END] = 0;
        slots[index + LINK] = container;
        container = index;
        inDict = byte === BYTE.dictionary;
        keyNext = inDict;
      } else {
        throw invalid('invalid-token', start);
      }
    }
    index += SLOTS;
  } while (container >= 0);
  return slots;
}

/** The offset behind the `e` of the integer whose digits begin at `offset`. */
function integerEnd(bytes: Uint8Array, offset: number, end: number, lenient: boolean): number {
  let at = offset;
  if (at < end && bytes[at] === BYTE.minus) at++;
  const digits = at;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === BYTE.end) {
      if (at === digits) throw invalid('invalid-integer', offset - 1);
      return at + 1;
    }
    if (byte < BYTE.zero || byte > BYTE.nine) throw invalid('invalid-integer', offset - 1);
    if (at - digits === MAX_INTEGER_DIGITS) throw invalid('too-long', offset - 1);
    // A zero may stand alone only, and takes no minus.
    if (!lenient && bytes[digits] === BYTE.zero && (at > digits || digits > offset)) {
      throw invalid('invalid-integer', offset - 1);
    }
  }
  throw ranOut(bytes, end);
}

/** Keys must ascend strictly as raw strings (BEP 3). `previous` is 0 for the first key of a dictionary. */
function checkOrder(bytes: Uint8Array, slots: Int32Array, previous: number, key: number): void {
  if (previous === 0) return;
  const order = compareContents(bytes, slots, previous, key);
  if (order < 0) return;
  throw invalid(order === 0 ? 'duplicate-key' : 'unsorted-keys', slots[key] as number);
}

function grow(slots: Int32Array): Int32Array {
  const grown = new Int32Array(slots.length * 2);
  grown.set(slots);
  return grown;
}

function ranOut(bytes: Uint8Array, end: number): BencodeError {
  return end < bytes.length
    ? new BencodeError('too-long', end, `the value is longer than ${end} bytes`)
    : new BencodeError('truncated', end, 'the input ends inside a value');
}

const MESSAGES: Partial<Record<BencodeErrorCode, string>> = {
  'invalid-token': 'a byte that begins no value here',
  'invalid-integer': 'not a canonical integer',
  'invalid-length': 'not a canonical string length',
  'invalid-key': 'a dictionary key that is not a string',
  'missing-value': 'a dictionary key without a value',
  'unsorted-keys': 'dictionary keys out of order',
  'duplicate-key': 'a dictionary key for the second time',
  'too-deep': 'too many containers within containers',
  'too-many-items': 'too many values',
  'too-long': 'longer than allowed',
};

function invalid(code: BencodeErrorCode, offset: number): BencodeError {
  return new BencodeError(code, offset, MESSAGES[code] ?? code);
}
