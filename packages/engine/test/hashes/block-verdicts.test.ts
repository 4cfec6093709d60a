import { MerkleTree, merkleLeaves, toHex } from '@bt/metainfo';
import type { HashRequest } from '@bt/wire';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_HASHES_TIMEOUT_MS,
  BLOCK_VERDICT_MS,
  MAX_PIECES_ON_TRIAL,
} from '../../src/limits.ts';
import { type Content, makeContent } from '../support/content.ts';
import { checkInvariants } from '../support/invariants.ts';
import { RemotePeer } from '../support/remote-peer.ts';
import { type SimNode, SimSwarm } from '../support/sim-swarm.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const SECOND = 1000;
const BLOCK = 16 * KiB;
const PIECE = 8 * BLOCK;
const content = makeContent(10 * PIECE, PIECE, { version: 'v2' });

function banned(node: SimNode): string[] {
  return node.events.flatMap((event) => (event.type === 'peer-banned' ? [event.address] : []));
}

function failures(node: SimNode): number[] {
  return node.events.flatMap((event) => (event.type === 'piece-failed' ? [event.pieceIndex] : []));
}

/** The leaves of the content's one file. */
function leavesOf({ bytes, info }: Content): Uint8Array {
  return merkleLeaves(bytes.subarray(0, info.geometry.totalLength));
}

/** A liar that sends one block wrong, and other peers of the test's own. */
function setUp(count: number) {
  const swarm = new SimSwarm(content);
  const node = swarm.addNode({ announces: false }).start();
  const peers = Array.from({ length: count }, () => new RemotePeer(swarm, node));
  const [liar, ...others] = peers as [RemotePeer, ...RemotePeer[]];
  // It is asked first, and alone, for a whole piece, and lies once.
  const lie = liar.seed((_, offset) => offset === 3 * BLOCK && liar.hashRequests.length === 0);
  return { swarm, node, liar: lie, others };
}

const tree = new MerkleTree(leavesOf(content));

