/**
 * Opening a torrent's files without ever leaving its folder, and keeping few of them open (least recently used).
 * Used by disk workers, so everything here is synchronous.
 *
 * A path is refused when one of its folders resolves to a place outside of the root, or when the file itself is a symbolic
 * link (`O_NOFOLLOW`). Folders are made when the first file in them is written.
 */
import fs from 'node:fs';
import path from 'node:path';
import { codeOfErrno, type StorageErrorCode } from '../errors.ts';

/** The calls that touch the disk, so that a test can put a failing one in their place. `node:fs` is one. */
export type FileSystem = Pick<
  typeof fs,
  | 'openSync'
  | 'closeSync'
  | 'readSync'
  | 'writeSync'
  | 'fstatSync'
  | 'ftruncateSync'
  | 'fsyncSync'
  | 'mkdirSync'
> & { realpathSync(path: string): string; statSync(path: string): { isDirectory(): boolean } };

/** The file system of the machine. */
export const nodeFileSystem: FileSystem = {
  openSync: fs.openSync,
  closeSync: fs.closeSync,
  readSync: fs.readSync,
  writeSync: fs.writeSync,
  fstatSync: fs.fstatSync,
  ftruncateSync: fs.ftruncateSync,
  fsyncSync: fs.fsyncSync,
  mkdirSync: fs.mkdirSync,
  statSync: fs.statSync,
  realpathSync: fs.realpathSync.native,
};

// Windows has neither flag. O_NONBLOCK keeps an open of a FIFO from waiting for its other end.
const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY, O_RDWR, O_CREAT } = fs.constants;
export const READ_FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
const WRITE_FLAGS = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;

/** A failed call or a refused path, before it is known which file of which torrent it is. */
export class DiskFailure extends Error {
  readonly code: StorageErrorCode;
  readonly path: string;
  readonly errno: string | undefined;
  readonly syscall: string | undefined;

  constructor(code: StorageErrorCode, where: string, errno?: string, syscall?: string) {
    super(`${code}: ${where}`);
    this.code = code;
    this.path = where;
    this.errno = errno;
    this.syscall = syscall;
  }

  /** From what `node:fs` throws; anything else is a defect and goes on. */
  static from(error: unknown, where: string): DiskFailure {
    if (error instanceof DiskFailure) return error;
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (typeof code !== 'string' || typeof syscall !== 'string') throw error;
    return new DiskFailure(codeOfErrno(code), where, code, syscall);
  }
}

/** True when `real`, a resolved path, is `root` or below it. */
export function isInside(root: string, real: string): boolean {
  return real === root || real.startsWith(root.endsWith(path.sep) ? root : root + path.sep);
}

/**
 * Makes a folder and those it is in, where they are missing. A call for each: where the system says that something is missing
 * whatever is made, as in /proc, Node's own recursion never ends. Throws what the system says.
 */
export function makeFolder(
  fileSystem: Pick<FileSystem, 'mkdirSync' | 'statSync'>,
  folder: string,
  mode = 0o777,
): void {
  try {
    fileSystem.mkdirSync(folder, mode);
    return;
  } catch (error) {
    if (isFolder(fileSystem, folder)) return;
    const parent = path.dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === folder) throw error;
    makeFolder(fileSystem, parent, mode);
  }
  try {
    fileSystem.mkdirSync(folder, mode);
  } catch (error) {
    // Another worker may have made it meanwhile.
    if (!isFolder(fileSystem, folder)) throw error;
  }
}

function isFolder(fileSystem: Pick<FileSystem, 'statSync'>, folder: string): boolean {
  try {
    return fileSystem.statSync(folder).isDirectory();
  } catch {
    return false;
  }
}

export interface WriteMode {
  /** A longer file is cut to this when it is opened. */
  readonly lengthBytes: number;
  readonly isExecutable: boolean;
}

interface OpenFile {
  readonly fd: number;
  readonly root: string;
  readonly isWritable: boolean;
}

export class OpenFiles {
  readonly #fs: FileSystem;
  readonly #maxOpen: number;
  /** By full path; the least recently used first. */
  readonly #open = new Map<string, OpenFile>();
  /** Size of the file when {@link forWriting} returned it. */
  sizeBytes = 0;
  /** The folder that was found to be inside, so that the many files of one folder cost one check. */
  #checkedFolder = '';

