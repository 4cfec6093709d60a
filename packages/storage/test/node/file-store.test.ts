import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { bitAt, countBits } from '../../src/bits.ts';
import {
  decodeResume,
  FILE_DIRTY,
  FILE_OURS,
  FILE_PRESENT,
  FILE_SYNCED,
  PieceBuffers,
  StorageError,
} from '../../src/index.ts';
import { type JobExecutor, poolWith } from '../../src/node/disk-pool.ts';
import { DiskPool, FileStore } from '../../src/node/index.ts';
import { testDisk } from '../disk-contract.ts';
import { FaultyFileSystem, InlineExecutor } from '../faults.ts';
import { Recorder } from '../recorder.ts';
import { makeSample, type Sample } from '../torrent.ts';
import { expectContent, openSample, place, saveAll, waitForTick } from './store-bench.ts';

const BLOCK = 16384;

const tree = (options: { seed?: number } = {}): Sample =>
  makeSample({
    pieceLength: 32768,
    files: [
      { path: 'a.bin', length: 100_000 },
      { path: 'empty', length: 0 },
      { path: 'sub/b.bin', length: 5_000 },
      { path: 'sub/deep/c.bin', length: 70_001 },
    ],
    ...options,
  });

testDisk('FileStore', async (sample) => {
  const { data, state } = place();
  const fileSystem = new FaultyFileSystem();
  const pool = poolWith(new InlineExecutor(fileSystem));
  const store = await FileStore.open({ info: sample.info, folder: data, stateFolder: state, pool });
  return {
    disk: store,
    have: store.have,
    partialPieces: () => store.partialPieces,
    refuseWrites: (isFull) => {
      fileSystem.fault = (call) => (isFull && call === 'write' ? 'ENOSPC' : undefined);
    },
    close: () => store.close(),
  };
});

describe('a download', () => {
  it('writes pieces across files with worker threads, and restarts without hashing', async () => {
    const sample = tree();
    const where = place();
    const first = await openSample(sample, where, { pool: new DiskPool() });
    expect(countBits(first.store.have, 6)).toBe(0);
    await saveAll(first.store, first.events, sample);
    expect(first.store.isComplete).toBe(true);
    await first.store.close();
    first.pool.close();
    expectContent(sample, where);
    const again = await openSample(sample, where);
    expect(again.hashed).toBe(0);
    expect(again.store.isComplete).toBe(true);
    await again.store.close();
  });

  it.each(['hybrid', 'v2'] as const)('of a %s torrent writes no padding', async (version) => {
    const sample = makeSample({
      version,
      pieceLength: 65536,
      files: [
        { path: 'a', length: 150_000 },
        { path: 'b/c', length: 10 },
        { path: 'd', length: 70_000 },
      ],
    });
    const where = place();
    const { store, events } = await openSample(sample, where);
    await saveAll(store, events, sample);
    await store.close();
    expectContent(sample, where);
    expect(fs.readdirSync(path.join(where.data, 'sample')).sort()).toEqual(['a', 'b', 'd']);
    const again = await openSample(sample, where, { check: 'full' });
    expect(again.store.isComplete).toBe(true);
    expect(again.hashed).toBe(sample.info.geometry.pieceCount);
    await again.store.close();
  });

  it('makes empty files, also of nested folders, and leaves those that are not wanted', async () => {
    const sample = makeSample({
      pieceLength: BLOCK,
      files: [
        { path: 'deep/er/nothing', length: 0 },
        { path: 'unwanted', length: 0 },
        { path: 'x', length: 1 },
      ],
    });
    const where = place();
    const { store } = await openSample(sample, where, { wanted: (fileIndex) => fileIndex !== 1 });
    const root = path.join(where.data, 'sample');
    expect(fs.statSync(path.join(root, 'deep/er/nothing')).size).toBe(0);
    expect(fs.readdirSync(root)).toEqual(['deep']);
    await store.close();
  });

  it('makes empty files that are wanted later, and tells which can not be made', async () => {
    const sample = makeSample({
      pieceLength: BLOCK,
      files: [
        { path: 'first', length: 0 },
        { path: 'folder/second', length: 0 },
        { path: 'third', length: 0 },
        { path: 'x', length: 1 },
      ],
    });
    const where = place();
    const { store } = await openSample(sample, where, { wanted: (fileIndex) => fileIndex === 3 });
    const root = path.join(where.data, 'sample');
    fs.mkdirSync(root, { recursive: true });
    expect(fs.readdirSync(root)).toEqual([]);
    fs.writeFileSync(path.join(root, 'folder'), 'in the way');
    const problems = await store.want((fileIndex) => fileIndex !== 0);
    expect(fs.readdirSync(root).sort()).toEqual(['folder', 'third']);
    expect([...problems.keys()]).toEqual([1]);
    expect(problems.get(1)).toMatchObject({ name: 'StorageError', fileIndex: 1 });
    fs.rmSync(path.join(root, 'folder'));
    expect((await store.want(() => true)).size).toBe(0);
    expect(fs.readdirSync(root).sort()).toEqual(['first', 'folder', 'third']);
    await store.close();
    fs.rmSync(path.join(root, 'third'));
    await store.want(() => true);
    expect(fs.readdirSync(root).sort()).toEqual(['first', 'folder']);
  });

  it('makes executables executable', async () => {
    const sample = makeSample({
      pieceLength: BLOCK,
      files: [
        { path: 'plain', length: 10 },
        { path: 'tool', length: 10, executable: true },
      ],
    });
    const where = place();
    const { store, events } = await openSample(sample, where);
    await saveAll(store, events, sample);
    await store.close();
    const mode = (name: string): number => fs.statSync(where.file(name)).mode & 0o111;
    expect(mode('plain')).toBe(0);
    expect(mode('tool')).not.toBe(0);
  });

  it('is sparse: the end of a large file takes no space for its beginning', async () => {
    const sample = makeSample({
      pieceLength: 1024 * 1024,
      files: [{ path: 'big', length: 8 * 1024 * 1024 }],
    });
    const where = place();
    const { store, events } = await openSample(sample, where);
    store.savePiece(7, sample.piece(7));
    await events.until(() => events.saved.size === 1);
    await store.close();
    const { size, blocks } = fs.statSync(where.file('big'));
    expect(size).toBe(8 * 1024 * 1024);
    expect(blocks * 512).toBeLessThan(2 * 1024 * 1024);
  });

  it('of pieces in segments goes through the files, and is hashed from there', async () => {
    const sample = makeSample({
      pieceLength: 8 * 1024 * 1024,
      files: [
        { path: 'a', length: 3_000_000 },
        { path: 'b', length: 7_000_001 },
      ],
    });
    const where = place();
    const { store, events } = await openSample(sample, where);
    const { geometry } = sample.info;
    const buffers = new PieceBuffers({ geometry, disk: store });
    events.onBuffer = (buffer) => buffers.recycle(buffer);
    const writer = buffers.createWriter();
    for (let pieceIndex = 0; pieceIndex < 2; pieceIndex++) {
      const data = sample.piece(pieceIndex);
      for (let block = 0; block < geometry.blockCount(pieceIndex); block++) {
        const length = geometry.blockSize(pieceIndex, block);
        writer.start(pieceIndex, block * BLOCK, length);
        writer.write(data, block * BLOCK, block * BLOCK + length, 0);
        writer.end();
      }
      buffers.save(pieceIndex, { blockHashes: pieceIndex === 0 });
    }
    await events.until(() => events.saved.size === 2);
    expect(events.saved.get(0)?.outcome).toBe('saved');
    expect(events.saved.get(0)?.blockHashes?.length).toBe(32 * 512);
    expect(events.saved.get(1)).toEqual({ outcome: 'saved' });
    expect(buffers.heldBytes).toBe(0);
    await store.close();
    expectContent(sample, where);
  });

  it('continues from the blocks that a clean close has kept', async () => {
    const sample = tree();
    const { geometry } = sample.info;
    const where = place();
    const first = await openSample(sample, where);
    const buffers = new PieceBuffers({ geometry, disk: first.store });
    first.events.onBuffer = (buffer) => buffers.recycle(buffer);
    const writer = buffers.createWriter();
    writer.start(3, 0, BLOCK);
    writer.write(sample.piece(3), 0, BLOCK, 0);
    writer.end();
    buffers.flush();
    await first.store.close();
    const second = await openSample(sample, where);
    expect(second.hashed).toBe(0);
    expect([...second.store.partialPieces]).toEqual([[3, Uint8Array.of(0b1000_0000)]]);
    const next = new PieceBuffers({ geometry, disk: second.store });
    second.events.onBuffer = (buffer) => next.recycle(buffer);
    expect(next.restore(3, second.store.partialPieces.get(3)!)).toBe(false);
    const again = next.createWriter();
    again.start(3, BLOCK, BLOCK);
    again.write(sample.piece(3), BLOCK, 2 * BLOCK, 0);
    expect(again.end()).toBe('last');
    next.save(3);
    await second.events.until(() => second.events.saved.size === 1);
    expect(second.events.saved.get(3)).toEqual({ outcome: 'saved' });
    await second.store.close();
  });
});

