// The files of a torrent as columns of numbers, with entries made when they are looked at: fifty thousand files cost a
// few MiB. Paths are read from the bytes of the info dictionary each time and made safe on the way (info-paths.ts).
import type { InfoPaths } from './info-paths.ts';

/** BEP 47 attributes, as bits of {@link FileTable}'s flags column. */
export const FILE_PAD = 1;
export const FILE_EXECUTABLE = 2;
export const FILE_HIDDEN = 4;
export const FILE_SYMLINK = 8;

/** One file, made on demand. */
export interface FileEntry {
  readonly index: number;
  /**
   * Safe components below the download folder, the torrent's name first: for a single file the name alone. Each is a
   * plain name of at most 255 UTF-8 bytes on any system; no two files share a path, even where case is ignored.
   */
  readonly path: readonly string[];
  readonly length: number;
  /** Padding (BEP 47 `p`): zeros that are never written. */
  readonly isPad: boolean;
  readonly executable: boolean;
  readonly hidden: boolean;
  /** For a symbolic link: the safe path of its target, below the download folder like {@link path}. */
  readonly symlinkTarget?: readonly string[];
  /** v2 and hybrid, files with bytes: the 32-byte Merkle root. A view on the info dictionary. */
  readonly piecesRoot?: Uint8Array;
}

/** What the parser has found: all columns have one element per file. */
export interface FileColumns {
  readonly lengths: Float64Array;
  readonly flags: Uint8Array;
  readonly paths: InfoPaths;
  /** Where a file's `pieces root` begins in {@link info}; 0 means that it has none. */
  readonly rootOffsets?: Uint32Array | undefined;
  readonly info: Uint8Array;
}

export class FileTable implements Iterable<FileEntry> {
  readonly count: number;
  /** Bytes that end up on disk: all files but padding. */
  readonly contentLength: number;
  readonly #columns: FileColumns;

  constructor(columns: FileColumns) {
    this.#columns = columns;
    this.count = columns.lengths.length;
    let content = 0;
    for (let index = 0; index < this.count; index++) {
      if ((columns.flags[index]! & FILE_PAD) === 0) content += columns.lengths[index]!;
    }
    this.contentLength = content;
  }

  /** @throws RangeError for an index that is not a file's; so do all the others. */
  at(index: number): FileEntry {
    const flags = this.#flagsOf(index);
    const piecesRoot = this.piecesRootOf(index);
    const symlinkTarget = this.symlinkTargetOf(index);
    return {
      index,
      path: this.pathOf(index),
      length: this.lengthOf(index),
      isPad: (flags & FILE_PAD) !== 0,
      executable: (flags & FILE_EXECUTABLE) !== 0,
      hidden: (flags & FILE_HIDDEN) !== 0,
      ...(symlinkTarget === undefined ? {} : { symlinkTarget }),
      ...(piecesRoot === undefined ? {} : { piecesRoot }),
    };
  }

  lengthOf(index: number): number {
    this.#flagsOf(index);
    return this.#columns.lengths[index]!;
  }

  isPad(index: number): boolean {
    return (this.#flagsOf(index) & FILE_PAD) !== 0;
  }

  isSymlink(index: number): boolean {
    return (this.#flagsOf(index) & FILE_SYMLINK) !== 0;
  }

  /** The safe path of a file; see {@link FileEntry.path}. */
  pathOf(index: number): readonly string[] {
    this.#flagsOf(index);
    return this.#columns.paths.pathOf(index);
  }

  /**
   * The path of a file as it was received, the torrent's name first: what it is called where the torrent was made. To look for
   * it, never to write: nothing of {@link FileEntry.path}'s promises holds but that no component leads upwards.
   */
  originalPathOf(index: number): readonly string[] {
    this.#flagsOf(index);
    return this.#columns.paths.originalOf(index);
  }

  /** {@link originalPathOf} byte by byte, as servers know it (BEP 19); undefined for a pad file without a path. */
  rawPathOf(index: number): readonly Uint8Array[] | undefined {
    this.#flagsOf(index);
    return this.#columns.paths.rawOf(index);
  }

  symlinkTargetOf(index: number): readonly string[] | undefined {
    if (!this.isSymlink(index)) return undefined;
    return this.#columns.paths.symlinkTargetOf(index);
  }

  piecesRootOf(index: number): Uint8Array | undefined {
    this.#flagsOf(index);
    const offset = this.#columns.rootOffsets?.[index] ?? 0;
    return offset === 0 ? undefined : this.#columns.info.subarray(offset, offset + 32);
  }

  *[Symbol.iterator](): IterableIterator<FileEntry> {
    for (let index = 0; index < this.count; index++) yield this.at(index);
  }

  #flagsOf(index: number): number {
    const flags = this.#columns.flags[index];
    if (flags === undefined) {
      throw new RangeError(`file ${index} does not exist (there are ${this.count})`);
    }
    return flags;
  }
}
