import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Geometry, merkleLeaves, merkleRoot, merkleWidth, toHex } from '@bt/metainfo';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpanBuilder } from '../../src/layout.ts';
import { JobRunner } from '../../src/node/job-runner.ts';
import { hashBlocks, isRightPiece, PieceStream } from '../../src/node/piece-hasher.ts';
import {
  type CheckJob,
  type ExpectedHash,
  RIGHT,
  type SaveJob,
  UNREADABLE,
  WRONG,
} from '../../src/node/protocol.ts';
import { FaultyFileSystem } from '../faults.ts';
import { noise } from '../torrent.ts';
import { place } from './store-bench.ts';

const MIB = 1024 * 1024;

const sha1 = (data: Uint8Array): ExpectedHash => ({
  kind: 'sha1',
  hex: createHash('sha1').update(data).digest('hex'),
  leafCount: 0,
});

const merkle = (data: Uint8Array): ExpectedHash => {
  const width = merkleWidth(Math.ceil(data.length / 16384)) * 2;
  return {
    kind: 'merkle',
    hex: toHex(merkleRoot(merkleLeaves(data), { width })),
    leafCount: width,
  };
};

function setUp(): { root: string; fileSystem: FaultyFileSystem; runner: JobRunner } {
  const { folder } = place();
  const fileSystem = new FaultyFileSystem();
  return { root: folder, fileSystem, runner: new JobRunner(4, fileSystem) };
}

function saveJob(root: string, data: Uint8Array<ArrayBuffer>, spans: readonly number[]): SaveJob {
  return {
    kind: 'save',
    root,
    paths: ['a', 'b'],
    lengths: [1000, 1000],
    spans,
    data,
    expected: sha1(data),
    blockHashes: false,
  };
}

describe('saving', () => {
  it('writes to each span, and nothing for padding', () => {
    const { root, runner } = setUp();
    const data = noise(100, 1);
    data.fill(0, 30, 50);
    const answer = runner.run(saveJob(root, data, [0, 500, 30, -1, 0, 20, 1, 0, 50]));
    expect(answer).toMatchObject({ kind: 'save', isRight: true, cut: [] });
    expect(answer).not.toHaveProperty('failure');
    const [a, b] = ['a', 'b'].map((name) => fs.readFileSync(path.join(root, name)));
    expect(a?.subarray(500)).toEqual(Buffer.from(data.subarray(0, 30)));
    expect(b).toEqual(Buffer.from(data.subarray(50)));
    runner.close();
  });

  it('tells of files that lack what had been written to them', () => {
    const { root, runner } = setUp();
    fs.writeFileSync(path.join(root, 'b'), Buffer.alloc(10));
    const job = saveJob(root, noise(100, 1), [0, 0, 50, 1, 0, 50]);
    expect(runner.run({ ...job, written: [0, 11] })).toMatchObject({ cut: [1] });
    expect(runner.run({ ...job, written: [50, 50] })).toMatchObject({ cut: [] });
    fs.rmSync(path.join(root, 'a'));
    expect(runner.run({ ...job, written: [50, 50] })).toMatchObject({ cut: [0] });
    runner.close();
  });

  it('goes on after short writes', () => {
    const { root, fileSystem, runner } = setUp();
    fileSystem.writeLimit = 7;
    const data = noise(100, 2);
    runner.run(saveJob(root, data, [0, 0, 100]));
    expect(fs.readFileSync(path.join(root, 'a'))).toEqual(Buffer.from(data));
    runner.close();
  });

  it('takes a write of nothing for a full disk', () => {
    const { root, fileSystem, runner } = setUp();
    fileSystem.writeLimit = 0;
    const answer = runner.run(saveJob(root, noise(100, 2), [0, 0, 100]));
    expect(answer).toMatchObject({ isRight: true, failure: { code: 'no-space', file: 0 } });
    runner.close();
  });

  it('tells the file, the call and the reason of a failure, and gives the data back', () => {
    const { root, fileSystem, runner } = setUp();
    const data = noise(100, 3);
    fileSystem.fault = (call, file) =>
      call === 'write' && file.endsWith('b') ? 'ENOSPC' : undefined;
    const answer = runner.run(saveJob(root, data, [0, 0, 50, 1, 0, 50]));
    expect(answer).toMatchObject({
      isRight: true,
      data,
      failure: {
        code: 'no-space',
        errno: 'ENOSPC',
        syscall: 'write',
        file: 1,
        path: path.join(root, 'b'),
      },
    });
    runner.close();
  });

  it('writes nothing of a wrong piece', () => {
    const { root, runner } = setUp();
    const job = { ...saveJob(root, noise(100, 4), [0, 0, 100]), expected: sha1(noise(100, 5)) };
    const answer = runner.run(job);
    expect(answer).toMatchObject({ isRight: false, blockHashes: hashBlocks(job.data, 100) });
    expect(fs.existsSync(path.join(root, 'a'))).toBe(false);
    runner.close();
  });

  it('of parts writes the runs alone', () => {
    const { root, runner } = setUp();
    const data = noise(60, 6);
    const { paths, lengths } = saveJob(root, data, []);
    // Runs 10-20 and 30-50 of the data: to a at 110, then the rest of a and the beginning of b.
    runner.run({
      kind: 'write',
      root,
      paths,
      lengths,
      spans: [0, 110, 10, 0, 130, 5, 1, 0, 15],
      data,
      runs: [10, 20, 30, 50],
    });
    const a = fs.readFileSync(path.join(root, 'a'));
    expect(a.length).toBe(135);
    expect(a.subarray(110, 120)).toEqual(Buffer.from(data.subarray(10, 20)));
    expect(a.subarray(120, 130).every((byte) => byte === 0)).toBe(true);
    expect(a.subarray(130)).toEqual(Buffer.from(data.subarray(30, 35)));
    expect(fs.readFileSync(path.join(root, 'b'))).toEqual(Buffer.from(data.subarray(35, 50)));
    runner.close();
  });
});

