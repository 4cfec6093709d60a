/**
 * Files that lie under their names in the torrent, although those had to be changed to be safe everywhere (README of
 * `@bt/metainfo`, "Paths"): where the torrent was made, or where another client has put them. They are used where they lie.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { FileTable, Info } from '@bt/metainfo';
import { emptyColumns, FILE_PRESENT, type FileColumnsOnDisk } from '../resume.ts';
import { inSlices, judgeFolder, surveyFile } from './survey.ts';

/**
 * Paths below the root by file index. A file is among them when nothing lies under its safe path, or another file of the
 * torrent does, and its own bytes lie under the path of the torrent; never when that is also some other file's place.
 * @param found what lies under the safe paths
 */
export async function findOriginals(
  root: string,
  { files, warnings }: Pick<Info, 'files' | 'warnings'>,
  found: FileColumnsOnDisk,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, string>> {
  const originals = new Map<number, string>();
  // Windows can't store the names that are changed, or takes them for something else, such as a device.
  if (warnings.length === 0 || process.platform === 'win32') return originals;
  /** Of the files that are missing under their safe path. */
  const sought = new Map<string, number>();
  await inSlices(files.count, signal, (index) => {
    if (!isOnDisk(files, index)) return;
    const components = files.originalPathOf(index);
    const original = path.join(...components);
    if (!components.every(isPlainName) || original === safePath(files, index)) return;
    if (!isPresent(found, index)) sought.set(original, index);
    if (hasData(root, original, files.lengthOf(index))) originals.set(index, original);
  });
  for (const index of originals.keys()) {
    if (isPresent(found, index) && !sought.has(safePath(files, index))) originals.delete(index);
  }
  while (originals.size > 0) {
    const shared = await findShared(root, files, found, originals, signal);
    if (shared.size === 0) break;
    for (const index of shared) originals.delete(index);
  }
  return originals;
}

/** Of `originals`, those whose file on disk is another one's, too: by hard links, or where letter case makes no difference. */
async function findShared(
  root: string,
  files: FileTable,
  found: FileColumnsOnDisk,
  originals: ReadonlyMap<number, string>,
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<number>> {
  const owners = new Map<string, number>();
  const shared = new Set<number>();
  await inSlices(files.count, signal, (index) => {
    if (!isOnDisk(files, index)) return;
    const original = originals.get(index);
    if (original === undefined && !isPresent(found, index)) return;
    const full = path.join(root, original ?? safePath(files, index));
    const stat = fs.lstatSync(full, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return;
    const id = `${stat.dev}:${stat.ino}`;
    const owner = owners.get(id);
    owners.set(id, index);
    for (const one of owner === undefined ? [] : [owner, index]) {
      if (originals.has(one)) shared.add(one);
    }
  });
  return shared;
}

function isOnDisk(files: FileTable, index: number): boolean {
  return !files.isPad(index) && !files.isSymlink(index);
}

function isPresent(found: FileColumnsOnDisk, index: number): boolean {
  return (found.flags[index]! & FILE_PRESENT) !== 0;
}

function safePath(files: FileTable, index: number): string {
  return path.join(...files.pathOf(index));
}

/** It names one thing in its folder: nothing above it, below it, or the folder itself. */
function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}

/** A regular file with bytes (or one that should have none), not a link, in a folder that is inside of the root. */
function hasData(root: string, relative: string, lengthBytes: number): boolean {
  const full = path.join(root, relative);
  if (judgeFolder(root, path.dirname(full)) !== 'inside') return false;
  const columns = emptyColumns(1);
  if (surveyFile(full, 0, columns) !== undefined || !isPresent(columns, 0)) return false;
  return columns.sizes[0]! > 0 || lengthBytes === 0;
}
