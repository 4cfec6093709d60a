/**
 * A torrent's files in a folder: the {@link Disk} of real downloads.
 *
 * Opening finds out what is there (`open-store.ts`). Then whole pieces go to a worker thread that hashes and writes them,
 * blocks are read ahead on the main thread, and the resume record follows what is known of the files: it is written before
 * the first write ("these files are being written to"), when the torrent is complete, after files have been flushed, and
 * on a clean close.
 */
import { bitAt, clearBit, setBit } from '../bits.ts';
import {
  type Disk,
  type DiskEvents,
  MAX_BLOCK_HASHED_PIECE_BYTES,
  MAX_READ_BYTES,
  type PieceCheckOptions,
} from '../disk.ts';
import { StorageError, storageError } from '../errors.ts';
import { SpanBuilder, type SpanList } from '../layout.ts';
import { FILE_PRESENT } from '../resume.ts';
import {
  acquireSharedPool,
  type DiskPool,
  type JobExecutor,
  partsOf,
  releaseSharedPool,
} from './disk-pool.ts';
import { FileStates } from './file-states.ts';
import type { FileStoreOptions } from './file-store-options.ts';
import { DiskFailure } from './open-files.ts';
import { makeEmptyFiles, type Opened, openStore } from './open-store.ts';
import { PartialPieces } from './partial-pieces.ts';
import { inTime, nextTurn } from './patience.ts';
import { PieceChecker } from './piece-checker.ts';
import {
  type Answer,
  type CheckJob,
  RIGHT,
  type SaveJob,
  WRONG,
  type WriteJob,
} from './protocol.ts';
import type { ReadAhead, ReadSource } from './read-ahead.ts';
import { RecordKeeper } from './record-keeper.ts';
import { surveyFile } from './survey.ts';
import type { TorrentFiles } from './torrent-files.ts';
import { WriteQueue } from './write-queue.ts';

export class FileStore implements Disk {
  readonly #files: TorrentFiles;
  readonly #states: FileStates;
  readonly #have: Uint8Array;
  readonly #partials: PartialPieces;
  readonly #opened: Opened;
  readonly #readOnly: boolean;
  readonly #executor: JobExecutor;
  readonly #readAhead: ReadAhead;
  readonly #isPoolShared: boolean;
  readonly #queue: WriteQueue;
  readonly #checker: PieceChecker;
  /** Pieces whose turn it is to be verified, with what ends it. */
  readonly #verifying = new Map<number, () => void>();
  readonly #source: ReadSource;
  readonly #record: RecordKeeper;
  #events: DiskEvents | undefined;
  #stalledBy: StorageError | undefined;
  /** Tokens of reads that have not been answered. */
  readonly #pendingReads = new Set<number>();
  #onReadsDone: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  /**
   * Look at what is in the folder, hash what no record vouches for, and make the empty files.
   * @throws StorageError when the folder or a wanted file can't be used, `in-use` when another store has the torrent open
   *   in the folder (not with `readOnly`), or `aborted`.
   */
  static async open(options: FileStoreOptions): Promise<FileStore> {
    const pool = options.pool ?? acquireSharedPool();
    try {
      return new FileStore(options, pool, await openStore(options, pool));
    } catch (error) {
      if (options.pool === undefined) releaseSharedPool();
      throw error;
    }
  }

