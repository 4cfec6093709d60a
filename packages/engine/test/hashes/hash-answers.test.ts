import { hashCount, MerkleTree, merkleLeaves, merkleWidth, verifyProof } from '@bt/metainfo';
import type { HashRequest } from '@bt/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HASH_REJECT_COST_BYTES,
  MAX_EXCESS_HASH_REQUESTS,
  MAX_HASHED_BYTES_PER_SECOND,
  MAX_QUEUED_HASH_REQUESTS,
  MAX_SENT_HASH_BYTES_PER_SECOND,
} from '../../src/limits.ts';
import { makeContent } from '../support/content.ts';
import { checkInvariants } from '../support/invariants.ts';
import { RemotePeer } from '../support/remote-peer.ts';
import { type NodeOptions, SimSwarm } from '../support/sim-swarm.ts';

const KiB = 1024;
const SECOND = 1000;
const PIECE = 64 * KiB;
/** Blocks of a piece. */
const WIDTH = 4;
// 600 pieces, of which the last is short; one piece of three blocks; and one block.
const FILES = [599 * PIECE + 20 * KiB, 40 * KiB, 5];
const total = FILES.reduce((sum, length) => sum + length, 0);
const contents = {
  v2: makeContent(total, PIECE, { version: 'v2', files: FILES }),
  hybrid: makeContent(total, PIECE, { version: 'hybrid', files: FILES }),
};

function rootOf(file: number, content = contents.v2): Uint8Array {
  const entry = [...content.info.files].filter(({ isPad }) => !isPad)[file]!;
  return entry.piecesRoot!;
}

/** The whole tree of a file, from its bytes. */
function treeOf(file: number, content = contents.v2): MerkleTree {
  const entry = [...content.info.files].filter(({ isPad }) => !isPad)[file]!;
  const start = content.info.geometry.fileStart(entry.index).pieceIndex * PIECE;
  return new MerkleTree(merkleLeaves(content.bytes.subarray(start, start + entry.length)));
}
const trees = FILES.map((_, file) => treeOf(file));

function setUp(options: NodeOptions = { isSeed: true }, content = contents.v2) {
  const swarm = new SimSwarm(content);
  const node = swarm.addNode({ announces: false, ...options }).start();
  const peer = new RemotePeer(swarm, node);
  swarm.clock.runUntil(SECOND);
  const ask = (...requests: HashRequest[]) => {
    peer.ask(...requests);
    swarm.clock.runUntil(swarm.clock.now + 20 * SECOND);
    return peer.hashAnswers.splice(0);
  };
  return { swarm, node, peer, ask };
}

