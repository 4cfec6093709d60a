import { describe, expect, it } from 'vitest';
import { MemoryDisk, storageError } from '../src/index.ts';
import { type DiskUnderTest, testDisk } from './disk-contract.ts';
import { Recorder } from './recorder.ts';
import { makeSample, type Sample } from './torrent.ts';

testDisk(
  'MemoryDisk',
  (sample: Sample): Promise<DiskUnderTest> => {
    const disk = new MemoryDisk({ info: sample.info, pieceLayers: sample.pieceLayers });
    return Promise.resolve({
      disk,
      have: disk.have,
      partialPieces: () => disk.partialPieces,
      refuseWrites: (isFull) =>
        disk.refuseWrites(isFull ? storageError('no-space', { errno: 'ENOSPC' }) : undefined),
      close: async () => {
        disk.close();
        await Promise.resolve();
        disk.deliver();
      },
    });
  },
  (disk) => (disk as MemoryDisk).deliver(),
);

describe('a disk in memory', () => {
  const sample = makeSample({ pieceLength: 32768, files: [{ path: 'a', length: 100_000 }] });

  it('does nothing before it is told to, and says when something waits', () => {
    let pending = 0;
    const disk = new MemoryDisk({ info: sample.info, onPending: () => pending++ });
    const events = new Recorder();
    disk.connect(events);
    disk.savePiece(0, sample.piece(0));
    disk.savePiece(1, sample.piece(1));
    expect([pending, disk.pendingCount, events.saved.size]).toEqual([1, 2, 0]);
    expect(disk.deliver()).toBe(2);
    expect([disk.pendingCount, events.saved.size]).toEqual([0, 2]);
  });

  it('leaves what is asked for during a delivery for the next', () => {
    const disk = new MemoryDisk({ info: sample.info });
    const events = new Recorder();
    events.onBuffer = () => disk.verifyPiece(1);
    disk.connect(events);
    disk.savePiece(0, sample.piece(0));
    expect(disk.deliver()).toBe(1);
    expect(events.verified.size).toBe(0);
    expect(disk.deliver()).toBe(1);
    expect(events.verified.size).toBe(1);
  });

  it('needs no bytes when it can compute them', () => {
    const content = (pieceIndex: number, offset: number, length: number): Uint8Array =>
      sample.piece(pieceIndex).subarray(offset, offset + length);
    const have = Uint8Array.of(0b1000_0000);
    const disk = new MemoryDisk({ info: { geometry: sample.info.geometry }, content, have });
    const events = new Recorder();
    disk.connect(events);
    const wrong = sample.piece(1);
    wrong[9]! ^= 4;
    disk.savePiece(1, wrong);
    disk.savePiece(2, sample.piece(2));
    disk.readBlock(0, 16384, 16384, 1);
    disk.readBlock(2, 0, 16384, 2);
    disk.readBlock(1, 0, 16384, 3);
    disk.deliver();
    expect([1, 2].map((piece) => events.saved.get(piece)?.outcome)).toEqual(['mismatch', 'saved']);
    expect(events.reads.get(1)?.bytes).toEqual(sample.piece(0).subarray(16384));
    expect(events.reads.get(2)?.bytes).toEqual(sample.piece(2).subarray(0, 16384));
    expect(events.reads.get(3)?.error?.code).toBe('missing');
    expect(disk.bytes(2)).toBeUndefined();
  });

  it('finds damage that was put there', () => {
    const disk = new MemoryDisk({ info: sample.info });
    const events = new Recorder();
    disk.connect(events);
    disk.savePiece(0, sample.piece(0));
    disk.deliver();
    disk.put(0, new Uint8Array(32768));
    disk.verifyPiece(0);
    disk.deliver();
    expect(events.verified.get(0)?.isRight).toBe(false);
    expect(disk.have[0]).toBe(0);
  });

  it('fails to read on command', () => {
    const disk = new MemoryDisk({ info: sample.info });
    const events = new Recorder();
    disk.connect(events);
    disk.savePiece(0, sample.piece(0));
    disk.deliver();
    disk.refuseReads(storageError('io'));
    disk.readBlock(0, 0, 16384, 1);
    disk.verifyPiece(0);
    disk.deliver();
    expect(events.reads.get(1)?.error?.code).toBe('io');
    expect(events.verified.get(0)?.error?.code).toBe('io');
  });

  it('verifies Merkle roots, and serves the zeros behind a v2 file', () => {
    const v2 = makeSample({
      version: 'v2',
      pieceLength: 65536,
      files: [
        { path: 'a', length: 150_000 },
        { path: 'b', length: 20_000 },
      ],
    });
    const disk = new MemoryDisk({ info: v2.info, pieceLayers: v2.pieceLayers });
    const events = new Recorder();
    disk.connect(events);
    const { pieceCount } = v2.info.geometry;
    for (let piece = 0; piece < pieceCount; piece++) disk.savePiece(piece, v2.piece(piece));
    disk.readBlock(2, 16384, 16384, 1);
    disk.deliver();
    expect([...events.saved.values()].every((result) => result.outcome === 'saved')).toBe(true);
    const tail = v2.piece(2).subarray(16384);
    const bytes = events.reads.get(1)!.bytes!;
    expect(bytes.length).toBe(16384);
    expect(bytes.subarray(0, tail.length)).toEqual(tail);
    expect(bytes.subarray(tail.length).every((byte) => byte === 0)).toBe(true);
  });
});
