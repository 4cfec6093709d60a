// The names of a torrent and its files made safe and unique, with what had to be changed. The rules are the README's section
// "Paths".
import { MetainfoError } from './errors.ts';
import { FILE_PAD } from './file-table.ts';
import { InfoPaths } from './info-paths.ts';
import type { FileList } from './parse-files.ts';
import {
  MAX_PATH_WARNINGS,
  type PathReason,
  type PathRules,
  type PathWarning,
  printableText,
  safeComponent,
} from './path.ts';
import { resolveCollisions } from './path-collisions.ts';

export interface NamesInput {
  /** What the offsets of `list` point into. */
  readonly info: Uint8Array;
  readonly list: Pick<FileList, 'lengths' | 'flags' | 'raw' | 'symlinkOffsets'>;
  /** The torrent's name as it was received. */
  readonly rawName: Uint8Array;
  /** One file without a folder of its own, which has the torrent's name. */
  readonly isSingleFile: boolean;
  readonly rules: PathRules;
}

export interface SafeNames {
  readonly name: string;
  readonly paths: InfoPaths;
  readonly warnings: readonly PathWarning[];
  readonly renamedCount: number;
}

/** @throws MetainfoError `unsafe-path`, `unsafe-symlink` */
export function makeNamesSafe(input: NamesInput): SafeNames {
  const { info, list, rawName, isSingleFile, rules } = input;
  const warnings: PathWarning[] = [];
  const name = readName(rawName, rules, warnings);
  const paths = new InfoPaths({
    info,
    raw: list.raw,
    folder: isSingleFile ? undefined : name,
    rawName,
    rules,
    symlinkOffsets: list.symlinkOffsets,
  });
  const renamedCount =
    warnings.length + (isSingleFile ? 0 : makePathsUnique(list, paths, warnings));
  return { name, paths, warnings, renamedCount };
}

function readName(raw: Uint8Array, rules: PathRules, warnings: PathWarning[]): string {
  const reasons = new Set<PathReason>();
  const name = safeComponent(raw, () => 'info.name', reasons, rules);
  if (reasons.size > 0) {
    warnings.push({ reasons: [...reasons], original: printableText(raw), renamed: name });
  }
  return name;
}

/** Refuses unsafe paths, gives colliding files other names, and notes what was changed. Returns how many files were. */
function makePathsUnique(
  list: NamesInput['list'],
  paths: InfoPaths,
  warnings: PathWarning[],
): number {
  const isChanged = new Uint8Array(list.lengths.length);
  const changed = new Map<number, Set<PathReason>>();
  let reasons = new Set<PathReason>();
  paths.renames = resolveCollisions(list.lengths.length, (file) => {
    const components = paths.componentsOf(file, reasons);
    checkSymlink(paths, file);
    if (reasons.size > 0) {
      isChanged[file] = 1;
      if (changed.size < MAX_PATH_WARNINGS) changed.set(file, reasons);
      reasons = new Set();
    }
    return (list.flags[file]! & FILE_PAD) !== 0 ? undefined : components;
  });
  for (const file of paths.renames.keys()) {
    isChanged[file] = 1;
    if (changed.size >= MAX_PATH_WARNINGS && !changed.has(file)) continue;
    changed.set(file, (changed.get(file) ?? new Set()).add('collision'));
  }
  for (const [fileIndex, fileReasons] of changed) {
    const path = paths.pathOf(fileIndex);
    const original = (list.raw.componentsOf(fileIndex) ?? []).map(printableText);
    warnings.push({
      fileIndex,
      reasons: [...fileReasons],
      original: [path[0], ...original].join('/'),
      renamed: path.join('/'),
    });
  }
  return isChanged.reduce((count, one) => count + one, 0);
}

/** A link must stay inside the torrent's folder: its target is held to the rules of paths. */
function checkSymlink(paths: InfoPaths, fileIndex: number): void {
  try {
    paths.symlinkTargetOf(fileIndex);
  } catch (error) {
    throw new MetainfoError(
      'unsafe-symlink',
      `info.files[${fileIndex}].symlink path`,
      `The symbolic link info.files[${fileIndex}] leads out of the torrent's folder.`,
      error,
    );
  }
}
