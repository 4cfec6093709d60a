// KRPC messages as we send them (BEP 5, 32, 33, 42, 43, 44, 51), written field by field in the order of canonical bencode.
import {
  MAX_AMPLIFICATION,
  MAX_ANSWER_BYTES,
  MAX_ERROR_TEXT_BYTES,
  NODE_BYTES,
  NODE6_BYTES,
} from './constants.ts';
import type { KrpcErrorCode } from './errors.ts';
import type { Message, Method } from './message.ts';

/** What all messages of a node have in common. */
export interface Sender {
  /** 20 bytes. */
  readonly id: Uint8Array;
  /** `v`, 4 bytes: two letters of the client and two of its version. */
  readonly version?: Uint8Array | undefined;
  /** BEP 43: set in queries, not in answers. */
  readonly readOnly?: boolean | undefined;
}

/** The arguments of a query; each method takes its own. */
export interface QueryArguments {
  /** find_node, get, sample_infohashes: 20 bytes. */
  readonly target?: Uint8Array | undefined;
  /** get_peers, announce_peer: 20 bytes. */
  readonly infoHash?: Uint8Array | undefined;
  /** BEP 32. */
  readonly wantsIpv4?: boolean | undefined;
  readonly wantsIpv6?: boolean | undefined;
  readonly port?: number | undefined;
  readonly impliedPort?: boolean | undefined;
  readonly seed?: boolean | undefined;
  readonly scrape?: boolean | undefined;
  readonly noSeed?: boolean | undefined;
  readonly token?: Uint8Array | undefined;
  /** BEP 44 `v`, bencoded. */
  readonly value?: Uint8Array | undefined;
  readonly publicKey?: Uint8Array | undefined;
  readonly signature?: Uint8Array | undefined;
  readonly salt?: Uint8Array | undefined;
  readonly sequence?: bigint | undefined;
  readonly compareSequence?: bigint | undefined;
}

/** The fields of a response beside `id`; each method has its own, absent ones are left out. */
export interface ResponseFields {
  /** Compact nodes of 26 and 38 bytes. */
  readonly nodes?: Uint8Array | undefined;
  readonly nodes6?: Uint8Array | undefined;
  readonly token?: Uint8Array | undefined;
  /** Compact peers, one behind the other, of `valueBytes` each: 6 or 18. */
  readonly values?: Uint8Array | undefined;
  readonly valueBytes?: 6 | 18 | undefined;
  readonly seedFilter?: Uint8Array | undefined;
  readonly peerFilter?: Uint8Array | undefined;
  readonly intervalSeconds?: number | undefined;
  readonly hashCount?: number | undefined;
  readonly samples?: Uint8Array | undefined;
  /** BEP 44 `v`, bencoded. */
  readonly value?: Uint8Array | undefined;
  readonly publicKey?: Uint8Array | undefined;
  readonly signature?: Uint8Array | undefined;
  readonly sequence?: bigint | undefined;
}

/**
 * Writes a query into `target` at `offset` and returns the offset behind it. `target` needs {@link MAX_DATAGRAM_BYTES} of
 * room behind `offset`, here and below: a `put` of the largest item with a token of 64 bytes fits that.
 */
export function writeQuery(
  target: Uint8Array,
  offset: number,
  sender: Sender,
  transaction: Uint8Array,
  method: Method,
  args: QueryArguments,
): number {
  let at = writeText(target, offset, 'd1:ad');
  if (args.compareSequence !== undefined) {
    at = writeText(target, at, `3:casi${args.compareSequence}e`);
  }
  at = writeField(target, at, '2:id', sender.id);
  if (args.impliedPort) at = writeText(target, at, '12:implied_porti1e');
  if (args.infoHash !== undefined) at = writeField(target, at, '9:info_hash', args.infoHash);
  if (args.publicKey !== undefined) at = writeField(target, at, '1:k', args.publicKey);
  if (args.noSeed) at = writeText(target, at, '6:noseedi1e');
  if (args.port !== undefined) at = writeInteger(target, at, '4:port', args.port);
  // An empty salt means none (BEP 44).
  if (args.salt !== undefined && args.salt.length > 0) {
    at = writeField(target, at, '4:salt', args.salt);
  }
  if (args.scrape) at = writeText(target, at, '6:scrapei1e');
  if (args.seed) at = writeText(target, at, '4:seedi1e');
  if (args.sequence !== undefined) at = writeText(target, at, `3:seqi${args.sequence}e`);
  if (args.signature !== undefined) at = writeField(target, at, '3:sig', args.signature);
  if (args.target !== undefined) at = writeField(target, at, '6:target', args.target);
  if (args.token !== undefined) at = writeField(target, at, '5:token', args.token);
  if (args.value !== undefined) at = writeBytes(target, writeText(target, at, '1:v'), args.value);
  if (args.wantsIpv4 || args.wantsIpv6) {
    at = writeText(target, at, '4:wantl');
    if (args.wantsIpv4) at = writeText(target, at, '2:n4');
    if (args.wantsIpv6) at = writeText(target, at, '2:n6');
    target[at++] = END;
  }
  at = writeText(target, at, 'e1:q');
  at = writeText(target, writeLength(target, at, method.length), method);
  if (sender.readOnly) at = writeText(target, at, '2:roi1e');
  at = writeField(target, at, '1:t', transaction);
  if (sender.version !== undefined) at = writeField(target, at, '1:v', sender.version);
  return writeText(target, at, '1:y1:qe');
}

