// Decoding of KRPC messages (BEP 5, 32, 33, 42, 43, 44, 51), in one pass and in place: a hot path without an object a datagram.
//
// Taken as others take it: keys in any order, fields we don't know, bytes behind the message. A field of a wrong type or length
// counts as absent; only in a `put` it is an error, because what is left out changes what is stored.
import {
  BLOOM_FILTER_BYTES,
  ID_BYTES,
  MAX_DATAGRAM_BYTES,
  MAX_ERROR_TEXT_BYTES,
  MAX_SALT_BYTES,
  MAX_SAMPLE_INTERVAL_SECONDS,
  MAX_SEQUENCE,
  MAX_TOKEN_BYTES,
  MAX_TRANSACTION_BYTES,
  MAX_VALUE_BYTES,
  NODE_BYTES,
  NODE6_BYTES,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
} from './constants.ts';
import { KRPC_ERROR, type KrpcErrorCode } from './errors.ts';
import type { DecodeOutcome, Message, Method } from './message.ts';

/**
 * Reads a datagram into `message`. Types and lengths are checked: what stands in a `Message` after `ok` can be used as it is.
 * Never throws.
 */
export function decodeMessage(bytes: Uint8Array, message: Message): DecodeOutcome {
  message.clear(bytes);
  typeByte = 0;
  methodAt = -1;
  errorAt = -1;
  fieldsLetter = 0;
  itemFault = 0;
  const end = bytes.length;
  if (end > MAX_DATAGRAM_BYTES) return drop(message, 'a datagram too long');
  if (bytes[0] !== DICTIONARY || !readMessage(bytes, end, message)) {
    return drop(message, 'not a bencoded dictionary');
  }
  if (message.transactionAt < 0) return drop(message, 'no transaction id');
  if (typeByte === LETTER.q) return judgeQuery(bytes, message);
  if (typeByte === LETTER.r) {
    message.type = 'response';
    if (fieldsLetter !== LETTER.r) return drop(message, 'a response without results');
    return message.idAt < 0 ? drop(message, 'a response without a node id') : 'ok';
  }
  if (typeByte === LETTER.e) {
    message.type = 'error';
    message.errorCode = KRPC_ERROR.generic;
    if (errorAt >= 0) readError(bytes, message);
    return 'ok';
  }
  return drop(message, 'neither query, response nor error');
}

// What one datagram needs besides its `Message`. Nothing here calls back, so that it can be shared.

/** The byte of `y`, or 0. */
let typeByte = 0;
/** The name of the query; -1 for none. */
let methodAt = -1;
let methodLength = 0;
/** Where the list `e` begins; -1 for none. */
let errorAt = -1;
/** The key of the dictionary of fields, `a` or `r`; 0 for none. */
let fieldsLetter = 0;
/** The error that a field of BEP 44 deserves in a `put`; 0 for none. */
let itemFault: KrpcErrorCode | 0 = 0;
/** Of the value that was skipped last: where the content of a string begins; -1 for other types. */
let contentAt = -1;

const DICTIONARY = 0x64;
const LIST = 0x6c;
const INTEGER = 0x69;
const END = 0x65;
const COLON = 0x3a;
const MINUS = 0x2d;
const ZERO = 0x30;

/** First letters of keys. */
const LETTER = {
  a: 0x61,
  c: 0x63,
  e: 0x65,
  i: 0x69,
  k: 0x6b,
  n: 0x6e,
  p: 0x70,
  q: 0x71,
  r: 0x72,
  s: 0x73,
  t: 0x74,
  v: 0x76,
  w: 0x77,
  y: 0x79,
  B: 0x42,
} as const;

function drop(message: Message, reason: string): DecodeOutcome {
  message.reason = reason;
  return 'drop';
}

function refuse(message: Message, code: KrpcErrorCode, reason: string): DecodeOutcome {
  message.errorCode = code;
  message.reason = reason;
  return 'refuse';
}

