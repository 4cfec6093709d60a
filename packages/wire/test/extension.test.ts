import { encode } from '@bt/bencode';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeExtendedHandshake,
  decodeUploadOnly,
  EXTENSION_NAME,
  type ExtendedHandshake,
  encodeExtendedHandshake,
  MAX_METADATA_LENGTH,
  RemoteExtensions,
  WireError,
} from '../src/index.ts';

const text = (value: string) => new TextEncoder().encode(value);
const local = expect.objectContaining({ code: 'invalid-argument', fault: 'local' });
const remote = expect.objectContaining({ code: 'bad-extended', fault: 'remote' });

const FULL: ExtendedHandshake = {
  messages: new Map([
    [EXTENSION_NAME.metadata, 1],
    [EXTENSION_NAME.pex, 2],
    ['other', 0],
  ]),
  client: 'bt 1.0 µ',
  listenPort: 6881,
  requestQueue: 2_000,
  yourAddress: '203.0.113.9',
  ipv4Address: '10.0.0.1',
  ipv6Address: '2001:db8::1',
  metadataLength: 31_235,
  uploadOnly: true,
  prefersEncryption: false,
};

describe('the extended handshake', () => {
  test('is read as BEP 10 has it', () => {
    const example = text('d1:md11:LT_metadatai1e7:µT_PEXi2ee1:pi6881e1:v13:µTorrent 1.2e');
    expect(decodeExtendedHandshake(example)).toEqual({
      messages: new Map([
        ['LT_metadata', 1],
        ['µT_PEX', 2],
      ]),
      listenPort: 6881,
      client: 'µTorrent 1.2',
    });
  });

  test('is read as BEP 9 and BEP 21 have it', () => {
    expect(
      decodeExtendedHandshake(text('d1:md11:ut_metadatai3ee13:metadata_sizei31235ee')),
    ).toEqual({ messages: new Map([['ut_metadata', 3]]), metadataLength: 31_235 });
    expect(decodeExtendedHandshake(text('d1:md11:ut_metadatai3ee11:upload_onlyi1ee'))).toEqual({
      messages: new Map([['ut_metadata', 3]]),
      uploadOnly: true,
    });
  });

  test('is written canonically and read back', () => {
    const bytes = encodeExtendedHandshake(FULL);
    expect(decodeExtendedHandshake(bytes)).toEqual(FULL);
    expect(new TextDecoder('latin1').decode(bytes).startsWith('d1:ei0e4:ipv44:')).toBe(true);
    expect(encodeExtendedHandshake({ messages: new Map() })).toEqual(text('d1:mdee'));
  });

  test('round trips', () => {
    const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
    const any = fc.record({
      messages: fc
        .array(fc.tuple(fc.string({ maxLength: 16, unit: 'grapheme-ascii' }), fc.nat(255)))
        .map((entries) => new Map(entries)),
      client: optional(fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme-ascii' })),
      listenPort: optional(fc.integer({ min: 1, max: 65_535 })),
      requestQueue: optional(fc.integer({ min: 1, max: 100_000 })),
      metadataLength: optional(fc.integer({ min: 1, max: MAX_METADATA_LENGTH })),
      uploadOnly: optional(fc.boolean()),
      prefersEncryption: optional(fc.boolean()),
    });
    fc.assert(
      fc.property(any, (handshake) => {
        const present = Object.fromEntries(
          Object.entries(handshake).filter(([, value]) => value !== undefined),
        ) as unknown as ExtendedHandshake;
        expect(decodeExtendedHandshake(encodeExtendedHandshake(present))).toEqual(present);
      }),
    );
  });

  test.each<[string, object]>([
    ['a queue of none', { reqq: 0 }],
    ['a negative queue', { reqq: -5 }],
    ['no metadata', { metadata_size: 0 }],
    ['negative metadata', { metadata_size: -1 }],
    ['huge metadata', { metadata_size: MAX_METADATA_LENGTH + 1 }],
    ['metadata beyond all numbers', { metadata_size: 2n ** 64n }],
    ['port 0', { p: 0 }],
    ['a port too far', { p: 65_536 }],
    ['a port in words', { p: 'http' }],
    ['a client that is a list', { v: ['x'] }],
    ['no client', { v: '' }],
    ['an address of 5 bytes', { yourip: 'abcde' }],
    ['an IPv4 address of 16 bytes', { ipv4: 'abcdefghijklmnop' }],
    ['an IPv6 address of 4 bytes', { ipv6: 'abcd' }],
    ['messages that are a list', { m: [1] }],
    ['messages that are a number', { m: 1 }],
    ['upload only in words', { upload_only: 'yes' }],
  ])('%s is as if absent', (_name, fields) => {
    expect(decodeExtendedHandshake(encode({ ...fields }))).toEqual({ messages: new Map() });
  });

  test('keeps sound message names and ids only', () => {
    const m = new Map<string | Uint8Array, number | string>([
      ['__proto__', 1],
      ['constructor', 2],
      ['big', 256],
      ['negative', -1],
      ['word', 'x'],
      ['x'.repeat(65), 3],
      [Uint8Array.of(0xff, 0xfe), 4],
      ['off', 0],
      ['last', 255],
    ]);
    const { messages } = decodeExtendedHandshake(encode({ m }));
    expect([...messages].sort()).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
      ['last', 255],
      ['off', 0],
    ]);
    const many = new Map(Array.from({ length: 1_000 }, (_, i) => [`name${i}`, 1] as const));
    expect(decodeExtendedHandshake(encode({ m: many })).messages.size).toBe(255);
  });

  test("a client's name is short and prints on one line", () => {
    const client = (v: string | Uint8Array) => decodeExtendedHandshake(encode({ v })).client;
    expect(client('a\u001b[2Jb\u202ec\nd\u0000')).toBe('a[2Jbcd');
    expect(client('é'.repeat(500))).toBe('é'.repeat(64));
    expect(client(`x${'é'.repeat(500)}`)).toBe(`x${'é'.repeat(63)}`);
  });

  test('an unsorted dictionary is read; deep nesting and what is no dictionary is refused', () => {
    expect(decodeExtendedHandshake(text('d1:v1:x1:mdee')).client).toBe('x');
    for (const bytes of [
      '',
      'de1',
      'i1e',
      'le',
      'd1:m',
      `d1:x${'l'.repeat(50)}${'e'.repeat(51)}`,
      'l'.repeat(100_000),
      `d1:xl${'0:'.repeat(5_000)}ee`,
    ]) {
      expect(() => decodeExtendedHandshake(text(bytes))).toThrow(remote);
    }
  });

  test('arbitrary bytes give a handshake or a WireError', () => {
    const mutated = fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
      const bytes = encodeExtendedHandshake(FULL);
      bytes[at % bytes.length] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), mutated), (bytes) => {
        try {
          expect(decodeExtendedHandshake(bytes).messages).toBeInstanceOf(Map);
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          expect(error).toEqual(remote);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('keeps nothing of the payload', () => {
    const bytes = encodeExtendedHandshake(FULL);
    const decoded = decodeExtendedHandshake(bytes);
    bytes.fill(0);
    expect(decoded).toEqual(FULL);
  });

  test.each<Partial<ExtendedHandshake>>([
    { messages: new Map([['x', 256]]) },
    { messages: new Map([['x', -1]]) },
    { listenPort: 70_000 },
    { requestQueue: 1.5 },
    { ipv4Address: '::1' },
    { ipv6Address: '1.2.3.4' },
    { yourAddress: 'localhost' },
    { client: '\ud800' },
  ])('refuses to send %j', (fields) => {
    expect(() => encodeExtendedHandshake({ messages: new Map(), ...fields })).toThrow(local);
  });
});

describe("the remote's extensions", () => {
  const say = (entries: [string, number][]) => ({ messages: new Map(entries) });

  test('add up over handshakes; 0 ends one (BEP 10)', () => {
    const extensions = new RemoteExtensions();
    extensions.apply(
      say([
        ['ut_pex', 1],
        ['ut_metadata', 2],
      ]),
    );
    extensions.apply(
      say([
        ['ut_pex', 0],
        ['upload_only', 3],
      ]),
    );
    expect(['ut_pex', 'ut_metadata', 'upload_only', 'x'].map((n) => extensions.idOf(n))).toEqual([
      ...[undefined, 2, 3, undefined],
    ]);
  });

  test('are bounded', () => {
    const extensions = new RemoteExtensions();
    for (let i = 0; i < 300; i++) extensions.apply(say([[`name${i}`, 1]]));
    extensions.apply(say([['name0', 7]]));
    expect([
      extensions.idOf('name0'),
      extensions.idOf('name254'),
      extensions.idOf('name255'),
    ]).toEqual([...[7, 1, undefined]]);
  });
});

test('upload_only is one byte', () => {
  expect([[], [0], [1], [2], [1, 1]].map((b) => decodeUploadOnly(Uint8Array.from(b)))).toEqual([
    ...[undefined, false, true, true, undefined],
  ]);
});
