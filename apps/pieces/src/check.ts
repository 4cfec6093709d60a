// `pieces --check`: how much of the wanted files is on disk and right. Nobody is asked, and nothing is written to the folder.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Info, Metainfo } from '@bt/metainfo';
import { StorageError } from '@bt/storage';
import { FileStore } from '@bt/storage/node';
import { EXIT, type ExitCode, Failure } from './exit-codes.ts';
import type { Found, IncompleteFile, View } from './view/view.ts';

/** Between two calls of `View.checking`. */
const PROGRESS_MS = 1_000;
/** Files with a problem that are named one by one. */
const MAX_WARNINGS = 10;

export interface CheckRequest {
  readonly metainfo: Metainfo;
  /** Indices of the wanted files; undefined: all. */
  readonly files: readonly number[] | undefined;
  readonly dir: string;
}

/** @throws StorageError when the folder can't be used, a `Failure` when there is none. */
export async function check(
  { metainfo, files, dir }: CheckRequest,
  view: View,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  view.started(metainfo);
  if (!existsSync(dir)) throw new Failure(EXIT.disk, `The folder ${dir} does not exist.`);
  const startedMs = performance.now();
  let toldMs = startedMs;
  let store: FileStore;
  try {
    store = await FileStore.open({
      info: metainfo.info,
      pieceLayers: metainfo.pieceLayers,
      folder: resolve(dir),
      check: 'full',
      readOnly: true,
      signal: interrupted,
      onProgress: ({ checkedPieces, totalPieces }) => {
        const now = performance.now();
        if (now - toldMs < PROGRESS_MS) return;
        toldMs = now;
        view.checking(checkedPieces / totalPieces, now - startedMs);
      },
    });
  } catch (error) {
    if (error instanceof StorageError && error.code === 'aborted') return EXIT.interrupted;
    throw error;
  }
  const { have, problems } = store;
  await store.close();
  warn(view, problems, files);
  const found = count(metainfo.info, have, files);
  view.checked(found);
  return found.piecesHave === found.pieceCount ? EXIT.done : EXIT.incomplete;
}

function warn(
  view: View,
  problems: ReadonlyMap<number, StorageError>,
  files: readonly number[] | undefined,
): void {
  const wanted = files && new Set(files);
  const errors = [...problems].flatMap(([file, error]) =>
    wanted === undefined || wanted.has(file) ? [error] : [],
  );
  for (const { message } of errors.slice(0, MAX_WARNINGS)) view.event({ type: 'warning', message });
  const more = errors.length - MAX_WARNINGS;
  if (more > 0) view.event({ type: 'warning', message: `${more} more files like these` });
}

/** What is right of the pieces that have bytes of the wanted files. */
function count(info: Info, have: Uint8Array, files: readonly number[] | undefined): Found {
  const { geometry } = info;
  const isWanted = new Uint8Array(geometry.pieceCount).fill(files === undefined ? 1 : 0);
  for (const file of files ?? []) {
    const pieces = geometry.filePieces(file);
    if (pieces !== undefined) isWanted.fill(1, pieces.first, pieces.last + 1);
  }
  const incompleteFiles = listIncomplete(info, have, files);
  const found = {
    ...{ pieceCount: 0, piecesHave: 0, wantedBytes: 0, verifiedBytes: 0 },
    incompleteFiles,
  };
  for (let piece = 0; piece < geometry.pieceCount; piece += 1) {
    if (isWanted[piece] === 0) continue;
    const bytes = geometry.contentSize(piece);
    found.pieceCount += 1;
    found.wantedBytes += bytes;
    if (!isThere(have, piece)) continue;
    found.piecesHave += 1;
    found.verifiedBytes += bytes;
  }
  return found;
}

function listIncomplete(
  { files: table, geometry }: Info,
  have: Uint8Array,
  files: readonly number[] | undefined,
): IncompleteFile[] {
  const incomplete: IncompleteFile[] = [];
  for (const fileIndex of files ?? Array.from({ length: table.count }, (_, file) => file)) {
    const range = geometry.filePieces(fileIndex);
    if (table.isPad(fileIndex) || range === undefined) continue;
    const pieceCount = range.last - range.first + 1;
    let piecesHave = 0;
    for (let piece = range.first; piece <= range.last; piece += 1) {
      if (isThere(have, piece)) piecesHave += 1;
    }
    if (piecesHave === pieceCount) continue;
    const path = table.pathOf(fileIndex).join('/');
    incomplete.push({ fileIndex, path, pieceCount, piecesHave });
  }
  return incomplete;
}

/** BEP 3: the first piece is the highest bit. */
function isThere(have: Uint8Array, piece: number): boolean {
  return (have[piece >>> 3]! & (0x80 >>> (piece & 7))) !== 0;
}
