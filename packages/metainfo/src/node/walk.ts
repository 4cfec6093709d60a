// Lists the files a torrent is made of, in the order of Debian's mktorrent: sorted by the bytes of the whole path below the
// root (so `a-b/x` comes before `a/x`, since `-` is less than `/`).
import { accessSync, constants, readdirSync, type Stats, statSync } from 'node:fs';
import { basename, resolve, sep } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errnoOf, FileError, fileErrorFrom } from './errors.ts';

/** A file as it was when it was listed. */
export interface FoundFile {
  /** Where it is on disk. */
  readonly diskPath: string;
  /** Components below the root; `[name]` when the root is itself the file. */
  readonly path: readonly string[];
  readonly lengthBytes: number;
  readonly modifiedMs: number;
  readonly isExecutable: boolean;
}

/** Something in the tree that can't be in a torrent: a socket, a pipe or a device. */
export interface SkippedFile {
  readonly diskPath: string;
  readonly reason: string;
}

export interface FileListing {
  /** The name of the root on disk. */
  readonly rootName: string;
  readonly isSingleFile: boolean;
  readonly files: readonly FoundFile[];
  readonly skipped: readonly SkippedFile[];
  readonly totalLength: number;
}

export interface ListOptions {
  /** Whether to leave out a file, or a folder with all it holds, given by its components below the root. */
  readonly isExcluded?: ((path: readonly string[]) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with what has been found so far. */
  readonly onFound?: (fileCount: number, totalLength: number) => void;
}

/**
 * Lists `input`, a file or a folder with everything below it.
 *
 * Symbolic links are followed, as Debian's mktorrent does: the torrent holds what they lead to. A link to nothing and a
 * link that leads back to a folder above it are errors. Sockets, pipes and devices are skipped and reported. A file that
 * can't be read is an error, since a torrent without it would not be what was asked for.
 *
 * @throws FileError; the signal's reason when aborted.
 */
export async function listFiles(input: string, options: ListOptions = {}): Promise<FileListing> {
  const root = resolve(input);
  const stats = statOf(root);
  if (stats.isFile()) {
    const file = foundFile(root, [basename(root)], stats);
    return {
      rootName: basename(root),
      isSingleFile: true,
      files: [file],
      skipped: [],
      totalLength: file.lengthBytes,
    };
  }
  if (!stats.isDirectory()) {
    throw new FileError('not-a-file', root, `${root} is neither a file nor a folder.`);
  }
  const walk = new Walk(options);
  await walk.folder(root, [], [folderKey(stats)]);
  return {
    rootName: basename(root),
    isSingleFile: false,
    files: sortByPathBytes(walk.files),
    skipped: walk.skipped,
    totalLength: walk.totalLength,
  };
}

/** Entries listed before other work gets a turn; a thousand take a few milliseconds. */
const ENTRIES_PER_TURN = 1000;

class Walk {
  readonly files: FoundFile[] = [];
  readonly skipped: SkippedFile[] = [];
  totalLength = 0;
  readonly #options: ListOptions;
  #entries = 0;

  constructor(options: ListOptions) {
    this.#options = options;
  }

  /** `above` holds the device and inode of this folder and of all it lies in, so that a link can't lead in a circle. */
  async folder(folder: string, path: readonly string[], above: readonly string[]): Promise<void> {
    for (const name of namesIn(folder)) {
      const childPath = [...path, name];
      if (this.#options.isExcluded?.(childPath) === true) continue;
      if (++this.#entries % ENTRIES_PER_TURN === 0) await this.#pause();
      const child = folder + sep + name; // join() would normalise what is normal already, at 2 us a file
      const stats = statOf(child, name);
      if (stats.isFile()) {
        const file = foundFile(child, childPath, stats);
        this.totalLength += file.lengthBytes;
        this.files.push(file);
      } else if (stats.isDirectory()) {
        const key = folderKey(stats);
        if (above.includes(key)) {
          const message = `${child} is a symbolic link to a folder that contains it; exclude it.`;
          throw new FileError('link-loop', child, message);
        }
        await this.folder(child, childPath, [...above, key]);
      } else {
        this.skipped.push({ diskPath: child, reason: kindOf(stats) });
      }
    }
  }

  async #pause(): Promise<void> {
    this.#options.onFound?.(this.files.length, this.totalLength);
    await nextTurn();
    this.#options.signal?.throwIfAborted();
  }
}

/** The system need not be asked whether such a file can be read. */
const READABLE_BY_ALL = constants.S_IRUSR | constants.S_IRGRP | constants.S_IROTH;

function foundFile(diskPath: string, path: readonly string[], stats: Stats): FoundFile {
  if ((stats.mode & READABLE_BY_ALL) !== READABLE_BY_ALL) {
    try {
      accessSync(diskPath, constants.R_OK); // said now, not after hours of hashing what comes before it
    } catch (error) {
      throw fileErrorFrom(error, diskPath);
    }
  }
  return {
    diskPath,
    path,
    lengthBytes: stats.size,
    modifiedMs: stats.mtimeMs,
    isExecutable: (stats.mode & constants.S_IXUSR) !== 0,
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw fileErrorFrom(error, folder);
  }
}

function statOf(path: string, name = basename(path)): Stats {
  try {
    return statSync(path);
  } catch (error) {
    // Node decodes names as UTF-8 and puts U+FFFD where that fails, so the file can't be found by the decoded name.
    if (errnoOf(error) === 'ENOENT' && name.includes('\ufffd')) {
      const message = `${path}: the name is not valid UTF-8, which a .torrent needs; rename or exclude it.`;
      throw new FileError('invalid-name', path, message, error);
    }
    throw fileErrorFrom(error, path);
  }
}

function kindOf(stats: Stats): string {
  if (stats.isSocket()) return 'a socket';
  if (stats.isFIFO()) return 'a named pipe';
  return 'a device';
}

function folderKey(stats: Stats): string {
  return `${stats.dev}:${stats.ino}`;
}

function sortByPathBytes(files: FoundFile[]): FoundFile[] {
  const keyed = files.map((file) => ({ file, key: file.path.join('/') }));
  // UTF-16 order is that of the UTF-8 bytes unless a surrogate meets a character above it.
  const isPlain = keyed.every(({ key }) => !/[\ud800-\uffff]/.test(key));
  if (isPlain) keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  else {
    const bytes = keyed.map(({ file, key }) => ({ file, key: Buffer.from(key) }));
    return bytes.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ file }) => file);
  }
  return keyed.map(({ file }) => file);
}
