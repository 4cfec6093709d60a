import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EarlyRoom,
  MESSAGE_ID,
  WireDecoder,
  type WireDecoderOptions,
  type WireError,
  WireError as WireErrorClass,
  type WireHandler,
  writeBlockHeader,
  writeHave,
} from '../src/index.ts';
import {
  ANY_TIME,
  anyCuts,
  anyMessage,
  concat,
  cut,
  type Event,
  HASH_REQUEST,
  PIECES,
  recorder,
  SAMPLES,
} from './support.ts';

const decode = (
  chunks: readonly Uint8Array[],
  options: WireDecoderOptions = { pieces: PIECES },
) => {
  const decoder = new WireDecoder(options);
  const { events, handler } = recorder();
  for (const chunk of chunks) decoder.handleBytes(chunk, handler);
  return events;
};

/** A length prefix, an id and a payload. */
const message = (id: number, payload: ArrayLike<number> = [], length = 1 + payload.length) =>
  Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length, id, ...Array.from(payload));

const errorOf = (run: () => unknown): WireError => {
  try {
    run();
  } catch (error) {
    if (error instanceof WireErrorClass) return error;
    throw error;
  }
  throw new Error('no error');
};

const codeOf = (bytes: Uint8Array, options?: WireDecoderOptions) => {
  const { code, fault } = errorOf(() => decode([bytes], options));
  expect(fault).toBe('remote');
  return code;
};

describe('every message', () => {
  test.each(Object.entries(SAMPLES))('%s, whole', (_name, { bytes, event }) => {
    expect(decode([bytes])).toEqual([event]);
  });

  test.each(Object.entries(SAMPLES))('%s, split at every boundary', (_name, { bytes, event }) => {
    // A neighbour on each side shows that nothing is taken from or left to it.
    const stream = concat([SAMPLES.choke!.bytes, bytes, SAMPLES.cancel!.bytes]);
    const expected = [['choke'], event, SAMPLES.cancel!.event];
    for (let at = 0; at <= stream.length; at++) {
      expect(decode([stream.subarray(0, at), stream.subarray(at)])).toEqual(expected);
    }
    expect(decode(Array.from(stream, (byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  test('a range of a chunk', () => {
    const { events, handler } = recorder();
    const bytes = concat([SAMPLES.piece!.bytes, SAMPLES.have!.bytes, SAMPLES.choke!.bytes]);
    const middle = SAMPLES.piece!.bytes.length;
    new WireDecoder({ pieces: PIECES }).handleBytes(bytes, handler, middle, middle + 9);
    expect(events).toEqual([['have', 19]]);
  });
});

describe('any stream', () => {
  test('in any splits through one reused buffer tells the same', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 8 }), anyCuts, (messages, cuts) => {
        const decoder = new WireDecoder({ pieces: PIECES });
        const { events, handler } = recorder();
        const stream = concat(messages.map(({ bytes }) => bytes));
        const buffer = new Uint8Array(stream.length);
        for (const chunk of cut(stream, cuts)) {
          buffer.set(chunk);
          decoder.handleBytes(buffer, handler, 0, chunk.length);
          buffer.fill(0xee);
        }
        expect(events).toEqual(messages.map(({ event }) => event));
      }),
    );
  });

  test('of arbitrary bytes gives events or a WireError of the remote', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // Framed, so that more than the first length prefix is met.
      fc
        .array(fc.tuple(fc.nat(30), fc.uint8Array({ maxLength: 60 })), { maxLength: 6 })
        .map((parts) => concat(parts.map(([id, payload]) => message(id, payload)))),
      // A valid stream with one byte changed.
      fc
        .tuple(fc.array(anyMessage, { minLength: 1, maxLength: 4 }), fc.nat(), fc.nat(255))
        .map(([messages, at, byte]) => {
          const bytes = concat(messages.map((m) => m.bytes));
          bytes[at % bytes.length] = byte;
          return bytes;
        }),
    );
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyBytes, anyCuts, fc.boolean(), (bytes, cuts, hasPieces) => {
        const options = hasPieces ? { pieces: PIECES } : {};
        const attempt = (chunks: Uint8Array[]): readonly [Event[], string] => {
          const decoder = new WireDecoder(options);
          const { events, handler } = recorder();
          try {
            for (const chunk of chunks) decoder.handleBytes(chunk, handler);
          } catch (error) {
            if (!(error instanceof WireErrorClass)) throw error;
            expect(error.fault).toBe('remote');
            expect(decoder.isClosed).toBe(true);
            seen.add(error.code);
            return [events, error.code];
          }
          seen.add('fine');
          return [events, 'fine'];
        };
        const [events, outcome] = attempt(cut(bytes, cuts));
        const [eventsWhole, outcomeWhole] = attempt([bytes]);
        expect(events).toEqual(eventsWhole);
        // A length is known to be too long for any message before the id says more.
        if (outcome !== 'message-too-long') expect(outcome).toBe(outcomeWhole);
        else expect(outcomeWhole).not.toBe('fine');
      }),
      { numRuns: 1000 },
    );
    expect([...seen]).toEqual(
      expect.arrayContaining(['fine', 'wrong-length', 'piece-out-of-range']),
    );
  });
});