describe('a hash request', () => {
  it('for part of a piece layer is answered with a proof up to the root', () => {
    const { ask, node } = setUp();
    const request = {
      piecesRoot: rootOf(0),
      baseLayer: 2,
      index: 512,
      length: 128,
      proofLayers: 9,
    };
    const [answer] = ask(request);
    expect(answer?.request).toEqual(request);
    const width = trees[0]!.width;
    expect(verifyProof(request, answer!.hashes!, rootOf(0), width)).toBe(true);
    expect(node.disk.hashedPieces).toBe(0);
  });

  it('for blocks of a piece is answered from the disk, and then from memory', () => {
    const { ask, node } = setUp();
    const request = { piecesRoot: rootOf(0), baseLayer: 0, index: 3 * WIDTH, length: WIDTH };
    const [bare, proven] = ask({ ...request, proofLayers: 0 }, { ...request, proofLayers: 11 });
    expect(bare!.hashes).toEqual(trees[0]!.hashes({ ...request, proofLayers: 0 }));
    const range = { ...request, proofLayers: 11 };
    expect(verifyProof(range, proven!.hashes!, rootOf(0), trees[0]!.width)).toBe(true);
    expect(node.disk.hashedPieces).toBe(1);
  });

  it('of any kind that BEP 52 allows is answered once, and rightly', () => {
    const { ask } = setUp();
    const anyRequest = fc
      .record({
        file: fc.nat({ max: 1 }),
        base: fc.nat(),
        size: fc.nat(),
        at: fc.nat(),
        proof: fc.nat(),
      })
      .map(({ file, base, size, at, proof }) => {
        const { width } = trees[file]!;
        const layers = Math.log2(width);
        const baseLayer = base % layers;
        // At most 64 blocks, so that a run takes no long time.
        const length = 2 ** (size % Math.min(layers - baseLayer + 1, 7 - Math.min(6, baseLayer)));
        const index = length * (at % (2 ** (layers - baseLayer) / length));
        const proofLayers = proof % (layers - baseLayer);
        return {
          file,
          request: { piecesRoot: rootOf(file), baseLayer, index, length, proofLayers },
        };
      });
    fc.assert(
      fc.property(anyRequest, ({ file, request }) => {
        const answers = ask(request);
        expect(answers).toHaveLength(1);
        expect(hashCount(request, trees[file]!.width)).toBeDefined();
        expect(answers[0]!.hashes).toEqual(trees[file]!.hashes(request));
      }),
      { numRuns: 60 },
    );
  });

  it('for blocks of several pieces, and behind the end of the file, is answered', () => {
    const { ask, node } = setUp();
    const across = { piecesRoot: rootOf(0), baseLayer: 1, index: 0, length: 32, proofLayers: 4 };
    const [answer] = ask(across);
    expect(answer!.hashes).toEqual(trees[0]!.hashes(across));
    expect(node.disk.hashedPieces).toBe(16);
    const behind = { ...across, baseLayer: 0, index: 599 * WIDTH + 1, length: 1, proofLayers: 2 };
    const beyond = { ...across, baseLayer: 0, index: 1000 * WIDTH, length: 4, proofLayers: 0 };
    expect(ask(behind, beyond).map(({ hashes }) => hashes)).toEqual([
      trees[0]!.hashes(behind),
      trees[0]!.hashes(beyond),
    ]);
  });

  it('to a hybrid torrent leaves its padding out', () => {
    const { ask } = setUp({ isSeed: true }, contents.hybrid);
    for (const [file, tree] of trees.slice(0, 2).entries()) {
      const last = file === 0 ? 599 * WIDTH : 0;
      const request = {
        piecesRoot: rootOf(file, contents.hybrid),
        baseLayer: 0,
        index: last,
        length: WIDTH,
        proofLayers: 0,
      };
      expect(treeOf(file, contents.hybrid).root).toEqual(tree.root);
      expect(ask(request)[0]!.hashes).toEqual(tree.hashes(request));
    }
  });

  it.each([
    ['an unknown root', { piecesRoot: new Uint8Array(32) }],
    ['a file of one block', { piecesRoot: rootOf(2) }],
    ['more than the tree has', { index: 1024 }],
    ['a length that is no power of two', { length: 6, index: 0 }],
    ['an index that is no multiple of the length', { index: 2 }],
    ['a layer above the root', { baseLayer: 20 }],
    ['uncles above the root', { proofLayers: 10 }],
  ])('for %s is refused', (_, change) => {
    const { ask, peer } = setUp();
    const legal = { piecesRoot: rootOf(0), baseLayer: 2, index: 0, length: 4, proofLayers: 9 };
    // Written past our own checks: a stranger doesn't ask itself what is allowed.
    const request = { ...legal, ...change };
    const bytes = Buffer.alloc(53);
    bytes.writeUInt32BE(49);
    bytes[4] = 21;
    bytes.set(request.piecesRoot, 5);
    const { baseLayer, index, length, proofLayers } = request;
    for (const [i, n] of [baseLayer, index, length, proofLayers].entries()) {
      bytes.writeUInt32BE(n, 37 + 4 * i);
    }
    const heard: number[] = [];
    peer.listen((chunk) => heard.push(...chunk));
    peer.send(bytes);
    ask();
    bytes[4] = 23;
    expect(Buffer.from(heard)).toEqual(bytes);
  });

  it('is refused for pieces that we lack, and for layers that we lack', () => {
    const { ask, node } = setUp({ have: [0, 1] });
    const blocks = { piecesRoot: rootOf(0), baseLayer: 0, index: 0, length: 8, proofLayers: 0 };
    const answers = ask(blocks, { ...blocks, length: 16 });
    expect(answers.map(({ hashes }) => hashes?.length)).toEqual([8 * 32, undefined]);
    expect(node.disk.hashedPieces).toBe(2);
    const bare = setUp({ isSeed: true, lacksLayers: true });
    const [refused] = bare.ask({ ...blocks, baseLayer: 2 });
    expect(refused!.hashes).toBeUndefined();
  });

  it('for more than a piece and 16 MiB is refused', () => {
    const { ask, node } = setUp();
    const range = { piecesRoot: rootOf(0), baseLayer: 0, index: 0, length: 2048, proofLayers: 0 };
    expect(ask(range)[0]!.hashes).toBeUndefined();
    expect(node.disk.hashedPieces).toBe(0);
  });

  it('is refused when the piece turns out wrong, which we then no longer claim', () => {
    const { ask, node, swarm } = setUp();
    node.disk.canHash = false;
    const range = { piecesRoot: rootOf(0), baseLayer: 0, index: 0, length: 4, proofLayers: 0 };
    expect(ask(range)[0]!.hashes).toBeUndefined();
    expect(node.torrent.has(0)).toBe(false);
    checkInvariants(swarm, 'wrong piece');
  });

  it('under v1 ends the connection', () => {
    const swarm = new SimSwarm(contents.hybrid);
    const node = swarm.addNode({ isSeed: true, announces: false }).start();
    const peer = new RemotePeer(swarm, node, { isV2: false });
    swarm.clock.runUntil(SECOND);
    expect(peer.session.features.v2).toBe(false);
    peer.send(Buffer.concat([Buffer.from([0, 0, 0, 49, 21]), Buffer.alloc(48)]));
    swarm.clock.runUntil(2 * SECOND);
    const reasons = node.events.flatMap((e) => (e.type === 'peer-closed' ? [e.reason] : []));
    expect(reasons).toEqual(['protocol-error']);
  });
});

