import { rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HashJob, HashResult } from '../../src/node/hash-job.ts';
import { type HashedFile, planHashJobs } from '../../src/node/hash-plan.ts';
import { HashPool } from '../../src/node/hash-pool.ts';
import { piecesRootOf } from '../../src/node/merkle.ts';
import { listFiles } from '../../src/node/walk.ts';
import { referencePieces, referenceTree } from './reference.ts';
import { makeTempFolder, sampleBytes, writeTree } from './temp-folder.ts';

const KIB = 1024;

function poolOf(workers: number, signal?: AbortSignal): HashPool {
  return new HashPool({ workers, isThisThreadUsed: workers === 0, signal });
}

async function hashAll(
  jobs: Iterable<HashJob>,
  workers: number,
): Promise<{ sha1: string; merkle: string; unreadable: number[] }> {
  const pool = poolOf(workers);
  const results: [HashJob, HashResult][] = [];
  try {
    await pool.run(jobs, (job, result) => results.push([job, result]));
  } finally {
    await pool.close();
  }
  results.sort(([a], [b]) => a.firstPiece - b.firstPiece);
  const hex = (part: 'sha1' | 'merkle') =>
    results.map(([, r]) => Buffer.from(r[part]).toString('hex')).join('');
  return {
    sha1: hex('sha1'),
    merkle: hex('merkle'),
    unreadable: results.flatMap(([job, r]) => r.unreadable.map((i) => job.firstPiece + i)),
  };
}

async function listed(folder: string): Promise<HashedFile[]> {
  return (await listFiles(folder)).files.slice();
}

