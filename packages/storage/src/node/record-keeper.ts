/**
 * When the resume record is written, and what makes its words true: before the first write, when the torrent is complete, after
 * finished files have been flushed, and on a clean close.
 */
import type { StorageError } from '../errors.ts';
import { encodeResume, FILE_DIRTY } from '../resume.ts';
import type { JobExecutor } from './disk-pool.ts';
import type { FileStates } from './file-states.ts';
import type { PartialPieces } from './partial-pieces.ts';
import type { ResumeFile } from './resume-file.ts';
import { inSlices, surveyFile } from './survey.ts';
import type { TorrentFiles } from './torrent-files.ts';

/** What the record is made of, as it is at any moment. */
export interface RecordSource {
  readonly files: TorrentFiles;
  readonly states: FileStates;
  readonly have: Uint8Array;
  readonly partials: PartialPieces;
  readonly bootId: string;
}

/** How long finished files wait to be flushed, and the record to be told: those that finish together share the trip. */
const CHECKPOINT_MS = 60_000;
/** Files to a job of flushing: each can take long, and saves wait behind it. */
const SYNC_BATCH = 8;

export class RecordKeeper {
  readonly #file: ResumeFile | undefined;
  readonly #source: RecordSource;
  readonly #executor: JobExecutor;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** The record on disk does not say what is known. */
  isStale: boolean;
  /** Why the record could not be written the last time. */
  error: StorageError | undefined;

  /** @param file undefined when no record is kept */
  constructor(
    file: ResumeFile | undefined,
    source: RecordSource,
    executor: JobExecutor,
    isStale: boolean,
  ) {
    this.#file = file;
    this.#source = source;
    this.#executor = executor;
    this.isStale = isStale;
    if (isStale) void this.save();
    this.planCheckpoint();
  }

  get path(): string | undefined {
    return this.#file?.path;
  }

  /** Write the record as of now. Never rejects; `error` tells. */
  async save(): Promise<void> {
    this.error = await this.#file?.save(() => {
      this.isStale = false;
      const { files, states, have, partials, bootId } = this.#source;
      const { infoHash, pieceLength, geometry } = files.info;
      const { pieceCount } = geometry;
      const columns = states.columns;
      return encodeResume({
        ...{ infoHash, pieceCount, pieceLength, bootId },
        ...{ have, files: columns, partialPieces: partials.byPiece },
      });
    });
    if (this.error !== undefined) this.isStale = true;
  }

  /** Flush what is finished in a minute, unless that is planned already. */
  planCheckpoint(): void {
    if (this.#timer !== undefined || this.#isClosed || this.#file === undefined) return;
    this.#timer = setTimeout(() => void this.checkpoint(), CHECKPOINT_MS);
    this.#timer.unref();
  }

  /** Flush the files that nobody writes to, then write the record. */
  async checkpoint(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const unsynced = this.#source.states.unsyncedFiles();
    for (let first = 0; first < unsynced.length && !this.#isClosed; first += SYNC_BATCH) {
      await this.#flush(unsynced.slice(first, first + SYNC_BATCH));
    }
    if (!this.#isClosed && (this.isStale || unsynced.length > 0)) await this.save();
  }

  /** Resolves when no record is being written. */
  async idle(): Promise<void> {
    await this.#file?.idle();
  }

  /** After `close`: another store may have the record. */
  async unlock(): Promise<void> {
    await this.#file?.unlock();
  }

  /** Nobody writes any more: what the files are now is what the record says. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const { files, states, bootId } = this.#source;
    const { columns } = states;
    const dirty: number[] = [];
    columns.flags.forEach((flags, fileIndex) => {
      if ((flags & FILE_DIRTY) !== 0) dirty.push(fileIndex);
    });
    if (dirty.length > 0 && this.#file !== undefined) {
      // Where runs of the system can't be told apart, only flushed files are believed: flush them now.
      if (bootId === '') await this.#flush(dirty);
      await inSlices(dirty.length, undefined, (index) => {
        const fileIndex = dirty[index]!;
        surveyFile(files.fullPath(fileIndex), fileIndex, columns);
        states.settle(fileIndex);
      });
      this.isStale = true;
    }
    if (this.isStale) void this.save();
    await this.idle();
  }

  #flush(fileIndices: readonly number[]): Promise<void> {
    const { files, states } = this.#source;
    const paths = fileIndices.map((fileIndex) => files.place(fileIndex).relative);
    return new Promise((resolve) => {
      this.#executor.submit({ kind: 'sync', root: files.root, paths }, (answer) => {
        answer?.synced.forEach((isSynced, index) => {
          if (isSynced === 1) states.markSynced(fileIndices[index]!);
        });
        resolve();
      });
    });
  }
}
