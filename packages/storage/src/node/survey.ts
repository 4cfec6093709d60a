/**
 * What is on disk of a torrent: one `lstat` a file. Synchronous calls in slices of a few milliseconds: 50,000 promises
 * cost many times the calls themselves, and the event loop goes on in between.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { FileTable } from '@bt/metainfo';
import { codeOfErrno, type StorageError, type StorageErrorCode, storageError } from '../errors.ts';
import { emptyColumns, FILE_PRESENT, type FileColumnsOnDisk } from '../resume.ts';
import { isInside } from './open-files.ts';

export interface Survey {
  /** `FILE_PRESENT`, size and times of each regular file; links and folders don't count as present. */
  readonly found: FileColumnsOnDisk;
  /** Files of which nothing can be read or written as things are: a folder or a link in the way, no permission. */
  readonly problems: ReadonlyMap<number, StorageError>;
}

const SLICE_MS = 4;

/** Calls `visit` for 0 to `count - 1`, letting the event loop turn every few milliseconds. */
export async function inSlices(
  count: number,
  signal: AbortSignal | undefined,
  visit: (index: number) => void,
): Promise<void> {
  let sliceEnd = performance.now() + SLICE_MS;
  for (let index = 0; index < count; index++) {
    if ((index & 15) === 0 && performance.now() > sliceEnd) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (signal?.aborted) throw storageError('aborted', { cause: signal.reason });
      sliceEnd = performance.now() + SLICE_MS;
    }
    visit(index);
  }
}

/** @param root the resolved download folder; it need not exist */
export async function surveyFiles(
  root: string,
  files: FileTable,
  signal: AbortSignal | undefined,
): Promise<Survey> {
  const found = emptyColumns(files.count);
  const problems = new Map<number, StorageError>();
  const folders = new Map<string, 'inside' | 'missing' | StorageError>();
  await inSlices(files.count, signal, (index) => {
    if (files.isPad(index) || files.isSymlink(index)) return;
    const full = path.join(root, ...files.pathOf(index));
    const folder = path.dirname(full);
    let state = folders.get(folder);
    if (state === undefined) {
      state = judgeFolder(root, folder);
      folders.set(folder, state);
    }
    if (state === 'missing') return;
    if (state !== 'inside') {
      problems.set(index, storageError(state.code, { ...state, fileIndex: index }));
      return;
    }
    const problem = surveyFile(full, index, found);
    if (problem !== undefined) problems.set(index, problem);
  });
  return { found, problems };
}

/** Put one file's size and times into the columns; without the file, that it is missing. */
export function surveyFile(
  full: string,
  fileIndex: number,
  columns: FileColumnsOnDisk,
): StorageError | undefined {
  columns.flags[fileIndex]! &= ~FILE_PRESENT;
  try {
    const stat = fs.lstatSync(full, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isDirectory()) return storageError('is-directory', { path: full, fileIndex });
    if (stat.isSymbolicLink()) return storageError('symlink', { path: full, fileIndex });
    if (!stat.isFile()) return storageError('is-directory', { path: full, fileIndex });
    columns.flags[fileIndex]! |= FILE_PRESENT;
    columns.sizes[fileIndex] = Number(stat.size);
    columns.mtimesNs[fileIndex] = stat.mtimeNs;
    columns.ctimesNs[fileIndex] = stat.ctimeNs;
    return undefined;
  } catch (error) {
    return failedCall(error, full, fileIndex);
  }
}

/** Where the folder leads to, all links resolved. */
export function judgeFolder(root: string, folder: string): 'inside' | 'missing' | StorageError {
  try {
    return isInside(root, fs.realpathSync.native(folder))
      ? 'inside'
      : storageError('symlink', { path: folder });
  } catch (error) {
    const failure = failedCall(error, folder, undefined);
    return failure.code === 'missing' ? 'missing' : failure;
  }
}

function failedCall(error: unknown, where: string, fileIndex: number | undefined): StorageError {
  const { code: errno, syscall } = error as NodeJS.ErrnoException;
  if (errno === undefined) throw error;
  const code: StorageErrorCode = codeOfErrno(errno);
  return storageError(code, { path: where, fileIndex, errno, syscall, cause: error });
}
