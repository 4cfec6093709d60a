// Paths read from the bytes of an info dictionary when they are asked for. What is kept per file is where its path stands
// (v1: the offset of a list; v2: a folder's number and the offset of a key), a few bytes instead of strings.
import { type PathReason, type PathRules, safeComponent } from './path.ts';
import { decodeLossy, decodeUtf8 } from './text.ts';

/** The path of a file as it was received, below the torrent's name. */
export interface RawPaths {
  /** Views on the info dictionary; undefined for a pad file without a path. */
  componentsOf(fileIndex: number): readonly Uint8Array[] | undefined;
}

/** v1: every file has a list of strings. */
export class ListPaths implements RawPaths {
  readonly #info: Uint8Array;
  readonly #offsets: Uint32Array;

  /** @param offsets Where each list's `l` stands in `info`; 0 for none. */
  constructor(info: Uint8Array, offsets: Uint32Array) {
    this.#info = info;
    this.#offsets = offsets;
  }

  componentsOf(fileIndex: number): readonly Uint8Array[] | undefined {
    const offset = this.#offsets[fileIndex]!;
    return offset === 0 ? undefined : readStringList(this.#info, offset);
  }
}

/** v2: files are leaves of a tree of dictionaries. Also the builder of its columns, while the tree is walked. */
export class TreePaths implements RawPaths {
  readonly #info: Uint8Array;
  /** Per folder: its parent's number and where its name stands. Folder 0 is the root. */
  readonly #folderParents: number[] = [0];
  readonly #folderKeys: number[] = [0];
  readonly #fileFolders: number[] = [];
  readonly #fileKeys: number[] = [];

  constructor(info: Uint8Array) {
    this.#info = info;
  }

  /** @param keyOffset Where the key's content begins in the info dictionary. */
  addFolder(parent: number, keyOffset: number): number {
    this.#folderParents.push(parent);
    return this.#folderKeys.push(keyOffset) - 1;
  }

  addFile(folder: number, keyOffset: number): void {
    this.#fileFolders.push(folder);
    this.#fileKeys.push(keyOffset);
  }

  componentsOf(fileIndex: number): readonly Uint8Array[] {
    const components = [readStringBefore(this.#info, this.#fileKeys[fileIndex]!)];
    for (let folder = this.#fileFolders[fileIndex]!; folder !== 0; ) {
      components.push(readStringBefore(this.#info, this.#folderKeys[folder]!));
      folder = this.#folderParents[folder]!;
    }
    return components.reverse();
  }
}

export interface InfoPathsOptions {
  readonly info: Uint8Array;
  readonly raw: RawPaths;
  /** The torrent's safe name, the first component of every path; undefined for a single file that is not in a folder. */
  readonly folder: string | undefined;
  /** The torrent's name as it was received. */
  readonly rawName: Uint8Array;
  readonly rules: PathRules;
  /** Where the `symlink path` list of a file stands in the info dictionary. */
  readonly symlinkOffsets: ReadonlyMap<number, number>;
}

/** The safe paths of a torrent's files. */
export class InfoPaths {
  /** New last components of files whose path collided with another. */
  renames: ReadonlyMap<number, string> = new Map();
  readonly #options: InfoPathsOptions;

  constructor(options: InfoPathsOptions) {
    this.#options = options;
  }

  pathOf(fileIndex: number): readonly string[] {
    const components = this.componentsOf(fileIndex, new Set());
    const renamed = this.renames.get(fileIndex);
    if (renamed !== undefined) components[components.length - 1] = renamed;
    return this.#below(components);
  }

  /** The path as it was received, the torrent's name first. */
  originalOf(fileIndex: number): readonly string[] {
    const components = this.rawOf(fileIndex);
    if (components === undefined) return this.pathOf(fileIndex);
    return components.map((bytes) => decodeUtf8(bytes) ?? decodeLossy(bytes));
  }

  /** The same as bytes; undefined for a pad file without a path. */
  rawOf(fileIndex: number): readonly Uint8Array[] | undefined {
    const { raw, folder, rawName } = this.#options;
    const components = raw.componentsOf(fileIndex);
    return components === undefined || folder === undefined ? components : [rawName, ...components];
  }

  /**
   * The safe components below the torrent's name, before collisions are resolved.
   * @param reasons Where to note what was changed.
   */
  componentsOf(fileIndex: number, reasons: Set<PathReason>): string[] {
    const { raw, rules } = this.#options;
    const components = raw.componentsOf(fileIndex);
    // A pad file needs no path (BEP 47), and is never written.
    if (components === undefined) return ['.pad', `${fileIndex}`];
    const field = () => fieldOf(fileIndex);
    return components.map((bytes) => safeComponent(bytes, field, reasons, rules));
  }

  symlinkTargetOf(fileIndex: number): readonly string[] | undefined {
    const { info, rules, symlinkOffsets } = this.#options;
    const offset = symlinkOffsets.get(fileIndex);
    if (offset === undefined) return undefined;
    const field = () => fieldOf(fileIndex);
    const reasons = new Set<PathReason>();
    return this.#below(
      readStringList(info, offset).map((bytes) => safeComponent(bytes, field, reasons, rules)),
    );
  }

  #below(components: readonly string[]): readonly string[] {
    const { folder } = this.#options;
    return folder === undefined ? components : [folder, ...components];
  }
}

function fieldOf(fileIndex: number): string {
  return `info.files[${fileIndex}].path`;
}

/** The strings of a list that is known to be well-formed and to hold nothing else. */
function readStringList(info: Uint8Array, listOffset: number): Uint8Array[] {
  const strings: Uint8Array[] = [];
  let offset = listOffset + 1;
  while (info[offset] !== 0x65) {
    let length = 0;
    for (; info[offset] !== 0x3a; offset++) length = length * 10 + (info[offset]! - 0x30);
    strings.push(info.subarray(offset + 1, offset + 1 + length));
    offset += 1 + length;
  }
  return strings;
}

/** The string whose content begins at an offset: its length stands before it. */
function readStringBefore(info: Uint8Array, contentOffset: number): Uint8Array {
  let length = 0;
  let scale = 1;
  // Backwards over the digits; what is before them is never a digit that belongs to something else, see `keyOffset`.
  for (let offset = contentOffset - 2; isDigit(info[offset]); offset--) {
    length += (info[offset]! - 0x30) * scale;
    scale *= 10;
  }
  return info.subarray(contentOffset, contentOffset + length);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