describe('the blocks of a failed piece', () => {
  it('are judged by the hashes of whoever has it, and the right ones are kept', () => {
    const { swarm, node, liar, others } = setUp(2);
    const [helper] = others;
    helper!.onHashRequest = (request) => helper!.session.hashes(request, tree.hashes(request)!);
    helper!.session.haveAll();
    helper!.flush();
    swarm.clock.runUntil(2 * SECOND);
    expect(banned(node)).toEqual([liar.host.address]);
    expect(node.stats.rejectedBytes).toBe(BLOCK);
    const [piece] = failures(node);
    const [request] = helper!.hashRequests;
    expect(request).toMatchObject({ baseLayer: 0, index: piece! * 8, length: 8, proofLayers: 0 });
    // Only the one block of it is asked for now.
    const asked: number[] = [];
    helper!.onRequest = (index, offset) => {
      if (index === piece) asked.push(offset);
    };
    helper!.session.unchoke();
    helper!.flush();
    swarm.clock.runUntil(3 * SECOND);
    expect(asked).toEqual([3 * BLOCK]);
  });

  it('are left to the next attempt when nobody answers, and nobody honest is banned', () => {
    const swarm = new SimSwarm(content);
    const node = swarm.addNode({ announces: false }).start();
    const silent = [0, 1].map(() => new RemotePeer(swarm, node));
    // Both send parts of the same piece, and one of them sends its parts wrong.
    silent[0]!.seed((_, offset) => offset % (2 * BLOCK) === 0);
    silent[1]!.seed();
    swarm.clock.runUntil(SECOND);
    new RemotePeer(swarm, node).seed();
    swarm.clock.runUntil(60 * SECOND);
    expect(node.torrent.isDone).toBe(true);
    expect(banned(node)).toEqual([silent[0]!.host.address]);
    expect(silent.some(({ hashRequests }) => hashRequests.length > 0)).toBe(true);
  });

  it('wait no longer than their time', () => {
    const { swarm, node, others } = setUp(4);
    for (const other of others) {
      other.session.haveAll();
      other.flush();
    }
    swarm.clock.runUntil(SECOND);
    const start = swarm.clock.now;
    expect(others.filter(({ hashRequests }) => hashRequests.length > 0)).toHaveLength(1);
    expect(failures(node)).toEqual([]);
    swarm.clock.runUntil(start + BLOCK_HASHES_TIMEOUT_MS + SECOND);
    expect(others.filter(({ hashRequests }) => hashRequests.length > 0).length).toBe(2);
    swarm.clock.runUntil(start + BLOCK_VERDICT_MS + SECOND);
    expect(failures(node).length).toBeGreaterThan(0);
  });

  it('are asked of the next one who has the piece where the first refuses', () => {
    const { swarm, node, others } = setUp(3);
    const refuse = (peer: RemotePeer) => (request: HashRequest) => peer.session.hashReject(request);
    const answer = (peer: RemotePeer) => (request: HashRequest) =>
      peer.session.hashes(request, tree.hashes(request)!);
    const [first, second] = others;
    first!.onHashRequest = refuse(first!);
    second!.onHashRequest = answer(second!);
    for (const other of others) {
      other.session.haveAll();
      other.flush();
    }
    swarm.clock.runUntil(0.9 * SECOND);
    expect(first!.hashRequests.length).toBe(1);
    expect(second!.hashRequests.length).toBe(1);
    expect(node.stats.rejectedBytes).toBe(BLOCK);
  });

  it('are told by who has refused them, once it was asked for a block', () => {
    const { swarm, node, others } = setUp(2);
    const [shy] = others;
    const sent = new Set<number>();
    const start = (piece: number) => piece * PIECE;
    shy!.onRequest = (piece, offset, length) => {
      sent.add(piece);
      const at = start(piece) + offset;
      shy!.sendBlock(piece, offset, content.bytes.subarray(at, at + length));
    };
    shy!.onHashRequest = (request) => {
      shy!.session.unchoke();
      if (sent.has(request.index / 8)) shy!.session.hashes(request, tree.hashes(request)!);
      else shy!.session.hashReject(request);
    };
    shy!.session.haveAll();
    shy!.flush();
    swarm.clock.runUntil(3 * SECOND);
    expect(shy!.hashRequests.length).toBe(2);
    expect(node.stats.rejectedBytes).toBe(BLOCK);
    expect(node.stats.duplicateBytes).toBe(BLOCK);
  });

  it('are waited for a moment where a connection has just begun, whose end may know them', () => {
    const { swarm, node, liar, others } = setUp(2);
    const [late] = others;
    late!.onHashRequest = (request) => late!.session.hashes(request, tree.hashes(request)!);
    swarm.clock.runUntil(SECOND);
    expect(banned(node)).toEqual([liar.host.address]);
    expect(failures(node)).toEqual([]);
    late!.session.haveAll();
    late!.flush();
    swarm.clock.runUntil(3 * SECOND);
    expect(late!.hashRequests.length).toBe(1);
    expect(node.stats.rejectedBytes).toBe(BLOCK);
  });

  it('are waited for no longer than an answer', () => {
    const { swarm, node } = setUp(2);
    swarm.clock.runUntil(BLOCK_HASHES_TIMEOUT_MS + 2 * SECOND);
    expect(failures(node)).toHaveLength(1);
    expect(node.stats.rejectedBytes).toBe(PIECE);
  });

  it('cost who tells wrong hashes its connection, and nobody else', () => {
    const { swarm, node, liar, others } = setUp(3);
    const [wrong, right] = others;
    wrong!.onHashRequest = (request) => {
      const hashes = tree.hashes(request)!.slice();
      hashes[5]! ^= 1;
      wrong!.session.hashes(request, hashes);
    };
    right!.onHashRequest = (request) => right!.session.hashes(request, tree.hashes(request)!);
    for (const other of others) {
      other.session.haveAll();
      other.flush();
    }
    swarm.clock.runUntil(2 * SECOND);
    expect(new Set(banned(node))).toEqual(new Set([liar.host.address, wrong!.host.address]));
    expect(right!.isClosed).toBe(false);
    expect(node.stats.rejectedBytes).toBe(BLOCK);
  });

  it('are judged without asking again when the piece fails again', () => {
    const swarm = new SimSwarm(content);
    const node = swarm.addNode({ announces: false }).start();
    const liars = [0, 1].map(() => new RemotePeer(swarm, node));
    const helper = new RemotePeer(swarm, node);
    helper.onHashRequest = (request) => helper.session.hashes(request, tree.hashes(request)!);
    helper.session.haveAll();
    helper.flush();
    liars[0]!.seed((_, offset) => offset === 0);
    swarm.clock.runUntil(SECOND);
    const [piece] = failures(node);
    const before = helper.hashRequests.length;
    liars[1]!.seed((index) => index === piece);
    swarm.clock.runUntil(3 * SECOND);
    expect(banned(node)).toEqual(liars.map(({ host }) => host.address));
    expect(helper.hashRequests.filter(({ index }) => index === piece! * 8)).toHaveLength(1);
    expect(before).toBe(1);
  });

  it('are asked for of few pieces at a time', () => {
    const swarm = new SimSwarm(content);
    const node = swarm.addNode({ announces: false }).start();
    const helper = new RemotePeer(swarm, node);
    helper.session.haveAll();
    helper.flush();
    const liars = Array.from({ length: 8 }, () => new RemotePeer(swarm, node).seed(() => true));
    swarm.clock.runUntil(SECOND);
    expect(banned(node).length).toBe(liars.length);
    const asked = [helper, ...liars].flatMap(({ hashRequests }) => hashRequests);
    const pieces = new Set(asked.map(({ index }) => index));
    expect(pieces.size).toBeLessThanOrEqual(MAX_PIECES_ON_TRIAL);
  });
});

