import { describe, expect, test } from 'vitest';
import {
  MESSAGE_ID,
  MESSAGE_LENGTH,
  messageName,
  WireError,
  writeAllowedFast,
  writeBitfield,
  writeBlockHeader,
  writeCancel,
  writeChoke,
  writeExtended,
  writeHashes,
  writeHashReject,
  writeHashRequest,
  writeHave,
  writeHaveAll,
  writeHaveNone,
  writeInterested,
  writeKeepAlive,
  writeNotInterested,
  writePort,
  writeReject,
  writeRequest,
  writeSuggest,
  writeUnchoke,
} from '../src/index.ts';
import { HASH_REQUEST } from './support.ts';

type Write = (target: Uint8Array, offset: number) => number;

const root = [...HASH_REQUEST.piecesRoot];
const hashFields = [...root, 0, 0, 0, 3, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 5];

/** Every writer with the bytes that the BEPs give its message. */
const MESSAGES: [string, Write, number[]][] = [
  ['keep-alive (BEP 3)', writeKeepAlive, [0, 0, 0, 0]],
  ['choke (BEP 3)', writeChoke, [0, 0, 0, 1, 0]],
  ['unchoke (BEP 3)', writeUnchoke, [0, 0, 0, 1, 1]],
  ['interested (BEP 3)', writeInterested, [0, 0, 0, 1, 2]],
  ['not interested (BEP 3)', writeNotInterested, [0, 0, 0, 1, 3]],
  ['have (BEP 3)', (b, o) => writeHave(b, o, 0x01020304), [0, 0, 0, 5, 4, 1, 2, 3, 4]],
  [
    'bitfield (BEP 3)',
    (b, o) => writeBitfield(b, o, Uint8Array.of(0xf0, 0x80)),
    [0, 0, 0, 3, 5, 0xf0, 0x80],
  ],
  [
    'request (BEP 3)',
    (b, o) => writeRequest(b, o, 1, 0x4000, 0x4000),
    [0, 0, 0, 13, 6, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0x40, 0],
  ],
  [
    'piece (BEP 3)',
    (b, o) => writeBlockHeader(b, o, 0xffffffff, 0x4000, 0x4000),
    [0, 0, 0x40, 9, 7, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x40, 0],
  ],
  [
    'cancel (BEP 3)',
    (b, o) => writeCancel(b, o, 1, 2, 3),
    [0, 0, 0, 13, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
  ],
  ['port (BEP 5)', (b, o) => writePort(b, o, 6881), [0, 0, 0, 3, 9, 0x1a, 0xe1]],
  ['suggest (BEP 6)', (b, o) => writeSuggest(b, o, 9), [0, 0, 0, 5, 0x0d, 0, 0, 0, 9]],
  ['have all (BEP 6)', writeHaveAll, [0, 0, 0, 1, 0x0e]],
  ['have none (BEP 6)', writeHaveNone, [0, 0, 0, 1, 0x0f]],
  [
    'reject (BEP 6)',
    (b, o) => writeReject(b, o, 1, 2, 3),
    [0, 0, 0, 13, 0x10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
  ],
  ['allowed fast (BEP 6)', (b, o) => writeAllowedFast(b, o, 9), [0, 0, 0, 5, 0x11, 0, 0, 0, 9]],
  [
    'extended (BEP 10)',
    (b, o) => writeExtended(b, o, 3, Uint8Array.of(100, 101)),
    [0, 0, 0, 4, 20, 3, 100, 101],
  ],
  [
    'hash request (BEP 52)',
    (b, o) => writeHashRequest(b, o, HASH_REQUEST),
    [0, 0, 0, 49, 21, ...hashFields],
  ],
  [
    'hash reject (BEP 52)',
    (b, o) => writeHashReject(b, o, HASH_REQUEST),
    [0, 0, 0, 49, 23, ...hashFields],
  ],
  [
    // 4 hashes and an uncle for each of 5 layers but the first log2(4) - 1.
    'hashes (BEP 52)',
    (b, o) => writeHashes(b, o, HASH_REQUEST, new Uint8Array(8 * 32).fill(7)),
    [0, 0, 1, 0x31, 22, ...hashFields, ...new Array(256).fill(7)],
  ],
];

describe('every message', () => {
  test.each(MESSAGES)('%s has its bytes', (_name, write, bytes) => {
    const target = new Uint8Array(bytes.length + 20).fill(0xee);
    expect(write(target, 10)).toBe(10 + bytes.length);
    expect([...target.subarray(10, 10 + bytes.length)]).toEqual(bytes);
    const around = [...target.subarray(0, 10), ...target.subarray(10 + bytes.length)];
    expect(around).toEqual(new Array(20).fill(0xee));
  });

  test.each(MESSAGES)('%s is not begun where it does not fit', (_name, write, bytes) => {
    const target = new Uint8Array(bytes.length).fill(0xee);
    expect(write(target, 0)).toBe(bytes.length);
    target.fill(0xee);
    for (const offset of [1, -1, Number.NaN]) {
      expect(() => write(target, offset)).toThrow(
        expect.objectContaining({ code: 'no-room', fault: 'local' }),
      );
    }
    expect(target.every((byte) => byte === 0xee)).toBe(true);
  });

  test('ids are those of BEP 4, 6, 10 and 52', () => {
    expect(Object.values(MESSAGE_ID)).toEqual([
      ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x14, 0x15, 0x16, 0x17],
    ]);
    expect(messageName(13)).toBe('suggest');
    expect(messageName(12)).toBeUndefined();
  });

  test('lengths are those that the writers need', () => {
    expect(MESSAGE_LENGTH).toEqual({
      keepAlive: 4,
      bare: 5,
      piece: 9,
      block: 17,
      blockHeader: 13,
      port: 7,
      hash: 53,
    });
  });
});

describe('arguments', () => {
  const target = new Uint8Array(400);
  test.each<[string, () => number]>([
    ['a negative piece index', () => writeHave(target, 0, -1)],
    ['a piece index over 32 bits', () => writeHave(target, 0, 2 ** 32)],
    ['half a piece', () => writeHave(target, 0, 0.5)],
    ['no number', () => writeRequest(target, 0, 0, Number.NaN, 1)],
    ['an endless block', () => writeBlockHeader(target, 0, 0, 0, Number.POSITIVE_INFINITY)],
    ['a port over 16 bits', () => writePort(target, 0, 65_536)],
    ['an extended id over 8 bits', () => writeExtended(target, 0, 256, new Uint8Array(0))],
    ['too few hashes', () => writeHashes(target, 0, HASH_REQUEST, new Uint8Array(7 * 32))],
    ['a short root', () => writeHashRequest(target, 0, { ...HASH_REQUEST, piecesRoot: target })],
    ['no hashes asked for', () => writeHashRequest(target, 0, { ...HASH_REQUEST, length: 0 })],
  ])('%s is refused, and nothing is written', (_name, write) => {
    target.fill(0xee);
    expect(write).toThrow(expect.objectContaining({ code: 'invalid-argument', fault: 'local' }));
    expect(write).toThrow(WireError);
    expect(target.every((byte) => byte === 0xee)).toBe(true);
  });
});
