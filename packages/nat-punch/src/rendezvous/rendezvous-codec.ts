// Writes and reads signalling messages. Each decoder is for one direction, takes whatever a stranger sends, and gives a message in which every
// field is of its type and within its bounds.
import { addressFamily, makeEndpoint } from '@bt/endpoint';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { NatPunchError } from '../errors.ts';
import {
  MAX_ERROR_CHARACTERS,
  MAX_NAME_BYTES,
  MAX_POOL_CHARACTERS,
  MAX_ROOM_SIZE,
  MAX_SEEN_ADDRESSES,
  MAX_SIGNAL_DEPTH,
  MAX_SIGNALLING_BYTES,
  MAX_START_MS,
} from './rendezvous-limits.ts';
import {
  CLIENT_ID_BYTES,
  type ClientMessage,
  type HeldPair,
  LEAVE_REASONS,
  PAIR_KEY_BYTES,
  type PeerMessage,
  type ServerMessage,
  SIGNALLING_ERROR_CODES,
  type SignalData,
  type SignalMessage,
  type WelcomeMessage,
} from './rendezvous-message.ts';

/**
 * The text of a message.
 *
 * @throws {NatPunchError} `invalid-argument` when it is longer than 16 KiB or its data can't be JSON or is nested too deep.
 */
export function encodeSignalling(message: ClientMessage | ServerMessage): string {
  if (message.type === 'signal' && depthOf(message.data) > MAX_SIGNAL_DEPTH) {
    throw new NatPunchError('invalid-argument', 'the data of a signal is nested too deep');
  }
  let text: string;
  try {
    text = JSON.stringify(jsonOf(message));
  } catch (cause) {
    throw new NatPunchError('invalid-argument', 'the data of a signal is no JSON', { cause });
  }
  if (byteLength(text) > MAX_SIGNALLING_BYTES) {
    throw new NatPunchError('invalid-argument', 'a signalling message has at most 16 KiB');
  }
  return text;
}

/**
 * What a client sends.
 *
 * @throws {NatPunchError} `invalid-message`.
 */
export function decodeClientMessage(text: string): ClientMessage {
  const fields = fieldsOf(text);
  const type = fields.type;
  switch (type) {
    case 'join': {
      const name = optional(fields, 'name', nameOf);
      const pairs = optional(fields, 'pairs', pairsOf);
      return {
        type,
        version: integer(fields, 'version', Number.MAX_SAFE_INTEGER),
        pool: checkedText(fields, 'pool', MAX_POOL_CHARACTERS),
        client: hex(fields, 'client', CLIENT_ID_BYTES),
        kind: oneOf(fields, 'kind', KINDS),
        ...(name === undefined ? {} : { name }),
        ...(pairs === undefined ? {} : { pairs }),
      };
    }
    case 'signal':
      return signalOf(fields);
    case 'ping':
      return { type, id: integer(fields, 'id', Number.MAX_SAFE_INTEGER) };
    case 'leave':
      return { type };
    case 'reject':
      return { type, peer: memberOf(fields) };
    default:
      throw invalid('type');
  }
}

/**
 * What a server sends.
 *
 * @throws {NatPunchError} `invalid-message`.
 */
export function decodeServerMessage(text: string): ServerMessage {
  const fields = fieldsOf(text);
  const type = fields.type;
  switch (type) {
    case 'welcome':
      return welcomeOf(fields);
    case 'waiting':
      return { type, ahead: integer(fields, 'ahead', Number.MAX_SAFE_INTEGER) };
    case 'peer':
      return peerOf(fields);
    case 'peer-seen':
      return { type, peer: memberOf(fields), seen: addresses(fields) };
    case 'peer-away':
    case 'peer-back':
      return { type, peer: memberOf(fields) };
    case 'peer-left':
      return { type, peer: memberOf(fields), reason: oneOf(fields, 'reason', LEAVE_REASONS) };
    case 'signal':
      return signalOf(fields);
    case 'pong':
      return { type, id: integer(fields, 'id', Number.MAX_SAFE_INTEGER) };
    case 'error':
      return {
        type,
        code: oneOf(fields, 'code', SIGNALLING_ERROR_CODES),
        message: checkedText(fields, 'message', MAX_ERROR_CHARACTERS),
      };
    default:
      throw invalid('type');
  }
}