/** What each method needs (BEP 5, 44, 51). */
function judgeQuery(bytes: Uint8Array, message: Message): DecodeOutcome {
  if (methodAt < 0) return refuse(message, KRPC_ERROR.protocol, 'no method');
  message.method = methodOf(bytes);
  if (message.method === undefined) {
    return refuse(message, KRPC_ERROR.methodUnknown, 'unknown method');
  }
  if (fieldsLetter !== LETTER.a) return refuse(message, KRPC_ERROR.protocol, 'no arguments');
  if (message.idAt < 0) return refuse(message, KRPC_ERROR.protocol, 'no valid id');
  if (message.method === 'ping') return 'ok';
  if (message.method === 'put') return judgePut(message);
  if (message.targetAt < 0) {
    const reason =
      message.method === 'get_peers' || message.method === 'announce_peer'
        ? 'no valid info_hash'
        : 'no valid target';
    return refuse(message, KRPC_ERROR.protocol, reason);
  }
  if (message.method !== 'announce_peer') return 'ok';
  if (message.tokenAt < 0) return refuse(message, KRPC_ERROR.protocol, 'no valid token');
  if (message.port === 0 && !message.impliedPort) {
    return refuse(message, KRPC_ERROR.protocol, 'no valid port');
  }
  return 'ok';
}

/** BEP 44. An item is mutable when it has a key; then it has a signature and a sequence number too. */
function judgePut(message: Message): DecodeOutcome {
  if (message.tokenAt < 0) return refuse(message, KRPC_ERROR.protocol, 'no valid token');
  if (itemFault === KRPC_ERROR.valueTooBig) return refuse(message, itemFault, 'v too big');
  if (itemFault === KRPC_ERROR.saltTooBig) return refuse(message, itemFault, 'salt too big');
  if (itemFault !== 0) return refuse(message, itemFault, 'invalid item');
  if (message.valueAt < 0) return refuse(message, KRPC_ERROR.protocol, 'no v');
  const parts =
    (message.publicKeyAt < 0 ? 0 : 1) +
    (message.signatureAt < 0 ? 0 : 1) +
    (message.sequence === undefined ? 0 : 1);
  if (parts === 1 || parts === 2) {
    return refuse(message, KRPC_ERROR.protocol, 'a mutable item needs k, seq and sig');
  }
  return 'ok';
}

function methodOf(bytes: Uint8Array): Method | undefined {
  switch (methodLength) {
    case 3:
      if (isText(bytes, methodAt, 'get')) return 'get';
      return isText(bytes, methodAt, 'put') ? 'put' : undefined;
    case 4:
      return isText(bytes, methodAt, 'ping') ? 'ping' : undefined;
    case 9:
      if (isText(bytes, methodAt, 'find_node')) return 'find_node';
      return isText(bytes, methodAt, 'get_peers') ? 'get_peers' : undefined;
    case 13:
      return isText(bytes, methodAt, 'announce_peer') ? 'announce_peer' : undefined;
    case 17:
      return isText(bytes, methodAt, 'sample_infohashes') ? 'sample_infohashes' : undefined;
    default:
      return undefined;
  }
}

/** Reads the dictionary that the datagram is; false when it is malformed. */
function readMessage(bytes: Uint8Array, end: number, message: Message): boolean {
  let seen = 0;
  let at = 1;
  while (at < end && bytes[at] !== END) {
    const keyEnd = skipValue(bytes, at, end);
    const keyAt = contentAt;
    if (keyEnd < 0 || keyAt < 0) return false;
    const letter = keyEnd - keyAt === 1 ? bytes[keyAt]! : 0;
    let valueEnd: number;
    if ((letter === LETTER.a || letter === LETTER.r) && bytes[keyEnd] === DICTIONARY) {
      fieldsLetter = letter;
      valueEnd = readFields(bytes, keyEnd + 1, end, message);
    } else {
      valueEnd = skipValue(bytes, keyEnd, end);
    }
    if (valueEnd < 0) return false;
    const key = takeEnvelope(bytes, keyAt, keyEnd, valueEnd, message);
    if ((seen & key) !== 0) return false;
    seen |= key;
    at = valueEnd;
  }
  return at < end;
}