describe('lengths', () => {
  const fixed: [keyof typeof MESSAGE_ID, number][] = [
    ['choke', 1],
    ['unchoke', 1],
    ['interested', 1],
    ['notInterested', 1],
    ['haveAll', 1],
    ['haveNone', 1],
    ['have', 5],
    ['suggest', 5],
    ['allowedFast', 5],
    ['request', 13],
    ['cancel', 13],
    ['reject', 13],
    ['port', 3],
    ['hashRequest', 49],
    ['hashReject', 49],
    ['bitfield', 4],
  ];
  test.each(fixed)('%s has length %i and no other', (name, length) => {
    for (let wrong = 1; wrong < 70; wrong++) {
      if (wrong === length) continue;
      expect(codeOf(message(MESSAGE_ID[name], [], wrong))).toBe('wrong-length');
    }
  });

  test.each([
    ['piece', 10, 16_384 + 9],
    ['extended', 2, 1_048_576],
    ['hashes', 49, 49 + 32 * (8_192 + 64)],
  ] as const)('%s has length %i to %i', (name, least, most) => {
    const id = MESSAGE_ID[name];
    for (const length of [least, most]) {
      // Only the head is sent, so that nothing but the length is judged.
      expect(decode([message(id, [], length)])).toEqual([]);
    }
    if (least > 1) expect(codeOf(message(id, [], least - 1))).toBe('wrong-length');
    expect(codeOf(message(id, [], most + 1))).toBe('message-too-long');
  });

  test('limits can be set', () => {
    const limits = { maxBlockLength: 100, maxExtendedLength: 50, maxUnknownLength: 10 };
    const options = { pieces: PIECES, limits };
    expect(decode([message(7, [], 109)], options)).toEqual([]);
    expect(codeOf(message(7, [], 110), options)).toBe('message-too-long');
    expect(codeOf(message(20, [], 51), options)).toBe('message-too-long');
    expect(codeOf(message(99, [], 11), options)).toBe('message-too-long');
  });

  test('a length is judged by its four bytes', () => {
    expect(codeOf(Uint8Array.of(0xff, 0xff, 0xff, 0xff))).toBe('message-too-long');
    expect(codeOf(Uint8Array.of(0, 16, 0, 1))).toBe('message-too-long');
    expect(decode([Uint8Array.of(0, 16, 0, 0)])).toEqual([]);
  });

  test('an announced payload takes no memory before it comes', () => {
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 300 }, () => {
      const decoder = new WireDecoder();
      decoder.handleBytes(message(20, [1, 2, 3, 4], 1_048_576), recorder().handler);
      return decoder;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    expect(decoders.every((decoder) => !decoder.isClosed)).toBe(true);
  });
});

