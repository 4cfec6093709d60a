// STUN and ChannelData over a stream, TCP or TLS (RFC 8489 section 6.2.2, RFC 8656 section 12.5): both tell their length, and ChannelData is
// padded to a multiple of 4 bytes.

import { NatPunchError } from '../errors.ts';
import {
  CHANNEL_DATA_HEADER_BYTES,
  channelDataLength,
  isChannelDataByte,
} from '../turn/channel-data.ts';
import { isStunByte, STUN_HEADER_BYTES } from './stun-message.ts';

/**
 * The longest message that is taken, padding included: the largest datagram in a Data indication. What says to be longer ends the stream, so
 * that this is also what is ever kept of an unfinished one.
 */
export const MAX_FRAME_BYTES = 65_535 + 100;

/** Cuts a stream into messages. */
export class StreamFraming {
  /** The beginning of a message that isn't whole yet. */
  #rest: Uint8Array = EMPTY;
  #restLength = 0;

  /** Bytes of a message that isn't whole yet. */
  get pendingBytes(): number {
    return this.#restLength;
  }

  /**
   * Takes bytes as they come and calls `onMessage` with each whole message: STUN, or ChannelData with its padding cut off. A message is a view,
   * on the chunk where possible, otherwise on memory of its own: it stays as it is while the chunk does, for it may wait in a socket's queue.
   *
   * @throws {NatPunchError} `invalid-message` for what is neither, or too long; the stream has no further meaning then.
   */
  push(chunk: Uint8Array, onMessage: (message: Uint8Array) => void): void {
    let at = 0;
    while (this.#restLength > 0) {
      const wanted = this.#restLength < 4 ? 4 : frameLength(this.#rest, 0);
      const taken = Math.min(wanted - this.#restLength, chunk.length - at);
      this.#keep(chunk.subarray(at, at + taken), wanted);
      at += taken;
      if (this.#restLength < wanted) return;
      if (wanted !== frameLength(this.#rest, 0)) continue;
      const whole = this.#rest;
      this.#rest = EMPTY;
      this.#restLength = 0;
      onMessage(trimmed(whole, 0, wanted));
    }
    while (chunk.length - at >= 4) {
      const length = frameLength(chunk, at);
      if (chunk.length - at < length) break;
      onMessage(trimmed(chunk, at, length));
      at += length;
    }
    const left = chunk.length - at;
    if (left === 0) return;
    if (left < 4 && !isFirstByte(chunk[at]!)) throw notStun();
    this.#keep(chunk.subarray(at), left < 4 ? 4 : frameLength(chunk, at));
  }

  #keep(bytes: Uint8Array, wanted: number): void {
    const length = this.#restLength + bytes.length;
    // Memory grows with what has come, not with what was announced.
    if (this.#rest.length < length) {
      const grown = new Uint8Array(Math.min(Math.max(wanted, 4), Math.max(2 * length, 512)));
      grown.set(this.#rest.subarray(0, this.#restLength));
      this.#rest = grown;
    }
    this.#rest.set(bytes, this.#restLength);
    this.#restLength = length;
  }
}

function isFirstByte(byte: number): boolean {
  return isStunByte(byte) || isChannelDataByte(byte);
}

/** The length of the message that begins with these 4 bytes, padding included. */
function frameLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const told = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  if (isChannelDataByte(first)) return CHANNEL_DATA_HEADER_BYTES + ((told + 3) & ~3);
  if (!isStunByte(first) || told % 4 !== 0) throw notStun();
  const length = STUN_HEADER_BYTES + told;
  if (length > MAX_FRAME_BYTES) throw notStun();
  return length;
}

function trimmed(bytes: Uint8Array, at: number, length: number): Uint8Array {
  const message = bytes.subarray(at, at + length);
  if (!isChannelDataByte(message[0]!)) return message;
  return message.subarray(0, CHANNEL_DATA_HEADER_BYTES + channelDataLength(message));
}

function notStun(): NatPunchError {
  return new NatPunchError('invalid-message', 'neither STUN nor ChannelData, or too long');
}

const EMPTY = new Uint8Array();
