// Reading a range in order, with a real picker and blocks that are only counted.

import { Geometry } from '@bt/metainfo';
import { Picker } from '@bt/picker';
import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlockSource, Download } from '../../src/download.ts';
import { RangeReader } from '../../src/web-seed/range-reader.ts';

const KiB = 1024;
const BLOCK = 16 * KiB;
const PIECES = 40;
/** Pieces of two blocks, the last one of 100 bytes more than one. */
const geometry = new Geometry({
  pieceLength: 2 * BLOCK,
  lengths: [(PIECES - 1) * 2 * BLOCK + BLOCK + 100],
});

function setUp(range: { first: number; last: number }, isClaimed = false) {
  const picker = new Picker({
    pieceCount: PIECES,
    blockCount: (piece) => geometry.blockCount(piece),
    random: createRandom(1),
    rarestFirst: true,
    endGame: true,
  });
  const handle = picker.addPeer();
  picker.peerHaveAll(handle);
  const peer = picker.addPeer();
  picker.peerHaveAll(peer);
  const taken: string[] = [];
  const written: number[] = [];
  let doubledBytes = 0;
  const source: BlockSource = {
    handle,
    identity: { suspicions: 0, isBanned: false, webSeed: 0 },
    writer: {
      start: () => true,
      write: (chunk, start, end, offsetInBlock) => {
        for (let i = start; i < end; i += 1) written.push(chunk[i]!);
        expect(offsetInBlock).toBeLessThan(BLOCK);
      },
      end: () => 'taken',
      abort: () => taken.push('abort'),
    },
    blockPiece: 0,
    blockOffset: 0,
    blockLength: 0,
    countBlock: () => {},
  };
  const download = {
    takeBlock: (_: BlockSource, pieceIndex: number, blockOffset: number) => {
      taken.push(`${pieceIndex}:${blockOffset / BLOCK}`);
      source.blockPiece = pieceIndex;
      source.blockOffset = blockOffset;
      return true;
    },
    blockEnd: () => {
      picker.markReceived(handle, source.blockPiece, source.blockOffset / BLOCK, () => {});
      return true;
    },
    countDuplicate: (_: BlockSource, lengthBytes: number) => {
      doubledBytes += lengthBytes;
    },
  } as unknown as Download;
  const reader = new RangeReader({
    geometry,
    picker,
    download,
    source,
    range: {
      pieceIndex: range.first,
      blockOffset: 0,
      endPiece: range.last,
      endOffset: geometry.pieceSize(range.last),
    },
    isClaimed,
    accepted: () => {},
  });
  const claimed = () => {
    const pieces = new Set<number>();
    for (let piece = 0; piece < PIECES; piece += 1) {
      if (picker.isRequested(handle, piece, 0)) pieces.add(piece);
    }
    return [...pieces];
  };
  const feed = (lengthBytes: number) =>
    reader.feed(new Uint8Array(lengthBytes), 0, lengthBytes, () => false);
  const ask = (piece: number) => picker.pickPiece(peer, piece, () => {});
  return {
    picker,
    handle,
    peer,
    reader,
    taken,
    written,
    feed,
    ask,
    claimed,
    doubled: () => doubledBytes,
  };
}

