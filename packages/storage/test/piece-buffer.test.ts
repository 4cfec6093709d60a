import { Geometry } from '@bt/metainfo';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BlockWriter,
  MemoryDisk,
  PieceBuffers,
  SEGMENT_BYTES,
  StorageError,
} from '../src/index.ts';
import { Recorder } from './recorder.ts';

const BLOCK = 16384;

interface Call {
  readonly kind: 'savePiece' | 'saveBlocks' | 'finishPiece' | 'forgetBlocks';
  readonly pieceIndex: number;
  readonly offset: number;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly runs: readonly number[];
}

/** Remembers what it was asked and gives no buffer back by itself. */
class CallLog {
  readonly calls: Call[] = [];

  savePiece(pieceIndex: number, data: Uint8Array<ArrayBuffer>): void {
    this.#add('savePiece', pieceIndex, 0, data, []);
  }

  saveBlocks(
    pieceIndex: number,
    offset: number,
    data: Uint8Array<ArrayBuffer>,
    runs: readonly number[],
  ): void {
    this.#add('saveBlocks', pieceIndex, offset, data, runs);
  }

  finishPiece(pieceIndex: number): void {
    this.#add('finishPiece', pieceIndex, 0, new Uint8Array(0), []);
  }

  forgetBlocks(pieceIndex: number, blockIndices: readonly number[] = []): void {
    this.#add('forgetBlocks', pieceIndex, 0, new Uint8Array(0), blockIndices);
  }

  #add(
    kind: Call['kind'],
    pieceIndex: number,
    offset: number,
    data: Uint8Array<ArrayBuffer>,
    runs: readonly number[],
  ): void {
    this.calls.push({ kind, pieceIndex, offset, data, runs });
  }
}

function setUp(
  pieceLength: number,
  totalLength: number,
  maxBytes?: number,
): { disk: CallLog; buffers: PieceBuffers; geometry: Geometry } {
  const geometry = new Geometry({ pieceLength, lengths: [totalLength] });
  const disk = new CallLog();
  const options = { geometry, disk };
  const buffers = new PieceBuffers(maxBytes === undefined ? options : { ...options, maxBytes });
  return { disk, buffers, geometry };
}

function fill(writer: BlockWriter, pieceIndex: number, block: number, value: number): string {
  if (!writer.start(pieceIndex, block * BLOCK, BLOCK)) return 'refused';
  writer.write(new Uint8Array(BLOCK).fill(value), 0, BLOCK, 0);
  return writer.end();
}

