// Pad files (BEP 47): zeros between the files that everybody knows and nobody need send.

import { describe, expect, it } from 'vitest';
import { BareTorrent, message, PIECE, REQUEST } from './support/bare-torrent.ts';
import { makeContent } from './support/content.ts';
import { checkInvariants } from './support/invariants.ts';
import { SimSwarm } from './support/sim-swarm.ts';

const KiB = 1024;
const BLOCK_BYTES = 16 * KiB;
const PIECE_BYTES = 64 * KiB;
const there = { address: '10.0.0.9', port: 4000 };

/** Small files, each in a piece of its own, most of which is padding. */
const lengths = Array.from({ length: 24 }, (_, index) => 1000 + 2500 * index);
const contentBytes = lengths.reduce((sum, length) => sum + length, 0);
const small = makeContent(contentBytes, PIECE_BYTES, { version: 'hybrid', files: lengths });

/** Two pieces of files with two pieces of padding between them, and the end of another. */
const hollow = makeContent(4 * PIECE_BYTES, PIECE_BYTES, {
  files: [PIECE_BYTES, 2 * PIECE_BYTES, PIECE_BYTES],
  pads: [1],
});

/** The first piece is a block of a file and three of padding. */
const padded = makeContent(2 * PIECE_BYTES, PIECE_BYTES, {
  files: [BLOCK_BYTES, 3 * BLOCK_BYTES, PIECE_BYTES],
  pads: [1],
});

describe('a hybrid torrent of small files', () => {
  it('is downloaded without its padding, and its numbers are those of its files', () => {
    const swarm = new SimSwarm(small);
    const seed = swarm.addNode({ isSeed: true, announces: false }).start();
    const leecher = swarm.addNode({ announces: false }).start();
    expect(leecher.stats).toMatchObject({ totalBytes: contentBytes, wantedBytes: contentBytes });
    leecher.connectTo(seed);
    expect(swarm.runUntilDone(60_000)).toBeDefined();
    const blocks = lengths.reduce((sum, length) => sum + Math.ceil(length / BLOCK_BYTES), 0);
    expect(seed.stats.uploadedBytes).toBe(blocks * BLOCK_BYTES);
    expect(leecher.stats).toMatchObject({
      // A block that is partly padding comes whole.
      downloadedBytes: blocks * BLOCK_BYTES,
      verifiedBytes: contentBytes,
      duplicateBytes: 0,
      rejectedBytes: 0,
      piecesHave: small.info.geometry.pieceCount,
      piecesInFlight: 0,
    });
    checkInvariants(swarm, 'padding');
  });

  it('goes on from blocks of another life', () => {
    // Of the last piece the first of two blocks is there.
    const last = small.info.geometry.pieceCount - 1;
    const isPadding = [0, 1, 2, 3].map((block) => small.info.geometry.isPaddingBlock(last, block));
    expect(isPadding).toEqual([false, false, true, true]);
    const partialPieces = new Map([[last, Uint8Array.of(0x80)]]);
    const bare = new BareTorrent({ content: small, partialPieces });
    bare.torrent.start(0);
    const seed = bare.connectSeed(there, 'seed');
    const asked = new Set<number>();
    for (let round = 0; round < 10; round += 1) {
      for (const [piece, offset] of bare.asked(seed)) {
        if (piece === last) asked.add(offset / BLOCK_BYTES);
        bare.receiveBlock(seed, piece, offset);
      }
    }
    expect(asked).toEqual(new Set([1]));
    expect(bare.torrent.requestCount).toBe(0);
    expect(bare.torrent.stats(0).duplicateBytes).toBe(0);
  });
});

describe('what trackers are told of', () => {
  it('is what is left of the files', () => {
    const have = Uint8Array.of(0x80);
    const announceTiers = [['http://10.9.9.9/announce']];
    const bare = new BareTorrent({ content: hollow, have, announceTiers });
    bare.torrent.start(0);
    const left = bare.effects().flatMap((effect) => {
      return effect.type === 'announce' ? [effect.request.leftBytes] : [];
    });
    expect(left).toEqual([PIECE_BYTES]);
  });
});

describe('a piece of nothing but padding', () => {
  it('is had at once, without any peer', () => {
    const swarm = new SimSwarm(hollow);
    const leecher = swarm.addNode({ announces: false }).start();
    swarm.clock.runUntil(1000);
    expect(leecher.stats).toMatchObject({ piecesHave: 2, verifiedBytes: 0, downloadedBytes: 0 });
    leecher.connectTo(swarm.addNode({ isSeed: true, announces: false }).start());
    expect(swarm.runUntilDone(60_000)).toBeDefined();
    expect(leecher.stats).toMatchObject({
      downloadedBytes: 2 * PIECE_BYTES,
      verifiedBytes: 2 * PIECE_BYTES,
      duplicateBytes: 0,
    });
    checkInvariants(swarm, 'hollow');
  });

  it('that should be something else is asked of nobody either', () => {
    const bytes = hollow.bytes.slice();
    bytes[PIECE_BYTES] = 1;
    const swarm = new SimSwarm({ ...hollow, bytes });
    const leecher = swarm.addNode({ announces: false }).start();
    leecher.connectTo(swarm.addNode({ isSeed: true, announces: false }).start());
    swarm.clock.runUntil(60_000);
    expect(leecher.torrent.requestCount).toBe(0);
    expect(leecher.stats).toMatchObject({
      piecesHave: 3,
      downloadedBytes: 2 * PIECE_BYTES,
      rejectedBytes: 0,
    });
    expect(leecher.events.filter(({ type }) => type === 'piece-failed')).toHaveLength(1);
  });
});

describe('a piece with padding', () => {
  it('that is wrong convicts its only sender', () => {
    const bare = new BareTorrent({ content: padded, sequential: true });
    bare.torrent.start(0);
    const liar = bare.connectSeed(there, 'liar');
    bare.receiveBlock(liar, 0, 0, false);
    bare.torrent.handlePieceSaved(0, 0, { outcome: 'mismatch', blockHashes: new Uint8Array(80) });
    expect(bare.closeReasons()).toEqual(['banned']);
    expect(bare.torrent.stats(0).rejectedBytes).toBe(BLOCK_BYTES);
  });

  it('is served whole', () => {
    const bare = new BareTorrent({ content: padded, have: Uint8Array.of(0xc0) });
    const leecher = bare.connect(there, 'leecher');
    bare.receive(leecher, message(2));
    bare.runTo(11_000);
    leecher.transport.sent.length = 0;
    bare.receive(leecher, message(REQUEST, 0, 2 * BLOCK_BYTES, BLOCK_BYTES));
    const [header, block] = leecher.transport.sent;
    expect(header?.[4]).toBe(PIECE);
    expect(block).toEqual(new Uint8Array(BLOCK_BYTES));
  });
});