/**
 * Writes the response to `query`. `ip` is the asker's compact endpoint (BEP 42), 6 or 18 bytes. `nodes`, then `nodes6`, then
 * `values` get what room the rest leaves of `maxBytes`, and what does not fit is left out: the response gets longer than that
 * only by an item, filters or samples that have no room themselves. Default: 10 times the query, and 1,400 bytes.
 */
export function writeResponse(
  target: Uint8Array,
  offset: number,
  sender: Sender,
  query: Message,
  fields: ResponseFields,
  ip?: Uint8Array,
  maxBytes: number = Math.min(MAX_ANSWER_BYTES, MAX_AMPLIFICATION * query.bytes.length),
): number {
  let room = maxBytes - fixedLength(sender, query, fields, ip);
  let at = offset;
  target[at++] = DICTIONARY;
  if (ip !== undefined) at = writeField(target, at, '2:ip', ip);
  at = writeText(target, at, '1:rd');
  if (fields.peerFilter !== undefined) at = writeField(target, at, '4:BFpe', fields.peerFilter);
  if (fields.seedFilter !== undefined) at = writeField(target, at, '4:BFsd', fields.seedFilter);
  at = writeField(target, at, '2:id', sender.id);
  if (fields.intervalSeconds !== undefined) {
    at = writeInteger(target, at, '8:interval', fields.intervalSeconds);
  }
  if (fields.publicKey !== undefined) at = writeField(target, at, '1:k', fields.publicKey);
  if (fields.nodes !== undefined) {
    const nodesAt = at;
    at = writeNodes(target, at, '5:nodes', fields.nodes, NODE_BYTES, room);
    room -= at - nodesAt;
  }
  if (fields.nodes6 !== undefined) {
    const nodesAt = at;
    at = writeNodes(target, at, '6:nodes6', fields.nodes6, NODE6_BYTES, room);
    room -= at - nodesAt;
  }
  if (fields.hashCount !== undefined) at = writeInteger(target, at, '3:num', fields.hashCount);
  if (fields.samples !== undefined) at = writeField(target, at, '7:samples', fields.samples);
  if (fields.sequence !== undefined) at = writeText(target, at, `3:seqi${fields.sequence}e`);
  if (fields.signature !== undefined) at = writeField(target, at, '3:sig', fields.signature);
  if (fields.token !== undefined) at = writeField(target, at, '5:token', fields.token);
  if (fields.value !== undefined) {
    at = writeBytes(target, writeText(target, at, '1:v'), fields.value);
  }
  if (fields.values !== undefined) {
    at = writeValues(target, at, fields.values, fields.valueBytes ?? 6, room);
  }
  target[at++] = END;
  return writeTail(target, at, sender, query, RESPONSE);
}

/** Writes an error in answer to `query`. `text` is ASCII, and cut at 128 characters. */
export function writeError(
  target: Uint8Array,
  offset: number,
  sender: Sender,
  query: Message,
  code: KrpcErrorCode,
  text: string,
  ip?: Uint8Array,
): number {
  const said = text.slice(0, MAX_ERROR_TEXT_BYTES);
  let at = writeInteger(target, offset, 'd1:el', code);
  at = writeText(target, writeLength(target, at, said.length), said);
  target[at++] = END;
  if (ip !== undefined) at = writeField(target, at, '2:ip', ip);
  return writeTail(target, at, sender, query, ERROR);
}

const DICTIONARY = 0x64;
const END = 0x65;
const COLON = 0x3a;
const ZERO = 0x30;
/** The two letters of `y`. */
const RESPONSE = 0x72;
const ERROR = 0x65;