describe('a piece that fits in memory', () => {
  it('goes to the disk in one transfer when its last block is there', () => {
    const { disk, buffers } = setUp(4 * BLOCK, 8 * BLOCK);
    const writer = buffers.createWriter();
    expect([0, 2, 1].map((block) => fill(writer, 1, block, block))).toEqual(Array(3).fill('taken'));
    expect(fill(writer, 1, 3, 3)).toBe('last');
    expect(disk.calls).toEqual([]);
    buffers.save(1);
    const [call] = disk.calls;
    expect(call?.kind).toBe('savePiece');
    expect([0, 1, 2, 3].map((block) => call?.data[block * BLOCK])).toEqual([0, 1, 2, 3]);
    expect(call?.data.length).toBe(4 * BLOCK);
    expect(buffers.pieceCount).toBe(0);
    expect(buffers.heldBytes).toBe(4 * BLOCK);
    buffers.recycle(call!.data.buffer);
    expect(buffers.heldBytes).toBe(0);
  });

  it('is taken up again without its wrong blocks', () => {
    const { disk, buffers } = setUp(4 * BLOCK, 8 * BLOCK);
    const writer = buffers.createWriter();
    for (const block of [0, 1, 2, 3]) fill(writer, 1, block, block);
    buffers.save(1, { keepWrong: true });
    buffers.reopen(1, disk.calls[0]!.data, [2]);
    expect(buffers.heldBytes).toBe(4 * BLOCK);
    expect([0, 1, 2, 3].map((block) => buffers.hasBlock(1, block))).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect(fill(writer, 1, 2, 9)).toBe('last');
    buffers.save(1);
    expect([0, 1, 2, 3].map((block) => disk.calls[1]!.data[block * BLOCK])).toEqual([0, 1, 9, 3]);
    buffers.discard(1, disk.calls[1]!.data);
    expect(buffers.heldBytes).toBe(0);
    expect(buffers.pieceCount).toBe(0);
  });

  it('is gone when all its blocks were wrong', () => {
    const { disk, buffers } = setUp(2 * BLOCK, 2 * BLOCK);
    const writer = buffers.createWriter();
    for (const block of [0, 1]) fill(writer, 0, block, 1);
    buffers.save(0, { keepWrong: true });
    buffers.reopen(0, disk.calls[0]!.data, [0, 1]);
    expect([buffers.heldBytes, buffers.pieceCount]).toEqual([0, 0]);
  });

  it('that lies on disk is taken up again from there', () => {
    const { disk, buffers } = setUp(4 * BLOCK, 8 * BLOCK);
    const writer = buffers.createWriter();
    buffers.restore(1, Uint8Array.of(0b1110_0000));
    expect(fill(writer, 1, 3, 3)).toBe('last');
    buffers.save(1, { keepWrong: true });
    buffers.recycle(disk.calls[0]!.data.buffer);
    buffers.reopen(1, undefined, [0, 3]);
    expect(disk.calls.at(-1)).toMatchObject({ kind: 'forgetBlocks', runs: [0, 3] });
    expect([0, 1, 2, 3].map((block) => buffers.hasBlock(1, block))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    fill(writer, 1, 0, 1);
    expect(fill(writer, 1, 3, 1)).toBe('last');
    buffers.save(1);
    buffers.discard(1, undefined);
    expect(disk.calls.at(-1)).toMatchObject({ kind: 'forgetBlocks', runs: [] });
  });

  it('reuses the buffer that came back', () => {
    const { disk, buffers } = setUp(BLOCK, 8 * BLOCK);
    const writer = buffers.createWriter();
    fill(writer, 0, 0, 1);
    buffers.save(0);
    buffers.recycle(disk.calls[0]!.data.buffer);
    fill(writer, 1, 0, 2);
    buffers.save(1);
    expect(disk.calls[1]!.data.buffer).toBe(disk.calls[0]!.data.buffer);
  });

  it('takes bytes in any split of the stream', () => {
    const { disk, buffers } = setUp(BLOCK, BLOCK + 100);
    const writer = buffers.createWriter();
    const bytes = new Uint8Array(100).map((_, index) => index);
    expect(writer.start(1, 0, 100)).toBe(true);
    for (let at = 0; at < 100; at++) writer.write(bytes, at, at + 1, at);
    expect(writer.end()).toBe('last');
    buffers.save(1);
    expect(disk.calls[0]!.data).toEqual(bytes);
  });

  it.each([
    ['a piece that does not exist', 2, 0, BLOCK],
    ['no piece index', 0.5, 0, BLOCK],
    ['an offset between blocks', 0, 1, BLOCK],
    ['an offset behind the piece', 0, 2 * BLOCK, BLOCK],
    ['a negative offset', 0, -BLOCK, BLOCK],
    ['a short block', 0, 0, BLOCK - 1],
    ['a long block', 0, BLOCK, 2 * BLOCK],
  ])('does not begin a block with %s', (_, pieceIndex, offset, length) => {
    const { buffers } = setUp(2 * BLOCK, 4 * BLOCK);
    expect(buffers.createWriter().start(pieceIndex, offset, length)).toBe(false);
    expect(buffers.pieceCount).toBe(0);
  });

  it('throws for bytes that do not follow, and for a block that ends early', () => {
    const { buffers } = setUp(2 * BLOCK, 4 * BLOCK);
    const writer = buffers.createWriter();
    const bytes = new Uint8Array(BLOCK + 1);
    expect(() => writer.write(bytes, 0, 1, 0)).toThrow(StorageError);
    expect(() => writer.end()).toThrow(StorageError);
    writer.start(0, 0, BLOCK);
    expect(() => writer.write(bytes, 0, 1, 1)).toThrow(StorageError);
    expect(() => writer.write(bytes, 0, BLOCK + 1, 0)).toThrow(StorageError);
    writer.write(bytes, 0, 1, 0);
    expect(() => writer.end()).toThrow(StorageError);
    expect(() => buffers.save(0)).toThrow(StorageError);
  });

  it('keeps nothing of a block that was given up', () => {
    const { buffers } = setUp(2 * BLOCK, 4 * BLOCK);
    const writer = buffers.createWriter();
    writer.start(0, 0, BLOCK);
    writer.write(new Uint8Array(10), 0, 10, 0);
    writer.abort();
    writer.abort();
    expect(buffers.heldBytes).toBe(0);
    expect(buffers.pieceCount).toBe(0);
    expect(buffers.hasBlock(0, 0)).toBe(false);
  });
});

describe('padding', () => {
  /** Pieces that begin with so many bytes of a file; the rest is padding. */
  function padded(pieceLength: number, ...contents: number[]) {
    const lengths = contents.flatMap((length) => [length, pieceLength - length]);
    const geometry = new Geometry({ pieceLength, lengths, isPad: (file) => file % 2 === 1 });
    const disk = new CallLog();
    const buffers = new PieceBuffers({ geometry, disk });
    return { disk, buffers, writer: buffers.createWriter() };
  }

  it('is zeros in the piece from the start, whatever the buffer held before', () => {
    const { disk, buffers, writer } = padded(4 * BLOCK, 4 * BLOCK, BLOCK);
    for (let block = 0; block < 4; block += 1) fill(writer, 0, block, 9);
    buffers.save(0);
    const [{ data: before }] = disk.calls as [Call];
    buffers.recycle(before.buffer);
    expect(fill(writer, 1, 0, 7)).toBe('last');
    buffers.save(1);
    const { kind, data } = disk.calls[1]!;
    expect([kind, data.buffer === before.buffer]).toEqual(['savePiece', true]);
    expect(data.subarray(0, BLOCK).every((byte) => byte === 7)).toBe(true);
    expect(data.subarray(BLOCK).every((byte) => byte === 0)).toBe(true);
  });

  it('is not taken from anybody, and begins no piece', () => {
    const { buffers, writer } = padded(4 * BLOCK, BLOCK);
    expect(fill(writer, 0, 2, 1)).toBe('refused');
    expect(buffers).toMatchObject({ pieceCount: 0, heldBytes: 0 });
    expect(writer.start(0, 0, BLOCK)).toBe(true);
    writer.abort();
    expect(buffers).toMatchObject({ pieceCount: 0, heldBytes: 0 });
  });

  it('shares a block with the end of a file, which comes whole', () => {
    const { disk, buffers, writer } = padded(4 * BLOCK, BLOCK + 100);
    expect(fill(writer, 0, 0, 7)).toBe('taken');
    expect(fill(writer, 0, 1, 7)).toBe('last');
    buffers.save(0);
    expect(disk.calls[0]!.data[2 * BLOCK - 1]).toBe(7);
    expect(disk.calls[0]!.data[2 * BLOCK]).toBe(0);
  });

  it('completes segments of a large piece and is not written out', () => {
    const { disk, buffers, writer } = padded(8 * SEGMENT_BYTES, SEGMENT_BYTES + BLOCK);
    const blocks = SEGMENT_BYTES / BLOCK;
    for (let block = 0; block < blocks; block += 1) {
      expect(fill(writer, 0, block, 1)).toBe('taken');
    }
    expect(fill(writer, 0, blocks, 1)).toBe('last');
    buffers.save(0);
    expect(disk.calls.map(({ kind, runs }) => [kind, runs])).toEqual([
      ['saveBlocks', [0, SEGMENT_BYTES]],
      ['saveBlocks', [0, BLOCK]],
      ['finishPiece', []],
    ]);
  });

  it('is all that a piece may have: it only has to be hashed', () => {
    const { disk, buffers } = padded(4 * BLOCK, 0);
    expect(buffers.restore(0, new Uint8Array(1))).toBe(true);
    buffers.save(0);
    expect(disk.calls.map(({ kind }) => kind)).toEqual(['finishPiece']);
  });
});

describe('two senders of one block', () => {
  it.each([
    ['first', 'second'],
    ['second', 'first'],
  ])('the %s to finish wins whole', (winner) => {
    const { disk, buffers } = setUp(BLOCK, BLOCK);
    const first = buffers.createWriter();
    const second = buffers.createWriter();
    first.start(0, 0, BLOCK);
    second.start(0, 0, BLOCK);
    for (let at = 0; at < BLOCK - 1; at += 1) {
      first.write(Uint8Array.of(1), 0, 1, at);
      second.write(Uint8Array.of(2), 0, 1, at);
    }
    const [quick, slow] = winner === 'first' ? [first, second] : [second, first];
    const [mine, theirs] = winner === 'first' ? [1, 2] : [2, 1];
    quick.write(Uint8Array.of(mine), 0, 1, BLOCK - 1);
    expect(quick.end()).toBe('last');
    slow.write(Uint8Array.of(theirs), 0, 1, BLOCK - 1);
    expect(slow.end()).toBe('duplicate');
    buffers.save(0);
    expect(disk.calls[0]!.data.every((byte) => byte === mine)).toBe(true);
    buffers.recycle(disk.calls[0]!.data.buffer);
    expect(buffers.heldBytes).toBe(0);
  });

  it('the loser leaves the winner in place, whatever it does then', () => {
    const { disk, buffers } = setUp(2 * BLOCK, 2 * BLOCK);
    const first = buffers.createWriter();
    first.start(0, 0, BLOCK);
    first.write(Uint8Array.of(1, 1), 0, 2, 0);
    expect(fill(buffers.createWriter(), 0, 0, 2)).toBe('taken');
    first.write(Uint8Array.of(1, 1), 0, 2, 2);
    first.abort();
    buffers.flush();
    expect(disk.calls[0]?.runs).toEqual([0, BLOCK]);
    expect(disk.calls[0]?.data.subarray(0, BLOCK).every((byte) => byte === 2)).toBe(true);
  });

  it('a sender that is still under way when the piece goes to the disk has lost', () => {
    const { buffers, disk } = setUp(BLOCK, BLOCK);
    const slow = buffers.createWriter();
    slow.start(0, 0, BLOCK);
    fill(buffers.createWriter(), 0, 0, 7);
    buffers.save(0);
    slow.write(new Uint8Array(BLOCK), 0, BLOCK, 0);
    expect(slow.end()).toBe('duplicate');
    expect(buffers.pieceCount).toBe(0);
    expect(disk.calls[0]!.data.every((byte) => byte === 7)).toBe(true);
  });
});

describe('a piece that is dropped', () => {
  it('gives its memory back, and its senders have lost', () => {
    const { disk, buffers } = setUp(2 * BLOCK, 4 * BLOCK);
    const writer = buffers.createWriter();
    fill(writer, 0, 0, 1);
    writer.start(0, BLOCK, BLOCK);
    buffers.drop(0);
    expect(buffers.hasBlock(0, 0)).toBe(false);
    writer.write(new Uint8Array(BLOCK), 0, BLOCK, 0);
    expect(writer.end()).toBe('duplicate');
    expect(buffers.heldBytes).toBe(0);
    expect(disk.calls).toEqual([]);
    buffers.drop(1);
  });

  it('is forgotten by the disk when some of it is there', () => {
    const { disk, buffers } = setUp(2 * BLOCK, 4 * BLOCK);
    fill(buffers.createWriter(), 0, 0, 1);
    buffers.flush();
    buffers.drop(0);
    expect(disk.calls.map((call) => call.kind)).toEqual(['saveBlocks', 'forgetBlocks']);
  });
});

describe('memory', () => {
  it('is full from the bound on, until a quarter of it is free', () => {
    const { disk, buffers } = setUp(BLOCK, 100 * BLOCK, 8 * BLOCK);
    const writer = buffers.createWriter();
    for (let pieceIndex = 0; pieceIndex < 8; pieceIndex++) {
      expect(buffers.isFull).toBe(false);
      fill(writer, pieceIndex, 0, 0);
      buffers.save(pieceIndex);
    }
    expect(buffers.isFull).toBe(true);
    buffers.recycle(disk.calls[0]!.data.buffer);
    buffers.recycle(disk.calls[1]!.data.buffer);
    expect(buffers.isFull).toBe(true);
    buffers.recycle(disk.calls[2]!.data.buffer);
    expect(buffers.isFull).toBe(false);
  });

  it('is made by writing out the piece touched longest ago', () => {
    const { disk, buffers } = setUp(4 * BLOCK, 100 * BLOCK, 16 * BLOCK);
    const writer = buffers.createWriter();
    fill(writer, 0, 1, 1);
    fill(writer, 1, 0, 2);
    fill(writer, 0, 2, 1);
    expect(disk.calls).toEqual([]);
    fill(writer, 2, 0, 3);
    expect(disk.calls.map((call) => [call.kind, call.pieceIndex, call.runs])).toEqual([
      ['saveBlocks', 1, [0, BLOCK]],
    ]);
    fill(writer, 3, 0, 3);
    expect(disk.calls[1]).toMatchObject({ pieceIndex: 0, offset: 0, runs: [BLOCK, 3 * BLOCK] });
    expect(buffers.hasBlock(0, 1)).toBe(true);
  });

  it('holds one block for each sender when nothing can be written out', () => {
    const { disk, buffers } = setUp(4 * BLOCK, 400 * BLOCK, 8 * BLOCK);
    const writers = Array.from({ length: 10 }, () => buffers.createWriter());
    writers.forEach((writer, index) => {
      expect(writer.start(index, 0, BLOCK)).toBe(true);
    });
    expect(buffers.heldBytes).toBe(4 * BLOCK + 9 * BLOCK);
    for (const writer of writers) {
      writer.write(new Uint8Array(BLOCK).fill(9), 0, BLOCK, 0);
      expect(writer.end()).toBe('taken');
    }
    const written = disk.calls.reduce((sum, call) => sum + call.runs[1]! - call.runs[0]!, 0);
    expect(written).toBeGreaterThanOrEqual(9 * BLOCK);
  });

  it('is taken from under a block that is half received, which loses nothing by it', () => {
    const { disk, buffers } = setUp(4 * BLOCK, 400 * BLOCK, 8 * BLOCK);
    const slow = buffers.createWriter();
    fill(buffers.createWriter(), 0, 3, 1);
    slow.start(0, BLOCK, BLOCK);
    slow.write(new Uint8Array(100).fill(7), 0, 100, 0);
    fill(buffers.createWriter(), 1, 0, 1);
    expect(disk.calls[0]).toMatchObject({ pieceIndex: 0, runs: [3 * BLOCK, 4 * BLOCK] });
    slow.write(new Uint8Array(BLOCK - 100).fill(7), 0, BLOCK - 100, 100);
    expect(slow.end()).toBe('taken');
    buffers.flush();
    const call = disk.calls.find(({ pieceIndex, offset, runs }, index) => {
      return index > 0 && pieceIndex === 0 && offset + runs[0]! === BLOCK;
    });
    const bytes = call!.data.subarray(call!.runs[0], call!.runs[1]);
    expect([bytes.length, bytes.every((byte) => byte === 7)]).toEqual([BLOCK, true]);
  });

  it('grants the first buffer however small the bound', () => {
    const { buffers } = setUp(4 * BLOCK, 8 * BLOCK, 1);
    const writer = buffers.createWriter();
    for (const block of [0, 1, 2]) expect(fill(writer, 0, block, 0)).toBe('taken');
    expect(fill(writer, 0, 3, 0)).toBe('last');
  });

  it('stays small for a small piece at the end of a v2 file', () => {
    const geometry = new Geometry({
      pieceLength: 64 * BLOCK,
      lengths: [100, 100],
      aligned: true,
    });
    const buffers = new PieceBuffers({ geometry, disk: new CallLog() });
    buffers.createWriter().start(0, 0, 100);
    expect(buffers.heldBytes).toBe(100);
  });
});

describe('a piece larger than memory should hold', () => {
  const perSegment = SEGMENT_BYTES / BLOCK;
  const pieceLength = 8 * SEGMENT_BYTES;

  it('is written segment by segment and hashed from disk', () => {
    const { disk, buffers } = setUp(pieceLength, 2 * pieceLength + 5 * BLOCK);
    const writer = buffers.createWriter();
    let most = 0;
    for (let block = 0; block < 8 * perSegment; block++) {
      const outcome = fill(writer, 0, block, 1);
      expect(outcome).toBe(block === 8 * perSegment - 1 ? 'last' : 'taken');
      most = Math.max(most, buffers.heldBytes);
      for (const call of disk.calls.splice(1)) buffers.recycle(call.data.buffer);
    }
    buffers.save(0);
    expect(most).toBeLessThanOrEqual(2 * SEGMENT_BYTES);
    expect(disk.calls[0]).toMatchObject({
      kind: 'saveBlocks',
      offset: 0,
      runs: [0, SEGMENT_BYTES],
    });
    expect(disk.calls.at(-1)).toMatchObject({ kind: 'finishPiece', pieceIndex: 0 });
  });

  it('goes in one transfer when it is a short last one', () => {
    const { disk, buffers } = setUp(pieceLength, pieceLength + 2 * BLOCK);
    const writer = buffers.createWriter();
    fill(writer, 1, 0, 1);
    expect(fill(writer, 1, 1, 1)).toBe('last');
    buffers.save(1);
    expect(disk.calls.map((call) => call.kind)).toEqual(['savePiece']);
  });

  it('holds segments, not pieces, of 2^36 bytes', () => {
    const { disk, buffers } = setUp(2 ** 36, 2 ** 37);
    const writer = buffers.createWriter();
    expect(fill(writer, 1, 2 ** 22 - 1, 5)).toBe('taken');
    expect(buffers.heldBytes).toBe(SEGMENT_BYTES);
    buffers.flush();
    expect(disk.calls[0]).toMatchObject({
      offset: 2 ** 36 - SEGMENT_BYTES,
      runs: [SEGMENT_BYTES - BLOCK, SEGMENT_BYTES],
    });
  });
});

describe('unfinished pieces', () => {
  it('are written out by flush, and taken up again by restore', () => {
    const { disk, buffers, geometry } = setUp(4 * BLOCK, 8 * BLOCK);
    const writer = buffers.createWriter();
    fill(writer, 0, 0, 1);
    fill(writer, 0, 2, 1);
    fill(writer, 0, 3, 1);
    writer.start(0, BLOCK, BLOCK);
    buffers.flush();
    expect(disk.calls[0]?.runs).toEqual([0, BLOCK, 2 * BLOCK, 4 * BLOCK]);
    const next = new PieceBuffers({ geometry, disk });
    expect(next.restore(0, Uint8Array.of(0b1011_0000))).toBe(false);
    expect([0, 1, 2, 3].map((block) => next.hasBlock(0, block))).toEqual([true, false, true, true]);
    expect(fill(next.createWriter(), 0, 0, 1)).toBe('refused');
    expect(fill(next.createWriter(), 0, 1, 1)).toBe('last');
    next.save(0);
    expect(disk.calls.slice(1).map((call) => [call.kind, call.runs])).toEqual([
      ['saveBlocks', [BLOCK, 2 * BLOCK]],
      ['finishPiece', []],
    ]);
    expect(next.restore(1, Uint8Array.of(0xf0))).toBe(true);
  });
});

describe('any order of events', () => {
  const step = fc.record({
    writer: fc.nat(3),
    action: fc.constantFrom(
      ...'start start write write write write end end abort deliver'.split(' '),
    ),
    piece: fc.nat(2),
    block: fc.nat(4),
    part: fc.integer({ min: 1, max: 4 }),
  });

  it.each([1, 5 * BLOCK, 1024 * BLOCK])(
    'never mixes senders, leaks a buffer or loses a block (bound %i)',
    (maxBytes) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
          // Five blocks to a piece, the last of them short; each writer sends its own number.
          const pieceLength = 4 * BLOCK + 1000;
          const geometry = new Geometry({ pieceLength, lengths: [3 * pieceLength] });
          const content = (): Uint8Array => new Uint8Array(0);
          const disk = new MemoryDisk({ info: { geometry }, content });
          const events = new Recorder();
          disk.connect(events);
          const buffers = new PieceBuffers({ geometry, disk, maxBytes });
          events.onBuffer = (buffer) => buffers.recycle(buffer);
          const writers = Array.from({ length: 4 }, () => buffers.createWriter());
          const under: ({ piece: number; block: number; at: number } | undefined)[] = [];
          const sender = new Map<string, number>();
          const size = (block: number): number => (block === 4 ? 1000 : BLOCK);
          for (const { writer, action, piece, block, part } of steps) {
            const now = under[writer];
            const it = writers[writer]!;
            if (action === 'deliver') disk.deliver();
            else if (action === 'abort') {
              it.abort();
              under[writer] = undefined;
            } else if (action === 'start' && now === undefined) {
              const begun = it.start(piece, block * BLOCK, size(block));
              expect(begun).toBe(!sender.has(`${piece} ${block}`));
              under[writer] = begun ? { piece, block, at: 0 } : undefined;
            } else if (now !== undefined && action === 'write') {
              const length = Math.min(Math.ceil(size(now.block) / part), size(now.block) - now.at);
              it.write(new Uint8Array(length).fill(writer + 1), 0, length, now.at);
              now.at += length;
            } else if (now !== undefined && action === 'end' && now.at === size(now.block)) {
              const key = `${now.piece} ${now.block}`;
              const outcome = it.end();
              expect(outcome === 'duplicate').toBe(sender.has(key));
              if (outcome !== 'duplicate') sender.set(key, writer + 1);
              under[writer] = undefined;
            }
          }
          for (const writer of writers) writer.abort();
          buffers.flush();
          disk.deliver();
          for (const [key, value] of sender) {
            const [piece = 0, block = 0] = key.split(' ').map(Number);
            expect(buffers.hasBlock(piece, block)).toBe(true);
            const bytes = disk
              .bytes(piece)
              ?.subarray(block * BLOCK)
              .subarray(0, size(block));
            expect(bytes?.every((byte) => byte === value)).toBe(true);
          }
          expect(buffers.heldBytes).toBe(0);
          const blocks = [...disk.partialPieces.values()].flatMap((bits) => [...bits]);
          const kept = blocks.reduce(
            (sum, byte) => sum + byte.toString(2).split('1').length - 1,
            0,
          );
          expect(kept).toBe(sender.size);
        }),
        { numRuns: 150 },
      );
    },
  );
});