describe('a range that is read in order', () => {
  it('holds some pieces ahead of the place of reading, and no more', () => {
    const { reader, claimed, feed } = setUp({ first: 3, last: 30 });
    reader.claim(6 * BLOCK);
    expect(claimed()).toEqual([3, 4, 5]);
    feed(BLOCK + 5);
    expect(claimed()).toEqual([4, 5, 6]);
    reader.claim(0);
    feed(3 * BLOCK);
    expect(claimed()).toEqual([5, 6]);
  });

  it('holds one piece at least, however small its share', () => {
    const { reader, claimed } = setUp({ first: 3, last: 30 });
    reader.claim(0);
    expect(claimed()).toEqual([3]);
  });

  it('is read past what others were asked for, which counts as received twice', () => {
    const { reader, taken, feed, ask, doubled } = setUp({ first: 0, last: 3 });
    ask(1);
    reader.claim(100 * BLOCK);
    feed(8 * BLOCK);
    expect(taken).toEqual(['0:0', '0:1', '2:0', '2:1', '3:0', '3:1']);
    expect(doubled()).toBe(2 * BLOCK);
    expect(reader.isOver).toBe(true);
  });

  it('is worth reading on while a block that it holds is near', () => {
    const { reader, feed, ask } = setUp({ first: 0, last: 39 });
    for (let piece = 1; piece <= 20; piece += 1) ask(piece);
    reader.claim(8 * BLOCK);
    feed(2 * BLOCK);
    expect(reader.isWorthwhile(40 * BLOCK)).toBe(true);
    expect(reader.isWorthwhile(39 * BLOCK)).toBe(false);
    expect(reader.isWorthwhile(Number.POSITIVE_INFINITY)).toBe(true);
  });

  it('is worth nothing when all that it held has come from others', () => {
    const { picker, peer, reader } = setUp({ first: 0, last: 0 });
    reader.claim(BLOCK);
    for (const block of [0, 1]) picker.markReceived(peer, 0, block, () => {});
    expect(reader.isWorthwhile(Number.POSITIVE_INFINITY)).toBe(false);
  });

  it('lets go of all it holds, and of half a block', () => {
    const { picker, handle, reader, taken, feed } = setUp({ first: 0, last: 9 });
    reader.claim(8 * BLOCK);
    feed(100);
    reader.abandon();
    expect(picker.outstanding(handle)).toBe(0);
    expect(taken).toEqual(['0:0', 'abort']);
  });

  it('claims nothing more of blocks that the picker has chosen', () => {
    const { picker, handle, reader, taken, feed } = setUp({ first: 0, last: 3 }, true);
    picker.pick(handle, 2, () => {});
    reader.claim(100 * BLOCK);
    expect(picker.outstanding(handle)).toBe(2);
    feed(8 * BLOCK);
    expect(taken.length).toBeLessThanOrEqual(2);
  });

  it('is read to the end of a piece further on', () => {
    const { reader, feed, taken } = setUp({ first: 38, last: 38 });
    reader.claim(100 * BLOCK);
    reader.extendTo(39);
    feed(2 * BLOCK);
    expect(reader.isOver).toBe(false);
    feed(BLOCK + 100);
    expect(reader.isOver).toBe(true);
    expect(taken).toEqual(['38:0', '38:1', '39:0', '39:1']);
  });

  it('stops in the middle of a chunk when its source is given up', () => {
    const { reader, taken } = setUp({ first: 0, last: 9 });
    reader.claim(100 * BLOCK);
    reader.feed(new Uint8Array(4 * BLOCK), 0, 4 * BLOCK, () => taken.length === 2);
    expect(taken).toEqual(['0:0', '0:1']);
  });

  it('comes out the same however it is cut, padding included', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(cuts, fc.nat(3 * BLOCK), (lengths, paddingBytes) => {
        const { reader, written, taken } = setUp({ first: 0, last: 39 });
        reader.claim(1000 * BLOCK);
        let left = geometry.totalLength - paddingBytes;
        for (let i = 0; left > 0; i += 1) {
          const length = Math.min(left, lengths[i % lengths.length]!);
          reader.feed(new Uint8Array(length + 7).fill(1), 3, 3 + length, () => false);
          left -= length;
        }
        reader.feedPadding(paddingBytes, () => false);
        expect(reader.isOver).toBe(true);
        expect(taken).toHaveLength(80);
        expect(written).toHaveLength(geometry.totalLength);
        expect(written.reduce((sum, byte) => sum + byte, 0)).toBe(
          geometry.totalLength - paddingBytes,
        );
      }),
      { numRuns: 15 },
    );
  });
});
