// The error of this package's rim: what files and folders on disk do wrong. What a caller's arguments or a .torrent do
// wrong is a MetainfoError, as in the pure part.

/** Why the files could not be used. Stable: programs may match on it. */
export type FileErrorCode =
  /** Nothing is there: the path does not exist, or is a symbolic link to nothing. */
  | 'not-found'
  /** It is there but can't be opened or read; `cause` is the system's error (EACCES, EIO, ...). */
  | 'unreadable'
  /** The size or the modification time changed between listing and hashing, or the file went away. */
  | 'changed'
  /** Neither a file nor a folder (a socket, a device, ...), named as the input itself. */
  | 'not-a-file'
  /** A name that is not valid UTF-8 can't be written into a .torrent. */
  | 'invalid-name'
  /** A symbolic link leads back to a folder that contains it. */
  | 'link-loop'
  /** There is no file, or no file with a byte in it. */
  | 'no-content'
  /** A hash worker ended by itself; `cause` says how. */
  | 'worker-failed';

/** Thrown by everything in `@bt/metainfo/node` when the disk refuses; `message` is one sentence for a person. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code: FileErrorCode;
  /** The file or folder, as it was named or found. */
  readonly path: string;

  constructor(code: FileErrorCode, path: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.path = path;
  }
}

/** The FileError for a failed system call on `path`. */
export function fileErrorFrom(cause: unknown, path: string): FileError {
  const errno = errnoOf(cause);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return new FileError('not-found', path, `${path} does not exist.`, cause);
  }
  const reason = REASONS[errno] ?? (cause instanceof Error ? cause.message : String(cause));
  return new FileError('unreadable', path, `${path} can't be read: ${reason}.`, cause);
}

/** `EACCES` and the like, or '' when `error` is not a system error. */
export function errnoOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied (EACCES)',
  EPERM: 'operation not permitted (EPERM)',
  EIO: 'the disk reports an error (EIO)',
  EMFILE: 'too many files are open (EMFILE)',
  ENFILE: 'too many files are open on this machine (ENFILE)',
  ELOOP: 'too many symbolic links (ELOOP)',
  ENAMETOOLONG: 'its path is too long (ENAMETOOLONG)',
};
