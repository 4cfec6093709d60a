// The file lists of an info dictionary, as columns: v1 `files` or `length` (BEP 3, attributes and symlinks of BEP 47), v2
// `file tree` (BEP 52). Loops, not recursion: a stranger decides how deep and how long they are.
import { BencodeDict, type BencodeList } from '@bt/bencode';
import { MetainfoError } from './errors.ts';
import { type FieldPath, requireBytes, requireLength, requireList } from './fields.ts';
import { FILE_EXECUTABLE, FILE_HIDDEN, FILE_PAD, FILE_SYMLINK } from './file-table.ts';
import { ListPaths, type RawPaths, TreePaths } from './info-paths.ts';
import { MAX_PATH_DEPTH } from './path.ts';
import { isUtf8 } from './text.ts';

/** What a list of files says, before its paths are made safe. */
export interface FileList {
  readonly lengths: Float64Array;
  readonly flags: Uint8Array;
  readonly raw: RawPaths;
  /** v2: where each file's pieces root stands; 0 for none. */
  readonly rootOffsets?: Uint32Array;
  /** Where the `symlink path` of a symbolic link stands. */
  readonly symlinkOffsets: ReadonlyMap<number, number>;
}

/** The `files` list of v1. `base` is where `info` begins in the decoded input. */
export function readFileList(files: BencodeList, info: Uint8Array, base: number): FileList {
  const count = files.length;
  const lengths = new Float64Array(count);
  const flags = new Uint8Array(count);
  const pathOffsets = new Uint32Array(count);
  const symlinkOffsets = new Map<number, number>();
  let index = 0;
  for (const file of files) {
    const at = `info.files[${index}]`;
    if (!(file instanceof BencodeDict)) {
      throw new MetainfoError('wrong-type', at, `The entry ${at} is not a dictionary.`);
    }
    flags[index] = readAttributes(file);
    lengths[index] = readFileLength(file, flags[index]!, at);
    const path = choosePath(file);
    if (path !== undefined) {
      checkPathList(path, `${at}.path`);
      pathOffsets[index] = path.span.start - base;
    } else if ((flags[index]! & FILE_PAD) === 0) {
      requireList(file, 'path', at);
    }
    if ((flags[index]! & FILE_SYMLINK) !== 0) {
      symlinkOffsets.set(index, readSymlink(file, base, at));
    }
    index++;
  }
  return { lengths, flags, raw: new ListPaths(info, pathOffsets), symlinkOffsets };
}

/** v1 with a `length`: one file, whose path is the torrent's name. */
export function readSingleFile(info: BencodeDict, name: Uint8Array): FileList {
  const flags = readAttributes(info) & (FILE_EXECUTABLE | FILE_HIDDEN);
  return {
    lengths: Float64Array.of(requireLength(info, 'info')),
    flags: Uint8Array.of(flags),
    raw: { componentsOf: () => [name] },
    symlinkOffsets: new Map(),
  };
}

/** The `file tree` of v2. */
export function readFileTree(tree: BencodeDict, info: Uint8Array, base: number): FileList {
  const lengths: number[] = [];
  const flags: number[] = [];
  const rootOffsets: number[] = [];
  const symlinkOffsets = new Map<number, number>();
  const paths = new TreePaths(info);
  const stack = [{ entries: tree.entries(), folder: 0 }];
  while (stack.length > 0) {
    const { entries, folder } = stack.at(-1)!;
    const next = entries.next();
    if (next.done) {
      stack.pop();
      continue;
    }
    const [key, value] = next.value;
    const at = `info.file tree[${lengths.length}]`;
    if (key.length === 0 || !(value instanceof BencodeDict)) {
      throw invalidTree(at, 'has something else than files and folders with names');
    }
    const keyOffset = key.byteOffset - info.byteOffset;
    const file = value.get('');
    if (file === undefined) {
      if (stack.length >= MAX_PATH_DEPTH) throw tooDeep(at);
      stack.push({ entries: value.entries(), folder: paths.addFolder(folder, keyOffset) });
      continue;
    }
    if (!(file instanceof BencodeDict) || value.size !== 1) {
      throw invalidTree(at, 'has an entry that is neither a file nor a folder');
    }
    const attributes = readAttributes(file);
    if ((attributes & FILE_PAD) !== 0) throw invalidTree(at, 'has a pad file');
    const length = readFileLength(file, attributes, at);
    if ((attributes & FILE_SYMLINK) !== 0) {
      symlinkOffsets.set(lengths.length, readSymlink(file, base, at));
    }
    paths.addFile(folder, keyOffset);
    lengths.push(length);
    flags.push(attributes);
    rootOffsets.push(length === 0 ? 0 : readPiecesRoot(file, info, at));
  }
  return {
    lengths: Float64Array.from(lengths),
    flags: Uint8Array.from(flags),
    raw: paths,
    rootOffsets: Uint32Array.from(rootOffsets),
    symlinkOffsets,
  };
}

