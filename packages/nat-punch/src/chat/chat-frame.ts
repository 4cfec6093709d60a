// What members say to one another over their channel, one frame a message. Text, names and bytes go by the lane for talk, all that belongs to
// files by the lane for files. Numbers are big-endian; a transfer is named by a number that its sender chose.

import { MAX_MESSAGE_BYTES } from '../channel/reliable-messages.ts';
import { NatPunchError } from '../errors.ts';
import { MAX_NAME_BYTES } from '../rendezvous/rendezvous-limits.ts';

/** One message of text. */
export const MAX_TEXT_BYTES = 16 * 1024;
/** A file's name: what file systems take. */
export const MAX_FILE_NAME_BYTES = 255;
/** So that talk is held up by no more than this. */
export const MAX_CHUNK_BYTES = 32 * 1024;
/** 2^48 - 1: as many as the field holds. */
export const MAX_FILE_BYTES = 0xffff_ffff_ffff;
export const CHECKSUM_BYTES = 32;
/** Of what names a file for its sender; see `offer`. */
export const FILE_KEY_BYTES = 16;
/** Bytes of the library's user. */
export const MAX_BYTES_BYTES = MAX_MESSAGE_BYTES - 1;

/** Why a file is not taken, or not gone on with. */
export const FILE_REFUSALS = [
  'declined',
  'too-large',
  'too-many',
  'unsupported',
  'cannot-write',
  'cannot-read',
  'cancelled',
  'wrong-checksum',
] as const;
export type FileRefusal = (typeof FILE_REFUSALS)[number];

export type ChatFrame =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  | { readonly type: 'name'; readonly name: string }
  /** Goes for good. */
  | { readonly type: 'bye' };

export type FileFrame =
  /**
   * From the sender: there is such a file. The key is the same whenever this sender offers this file to this receiver, and nobody else can
   * guess it: only under the same key a receiver goes on from what an earlier try has left.
   */
  | {
      readonly type: 'offer';
      readonly transfer: number;
      readonly lengthBytes: number;
      readonly key: Uint8Array;
      readonly name: string;
    }
  /** From the receiver: send it, from `offset` on if what is before has this SHA-256. */
  | {
      readonly type: 'accept';
      readonly transfer: number;
      readonly offset: number;
      readonly checksum: Uint8Array;
    }
  /** From the sender: the chunks begin here, which is the offset asked for or 0. */
  | { readonly type: 'begin'; readonly transfer: number; readonly offset: number }
  | { readonly type: 'chunk'; readonly transfer: number; readonly bytes: Uint8Array }
  /** From the sender: that was all, and this is the SHA-256 of the whole file. */
  | { readonly type: 'end'; readonly transfer: number; readonly checksum: Uint8Array }
  /** From the receiver: it is whole, and saved. */
  | { readonly type: 'done'; readonly transfer: number }
  /** From the receiver: not this one, or not any further. */
  | { readonly type: 'refuse'; readonly transfer: number; readonly reason: FileRefusal }
  /** From the sender: it comes no further. */
  | { readonly type: 'cancel'; readonly transfer: number; readonly reason: FileRefusal };

const CHAT = { text: 1, bytes: 2, name: 3, bye: 4 } as const;
const FILE = {
  offer: 16,
  accept: 17,
  begin: 18,
  chunk: 19,
  end: 20,
  done: 21,
  refuse: 22,
  cancel: 23,
} as const;

/** @throws {NatPunchError} `invalid-argument` if something in it is longer than its limit */
export function encodeChatFrame(frame: ChatFrame): Uint8Array {
  switch (frame.type) {
    case 'text':
      return joined(CHAT.text, bounded(utf8(frame.text), MAX_TEXT_BYTES, 'the text'));
    case 'bytes':
      return joined(CHAT.bytes, bounded(frame.bytes, MAX_BYTES_BYTES, 'the message'));
    case 'name':
      return joined(CHAT.name, bounded(utf8(frame.name), MAX_NAME_BYTES, 'the name'));
    case 'bye':
      return Uint8Array.of(CHAT.bye);
  }
}

/** @throws {NatPunchError} `invalid-message` for anything but a frame */
export function decodeChatFrame(bytes: Uint8Array): ChatFrame {
  const rest = bytes.subarray(1);
  switch (bytes[0]) {
    case CHAT.text:
      return { type: 'text', text: readUtf8(rest, MAX_TEXT_BYTES) };
    case CHAT.bytes:
      if (rest.length > MAX_BYTES_BYTES) throw broken('bytes beyond their limit');
      return { type: 'bytes', bytes: rest };
    case CHAT.name:
      return { type: 'name', name: readUtf8(rest, MAX_NAME_BYTES) };
    case CHAT.bye:
      if (rest.length > 0) throw broken('a bye with something behind it');
      return { type: 'bye' };
    default:
      throw broken('a frame of an unknown type');
  }
}

