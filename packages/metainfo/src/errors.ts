// The one error class of this package: whatever a .torrent, an info dictionary or a magnet link does wrong ends here.

/** Why an input was refused. Stable: programs may match on it. */
export type MetainfoErrorCode =
  /** Not bencode, or not a dictionary; `cause` is the BencodeError with the offset. */
  | 'invalid-bencode'
  /** More bytes, values, pieces, files or folders than the limit that `field` names. */
  | 'limit-exceeded'
  | 'missing-field'
  | 'wrong-type'
  /** `piece length` is zero, negative, too large, or (v2) not a power of two of at least 16 KiB. */
  | 'invalid-piece-length'
  /** A file's length is negative or beyond 2^53 - 1. */
  | 'invalid-length'
  /** The lengths of all files add up to more than 2^53 - 1 bytes. */
  | 'total-too-large'
  /** There is no file, or no file with a byte in it. */
  | 'no-content'
  /** `pieces` is not a whole number of 20-byte hashes. */
  | 'invalid-pieces'
  /** `pieces` holds more or fewer hashes than the files have pieces. */
  | 'piece-count-mismatch'
  /** A path is absolute, or has an empty, `..` or NUL component, or is nested too deeply. */
  | 'unsafe-path'
  /** A symbolic link without a target, or with one that leaves the torrent's folder. */
  | 'unsafe-symlink'
  /** `meta version` is neither 1 nor 2. */
  | 'unknown-version'
  /** The v2 `file tree` is not a tree of files. */
  | 'invalid-file-tree'
  /** A v2 file has no valid `pieces root`. */
  | 'invalid-pieces-root'
  /** `piece layers` do not hash to the file's `pieces root`, or are for no file of this torrent. */
  | 'piece-layer-mismatch'
  /** The v1 and the v2 part of a hybrid torrent describe different files. */
  | 'hybrid-mismatch'
  /** Not a magnet link, or one without a usable identifier; `field` names the parameter. */
  | 'invalid-magnet'
  /** The caller's mistake when building: what does not fit is in `field`. */
  | 'invalid-argument';

/** Thrown by everything in this package that refuses an input. */
export class MetainfoError extends Error {
  override readonly name = 'MetainfoError';
  readonly code: MetainfoErrorCode;
  /** Where the trouble is, e.g. `info.files[3].path`; a parameter's name for magnet links and arguments. */
  readonly field: string;

  constructor(code: MetainfoErrorCode, field: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.field = field;
  }
}
