/**
 * What happens when a torrent is opened in a folder: look at the files, believe the resume record where it can be
 * believed, hash the rest with all workers, make the empty files.
 */
import fsp from 'node:fs/promises';
import path from 'node:path';
import type { Info } from '@bt/metainfo';
import { bitAt, setBit } from '../bits.ts';
import { planCheck } from '../check-plan.ts';
import { codeOfErrno, StorageError, storageError } from '../errors.ts';
import {
  decodeResume,
  FILE_OURS,
  FILE_PRESENT,
  FILE_SYNCED,
  type FileColumnsOnDisk,
  type PartialBlocks,
  type ResumeRecord,
} from '../resume.ts';
import { type DiskPool, partsOf } from './disk-pool.ts';
import type { FileStoreOptions } from './file-store-options.ts';
import { DiskFailure, makeFolder, nodeFileSystem, OpenFiles } from './open-files.ts';
import { findOriginals } from './original-names.ts';
import { untilAborted } from './patience.ts';
import { PieceChecker } from './piece-checker.ts';
import { RIGHT } from './protocol.ts';
import { defaultStateFolder, ResumeFile, readBootId } from './resume-file.ts';
import { inSlices, surveyFile, surveyFiles } from './survey.ts';
import { TorrentFiles } from './torrent-files.ts';

/** What {@link openStore} has found out. */
export interface Opened {
  readonly files: TorrentFiles;
  readonly found: FileColumnsOnDisk;
  readonly have: Uint8Array;
  readonly partialPieces: Map<number, PartialBlocks>;
  /** Pieces that may be there and have no known hash. */
  readonly uncheckedPieces: readonly number[];
  readonly problems: ReadonlyMap<number, StorageError>;
  readonly resume: ResumeFile | undefined;
  readonly bootId: string;
  /** The record on disk does not say what is known now. */
  readonly isRecordStale: boolean;
}

export async function openStore(options: FileStoreOptions, pool: DiskPool): Promise<Opened> {
  const { signal, readOnly = false } = options;
  throwIfAborted(signal);
  const root = await resolveRoot(options.folder, readOnly, signal);
  const bootId = await readBootId();
  throwIfAborted(signal);
  const resume =
    options.stateFolder === null
      ? undefined
      : new ResumeFile(
          options.stateFolder ?? defaultStateFolder(),
          options.info.infoHash,
          root,
          bootId,
        );
  // Who only looks shuts nobody out.
  if (!readOnly) resume?.lock();
  try {
    return await openFiles(options, pool, { root, resume, bootId });
  } catch (error) {
    await resume?.unlock();
    throw error;
  }
}

async function openFiles(
  options: FileStoreOptions,
  pool: DiskPool,
  { root, resume, bootId }: Pick<Opened, 'resume' | 'bootId'> & { readonly root: string },
): Promise<Opened> {
  const { info, signal, readOnly = false } = options;
  const record = await untilAborted(loadRecord(info, resume), signal);
  const survey = await surveyFiles(root, info.files, signal);
  const { found } = survey;
  const problems = new Map(survey.problems);
  const originals = await findOriginals(root, info, found, signal);
  const files = new TorrentFiles(info, root, options.pieceLayers ?? new Map(), originals);
  for (const fileIndex of originals.keys()) {
    problems.delete(fileIndex);
    surveyFile(files.fullPath(fileIndex), fileIndex, found);
  }
  if (!readOnly) {
    throwIfAborted(signal);
    const isWanted = options.wanted ?? (() => true);
    const refuse = () => {
      for (const [fileIndex, problem] of problems) if (isWanted(fileIndex)) throw problem;
    };
    refuse();
    cutOwnFiles(files, found, record);
    await makeEmptyFiles(files, { found, problems }, isWanted, signal);
    refuse();
  }
  const facts = { geometry: info.geometry, found, bootId };
  const plan = planCheck({ ...facts, record: options.check === 'full' ? undefined : record });
  const { have } = plan;
  const uncheckedPieces: number[] = [];
  await hashPieces({ ...options, files, pool, plan, have, problems, uncheckedPieces });
  const partialPieces = new Map<number, PartialBlocks>();
  for (const [pieceIndex, blocks] of plan.partialPieces) {
    const blockCount = info.geometry.blockCount(pieceIndex);
    if (!bitAt(have, pieceIndex)) partialPieces.set(pieceIndex, { blockCount, blocks });
  }
  carryFlags(found, record, plan.trustedFiles);
  throwIfAborted(signal);
  const isRecordStale =
    record === undefined ||
    options.check === 'full' ||
    !isUpToDate(record, found, plan.trustedFiles);
  return {
    files,
    found,
    have,
    partialPieces,
    uncheckedPieces,
    problems,
    resume,
    bootId,
    isRecordStale,
  };
}

async function resolveRoot(
  folder: string,
  readOnly: boolean,
  signal: AbortSignal | undefined,
): Promise<string> {
  const full = path.resolve(folder);
  try {
    if (!readOnly) makeFolder(nodeFileSystem, full);
    return await untilAborted(fsp.realpath(full), signal);
  } catch (error) {
    if (error instanceof StorageError) throw error;
    const { code: errno, syscall } = error as NodeJS.ErrnoException;
    if (readOnly && errno === 'ENOENT') return full;
    throw storageError(codeOfErrno(errno), { path: full, errno, syscall, cause: error });
  }
}

async function loadRecord(
  info: Info,
  resume: ResumeFile | undefined,
): Promise<ResumeRecord | undefined> {
  const bytes = await resume?.load();
  if (bytes === undefined) return undefined;
  const { geometry, infoHash } = info;
  return decodeResume(bytes, {
    infoHash,
    pieceCount: geometry.pieceCount,
    pieceLength: geometry.pieceLength,
    fileCount: geometry.fileCount,
    blockCount: (pieceIndex) => geometry.blockCount(pieceIndex),
  });
}

