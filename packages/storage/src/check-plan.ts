/**
 * What has to be hashed when a torrent is opened: the rules by which a resume record is believed. Pure; the facts about
 * the files on disk are arguments.
 *
 * A file is **trusted** when a record knows it and its size, mtime and ctime are those in the record, unless
 * - it was open for writing when the record was written (`FILE_DIRTY`): that life ended uncleanly, hash it whole; or
 * - its bytes were not flushed (not `FILE_SYNCED`) and the operating system has been started since: a power failure may
 *   have taken them although size and times are right.
 *
 * A piece is **missing** when a file that it lies in is missing or too short for it, **known** when all its files are trusted (the
 * record says whether it is there), and otherwise **to be hashed**.
 */
import type { Geometry } from '@bt/metainfo';
import { bitAt, clearBit, setBit } from './bits.ts';
import {
  FILE_DIRTY,
  FILE_PRESENT,
  FILE_SYNCED,
  type FileColumnsOnDisk,
  type PartialBlocks,
  type ResumeRecord,
} from './resume.ts';

export interface CheckPlan {
  /** Pieces that are there by the record alone: one bit each. */
  readonly have: Uint8Array;
  /** Pieces to hash: one bit each. */
  readonly toHash: Uint8Array;
  readonly toHashCount: number;
  readonly toHashBytes: number;
  /** One byte a file: 1 when it is trusted. */
  readonly trustedFiles: Uint8Array;
  /** Unfinished pieces and their blocks that can be believed. A piece in `toHash` may also be here. */
  readonly partialPieces: ReadonlyMap<number, Uint8Array>;
}

export interface CheckFacts {
  readonly geometry: Pick<
    Geometry,
    'pieceCount' | 'fileCount' | 'pieceSize' | 'blockSize' | 'fileSpans'
  >;
  /** What is on disk now; only `FILE_PRESENT` matters of the flags. */
  readonly found: FileColumnsOnDisk;
  /** The record, if there is one and it is to be used. */
  readonly record: ResumeRecord | undefined;
  readonly bootId: string;
}

export function planCheck(facts: CheckFacts): CheckPlan {
  const { geometry, found, record } = facts;
  const { pieceCount } = geometry;
  const trustedFiles = trustFiles(facts);
  const have = new Uint8Array(Math.ceil(pieceCount / 8));
  const toHash = new Uint8Array(have.length);
  let toHashCount = 0;
  let toHashBytes = 0;
  let isThere = true;
  let isTrusted = true;
  const visit = (fileIndex: number, fileOffset: number, length: number): void => {
    if (fileIndex < 0) return;
    if (!covers(found, fileIndex, fileOffset + length)) isThere = false;
    if (trustedFiles[fileIndex] === 0) isTrusted = false;
  };
  for (let pieceIndex = 0; pieceIndex < pieceCount; pieceIndex++) {
    const sizeBytes = geometry.pieceSize(pieceIndex);
    isThere = true;
    isTrusted = true;
    geometry.fileSpans(pieceIndex, 0, sizeBytes, visit);
    if (!isThere) continue;
    if (isTrusted && record !== undefined) {
      if (bitAt(record.have, pieceIndex)) setBit(have, pieceIndex);
    } else {
      setBit(toHash, pieceIndex);
      toHashCount++;
      toHashBytes += sizeBytes;
    }
  }
  const partialPieces = new Map<number, Uint8Array>();
  for (const [pieceIndex, partial] of record?.partialPieces ?? []) {
    if (bitAt(have, pieceIndex)) continue;
    const blocks = believedBlocks(facts, trustedFiles, pieceIndex, partial);
    if (blocks !== undefined) partialPieces.set(pieceIndex, blocks);
  }
  return { have, toHash, toHashCount, toHashBytes, trustedFiles, partialPieces };
}

function covers(found: FileColumnsOnDisk, fileIndex: number, end: number): boolean {
  return (found.flags[fileIndex]! & FILE_PRESENT) !== 0 && found.sizes[fileIndex]! >= end;
}

function trustFiles({ geometry, found, record, bootId }: CheckFacts): Uint8Array {
  const trusted = new Uint8Array(geometry.fileCount);
  if (record === undefined) return trusted;
  const { files } = record;
  const isSameBoot = bootId !== '' && bootId === record.bootId;
  for (let index = 0; index < trusted.length; index++) {
    const flags = files.flags[index]!;
    if ((flags & FILE_PRESENT) === 0 || (flags & FILE_DIRTY) !== 0) continue;
    if ((flags & FILE_SYNCED) === 0 && !isSameBoot) continue;
    const isSame =
      (found.flags[index]! & FILE_PRESENT) !== 0 &&
      found.sizes[index] === files.sizes[index] &&
      found.mtimesNs[index] === files.mtimesNs[index] &&
      found.ctimesNs[index] === files.ctimesNs[index];
    if (isSame) trusted[index] = 1;
  }
  return trusted;
}

/** The blocks of an unfinished piece that lie in trusted files only; undefined when none do. */
function believedBlocks(
  { geometry, found }: CheckFacts,
  trustedFiles: Uint8Array,
  pieceIndex: number,
  { blockCount, blocks }: PartialBlocks,
): Uint8Array | undefined {
  const believed = blocks.slice();
  let count = 0;
  let offset = 0;
  let isBelieved = true;
  const visit = (fileIndex: number, fileOffset: number, length: number): void => {
    if (fileIndex < 0) return;
    if (trustedFiles[fileIndex] === 0 || !covers(found, fileIndex, fileOffset + length)) {
      isBelieved = false;
    }
  };
  for (let blockIndex = 0; blockIndex < blockCount; blockIndex++) {
    const sizeBytes = geometry.blockSize(pieceIndex, blockIndex);
    if (bitAt(blocks, blockIndex)) {
      isBelieved = true;
      geometry.fileSpans(pieceIndex, offset, sizeBytes, visit);
      if (isBelieved) count++;
      else clearBit(believed, blockIndex);
    }
    offset += sizeBytes;
  }
  return count > 0 ? believed : undefined;
}
