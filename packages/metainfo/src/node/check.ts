// Compares files on disk with a torrent, piece by piece: v1 pieces (BEP 3), v2 piece layers (BEP 52), and for a hybrid torrent
// both, since either may be what a peer goes by.
import { type Stats, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { FileEntry } from '../file-table.ts';
import { toHex } from '../hex.ts';
import type { Info, Metainfo } from '../metainfo.ts';
import { errnoOf, FileError, fileErrorFrom } from './errors.ts';
import { type HashedFile, planHashJobs } from './hash-plan.ts';
import { openPool } from './hash-pool.ts';

export interface CheckOptions {
  readonly metainfo: Metainfo;
  /** The file or folder that the torrent was made of, or the folder it lies in under the torrent's name. */
  readonly path: string;
  /** Threads that hash; default: one for each processor. */
  readonly threads?: number | undefined;
  /** See {@link CreateOptions.isCallerBusy}. */
  readonly isCallerBusy?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called about ten times a second, and once at the end. */
  readonly onProgress?: ((progress: CheckProgress) => void) | undefined;
}

export interface CheckProgress {
  readonly totalLength: number;
  readonly bytesHashed: number;
}

/** A file that is not as the torrent says. */
export interface CheckedFile {
  readonly diskPath: string;
  /**
   * `wrong-kind`: a folder, say, where a file should be. `wrong-length`: shorter or longer. `damaged`: bytes differ;
   * at v1, also a file that merely shares a piece with a damaged one, since the hash can't tell which of them it is.
   * `uncertain`: all its wrong pieces hold bytes of a file with one of the other problems, which may be the reason.
   */
  readonly problem:
    | 'missing'
    | 'wrong-kind'
    | 'unreadable'
    | 'wrong-length'
    | 'damaged'
    | 'uncertain';
  readonly lengthBytes: number;
  /** Pieces with bytes of this file, and how many of them are right. */
  readonly pieceCount: number;
  readonly goodPieceCount: number;
}

export interface CheckResult {
  /** Every piece is right, and every file has its length. */
  readonly isWhole: boolean;
  readonly pieceCount: number;
  readonly goodPieceCount: number;
  /** Bytes of files, without padding. */
  readonly totalLength: number;
  /** Of these, the ones in pieces that are right. */
  readonly goodLength: number;
  readonly problems: readonly CheckedFile[];
}

/**
 * Hashes what is on disk and tells how much of it is what the torrent describes. Missing and short files are results, not errors.
 *
 * @throws FileError `not-found` when `path` itself is not there; the signal's reason when aborted.
 */
export async function checkTorrent(options: CheckOptions): Promise<CheckResult> {
  const { metainfo, onProgress } = options;
  const { info } = metainfo;
  const files = locateFiles(info, options.path);
  const isGood = new Uint8Array(info.geometry.pieceCount).fill(1);
  const expected = {
    sha1: info.version === 'v2' ? undefined : info.pieceHashes,
    merkle: info.version === 'v1' ? undefined : expectedLayers(metainfo),
  };
  const totalLength = info.files.contentLength;
  const pool = openPool(totalLength, { ...options, pieceLength: info.pieceLength });
  const report = () => onProgress?.({ totalLength, bytesHashed: pool.bytesHashed });
  const timer = onProgress === undefined ? undefined : setInterval(report, 100);
  try {
    const jobs = planHashJobs({
      files,
      pieceLength: info.pieceLength,
      sha1: expected.sha1 !== undefined,
      merkle: expected.merkle !== undefined,
      isTolerant: true,
    });
    await pool.run(jobs, ({ firstPiece }, { sha1, merkle, unreadable }) => {
      if (expected.sha1 !== undefined) judge(isGood, firstPiece, sha1, expected.sha1, 20);
      if (expected.merkle !== undefined) judge(isGood, firstPiece, merkle, expected.merkle, 32);
      for (const piece of unreadable) isGood[firstPiece + piece] = 0;
    });
    report();
  } finally {
    clearInterval(timer);
    await pool.close();
  }
  return summarise(info, files, isGood);
}

function judge(
  isGood: Uint8Array,
  firstPiece: number,
  hashes: Uint8Array,
  expected: Uint8Array,
  hashLength: number,
): void {
  for (let at = 0; at < hashes.length; at += hashLength) {
    const hash = hashes.subarray(at, at + hashLength);
    const piece = firstPiece + at / hashLength;
    const right = expected.subarray(piece * hashLength, (piece + 1) * hashLength);
    if (Buffer.compare(hash, right) !== 0) isGood[piece] = 0;
  }
}

/** The piece layers of all files one behind the other; a layer that the .torrent lacks stays zeros, which nothing hashes to. */
function expectedLayers({ info, pieceLayers }: Metainfo): Uint8Array {
  const expected = new Uint8Array(info.geometry.pieceCount * 32);
  for (let index = 0; index < info.files.count; index++) {
    const root = info.files.piecesRootOf(index);
    const pieces = info.geometry.filePieces(index);
    if (root === undefined || pieces === undefined) continue;
    const layer = pieces.first === pieces.last ? root : pieceLayers.get(toHex(root));
    if (layer !== undefined) expected.set(layer, pieces.first * 32);
  }
  return expected;
}

interface LocatedFile extends HashedFile {
  readonly diskPath?: string | undefined;
  readonly stats?: Stats | undefined;
  readonly errno?: string | undefined;
}

function locateFiles(info: Info, path: string): LocatedFile[] {
  const root = contentRoot(info, resolve(path));
  const [naming, otherNaming] = namingsOf(info, root);
  return Array.from(info.files, (file) => {
    const { index, length: lengthBytes } = file;
    if (!isOnDisk(file)) return { lengthBytes };
    const diskPath = below(root, naming(index));
    const found = { diskPath, lengthBytes, ...statsOf(diskPath) };
    if (found.stats !== undefined || otherNaming === undefined) return found;
    const otherPath = below(root, otherNaming(index));
    const { stats } = statsOf(otherPath);
    return stats === undefined ? found : { diskPath: otherPath, lengthBytes, stats };
  });
}

type Naming = (fileIndex: number) => readonly string[];

/**
 * A download has the safe names, and the files that a torrent was made of have its own. One naming may use a name that means
 * another file in the other, so the one comes first of which more is there. (The parser has refused whatever could lead out of
 * the folder.)
 */
function namingsOf({ files, warnings }: Info, root: string): readonly [Naming, Naming?] {
  const safe: Naming = (fileIndex) => files.pathOf(fileIndex);
  const original: Naming = (fileIndex) => files.originalPathOf(fileIndex);
  if (warnings.length === 0) return [safe];
  let lead = 0;
  for (const file of files) {
    if (!isOnDisk(file)) continue;
    const [safePath, originalPath] = [below(root, file.path), below(root, original(file.index))];
    if (safePath === originalPath) continue;
    if (statsOf(originalPath).stats?.isFile()) lead++;
    if (statsOf(safePath).stats?.isFile()) lead--;
  }
  return lead > 0 ? [original, safe] : [safe, original];
}

function isOnDisk({ isPad, symlinkTarget }: FileEntry): boolean {
  return !isPad && symlinkTarget === undefined;
}

/** Where the content lies at `root`, whatever that is called. */
function below(root: string, path: readonly string[]): string {
  return join(root, ...path.slice(1));
}

/** `path` may be the content or the folder around it: whichever has the torrent's first file. */
function contentRoot(info: Info, path: string): string {
  const { stats, errno } = statsOf(path);
  if (stats === undefined) {
    if (errno === 'ENOENT' || errno === 'ENOTDIR') {
      throw new FileError('not-found', path, `${path} does not exist.`);
    }
    throw fileErrorFrom(new Error(errno), path);
  }
  if (!stats.isDirectory()) return path;
  const first = firstContentFile(info);
  const paths = [info.files.pathOf(first), info.files.originalPathOf(first)];
  const named = paths.map(([name = '']) => join(path, name)).find((root) => statsOf(root).stats);
  if (info.isSingleFile) return named ?? join(path, info.name);
  const isHere = paths.some((components) => statsOf(below(path, components)).stats !== undefined);
  return isHere ? path : (named ?? path);
}

function firstContentFile({ files }: Info): number {
  for (let index = 0; index < files.count; index++) if (!files.isPad(index)) return index;
  return 0;
}

function statsOf(path: string): { stats?: Stats; errno?: string } {
  try {
    return { stats: statSync(path) };
  } catch (error) {
    return { errno: errnoOf(error) };
  }
}

function summarise(info: Info, files: readonly LocatedFile[], isGood: Uint8Array): CheckResult {
  const { geometry } = info;
  const problems: CheckedFile[] = [];
  const isExplained = piecesOfAbsent(info, files);
  let goodLength = 0;
  for (const [index, file] of files.entries()) {
    if (file.diskPath === undefined) continue;
    const { first, last } = geometry.filePieces(index) ?? { first: 0, last: -1 };
    let goodPieceCount = 0;
    let unexplainedCount = 0;
    for (let piece = first; piece <= last; piece++) {
      if (isGood[piece] !== 1) {
        if (isExplained[piece] !== 1) unexplainedCount++;
        continue;
      }
      goodPieceCount++;
      goodLength += overlap(info, index, piece);
    }
    const pieceCount = last - first + 1;
    const contentProblem =
      goodPieceCount === pieceCount ? undefined : unexplainedCount > 0 ? 'damaged' : 'uncertain';
    const problem = problemOnDisk(file) ?? contentProblem;
    if (problem === undefined) continue;
    const { diskPath, lengthBytes } = file;
    problems.push({ diskPath, problem, lengthBytes, pieceCount, goodPieceCount });
  }
  const goodPieceCount = isGood.reduce((sum, good) => sum + good, 0);
  return {
    isWhole: problems.length === 0 && goodPieceCount === geometry.pieceCount,
    pieceCount: geometry.pieceCount,
    goodPieceCount,
    totalLength: info.files.contentLength,
    goodLength,
    problems,
  };
}

/** The pieces with bytes of files that are not there as they should be: they may be wrong for that alone. */
function piecesOfAbsent({ geometry }: Info, files: readonly LocatedFile[]): Uint8Array {
  const pieces = new Uint8Array(geometry.pieceCount);
  for (const [index, file] of files.entries()) {
    if (file.diskPath === undefined || problemOnDisk(file) === undefined) continue;
    const range = geometry.filePieces(index);
    if (range !== undefined) pieces.fill(1, range.first, range.last + 1);
  }
  return pieces;
}

/** What is wrong without a look at the bytes. */
function problemOnDisk({
  stats,
  errno,
  lengthBytes,
}: LocatedFile): Exclude<CheckedFile['problem'], 'damaged' | 'uncertain'> | undefined {
  if (stats === undefined) {
    return errno === 'ENOENT' || errno === 'ENOTDIR' ? 'missing' : 'unreadable';
  }
  if (!stats.isFile()) return 'wrong-kind';
  return stats.size === lengthBytes ? undefined : 'wrong-length';
}

/** Bytes of the file in the piece. */
function overlap(info: Info, fileIndex: number, piece: number): number {
  const { geometry, pieceLength } = info;
  const start = geometry.fileStart(fileIndex);
  const from = Math.max(0, (piece - start.pieceIndex) * pieceLength - start.offset);
  const to = (piece - start.pieceIndex + 1) * pieceLength - start.offset;
  return Math.min(to, info.files.lengthOf(fileIndex)) - from;
}
