import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  channelDataLength,
  channelOf,
  encodeChannelData,
  MAX_CHANNEL,
  MIN_CHANNEL,
} from '../../src/index.ts';

it('RFC 8656 section 12.4: number, length, datagram; padded to 4 bytes over a stream', () => {
  const payload = Uint8Array.of(1, 2, 3, 4, 5);
  expect([...encodeChannelData(0x4001, payload)]).toEqual([0x40, 1, 0, 5, 1, 2, 3, 4, 5]);
  expect([...encodeChannelData(0x4001, payload, true)]).toEqual([
    0x40, 1, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0,
  ]);
});

it('round trip', () => {
  const channels = fc.integer({ min: MIN_CHANNEL, max: MAX_CHANNEL });
  fc.assert(
    fc.property(
      channels,
      fc.uint8Array({ maxLength: 2000, size: 'max' }),
      fc.boolean(),
      (channel, data, padded) => {
        const bytes = encodeChannelData(channel, data, padded);
        expect(channelOf(bytes)).toBe(channel);
        expect(bytes.subarray(4, 4 + channelDataLength(bytes))).toEqual(data);
        expect(channelOf(bytes.subarray(0, 3 + data.length))).toBeUndefined();
      },
    ),
  );
});

it('is not what has another first byte', () => {
  expect(channelOf(Uint8Array.of(0x3f, 0xff, 0, 0))).toBeUndefined();
  expect(channelOf(Uint8Array.of(0x80, 0, 0, 0))).toBeUndefined();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20, size: 'max' }), (bytes) => {
      const channel = channelOf(bytes);
      expect(channel === undefined || (channel >= MIN_CHANNEL && channel <= MAX_CHANNEL)).toBe(
        true,
      );
    }),
  );
});
