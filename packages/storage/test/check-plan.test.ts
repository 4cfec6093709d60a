import { Geometry } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { bitAt } from '../src/bits.ts';
import { type CheckPlan, planCheck } from '../src/check-plan.ts';
import {
  emptyColumns,
  FILE_DIRTY,
  FILE_PRESENT,
  FILE_SYNCED,
  type FileColumnsOnDisk,
  type PartialBlocks,
  type ResumeRecord,
} from '../src/resume.ts';

// Three files of 25, 20 and 15 bytes in pieces of 10: piece 2 lies in the first two, piece 4 in the last two.
const geometry = new Geometry({ pieceLength: 10, lengths: [25, 20, 15] });

const SYNCED = FILE_PRESENT | FILE_SYNCED;

function columns(
  flags: readonly number[],
  sizes: readonly number[] = [25, 20, 15],
  times: readonly bigint[] = [1n, 2n, 3n],
): FileColumnsOnDisk {
  const made = emptyColumns(3);
  made.flags.set(flags);
  made.sizes.set(sizes);
  made.mtimesNs.set(times);
  made.ctimesNs.set(times.map((time) => time + 10n));
  return made;
}

function recordOf(
  files: FileColumnsOnDisk,
  have = 0b1111_1100,
  partialPieces: ReadonlyMap<number, PartialBlocks> = new Map(),
): ResumeRecord {
  return {
    infoHash: new Uint8Array(20),
    pieceCount: 6,
    pieceLength: 10,
    bootId: 'this boot',
    have: Uint8Array.of(have),
    files,
    partialPieces,
  };
}

/** One letter a piece: `h` known to be there, `?` to be hashed, `-` missing. */
function letters(plan: CheckPlan): string {
  return Array.from({ length: 6 }, (_, piece) =>
    bitAt(plan.have, piece) ? 'h' : bitAt(plan.toHash, piece) ? '?' : '-',
  ).join('');
}

const present = columns([FILE_PRESENT, FILE_PRESENT, FILE_PRESENT]);

function plan(
  found: FileColumnsOnDisk,
  record: ResumeRecord | undefined,
  bootId = 'this boot',
): CheckPlan {
  return planCheck({ geometry, found, record, bootId });
}

describe('without a record', () => {
  it('everything that is there is hashed', () => {
    const made = plan(present, undefined);
    expect(letters(made)).toBe('??????');
    expect(made).toMatchObject({ toHashCount: 6, toHashBytes: 60 });
  });

  it('a piece is missing when one of its files is, or is too short for it', () => {
    expect(letters(plan(columns([1, 0, 1]), undefined))).toBe('??---?');
    expect(letters(plan(columns([1, 1, 1], [25, 5, 15]), undefined))).toBe('???--?');
    expect(letters(plan(columns([1, 1, 1], [24, 20, 15]), undefined))).toBe('??-???');
    expect(letters(plan(columns([0, 0, 0]), undefined))).toBe('------');
  });
});

describe('with a record', () => {
  const record = recordOf(columns([SYNCED, SYNCED, SYNCED]), 0b1011_1100);

  it('nothing is hashed while size, mtime and ctime match', () => {
    const made = plan(present, record);
    expect(letters(made)).toBe('h-hhhh');
    expect([...made.trustedFiles]).toEqual([1, 1, 1]);
  });

  it.each<[string, FileColumnsOnDisk]>([
    ['a longer file', columns([1, 1, 1], [25, 21, 15])],
    ['another mtime', { ...present, mtimesNs: BigInt64Array.of(1n, 9n, 3n) }],
    ['another ctime', { ...present, ctimesNs: BigInt64Array.of(11n, 12n + 1n, 13n) }],
  ])('a file with %s is hashed whole, with the pieces it shares', (_, found) => {
    expect(letters(plan(found, record))).toBe('h-???h');
  });

  it('a file that has gone takes its pieces with it', () => {
    expect(letters(plan(columns([1, 0, 1]), record))).toBe('h----h');
  });

  it('a file that the record does not know is hashed', () => {
    const unknown = recordOf(columns([SYNCED, 0, SYNCED]));
    expect(letters(plan(present, unknown))).toBe('hh???h');
  });

  it('a file that was open for writing is hashed whole', () => {
    const unclean = recordOf(columns([SYNCED, SYNCED | FILE_DIRTY, SYNCED]));
    expect(letters(plan(present, unclean))).toBe('hh???h');
  });

  it('bytes that were not flushed are believed only while the system has not been started anew', () => {
    const unflushed = recordOf(columns([SYNCED, FILE_PRESENT, SYNCED]));
    expect(letters(plan(present, unflushed))).toBe('hhhhhh');
    expect(letters(plan(present, unflushed, 'another boot'))).toBe('hh???h');
    expect(letters(plan(present, { ...unflushed, bootId: '' }, ''))).toBe('hh???h');
  });
});

describe('blocks of unfinished pieces', () => {
  // Blocks of 16 KiB: a first file of two pieces and a half, a second that the last piece ends in.
  const big = new Geometry({ pieceLength: 65536, lengths: [163840, 60000] });
  const files = (flags: readonly number[], sizes = [163840, 60000]): FileColumnsOnDisk => {
    const made = emptyColumns(2);
    made.flags.set(flags);
    made.sizes.set(sizes);
    return made;
  };
  const bigRecord = (flags: readonly number[]): ResumeRecord => ({
    ...recordOf(files(flags), 0b1000_0000),
    pieceCount: 4,
    pieceLength: 65536,
    partialPieces: new Map([
      [0, { blockCount: 4, blocks: Uint8Array.of(0b1000_0000) }],
      [1, { blockCount: 4, blocks: Uint8Array.of(0b0110_0000) }],
      [2, { blockCount: 4, blocks: Uint8Array.of(0b1011_0000) }],
    ]),
  });
  const facts = { geometry: big, bootId: 'this boot' };

  it('are believed where the files they lie in are, and forgotten where the piece is there', () => {
    const made = planCheck({ ...facts, found: files([1, 1]), record: bigRecord([SYNCED, SYNCED]) });
    expect([...made.partialPieces]).toEqual([
      [1, Uint8Array.of(0b0110_0000)],
      [2, Uint8Array.of(0b1011_0000)],
    ]);
  });

  it('are forgotten one by one where a file is not believed or not there', () => {
    const dirty = bigRecord([SYNCED, SYNCED | FILE_DIRTY]);
    const made = planCheck({ ...facts, found: files([1, 1]), record: dirty });
    expect(made.partialPieces.get(2)).toEqual(Uint8Array.of(0b1000_0000));
    const gone = planCheck({ ...facts, found: files([1, 0]), record: bigRecord([SYNCED, SYNCED]) });
    expect(gone.partialPieces.get(2)).toEqual(Uint8Array.of(0b1000_0000));
    const none = planCheck({ ...facts, found: files([0, 1]), record: bigRecord([SYNCED, SYNCED]) });
    expect([...none.partialPieces.keys()]).toEqual([2]);
    expect(none.partialPieces.get(2)).toEqual(Uint8Array.of(0b0011_0000));
  });
});
