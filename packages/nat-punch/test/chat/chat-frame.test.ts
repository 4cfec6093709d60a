import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ChatFrame,
  decodeChatFrame,
  decodeFileFrame,
  encodeChatFrame,
  encodeFileFrame,
  FILE_KEY_BYTES,
  FILE_REFUSALS,
  type FileFrame,
  MAX_BYTES_BYTES,
  MAX_CHUNK_BYTES,
  MAX_FILE_BYTES,
  MAX_FILE_NAME_BYTES,
  MAX_TEXT_BYTES,
} from '../../src/chat/chat-frame.ts';
import { MAX_NAME_BYTES } from '../../src/rendezvous/rendezvous-limits.ts';

const INVALID = expect.objectContaining({ code: 'invalid-message' });
const transfer = fc.nat(0xffff_ffff);
const offset = fc.integer({ min: 0, max: MAX_FILE_BYTES });
const checksum = fc.uint8Array({ minLength: 32, maxLength: 32 });
const reason = fc.constantFrom(...FILE_REFUSALS);

const chatFrame: fc.Arbitrary<ChatFrame> = fc.oneof(
  fc.record({ type: fc.constant('text' as const), text: fc.string({ unit: 'grapheme' }) }),
  fc.record({ type: fc.constant('bytes' as const), bytes: fc.uint8Array() }),
  fc.record({ type: fc.constant('name' as const), name: fc.string({ maxLength: 16 }) }),
  fc.constant({ type: 'bye' as const }),
);

const fileFrame: fc.Arbitrary<FileFrame> = fc.oneof(
  fc.record({
    type: fc.constant('offer' as const),
    transfer,
    lengthBytes: offset,
    key: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    name: fc.string({ minLength: 1, maxLength: 60 }),
  }),
  fc.record({ type: fc.constant('accept' as const), transfer, offset, checksum }),
  fc.record({ type: fc.constant('begin' as const), transfer, offset }),
  fc.record({
    type: fc.constant('chunk' as const),
    transfer,
    bytes: fc.uint8Array({ minLength: 1 }),
  }),
  fc.record({ type: fc.constant('end' as const), transfer, checksum }),
  fc.record({ type: fc.constant('done' as const), transfer }),
  fc.record({ type: fc.constantFrom('refuse' as const, 'cancel' as const), transfer, reason }),
);

it('reads back every frame', () => {
  fc.assert(
    fc.property(chatFrame, (frame) => {
      expect(decodeChatFrame(encodeChatFrame(frame))).toEqual(frame);
    }),
  );
  fc.assert(
    fc.property(fileFrame, (frame) => {
      expect(decodeFileFrame(encodeFileFrame(frame))).toEqual(frame);
    }),
  );
});

it('throws nothing but invalid-message, whatever comes', () => {
  fc.assert(
    fc.property(fc.nat(30), fc.uint8Array({ maxLength: 60 }), (type, rest) => {
      for (const decode of [decodeChatFrame, decodeFileFrame]) {
        try {
          decode(Uint8Array.of(type, ...rest));
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid-message' });
        }
      }
    }),
  );
});

it('takes no frame of a fixed length that is cut short or too long', () => {
  fc.assert(
    fc.property(fileFrame, (frame) => {
      fc.pre(frame.type !== 'offer' && frame.type !== 'chunk');
      const bytes = encodeFileFrame(frame);
      expect(() => decodeFileFrame(bytes.subarray(0, -1))).toThrow(INVALID);
      expect(() => decodeFileFrame(Uint8Array.of(...bytes, 0))).toThrow(INVALID);
    }),
  );
});

it('keeps text whole that is no ASCII', () => {
  const text = 'žluťoučký 👨‍👩‍👧 \ufeffwith a mark';
  expect(decodeChatFrame(encodeChatFrame({ type: 'text', text }))).toEqual({ type: 'text', text });
});

describe('limits', () => {
  const zeros = (type: number, lengthBytes: number) => {
    const bytes = new Uint8Array(1 + lengthBytes).fill(65);
    bytes[0] = type;
    return bytes;
  };

  it.each([
    ['text', 1, MAX_TEXT_BYTES],
    ['bytes', 2, MAX_BYTES_BYTES],
    ['name', 3, MAX_NAME_BYTES],
  ])('of %s', (type, number, limit) => {
    expect(decodeChatFrame(zeros(number, limit)).type).toBe(type);
    expect(() => decodeChatFrame(zeros(number, limit + 1))).toThrow(INVALID);
  });

  it.each([
    ['chunk', 19, 4 + MAX_CHUNK_BYTES],
    ['offer', 16, 4 + 6 + FILE_KEY_BYTES + MAX_FILE_NAME_BYTES],
  ])('of %s', (type, number, limit) => {
    expect(decodeFileFrame(zeros(number, limit)).type).toBe(type);
    expect(() => decodeFileFrame(zeros(number, limit + 1))).toThrow(INVALID);
  });

  it('of what is sent', () => {
    expect(() => encodeChatFrame({ type: 'text', text: 'x'.repeat(MAX_TEXT_BYTES + 1) })).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});

it.each([
  ['half a character', Uint8Array.of(1, 0xe2, 0x82)],
  ['a bye with something behind it', Uint8Array.of(4, 0)],
  ['nothing', new Uint8Array(0)],
])('refuses %s', (_, bytes) => {
  expect(() => decodeChatFrame(bytes)).toThrow(INVALID);
});