/** Whether a text may be the name of a pool: 1 to 64 characters, none of them a control character or half of one. */
export function isPoolName(text: string): boolean {
  return isText(text, MAX_POOL_CHARACTERS);
}

/** Whether a text may be a member's name, by the rules of {@link isPoolName}. */
export function isMemberName(text: string): boolean {
  return isText(text, MAX_NAME_BYTES) && byteLength(text) <= MAX_NAME_BYTES;
}

type Fields = { readonly [name: string]: unknown };

const KINDS = ['terminal', 'browser'] as const;

/** Member ids are made by servers: short, and safe anywhere, user names of TURN included. */
const MEMBER_ID = /^[0-9a-f]{16}$/;

/** Keys go in hexadecimal. */
function jsonOf(message: ClientMessage | ServerMessage): object {
  if (message.type === 'peer') return { ...message, pairKey: bytesToHex(message.pairKey) };
  if (message.type !== 'join' || message.pairs === undefined) return message;
  const pairs = message.pairs.map((pair) => ({ ...pair, pairKey: bytesToHex(pair.pairKey) }));
  return { ...message, pairs };
}

/** Control characters, line separators, and halves of surrogate pairs. */
const UNFIT = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

function signalOf(fields: Fields): SignalMessage {
  const data = optional(fields, 'data', dataOf);
  const signal: SignalMessage = {
    type: 'signal',
    peer: memberOf(fields),
    number: integer(fields, 'number', Number.MAX_SAFE_INTEGER),
    acknowledged: integer(fields, 'acknowledged', Number.MAX_SAFE_INTEGER),
    ...(data === undefined ? {} : { data }),
  };
  // It is passed on, and written anew it may be longer: 1e20 has 21 digits then.
  if (byteLength(JSON.stringify(signal)) > MAX_SIGNALLING_BYTES) throw invalid('data');
  return signal;
}

function welcomeOf(fields: Fields): WelcomeMessage {
  const credentials = object(fields.credentials, 'credentials');
  const ports = object(fields.ports, 'ports');
  const observed = object(fields.observed, 'observed');
  const endpoint = makeEndpoint(
    checkedText(observed, 'address', MAX_ADDRESS_CHARACTERS),
    port(observed, 'port'),
  );
  if (endpoint === undefined) throw invalid('observed');
  const roomSize = integer(fields, 'roomSize', MAX_ROOM_SIZE);
  if (roomSize < 2) throw invalid('roomSize');
  const stun = ports.stun;
  if (!Array.isArray(stun) || stun.length === 0 || stun.length > 4) throw invalid('ports');
  if (typeof ports.tls !== 'boolean') throw invalid('ports');
  const alternateAddress = optional(fields, 'alternateAddress', addressOf);
  return {
    type: 'welcome',
    member: memberOf(fields, 'member'),
    roomSize,
    observed: endpoint,
    credentials: {
      username: checkedText(credentials, 'username', MAX_CREDENTIAL_CHARACTERS),
      password: checkedText(credentials, 'password', MAX_CREDENTIAL_CHARACTERS),
      realm: checkedText(credentials, 'realm', MAX_CREDENTIAL_CHARACTERS),
      expiresInMs: integer(credentials, 'expiresInMs', Number.MAX_SAFE_INTEGER),
    },
    ports: {
      stun: stun.map((_, index) => port(stun as unknown as Fields, `${index}`)),
      turn: port(ports, 'turn'),
      tls: ports.tls,
    },
    ...(alternateAddress === undefined ? {} : { alternateAddress }),
  };
}

function peerOf(fields: Fields): PeerMessage {
  const name = optional(fields, 'name', nameOf);
  if (typeof fields.isControlling !== 'boolean') throw invalid('isControlling');
  return {
    type: 'peer',
    peer: memberOf(fields),
    clientTag: hex(fields, 'clientTag', CLIENT_ID_BYTES),
    ...(name === undefined ? {} : { name }),
    kind: oneOf(fields, 'kind', KINDS),
    pairKey: hexToBytes(hex(fields, 'pairKey', PAIR_KEY_BYTES)),
    isControlling: fields.isControlling,
    seen: addresses(fields),
    startInMs: integer(fields, 'startInMs', MAX_START_MS),
  };
}

/** RFC 8489 sections 14.3 and 14.9: fewer than 128 characters; passwords are no longer here. */
const MAX_CREDENTIAL_CHARACTERS = 127;
const MAX_ADDRESS_CHARACTERS = 45;

