/**
 * What a store knows of its files from moment to moment: how many pieces each still lacks, and which size and times it
 * must have. The resume record is made from this, and by it a file that somebody else wrote to is recognised.
 *
 * A file is **settled** while nobody may write to it: size and times are known. The first write of a life makes every file
 * that lacks pieces **dirty** (`FILE_DIRTY`) until it is complete or the store is closed; the record has to say so before
 * the write is made.
 */
import type { BigIntStats } from 'node:fs';
import type { FileTable, Geometry, Info } from '@bt/metainfo';
import type { StorageErrorCode } from '../errors.ts';
import { countMissing } from '../layout.ts';
import {
  FILE_DIRTY,
  FILE_OURS,
  FILE_PRESENT,
  FILE_SYNCED,
  type FileColumnsOnDisk,
} from '../resume.ts';

export class FileStates {
  /** Flags, sizes and times as they go into the record. */
  readonly columns: FileColumnsOnDisk;
  readonly #geometry: Geometry;
  readonly #files: FileTable;
  /** Which files are going to be downloaded. */
  isWanted: (fileIndex: number) => boolean;
  readonly #missing: Uint32Array;
  readonly #settled: Uint8Array;
  /** Up to where each file has bytes, as far as is known. */
  readonly #written: Float64Array;
  #incompleteCount = 0;

  /**
   * @param found what is on disk, as of before its bytes were looked at; becomes the columns of this object
   * @param isWanted which files are going to be downloaded
   */
  constructor(
    { geometry, files }: Pick<Info, 'geometry' | 'files'>,
    found: FileColumnsOnDisk,
    have: Uint8Array,
    isWanted: (fileIndex: number) => boolean = () => true,
  ) {
    this.isWanted = isWanted;
    this.#geometry = geometry;
    this.#files = files;
    this.columns = found;
    this.#missing = countMissing(geometry, have);
    this.#settled = found.flags.map((flags) => (flags & FILE_PRESENT ? 1 : 0));
    this.#written = found.sizes.map((_, fileIndex) => this.#foundEnd(fileIndex));
    for (const count of this.#missing) if (count > 0) this.#incompleteCount++;
  }

  /** Every file has all its pieces. */
  get isComplete(): boolean {
    return this.#incompleteCount === 0;
  }

  isFileComplete(fileIndex: number): boolean {
    return this.#missing[fileIndex] === 0;
  }

  /** A piece that was missing is there. Returns the files that are complete by it. */
  gainPiece(pieceIndex: number): number[] {
    const completed: number[] = [];
    this.#visitFiles(pieceIndex, (fileIndex) => {
      this.#missing[fileIndex]!--;
      if (this.#missing[fileIndex] !== 0) return;
      this.#incompleteCount--;
      completed.push(fileIndex);
    });
    return completed;
  }

  /** A piece that was there is missing. */
  losePiece(pieceIndex: number): void {
    this.#visitFiles(pieceIndex, (fileIndex) => {
      if (this.#missing[fileIndex] === 0) this.#incompleteCount++;
      this.#missing[fileIndex]!++;
    });
  }

  /**
   * These files are about to be written to. Returns true when the record on disk does not say so yet: write it first. Then
   * all wanted files that lack pieces have become dirty, so that one record does for the whole download.
   */
  beginWriting(fileIndices: readonly number[]): boolean {
    const { flags } = this.columns;
    if (fileIndices.every((fileIndex) => (flags[fileIndex]! & FILE_DIRTY) !== 0)) return false;
    for (const fileIndex of fileIndices) this.#makeDirty(fileIndex);
    for (let fileIndex = 0; fileIndex < flags.length; fileIndex++) {
      if (this.#missing[fileIndex]! > 0 && this.isWanted(fileIndex)) this.#makeDirty(fileIndex);
    }
    return true;
  }

  /** Up to where the files have been written; a file that is shorter has been cut or removed by somebody. */
  writtenEnds(fileIndices: readonly number[]): number[] {
    return fileIndices.map((fileIndex) => this.#written[fileIndex]!);
  }

  /** The file lacked bytes that had been written to it. */
  noteCut(fileIndex: number): void {
    this.#written[fileIndex] = 0;
  }

  /** The file has bytes up to here. */
  noteWritten(fileIndex: number, end: number): void {
    this.#written[fileIndex] = Math.max(this.#written[fileIndex]!, end);
  }

  /** The columns hold the file's size and times now, and nobody will write to it. */
  settle(fileIndex: number): void {
    this.columns.flags[fileIndex]! &= ~FILE_DIRTY;
    this.#settled[fileIndex] = 1;
  }

  /** Somebody else wrote to the file, and the columns hold what it is now: no word of it is known to be on the disk. */
  doubt(fileIndex: number): void {
    this.columns.flags[fileIndex]! &= ~FILE_SYNCED;
    this.#written[fileIndex] = this.#foundEnd(fileIndex);
  }

  /** Why a file with this stat is not the file that is known; undefined when it is, or is being written. */
  compare(fileIndex: number, stat: BigIntStats): StorageErrorCode | undefined {
    if (stat.nlink === 0n) return 'missing';
    if (this.#settled[fileIndex] === 0) return undefined;
    const { sizes, mtimesNs, ctimesNs } = this.columns;
    const size = Number(stat.size);
    if (size < sizes[fileIndex]!) return 'truncated';
    const isSame =
      size === sizes[fileIndex] &&
      stat.mtimeNs === mtimesNs[fileIndex] &&
      stat.ctimeNs === ctimesNs[fileIndex];
    return isSame ? undefined : 'changed';
  }

  isDirty(fileIndex: number): boolean {
    return (this.columns.flags[fileIndex]! & FILE_DIRTY) !== 0;
  }

  /** Files whose bytes may not have reached the disk yet, and which nobody is writing to. */
  unsyncedFiles(): number[] {
    const unsynced: number[] = [];
    this.columns.flags.forEach((flags, fileIndex) => {
      const isWanted = (flags & (FILE_PRESENT | FILE_SYNCED | FILE_DIRTY)) === FILE_PRESENT;
      if (isWanted && this.#settled[fileIndex] === 1) unsynced.push(fileIndex);
    });
    return unsynced;
  }

  markSynced(fileIndex: number): void {
    if (!this.isDirty(fileIndex)) this.columns.flags[fileIndex]! |= FILE_SYNCED;
  }

  /** What is behind the end of a file as the torrent has it, the first write cuts off. */
  #foundEnd(fileIndex: number): number {
    const { flags, sizes } = this.columns;
    if ((flags[fileIndex]! & FILE_PRESENT) === 0) return 0;
    return Math.min(sizes[fileIndex]!, this.#files.lengthOf(fileIndex));
  }

  #makeDirty(fileIndex: number): void {
    this.#settled[fileIndex] = 0;
    const flags = this.columns.flags[fileIndex]! | FILE_PRESENT | FILE_DIRTY | FILE_OURS;
    this.columns.flags[fileIndex] = flags & ~FILE_SYNCED;
  }

  /** Each file that holds bytes of the piece, once: a piece's spans never come back to a file. */
  #visitFiles(pieceIndex: number, visit: (fileIndex: number) => void): void {
    const sizeBytes = this.#geometry.pieceSize(pieceIndex);
    this.#geometry.fileSpans(pieceIndex, 0, sizeBytes, (fileIndex) => {
      if (fileIndex >= 0) visit(fileIndex);
    });
  }
}
