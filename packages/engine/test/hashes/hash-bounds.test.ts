// What is kept for answering hash requests, and how much is done in a turn: with trees too large for whole swarms.

import {
  buildInfo,
  type Info,
  MerkleTree,
  merklePadding,
  merkleRoot,
  parseInfo,
  toHex,
} from '@bt/metainfo';
import type { HashRequest } from '@bt/wire';
import { describe, expect, it } from 'vitest';
import type { FailedPiece } from '../../src/failed-piece.ts';
import { BlockVerdicts } from '../../src/hashes/block-verdicts.ts';
import { HashAnswers } from '../../src/hashes/hash-answers.ts';
import { PieceLayers } from '../../src/hashes/piece-layers.ts';
import { RateLimit } from '../../src/index.ts';
import {
  MAX_CACHED_LEAVES,
  MAX_FILES_OF_A_ROOT,
  MAX_HASHED_PIECE_BYTES,
  MAX_KNOWN_LEAVES,
  MAX_LAYER_TREES,
  TREE_HASHES_PER_TURN,
} from '../../src/limits.ts';

const MiB = 1024 * 1024;
const BLOCK = 16 * 1024;

/** A torrent whose roots are those of made-up layers; `layers` has one hash a piece for each file. */
function torrentOf(pieceLength: number, layers: readonly Uint8Array[]) {
  const pieceLayer = Math.log2(pieceLength / BLOCK);
  const byRoot = new Map<string, Uint8Array>();
  const files = layers.map((layer, index) => {
    const root = merkleRoot(layer, { padding: merklePadding(pieceLayer) });
    byRoot.set(toHex(root), layer);
    return {
      path: [`f-${String(index).padStart(4, '0')}`],
      length: (layer.length / 32) * pieceLength,
      piecesRoot: root,
    };
  });
  const info = parseInfo(
    buildInfo({ version: 'v2', name: 'made-up', pieceLength, isSingleFile: false, files }),
  );
  return { info, byRoot, roots: files.map(({ piecesRoot }) => piecesRoot) };
}

function hashes(count: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: count * 32 }, (_, at) => (at >> 5) * 7 + at * seed);
}

function answersOf(info: Info, byRoot: Map<string, Uint8Array>, limit = new RateLimit()) {
  const moment = { now: 0 };
  const sent: (Uint8Array | undefined)[] = [];
  const hashed: number[] = [];
  const has = new Set<number>();
  const peer = {
    session: {
      outputLength: 0,
      hashes: (_: HashRequest, answer: Uint8Array) => sent.push(answer),
      hashReject: () => sent.push(undefined),
    },
    transport: { queuedBytes: 0 },
  };
  const answers = new HashAnswers({
    moment,
    info,
    layers: new PieceLayers(info, byRoot, undefined),
    holdings: { has: (piece: number) => has.has(piece) },
    disk: { hashBlocks: (piece: number) => hashed.push(piece) },
    peers: { markDirty: () => {} },
    limit,
    hashFailed: () => {},
  } as unknown as ConstructorParameters<typeof HashAnswers>[0]);
  /** Asks, and lets the disk and the time do what they have to; the turns that it took. */
  const ask = (request: HashRequest): number => {
    answers.requested(peer as never, request);
    const before = hashed.length;
    for (let turn = 1; ; turn += 1) {
      answers.pump();
      if (hashed.length > before && sent.length === 0) {
        answers.blocksHashed(hashed.at(-1)!, hashes(info.pieceLength / BLOCK), undefined);
      } else if (sent.length > 0) {
        return turn;
      } else {
        moment.now = Math.max(moment.now, answers.deadline());
      }
    }
  };
  return { answers, moment, sent, hashed, has, peer, ask };
}

describe('what is kept for answers', () => {
  it('are the leaves of the pieces that were hashed last', () => {
    const width = MiB / BLOCK;
    const { info, byRoot, roots } = torrentOf(MiB, [hashes(1024)]);
    const { ask, hashed, has, sent } = answersOf(info, byRoot);
    const request = (piece: number): HashRequest => {
      has.add(piece);
      sent.length = 0;
      const range = { baseLayer: 0, index: piece * width, length: width, proofLayers: 0 };
      return { piecesRoot: roots[0]!, ...range };
    };
    const kept = MAX_CACHED_LEAVES / width;
    for (let piece = 0; piece <= kept; piece += 1) ask(request(piece));
    expect(hashed.length).toBe(kept + 1);
    ask(request(kept));
    ask(request(1));
    expect(hashed.length).toBe(kept + 1);
    ask(request(0));
    expect(hashed.length).toBe(kept + 2);
  });

  it('are the upper parts of the layers that were asked for last', () => {
    const layers = Array.from({ length: MAX_LAYER_TREES + 1 }, (_, i) => hashes(2, i + 1));
    const { info, byRoot, roots } = torrentOf(MiB, layers);
    const read: string[] = [];
    const spied = new Map(byRoot);
    spied.get = (root: string) => {
      read.push(root);
      return byRoot.get(root);
    };
    const { ask, sent } = answersOf(info, spied);
    const request = (file: number): HashRequest => {
      sent.length = 0;
      return { piecesRoot: roots[file]!, baseLayer: 6, index: 0, length: 2, proofLayers: 0 };
    };
    for (const file of layers.keys()) ask(request(file));
    read.length = 0;
    ask(request(MAX_LAYER_TREES));
    expect(read).toEqual([]);
    ask(request(0));
    expect(read).toEqual([toHex(roots[0]!)]);
  });
});

