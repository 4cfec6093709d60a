/** What every {@link Disk} has to do, as a suite: `memory-disk.test.ts` and `node/file-store.test.ts` run it. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Disk, StorageError } from '../src/index.ts';
import { Recorder } from './recorder.ts';
import { makeSample, type Sample } from './torrent.ts';

export interface DiskUnderTest {
  readonly disk: Disk;
  readonly have: Uint8Array;
  partialPieces(): ReadonlyMap<number, Uint8Array>;
  /** From now on writes fail as if the disk were full; or no longer. */
  refuseWrites(isFull: boolean): void;
  close(): Promise<void>;
}

const BLOCK = 16384;

const sample = makeSample({
  pieceLength: 4 * BLOCK,
  files: [
    { path: 'a', length: 5 * BLOCK },
    { path: 'b', length: 3 },
    { path: 'c', length: 4 * BLOCK },
  ],
});

/** `deliver` is awaited where a result has to come; real disks need no such push. */
export function testDisk(
  name: string,
  make: (sample: Sample) => Promise<DiskUnderTest>,
  deliver: (disk: Disk) => void = () => {},
): void {
  async function setUp(): Promise<DiskUnderTest & { readonly events: Recorder }> {
    const made = await make(sample);
    const events = new Recorder();
    made.disk.connect(events);
    return { ...made, events };
  }

  async function until(disk: Disk, events: Recorder, test: () => boolean): Promise<void> {
    deliver(disk);
    await events.until(test);
  }

  const blockHash = (data: Uint8Array): Buffer => createHash('sha256').update(data).digest();

  describe(`${name}: the contract of a disk`, () => {
    it('saves a right piece and gives its buffer back', async () => {
      const { disk, events, have, close } = await setUp();
      const data = sample.piece(1);
      const bytes = data.length;
      disk.savePiece(1, data);
      expect(disk.queuedBytes).toBe(bytes);
      expect(events.saved.size).toBe(0);
      await until(disk, events, () => events.saved.has(1));
      expect(events.saved.get(1)).toEqual({ outcome: 'saved' });
      expect(events.buffers.map((buffer) => buffer.byteLength)).toEqual([bytes]);
      expect(disk.queuedBytes).toBe(0);
      expect(have[0]).toBe(0b0100_0000);
      await close();
    });

    it('refuses a wrong piece and says what its blocks hash to', async () => {
      const { disk, events, have, close } = await setUp();
      const data = sample.piece(0);
      data[2 * BLOCK + 5]! ^= 1;
      const wrongBlock = blockHash(data.subarray(2 * BLOCK, 3 * BLOCK));
      disk.savePiece(0, data);
      await until(disk, events, () => events.saved.has(0));
      const { outcome, blockHashes } = events.saved.get(0)!;
      expect(outcome).toBe('mismatch');
      expect(blockHashes?.length).toBe(128);
      expect(Buffer.compare(blockHashes!.subarray(64, 96), wrongBlock)).toBe(0);
      const right = blockHash(sample.piece(0).subarray(0, BLOCK));
      expect(Buffer.compare(blockHashes!.subarray(0, 32), right)).toBe(0);
      expect(have[0]).toBe(0);
      await close();
    });

    it('gives the block hashes of a right piece to who asks for them', async () => {
      const { disk, events, close } = await setUp();
      disk.savePiece(2, sample.piece(2), { blockHashes: true });
      await until(disk, events, () => events.saved.has(2));
      const { outcome, blockHashes } = events.saved.get(2)!;
      const piece = sample.piece(2);
      const blocks = [piece.subarray(0, BLOCK), piece.subarray(BLOCK)].map(blockHash);
      expect(outcome).toBe('saved');
      expect(Buffer.compare(blockHashes!, Buffer.concat(blocks))).toBe(0);
      await close();
    });

    it('takes a piece in parts and hashes it in the end', async () => {
      const { disk, events, have, partialPieces, close } = await setUp();
      const data = sample.piece(1);
      disk.saveBlocks(1, 0, data.slice(0, 2 * BLOCK), [0, BLOCK]);
      disk.saveBlocks(1, 2 * BLOCK, data.slice(2 * BLOCK), [0, 2 * BLOCK]);
      await until(disk, events, () => events.buffers.length === 2);
      expect(events.saved.size).toBe(0);
      expect([...partialPieces()]).toEqual([[1, Uint8Array.of(0b1011_0000)]]);
      disk.saveBlocks(1, BLOCK, data.slice(BLOCK, 2 * BLOCK), [0, BLOCK]);
      disk.finishPiece(1);
      await until(disk, events, () => events.saved.has(1));
      expect(events.saved.get(1)).toEqual({ outcome: 'saved' });
      expect(have[0]).toBe(0b0100_0000);
      expect(partialPieces().size).toBe(0);
      await close();
    });

    it('forgets the parts of a piece that is given up', async () => {
      const { disk, events, partialPieces, close } = await setUp();
      disk.saveBlocks(1, 0, sample.piece(1), [0, BLOCK]);
      disk.forgetBlocks(1);
      await until(disk, events, () => events.buffers.length === 1);
      await close();
      expect(partialPieces().size).toBe(0);
    });

    it('tells of a piece in parts that is wrong, with its block hashes', async () => {
      const { disk, events, partialPieces, close } = await setUp();
      const data = sample.piece(1);
      data[0]! ^= 1;
      disk.saveBlocks(1, 0, data, [0, data.length]);
      disk.finishPiece(1);
      await until(disk, events, () => events.saved.has(1));
      const { outcome, blockHashes } = events.saved.get(1)!;
      expect(outcome).toBe('mismatch');
      const right = blockHash(sample.piece(1).subarray(BLOCK, 2 * BLOCK));
      expect(Buffer.compare(blockHashes!.subarray(32, 64), right)).toBe(0);
      expect(partialPieces().size).toBe(0);
      await close();
    });

    it('gives a wrong piece back to who wants to keep what is right of it', async () => {
      const { disk, events, partialPieces, close } = await setUp();
      const data = sample.piece(0);
      data[0]! ^= 1;
      const copy = data.slice();
      disk.savePiece(0, data, { keepWrong: true });
      await until(disk, events, () => events.saved.has(0));
      expect(events.saved.get(0)?.outcome).toBe('mismatch');
      expect(Buffer.compare(events.saved.get(0)!.data!, copy)).toBe(0);
      expect(events.buffers).toEqual([]);
      expect(disk.queuedBytes).toBe(0);
      disk.savePiece(1, sample.piece(1), { keepWrong: true });
      await until(disk, events, () => events.saved.has(1));
      expect(events.saved.get(1)).toEqual({ outcome: 'saved' });
      expect(events.buffers.length).toBe(1);
      expect(partialPieces().size).toBe(0);
      await close();
    });

    it('keeps the parts of a wrong piece, but for those that are to be forgotten', async () => {
      const { disk, events, have, partialPieces, close } = await setUp();
      const data = sample.piece(1);
      data[BLOCK]! ^= 1;
      disk.saveBlocks(1, 0, data, [0, data.length]);
      disk.finishPiece(1, { keepWrong: true });
      await until(disk, events, () => events.saved.has(1));
      expect(events.saved.get(1)?.outcome).toBe('mismatch');
      disk.forgetBlocks(1, [1]);
      deliver(disk);
      expect([...partialPieces()]).toEqual([[1, Uint8Array.of(0b1011_0000)]]);
      disk.saveBlocks(1, BLOCK, sample.piece(1).slice(BLOCK, 2 * BLOCK), [0, BLOCK]);
      events.saved.clear();
      disk.finishPiece(1);
      await until(disk, events, () => events.saved.has(1));
      expect(events.saved.get(1)).toEqual({ outcome: 'saved' });
      expect(have[0]).toBe(0b0100_0000);
      await close();
    });

    it('hashes the blocks of what it keeps, if that is right', async () => {
      const { disk, events, close } = await setUp();
      disk.savePiece(2, sample.piece(2));
      await until(disk, events, () => events.saved.has(2));
      disk.hashBlocks(2);
      disk.hashBlocks(0);
      await until(disk, events, () => events.hashed.size === 2);
      const piece = sample.piece(2);
      const blocks = [piece.subarray(0, BLOCK), piece.subarray(BLOCK)].map(blockHash);
      expect(Buffer.compare(events.hashed.get(2)!, Buffer.concat(blocks))).toBe(0);
      expect(events.hashed.get(0)).toBeUndefined();
      await close();
    });

    it('takes padding for zeros, whatever was sent, and leaves it out of the leaves', async () => {
      const files = [
        { path: 'a', length: BLOCK + 3 },
        { path: 'b', length: 5 },
      ];
      const hybrid = makeSample({ version: 'hybrid', pieceLength: 4 * BLOCK, files });
      const made = await make(hybrid);
      const events = new Recorder();
      made.disk.connect(events);
      const data = hybrid.piece(0);
      const leaves = [data.slice(0, BLOCK), data.slice(BLOCK, BLOCK + 3)].map(blockHash);
      data.fill(7, BLOCK + 3);
      made.disk.savePiece(0, data, { blockHashes: true });
      await until(made.disk, events, () => events.saved.has(0));
      expect(events.saved.get(0)?.outcome).toBe('saved');
      const zeros = Buffer.alloc(64);
      const { blockHashes } = events.saved.get(0)!;
      expect(Buffer.compare(blockHashes!, Buffer.concat([...leaves, zeros]))).toBe(0);
      await made.close();
    });

    it('reads back what it saved, in any part of a piece', async () => {
      const { disk, events, close } = await setUp();
      disk.savePiece(1, sample.piece(1));
      await until(disk, events, () => events.saved.has(1));
      const ranges = [
        [0, BLOCK],
        [BLOCK, BLOCK],
        [3 * BLOCK, BLOCK],
        [7, 3],
        [0, 4 * BLOCK],
      ] as const;
      for (const [token, [offset, length]] of ranges.entries()) {
        const bytes = disk.readBlock(1, offset, length, token);
        if (bytes === undefined) await until(disk, events, () => events.reads.has(token));
        const found = bytes ?? events.reads.get(token)?.bytes;
        const expected = sample.piece(1).subarray(offset, offset + length);
        expect(Buffer.compare(found!, expected)).toBe(0);
      }
      await close();
    });

    it('says so when there is nothing to read', async () => {
      const { disk, events, close } = await setUp();
      disk.readBlock(0, 0, BLOCK, 5);
      await until(disk, events, () => events.reads.has(5));
      expect(events.reads.get(5)?.bytes).toBeUndefined();
      expect(events.reads.get(5)?.error).toBeInstanceOf(StorageError);
      await close();
    });

    it('verifies pieces from what it keeps', async () => {
      const { disk, events, have, close } = await setUp();
      disk.savePiece(0, sample.piece(0));
      await until(disk, events, () => events.saved.has(0));
      for (const pieceIndex of [0, 1]) disk.verifyPiece(pieceIndex);
      await until(disk, events, () => events.verified.size === 2);
      expect(events.verified.get(0)).toEqual({ isRight: true, error: undefined });
      expect(events.verified.get(1)?.isRight).toBe(false);
      expect(have[0]).toBe(0b1000_0000);
      await close();
    });

    it('keeps what a full disk refuses, and writes it when there is space', async () => {
      const { disk, events, refuseWrites, have, close } = await setUp();
      refuseWrites(true);
      for (const pieceIndex of [0, 1, 2]) disk.savePiece(pieceIndex, sample.piece(pieceIndex));
      await until(disk, events, () => events.stalls.length > 0);
      disk.retry();
      disk.savePiece(0, sample.piece(0));
      deliver(disk);
      expect(disk.stalledBy?.code).toBe('no-space');
      expect(events.saved.size).toBe(0);
      expect(disk.queuedBytes).toBeGreaterThan(0);
      refuseWrites(false);
      const again = async (): Promise<void> => {
        // As the engine does it, until the disk takes what it has refused.
        while (events.resumes === 0) {
          disk.retry();
          deliver(disk);
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      await again();
      await until(disk, events, () => events.saved.size === 3 && disk.queuedBytes === 0);
      expect(events.stalls.map((error) => error.code)).toEqual(['no-space']);
      expect(events.resumes).toBe(1);
      expect(disk.stalledBy).toBeUndefined();
      expect(have[0]).toBe(0b1110_0000);
      expect(events.buffers.length).toBe(4);
      await close();
    });

    it('gives up what it could not write when it is closed, and gives the buffers back', async () => {
      const { disk, events, refuseWrites, have, close } = await setUp();
      refuseWrites(true);
      disk.savePiece(0, sample.piece(0));
      disk.savePiece(1, sample.piece(1));
      await until(disk, events, () => events.stalls.length > 0);
      await close();
      for (const pieceIndex of [0, 1]) {
        expect(events.saved.get(pieceIndex)?.outcome).toBe('failed');
        expect(events.saved.get(pieceIndex)?.error?.code).toBe('closed');
      }
      expect(events.buffers.map((buffer) => buffer.byteLength)).toEqual([4 * BLOCK, 4 * BLOCK]);
      expect(have[0]).toBe(0);
      expect(disk.queuedBytes).toBe(0);
    });

    it('tells nothing before the call that closes it has returned', async () => {
      const { disk, events, refuseWrites, close } = await setUp();
      refuseWrites(true);
      disk.savePiece(0, sample.piece(0));
      await until(disk, events, () => events.stalls.length > 0);
      disk.verifyPiece(1);
      const closed = close();
      expect([events.saved.size, events.verified.size]).toEqual([0, 0]);
      await closed;
      expect([events.saved.size, events.verified.size]).toEqual([1, 1]);
    });

    it('finishes what is queued when it is closed, and takes nothing after', async () => {
      const { disk, events, close } = await setUp();
      disk.savePiece(0, sample.piece(0));
      await close();
      expect(events.saved.get(0)).toEqual({ outcome: 'saved' });
      expect(() => disk.verifyPiece(0)).toThrow(StorageError);
    });

    it('throws for pieces, sizes and ranges that do not exist', async () => {
      const { disk, close } = await setUp();
      expect(() => disk.savePiece(3, sample.piece(0))).toThrow(StorageError);
      expect(() => disk.savePiece(-1, sample.piece(0))).toThrow(StorageError);
      expect(() => disk.savePiece(2, sample.piece(0))).toThrow(StorageError);
      expect(() => disk.verifyPiece(0.5)).toThrow(StorageError);
      expect(() => disk.readBlock(0, 4 * BLOCK, 1, 0)).toThrow(StorageError);
      expect(() => disk.readBlock(0, -1, 1, 0)).toThrow(StorageError);
      expect(() => disk.readBlock(0, 0, 0, 0)).toThrow(StorageError);
      expect(() => disk.readBlock(0, 0, 2 ** 21, 0)).toThrow(StorageError);
      await close();
    });
  });
}