/** @throws {NatPunchError} `invalid-argument` if something in it is longer than its limit */
export function encodeFileFrame(frame: FileFrame): Uint8Array {
  const { type, transfer } = frame;
  const head = new Uint8Array(5);
  head[0] = FILE[type];
  writeNumber(head, 1, 4, transfer);
  switch (frame.type) {
    case 'offer': {
      const name = bounded(utf8(frame.name), MAX_FILE_NAME_BYTES, 'the file name');
      return concat(head, number48(frame.lengthBytes), frame.key, name);
    }
    case 'accept':
      return concat(head, number48(frame.offset), frame.checksum);
    case 'begin':
      return concat(head, number48(frame.offset));
    case 'chunk':
      return concat(head, bounded(frame.bytes, MAX_CHUNK_BYTES, 'the chunk'));
    case 'end':
      return concat(head, frame.checksum);
    case 'done':
      return head;
    case 'refuse':
    case 'cancel':
      return concat(head, Uint8Array.of(FILE_REFUSALS.indexOf(frame.reason)));
  }
}

/** @throws {NatPunchError} `invalid-message` for anything but a frame */
export function decodeFileFrame(bytes: Uint8Array): FileFrame {
  if (bytes.length < 5) throw broken('a frame that is cut short');
  const transfer = readNumber(bytes, 1, 4);
  const rest = bytes.subarray(5);
  switch (bytes[0]) {
    case FILE.offer: {
      const nameAt = 6 + FILE_KEY_BYTES;
      if (rest.length <= nameAt) throw broken('an offer that is cut short');
      const name = readUtf8(rest.subarray(nameAt), MAX_FILE_NAME_BYTES);
      const key = rest.subarray(6, nameAt);
      return { type: 'offer', transfer, lengthBytes: readNumber(rest, 0, 6), key, name };
    }
    case FILE.accept:
      exactly(rest, 6 + CHECKSUM_BYTES);
      return {
        type: 'accept',
        transfer,
        offset: readNumber(rest, 0, 6),
        checksum: rest.subarray(6),
      };
    case FILE.begin:
      exactly(rest, 6);
      return { type: 'begin', transfer, offset: readNumber(rest, 0, 6) };
    case FILE.chunk:
      if (rest.length === 0 || rest.length > MAX_CHUNK_BYTES) throw broken('a chunk of no length');
      return { type: 'chunk', transfer, bytes: rest };
    case FILE.end:
      exactly(rest, CHECKSUM_BYTES);
      return { type: 'end', transfer, checksum: rest };
    case FILE.done:
      exactly(rest, 0);
      return { type: 'done', transfer };
    case FILE.refuse:
    case FILE.cancel: {
      exactly(rest, 1);
      const reason = FILE_REFUSALS[rest[0]!];
      if (reason === undefined) throw broken('an unknown reason');
      return { type: bytes[0] === FILE.refuse ? 'refuse' : 'cancel', transfer, reason };
    }
    default:
      throw broken('a frame of an unknown type');
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function readUtf8(bytes: Uint8Array, maxBytes: number): string {
  if (bytes.length > maxBytes) throw broken('a text beyond its limit');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new NatPunchError('invalid-message', 'the other end sent a text that is no UTF-8', {
      cause,
    });
  }
}

function bounded(bytes: Uint8Array, maxBytes: number, what: string): Uint8Array {
  if (bytes.length <= maxBytes) return bytes;
  throw new NatPunchError(
    'invalid-argument',
    `${what} has ${bytes.length} bytes, more than ${maxBytes}`,
  );
}

function joined(type: number, rest: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(type), rest);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function exactly(bytes: Uint8Array, lengthBytes: number): void {
  if (bytes.length !== lengthBytes) throw broken('a frame of a wrong length');
}

function number48(value: number): Uint8Array {
  const bytes = new Uint8Array(6);
  writeNumber(bytes, 0, 6, value);
  return bytes;
}

function readNumber(bytes: Uint8Array, at: number, lengthBytes: number): number {
  let value = 0;
  for (let i = 0; i < lengthBytes; i += 1) value = value * 256 + bytes[at + i]!;
  return value;
}

function writeNumber(bytes: Uint8Array, at: number, lengthBytes: number, value: number): void {
  let rest = value;
  for (let i = lengthBytes - 1; i >= 0; i -= 1) {
    bytes[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function broken(what: string): NatPunchError {
  return new NatPunchError('invalid-message', `the other end sent ${what}`);
}