describe('checking', () => {
  it('tells right, wrong and unreadable pieces apart, whatever the files', () => {
    const { root } = setUp();
    const options = fc.record({
      lengths: fc.array(fc.nat(90), { minLength: 1, maxLength: 6 }),
      pieceLength: fc.integer({ min: 1, max: 50 }),
      pads: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      cut: fc.array(fc.nat(120), { minLength: 6, maxLength: 6 }),
      flips: fc.array(fc.nat(), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(options, ({ lengths, pieceLength, pads, cut, flips }) => {
        const isPad = (index: number): boolean => pads[index] ?? false;
        const geometry = new Geometry({ pieceLength, lengths, isPad });
        fc.pre(geometry.pieceCount > 0);
        const contents = lengths.map((length, index) =>
          isPad(index) ? new Uint8Array(length) : noise(length, index),
        );
        const expected: ExpectedHash[] = [];
        const sizes: number[] = [];
        const list = new SpanBuilder();
        for (let piece = 0; piece < geometry.pieceCount; piece++) {
          const data = new Uint8Array(geometry.pieceSize(piece));
          geometry.fileSpans(piece, 0, data.length, (file, offset, length, at) => {
            if (file >= 0) data.set(contents[file]!.subarray(offset, offset + length), at);
          });
          expected.push(sha1(data));
          sizes.push(data.length);
          list.add(geometry, piece, 0, data.length);
        }
        const onDisk = contents.map((content, index) => content.slice(0, cut[index]));
        for (const flip of flips) {
          const file = onDisk[flip % onDisk.length]!;
          if (file.length > 0) file[flip % file.length]! ^= 1;
        }
        onDisk.forEach((content, index) => {
          const name = path.join(root, String(index));
          fs.rmSync(name, { force: true });
          if (cut[index] !== 0) fs.writeFileSync(name, content);
        });
        const results = expected.map((_, piece) => {
          let result = RIGHT;
          geometry.fileSpans(piece, 0, sizes[piece]!, (file, offset, length) => {
            if (file < 0 || result === UNREADABLE) return;
            const found = onDisk[file]!.subarray(offset, offset + length);
            if (found.length < length) result = UNREADABLE;
            else if (Buffer.compare(found, contents[file]!.subarray(offset, offset + length))) {
              result = WRONG;
            }
          });
          return result;
        });
        const runner = new JobRunner(2);
        const answer = runner.run({
          kind: 'check',
          root,
          paths: list.files.map(String),
          lengths: list.files.map((file) => lengths[file]!),
          spans: list.spans,
          sizes,
          expected,
          blockHashes: 'never',
        });
        runner.close();
        expect([...(answer as { results: Uint8Array }).results]).toEqual(results);
      }),
      { numRuns: 60 },
    );
  });

  const large = (root: string, data: Uint8Array, expected: ExpectedHash): CheckJob => ({
    kind: 'check',
    root,
    paths: ['a'],
    lengths: [data.length],
    spans: [0, 0, data.length],
    sizes: [data.length],
    expected: [expected],
    blockHashes: 'on-mismatch',
  });

  it.each([
    ['SHA-1', sha1],
    ['a Merkle root', merkle],
  ])('of a piece larger than the buffer goes by %s', (_, hash) => {
    const { root, runner } = setUp();
    const data = noise(3 * MIB + 12_345, 7);
    fs.writeFileSync(path.join(root, 'a'), data);
    const right = runner.run(large(root, data, hash(data)));
    expect(right).toMatchObject({ results: Uint8Array.of(RIGHT), blockHashes: undefined });
    const wrong = runner.run(large(root, data, hash(noise(10, 1))));
    expect(wrong).toMatchObject({
      results: Uint8Array.of(WRONG),
      blockHashes: hashBlocks(data, data.length),
    });
    const always = runner.run({ ...large(root, data, hash(data)), blockHashes: 'always' });
    expect(always).toMatchObject({ blockHashes: hashBlocks(data, data.length) });
    fs.truncateSync(path.join(root, 'a'), 2 * MIB);
    const cut = runner.run(large(root, data, hash(data)));
    expect(cut).toMatchObject({
      results: Uint8Array.of(UNREADABLE),
      failure: { code: 'truncated', path: path.join(root, 'a') },
    });
    runner.close();
  });

  it('of many pieces says why the first could not be read', () => {
    const { root, fileSystem, runner } = setUp();
    const data = noise(100, 8);
    for (const name of ['a', 'b']) fs.writeFileSync(path.join(root, name), data);
    fileSystem.fault = (call, file) => (call === 'read' && file.endsWith('b') ? 'EIO' : undefined);
    const answer = runner.run({
      ...large(root, data, sha1(data)),
      paths: ['a', 'b', 'a'],
      lengths: [100, 100, 100],
      spans: [0, 0, 100, 1, 0, 100, 2, 0, 100],
      sizes: [100, 100, 100],
      expected: [sha1(data), sha1(data), sha1(data)],
      blockHashes: 'never',
    });
    expect(answer).toMatchObject({
      results: Uint8Array.of(RIGHT, UNREADABLE, RIGHT),
      failure: { code: 'io', errno: 'EIO', syscall: 'read', file: 1 },
    });
    runner.close();
  });
});

describe('flushing', () => {
  it('tells which files were flushed', () => {
    const { root, fileSystem, runner } = setUp();
    for (const name of ['a', 'b', 'c']) fs.writeFileSync(path.join(root, name), name);
    fileSystem.fault = (call, file) => (call === 'fsync' && file.endsWith('b') ? 'EIO' : undefined);
    const answer = runner.run({ kind: 'sync', root, paths: ['a', 'b', 'c', 'gone'] });
    expect(answer).toEqual({ kind: 'sync', synced: Uint8Array.of(1, 0, 1, 0) });
    runner.close();
  });
});

describe('hashing', () => {
  it('agrees with the pure Merkle tree for any size and split', () => {
    const cases = fc.record({
      length: fc.integer({ min: 1, max: 200_000 }),
      deeper: fc.nat(3),
      chunk: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(cases, ({ length, deeper, chunk }) => {
        const data = noise(length, length);
        const width = merkleWidth(Math.ceil(length / 16384)) * 2 ** deeper;
        const hex = toHex(merkleRoot(merkleLeaves(data), { width }));
        const expected: ExpectedHash = { kind: 'merkle', hex, leafCount: width };
        expect(isRightPiece(data, expected)).toBe(true);
        const stream = new PieceStream(expected);
        for (let at = 0; at < length; at += chunk * 16384) {
          stream.push(data.subarray(at, at + chunk * 16384));
        }
        expect(stream.isRight()).toBe(true);
        data[length - 1]! ^= 1;
        expect(isRightPiece(data, expected)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });
});