  constructor(fileSystem: FileSystem, maxOpen: number) {
    this.#fs = fileSystem;
    this.#maxOpen = Math.max(1, maxOpen);
  }

  get count(): number {
    return this.#open.size;
  }

  /** To be called when a job begins: folders may have been moved since the last one. */
  startJob(): void {
    this.#checkedFolder = '';
  }

  /** Descriptor for reading; valid until the next call. @throws DiskFailure */
  forReading(root: string, relative: string): number {
    return this.#find(root, relative, undefined);
  }

  /** Descriptor for writing, the file and its folders made where missing; valid until the next call. @throws DiskFailure */
  forWriting(root: string, relative: string, mode: WriteMode): number {
    return this.#find(root, relative, mode);
  }

  /** Close all files, or those below `root`. */
  close(root?: string): void {
    for (const [full, file] of this.#open) {
      if (root === undefined || file.root === root) this.#closeOne(full, file);
    }
  }

  #find(root: string, relative: string, mode: WriteMode | undefined): number {
    const full = path.join(root, relative);
    const known = this.#open.get(full);
    if (known !== undefined) {
      this.#open.delete(full);
      const stat = this.#fs.fstatSync(known.fd);
      // A file that was removed has no name any more: what its path means now is to be found out again.
      if (stat.nlink > 0 && (mode === undefined || known.isWritable)) {
        this.#open.set(full, known);
        this.sizeBytes = stat.size;
        return known.fd;
      }
      this.#closeOne(full, known);
    }
    try {
      this.#checkFolder(root, path.dirname(full), mode !== undefined);
      const fd = this.#openOne(full, mode);
      this.#open.set(full, { fd, root, isWritable: mode !== undefined });
      return fd;
    } catch (error) {
      throw DiskFailure.from(error, full);
    }
  }

  #openOne(full: string, mode: WriteMode | undefined): number {
    for (const [oldest, file] of this.#open) {
      if (this.#open.size < this.#maxOpen) break;
      this.#closeOne(oldest, file);
    }
    try {
      return this.#openNow(full, mode);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== 'EMFILE' && code !== 'ENFILE') || this.#open.size === 0) throw error;
      this.close();
      return this.#openNow(full, mode);
    }
  }

  #openNow(full: string, mode: WriteMode | undefined): number {
    if (mode === undefined) return this.#fs.openSync(full, READ_FLAGS);
    const fd = this.#fs.openSync(full, WRITE_FLAGS, mode.isExecutable ? 0o777 : 0o666);
    try {
      const stat = this.#fs.fstatSync(fd);
      if (!stat.isFile()) throw new DiskFailure('is-directory', full);
      if (stat.size > mode.lengthBytes) this.#fs.ftruncateSync(fd, mode.lengthBytes);
      this.sizeBytes = Math.min(stat.size, mode.lengthBytes);
    } catch (error) {
      this.#fs.closeSync(fd);
      throw error;
    }
    return fd;
  }

  /** @throws when `folder` resolves to a place outside of `root`. Makes it, and what is missing on the way, if `make`. */
  #checkFolder(root: string, folder: string, make: boolean): void {
    if (folder === this.#checkedFolder) return;
    let existing = folder;
    for (;;) {
      const real = this.#resolve(existing, make && existing !== root);
      if (real === undefined) {
        existing = path.dirname(existing);
        continue;
      }
      if (!isInside(root, real)) throw new DiskFailure('symlink', existing);
      break;
    }
    if (existing !== folder) {
      try {
        makeFolder(this.#fs, folder);
      } catch (error) {
        throw DiskFailure.from(error, folder);
      }
      if (!isInside(root, this.#fs.realpathSync(folder))) throw new DiskFailure('symlink', folder);
    }
    this.#checkedFolder = folder;
  }

  #resolve(folder: string, mayBeMissing: boolean): string | undefined {
    try {
      return this.#fs.realpathSync(folder);
    } catch (error) {
      if (mayBeMissing && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw DiskFailure.from(error, folder);
    }
  }

  #closeOne(full: string, file: OpenFile): void {
    this.#open.delete(full);
    try {
      this.#fs.closeSync(file.fd);
    } catch {
      // The descriptor is gone either way. A write error that is told only here (NFS) is found by fsync or the next hash.
    }
  }
}