it('a piece of one block needs nobody to name its sender', () => {
  const small = makeContent(20 * BLOCK, BLOCK, { version: 'v2' });
  const swarm = new SimSwarm(small);
  const node = swarm.addNode({ announces: false }).start();
  const liar = new RemotePeer(swarm, node).seed((piece) => piece === 4);
  swarm.clock.runUntil(2 * SECOND);
  expect(banned(node)).toEqual([liar.host.address]);
  expect(liar.hashRequests).toEqual([]);
});

describe.each([
  ['is written in segments', 8 * MiB],
  ['has more blocks than one request asks for', 16 * MiB],
])('a piece that %s', (_, pieceLength) => {
  it('keeps its right blocks on disk', () => {
    const large = makeContent(pieceLength + 3 * MiB, pieceLength, { version: 'v2' });
    const swarm = new SimSwarm(large);
    // The first block that it is asked for of the large piece.
    let corrupt: number | undefined;
    const isWrong = (piece: number, offset: number) => {
      if (piece === 0) corrupt ??= offset;
      return piece === 0 && offset === corrupt;
    };
    const liar = swarm.addNode({ isSeed: true, isWrong, lineUp: 8 * MiB, announces: false });
    const honest = [0, 1].map(() =>
      swarm.addNode({ isSeed: true, lineUp: 4 * MiB, announces: false }).start(),
    );
    const node = swarm.addNode({ announces: false }).start();
    node.connectTo(liar.start(), ...honest);
    expect(swarm.runUntilDone(120 * SECOND, [node])).toBeDefined();
    checkInvariants(swarm, 'large');
    expect(banned(node)).toEqual([liar.host.address]);
    expect(node.stats.rejectedBytes).toBe(BLOCK);
  });
});

describe('a hybrid torrent whose halves contradict each other', () => {
  it('gives up the piece, says so, and bans nobody', () => {
    const hybrid = makeContent(4 * PIECE, PIECE, { version: 'hybrid' });
    const swarm = new SimSwarm(hybrid);
    const node = swarm.addNode({ announces: false }).start();
    node.disk.neverRight.add(2);
    const seed = swarm.addNode({ isSeed: true, announces: false }).start();
    node.connectTo(seed);
    swarm.clock.runUntil(30 * SECOND);
    expect([0, 1, 2, 3].map((piece) => node.torrent.has(piece))).toEqual([true, true, false, true]);
    expect(banned(node)).toEqual([]);
    const warnings = node.events.flatMap((e) => (e.type === 'warning' ? [e.message] : []));
    expect(warnings).toHaveLength(1);
    expect(node.stats.downloadedBytes).toBe(4 * PIECE);
  });
});

it('the hashes of these tests are those of the torrent', () => {
  expect(toHex(tree.root)).toBe(toHex(content.info.files.piecesRootOf(0)!));
});