describe('a flood of hash requests', () => {
  const layer = { piecesRoot: rootOf(0), baseLayer: 2, index: 0, length: 512, proofLayers: 9 };

  it('is answered at a bounded rate', () => {
    const { swarm, peer } = setUp();
    const start = swarm.clock.now;
    let answered = 0;
    // Asks again as soon as something was answered.
    peer.ask(...Array<HashRequest>(MAX_QUEUED_HASH_REQUESTS).fill(layer));
    for (let step = 0; step < 100; step += 1) {
      swarm.clock.runUntil(start + (step + 1) * 100);
      const came = peer.hashAnswers.splice(0);
      expect(came.every(({ hashes }) => hashes !== undefined)).toBe(true);
      answered += came.length;
      peer.ask(...Array<HashRequest>(came.length).fill(layer));
    }
    const bytes = answered * 32 * 513;
    expect(bytes).toBeGreaterThan(9 * MAX_SENT_HASH_BYTES_PER_SECOND);
    expect(bytes).toBeLessThan(11 * MAX_SENT_HASH_BYTES_PER_SECOND);
  });

  it('keeps a bounded number waiting, refuses the rest, and ends the connection', () => {
    const { swarm, peer, node } = setUp();
    const flood = (count: number) => {
      peer.ask(...Array<HashRequest>(count).fill(layer));
      swarm.clock.runUntil(swarm.clock.now + 50);
    };
    flood(MAX_QUEUED_HASH_REQUESTS + MAX_EXCESS_HASH_REQUESTS);
    const refused = peer.hashAnswers.filter(({ hashes }) => hashes === undefined);
    // Some were answered between two packets.
    expect(refused.length).toBeGreaterThan(0.98 * MAX_EXCESS_HASH_REQUESTS);
    expect(peer.isClosed).toBe(false);
    flood(2 * MAX_QUEUED_HASH_REQUESTS);
    const reasons = node.events.flatMap((e) => (e.type === 'peer-closed' ? [e.reason] : []));
    expect(reasons).toEqual(['request-flood']);
  });

  it('of what is refused is answered eight times a second', () => {
    const { swarm, peer } = setUp({ isSeed: true, lacksLayers: true });
    const start = swarm.clock.now;
    let answered = 0;
    peer.ask(layer, layer);
    while (swarm.clock.now < start + 10 * SECOND) {
      swarm.clock.runUntil(swarm.clock.now + 10);
      const came = peer.hashAnswers.splice(0).length;
      answered += came;
      if (came > 0) peer.ask(...Array<HashRequest>(came).fill(layer));
    }
    const most = (10 * MAX_SENT_HASH_BYTES_PER_SECOND) / HASH_REJECT_COST_BYTES;
    expect(answered).toBeLessThan(1.2 * most);
    expect(answered).toBeGreaterThan(0.8 * most);
  });

  it('makes the disk hash at a bounded rate, one piece at a time', () => {
    const { swarm, peer, node } = setUp();
    const start = swarm.clock.now;
    let next = 0;
    const more = (count: number) =>
      Array.from({ length: count }, () => {
        next += 1;
        return { ...layer, baseLayer: 0, index: next * WIDTH, length: WIDTH, proofLayers: 0 };
      });
    peer.ask(...more(MAX_QUEUED_HASH_REQUESTS));
    while (swarm.clock.now < start + 3 * SECOND) {
      swarm.clock.runUntil(swarm.clock.now + 10);
      peer.ask(...more(peer.hashAnswers.splice(0).length));
    }
    const bytes = node.disk.hashedPieces * PIECE;
    expect(bytes).toBeLessThan(3.2 * MAX_HASHED_BYTES_PER_SECOND);
    expect(bytes).toBeGreaterThan(2.8 * MAX_HASHED_BYTES_PER_SECOND);
  });
});

it('the trees of these tests are those of the torrent', () => {
  for (const [file, tree] of trees.entries()) {
    expect(tree.root).toEqual(rootOf(file));
    expect(tree.width).toBe(merkleWidth(Math.ceil(FILES[file]! / (16 * KiB))));
  }
});