/** Takes a field of the message itself, and gives a bit for each key that is known, so that none stands there twice. */
function takeEnvelope(
  bytes: Uint8Array,
  keyAt: number,
  valueAt: number,
  valueEnd: number,
  message: Message,
): number {
  const length = contentAt < 0 ? -1 : valueEnd - contentAt;
  if (valueAt - keyAt === 2) {
    if (isText(bytes, keyAt, 'ip')) {
      if (length === 6 || length === 18) {
        message.ipAt = contentAt;
        message.ipLength = length;
      }
      return 1;
    }
    if (isText(bytes, keyAt, 'ro')) {
      message.readOnly = integerAt(bytes, valueAt) === 1;
      return 2;
    }
    return 0;
  }
  if (valueAt - keyAt !== 1) return 0;
  switch (bytes[keyAt]) {
    case LETTER.a:
    case LETTER.r:
      // Both at once would mix arguments and results.
      return 4;
    case LETTER.e:
      if (bytes[valueAt] === LIST) errorAt = valueAt;
      return 8;
    case LETTER.q:
      methodAt = contentAt;
      methodLength = length;
      return 16;
    case LETTER.t:
      if (length >= 0 && length <= MAX_TRANSACTION_BYTES) {
        message.transactionAt = contentAt;
        message.transactionLength = length;
      }
      return 32;
    case LETTER.v:
      if (length >= 0) {
        message.versionAt = contentAt;
        message.versionLength = length;
      }
      return 64;
    case LETTER.y:
      if (length === 1) typeByte = bytes[contentAt]!;
      return 128;
    default:
      return 0;
  }
}

/** Reads the fields of `a` or `r` from `at` on, and gives the offset behind them, or -1. */
function readFields(bytes: Uint8Array, start: number, end: number, message: Message): number {
  let seen = 0;
  let at = start;
  while (at < end && bytes[at] !== END) {
    const keyEnd = skipValue(bytes, at, end);
    const keyAt = contentAt;
    if (keyEnd < 0 || keyAt < 0) return -1;
    const valueEnd = skipValue(bytes, keyEnd, end);
    if (valueEnd < 0) return -1;
    const key = takeField(bytes, keyAt, keyEnd, valueEnd, message);
    if ((seen & key) !== 0) return -1;
    seen |= key;
    at = valueEnd;
  }
  contentAt = -1;
  return at < end ? at + 1 : -1;
}

