import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HashedFile, planHashJobs } from '../../src/node/hash-plan.ts';

const KIB = 1024;

describe('planHashJobs', () => {
  it('cuts one large file at piece boundaries', () => {
    const files = [{ diskPath: 'a', lengthBytes: 20_000_000 }];
    const jobs = [...planHashJobs({ files, pieceLength: 1024 * KIB, sha1: true, merkle: false })];
    expect(jobs.map((job) => job.firstPiece)).toEqual([0, 8, 16]);
    expect(jobs.flatMap((job) => job.spans).map((span) => span.offset)).toEqual([
      0, 8_388_608, 16_777_216,
    ]);
  });

  it('gives a piece longer than a job a job of its own', () => {
    const files = [{ diskPath: 'a', lengthBytes: 2 ** 36 + 1 }];
    const jobs = [...planHashJobs({ files, pieceLength: 2 ** 35, sha1: true, merkle: false })];
    expect(jobs.map((job) => job.spans[0]?.lengthBytes)).toEqual([2 ** 35, 2 ** 35, 1]);
  });

  it('numbers the pieces of v2 files from their own boundaries', () => {
    const files = [1, 0, 40 * KIB, 16 * KIB].map((lengthBytes, i) => ({
      diskPath: `${i}`,
      lengthBytes,
    }));
    const many = Array.from({ length: 600 }, () => files).flat();
    const jobs = [
      ...planHashJobs({ files: many, pieceLength: 16 * KIB, sha1: false, merkle: true }),
    ];
    expect(jobs.length).toBeGreaterThan(3);
    const first = jobs[1] as (typeof jobs)[number];
    const before = jobs[0]?.spans.reduce(
      (sum, s) => sum + Math.ceil(s.lengthBytes / (16 * KIB)),
      0,
    );
    expect(first.firstPiece).toBe(before);
  });

  it('covers every byte of every file once, in order, each job from a piece boundary', () => {
    const lengths = fc.array(fc.oneof(fc.nat(100), fc.nat(40_000_000)), { maxLength: 30 });
    const exponent = fc.integer({ min: 14, max: 25 });
    fc.assert(
      fc.property(lengths, exponent, fc.boolean(), (all, bits, aligned) => {
        const pieceLength = 2 ** bits;
        const files: HashedFile[] = all.map((lengthBytes, i) => ({
          diskPath: `${i}`,
          lengthBytes,
        }));
        const jobs = [...planHashJobs({ files, pieceLength, sha1: !aligned, merkle: aligned })];
        const next = all.map(() => 0);
        let pieces = 0;
        for (const [index, job] of jobs.entries()) {
          expect(job.firstPiece).toBe(pieces);
          let bytes = 0;
          for (const span of job.spans) {
            const file = Number(span.diskPath);
            expect(span.offset).toBe(next[file]);
            next[file] = span.offset + span.lengthBytes;
            bytes += span.lengthBytes;
            if (aligned) bytes = Math.ceil(bytes / pieceLength) * pieceLength;
          }
          if (index < jobs.length - 1) expect(bytes % pieceLength).toBe(0);
          pieces += Math.ceil(bytes / pieceLength);
        }
        expect(next).toEqual(all);
      }),
    );
  });
});