  private constructor(options: FileStoreOptions, pool: DiskPool, opened: Opened) {
    const { files, found, have, partialPieces } = opened;
    this.#opened = opened;
    this.#files = files;
    this.#have = have;
    this.#partials = new PartialPieces(files.info.geometry, partialPieces);
    this.#readOnly = options.readOnly ?? false;
    const { executor, readAhead } = partsOf(pool);
    this.#executor = executor;
    this.#readAhead = readAhead;
    this.#isPoolShared = options.pool === undefined;
    this.#states = new FileStates(files.info, found, have, options.wanted);
    this.#queue = new WriteQueue(executor, {
      onStalled: (error) => {
        this.#stalledBy = error;
        this.#events?.onStalled(error);
      },
      onResumed: () => {
        this.#stalledBy = undefined;
        this.#events?.onResumed();
      },
    });
    this.#checker = new PieceChecker(executor, files, {
      onChecked: (pieceIndex, result, error) => this.#verified(pieceIndex, result, error),
    });
    this.#source = this.#makeSource();
    this.#record = new RecordKeeper(
      opened.resume,
      { files, states: this.#states, have, partials: this.#partials, bootId: opened.bootId },
      executor,
      opened.isRecordStale,
    );
  }

  /** The pieces that are there and right: one bit each, the first in the highest bit (BEP 3). Follows what happens; don't write to it. */
  get have(): Uint8Array {
    return this.#have;
  }

  /** Blocks on disk of pieces that are not complete: piece index to one bit a block. For `PieceBuffers.restore`. */
  get partialPieces(): ReadonlyMap<number, Uint8Array> {
    const { byPiece } = this.#partials;
    return new Map([...byPiece].map(([pieceIndex, { blocks }]) => [pieceIndex, blocks]));
  }

  /** Pieces that may be there and could not be hashed, since their file's layer was not known when the store was opened. */
  get uncheckedPieces(): readonly number[] {
    return this.#opened.uncheckedPieces;
  }

  /** Files that could not be looked at or read when the store was opened, and why. */
  get problems(): ReadonlyMap<number, StorageError> {
    return this.#opened.problems;
  }

  /** Every piece of every file is there. */
  get isComplete(): boolean {
    return this.#states.isComplete;
  }

  /** Resolved path of the download folder. */
  get root(): string {
    return this.#files.root;
  }

  /** Path of the resume record; undefined when none is kept. */
  get recordPath(): string | undefined {
    return this.#record.path;
  }

  /** Why the record could not be written the last time. Without a record all is hashed on the next start, nothing else. */
  get recordError(): StorageError | undefined {
    return this.#record.error;
  }

  get queuedBytes(): number {
    return this.#queue.queuedBytes;
  }

  get stalledBy(): StorageError | undefined {
    return this.#stalledBy;
  }

  /**
   * Which files are to be downloaded from now on. Empty ones among them that are not there are made; returns those that can't
   * be, and why. Nothing is made where the store is `readOnly` or closed.
   */
  async want(isWanted: (fileIndex: number) => boolean): Promise<Map<number, StorageError>> {
    this.#states.isWanted = isWanted;
    const problems = new Map<number, StorageError>();
    const isToBeMade = (fileIndex: number) =>
      this.#closing === undefined && this.#states.isWanted(fileIndex);
    if (this.#readOnly) return problems;
    this.#record.isStale = true;
    const { columns: found } = this.#states;
    await makeEmptyFiles(this.#files, { found, problems }, isToBeMade, undefined);
    return problems;
  }

  connect(events: DiskEvents): void {
    if (this.#events !== undefined) throw storageError('bad-argument');
    this.#events = events;
  }

  savePiece(
    pieceIndex: number,
    data: Uint8Array<ArrayBuffer>,
    options: PieceCheckOptions = {},
  ): void {
    const events = this.#toWrite(pieceIndex);
    const sizeBytes = this.#files.info.geometry.pieceSize(pieceIndex);
    if (data.length !== sizeBytes) {
      throw new StorageError('bad-argument', `piece ${pieceIndex} has ${sizeBytes} bytes`);
    }
    const list = this.#files.pieceSpans(pieceIndex);
    const job: SaveJob = {
      kind: 'save',
      ...this.#files.jobSpans(list),
      data,
      expected: this.#expected(pieceIndex),
      blockHashes: options.blockHashes ?? false,
    };
    const keeps = (answer: Answer): boolean =>
      options.keepWrong === true && answer.kind === 'save' && !answer.isRight;
    const done = (answer: Answer | undefined, error: StorageError | undefined): void => {
      if (answer?.kind !== 'save') {
        events.onPieceSaved(pieceIndex, { outcome: 'failed', error: error! });
        return;
      }
      const { blockHashes } = answer;
      if (answer.isRight) this.#gained(pieceIndex);
      events.onPieceSaved(pieceIndex, {
        outcome: answer.isRight ? 'saved' : 'mismatch',
        ...(blockHashes === undefined ? {} : { blockHashes }),
        ...(keeps(answer) ? { data: answer.data } : {}),
      });
    };
    this.#write(pieceIndex, list, job, done, keeps);
  }

  saveBlocks(
    pieceIndex: number,
    offset: number,
    data: Uint8Array<ArrayBuffer>,
    runs: readonly number[],
  ): void {
    this.#toWrite(pieceIndex);
    const { geometry } = this.#files.info;
    const list = new SpanBuilder();
    for (let index = 0; index < runs.length; index += 2) {
      const start = runs[index]!;
      list.add(geometry, pieceIndex, offset + start, runs[index + 1]! - start);
    }
    const job: WriteJob = { kind: 'write', ...this.#files.jobSpans(list), data, runs };
    this.#write(pieceIndex, list, job, (answer) => {
      if (answer !== undefined) this.#partials.add(pieceIndex, offset, runs);
    });
  }

  finishPiece(pieceIndex: number, options: PieceCheckOptions = {}): void {
    const events = this.#toWork(pieceIndex);
    const sizeBytes = this.#files.info.geometry.pieceSize(pieceIndex);
    const list = this.#files.pieceSpans(pieceIndex);
    const always = options.blockHashes ? 'always' : 'on-mismatch';
    const job: CheckJob = {
      kind: 'check',
      ...this.#files.jobSpans(list),
      sizes: [sizeBytes],
      expected: [this.#expected(pieceIndex)],
      blockHashes: sizeBytes > MAX_BLOCK_HASHED_PIECE_BYTES ? 'never' : always,
    };
    const done = (answer: Answer | undefined, givenUp: StorageError | undefined): void => {
      const result = answer?.kind === 'check' ? answer : undefined;
      const isRight = result?.results[0] === RIGHT;
      const damage = this.#partials.damageOf(pieceIndex);
      const isMismatch = result?.results[0] === WRONG && damage === undefined;
      if (isRight) this.#gained(pieceIndex);
      else if (result !== undefined && !(isMismatch && options.keepWrong === true)) {
        this.#partials.forget(pieceIndex);
      }
      const blockHashes = result?.blockHashes;
      if (isRight || isMismatch) {
        events.onPieceSaved(pieceIndex, {
          outcome: isRight ? 'saved' : 'mismatch',
          ...(blockHashes === undefined ? {} : { blockHashes }),
        });
      } else {
        const error = result?.failure && this.#files.error(result.failure, list);
        const reason = error ?? givenUp ?? damage ?? storageError('io');
        events.onPieceSaved(pieceIndex, { outcome: 'failed', error: reason });
      }
    };
    this.#queue.add({
      pieceIndex,
      bytes: 0,
      job,
      errorOf: (f) => this.#files.error(f, list),
      isOpen: (answer) => answer.kind === 'check' && answer.results[0] === WRONG,
      done,
    });
  }

  forgetBlocks(pieceIndex: number, blockIndices?: readonly number[]): void {
    this.#toWork(pieceIndex);
    this.#queue.addTurn(pieceIndex, (release) => {
      this.#partials.forget(pieceIndex, blockIndices);
      release();
    });
  }

  readBlock(
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
    token: number,
  ): Uint8Array | undefined {
    this.#toWork(pieceIndex);
    const isInside =
      blockOffset >= 0 &&
      lengthBytes > 0 &&
      lengthBytes <= MAX_READ_BYTES &&
      blockOffset + lengthBytes <= this.#source.readableSize(pieceIndex);
    if (!isInside) {
      throw new StorageError('bad-argument', `piece ${pieceIndex} has no such bytes`);
    }
    const bytes = this.#readAhead.read(this.#source, pieceIndex, blockOffset, lengthBytes, token);
    if (bytes === undefined) this.#pendingReads.add(token);
    return bytes;
  }

  verifyPiece(pieceIndex: number): void {
    this.#toWork(pieceIndex);
    this.#queue.addTurn(pieceIndex, (release) => {
      if (this.#closing === undefined) {
        this.#verifying.set(pieceIndex, release);
        this.#checker.add(pieceIndex);
      } else {
        this.#events?.onPieceVerified(pieceIndex, false, storageError('closed'));
        release();
      }
    });
  }

  hashBlocks(pieceIndex: number): void {
    const events = this.#toWork(pieceIndex);
    const sizeBytes = this.#files.info.geometry.pieceSize(pieceIndex);
    if (sizeBytes > MAX_BLOCK_HASHED_PIECE_BYTES) throw storageError('bad-argument');
    const list = this.#files.pieceSpans(pieceIndex);
    const job: CheckJob = {
      kind: 'check',
      ...this.#files.jobSpans(list),
      sizes: [sizeBytes],
      expected: [this.#expected(pieceIndex)],
      blockHashes: 'always',
    };
    this.#queue.addTurn(pieceIndex, (release) => {
      this.#executor.submit(job, (answer) => {
        const isRight = answer?.results[0] === RIGHT;
        const error = answer?.failure && this.#files.error(answer.failure, list);
        events.onBlocksHashed(pieceIndex, isRight ? answer.blockHashes : undefined, error);
        release();
      });
    });
  }

  retry(): void {
    this.#queue.retry();
  }

  /**
   * Flush the files that are complete, and let the record say so: from then on a power failure costs no hashing of them.
   * Happens by itself a minute after a file was completed.
   */
  checkpoint(): Promise<void> {
    return this.#record.checkpoint();
  }

  /**
   * Finish what is queued, write the record, close the files. What waits for a disk that refuses is given up: its result
   * is `failed`. So is what a disk doesn't answer for half a minute. Call `PieceBuffers.flush` before, to keep the blocks of unfinished pieces. May be called again.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await nextTurn();
    const calm = this.#executor.hurry?.(this.root);
    const written = this.#queue.close();
    this.#checker.cancel((pieceIndex) => {
      this.#events?.onPieceVerified(pieceIndex, false, storageError('closed'));
      this.#endVerifying(pieceIndex);
    });
    await Promise.all([written, this.#checker.idle(), this.#endReads(), this.#awaitRecord()]);
    await inTime(this.#record.close());
    await inTime(this.#record.unlock());
    this.#readAhead.forget(this.#source);
    await this.#executor.forget(this.root);
    calm?.();
    if (this.#isPoolShared) releaseSharedPool();
  }

  /** Writing waits while a record is being written; not for one that is never done. */
  async #awaitRecord(): Promise<void> {
    if (await inTime(this.#record.idle())) return;
    this.#queue.abandon(storageError('io', { path: this.#record.path }));
  }

  async #endReads(): Promise<void> {
    if (this.#pendingReads.size === 0) return;
    const answered = new Promise<void>((resolve) => this.#onReadsDone.push(resolve));
    if (await inTime(answered)) return;
    const tokens = [...this.#pendingReads];
    this.#pendingReads.clear();
    for (const token of tokens) this.#events?.onBlockRead(token, undefined, storageError('closed'));
  }

  #toWork(pieceIndex: number): DiskEvents {
    if (this.#closing !== undefined) throw storageError('closed');
    if (this.#events === undefined) throw new StorageError('bad-argument', 'connect first');
    const { pieceCount } = this.#files.info.geometry;
    if (!Number.isInteger(pieceIndex) || pieceIndex < 0 || pieceIndex >= pieceCount) {
      throw new StorageError('bad-argument', `there is no piece ${pieceIndex}`);
    }
    return this.#events;
  }

  #toWrite(pieceIndex: number): DiskEvents {
    if (this.#readOnly) throw storageError('read-only', { path: this.root });
    return this.#toWork(pieceIndex);
  }

  #expected(pieceIndex: number): SaveJob['expected'] {
    const expected = this.#files.expected(pieceIndex);
    if (expected !== undefined) return expected;
    throw new StorageError('bad-argument', `the hash of piece ${pieceIndex} is not known yet`);
  }

  #write(
    pieceIndex: number,
    list: SpanList,
    job: SaveJob | WriteJob,
    done: (answer: Answer | undefined, error: StorageError | undefined) => void,
    keeps: (answer: Answer) => boolean = () => false,
  ): void {
    this.#record.isStale = true;
    this.#readAhead.invalidate(this.#source, pieceIndex);
    if (this.#states.beginWriting(list.files) && this.#opened.resume !== undefined) {
      this.#queue.hold();
      void this.#record.save().finally(() => this.#queue.release());
    }
    const bytes = job.data.buffer.byteLength;
    this.#queue.add({
      pieceIndex,
      bytes,
      job: { ...job, written: this.#states.writtenEnds(list.files) },
      errorOf: (failure) => this.#files.error(failure, list),
      onAnswer: (answer) => this.#noteWritten(list, answer),
      done: (answer, error, unsent) => {
        const returned =
          answer !== undefined && 'data' in answer ? answer.data.buffer : unsent?.buffer;
        if (answer === undefined || !keeps(answer)) {
          // A worker that died has taken the buffer with it.
          this.#events?.onBufferReturned(returned ?? new ArrayBuffer(bytes));
        }
        done(answer, error);
      },
    });
  }

  /** Where a file lacked bytes that had been written to it, somebody has cut or removed it. */
  #noteWritten({ files, spans }: SpanList, answer: Answer): void {
    if (answer.kind !== 'save' && answer.kind !== 'write') return;
    for (const file of answer.cut ?? []) {
      const fileIndex = files[file]!;
      const path = this.#files.fullPath(fileIndex);
      this.#states.noteCut(fileIndex);
      this.#doubtFile(fileIndex, storageError('truncated', { path, fileIndex }));
    }
    if (answer.failure !== undefined || (answer.kind === 'save' && !answer.isRight)) return;
    for (let index = 0; index < spans.length; index += 3) {
      const fileIndex = files[spans[index]!];
      if (fileIndex === undefined) continue;
      this.#states.noteWritten(fileIndex, spans[index + 1]! + spans[index + 2]!);
    }
  }

  #gained(pieceIndex: number): void {
    this.#partials.forget(pieceIndex);
    if (bitAt(this.#have, pieceIndex)) return;
    setBit(this.#have, pieceIndex);
    this.#record.isStale = true;
    for (const fileIndex of this.#states.gainPiece(pieceIndex)) this.#settleComplete(fileIndex);
    if (this.#states.isComplete) void this.#record.save();
  }

  /** The last piece of a file is there: from now on the file has to stay as it is. */
  #settleComplete(fileIndex: number): void {
    if (this.#states.isDirty(fileIndex)) {
      const { columns } = this.#states;
      const path = this.#files.fullPath(fileIndex);
      const problem = surveyFile(path, fileIndex, columns);
      const isMissing = (columns.flags[fileIndex]! & FILE_PRESENT) === 0;
      const isShort = columns.sizes[fileIndex]! < this.#files.place(fileIndex).lengthBytes;
      if (isMissing || isShort) {
        // Somebody removed or cut the file while it was being written. To be told after the piece that completed it.
        const code = isMissing ? 'missing' : 'truncated';
        const error = problem ?? storageError(code, { path, fileIndex });
        setImmediate(() => this.#doubtFile(fileIndex, error));
      }
    }
    this.#states.settle(fileIndex);
    this.#record.planCheckpoint();
  }

  #lost(pieceIndex: number): void {
    if (!bitAt(this.#have, pieceIndex)) return;
    clearBit(this.#have, pieceIndex);
    this.#states.losePiece(pieceIndex);
    this.#record.isStale = true;
  }

  #verified(pieceIndex: number, result: number, error: StorageError | undefined): void {
    const isRight = result === RIGHT;
    if (isRight) this.#gained(pieceIndex);
    else this.#lost(pieceIndex);
    const isExplained = !isRight && result !== WRONG;
    this.#events?.onPieceVerified(pieceIndex, isRight, isExplained ? error : undefined);
    this.#endVerifying(pieceIndex);
  }

  #endVerifying(pieceIndex: number): void {
    const release = this.#verifying.get(pieceIndex);
    this.#verifying.delete(pieceIndex);
    release?.();
  }

  #makeSource(): ReadSource {
    const { geometry } = this.#files.info;
    return {
      root: this.root,
      readableSize: (pieceIndex) => geometry.paddedPieceSize(pieceIndex),
      fileSpans: (pieceIndex, offset, length, visit) => {
        geometry.fileSpans(pieceIndex, offset, length, visit);
      },
      pathOf: (fileIndex) => this.#files.place(fileIndex).relative,
      checkStat: (fileIndex, stat) => {
        const code = this.#states.compare(fileIndex, stat);
        if (code !== undefined) throw new DiskFailure(code, this.#files.fullPath(fileIndex));
      },
      onRead: (token, bytes, failure, fileIndex) => {
        this.#answerRead(token, bytes, failure, fileIndex);
      },
    };
  }

  #answerRead(
    token: number,
    bytes: Uint8Array | undefined,
    failure: DiskFailure | undefined,
    fileIndex: number,
  ): void {
    // Given up when the store was closed.
    if (!this.#pendingReads.has(token)) return;
    let error: StorageError | undefined;
    if (failure !== undefined) {
      const { code, path, errno, syscall } = failure;
      const isFile = fileIndex >= 0;
      const facts = { path, fileIndex: isFile ? fileIndex : undefined, errno, syscall };
      error = storageError(code, facts);
      if (isFile && code !== 'too-many-files') this.#doubtFile(fileIndex, error);
    }
    this.#pendingReads.delete(token);
    this.#events?.onBlockRead(token, bytes, error);
    if (this.#pendingReads.size === 0) for (const resolve of this.#onReadsDone.splice(0)) resolve();
  }

  /** A file is not what it was: none of its pieces is had until it has been verified, and those begun may lack blocks. Told once. */
  #doubtFile(fileIndex: number, error: StorageError): void {
    const pieces = this.#files.info.geometry.filePieces(fileIndex);
    if (pieces === undefined) return;
    let isNews = false;
    for (let pieceIndex = pieces.first; pieceIndex <= pieces.last; pieceIndex++) {
      if (bitAt(this.#have, pieceIndex)) isNews = true;
      else if (this.#partials.byPiece.has(pieceIndex) || this.#queue.isBusy(pieceIndex)) {
        this.#partials.damage(pieceIndex, error);
      }
      this.#lost(pieceIndex);
    }
    if (!isNews) return;
    this.#readAhead.forget(this.#source);
    this.#readAhead.reopen(this.#source, fileIndex);
    surveyFile(this.#files.fullPath(fileIndex), fileIndex, this.#states.columns);
    this.#states.doubt(fileIndex);
    void this.#record.save();
    this.#events?.onFileChanged(fileIndex, error);
  }
}
