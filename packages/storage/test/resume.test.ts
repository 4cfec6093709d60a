import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeResume, encodeResume, type ResumeRecord, type ResumeSubject } from '../src/index.ts';

const subjectOf = (record: ResumeRecord): ResumeSubject => ({
  infoHash: record.infoHash,
  pieceCount: record.pieceCount,
  pieceLength: record.pieceLength,
  fileCount: record.files.flags.length,
  blockCount: (pieceIndex) => (pieceIndex % 5) + 1,
});

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

const records: fc.Arbitrary<ResumeRecord> = fc
  .record({ pieceCount: fc.integer({ min: 1, max: 60 }), fileCount: fc.nat(6) })
  .chain(({ pieceCount, fileCount }) =>
    fc.record({
      infoHash: fc.oneof(bytes(20), bytes(32)),
      pieceCount: fc.constant(pieceCount),
      pieceLength: fc.constantFrom(1, 16384, 2 ** 36),
      bootId: fc.stringMatching(/^[a-f0-9-]{0,36}$/),
      have: bytes(Math.ceil(pieceCount / 8)),
      files: fc.record({
        flags: bytes(fileCount),
        sizes: fc
          .array(fc.maxSafeNat(), { minLength: fileCount, maxLength: fileCount })
          .map((sizes) => Float64Array.from(sizes)),
        mtimesNs: times(fileCount),
        ctimesNs: times(fileCount),
      }),
      partialPieces: fc
        .uniqueArray(fc.nat(pieceCount - 1))
        .map(
          (pieces) =>
            new Map(
              pieces.map((pieceIndex) => [
                pieceIndex,
                { blockCount: (pieceIndex % 5) + 1, blocks: Uint8Array.of(pieceIndex * 8) },
              ]),
            ),
        ),
    }),
  );

function times(count: number): fc.Arbitrary<BigInt64Array> {
  return fc
    .array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), {
      minLength: count,
      maxLength: count,
    })
    .map((values) => BigInt64Array.from(values));
}

describe('the resume record', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(records, (record) => {
        expect(decodeResume(encodeResume(record), subjectOf(record))).toEqual(record);
      }),
    );
  });

  it('is none when it is cut anywhere', () => {
    fc.assert(
      fc.property(records, (record) => {
        const encoded = encodeResume(record);
        for (let length = 0; length < encoded.length; length++) {
          expect(decodeResume(encoded.subarray(0, length), subjectOf(record))).toBeUndefined();
        }
      }),
      { numRuns: 10 },
    );
  });

  it('is none when any bit of it is flipped', () => {
    fc.assert(
      fc.property(records, fc.nat(), (record, where) => {
        const encoded = encodeResume(record);
        encoded[(where >> 3) % encoded.length]! ^= 1 << (where & 7);
        expect(decodeResume(encoded, subjectOf(record))).toBeUndefined();
      }),
      { numRuns: 150 },
    );
  });

  it('is none when more follows', () => {
    fc.assert(
      fc.property(records, fc.uint8Array({ minLength: 1 }), (record, more) => {
        const encoded = new Uint8Array([...encodeResume(record), ...more]);
        expect(decodeResume(encoded, subjectOf(record))).toBeUndefined();
      }),
    );
  });

  it.each<[string, (subject: ResumeSubject) => Partial<ResumeSubject>]>([
    ['info-hash', () => ({ infoHash: new Uint8Array(20).fill(1) })],
    ['number of pieces', (subject) => ({ pieceCount: subject.pieceCount + 8 })],
    ['piece length', (subject) => ({ pieceLength: subject.pieceLength * 2 })],
    ['number of files', (subject) => ({ fileCount: subject.fileCount + 1 })],
    ['number of blocks', () => ({ blockCount: () => 9 })],
  ])('is none for a torrent with another %s', (_, change) => {
    const record: ResumeRecord = {
      infoHash: new Uint8Array(20),
      pieceCount: 9,
      pieceLength: 16384,
      bootId: 'boot',
      have: Uint8Array.of(0xff, 0x80),
      files: {
        flags: Uint8Array.of(1),
        sizes: Float64Array.of(5),
        mtimesNs: BigInt64Array.of(1n),
        ctimesNs: BigInt64Array.of(2n),
      },
      partialPieces: new Map([[3, { blockCount: 4, blocks: Uint8Array.of(0x80) }]]),
    };
    const subject = subjectOf(record);
    expect(decodeResume(encodeResume(record), subject)).toEqual(record);
    const other = { ...subject, ...change(subject) };
    expect(decodeResume(encodeResume(record), other)).toBeUndefined();
  });

  it('is none for arbitrary bytes, and that is no error', () => {
    const subject: ResumeSubject = {
      infoHash: new Uint8Array(20),
      pieceCount: 100,
      pieceLength: 16384,
      fileCount: 3,
      blockCount: () => 1,
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (rubbish) => {
        expect(decodeResume(rubbish, subject)).toBeUndefined();
      }),
    );
  });
});
