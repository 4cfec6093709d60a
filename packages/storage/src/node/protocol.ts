/**
 * What the main thread asks of a disk worker and what it answers. A job carries everything it needs (paths, spans, the
 * expected hash), so a worker knows no torrent and serves all of them. Messages are arrays of jobs: many small pieces
 * travel in one.
 */
import type { StorageErrorCode } from '../errors.ts';

/**
 * What a piece must hash to, as text: a view would take the whole buffer behind it, all hashes of the torrent, into each message.
 */
export interface ExpectedHash {
  /** SHA-1 of the piece, or the Merkle root over the SHA-256 of its blocks. */
  readonly kind: 'sha1' | 'merkle';
  /** Lower-case hex. */
  readonly hex: string;
  /** `merkle`: leaves of the tree, a power of two; 0 for `sha1`. */
  readonly leafCount: number;
}

/** The files of a job and the spans of its bytes, as `SpanList` of `layout.ts` but with paths. */
export interface JobSpans {
  /** Absolute path of the download folder, all symbolic links resolved. No file outside of it is touched. */
  readonly root: string;
  /** Path of each file below `root`. */
  readonly paths: readonly string[];
  /** What the torrent says of each file's length: a longer one is cut when it is opened for writing. */
  readonly lengths: readonly number[];
  /** Up to where each file has been written before; one that is shorter has been cut or removed. Absent for reading. */
  readonly written?: readonly number[];
  /** Which files are to be made executable when they are created; absent when none. */
  readonly executables?: readonly boolean[];
  /** `[index into paths or -1 for padding, fileOffset, length, ...]` */
  readonly spans: readonly number[];
}

/** Hash a piece in memory and write it if it is right. */
export interface SaveJob extends JobSpans {
  readonly kind: 'save';
  readonly data: Uint8Array<ArrayBuffer>;
  readonly expected: ExpectedHash;
  readonly blockHashes: boolean;
}

/** Write parts of `data` unhashed: spans and `runs` both count bytes of `data`. */
export interface WriteJob extends JobSpans {
  readonly kind: 'write';
  readonly data: Uint8Array<ArrayBuffer>;
  readonly runs: readonly number[];
}

/** Read pieces from disk and hash them. The spans are those of the pieces one after the other. */
export interface CheckJob extends JobSpans {
  readonly kind: 'check';
  readonly sizes: readonly number[];
  readonly expected: readonly ExpectedHash[];
  /** SHA-256 of each block; `on-mismatch` and `always` only for a single piece. */
  readonly blockHashes: 'never' | 'on-mismatch' | 'always';
}

/** Flush files to the disk (`fsync`). */
export interface SyncJob {
  readonly kind: 'sync';
  readonly root: string;
  readonly paths: readonly string[];
}

/** Close what is open below `root`. */
export interface ForgetJob {
  readonly kind: 'forget';
  readonly root: string;
}

export type Job = SaveJob | WriteJob | CheckJob | SyncJob | ForgetJob;

/** A failure on the way to a worker's answer: a StorageError as plain data. */
export interface Failure {
  readonly code: StorageErrorCode;
  readonly errno?: string | undefined;
  readonly syscall?: string | undefined;
  /** Index into the job's `paths`; -1 when no file of the job is to blame. */
  readonly file: number;
  /** The path that failed: the file's, or that of a folder on the way to it. */
  readonly path: string;
}

export interface SaveAnswer {
  readonly kind: 'save';
  readonly isRight: boolean;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly blockHashes?: Uint8Array | undefined;
  /** The hash was right and the piece could not be written. */
  readonly failure?: Failure | undefined;
  /** Files of the job that lacked bytes which had been written to them: indices into its `paths`. */
  readonly cut?: readonly number[] | undefined;
}

export interface WriteAnswer {
  readonly kind: 'write';
  readonly data: Uint8Array<ArrayBuffer>;
  readonly failure?: Failure | undefined;
  /** As in `SaveAnswer`. */
  readonly cut?: readonly number[] | undefined;
}

/** One of `WRONG`, `RIGHT` and `UNREADABLE` for each piece. */
export interface CheckAnswer {
  readonly kind: 'check';
  readonly results: Uint8Array;
  readonly blockHashes?: Uint8Array | undefined;
  /** Why the first unreadable piece was so. */
  readonly failure?: Failure | undefined;
}

export const WRONG = 0;
export const RIGHT = 1;
export const UNREADABLE = 2;

export interface SyncAnswer {
  readonly kind: 'sync';
  /** One byte a path: 1 when it was flushed. */
  readonly synced: Uint8Array;
}

export interface ForgetAnswer {
  readonly kind: 'forget';
}

/** The answer to each kind of job. */
export interface AnswerTo {
  readonly save: SaveAnswer;
  readonly write: WriteAnswer;
  readonly check: CheckAnswer;
  readonly sync: SyncAnswer;
  readonly forget: ForgetAnswer;
}

export type Answer = AnswerTo[Job['kind']];
