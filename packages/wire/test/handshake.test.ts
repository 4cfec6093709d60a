import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeHandshake,
  HANDSHAKE_LENGTH,
  HandshakeReader,
  RESERVED_BITS,
  readFeatures,
  reservedBitNames,
  WireError,
  writeHandshake,
} from '../src/index.ts';

const infoHash = Uint8Array.from({ length: 20 }, (_, i) => i);
const peerId = new TextEncoder().encode('-BT0001-abcdefghijkl');

/** As BEP 3 has it, with the bits of BEP 5, 6, 10 and 52. */
const BYTES = Uint8Array.of(
  19,
  ...new TextEncoder().encode('BitTorrent protocol'),
  ...[0, 0, 0, 0, 0, 0x10, 0, 0x15],
  ...infoHash,
  ...peerId,
);
const ALL = { dht: true, fast: true, extended: true, v2: true };

describe('writing', () => {
  test('gives the bytes of BEP 3 with the bits of BEP 5, 6, 10 and 52', () => {
    expect(encodeHandshake({ infoHash, peerId, features: ALL })).toEqual(BYTES);
    const bare = encodeHandshake({ infoHash, peerId });
    expect([...bare.subarray(20, 28)]).toEqual(new Array(8).fill(0));
    expect(bare.length).toBe(HANDSHAKE_LENGTH);
  });

  test('over old bytes leaves none of them', () => {
    const target = new Uint8Array(80).fill(0xff);
    expect(writeHandshake(target, 6, { infoHash, peerId, features: ALL })).toBe(74);
    expect(target.subarray(6, 74)).toEqual(BYTES);
  });

  test('refuses what does not fit', () => {
    const code = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        if (error instanceof WireError) return [error.code, error.fault];
      }
      return undefined;
    };
    const long = new Uint8Array(32);
    expect(code(() => encodeHandshake({ infoHash: long, peerId }))).toEqual([
      'invalid-argument',
      'local',
    ]);
    expect(code(() => encodeHandshake({ infoHash, peerId: long }))?.[0]).toBe('invalid-argument');
    const target = new Uint8Array(68);
    expect(code(() => writeHandshake(target, 1, { infoHash, peerId }))?.[0]).toBe('no-room');
    expect(target.every((byte) => byte === 0)).toBe(true);
  });
});

describe('reading', () => {
  const expected = { infoHash, peerId, features: ALL, reserved: BYTES.slice(20, 28) };

  test('ends at the last byte, in any splits, through a reused buffer', () => {
    const stream = Uint8Array.of(...BYTES, 1, 2, 3);
    for (let first = 0; first <= stream.length; first++) {
      const reader = new HandshakeReader();
      const buffer = new Uint8Array(stream.length);
      buffer.set(stream.subarray(0, first));
      const taken = reader.handleBytes(buffer, 0, first);
      expect(taken).toBe(Math.min(first, 68));
      buffer.fill(0xee);
      buffer.set(stream.subarray(first));
      const rest = reader.handleBytes(buffer, 0, stream.length - first);
      expect(taken + rest).toBe(68);
      expect(reader.handshake).toEqual(expected);
      expect(reader.handleBytes(stream)).toBe(0);
    }
  });

  test('knows the info-hash before the peer id', () => {
    const reader = new HandshakeReader();
    reader.handleBytes(BYTES, 0, 47);
    expect(reader.infoHash).toBeUndefined();
    reader.handleBytes(BYTES, 47, 48);
    expect(reader.infoHash).toEqual(infoHash);
    expect(reader.handshake).toBeUndefined();
  });

  test('refuses another protocol at its first wrong byte', () => {
    for (let at = 0; at < 20; at++) {
      const wrong = BYTES.slice();
      wrong[at]! ^= 1;
      const reader = new HandshakeReader();
      expect(reader.handleBytes(wrong, 0, at)).toBe(at);
      expect(() => reader.handleBytes(wrong, at, at + 1)).toThrow(
        expect.objectContaining({ code: 'not-bittorrent', fault: 'remote' }),
      );
      expect(() => reader.handleBytes(BYTES)).toThrow(
        expect.objectContaining({ code: 'closed', fault: 'local' }),
      );
    }
  });

  test('arbitrary bytes give a handshake or a WireError', () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc
        .uint8Array({ maxLength: 60 })
        .map((tail) => Uint8Array.of(...BYTES.subarray(0, 20), ...tail)),
    );
    fc.assert(
      fc.property(any, (bytes) => {
        const reader = new HandshakeReader();
        try {
          expect(reader.handleBytes(bytes)).toBe(Math.min(bytes.length, 68));
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          expect(error.fault).toBe('remote');
        }
        expect(reader.handshake !== undefined).toBe(
          bytes.length >= 68 && bytes.subarray(0, 20).every((byte, i) => byte === BYTES[i]),
        );
      }),
    );
  });
});

describe('reserved bits', () => {
  test('each known bit has its name, and four are features', () => {
    for (const { byteIndex, mask, name } of RESERVED_BITS) {
      const reserved = new Uint8Array(8);
      reserved[byteIndex] = mask;
      expect(reservedBitNames(reserved)).toEqual([name]);
      const features = readFeatures(reserved);
      expect(Object.values(features).filter(Boolean)).toHaveLength(name in features ? 1 : 0);
      if (name in features) expect(features[name as keyof typeof features]).toBe(true);
    }
    expect(reservedBitNames(new Uint8Array(8).fill(0xff))).toHaveLength(RESERVED_BITS.length);
    expect(reservedBitNames(new Uint8Array(0))).toEqual([]);
  });
});
