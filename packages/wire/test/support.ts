// What several tests need: a handler that writes down what it is told, one sample of every message, and arbitrary ones.
import fc from 'fast-check';
import {
  answerHashCount,
  type HashRequest,
  type WireHandler,
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

/** 20 pieces, so that a bitfield has spare bits. */
export const PIECES = { pieceCount: 20, pieceLength: 32_768 };

/** A callback's name and its arguments; a block is one event with all of its bytes. */
export type Event = readonly unknown[];

/** Writes down events with copies of their bytes, and checks the order of block callbacks. */
export function recorder(options: { takeBlocks?: boolean } = {}): {
  events: Event[];
  handler: Required<WireHandler>;
} {
  const events: Event[] = [];
  let block: { pieceIndex: number; blockOffset: number; bytes: number[]; length: number } | null =
    null;
  const note =
    (name: string) =>
    (...values: readonly unknown[]) => {
      if (block !== null) throw new Error(`${name} inside a block`);
      events.push([name, ...values.map((v) => (v instanceof Uint8Array ? Array.from(v) : v))]);
    };
  return {
    events,
    handler: {
      onHandshake: note('handshake'),
      onKeepAlive: note('keepAlive'),
      onChoke: note('choke'),
      onUnchoke: note('unchoke'),
      onInterested: note('interested'),
      onNotInterested: note('notInterested'),
      onHave: note('have'),
      onBitfield: note('bitfield'),
      onHaveAll: note('haveAll'),
      onHaveNone: note('haveNone'),
      onRequest: note('request'),
      onCancel: note('cancel'),
      onReject: note('reject'),
      onSuggest: note('suggest'),
      onAllowedFast: note('allowedFast'),
      onPort: note('port'),
      onExtended: note('extended'),
      onHashRequest: note('hashRequest'),
      onHashes: note('hashes'),
      onHashReject: note('hashReject'),
      onBlockStart: (pieceIndex, blockOffset, length) => {
        if (block !== null) throw new Error('a block inside a block');
        if (options.takeBlocks === false) return false;
        block = { pieceIndex, blockOffset, bytes: [], length };
        return true;
      },
      onBlockData: (chunk, start, end, offsetInBlock) => {
        if (block === null || offsetInBlock !== block.bytes.length || start >= end) {
          throw new Error('block data out of place');
        }
        block.bytes.push(...chunk.subarray(start, end));
      },
      onBlockEnd: () => {
        if (block === null || block.bytes.length !== block.length) {
          throw new Error('a block ends too early');
        }
        events.push(['block', block.pieceIndex, block.blockOffset, block.bytes]);
        block = null;
      },
    },
  };
}

export interface Sample {
  readonly bytes: Uint8Array;
  /** What the decoder has to tell of it. */
  readonly event: Event;
}

export const HASH_REQUEST: HashRequest = {
  piecesRoot: Uint8Array.from({ length: 32 }, (_, i) => 200 + i),
  baseLayer: 3,
  index: 8,
  length: 4,
  proofLayers: 5,
};

/** One of every message, by its name. */
export const SAMPLES: Readonly<Record<string, Sample>> = {
  keepAlive: sample((b) => writeKeepAlive(b, 0), ['keepAlive']),
  choke: sample((b) => writeChoke(b, 0), ['choke']),
  unchoke: sample((b) => writeUnchoke(b, 0), ['unchoke']),
  interested: sample((b) => writeInterested(b, 0), ['interested']),
  notInterested: sample((b) => writeNotInterested(b, 0), ['notInterested']),
  have: sample((b) => writeHave(b, 0, 19), ['have', 19]),
  bitfield: sample(
    (b) => writeBitfield(b, 0, Uint8Array.of(0xff, 0x01, 0xf0)),
    ['bitfield', [0xff, 0x01, 0xf0]],
  ),
  request: sample((b) => writeRequest(b, 0, 7, 16_384, 16_384), ['request', 7, 16_384, 16_384]),
  piece: blockSample(7, 100, [1, 2, 3, 4, 5]),
  cancel: sample((b) => writeCancel(b, 0, 7, 0, 9), ['cancel', 7, 0, 9]),
  port: sample((b) => writePort(b, 0, 0xabcd), ['port', 0xabcd]),
  suggest: sample((b) => writeSuggest(b, 0, 3), ['suggest', 3]),
  haveAll: sample((b) => writeHaveAll(b, 0), ['haveAll']),
  haveNone: sample((b) => writeHaveNone(b, 0), ['haveNone']),
  reject: sample((b) => writeReject(b, 0, 1, 2, 3), ['reject', 1, 2, 3]),
  allowedFast: sample((b) => writeAllowedFast(b, 0, 0), ['allowedFast', 0]),
  extended: sample(
    (b) => writeExtended(b, 0, 3, Uint8Array.of(9, 8, 7)),
    ['extended', 3, [9, 8, 7]],
  ),
  emptyExtended: sample((b) => writeExtended(b, 0, 3, new Uint8Array(0)), ['extended', 3, []]),
  hashRequest: sample((b) => writeHashRequest(b, 0, HASH_REQUEST), ['hashRequest', HASH_REQUEST]),
  hashes: hashesSample(HASH_REQUEST),
  hashReject: sample((b) => writeHashReject(b, 0, HASH_REQUEST), ['hashReject', HASH_REQUEST]),
};

/** Names of the samples that a speaker may say at any time, however often. */
export const ANY_TIME = Object.keys(SAMPLES).filter(
  (name) => !['bitfield', 'haveAll', 'haveNone'].includes(name),
);

/** Any message that is legal in the middle of a connection about {@link PIECES}. */
export const anyMessage: fc.Arbitrary<Sample> = fc.oneof(
  fc.constantFrom(...ANY_TIME).map((name) => SAMPLES[name]!),
  fc
    .tuple(fc.nat(19), fc.nat(1000), fc.uint8Array({ minLength: 1, maxLength: 400 }))
    .map(([pieceIndex, offset, bytes]) => blockSample(pieceIndex, offset, [...bytes])),
  fc
    .tuple(fc.nat(255), fc.uint8Array({ maxLength: 600 }))
    .map(([id, payload]) =>
      sample((b) => writeExtended(b, 0, id, payload), ['extended', id, [...payload]]),
    ),
  fc
    .tuple(fc.nat(19), fc.nat(16_384), fc.integer({ min: 1, max: 16_384 }))
    .map(([piece, offset, length]) =>
      sample((b) => writeRequest(b, 0, piece, offset, length), ['request', piece, offset, length]),
    ),
);

/** Cuts `bytes` at the given places, given as numbers in [0, 1). */
export function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => Math.floor(place * bytes.length)), bytes.length];
  ends.sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}

export const anyCuts = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
  maxLength: 12,
});

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function sample(write: (target: Uint8Array) => number, event: Event): Sample {
  const buffer = new Uint8Array(2_000);
  return { bytes: buffer.slice(0, write(buffer)), event };
}

function blockSample(pieceIndex: number, blockOffset: number, block: number[]): Sample {
  return sample(
    (b) => {
      const at = writeBlockHeader(b, 0, pieceIndex, blockOffset, block.length);
      b.set(block, at);
      return at + block.length;
    },
    ['block', pieceIndex, blockOffset, block],
  );
}

function hashesSample(request: HashRequest): Sample {
  const count = answerHashCount(request.length, request.proofLayers);
  const hashes = Uint8Array.from({ length: 32 * count }, (_, i) => i);
  return sample((b) => writeHashes(b, 0, request, hashes), ['hashes', request, [...hashes]]);
}