/** Takes a field of `a` or `r`; as {@link takeEnvelope}. */
function takeField(
  bytes: Uint8Array,
  keyAt: number,
  valueAt: number,
  valueEnd: number,
  message: Message,
): number {
  const first = bytes[keyAt];
  const length = contentAt < 0 ? -1 : valueEnd - contentAt;
  switch (valueAt - keyAt) {
    case 1:
      if (first === LETTER.k) {
        message.publicKeyAt = itemString(length, PUBLIC_KEY_BYTES);
        return 1;
      }
      if (first !== LETTER.v) return 0;
      if (valueEnd - valueAt > MAX_VALUE_BYTES) {
        itemFault = KRPC_ERROR.valueTooBig;
      } else {
        message.valueAt = valueAt;
        message.valueLength = valueEnd - valueAt;
      }
      return 1 << 1;
    case 2:
      if (!isText(bytes, keyAt, 'id')) return 0;
      if (length === ID_BYTES) message.idAt = contentAt;
      return 1 << 2;
    case 3:
      if (first === LETTER.c && isText(bytes, keyAt, 'cas')) {
        message.compareSequence = sequenceAt(bytes, valueAt, valueEnd);
        return 1 << 3;
      }
      if (first === LETTER.n && isText(bytes, keyAt, 'num')) {
        message.hashCount = Math.max(integerAt(bytes, valueAt), -1);
        return 1 << 4;
      }
      if (isText(bytes, keyAt, 'seq')) {
        message.sequence = sequenceAt(bytes, valueAt, valueEnd);
        return 1 << 5;
      }
      if (!isText(bytes, keyAt, 'sig')) return 0;
      message.signatureAt = itemString(length, SIGNATURE_BYTES);
      return 1 << 6;
    case 4:
      if (first === LETTER.p && isText(bytes, keyAt, 'port')) {
        const port = integerAt(bytes, valueAt);
        if (port > 0 && port <= 0xffff) message.port = port;
        return 1 << 7;
      }
      if (first === LETTER.w && isText(bytes, keyAt, 'want')) {
        if (bytes[valueAt] === LIST) readWant(bytes, valueAt + 1, valueEnd, message);
        return 1 << 8;
      }
      if (isText(bytes, keyAt, 'salt')) {
        takeSalt(length, message);
        return 1 << 9;
      }
      if (isText(bytes, keyAt, 'seed')) {
        message.seed = integerAt(bytes, valueAt) > 0;
        return 1 << 10;
      }
      if (isText(bytes, keyAt, 'BFpe')) {
        if (length === BLOOM_FILTER_BYTES) message.peerFilterAt = contentAt;
        return 1 << 11;
      }
      if (!isText(bytes, keyAt, 'BFsd')) return 0;
      if (length === BLOOM_FILTER_BYTES) message.seedFilterAt = contentAt;
      return 1 << 12;
    case 5:
      if (first === LETTER.n && isText(bytes, keyAt, 'nodes')) {
        if (length >= 0 && length % NODE_BYTES === 0) {
          message.nodesAt = contentAt;
          message.nodesLength = length;
        }
        return 1 << 13;
      }
      if (!isText(bytes, keyAt, 'token')) return 0;
      if (length > 0 && length <= MAX_TOKEN_BYTES) {
        message.tokenAt = contentAt;
        message.tokenLength = length;
      }
      return 1 << 14;
    case 6:
      if (first === LETTER.t && isText(bytes, keyAt, 'target')) {
        if (length === ID_BYTES) message.targetAt = contentAt;
        return 1 << 15;
      }
      if (first === LETTER.v && isText(bytes, keyAt, 'values')) {
        if (bytes[valueAt] === LIST) readValues(bytes, valueAt + 1, valueEnd - 1, message);
        return 1 << 16;
      }
      if (isText(bytes, keyAt, 'nodes6')) {
        if (length >= 0 && length % NODE6_BYTES === 0) {
          message.nodes6At = contentAt;
          message.nodes6Length = length;
        }
        return 1 << 17;
      }
      if (isText(bytes, keyAt, 'noseed')) {
        message.noSeed = integerAt(bytes, valueAt) > 0;
        return 1 << 18;
      }
      if (!isText(bytes, keyAt, 'scrape')) return 0;
      message.scrape = integerAt(bytes, valueAt) > 0;
      return 1 << 19;
    case 7:
      if (!isText(bytes, keyAt, 'samples')) return 0;
      if (length >= 0 && length % ID_BYTES === 0) {
        message.samplesAt = contentAt;
        message.samplesLength = length;
      }
      return 1 << 20;
    case 8:
      if (!isText(bytes, keyAt, 'interval')) return 0;
      message.intervalSeconds = Math.min(
        Math.max(integerAt(bytes, valueAt), -1),
        MAX_SAMPLE_INTERVAL_SECONDS,
      );
      return 1 << 21;
    case 9:
      if (!isText(bytes, keyAt, 'info_hash')) return 0;
      if (length === ID_BYTES) message.targetAt = contentAt;
      // The bit of `target`: a query has one of the two.
      return 1 << 15;
    case 12:
      if (!isText(bytes, keyAt, 'implied_port')) return 0;
      message.impliedPort = integerAt(bytes, valueAt) > 0;
      return 1 << 22;
    default:
      return 0;
  }
}

function itemString(length: number, rightLength: number): number {
  if (length === rightLength) return contentAt;
  itemFault ||= KRPC_ERROR.protocol;
  return -1;
}

function takeSalt(length: number, message: Message): void {
  if (length > MAX_SALT_BYTES) {
    itemFault ||= KRPC_ERROR.saltTooBig;
  } else if (length < 0) {
    itemFault ||= KRPC_ERROR.protocol;
  } else {
    message.saltAt = contentAt;
    message.saltLength = length;
  }
}