function fieldsOf(text: string): Fields {
  // Each UTF-16 unit is at least a byte; the exact count is made only of what could be within the bound.
  if (text.length > MAX_SIGNALLING_BYTES || byteLength(text) > MAX_SIGNALLING_BYTES) {
    throw new NatPunchError('invalid-message', 'a signalling message is longer than 16 KiB');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new NatPunchError('invalid-message', 'a signalling message is no JSON');
  }
  return object(value, 'message');
}

function object(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(name);
  return value as Fields;
}

function optional<T>(
  fields: Fields,
  name: string,
  read: (value: unknown, name: string) => T,
): T | undefined {
  const value = fields[name];
  return value === undefined ? undefined : read(value, name);
}

function integer(fields: Fields, name: string, most: number): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most) {
    throw invalid(name);
  }
  return value;
}

function port(fields: Fields, name: string): number {
  const value = integer(fields, name, 65_535);
  if (value === 0) throw invalid(name);
  return value;
}

function checkedText(fields: Fields, name: string, most: number): string {
  const value = fields[name];
  if (typeof value !== 'string' || !isText(value, most)) throw invalid(name);
  return value;
}

function isText(text: string, most: number): boolean {
  return text !== '' && text.length <= most && !UNFIT.test(text);
}

function hex(fields: Fields, name: string, lengthBytes: number): string {
  const value = fields[name];
  if (typeof value !== 'string' || value.length !== 2 * lengthBytes || !/^[0-9a-f]*$/.test(value)) {
    throw invalid(name);
  }
  return value;
}

function oneOf<T extends string>(fields: Fields, name: string, values: readonly T[]): T {
  const value = values.find((known) => known === fields[name]);
  if (value === undefined) throw invalid(name);
  return value;
}

function memberOf(fields: Fields, name = 'peer'): string {
  const value = fields[name];
  if (typeof value !== 'string' || !MEMBER_ID.test(value)) throw invalid(name);
  return value;
}

function nameOf(value: unknown, name: string): string {
  if (typeof value !== 'string' || !isMemberName(value)) throw invalid(name);
  return value;
}

function addressOf(value: unknown, name: string): string {
  if (typeof value !== 'string' || value.length > MAX_ADDRESS_CHARACTERS) throw invalid(name);
  if (addressFamily(value) === undefined) throw invalid(name);
  return value;
}

function addresses(fields: Fields): readonly string[] {
  const value = fields.seen;
  if (!Array.isArray(value) || value.length > MAX_SEEN_ADDRESSES) throw invalid('seen');
  return value.map((address) => addressOf(address, 'seen'));
}

function pairsOf(value: unknown): readonly HeldPair[] {
  if (!Array.isArray(value) || value.length >= MAX_ROOM_SIZE) throw invalid('pairs');
  return value.map((entry) => {
    const fields = object(entry, 'pairs');
    return {
      clientTag: hex(fields, 'clientTag', CLIENT_ID_BYTES),
      pairKey: hexToBytes(hex(fields, 'pairKey', PAIR_KEY_BYTES)),
    };
  });
}

function dataOf(value: unknown, name: string): SignalData {
  const data = object(value, name);
  if (depthOf(data) > MAX_SIGNAL_DEPTH) throw invalid(name);
  return data;
}

/** How deep containers are nested, counted no further than is of interest: no stack is spent on it. */
function depthOf(value: unknown): number {
  let level = [value];
  for (let depth = 0; depth <= MAX_SIGNAL_DEPTH; depth++) {
    const inner = level.filter((entry) => typeof entry === 'object' && entry !== null) as object[];
    if (inner.length === 0) return depth;
    level = inner.flatMap((entry) => Object.values(entry));
  }
  return MAX_SIGNAL_DEPTH + 1;
}

/** As UTF-8, where half of a surrogate pair is three bytes: JSON.stringify leaves none. */
function byteLength(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A surrogate pair is two units and four bytes.
    if (unit >= 0xd800 && unit < 0xe000) length += 1;
    else if (unit >= 0x800) length += 2;
    else if (unit >= 0x80) length += 1;
  }
  return length;
}

function invalid(field: string): NatPunchError {
  return new NatPunchError('invalid-message', `a signalling message has a wrong field: ${field}`);
}