describe('HashPool', () => {
  it('hashes v1 pieces across files as the reference does', async () => {
    const size = fc.oneof(fc.nat(10), fc.nat(70_000), fc.constantFrom(16_384, 32_768, 65_536));
    await fc.assert(
      fc.asyncProperty(
        fc.array(size, { maxLength: 8 }),
        fc.constantFrom(16, 32, 48, 512),
        async (sizes, kib) => {
          const folder = writeTree(
            makeTempFolder(),
            Object.fromEntries(sizes.map((n, i) => [`${i}`, n])),
          );
          const files = await listed(folder);
          const { sha1 } = await hashAll(
            planHashJobs({ files, pieceLength: kib * KIB, sha1: true, merkle: false }),
            0,
          );
          expect(sha1).toBe(
            referencePieces(
              sizes.map((n, i) => ({ bytes: sampleBytes(n, `${i}`) })),
              kib * KIB,
            ),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it('hashes v2 files as the reference does, each on its own, with and without v1 and padding', async () => {
    const size = fc.oneof(
      fc.nat(10),
      fc.nat(1_200_000),
      fc.constantFrom(16_384, 16_385, 131_072, 131_073, 262_144, 262_145, 524_288, 1_048_576),
    );
    const shapes = fc.array(size, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.constantFrom(16, 32, 128, 256, 1024),
        fc.boolean(),
        async (sizes, kib, hybrid) => {
          const pieceLength = kib * KIB;
          const folder = writeTree(
            makeTempFolder(),
            Object.fromEntries(sizes.map((n, i) => [`${i}`, n])),
          );
          const contents = sizes.map((n, i) => ({
            bytes: sampleBytes(n, `${i}`),
            padding: (pieceLength - (n % pieceLength)) % pieceLength,
          }));
          const files = (await listed(folder)).flatMap((file, i) => [
            file,
            { lengthBytes: contents[i]?.padding ?? 0 },
          ]);
          const { sha1, merkle } = await hashAll(
            planHashJobs({ files, pieceLength, sha1: hybrid, merkle: true }),
            0,
          );
          expect(sha1).toBe(hybrid ? referencePieces(contents, pieceLength) : '');
          const trees = contents
            .filter((c) => c.bytes.length > 0)
            .map((c) => referenceTree(c.bytes, pieceLength));
          expect(merkle).toBe(trees.map((tree) => tree.layer).join(''));
          for (const { layer, root } of trees) {
            expect(
              Buffer.from(piecesRootOf(Buffer.from(layer, 'hex'), pieceLength)).toString('hex'),
            ).toBe(root);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('gives the same hashes from workers, and counts the bytes', async () => {
    const folder = writeTree(makeTempFolder(), { big: 30_000_000, small: 77, tail: 9_000_001 });
    const files = await listed(folder);
    const plan = { files, pieceLength: 256 * KIB, sha1: true, merkle: false };
    const pool = new HashPool({ workers: 2, isThisThreadUsed: true });
    const pieces = Buffer.alloc(20 * Math.ceil(39_000_078 / plan.pieceLength));
    await pool.run(planHashJobs(plan), (job, result) =>
      pieces.set(result.sha1, job.firstPiece * 20),
    );
    expect(pool.bytesHashed).toBe(39_000_078);
    await pool.close();
    expect(pieces.toString('hex')).toBe((await hashAll(planHashJobs(plan), 0)).sha1);
  });

  it.each([
    ['grew', (path: string) => writeFileSync(path, sampleBytes(50_001))],
    ['shrank', (path: string) => truncateSync(path, 40_000)],
    ['was touched', (path: string) => utimesSync(path, 1, 1)],
    ['went away', (path: string) => rmSync(path)],
  ])('refuses a file that %s after it was listed', async (_, change) => {
    const folder = writeTree(makeTempFolder(), { a: 50_000, b: 50_000 });
    const files = await listed(folder);
    change(join(folder, 'b'));
    for (const workers of [0, 1]) {
      const jobs = planHashJobs({ files, pieceLength: 16 * KIB, sha1: true, merkle: false });
      await expect(hashAll(jobs, workers)).rejects.toMatchObject({
        name: 'FileError',
        code: 'changed',
        path: join(folder, 'b'),
      });
    }
  });

  it('goes on past missing and short files when tolerant, and says which pieces they hit', async () => {
    const folder = writeTree(makeTempFolder(), { a: 40_000, b: 40_000, c: 40_000 });
    const files = (await listed(folder)).map((f) => ({ ...f, modifiedMs: undefined }));
    rmSync(join(folder, 'a'));
    truncateSync(join(folder, 'c'), 20_000);
    const plan = { files, pieceLength: 16 * KIB, sha1: true, merkle: false, isTolerant: true };
    const { sha1, unreadable } = await hashAll(planHashJobs(plan), 0);
    // a is bytes 0 to 40,000: pieces 0, 1 and a part of 2. c's second half begins at byte 100,000, in piece 6.
    expect(unreadable).toEqual([0, 1, 2, 6, 7]);
    const whole = referencePieces(
      ['a', 'b', 'c'].map((n) => ({ bytes: sampleBytes(40_000, n) })),
      16 * KIB,
    );
    for (const piece of [3, 4, 5])
      expect(sha1.slice(piece * 40, piece * 40 + 40)).toBe(
        whole.slice(piece * 40, piece * 40 + 40),
      );
  });

  it('stops when aborted, with the reason', async () => {
    const folder = writeTree(makeTempFolder(), { big: 40_000_000 });
    const files = await listed(folder);
    for (const workers of [0, 1]) {
      const abort = new AbortController();
      const pool = poolOf(workers, abort.signal);
      const reason = new Error('enough');
      const run = pool.run(
        planHashJobs({ files, pieceLength: 16 * KIB, sha1: true, merkle: false }),
        () => abort.abort(reason),
      );
      await expect(run).rejects.toBe(reason);
      await pool.close();
    }
  });

  it('hands over what the system said about a file that became unreadable', async () => {
    const folder = writeTree(makeTempFolder(), { a: 10 });
    const files = await listed(folder);
    rmSync(join(folder, 'a'));
    symlinkSync('a', join(folder, 'a')); // leads to itself: ELOOP
    for (const workers of [0, 1]) {
      const jobs = planHashJobs({ files, pieceLength: 16 * KIB, sha1: true, merkle: false });
      await expect(hashAll(jobs, workers)).rejects.toMatchObject({
        code: 'unreadable',
        message: expect.stringContaining('symbolic links'),
        cause: { code: 'ELOOP' },
      });
    }
  });
});