/** What a response takes without nodes and values: an upper bound, up to 20 bytes above what it is. */
function fixedLength(
  sender: Sender,
  query: Message,
  fields: ResponseFields,
  ip: Uint8Array | undefined,
): number {
  // d1:rd2:id20: id e1:t20: t 1:v4: v 1:y1:re
  let length = 40 + sender.id.length + query.transactionLength + (sender.version?.length ?? 0);
  if (ip !== undefined) length += 7 + ip.length;
  if (fields.token !== undefined) length += 10 + fields.token.length;
  if (fields.peerFilter !== undefined) length += 10 + fields.peerFilter.length;
  if (fields.seedFilter !== undefined) length += 10 + fields.seedFilter.length;
  if (fields.samples !== undefined) length += 13 + fields.samples.length;
  if (fields.intervalSeconds !== undefined) length += 22;
  if (fields.hashCount !== undefined) length += 17;
  if (fields.value !== undefined) length += 3 + fields.value.length;
  if (fields.publicKey !== undefined) length += 6 + fields.publicKey.length;
  if (fields.signature !== undefined) length += 8 + fields.signature.length;
  if (fields.sequence !== undefined) length += 26;
  return length;
}

/** As many whole nodes as there is room for. */
function writeNodes(
  target: Uint8Array,
  offset: number,
  key: string,
  nodes: Uint8Array,
  nodeBytes: number,
  room: number,
): number {
  // The key and a length of up to 4 digits with its colon.
  const nodesRoom = room - key.length - 5;
  if (nodesRoom < 0) return offset;
  if (nodes.length <= nodesRoom) return writeField(target, offset, key, nodes);
  const fitting = nodesRoom - (nodesRoom % nodeBytes);
  return writeField(target, offset, key, nodes.subarray(0, fitting));
}

/** As many peers as there is room for, and no list for none. */
function writeValues(
  target: Uint8Array,
  offset: number,
  values: Uint8Array,
  valueBytes: 6 | 18,
  room: number,
): number {
  const stringBytes = valueBytes + (valueBytes === 6 ? 2 : 3);
  // 8:valuesl and e.
  const fitting = Math.floor((room - 10) / stringBytes);
  const count = Math.min(fitting, Math.floor(values.length / valueBytes));
  if (count <= 0) return offset;
  let at = writeText(target, offset, '6:valuesl');
  const end = count * valueBytes;
  for (let from = 0; from < end; from += valueBytes) {
    at = writeLength(target, at, valueBytes);
    for (let i = 0; i < valueBytes; i++) target[at + i] = values[from + i]!;
    at += valueBytes;
  }
  target[at++] = END;
  return at;
}

function writeTail(
  target: Uint8Array,
  offset: number,
  sender: Sender,
  query: Message,
  type: number,
): number {
  let at = writeText(target, offset, '1:t');
  const { bytes, transactionAt, transactionLength } = query;
  at = writeLength(target, at, transactionLength);
  for (let i = 0; i < transactionLength; i++) target[at++] = bytes[transactionAt + i]!;
  if (sender.version !== undefined) at = writeField(target, at, '1:v', sender.version);
  at = writeText(target, at, '1:y1:');
  target[at++] = type;
  target[at++] = END;
  return at;
}

/** A key that is bencoded already, and a string of bytes. */
function writeField(target: Uint8Array, offset: number, key: string, bytes: Uint8Array): number {
  return writeBytes(
    target,
    writeLength(target, writeText(target, offset, key), bytes.length),
    bytes,
  );
}

/** What stands before an integer, and the integer: 0 to 2^53 - 1. */
function writeInteger(target: Uint8Array, offset: number, before: string, value: number): number {
  let at = writeText(target, offset, before);
  target[at++] = 0x69;
  at = writeDigits(target, at, value);
  target[at++] = END;
  return at;
}

function writeLength(target: Uint8Array, offset: number, length: number): number {
  const at = writeDigits(target, offset, length);
  target[at] = COLON;
  return at + 1;
}

function writeDigits(target: Uint8Array, offset: number, value: number): number {
  if (value > 9999) return writeText(target, offset, String(value));
  const count = value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : 4;
  let rest = value | 0;
  for (let i = count - 1; i >= 0; i--) {
    const tenth = (rest / 10) | 0;
    target[offset + i] = ZERO + rest - 10 * tenth;
    rest = tenth;
  }
  return offset + count;
}

/** ASCII. */
function writeText(target: Uint8Array, offset: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[offset + i] = text.charCodeAt(i);
  return offset + text.length;
}

/** Up to so many bytes are copied in a loop, which is cheaper than a call of `set` (measured). */
const SHORT_BYTES = 32;

function writeBytes(target: Uint8Array, offset: number, bytes: Uint8Array): number {
  if (bytes.length > SHORT_BYTES) target.set(bytes, offset);
  else for (let i = 0; i < bytes.length; i++) target[offset + i] = bytes[i]!;
  return offset + bytes.length;
}
