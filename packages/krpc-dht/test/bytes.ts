// What the tests of this package share.
import { type BencodeInput, encode } from '@bt/bencode';
import fc from 'fast-check';
import { decodeMessage } from '../src/decode.ts';
import { Message } from '../src/message.ts';

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const fromHex = (value: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(value.match(/[0-9a-f]{2}/gi) ?? [], (pair) => Number.parseInt(pair, 16));

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A string of 20 bytes, made of one byte. */
export const id = (byte: number): Uint8Array => new Uint8Array(20).fill(byte);

export const ids = fc.uint8Array({ minLength: 20, maxLength: 20 });

/** A message that was received, of text or of what is to be bencoded. */
export function received(input: string | BencodeInput): Message {
  const message = new Message();
  const outcome = decodeMessage(typeof input === 'string' ? text(input) : encode(input), message);
  if (outcome !== 'ok') throw new Error(`${outcome}: ${message.reason}`);
  return message;
}