/** Where a string is given in two spellings, the one to use: `key.utf-8` if it is there and UTF-8, else `key`. */
export function chooseName(dict: BencodeDict): Uint8Array {
  const utf8 = dict.bytes('name.utf-8');
  return utf8 !== undefined && isUtf8(utf8) ? utf8 : requireBytes(dict, 'name', 'info');
}

/** As {@link chooseName} for paths; `path.utf-8` must also have as many components as `path`. */
function choosePath(file: BencodeDict): BencodeList | undefined {
  const path = file.list('path');
  const utf8 = file.list('path.utf-8');
  if (utf8 === undefined || (path !== undefined && path.length !== utf8.length)) return path;
  for (const component of utf8) {
    if (!(component instanceof Uint8Array) || !isUtf8(component)) return path;
  }
  return utf8;
}

function checkPathList(path: BencodeList, at: FieldPath): void {
  if (path.length === 0) {
    throw new MetainfoError('unsafe-path', at, `The path in ${at} is empty.`);
  }
  if (path.length > MAX_PATH_DEPTH) throw tooDeep(at);
  for (const component of path) {
    if (!(component instanceof Uint8Array)) {
      throw new MetainfoError('wrong-type', at, `The path in ${at} is not a list of strings.`);
    }
  }
}

/** BEP 47: letters for pad, executable, hidden and symbolic link; others are to be ignored. */
function readAttributes(file: BencodeDict): number {
  let flags = 0;
  for (const letter of file.bytes('attr') ?? []) {
    if (letter === 0x70) flags |= FILE_PAD;
    else if (letter === 0x78) flags |= FILE_EXECUTABLE;
    else if (letter === 0x68) flags |= FILE_HIDDEN;
    else if (letter === 0x6c) flags |= FILE_SYMLINK;
  }
  return flags;
}

/** A symbolic link has no bytes, whatever length it is given (BEP 47). */
function readFileLength(file: BencodeDict, flags: number, at: FieldPath): number {
  return (flags & FILE_SYMLINK) !== 0 ? 0 : requireLength(file, at);
}

function readSymlink(file: BencodeDict, base: number, at: FieldPath): number {
  const target = file.list('symlink path');
  const isPath =
    target !== undefined &&
    target.length > 0 &&
    target.length <= MAX_PATH_DEPTH &&
    target.toArray().every((component) => component instanceof Uint8Array);
  if (isPath) return target.span.start - base;
  throw new MetainfoError(
    'unsafe-symlink',
    `${at}.symlink path`,
    `The symbolic link ${at} has no target.`,
  );
}

function readPiecesRoot(file: BencodeDict, info: Uint8Array, at: FieldPath): number {
  const root = file.bytes('pieces root');
  if (root?.length === 32 && root.some((byte) => byte !== 0)) {
    return root.byteOffset - info.byteOffset;
  }
  throw new MetainfoError(
    'invalid-pieces-root',
    `${at}.pieces root`,
    `The file ${at} has no pieces root of 32 bytes.`,
  );
}

function invalidTree(field: FieldPath, what: string): MetainfoError {
  return new MetainfoError('invalid-file-tree', field, `The file tree ${what}.`);
}

function tooDeep(field: FieldPath): MetainfoError {
  return new MetainfoError(
    'unsafe-path',
    field,
    `The path in ${field} is more than ${MAX_PATH_DEPTH} folders deep.`,
  );
}
