import { StorageError } from '@bt/storage';
import { describe, expect, it } from 'vitest';
import { BareTorrent } from './support/bare-torrent.ts';
import { makeContent } from './support/content.ts';
import { SimSwarm } from './support/sim-swarm.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('a torrent on virtual time', () => {
  it('downloads from a seed it was told of', () => {
    const swarm = new SimSwarm(makeContent(3 * MiB + 12_345, 256 * KiB));
    const seed = swarm.addNode({ isSeed: true }).start();
    const leecher = swarm.addNode().start();
    leecher.connectTo(seed);
    const tookMs = swarm.runUntilDone(60_000);
    expect(tookMs).toBeLessThan(5_000);
    expect(leecher.disk.written.size).toBe(13);
    expect(leecher.stats.duplicateBytes).toBe(0);
    expect(seed.stats.uploadedBytes).toBe(3 * MiB + 12_345);
  });

  it('counts a piece as in flight from its first block until it is written', () => {
    const options = { announces: false };
    const swarm = new SimSwarm(makeContent(3 * 256 * KiB, 256 * KiB));
    const seed = swarm.addNode({ ...options, isSeed: true, lineUp: 256 * KiB }).start();
    const leecher = swarm.addNode({ ...options, diskDelayMs: 60_000 }).start();
    expect(leecher.stats.piecesInFlight).toBe(0);
    leecher.connectTo(seed);
    swarm.clock.runWhile(() => leecher.stats.downloadedBytes === 0, 10_000);
    expect(leecher.stats.piecesInFlight).toBe(1);
    swarm.clock.runUntil(30_000);
    expect(leecher.stats).toMatchObject({ piecesHave: 0, piecesInFlight: 3 });
    swarm.runUntilDone(100_000);
    expect(leecher.stats).toMatchObject({ piecesHave: 3, piecesInFlight: 0 });
  });
});

describe('what the disk says of a piece', () => {
  const PIECE_BYTES = 65_536;

  /** A torrent whose piece 0 has gone to the disk. */
  function saving() {
    const bare = new BareTorrent({ content: makeContent(2 * PIECE_BYTES, PIECE_BYTES) });
    bare.torrent.start(0);
    return bare;
  }

  it('asks for it again and tells the error when it was not saved and nothing is known of the data', () => {
    const bare = saving();
    bare.effects();
    const error = new StorageError('io', 'the disk has gone');
    bare.torrent.handlePieceSaved(0, 0, { outcome: 'failed', error });
    bare.torrent.handlePieceSaved(0, 1, { outcome: 'failed' });
    const events = bare
      .effects()
      .flatMap((effect) => (effect.type === 'event' ? [effect.event] : []));
    expect(events).toEqual([
      { type: 'save-failed', pieceIndex: 0, error },
      { type: 'save-failed', pieceIndex: 1, error: expect.objectContaining({ code: 'io' }) },
    ]);
    expect(bare.torrent.stats(0).rejectedBytes).toBe(0);
  });

  it('counts it once, though it is verified while it is being saved', () => {
    const bare = saving();
    bare.torrent.handlePieceVerified(0, 0, true);
    bare.torrent.handlePieceSaved(0, 0, { outcome: 'saved' });
    bare.torrent.handlePieceSaved(0, 1, { outcome: 'saved' });
    const events = bare
      .effects()
      .flatMap((effect) => (effect.type === 'event' ? [effect.event] : []));
    expect(events.filter(({ type }) => type === 'piece')).toHaveLength(2);
    expect(events.filter(({ type }) => type === 'file')).toHaveLength(1);
  });

  it('asks nobody for pieces in doubt before they are known to be wrong', () => {
    const content = makeContent(4 * PIECE_BYTES, PIECE_BYTES);
    const bare = new BareTorrent({ content, have: Uint8Array.of(0b1110_0000) });
    const verified: number[] = [];
    bare.disk.verifyPiece = (pieceIndex) => verified.push(pieceIndex);
    bare.torrent.start(0);
    const seed = bare.connectSeed({ address: '192.0.2.1', port: 6881 }, 'seed');
    const askedPieces = () => [...new Set(bare.asked(seed).map(([piece]) => piece))].sort();
    expect(askedPieces()).toEqual([3]);
    const error = new StorageError('changed', 'another program wrote to the file');
    bare.torrent.handleFileChanged(0, 0, error);
    bare.runTo(3_000);
    expect(verified).toEqual([0, 1, 2]);
    expect([0, 1, 2].some((piece) => bare.torrent.has(piece))).toBe(false);
    expect(askedPieces()).toEqual([3]);
    bare.torrent.handlePieceVerified(bare.now, 0, true);
    bare.torrent.handlePieceVerified(bare.now, 1, false);
    expect(bare.torrent.has(0)).toBe(true);
    expect(askedPieces()).toEqual([1, 3]);
    bare.torrent.handlePieceVerified(bare.now, 2, true);
    expect(bare.torrent.stats(bare.now)).toMatchObject({ piecesHave: 2, duplicateBytes: 0 });
    // The next time it is the same.
    bare.torrent.handleFileChanged(bare.now, 0, error);
    expect(verified.slice(3)).toEqual([0, 2]);
    for (const offset of [0, 1, 2, 3]) bare.receiveBlock(seed, 3, offset * 16 * KiB);
    expect(askedPieces()).toEqual([1]);
    bare.torrent.handlePieceVerified(bare.now, 0, false);
    expect(askedPieces()).toEqual([0, 1]);
  });

  it('has not been of no use for long when a file of a seed without peers is touched', () => {
    const have = Uint8Array.of(0b1111_0000);
    const bare = new BareTorrent({ content: makeContent(4 * PIECE_BYTES, PIECE_BYTES), have });
    bare.torrent.start(0);
    bare.runTo(3_600_000);
    bare.torrent.handleFileChanged(bare.now, 0, new StorageError('changed', 'touched'));
    expect(bare.torrent.stats(bare.now).uselessMs).toBe(0);
    bare.runTo(bare.now + 100_000);
    bare.torrent.handlePieceVerified(bare.now, 0, false);
    expect(bare.torrent.stats(bare.now).uselessMs).toBe(0);
    expect(bare.torrent.stats(bare.now + 50).uselessMs).toBe(50);
  });

  it('hears of pieces that only want hashing when the torrent starts, and not before', () => {
    const content = makeContent(2 * PIECE_BYTES, PIECE_BYTES);
    const partialPieces = new Map([[0, Uint8Array.of(0xf0)]]);
    const bare = new BareTorrent({ content, partialPieces });
    let finished = 0;
    bare.disk.finishPiece = () => {
      finished += 1;
    };
    expect(finished).toBe(0);
    bare.torrent.start(0);
    expect(finished).toBe(1);
    // It is with the disk: a verification says nothing.
    bare.torrent.handlePieceVerified(0, 0, true);
    expect(bare.torrent.has(0)).toBe(false);
    bare.torrent.handlePieceSaved(0, 0, { outcome: 'saved' });
    expect(bare.torrent.has(0)).toBe(true);
  });
});
