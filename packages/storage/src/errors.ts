/**
 * What can go wrong between a torrent and its disk, as one error class with stable codes.
 * The node side translates an `errno` into a code with {@link codeOfErrno}; a pure disk makes the errors itself.
 */

/**
 * - `no-space`: ENOSPC, EDQUOT or EFBIG; goes away when space is freed
 * - `permission`: EACCES or EPERM
 * - `read-only`: EROFS, or a store that was opened read-only was asked to write
 * - `io`: EIO and every errno that has no code of its own
 * - `too-many-files`: EMFILE or ENFILE, after closing what could be closed
 * - `is-directory`: a folder stands where a file should be
 * - `not-directory`: a file stands where a folder should be
 * - `symlink`: a path component is a symbolic link that leads out of the download folder, or the file itself is one
 * - `bad-name`: the file system refuses the name (ENAMETOOLONG, EINVAL, EILSEQ)
 * - `missing`: the file is not there (any more)
 * - `truncated`: the file ends before the bytes that were asked for
 * - `changed`: size, mtime or ctime differ from what this life knows of the file: somebody else wrote to it
 * - `in-use`: another process has the torrent open in this folder
 * - `closed`: the store was closed before the work was done
 * - `aborted`: the caller's AbortSignal fired
 * - `bad-argument`: the caller's mistake, never a disk's or a stranger's
 */
export type StorageErrorCode =
  | 'no-space'
  | 'permission'
  | 'read-only'
  | 'io'
  | 'too-many-files'
  | 'is-directory'
  | 'not-directory'
  | 'symlink'
  | 'bad-name'
  | 'missing'
  | 'truncated'
  | 'changed'
  | 'in-use'
  | 'closed'
  | 'aborted'
  | 'bad-argument';

/** The facts of a {@link StorageError}; all of them optional, all of them plain data. */
export interface StorageErrorFacts {
  /** Path of the file or folder as it was opened. */
  readonly path?: string | undefined;
  /** Index of the file in the torrent. */
  readonly fileIndex?: number | undefined;
  /** The operating system's name for it, such as `ENOSPC`. */
  readonly errno?: string | undefined;
  /** The call that failed, such as `open` or `write`. */
  readonly syscall?: string | undefined;
  readonly cause?: unknown;
}

/** The only error class of this package. Match on `code`; `message` is one sentence that names the file. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  readonly path: string | undefined;
  readonly fileIndex: number | undefined;
  readonly errno: string | undefined;
  readonly syscall: string | undefined;

  constructor(code: StorageErrorCode, message: string, facts: StorageErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.path = facts.path;
    this.fileIndex = facts.fileIndex;
    this.errno = facts.errno;
    this.syscall = facts.syscall;
  }
}

const codes: ReadonlyMap<string, StorageErrorCode> = new Map<string, StorageErrorCode>([
  ['ENOSPC', 'no-space'],
  ['EDQUOT', 'no-space'],
  ['EFBIG', 'no-space'],
  ['EACCES', 'permission'],
  ['EPERM', 'permission'],
  ['EROFS', 'read-only'],
  ['EMFILE', 'too-many-files'],
  ['ENFILE', 'too-many-files'],
  ['EISDIR', 'is-directory'],
  ['ENOTDIR', 'not-directory'],
  // What mkdir says of a file in its place.
  ['EEXIST', 'not-directory'],
  ['ELOOP', 'symlink'],
  ['ENAMETOOLONG', 'bad-name'],
  ['EINVAL', 'bad-name'],
  ['EILSEQ', 'bad-name'],
  ['ENOENT', 'missing'],
]);

/** The code for an `errno` name; `io` for one that has no code of its own. */
export function codeOfErrno(errno: string | undefined): StorageErrorCode {
  return (errno === undefined ? undefined : codes.get(errno)) ?? 'io';
}

const advice: Readonly<Record<StorageErrorCode, string>> = {
  'no-space': 'no space left: free some',
  permission: 'permission denied: check the owner and mode of the file and of its folder',
  'read-only': 'the file system is read-only',
  io: 'the disk failed',
  'too-many-files': 'too many open files: raise `ulimit -n`',
  'is-directory': 'a folder stands where a file should be: move it away',
  'not-directory': 'a file stands where a folder should be: move it away',
  symlink: 'a symbolic link is in the way, and links are never followed: move it away',
  'bad-name': 'the file system refuses this name',
  missing: 'the file is not there',
  truncated: 'the file is shorter than it should be',
  changed: 'another program wrote to the file',
  'in-use': 'another process has this torrent open in this folder',
  closed: 'the store is closed',
  aborted: 'aborted',
  'bad-argument': 'wrong argument',
};

/** A StorageError with the standard sentence: what failed, on which file, and what to do about it. */
export function storageError(code: StorageErrorCode, facts: StorageErrorFacts = {}): StorageError {
  const errno = facts.errno === undefined ? '' : ` (${facts.errno})`;
  const where = facts.path === undefined ? '' : `${facts.path}: `;
  return new StorageError(code, `${where}${advice[code]}${errno}`, facts);
}