function readWant(bytes: Uint8Array, start: number, end: number, message: Message): void {
  let at = start;
  while (bytes[at] !== END) {
    const itemEnd = skipValue(bytes, at, end);
    if (contentAt >= 0 && itemEnd - contentAt === 2) {
      if (isText(bytes, contentAt, 'n4')) message.wantsIpv4 = true;
      else if (isText(bytes, contentAt, 'n6')) message.wantsIpv6 = true;
    }
    at = itemEnd;
  }
}

/** A list of strings only. */
function readValues(bytes: Uint8Array, start: number, end: number, message: Message): void {
  let at = start;
  while (at < end) {
    at = skipValue(bytes, at, end);
    if (contentAt < 0) return;
  }
  message.valuesAt = start;
  message.valuesLength = end - start;
}

/** BEP 5: a list of a number and a text. Whatever else the list is, the query has failed. */
function readError(bytes: Uint8Array, message: Message): void {
  const end = bytes.length;
  const codeAt = errorAt + 1;
  if (bytes[codeAt] === END) return;
  const code = integerAt(bytes, codeAt);
  if (code > 0) message.errorCode = code;
  const textAt = skipValue(bytes, codeAt, end);
  if (bytes[textAt] === END) return;
  const textEnd = skipValue(bytes, textAt, end);
  if (contentAt < 0) return;
  message.errorTextAt = contentAt;
  message.errorTextLength = Math.min(textEnd - contentAt, MAX_ERROR_TEXT_BYTES);
}

/**
 * The offset behind the value at `at`, or -1 when it is malformed or does not end before `end`. Sets `contentAt`. That keys of
 * inner dictionaries are strings, and each has a value, is not looked at.
 */
function skipValue(bytes: Uint8Array, start: number, end: number): number {
  contentAt = -1;
  let at = start;
  let depth = 0;
  do {
    if (at >= end) return -1;
    const byte = bytes[at++]!;
    if (byte >= ZERO && byte <= ZERO + 9) {
      let length = byte - ZERO;
      for (;;) {
        if (at >= end) return -1;
        const next = bytes[at++]!;
        if (next === COLON) break;
        if (next < ZERO || next > ZERO + 9) return -1;
        length = 10 * length + next - ZERO;
        if (length > end) return -1;
      }
      if (depth === 0) contentAt = at;
      at += length;
      if (at > end) return -1;
    } else if (byte === INTEGER) {
      at = integerEnd(bytes, at, end);
      if (at < 0) return -1;
    } else if (byte === DICTIONARY || byte === LIST) {
      depth++;
    } else if (byte === END && depth > 0) {
      depth--;
    } else {
      return -1;
    }
  } while (depth > 0);
  return at;
}

/** The offset behind the `e` of an integer whose digits begin at `start`, or -1. */
function integerEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  const digitsAt = at;
  while (at < end) {
    const byte = bytes[at++]!;
    if (byte === END) return at - 1 > digitsAt ? at : -1;
    if (byte < ZERO || byte > ZERO + 9) return -1;
  }
  return -1;
}

/** The well-formed integer at `at`, cut at 2^31 - 1; -1 for a negative one and for what is no integer. */
function integerAt(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== INTEGER || bytes[at + 1] === MINUS) return -1;
  let value = 0;
  for (let i = at + 1; bytes[i] !== END; i++) {
    value = 10 * value + bytes[i]! - ZERO;
    if (value > 0x7fffffff) return 0x7fffffff;
  }
  return value;
}

/** The integer from `at` to `end`, 0 to 2^63 - 1 (BEP 44); a fault of the item for anything else. */
function sequenceAt(bytes: Uint8Array, at: number, end: number): bigint | undefined {
  if (bytes[at] === INTEGER && bytes[at + 1] !== MINUS && end - at <= 21) {
    let digits = '';
    for (let i = at + 1; i < end - 1; i++) digits += String.fromCharCode(bytes[i]!);
    const value = BigInt(digits);
    if (value <= MAX_SEQUENCE) return value;
  }
  itemFault ||= KRPC_ERROR.protocol;
  return undefined;
}

function isText(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}
