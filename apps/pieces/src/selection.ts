// `--files`: globs and indices to the files they name.
import type { FileTable } from '@bt/metainfo';
import picomatch from 'picomatch';
import { EXIT, Failure } from './exit-codes.ts';

/** The indices (from 0) of the files that any of the patterns names. Throws a usage `Failure` for a pattern that names none. */
export function selectFiles(files: FileTable, patterns: readonly string[]): number[] {
  const chosen = new Set<number>();
  for (const pattern of patterns) {
    const range = /^(\d+)(?:-(\d+))?$/.exec(pattern);
    const named =
      range === null
        ? matching(files, pattern)
        : between(files, Number(range[1]), Number(range[2] ?? range[1]));
    if (named.length === 0) {
      throw new Failure(
        EXIT.usage,
        `--files ${pattern} names no file of this torrent; mktorrent show lists them.`,
      );
    }
    for (const index of named) chosen.add(index);
  }
  return [...chosen].sort((a, b) => a - b);
}

function between(files: FileTable, first: number, last: number): number[] {
  const indices: number[] = [];
  for (let i = first; i <= Math.min(last, files.count - 1); i++) {
    if (!files.isPad(i)) indices.push(i);
  }
  return indices;
}

/** A glob is held against the path with and without the torrent's own name, and against the last component alone. */
function matching(files: FileTable, glob: string): number[] {
  const matches = picomatch(glob, { dot: true });
  const indices: number[] = [];
  for (const { index, path, isPad } of files) {
    const views = [path.join('/'), path.slice(1).join('/'), path.at(-1) ?? ''];
    if (!isPad && views.some((view) => view !== '' && matches(view))) indices.push(index);
  }
  return indices;
}
