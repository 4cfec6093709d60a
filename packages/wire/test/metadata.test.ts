import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeMetadataMessage,
  encodeMetadataMessage,
  MAX_METADATA_LENGTH,
  type MetadataMessage,
  metadataPieceCount,
  metadataPieceLength,
  WireError,
} from '../src/index.ts';

const text = (value: string) => new TextEncoder().encode(value);
const remote = expect.objectContaining({ code: 'bad-extended', fault: 'remote' });
const local = expect.objectContaining({ code: 'invalid-argument', fault: 'local' });

describe('ut_metadata', () => {
  test('has the bytes of BEP 9', () => {
    const request: MetadataMessage = { type: 'request', pieceIndex: 0 };
    expect(encodeMetadataMessage(request)).toEqual(text('d8:msg_typei0e5:piecei0ee'));
    expect(decodeMetadataMessage(text('d8:msg_typei0e5:piecei0ee'))).toEqual(request);
    const data = new Uint8Array(16_384).fill(120);
    const head = text('d8:msg_typei1e5:piecei0e10:total_sizei34256ee');
    const message: MetadataMessage = { type: 'data', pieceIndex: 0, totalLength: 34_256, data };
    expect(encodeMetadataMessage(message)).toEqual(Uint8Array.of(...head, ...data));
    expect(decodeMetadataMessage(Uint8Array.of(...head, ...data))).toEqual(message);
    expect(decodeMetadataMessage(text('d8:msg_typei2e5:piecei7ee'))).toEqual({
      type: 'reject',
      pieceIndex: 7,
    });
  });

  test('pieces are 16 KiB, the last one what is left', () => {
    expect([1, 16_384, 16_385].map(metadataPieceCount)).toEqual([1, 1, 2]);
    expect([0, 1, 2, 3].map((i) => metadataPieceLength(i, 34_256))).toEqual([
      ...[16_384, 16_384, 1_488, 0],
    ]);
  });

  test('round trips', () => {
    const any = fc.oneof(
      fc.record({ type: fc.constantFrom('request', 'reject'), pieceIndex: fc.nat(1023) }),
      fc.integer({ min: 1, max: 50_000 }).chain((totalLength) =>
        fc.nat(metadataPieceCount(totalLength) - 1).map((pieceIndex) => ({
          type: 'data' as const,
          pieceIndex,
          totalLength,
          data: new Uint8Array(metadataPieceLength(pieceIndex, totalLength)).fill(pieceIndex),
        })),
      ),
    ) as fc.Arbitrary<MetadataMessage>;
    fc.assert(
      fc.property(any, (message) => {
        expect(decodeMetadataMessage(encodeMetadataMessage(message))).toEqual(message);
      }),
    );
  });

  test('ignores types that it does not know (BEP 9)', () => {
    expect(decodeMetadataMessage(text('d8:msg_typei3e5:piecei0ee'))).toBeUndefined();
    expect(decodeMetadataMessage(text('d8:msg_typei-1e5:piecei0ee'))).toBeUndefined();
    expect(decodeMetadataMessage(text('d5:piecei0ee'))).toBeUndefined();
  });

  test.each([
    ['nothing', ''],
    ['no dictionary', 'i0e'],
    ['half a dictionary', 'd8:msg_typei0e'],
    ['no piece', 'd8:msg_typei0ee'],
    ['a negative piece', 'd8:msg_typei0e5:piecei-1ee'],
    ['a piece beyond 16 MiB', 'd8:msg_typei0e5:piecei1024ee'],
    ['a piece in words', 'd8:msg_typei0e5:piece1:0e'],
    ['data without its total', 'd8:msg_typei1e5:piecei0eex'],
    ['data of a total of 0', 'd8:msg_typei1e5:piecei0e10:total_sizei0ee'],
    ['data of a huge total', `d8:msg_typei1e5:piecei0e10:total_sizei${MAX_METADATA_LENGTH + 1}eex`],
    ['data beyond the total', 'd8:msg_typei1e5:piecei1e10:total_sizei5ee'],
    ['too little data', 'd8:msg_typei1e5:piecei0e10:total_sizei5eexxxx'],
    ['too much data', 'd8:msg_typei1e5:piecei0e10:total_sizei5eexxxxxx'],
  ])('refuses %s', (_name, payload) => {
    expect(() => decodeMetadataMessage(text(payload))).toThrow(remote);
  });

  test.each<MetadataMessage>([
    { type: 'request', pieceIndex: -1 },
    { type: 'request', pieceIndex: 1024 },
    { type: 'reject', pieceIndex: 0.5 },
    { type: 'data', pieceIndex: 0, totalLength: 5, data: new Uint8Array(4) },
    { type: 'data', pieceIndex: 1, totalLength: 5, data: new Uint8Array(0) },
  ])('does not send %j', (message) => {
    expect(() => encodeMetadataMessage(message)).toThrow(local);
  });

  test('arbitrary bytes give a message or a WireError', () => {
    const valid = encodeMetadataMessage({
      type: 'data',
      pieceIndex: 1,
      totalLength: 16_400,
      data: new Uint8Array(16),
    });
    const mutated = fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
      const bytes = valid.slice();
      bytes[at % bytes.length] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), mutated), (bytes) => {
        try {
          const message = decodeMetadataMessage(bytes);
          if (message !== undefined) expect(message.pieceIndex).toBeGreaterThanOrEqual(0);
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          expect(error).toEqual(remote);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
