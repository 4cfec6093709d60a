import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  encodeChannelData,
  NatPunchError,
  STUN_METHOD,
  StreamFraming,
  StunWriter,
} from '../../src/index.ts';
import { MAX_FRAME_BYTES } from '../../src/stun/stream-framing.ts';
import { RFC_5769 } from './rfc-5769.ts';

const ID = new Uint8Array(12);

function collect(framing: StreamFraming, chunks: readonly Uint8Array[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (const chunk of chunks) framing.push(chunk, (message) => messages.push(message.slice()));
  return messages;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

it('a message that came in pieces stays as it is when the next one comes: it may wait in a queue', () => {
  const framing = new StreamFraming();
  const messages: Uint8Array[] = [];
  const expected = [1, 2].map((byte) => encodeChannelData(0x4000, new Uint8Array(8).fill(byte)));
  for (const bytes of expected) {
    framing.push(bytes.subarray(0, 6), (message) => messages.push(message));
    framing.push(bytes.subarray(6), (message) => messages.push(message));
  }
  expect(messages).toEqual(expected);
});

it('cuts a stream at any two places into the same messages', () => {
  const expected = [
    RFC_5769.request,
    encodeChannelData(0x4000, Uint8Array.of(1, 2, 3, 4, 5)),
    encodeChannelData(0x4fff, new Uint8Array()),
    new StunWriter('request', STUN_METHOD.binding, ID).finish(),
  ];
  const stream = join([
    expected[0]!,
    encodeChannelData(0x4000, Uint8Array.of(1, 2, 3, 4, 5), true),
    expected[2]!,
    expected[3]!,
  ]);
  for (let first = 0; first <= stream.length; first++) {
    for (let second = first; second <= stream.length; second++) {
      const framing = new StreamFraming();
      const chunks = [
        stream.subarray(0, first),
        stream.subarray(first, second),
        stream.subarray(second),
      ];
      const messages = collect(framing, chunks);
      if (messages.length !== 4)
        throw new Error(`${messages.length} messages at ${first}, ${second}`);
      messages.forEach((message, i) => {
        expect([...message]).toEqual([...expected[i]!]);
      });
      expect(framing.pendingBytes).toBe(0);
    }
  }
});

it('takes messages byte by byte', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40, size: 'max' }), { maxLength: 5 });
  fc.assert(
    fc.property(messages, (payloads) => {
      const stream = join(payloads.map((payload) => encodeChannelData(0x4001, payload, true)));
      const chunks = [...stream].map((byte) => Uint8Array.of(byte));
      const plain = payloads.map((payload) => encodeChannelData(0x4001, payload));
      expect(collect(new StreamFraming(), chunks)).toEqual(plain);
    }),
  );
});

it('arbitrary bytes end the stream by a typed error, or wait for more', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 30, size: 'max' }), { maxLength: 6 }),
      (chunks) => {
        const framing = new StreamFraming();
        try {
          collect(framing, chunks);
          expect(framing.pendingBytes).toBeLessThanOrEqual(MAX_FRAME_BYTES);
        } catch (error) {
          expect(error).toMatchObject({ name: 'NatPunchError', code: 'invalid-message' });
        }
      },
    ),
    { numRuns: 500 },
  );
});

it.each([
  ['RTP', Uint8Array.of(0x80)],
  ['TLS', Uint8Array.of(0x16, 3, 1)],
  ['a STUN length that is no multiple of 4', Uint8Array.of(0, 1, 0, 3)],
])('ends at the first bytes of %s', (_, bytes) => {
  expect(() => collect(new StreamFraming(), [bytes])).toThrow(NatPunchError);
});

it('takes the longest message there can be', () => {
  const longest = new StunWriter('indication', STUN_METHOD.send, ID)
    .bytes(0x13, new Uint8Array(65_500))
    .finish();
  expect(collect(new StreamFraming(), [longest.subarray(0, 999), longest.subarray(999)])).toEqual([
    longest,
  ]);
});