describe('ranges', () => {
  const u32 = (...values: number[]) =>
    values.flatMap((v) => [(v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255]);

  test.each(['have', 'suggest', 'allowedFast'] as const)('%s names a piece', (name) => {
    expect(decode([message(MESSAGE_ID[name], u32(19))])).toEqual([[name, 19]]);
    for (const index of [20, 0x7fff_ffff, 0xffff_ffff]) {
      expect(codeOf(message(MESSAGE_ID[name], u32(index)))).toBe('piece-out-of-range');
    }
  });

  test.each(['request', 'cancel', 'reject'] as const)('%s names a block of a piece', (name) => {
    const id = MESSAGE_ID[name];
    const code = (...fields: number[]) => codeOf(message(id, u32(...fields)));
    expect(decode([message(id, u32(19, 0, 32_768))])).toEqual([[name, 19, 0, 32_768]]);
    expect(decode([message(id, u32(0, 32_767, 1))])).toEqual([[name, 0, 32_767, 1]]);
    expect(code(20, 0, 1)).toBe('piece-out-of-range');
    expect(code(0, 0, 0)).toBe('block-out-of-range');
    expect(code(0, 32_768, 1)).toBe('block-out-of-range');
    expect(code(0, 1, 32_768)).toBe('block-out-of-range');
    expect(code(0, 0xffff_ffff, 2)).toBe('block-out-of-range');
    expect(code(0, 1, 0xffff_ffff)).toBe('block-out-of-range');
  });

  test('requests of up to 128 KiB are taken', () => {
    const options = { pieces: { pieceCount: 2, pieceLength: 1 << 20 } };
    const request = (length: number) => message(6, u32(0, 0, length));
    expect(decode([request(131_072)], options)).toEqual([['request', 0, 0, 131_072]]);
    expect(codeOf(request(131_073), options)).toBe('block-out-of-range');
  });

  test('the size of each piece counts where it is known', () => {
    const options = { pieces: { ...PIECES, pieceSize: (i: number) => (i === 19 ? 100 : 32_768) } };
    expect(decode([message(6, u32(19, 0, 100))], options)).toHaveLength(1);
    expect(codeOf(message(6, u32(19, 0, 101)), options)).toBe('block-out-of-range');
    expect(codeOf(message(7, [...u32(19, 100), 1]), options)).toBe('block-out-of-range');
  });

  test('a block lies in its piece', () => {
    expect(codeOf(message(7, [...u32(20, 0), 1]))).toBe('piece-out-of-range');
    expect(codeOf(message(7, [...u32(0, 32_768), 1]))).toBe('block-out-of-range');
    expect(codeOf(message(7, u32(0, 0)))).toBe('wrong-length');
  });

  test('a bitfield has no spare bits', () => {
    expect(codeOf(message(5, [0xff, 0xff, 0xf8]))).toBe('spare-bits');
    expect(codeOf(message(5, [0, 0, 1]))).toBe('spare-bits');
    expect(decode([message(5, [0xff, 0xff])], { pieces: { ...PIECES, pieceCount: 16 } })).toEqual([
      ['bitfield', [0xff, 0xff]],
    ]);
    expect(decode([message(5)], { pieces: { ...PIECES, pieceCount: 0 } })).toEqual([
      ['bitfield', []],
    ]);
  });
});

test('a Buffer of a socket, reused, leaves its mark nowhere', () => {
  const names = ['hashRequest', 'hashes', 'hashReject', 'extended', 'bitfield'];
  const decoder = new WireDecoder();
  const kept: unknown[] = [];
  const handler: WireHandler = {
    onHashRequest: (request) => kept.push(request),
    onHashes: (request, hashes) => {
      kept.push(request);
      expect(Object.getPrototypeOf(hashes)).toBe(Uint8Array.prototype);
    },
    onHashReject: (request) => kept.push(request),
    onExtended: (_id, payload) => {
      expect(Object.getPrototypeOf(payload)).toBe(Uint8Array.prototype);
    },
    onBitfield: (bits) => kept.push([...bits]),
  };
  const buffer = Buffer.alloc(1_000);
  for (const name of names) {
    buffer.set(SAMPLES[name]!.bytes, 3);
    decoder.handleBytes(buffer, handler, 3, 3 + SAMPLES[name]!.bytes.length);
    buffer.fill(0xee);
  }
  decoder.setPieces(PIECES, handler);
  expect(kept).toEqual([HASH_REQUEST, HASH_REQUEST, HASH_REQUEST, [0xff, 0x01, 0xf0]]);
});

describe('unknown messages', () => {
  const unknown = [10, 11, 12, 18, 19, 24, 99, 255];

  test('are skipped, in any splits', () => {
    for (const id of unknown) {
      const stream = concat([message(id, new Uint8Array(40)), message(id), SAMPLES.have!.bytes]);
      for (let at = 0; at <= stream.length; at++) {
        expect(decode([stream.subarray(0, at), stream.subarray(at)])).toEqual([['have', 19]]);
      }
    }
  });

  test('are bounded each and in all', () => {
    const limits = { maxUnknownLength: 1000, maxUnknownTotalBytes: 2500 };
    const options = { pieces: PIECES, limits };
    const long = message(99, new Uint8Array(999));
    expect(decode([long, long], options)).toEqual([]);
    expect(codeOf(concat([long, long, long]), options)).toBe('unknown-flood');
    expect(codeOf(message(99, [], 1_048_577))).toBe('message-too-long');
  });
});

describe('blocks', () => {
  test('are skipped when nobody wants them', () => {
    const stream = concat([SAMPLES.piece!.bytes, SAMPLES.have!.bytes]);
    for (let at = 0; at <= stream.length; at++) {
      const decoder = new WireDecoder({ pieces: PIECES });
      const { events, handler } = recorder({ takeBlocks: false });
      decoder.handleBytes(stream.subarray(0, at), handler);
      decoder.handleBytes(stream.subarray(at), handler);
      expect(events).toEqual([['have', 19]]);
      // The same for a handler that knows nothing of blocks.
      const haves: number[] = [];
      const deaf = new WireDecoder({ pieces: PIECES });
      deaf.handleBytes(stream.subarray(0, at), { onHave: (index) => haves.push(index) });
      deaf.handleBytes(stream.subarray(at), { onHave: (index) => haves.push(index) });
      expect(haves).toEqual([19]);
    }
  });

  test('come as ranges of the very chunk, and allocate nothing', () => {
    const block = 16_384;
    const stream = new Uint8Array(64 * (block + 13 + 9));
    let at = 0;
    for (let i = 0; i < 64; i++) {
      at = writeBlockHeader(stream, at, i % 20, 0, block) + block;
      // Other messages in between, so that no part of the decoder is compiled for blocks alone.
      if (i % 4 === 0) at = writeHave(stream, at, i % 20);
    }
    const decoder = new WireDecoder({ pieces: PIECES });
    let payload = 0;
    let foreign = 0;
    const handler: WireHandler = {
      onBlockStart: () => true,
      onBlockData: (chunk, start, end) => {
        payload += end - start;
        if (chunk !== stream) foreign++;
      },
    };
    const pass = (times: number) => {
      for (let i = 0; i < times; i++) {
        // Chunks of 10,007 bytes: every block is split, and some headers too.
        for (let from = 0; from < at; from += 10_007) {
          decoder.handleBytes(stream, handler, from, Math.min(at, from + 10_007));
        }
      }
    };
    pass(1_000);
    // A collection in between could hide growth or show none: the least of some tries is what the decoder needs.
    const growths = Array.from({ length: 5 }, () => {
      const before = process.memoryUsage().heapUsed;
      pass(1_000);
      return Math.abs(process.memoryUsage().heapUsed - before);
    });
    expect(payload).toBe(6_000 * 64 * block);
    expect(foreign).toBe(0);
    // 64,000 blocks in each try: even one object of 16 bytes for each would be a megabyte.
    expect(Math.min(...growths)).toBeLessThan(500_000);
  });
});

describe('a decoder', () => {
  test('is closed by an error', () => {
    const decoder = new WireDecoder({ pieces: PIECES });
    const { handler } = recorder();
    expect(errorOf(() => decoder.handleBytes(message(4, [0, 0, 0, 20]), handler)).code).toBe(
      'piece-out-of-range',
    );
    expect(decoder.isClosed).toBe(true);
    const again = errorOf(() => decoder.handleBytes(SAMPLES.choke!.bytes, handler));
    expect([again.code, again.fault]).toEqual(['closed', 'local']);
  });

  test('lets the error of a callback through, and is closed', () => {
    const decoder = new WireDecoder({ pieces: PIECES });
    const oops = new Error('oops');
    const handler: WireHandler = {
      onChoke: () => {
        throw oops;
      },
    };
    expect(() => decoder.handleBytes(SAMPLES.choke!.bytes, handler)).toThrow(oops);
    expect(decoder.isClosed).toBe(true);
  });

  test('can be closed from inside any callback and then is silent', () => {
    for (const name of Object.keys(SAMPLES)) {
      const stream = concat([SAMPLES[name]!.bytes, SAMPLES.choke!.bytes]);
      const decoder = new WireDecoder({ pieces: PIECES });
      const calls: string[] = [];
      const closing = new Proxy({} as WireHandler, {
        get: (_target, callback) => () => {
          calls.push(String(callback));
          decoder.close();
          return true;
        },
      });
      decoder.handleBytes(stream, closing);
      expect(calls).toHaveLength(1);
      expect(decoder.isClosed).toBe(true);
    }
  });

  test('is silent too when closed in the middle of a block', () => {
    const decoder = new WireDecoder({ pieces: PIECES });
    const calls: string[] = [];
    decoder.handleBytes(concat([SAMPLES.piece!.bytes, SAMPLES.choke!.bytes]), {
      onBlockStart: () => true,
      onBlockData: () => {
        calls.push('data');
        decoder.close();
      },
      onBlockEnd: () => calls.push('end'),
      onChoke: () => calls.push('choke'),
    });
    expect(calls).toEqual(['data']);
  });

  test('can not be fed from inside a callback', () => {
    const decoder = new WireDecoder({ pieces: PIECES });
    const bytes = SAMPLES.choke!.bytes;
    const handler: WireHandler = { onChoke: () => decoder.handleBytes(bytes, {}) };
    expect(errorOf(() => decoder.handleBytes(bytes, handler)).code).toBe('closed');
  });
});

describe('before the metadata', () => {
  const early = (names: string[]) => {
    const decoder = new WireDecoder();
    const { events, handler } = recorder();
    decoder.handleBytes(concat(names.map((name) => SAMPLES[name]!.bytes)), handler);
    return { decoder, events, handler };
  };

  test.each([
    [['bitfield', 'have', 'allowedFast', 'suggest']],
    [['have', 'have']],
    [['haveNone', 'have', 'allowedFast']],
  ])('%j are kept until the pieces are known', (names) => {
    const { decoder, events, handler } = early(names);
    expect(events).toEqual([]);
    decoder.setPieces(PIECES, handler);
    expect(events).toEqual(
      names.filter((name) => name !== 'suggest').map((name) => SAMPLES[name]!.event),
    );
    decoder.handleBytes(SAMPLES.have!.bytes, handler);
    expect(events.at(-1)).toEqual(['have', 19]);
  });

  test('are kept as copies of a chunk that is reused', () => {
    const decoder = new WireDecoder();
    const { events, handler } = recorder();
    const buffer = SAMPLES.bitfield!.bytes.slice();
    decoder.handleBytes(buffer, handler);
    buffer.fill(0xee);
    decoder.setPieces(PIECES, handler);
    expect(events).toEqual([SAMPLES.bitfield!.event]);
  });

  test('a seed is a seed', () => {
    const { decoder, events, handler } = early(['haveAll', 'have', 'have']);
    decoder.setPieces(PIECES, handler);
    expect(events).toEqual([['haveAll']]);
  });

  test('other messages come through; blocks and requests are illegal', () => {
    for (const name of ANY_TIME) {
      if (['have', 'suggest', 'allowedFast'].includes(name)) continue;
      const { bytes, event } = SAMPLES[name]!;
      if (['request', 'cancel', 'piece', 'reject'].includes(name)) {
        expect(codeOf(bytes, {})).toBe('out-of-turn');
      } else expect(decode([bytes], {})).toEqual([event]);
    }
  });

  test.each([
    ['wrong-length', message(5, [0xff, 0xff])],
    ['wrong-length', message(5, [0xff, 0xff, 0, 0])],
    ['spare-bits', message(5, [0xff, 0xff, 0xff])],
    ['piece-out-of-range', message(4, [0, 0, 0, 20])],
    ['piece-out-of-range', message(17, [0, 0, 0, 20])],
  ])('%s is found when the pieces are known', (code, bytes) => {
    const decoder = new WireDecoder();
    const { events, handler } = recorder();
    decoder.handleBytes(bytes, handler);
    const error = errorOf(() => decoder.setPieces(PIECES, handler));
    expect([error.code, error.fault]).toEqual([code, 'remote']);
    expect(decoder.isClosed).toBe(true);
    expect(events).toEqual([]);
  });

  test('what is kept is bounded', () => {
    expect(codeOf(message(5, [], 1 + 262_145), {})).toBe('message-too-long');
    expect(decode([message(5, [], 1 + 262_144)], {})).toEqual([]);
    expect(codeOf(message(4, [0, 0x20, 0, 0]), {})).toBe('piece-out-of-range');
    const decoder = new WireDecoder({ limits: { maxEarlyHaves: 3 } });
    const { events, handler } = recorder();
    for (let i = 0; i < 100; i++) decoder.handleBytes(message(4, [0, 0, 0, i % 20]), handler);
    for (let i = 0; i < 100; i++) decoder.handleBytes(message(17, [0, 0, 0, i % 20]), handler);
    decoder.setPieces(PIECES, handler);
    expect(events.filter(([name]) => name === 'have')).toHaveLength(3);
    expect(events.filter(([name]) => name === 'allowedFast')).toHaveLength(64);
  });

  describe('in a room that connections share', () => {
    const bits = message(5, [0xff, 0xff, 0xf0]);
    const have = message(4, [0, 0, 0, 3]);
    const told = (decoder: WireDecoder) => {
      const { events, handler } = recorder();
      decoder.setPieces(PIECES, handler);
      return events.map(([name]) => name);
    };

    test('what finds none is forgotten, and costs its connection nothing', () => {
      const earlyRoom = new EarlyRoom(5);
      const decoders = [1, 2].map(() => new WireDecoder({ earlyRoom }));
      for (const decoder of decoders) decoder.handleBytes(bits, {});
      expect(earlyRoom.takenBytes).toBe(3);
      expect(decoders.map(told)).toEqual([['bitfield'], []]);
      expect(earlyRoom.takenBytes).toBe(0);
    });

    test('haves take theirs, and a later declaration the place of the one before', () => {
      const earlyRoom = new EarlyRoom(20);
      const decoder = new WireDecoder({ earlyRoom });
      for (let i = 0; i < 9; i++) decoder.handleBytes(bits, {});
      expect(earlyRoom.takenBytes).toBe(3);
      for (let i = 0; i < 9; i++) decoder.handleBytes(have, {});
      expect(earlyRoom.takenBytes).toBe(19);
      decoder.handleBytes(message(14, []), {});
      expect(earlyRoom.takenBytes).toBe(16);
      expect(told(decoder)).toEqual(['haveAll', 'have', 'have']);
    });

    test('is free again when a connection ends', () => {
      const earlyRoom = new EarlyRoom(3);
      for (let i = 0; i < 5; i++) {
        const decoder = new WireDecoder({ earlyRoom });
        decoder.handleBytes(bits, {});
        expect(earlyRoom.takenBytes).toBe(3);
        decoder.close();
        decoder.close();
        expect(earlyRoom.takenBytes).toBe(0);
      }
    });
  });

  test('the pieces may become known at any byte, also inside a callback', () => {
    const stream = concat([SAMPLES.extended!.bytes, SAMPLES.bitfield!.bytes, SAMPLES.have!.bytes]);
    const expected = [SAMPLES.extended!.event, SAMPLES.bitfield!.event, SAMPLES.have!.event];
    for (let at = 0; at <= stream.length; at++) {
      const decoder = new WireDecoder();
      const { events, handler } = recorder();
      decoder.handleBytes(stream.subarray(0, at), handler);
      decoder.setPieces(PIECES, handler);
      decoder.handleBytes(stream.subarray(at), handler);
      expect(events).toEqual(expected);
    }
    const decoder = new WireDecoder();
    const { events, handler } = recorder();
    const setting: WireHandler = {
      ...handler,
      onExtended: (id, payload) => {
        handler.onExtended(id, payload);
        decoder.setPieces(PIECES, handler);
      },
    };
    decoder.handleBytes(stream, setting);
    expect(events).toEqual(expected);
  });

  test('a half-read bitfield is judged by the pieces that came in between', () => {
    const decoder = new WireDecoder();
    const { handler } = recorder();
    decoder.handleBytes(message(5, [0xff, 0xff], 1 + 4), handler);
    decoder.setPieces(PIECES, handler);
    const error = errorOf(() => decoder.handleBytes(Uint8Array.of(0, 0), handler));
    expect(error.code).toBe('wrong-length');
  });

  test('a closing callback ends the replay; a second setPieces is refused', () => {
    const { decoder } = early(['have', 'have', 'have']);
    let haves = 0;
    decoder.setPieces(PIECES, {
      onHave: () => {
        haves++;
        decoder.close();
      },
    });
    expect(haves).toBe(1);
    decoder.setPieces(PIECES, {}); // closed: nothing happens
    const known = new WireDecoder({ pieces: PIECES });
    const error = errorOf(() => known.setPieces(PIECES, {}));
    expect([error.code, error.fault]).toEqual(['invalid-argument', 'local']);
    const { handler } = recorder();
    known.handleBytes(SAMPLES.have!.bytes, handler);
    expect(known.isClosed).toBe(false);
  });
});

test('a have in the middle of blocks is told between them', () => {
  const buffer = new Uint8Array(9);
  writeHave(buffer, 0, 5);
  expect(decode([concat([SAMPLES.piece!.bytes, buffer, SAMPLES.piece!.bytes])])).toEqual([
    SAMPLES.piece!.event,
    ['have', 5],
    SAMPLES.piece!.event,
  ]);
});