describe('a start', () => {
  it('hashes what no record vouches for, and keeps what is right', async () => {
    const sample = tree();
    const where = place();
    sample.writeTo(where.data);
    fs.writeFileSync(where.file('a.bin'), tree({ seed: 9 }).file(0));
    const progress: number[] = [];
    const { store, hashed } = await openSample(sample, where, {
      onProgress: ({ checkedPieces, rightPieces }) => progress.push(checkedPieces, rightPieces),
    });
    expect(hashed).toBe(6);
    expect(progress.slice(-2)).toEqual([6, 2]);
    expect([0, 1, 2, 3, 4, 5].map((piece) => bitAt(store.have, piece))).toEqual([
      ...[false, false, false, false],
      ...[true, true],
    ]);
    await store.close();
    const again = await openSample(sample, where);
    expect(again.hashed).toBe(0);
    expect(countBits(again.store.have, 6)).toBe(2);
    await again.store.close();
  });

  it('touches nothing when it is read-only', async () => {
    const sample = tree();
    const where = place();
    const { store } = await openSample(sample, where, { readOnly: true });
    expect(fs.existsSync(where.data)).toBe(false);
    expect(() => store.savePiece(0, sample.piece(0))).toThrow(
      expect.objectContaining({ code: 'read-only' }),
    );
    await store.close();
    sample.writeTo(where.data);
    fs.rmSync(where.file('empty'));
    fs.appendFileSync(where.file('a.bin'), 'more');
    const before = fs.readdirSync(where.data, { recursive: true }).sort();
    const second = await openSample(sample, where, { readOnly: true });
    expect(second.store.isComplete).toBe(true);
    await second.store.close();
    expect(fs.readdirSync(where.data, { recursive: true }).sort()).toEqual(before);
    expect(fs.statSync(where.file('a.bin')).size).toBe(100_004);
  });

  it('keeps no record when it is told so', async () => {
    const sample = tree();
    const where = place();
    sample.writeTo(where.data);
    for (let life = 0; life < 2; life++) {
      const { store, hashed } = await openSample(sample, where, { stateFolder: null });
      expect(hashed).toBe(6);
      expect(store.recordPath).toBeUndefined();
      await store.close();
    }
    expect(fs.existsSync(where.state)).toBe(false);
  });

  it('works without a place for the record', async () => {
    const sample = tree();
    const where = place();
    fs.writeFileSync(path.join(where.folder, 'file'), '');
    const stateFolder = path.join(where.folder, 'file');
    const { store, events } = await openSample(sample, where, { stateFolder });
    await saveAll(store, events, sample);
    await store.close();
    expect(store.recordError?.code).toBe('not-directory');
    expectContent(sample, where);
  });

  it('ends when it is aborted', async () => {
    const sample = tree();
    const where = place();
    sample.writeTo(where.data);
    const controller = new AbortController();
    const opening = openSample(sample, where, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(opening).rejects.toMatchObject({ name: 'StorageError', code: 'aborted' });
    await expect(
      openSample(sample, where, { signal: AbortSignal.abort('no') }),
    ).rejects.toMatchObject({ code: 'aborted', cause: 'no' });
  });

  it.each<[string, string, (file: (name: string) => string) => void]>([
    ['is-directory', 'a folder where a file should be', (at) => mkdir(at('a.bin'))],
    ['not-directory', 'a file where a folder should be', (at) => touch(at('sub'))],
    ['symlink', 'a link where a file should be', (at) => link('/etc/hostname', at('a.bin'))],
    ['symlink', 'a folder that is a link out of the root', (at) => link('/etc', at('sub'))],
    [
      'not-directory',
      'a file in place of the download folder',
      (at) => touch(path.dirname(at('.'))),
    ],
  ])('is refused (%s) with %s', async (code, _, prepare) => {
    const sample = tree();
    const where = place();
    prepare(where.file);
    await expect(openSample(sample, where)).rejects.toMatchObject({ name: 'StorageError', code });
  });

  it.skipIf(process.platform !== 'linux')('is refused where no folder can be made', async () => {
    const sample = tree();
    const where = place();
    const nowhere = { ...where, data: '/proc/nowhere/data' };
    const refusal = { name: 'StorageError', code: 'missing', path: nowhere.data, errno: 'ENOENT' };
    await expect(openSample(sample, nowhere)).rejects.toMatchObject(refusal);
    const { store } = await openSample(sample, where, { stateFolder: '/proc/nowhere' });
    await store.close();
    expect(store.recordError).toMatchObject({ code: 'missing', path: store.recordPath });
  });

  it('is not refused for files that are not wanted, or when it only looks', async () => {
    const sample = tree();
    const where = place();
    mkdir(where.file('a.bin'));
    const { store } = await openSample(sample, where, { wanted: (fileIndex) => fileIndex > 0 });
    expect(store.problems.get(0)?.code).toBe('is-directory');
    await store.close();
    const looking = await openSample(sample, where, { readOnly: true });
    expect([...looking.store.problems.keys()]).toEqual([0]);
    await looking.store.close();
  });
});

describe('the record', () => {
  it('says that a file is being written to before it is', async () => {
    const sample = tree();
    const where = place();
    const fileSystem = new FaultyFileSystem();
    const pool = poolWith(new InlineExecutor(fileSystem));
    const { store, events } = await openSample(sample, where, { pool });
    const flags: (readonly number[] | undefined)[] = [];
    fileSystem.fault = (call) => {
      if (call === 'write') flags.push(readFlags(store, sample));
      return undefined;
    };
    store.savePiece(0, sample.piece(0));
    store.savePiece(5, sample.piece(5));
    await events.until(() => events.saved.size === 2);
    // The three files with bytes; the empty one is as it shall be.
    const dirty = flags.map((of) => of?.map((file) => (file & FILE_DIRTY) !== 0));
    expect(dirty).toEqual([
      [true, false, true, true],
      [true, false, true, true],
    ]);
    expect(readFlags(store, sample)?.map((file) => file & FILE_DIRTY)[0]).toBe(FILE_DIRTY);
    await store.close();
    expect(readFlags(store, sample)?.some((file) => (file & FILE_DIRTY) !== 0)).toBe(false);
  });

  it('says so again when a file that was complete is repaired', async () => {
    const sample = tree();
    const where = place();
    sample.writeTo(where.data);
    const fileSystem = new FaultyFileSystem();
    const pool = poolWith(new InlineExecutor(fileSystem));
    const { store, events } = await openSample(sample, where, { pool });
    let flags: readonly number[] | undefined;
    fileSystem.fault = (call) => {
      if (call === 'write') flags = readFlags(store, sample);
      return undefined;
    };
    await store.checkpoint();
    store.savePiece(0, sample.piece(0));
    await events.until(() => events.saved.size === 1);
    const synced = FILE_PRESENT | FILE_SYNCED;
    expect(flags).toEqual([FILE_PRESENT | FILE_DIRTY | FILE_OURS, synced, synced, synced]);
    await store.close();
  });

  it('forgets that a file was flushed when the file has changed', async () => {
    const sample = tree();
    const where = place();
    sample.writeTo(where.data);
    const first = await openSample(sample, where);
    await first.store.checkpoint();
    await first.store.close();
    waitForTick(where.file('a.bin'));
    flipByte(where.file('a.bin'), 9);
    const second = await openSample(sample, where);
    await second.store.close();
    const synced = FILE_PRESENT | FILE_SYNCED;
    expect(readFlags(second.store, sample)).toEqual([FILE_PRESENT, synced, synced, synced]);
  });

  it('that could not be written is written when the store is closed', async () => {
    const sample = tree();
    const where = place();
    const { store, events } = await openSample(sample, where);
    await store.checkpoint();
    const temporary = `${store.recordPath}.tmp`;
    fs.mkdirSync(temporary);
    await saveAll(store, events, sample);
    await store.checkpoint();
    expect(store.recordError?.code).toBe('is-directory');
    fs.rmdirSync(temporary);
    await store.close();
    expect(store.recordError).toBeUndefined();
    const again = await openSample(sample, where);
    expect([again.hashed, again.store.isComplete]).toEqual([0, true]);
    await again.store.close();
  });

  it('says after a checkpoint that files have been flushed', async () => {
    const sample = tree();
    const where = place();
    const executor = new InlineExecutor();
    const { store, events } = await openSample(sample, where, { pool: poolWith(executor) });
    await saveAll(store, events, sample);
    await store.checkpoint();
    const synced = FILE_PRESENT | FILE_OURS | FILE_SYNCED;
    expect(readFlags(store, sample)).toEqual([synced, synced, synced, synced]);
    const jobs = executor.jobs.length;
    await store.checkpoint();
    expect(executor.jobs.length).toBe(jobs);
    await store.close();
  });
});

describe('operations on one piece', () => {
  it('are carried out in their order, whatever the threads do', async () => {
    const sample = tree();
    const where = place();
    const inline = new InlineExecutor();
    // The newest job first, as if the oldest were with a slow thread.
    const stack: (() => void)[] = [];
    const executor: JobExecutor = {
      maxWorkers: 2,
      submit: (job, done) => {
        stack.push(() => inline.submit(job, done));
        setImmediate(() => setImmediate(() => stack.pop()?.()));
      },
      forget: (root) => inline.forget(root),
      close: () => inline.close(),
    };
    const { store, events } = await openSample(sample, where, { pool: poolWith(executor) });
    const wrong = tree({ seed: 5 });
    store.savePiece(5, sample.piece(5));
    await events.until(() => events.saved.size === 1);
    store.saveBlocks(0, 0, wrong.piece(0), [0, 32768]);
    store.savePiece(0, sample.piece(0));
    store.verifyPiece(0);
    await events.until(() => events.verified.has(0));
    expect(events.saved.get(0)).toEqual({ outcome: 'saved' });
    expect(events.verified.get(0)?.isRight).toBe(true);
    expect(store.partialPieces.size).toBe(0);
    await store.close();
  });

  it('are not begun while the piece is verified, and a close gives up what has not begun', async () => {
    const sample = tree();
    const where = place();
    const inline = new InlineExecutor();
    let isHeld = false;
    const kinds: string[] = [];
    const held: (() => void)[] = [];
    const executor: JobExecutor = {
      maxWorkers: 2,
      submit: (job, done) => {
        kinds.push(job.kind);
        if (isHeld) held.push(() => inline.submit(job, done));
        else inline.submit(job, done);
      },
      forget: (root) => inline.forget(root),
      close: () => inline.close(),
    };
    const { store, events } = await openSample(sample, where, { pool: poolWith(executor) });
    await saveAll(store, events, sample);
    kinds.length = 0;
    isHeld = true;
    store.verifyPiece(0);
    store.savePiece(0, sample.piece(0));
    store.verifyPiece(0);
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(kinds).toEqual(['check']);
    isHeld = false;
    const closing = store.close();
    for (const submit of held) submit();
    await closing;
    expect(kinds.slice(0, 2)).toEqual(['check', 'save']);
    expect(kinds.slice(2)).not.toContain('check');
    expect(events.verified.get(0)?.isRight).toBe(false);
  });
});

describe('damage between two lives', () => {
  type Damage = (where: ReturnType<typeof place>, sample: Sample, record: string) => void;
  const flip: Damage = (where) => {
    const fd = fs.openSync(where.file('a.bin'), 'r+');
    fs.writeSync(fd, Buffer.of(fs.readFileSync(where.file('a.bin'))[50_000]! ^ 1), 0, 1, 50_000);
    fs.closeSync(fd);
  };
  const zero: Damage = (where) => {
    const fd = fs.openSync(where.file('a.bin'), 'r+');
    fs.writeSync(fd, Buffer.alloc(BLOCK), 0, BLOCK, 40_000);
    fs.closeSync(fd);
  };
  const keepTimes =
    (damage: Damage): Damage =>
    (where, sample, record) => {
      const { atime, mtime } = fs.statSync(where.file('a.bin'));
      damage(where, sample, record);
      fs.utimesSync(where.file('a.bin'), atime, mtime);
    };
  const damages: [string, Damage, number][] = [
    ['a flipped bit', flip, 5],
    ['a flipped bit and the old mtime', keepTimes(flip), 5],
    ['a zeroed block', zero, 5],
    ['a cut file', (where) => fs.truncateSync(where.file('a.bin'), 40_000), 3],
    ['a removed file', (where) => fs.rmSync(where.file('a.bin')), 2],
    ['a cut record', (_, __, record) => fs.truncateSync(record, 60), 6],
    ['a flipped record', (_, __, record) => flipByte(record, 200), 6],
    ['no record', (_, __, record) => fs.rmSync(record), 6],
    ['a grown file', (where) => fs.appendFileSync(where.file('a.bin'), 'more'), 6],
  ];

  it.each(damages)('%s is found, and repaired by what is missing', async (_, damage, right) => {
    const sample = tree();
    const where = place();
    const first = await openSample(sample, where);
    await saveAll(first.store, first.events, sample);
    await first.store.close();
    waitForTick(where.file('a.bin'));
    damage(where, sample, first.store.recordPath!);
    const second = await openSample(sample, where);
    expect(countBits(second.store.have, 6)).toBe(right);
    for (let pieceIndex = 0; pieceIndex < 6; pieceIndex++) {
      if (bitAt(second.store.have, pieceIndex)) continue;
      second.store.savePiece(pieceIndex, sample.piece(pieceIndex));
    }
    await second.events.until(() => second.events.saved.size === 6 - right);
    expect(second.store.isComplete).toBe(true);
    await second.store.close();
    expectContent(sample, where);
    const third = await openSample(sample, where);
    expect([third.hashed, third.store.isComplete]).toEqual([0, true]);
    await third.store.close();
  });

  it('after an unclean end, every file that was written to is hashed whole, the others are not', async () => {
    const sample = makeSample({
      pieceLength: BLOCK,
      files: [
        { path: 'done', length: 3 * BLOCK },
        { path: 'begun', length: 3 * BLOCK },
        { path: 'not begun', length: 2 * BLOCK },
      ],
    });
    const where = place();
    const first = await openSample(sample, where);
    for (const piece of [0, 1, 2]) first.store.savePiece(piece, sample.piece(piece));
    await first.events.until(() => first.events.saved.size === 3);
    await first.store.close();
    const second = await openSample(sample, where);
    second.store.savePiece(3, sample.piece(3));
    await second.events.until(() => second.events.saved.size === 1);
    // No close: what is on disk now is what a SIGKILL leaves, but for the lock, whose process still runs.
    fs.rmSync(`${second.store.recordPath}.lock`);
    const third = await openSample(sample, where);
    expect(third.hashed).toBe(1);
    expect(countBits(third.store.have, 8)).toBe(4);
    await third.store.close();
    await second.store.close();
  });

  it('a file that appears is hashed once, and one that has gone is forgotten', async () => {
    const sample = tree();
    const where = place();
    const first = await openSample(sample, where);
    await first.store.close();
    sample.writeTo(where.data);
    const hashed: number[] = [];
    for (let life = 0; life < 2; life++) {
      const { store, hashed: count } = await openSample(sample, where);
      expect(store.isComplete).toBe(true);
      hashed.push(count);
      await store.close();
    }
    fs.rmSync(where.file('a.bin'));
    for (let life = 0; life < 2; life++) {
      const { store, hashed: count } = await openSample(sample, where);
      expect(countBits(store.have, 6)).toBe(2);
      hashed.push(count);
      await store.close();
    }
    expect(hashed).toEqual([6, 0, 0, 0]);
  });

  it('a file that was longer is cut by the first write, and not taken for one that somebody else has cut', async () => {
    const sample = tree();
    const where = place();
    sample.writeTo(where.data);
    flipByte(where.file('a.bin'), 40_000);
    fs.appendFileSync(where.file('a.bin'), Buffer.alloc(1_000));
    const { store, events } = await openSample(sample, where);
    expect(countBits(store.have, 6)).toBe(5);
    store.savePiece(1, sample.piece(1));
    await events.until(() => events.saved.has(1));
    expect(events.changed).toEqual([]);
    expect(store.isComplete).toBe(true);
    await store.close();
    expectContent(sample, where);
  });

  it('leaves files that are not wanted as they are, however long', async () => {
    const sample = tree();
    const where = place();
    sample.writeTo(where.data);
    fs.writeFileSync(where.file('sub/deep/c.bin'), Buffer.alloc(100_000, 'mine'));
    for (let life = 0; life < 2; life++) {
      const { store, events } = await openSample(sample, where, { wanted: (file) => file === 0 });
      if (life === 0) {
        flipByte(where.file('a.bin'), 0);
        store.verifyPiece(0);
        await events.until(() => events.verified.has(0));
        store.savePiece(0, sample.piece(0));
        await events.until(() => events.saved.has(0));
      }
      await store.close();
    }
    expect(fs.readFileSync(where.file('sub/deep/c.bin'))).toEqual(Buffer.alloc(100_000, 'mine'));
  });

  it('a record of another folder is another record', async () => {
    const sample = tree();
    const where = place();
    const first = await openSample(sample, where);
    await saveAll(first.store, first.events, sample);
    await first.store.close();
    const moved = { ...where, data: path.join(where.folder, 'moved') };
    fs.renameSync(where.data, moved.data);
    const second = await openSample(sample, moved);
    expect([second.hashed, second.store.isComplete]).toEqual([6, true]);
    await second.store.close();
  });
});

describe('a file that changes while it is seeded', () => {
  it.each<[string, string, (file: string) => void]>([
    ['changed', 'written to', (file) => flipByte(file, 70_000)],
    ['truncated', 'cut', (file) => fs.truncateSync(file, 10_000)],
    ['missing', 'removed', (file) => fs.rmSync(file)],
    [
      'missing',
      'replaced',
      (file) => {
        fs.copyFileSync(file, `${file}.new`);
        fs.renameSync(`${file}.new`, file);
      },
    ],
  ])(
    'is noticed (%s) when it was %s, and its pieces are verified anew',
    async (code, how, change) => {
      const sample = tree();
      const where = place();
      sample.writeTo(where.data);
      const { store, events } = await openSample(sample, where);
      expect(store.isComplete).toBe(true);
      store.readBlock(0, 0, BLOCK, 1);
      await events.until(() => events.reads.has(1));
      expect(events.reads.get(1)?.error).toBeUndefined();
      waitForTick(where.file('a.bin'));
      change(where.file('a.bin'));
      // More reads than are made at a time, one of them of no chunk: none may bring bytes of the changed file.
      const tokens = [2, 3, 4, 5];
      store.readBlock(1, 0, BLOCK, 2);
      store.readBlock(2, 0, BLOCK, 3);
      store.readBlock(1, 0, 2 * BLOCK, 4);
      store.readBlock(3, 0, 1000, 5);
      await events.until(() => tokens.every((token) => events.reads.has(token)));
      const found = tokens.map((token) => events.reads.get(token)!);
      expect(found.map(({ bytes }) => bytes)).toEqual(tokens.map(() => undefined));
      expect(found.map(({ error }) => error?.code)).toContain(code);
      expect(events.changed).toMatchObject([{ fileIndex: 0, error: { code } }]);
      expect(store.isComplete).toBe(false);
      expect(bitAt(store.have, 0)).toBe(false);
      expect(bitAt(store.have, 5)).toBe(true);
      for (let pieceIndex = 0; pieceIndex <= 3; pieceIndex++) store.verifyPiece(pieceIndex);
      await events.until(() => events.verified.size === 4);
      const right = [0, 1, 2, 3].filter((pieceIndex) => events.verified.get(pieceIndex)?.isRight);
      expect(right).toEqual(
        { 'written to': [0, 1, 3], cut: [], removed: [], replaced: [0, 1, 2, 3] }[how],
      );
      for (const pieceIndex of right) {
        store.readBlock(pieceIndex, 0, BLOCK, 10 + pieceIndex);
        await events.until(() => events.reads.has(10 + pieceIndex));
        expect(events.reads.get(10 + pieceIndex)?.error).toBeUndefined();
      }
      await store.close();
    },
  );

  it('is repaired by saving the pieces again, and served again', async () => {
    const sample = tree();
    const where = place();
    sample.writeTo(where.data);
    const { store, events } = await openSample(sample, where);
    waitForTick(where.file('a.bin'));
    flipByte(where.file('a.bin'), 70_000);
    store.readBlock(2, 0, BLOCK, 1);
    await events.until(() => events.reads.has(1));
    for (let pieceIndex = 0; pieceIndex <= 3; pieceIndex++) store.verifyPiece(pieceIndex);
    await events.until(() => events.verified.size === 4);
    store.savePiece(2, sample.piece(2));
    await events.until(() => events.saved.size === 1);
    expect(store.isComplete).toBe(true);
    store.readBlock(2, 0, BLOCK, 2);
    await events.until(() => events.reads.has(2));
    const expected = sample.piece(2).subarray(0, BLOCK);
    expect(Buffer.compare(events.reads.get(2)!.bytes!, expected)).toBe(0);
    await store.close();
    expectContent(sample, where);
  });
});

describe('a file that is removed while it is downloaded', () => {
  it.each([8, 1])(
    'is made anew, and what it held is doubted (%i files kept open)',
    async (open) => {
      const sample = tree();
      const where = place();
      const executor = new InlineExecutor(undefined, open);
      const { store, events } = await openSample(sample, where, {
        pool: poolWith(executor),
      });
      for (const piece of [0, 1, 5]) store.savePiece(piece, sample.piece(piece));
      await events.until(() => events.saved.size === 3);
      fs.rmSync(where.file('a.bin'));
      store.savePiece(2, sample.piece(2));
      await events.until(() => events.saved.size === 4);
      expect(events.changed).toMatchObject([{ fileIndex: 0, error: { code: 'truncated' } }]);
      expect([0, 1, 2, 5].map((piece) => bitAt(store.have, piece))).toEqual([
        ...[false, false, true, true],
      ]);
      for (const piece of [0, 1, 2]) store.verifyPiece(piece);
      await events.until(() => events.verified.size === 3);
      expect([0, 1, 2].map((piece) => events.verified.get(piece)?.isRight)).toEqual([
        ...[false, false, true],
      ]);
      for (const piece of [0, 1, 3, 4]) store.savePiece(piece, sample.piece(piece));
      await events.until(() => store.isComplete);
      await store.close();
      expectContent(sample, where);
    },
  );

  it('is doubted when it was cut and grew again', async () => {
    const sample = tree();
    const where = place();
    const { store, events } = await openSample(sample, where);
    for (const piece of [0, 1]) store.savePiece(piece, sample.piece(piece));
    await events.until(() => events.saved.size === 2);
    fs.truncateSync(where.file('a.bin'), 40_000);
    store.savePiece(2, sample.piece(2));
    await events.until(() => events.saved.size === 3);
    expect(fs.statSync(where.file('a.bin')).size).toBe(3 * 32768);
    expect(events.changed).toMatchObject([{ fileIndex: 0, error: { code: 'truncated' } }]);
    expect([0, 1, 2].map((piece) => bitAt(store.have, piece))).toEqual([false, false, true]);
    await store.close();
  });

  it.each<[string, (file: string) => void]>([
    ['removed', (file) => fs.rmSync(file)],
    ['cut', (file) => fs.truncateSync(file, 1_000_000)],
  ])(
    "is nobody else's fault: a piece whose blocks were %s fails, and is no mismatch",
    async (_, change) => {
      const sample = makeSample({
        pieceLength: 8 * 1024 * 1024,
        files: [{ path: 'big', length: 16 * 1024 * 1024 }],
      });
      const where = place();
      const { store, events } = await openSample(sample, where);
      const half = 4 * 1024 * 1024;
      const saveHalf = (start: number): void =>
        store.saveBlocks(0, start, sample.piece(0).slice(start, start + half), [0, half]);
      saveHalf(0);
      await events.until(() => events.buffers.length === 1);
      change(where.file('big'));
      saveHalf(half);
      store.finishPiece(0, { keepWrong: true });
      await events.until(() => events.saved.has(0));
      const { outcome, error } = events.saved.get(0)!;
      expect([outcome, error?.code, error?.path]).toEqual([
        ...['failed', 'truncated'],
        where.file('big'),
      ]);
      expect(store.partialPieces.size).toBe(0);
      // What comes now is judged as ever.
      events.saved.clear();
      saveHalf(half);
      saveHalf(half);
      store.finishPiece(0);
      await events.until(() => events.saved.has(0));
      expect(events.saved.get(0)?.outcome).toBe('mismatch');
      events.saved.clear();
      saveHalf(0);
      saveHalf(half);
      store.finishPiece(0);
      await events.until(() => events.saved.has(0));
      expect(events.saved.get(0)).toEqual({ outcome: 'saved' });
      await store.close();
    },
  );

  it('is known to be cut before a piece is judged that was hashed meanwhile', async () => {
    const sample = makeSample({
      pieceLength: 4 * BLOCK,
      files: [{ path: 'a', length: 12 * BLOCK }],
    });
    const where = place();
    const inline = new InlineExecutor();
    let isHeld = false;
    const held: (() => void)[] = [];
    // A worker that is long in telling what it has written.
    const executor: JobExecutor = {
      maxWorkers: 2,
      submit: (job, done) =>
        inline.submit(job, (answer, error) => {
          if (isHeld && job.kind === 'save') held.push(() => done(answer, error));
          else done(answer, error);
        }),
      forget: (root) => inline.forget(root),
      close: () => inline.close(),
    };
    const { store, events } = await openSample(sample, where, { pool: poolWith(executor) });
    store.saveBlocks(0, 0, sample.piece(0), [0, 4 * BLOCK]);
    await events.until(() => events.buffers.length === 1);
    fs.rmSync(where.file('a'));
    isHeld = true;
    store.savePiece(2, sample.piece(2));
    store.finishPiece(0);
    while (held.length === 0 || inline.jobs.at(-1) !== 'check') await new Promise(setImmediate);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(events.saved.size).toBe(0);
    for (const answer of held) answer();
    await events.until(() => events.saved.size === 2);
    expect([0, 2].map((piece) => events.saved.get(piece)?.outcome)).toEqual(['failed', 'saved']);
    await store.close();
  });

  it('leaves no blocks in the record that may be gone', async () => {
    const sample = makeSample({
      pieceLength: 64 * BLOCK,
      files: [{ path: 'a', length: 128 * BLOCK }],
    });
    const where = place();
    const { store, events } = await openSample(sample, where);
    for (const piece of [0, 1]) store.saveBlocks(piece, 0, sample.piece(piece), [0, 4 * BLOCK]);
    await events.until(() => events.buffers.length === 2);
    fs.rmSync(where.file('a'));
    store.saveBlocks(1, 4 * BLOCK, sample.piece(1).slice(4 * BLOCK), [0, BLOCK]);
    await events.until(() => events.buffers.length === 3);
    await store.close();
    const again = await openSample(sample, where);
    expect(again.store.partialPieces.size).toBe(0);
    await again.store.close();
  });

  it('is not called complete when it is removed during the last write', async () => {
    const sample = tree();
    const where = place();
    const fileSystem = new FaultyFileSystem();
    const pool = poolWith(new InlineExecutor(fileSystem));
    const { store, events } = await openSample(sample, where, { pool });
    for (const piece of [0, 3, 2]) store.savePiece(piece, sample.piece(piece));
    await events.until(() => events.saved.size === 3);
    fileSystem.fault = (call, file) => {
      if (call === 'write') fs.rmSync(file);
      return undefined;
    };
    store.savePiece(1, sample.piece(1));
    await events.until(() => events.changed.length === 1);
    expect(events.changed).toMatchObject([{ fileIndex: 0, error: { code: 'missing' } }]);
    expect([0, 1, 2, 3].some((piece) => bitAt(store.have, piece))).toBe(false);
    await store.close();
  });
});

describe('reading for uploads', () => {
  it('serves blocks that follow each other from one read', async () => {
    const sample = makeSample({
      pieceLength: 1024 * 1024,
      files: [{ path: 'a', length: 3_000_000 }],
    });
    const where = place();
    sample.writeTo(where.data);
    const { store, events } = await openSample(sample, where);
    store.readBlock(1, 0, BLOCK, 1);
    await events.until(() => events.reads.has(1));
    for (let block = 1; block < 16; block++) {
      const bytes = store.readBlock(1, block * BLOCK, BLOCK, 100 + block);
      expect(bytes?.buffer).toBe(events.reads.get(1)?.bytes?.buffer);
      const expected = sample.piece(1).subarray(block * BLOCK, (block + 1) * BLOCK);
      expect(Buffer.compare(bytes!, expected)).toBe(0);
    }
    expect(store.readBlock(1, 16 * BLOCK, BLOCK, 2)).toBeUndefined();
    await events.until(() => events.reads.has(2));
    await store.close();
  });

  it('answers every request that waits for the same chunk', async () => {
    const sample = makeSample({
      pieceLength: 1024 * 1024,
      files: [{ path: 'a', length: 1024 * 1024 }],
    });
    const where = place();
    sample.writeTo(where.data);
    const { store, events } = await openSample(sample, where);
    for (let block = 0; block < 64; block++) store.readBlock(0, block * BLOCK, BLOCK, block);
    await events.until(() => events.reads.size === 64);
    const whole = Buffer.concat(
      [...events.reads].sort(([a], [b]) => a - b).map(([, { bytes }]) => bytes!),
    );
    expect(Buffer.compare(whole, sample.piece(0))).toBe(0);
    await store.close();
  });

  it('keeps the cache within its bound, and what was handed out as it was', async () => {
    const sample = makeSample({
      pieceLength: 1024 * 1024,
      files: [{ path: 'a', length: 4 * 1024 * 1024 }],
    });
    const where = place();
    sample.writeTo(where.data);
    const pool = poolWith(new InlineExecutor(), { cacheBytes: 600_000 });
    const { store, events } = await openSample(sample, where, { pool });
    for (let chunk = 0; chunk < 16; chunk++) {
      store.readBlock(chunk >> 2, (chunk & 3) * 262144, BLOCK, chunk);
      await events.until(() => events.reads.has(chunk));
      expect(pool.cachedBytes).toBeLessThanOrEqual(600_000);
    }
    for (let chunk = 0; chunk < 16; chunk++) {
      const at = (chunk & 3) * 262144;
      const expected = sample.piece(chunk >> 2).subarray(at, at + BLOCK);
      expect(Buffer.compare(events.reads.get(chunk)!.bytes!, expected)).toBe(0);
    }
    await store.close();
  });

  it('does not serve the old bytes of a piece that was written again', async () => {
    const sample = tree();
    const where = place();
    const { store, events } = await openSample(sample, where);
    const old = tree({ seed: 5 }).piece(0);
    store.saveBlocks(0, 0, old.slice(), [0, 32768]);
    await events.until(() => events.buffers.length === 1);
    store.readBlock(0, 0, BLOCK, 1);
    await events.until(() => events.reads.has(1));
    expect(Buffer.compare(store.readBlock(0, 0, BLOCK, 2)!, old.subarray(0, BLOCK))).toBe(0);
    store.savePiece(0, sample.piece(0));
    await events.until(() => events.saved.size === 1);
    const bytes = store.readBlock(0, 0, BLOCK, 3);
    if (bytes === undefined) await events.until(() => events.reads.has(3));
    const found = bytes ?? events.reads.get(3)!.bytes!;
    expect(Buffer.compare(found, sample.piece(0).subarray(0, BLOCK))).toBe(0);
    await store.close();
  });

  it('gives zeros behind the end of a v2 file, as libtorrent 2.0 asks for them', async () => {
    const sample = makeSample({
      version: 'v2',
      pieceLength: 65536,
      files: [
        { path: 'a', length: 70_000 },
        { path: 'b', length: 5 },
      ],
    });
    const where = place();
    sample.writeTo(where.data);
    const { store, events } = await openSample(sample, where);
    expect(sample.info.geometry.pieceSize(1)).toBe(70_000 - 65_536);
    store.readBlock(1, 0, BLOCK, 1);
    await events.until(() => events.reads.has(1));
    const bytes = events.reads.get(1)!.bytes!;
    expect(bytes.length).toBe(BLOCK);
    expect(Buffer.compare(bytes.subarray(0, 70_000 - 65_536), sample.piece(1))).toBe(0);
    expect(bytes.subarray(70_000 - 65_536).every((byte) => byte === 0)).toBe(true);
    await store.close();
  });
});

describe('verifying', () => {
  it('of pieces one by one and all at once tells the same', async () => {
    const sample = tree();
    const where = place();
    sample.writeTo(where.data);
    flipByte(where.file('sub/deep/c.bin'), 60_000);
    const { store, events } = await openSample(sample, where);
    for (let pieceIndex = 5; pieceIndex >= 0; pieceIndex--) store.verifyPiece(pieceIndex);
    await events.until(() => events.verified.size === 6);
    const right = (): boolean[] =>
      [0, 1, 2, 3, 4, 5].map((pieceIndex) => events.verified.get(pieceIndex)!.isRight);
    expect(right()).toEqual([true, true, true, true, true, false]);
    for (let pieceIndex = 0; pieceIndex < 6; pieceIndex++) {
      events.verified.delete(pieceIndex);
      store.verifyPiece(pieceIndex);
      await events.until(() => events.verified.has(pieceIndex));
    }
    expect(right()).toEqual([true, true, true, true, true, false]);
    await store.close();
  });
});

describe('when hashes are not known yet', () => {
  it('a v2 torrent from a magnet link opens, and takes pieces once its layers are there', async () => {
    const sample = makeSample({
      version: 'v2',
      pieceLength: 16384,
      files: [{ path: 'a', length: 50_000 }],
    });
    const where = place();
    const pieceLayers = new Map<string, Uint8Array>();
    sample.writeTo(where.data);
    const { store, events } = await openSample({ ...sample, pieceLayers }, where);
    expect(store.have[0]).toBe(0);
    expect(() => store.savePiece(0, sample.piece(0))).toThrow(StorageError);
    for (const [root, layer] of sample.pieceLayers) pieceLayers.set(root, layer);
    for (let pieceIndex = 0; pieceIndex < 4; pieceIndex++) store.verifyPiece(pieceIndex);
    await events.until(() => events.verified.size === 4);
    expect(store.isComplete).toBe(true);
    await store.close();
  });
});

describe('one disk for many torrents', () => {
  it('shares the threads of the process, and ends them with the last store', async () => {
    const samples = [tree(), tree({ seed: 2 }), tree({ seed: 3 })];
    const where = place();
    const stores = await Promise.all(
      samples.map(async (sample, index) => {
        const store = await FileStore.open({
          info: sample.info,
          folder: path.join(where.data, String(index)),
          stateFolder: where.state,
        });
        const events = new Recorder();
        store.connect(events);
        return { store, events, sample };
      }),
    );
    await Promise.all(stores.map(({ store, events, sample }) => saveAll(store, events, sample)));
    for (const { store } of stores) {
      expect(store.isComplete).toBe(true);
      await store.close();
    }
  });
});

/** The flags of the files in the record on disk. */
function readFlags(store: FileStore, { info }: Sample): readonly number[] | undefined {
  const { geometry, infoHash, pieceLength } = info;
  const { pieceCount, fileCount } = geometry;
  const record = decodeResume(fs.readFileSync(store.recordPath!), {
    ...{ infoHash, pieceLength, pieceCount, fileCount },
    blockCount: (pieceIndex) => geometry.blockCount(pieceIndex),
  });
  return record && [...record.files.flags];
}

function mkdir(at: string): void {
  fs.mkdirSync(at, { recursive: true });
}

function touch(at: string): void {
  fs.mkdirSync(path.dirname(at), { recursive: true });
  fs.writeFileSync(at, 'a file');
}

function link(target: string, at: string): void {
  fs.mkdirSync(path.dirname(at), { recursive: true });
  fs.symlinkSync(target, at);
}

function flipByte(file: string, position: number): void {
  const bytes = fs.readFileSync(file);
  const fd = fs.openSync(file, 'r+');
  fs.writeSync(fd, Buffer.of(bytes[position]! ^ 1), 0, 1, position);
  fs.closeSync(fd);
}
