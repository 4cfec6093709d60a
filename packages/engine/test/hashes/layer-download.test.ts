import { buildInfo, isPieceLayer, MerkleTree, parseInfo, toHex } from '@bt/metainfo';
import type { HashRequest } from '@bt/wire';
import { describe, expect, it } from 'vitest';
import {
  HASH_REQUEST_TIMEOUT_MS,
  HASHES_PER_REQUEST,
  MAX_HASH_REQUESTS_PER_PEER,
  MAX_UNANSWERED_HASH_REQUESTS,
  REFUSED_HASHES_PAUSE_MS,
} from '../../src/limits.ts';
import { makeContent } from '../support/content.ts';
import { RemotePeer } from '../support/remote-peer.ts';
import { type SimNode, SimSwarm } from '../support/sim-swarm.ts';

const KiB = 1024;
const SECOND = 1000;
const PIECE = 32 * KiB;
// 1,025 pieces: two whole chunks of hashes and one more.
const content = makeContent(1_025 * PIECE, PIECE, { version: 'v2' });
const root = content.info.files.piecesRootOf(0)!;
const tree = new MerkleTree(content.metainfo.pieceLayers.get(toHex(root))!, { baseLayer: 1 });

function setUp(count: number) {
  const swarm = new SimSwarm(content);
  const node = swarm.addNode({ announces: false, lacksLayers: true }).start();
  const peers = Array.from({ length: count }, () => new RemotePeer(swarm, node));
  const declare = (peer: RemotePeer) => {
    peer.session.haveAll();
    peer.flush();
    swarm.clock.runUntil(swarm.clock.now + 100);
  };
  return { swarm, node, peers, declare };
}

function answers(peer: RemotePeer): void {
  peer.onHashRequest = (request) => peer.session.hashes(request, tree.hashes(request)!);
}

function banned(node: SimNode): string[] {
  return node.events.flatMap((event) => (event.type === 'peer-banned' ? [event.address] : []));
}

function indices(requests: readonly HashRequest[]): number[] {
  return requests.map(({ index }) => index);
}

describe('a piece layer', () => {
  it('is asked for in chunks with the uncles up to the root, as BEP 52 allows', () => {
    const { swarm, node, peers, declare } = setUp(1);
    answers(peers[0]!);
    declare(peers[0]!);
    swarm.clock.runUntil(SECOND);
    const common = { piecesRoot: root, baseLayer: 1, proofLayers: 10 };
    expect(peers[0]!.hashRequests).toEqual([
      { ...common, index: 0, length: HASHES_PER_REQUEST },
      { ...common, index: 512, length: HASHES_PER_REQUEST },
      // At least two, and a power of two: what is left over is one hash.
      { ...common, index: 1024, length: 2 },
    ]);
    expect(node.torrent.hasPieceLayers).toBe(true);
    expect(isPieceLayer(node.pieceLayers.get(toHex(root))!, root, PIECE)).toBe(true);
  });

  it('is asked of each peer in few requests, and never twice at a time', () => {
    const { peers, declare } = setUp(3);
    for (const peer of peers) declare(peer);
    expect(MAX_HASH_REQUESTS_PER_PEER).toBe(2);
    expect(peers.map(({ hashRequests }) => indices(hashRequests))).toEqual([[0, 512], [1024], []]);
  });

  it('is asked only of those who have a piece of that chunk', () => {
    const { swarm, node } = setUp(0);
    const peer = new RemotePeer(swarm, node);
    peer.session.have(700);
    peer.flush();
    swarm.clock.runUntil(3 * SECOND);
    expect(indices(peer.hashRequests)).toEqual([512]);
  });

  it('is asked of somebody else when it does not come', () => {
    const { swarm, node, peers, declare } = setUp(2);
    declare(peers[0]!);
    answers(peers[1]!);
    declare(peers[1]!);
    swarm.clock.runUntil(5 * SECOND);
    expect(indices(peers[1]!.hashRequests)).toEqual([1024]);
    swarm.clock.runUntil(HASH_REQUEST_TIMEOUT_MS + 2 * SECOND);
    expect(new Set(indices(peers[1]!.hashRequests))).toEqual(new Set([0, 512, 1024]));
    expect(node.torrent.hasPieceLayers).toBe(true);
    // What comes too late is no offence.
    const [late] = peers[0]!.hashRequests;
    peers[0]!.session.hashes(late!, tree.hashes(late!)!);
    peers[0]!.flush();
    swarm.clock.runUntil(swarm.clock.now + SECOND);
    expect(peers[0]!.isClosed).toBe(false);
  });

  it('is asked again of who has refused it, but not at once', () => {
    const { swarm, peers, declare } = setUp(1);
    const [peer] = peers;
    peer!.onHashRequest = (request) => peer!.session.hashReject(request);
    declare(peer!);
    swarm.clock.runUntil(REFUSED_HASHES_PAUSE_MS - SECOND);
    expect(peer!.hashRequests.length).toBe(MAX_HASH_REQUESTS_PER_PEER);
    answers(peer!);
    swarm.clock.runUntil(REFUSED_HASHES_PAUSE_MS + 3 * SECOND);
    expect(new Set(indices(peer!.hashRequests))).toEqual(new Set([0, 512, 1024]));
  });

  it('is not asked for ever of who never answers', () => {
    const { swarm, peers, declare } = setUp(1);
    declare(peers[0]!);
    swarm.clock.runUntil(300 * SECOND);
    expect(peers[0]!.hashRequests.length).toBe(MAX_UNANSWERED_HASH_REQUESTS);
  });

  it('that is wrong costs its sender, and no other', () => {
    const { swarm, node, peers, declare } = setUp(2);
    const [liar, honest] = peers;
    liar!.onHashRequest = (request) => {
      const hashes = tree.hashes(request)!.slice();
      hashes[hashes.length - 1]! ^= 1;
      liar!.session.hashes(request, hashes);
    };
    declare(liar!);
    answers(honest!);
    declare(honest!);
    swarm.clock.runUntil(3 * SECOND);
    expect(banned(node)).toEqual([liar!.host.address]);
    expect(node.torrent.hasPieceLayers).toBe(true);
  });

  it('under a root that no file has is given up, and nobody is blamed', () => {
    // Hashes where there should be padding: the maker of the torrent has lied.
    const layer = Uint8Array.from({ length: 4 * 32 }, (_, at) => at);
    const broken = new MerkleTree(layer, { baseLayer: 1 });
    const info = parseInfo(
      buildInfo({
        version: 'v2',
        name: 'broken',
        pieceLength: PIECE,
        isSingleFile: true,
        files: [{ path: ['broken'], length: 3 * PIECE, piecesRoot: broken.root }],
      }),
    );
    const metainfo = { ...content.metainfo, info, pieceLayers: new Map() };
    const swarm = new SimSwarm({ ...content, info, metainfo });
    const node = swarm.addNode({ announces: false, lacksLayers: true }).start();
    const peer = new RemotePeer(swarm, node);
    peer.onHashRequest = (request) => peer.session.hashes(request, broken.hashes(request)!);
    peer.session.haveAll();
    peer.flush();
    swarm.clock.runUntil(30 * SECOND);
    expect(peer.hashRequests.length).toBe(1);
    expect(banned(node)).toEqual([]);
    expect(node.torrent.hasPieceLayers).toBe(false);
  });
});