describe('what is done for answers', () => {
  it('is a bounded part of a layer in one turn', () => {
    const { info, byRoot, roots } = torrentOf(16 * BLOCK, [hashes(3 * TREE_HASHES_PER_TURN)]);
    const { ask, sent } = answersOf(info, byRoot);
    const range = { baseLayer: 4, index: 0, length: 2, proofLayers: 14 };
    expect(ask({ piecesRoot: roots[0]!, ...range })).toBe(3);
    sent.length = 0;
    expect(ask({ piecesRoot: roots[0]!, ...range })).toBe(1);
  });

  it('is nothing for pieces that are too large', () => {
    for (const [pieceLength, isServed] of [
      [MAX_HASHED_PIECE_BYTES, true],
      [2 * MAX_HASHED_PIECE_BYTES, false],
    ] as const) {
      const { info, byRoot, roots } = torrentOf(pieceLength, [hashes(2)]);
      const { ask, has, sent } = answersOf(info, byRoot);
      has.add(0);
      ask({ piecesRoot: roots[0]!, baseLayer: 0, index: 0, length: 2, proofLayers: 0 });
      expect(sent[0] !== undefined).toBe(isServed);
    }
  });

  it('looks through few files of the same content', () => {
    const layers = Array.from({ length: MAX_FILES_OF_A_ROOT + 1 }, () => hashes(2));
    const { info, byRoot, roots } = torrentOf(MiB, layers);
    const { ask, has, sent } = answersOf(info, byRoot);
    const range = { baseLayer: 0, index: 0, length: 64, proofLayers: 0 };
    has.add(2 * MAX_FILES_OF_A_ROOT);
    ask({ piecesRoot: roots[0]!, ...range });
    expect(sent.splice(0)).toEqual([undefined]);
    has.add(2 * (MAX_FILES_OF_A_ROOT - 1));
    ask({ piecesRoot: roots[0]!, ...range });
    expect(sent[0]?.length).toBe(64 * 32);
  });

  it('waits for the upload limit', () => {
    const { info, byRoot, roots } = torrentOf(MiB, [hashes(512)]);
    const limit = new RateLimit(16_384);
    limit.charge(0, 100_000);
    const { answers, peer, sent, moment } = answersOf(info, byRoot, limit);
    const range = { baseLayer: 6, index: 0, length: 512, proofLayers: 8 };
    answers.requested(peer as never, { piecesRoot: roots[0]!, ...range });
    answers.pump();
    expect(sent).toEqual([]);
    expect(answers.deadline()).toBeCloseTo(limit.opensAt(0));
    moment.now = answers.deadline();
    answers.pump();
    expect(sent[0]?.length).toBe(512 * 32);
    expect(limit.isOpen(moment.now + 900)).toBe(false);
  });
});

describe('the known hashes of failed pieces', () => {
  it('are bounded, the oldest are forgotten', async () => {
    const width = 32_768;
    const trees = [1, 2, 3].map((seed) => new MerkleTree(hashes(width, seed)));
    const layer = new Uint8Array(3 * 32);
    for (const [piece, tree] of trees.entries()) layer.set(tree.root, 32 * piece);
    const { info, byRoot } = torrentOf(width * BLOCK, [layer]);
    const asked: number[] = [];
    const judged: number[] = [];
    const peer = { identity: {}, handle: 0 };
    const verdicts = new BlockVerdicts({
      moment: { now: 0 },
      info,
      layers: new PieceLayers(info, byRoot, undefined),
      requests: {
        canAsk: () => true,
        ask: (_: unknown, request: HashRequest, __: number, answered: (h: Uint8Array) => void) => {
          const piece = Math.floor(request.index / width);
          asked.push(piece);
          const range = { ...request, index: request.index % width };
          queueMicrotask(() => answered(trees[piece]!.hashes(range)!));
        },
      },
      peers: [peer],
      picker: { peerHas: () => true },
      judged: ({ pieceIndex }: FailedPiece) => judged.push(pieceIndex),
      liarFound: () => {
        throw new Error('nobody has lied');
      },
    } as unknown as ConstructorParameters<typeof BlockVerdicts>[0]);
    const fail = (pieceIndex: number) =>
      verdicts.open({ pieceIndex, senders: [], blockHashes: hashes(width, 9), data: undefined });
    expect(3 * width).toBeGreaterThan(MAX_KNOWN_LEAVES);
    for (const piece of [0, 1, 2]) {
      expect(fail(piece)).toBe('open');
      while (!judged.includes(piece)) await Promise.resolve();
    }
    asked.length = 0;
    for (const piece of [2, 1]) fail(piece);
    expect(asked).toEqual([]);
    expect(judged).toEqual([0, 1, 2, 2, 1]);
    fail(0);
    expect(asked).toEqual([0]);
  });
});
