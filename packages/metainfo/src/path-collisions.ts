// Finds files that would share a path (twice the same, differing in case only, a file that is also a folder) and gives the
// later ones another name. Linear in the torrent's size and frugal: almost all paths are only hashed, and only those
// whose hash occurs again are looked at as text.
import { foldName, numberedName } from './path.ts';

/**
 * The paths to compare: safe components below the torrent's name; undefined for files that are never written. Called at
 * least once for every file, in their order.
 */
export type ComponentsOf = (fileIndex: number) => readonly string[] | undefined;

/**
 * New last components by file index. The rule: files are taken in their order; one whose path (case and the form of
 * accents ignored) is a folder's or an earlier file's becomes `name.1.ext`, or the next number that is free.
 */
export function resolveCollisions(
  fileCount: number,
  componentsOf: ComponentsOf,
): ReadonlyMap<number, string> {
  const renames = new Map<number, string>();
  const index = new HashIndex(fileCount, componentsOf);
  if (index.suspects.size === 0) return renames;

  // Second look, at the text of the suspects only.
  const folders = new Set<string>();
  for (let file = 0; file < fileCount; file++) {
    const folded = componentsOf(file)?.map(foldName);
    for (let depth = 1; folded !== undefined && depth < folded.length; depth++) {
      const key = folded.slice(0, depth).join('/');
      if (index.suspects.has(hashText(key))) folders.add(key);
    }
  }
  const files = new Set<string>();
  const given = new Set<string>();
  const nextNumber = new Map<string, number>();
  for (let file = 0; file < fileCount; file++) {
    const components = componentsOf(file);
    if (components === undefined) continue;
    const key = components.map(foldName).join('/');
    if (!index.suspects.has(hashText(key))) continue;
    if (!folders.has(key) && !files.has(key)) {
      files.add(key);
      continue;
    }
    const folder = components.slice(0, -1).map((component) => `${foldName(component)}/`);
    const numbered = numberedName(components.at(-1)!);
    const counter = folder.join('') + foldName(numbered.key);
    for (let number = nextNumber.get(counter) ?? 1; ; number++) {
      const candidate = numbered.at(number);
      const candidateKey = folder.join('') + foldName(candidate);
      if (index.has(candidateKey) || given.has(candidateKey)) continue;
      given.add(candidateKey);
      nextNumber.set(counter, number + 1);
      renames.set(file, candidate);
      break;
    }
  }
  return renames;
}

/** 53-bit hashes of all folded paths of files and folders, sorted. */
class HashIndex {
  /** Hashes of more than one file, or of a file and a folder. */
  readonly suspects: ReadonlySet<number>;
  readonly #files: Float64Array;
  readonly #folders: Float64Array;

  constructor(fileCount: number, componentsOf: ComponentsOf) {
    const files = new Float64Array(fileCount);
    let count = 0;
    let folders = new Float64Array(64);
    let folderCount = 0;
    let previous: number[] = [];
    for (let file = 0; file < fileCount; file++) {
      const components = componentsOf(file);
      if (components === undefined) continue;
      const hasher = new PathHasher();
      const current: number[] = [];
      for (let depth = 0; depth < components.length; depth++) {
        if (depth > 0) hasher.add('/');
        hasher.add(foldName(components[depth]!));
        const value = hasher.value;
        if (depth === components.length - 1) {
          files[count++] = value;
        } else {
          current.push(value);
          // Neighbours mostly share their folders.
          if (previous[depth] !== value) {
            if (folderCount === folders.length) {
              const larger = new Float64Array(folderCount * 2);
              larger.set(folders);
              folders = larger;
            }
            folders[folderCount++] = value;
          }
        }
      }
      previous = current;
    }
    this.#files = files.subarray(0, count).sort();
    this.#folders = folders.subarray(0, folderCount).sort();
    const suspects = new Set<number>();
    let folder = 0;
    for (let file = 0; file < count; file++) {
      const value = this.#files[file]!;
      while (folder < folderCount && this.#folders[folder]! < value) folder++;
      if (value === this.#files[file + 1] || value === this.#folders[folder]) suspects.add(value);
    }
    this.suspects = suspects;
  }

  /** False is certain; true may be chance, which costs a caller another number. */
  has(key: string): boolean {
    const value = hashText(key);
    return contains(this.#files, value) || contains(this.#folders, value);
  }
}

function contains(sorted: Float64Array, value: number): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === value;
}

function hashText(text: string): number {
  const hasher = new PathHasher();
  hasher.add(text);
  return hasher.value;
}

/** Two independent 32-bit multiplicative hashes of UTF-16 units. Not against forgery: a chance hit is looked at again. */
class PathHasher {
  #a = 0x811c9dc5;
  #b = 0x2f0b4f6d;

  add(text: string): void {
    let a = this.#a;
    let b = this.#b;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b + unit, 0x85ebca6b);
      b ^= b >>> 13;
    }
    this.#a = a;
    this.#b = b;
  }

  get value(): number {
    return (this.#a >>> 0) * 2 ** 21 + (this.#b >>> 11);
  }
}