/** A file that this store made and that has grown since is cut: its tail is none of the torrent's. Others' files stay. */
function cutOwnFiles(
  files: TorrentFiles,
  found: FileColumnsOnDisk,
  record: ResumeRecord | undefined,
): void {
  if (record === undefined) return;
  for (let fileIndex = 0; fileIndex < found.flags.length; fileIndex++) {
    const isOurs = (record.files.flags[fileIndex]! & FILE_OURS) !== 0;
    const isPresent = (found.flags[fileIndex]! & FILE_PRESENT) !== 0;
    if (!isOurs || !isPresent || files.isOriginal(fileIndex)) continue;
    if (found.sizes[fileIndex]! <= files.info.files.lengthOf(fileIndex)) continue;
    withWritableFile(files, fileIndex);
    surveyFile(files.fullPath(fileIndex), fileIndex, found);
  }
}

/** Makes those that are wanted and not there. Those of which nothing can be made become `problems`. */
export async function makeEmptyFiles(
  files: TorrentFiles,
  { found, problems }: { found: FileColumnsOnDisk; problems: Map<number, StorageError> },
  isWanted: (fileIndex: number) => boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const table = files.info.files;
  await inSlices(table.count, signal, (fileIndex) => {
    if (table.lengthOf(fileIndex) > 0 || table.isPad(fileIndex)) return;
    if (table.isSymlink(fileIndex) || problems.has(fileIndex) || !isWanted(fileIndex)) return;
    if ((found.flags[fileIndex]! & FILE_PRESENT) !== 0) return;
    try {
      withWritableFile(files, fileIndex);
      surveyFile(files.fullPath(fileIndex), fileIndex, found);
      found.flags[fileIndex]! |= FILE_OURS;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      problems.set(fileIndex, error);
    }
  });
}

/** Open for writing and close: makes the file and cuts it to its length. */
function withWritableFile(files: TorrentFiles, fileIndex: number): void {
  const open = new OpenFiles(nodeFileSystem, 1);
  const { relative, ...mode } = files.place(fileIndex);
  try {
    open.forWriting(files.root, relative, mode);
  } catch (error) {
    const { code, path: where, errno, syscall } = DiskFailure.from(error, relative);
    throw storageError(code, { path: where, fileIndex, errno, syscall, cause: error });
  } finally {
    open.close();
  }
}

interface HashWork extends FileStoreOptions {
  readonly files: TorrentFiles;
  readonly pool: DiskPool;
  readonly plan: ReturnType<typeof planCheck>;
  /** Gets a bit for each piece that is right. */
  readonly have: Uint8Array;
  /** Gets what could not be read. */
  readonly problems: Map<number, StorageError>;
  /** Gets the pieces whose hash is not known. */
  readonly uncheckedPieces: number[];
}

async function hashPieces(work: HashWork): Promise<void> {
  const { files, plan, have, problems, uncheckedPieces, signal, onProgress } = work;
  const { geometry } = files.info;
  let checkedPieces = 0;
  let checkedBytes = 0;
  let rightPieces = 0;
  const report = (): void => {
    const { toHashCount: totalPieces, toHashBytes: totalBytes } = plan;
    onProgress?.({ checkedPieces, totalPieces, checkedBytes, totalBytes, rightPieces });
  };
  const { executor } = partsOf(work.pool);
  const checker = new PieceChecker(executor, files, {
    onChecked: (pieceIndex, result, error) => {
      checkedPieces++;
      checkedBytes += geometry.pieceSize(pieceIndex);
      if (result === RIGHT) {
        rightPieces++;
        setBit(have, pieceIndex);
      }
      if (error?.fileIndex !== undefined) problems.set(error.fileIndex, error);
      if (result !== RIGHT && files.expected(pieceIndex) === undefined) {
        uncheckedPieces.push(pieceIndex);
      }
    },
    onJobDone: report,
  });
  if (plan.toHashCount === 0) return;
  report();
  for (let pieceIndex = 0; pieceIndex < geometry.pieceCount; pieceIndex++) {
    if (bitAt(plan.toHash, pieceIndex)) checker.add(pieceIndex);
  }
  let calm: (() => void) | undefined;
  const onAbort = (): void => {
    checker.cancel(() => {});
    calm = executor.hurry?.(files.root);
  };
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted) onAbort();
  try {
    await checker.idle();
  } finally {
    signal?.removeEventListener('abort', onAbort);
    calm?.();
  }
  throwIfAborted(signal);
}

/** The flags that outlive a life: whose file it is, and whether its bytes are known to be on the disk. */
function carryFlags(
  found: FileColumnsOnDisk,
  record: ResumeRecord | undefined,
  trusted: Uint8Array,
): void {
  record?.files.flags.forEach((flags, fileIndex) => {
    const kept = trusted[fileIndex] === 1 ? FILE_OURS | FILE_SYNCED : FILE_OURS;
    found.flags[fileIndex]! |= flags & kept;
  });
}

/** Every file that is there is trusted, and every file that the record knows is there. */
function isUpToDate(record: ResumeRecord, found: FileColumnsOnDisk, trusted: Uint8Array): boolean {
  return record.files.flags.every((flags, fileIndex) => {
    const isKnown = (flags & FILE_PRESENT) !== 0;
    const isPresent = (found.flags[fileIndex]! & FILE_PRESENT) !== 0;
    return isPresent ? trusted[fileIndex] === 1 : !isKnown;
  });
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw storageError('aborted', { cause: signal.reason });
}
