/**
 * Reading for uploads. Peers ask for blocks of 16 KiB one after the other; the disk is asked for 256 KiB at once, and the
 * blocks are views on that chunk. Chunks are never written to after they were read, so a socket may hold a view for as
 * long as it likes; the cache is bounded, least recently used first.
 *
 * Runs on the main thread with asynchronous calls, so that uploads wait neither for the hashing in the workers nor start a
 * worker for a torrent that only seeds.
 */
import fs from 'node:fs';
import path from 'node:path';
import { READ_AHEAD_BYTES } from '../disk.ts';
import { DiskFailure, isInside, READ_FLAGS } from './open-files.ts';

/** What a reader has to know of a torrent. */
export interface ReadSource {
  /** Resolved path of the download folder. */
  readonly root: string;
  /** Size of what may be asked of a piece. */
  readableSize(pieceIndex: number): number;
  fileSpans(
    pieceIndex: number,
    offset: number,
    length: number,
    visit: (fileIndex: number, fileOffset: number, length: number) => void,
  ): void;
  /** Path below the root. */
  pathOf(fileIndex: number): string;
  /** Throws a DiskFailure when the file is not the one that was verified. */
  checkStat(fileIndex: number, stat: fs.BigIntStats): void;
  /** The bytes, or why there are none and in which file (-1: in none). Never called from inside `read`. */
  onRead(
    token: number,
    bytes: Uint8Array | undefined,
    failure: DiskFailure | undefined,
    fileIndex: number,
  ): void;
}

export interface ReadAheadOptions {
  readonly maxOpenFiles: number;
  /** Bound on the chunks that are kept. Default 32 MiB. */
  readonly cacheBytes?: number;
}

const DEFAULT_CACHE_BYTES = 32 * 1024 * 1024;

/** Chunks read at the same time: Node's thread pool has four threads, and name lookups need some of them. */
const MAX_READS = 3;

interface Waiter {
  readonly token: number;
  readonly start: number;
  readonly end: number;
}

interface Chunk {
  readonly source: ReadSource;
  readonly pieceIndex: number;
  readonly offset: number;
  readonly length: number;
  /** Undefined while it is being read. */
  data: Uint8Array | undefined;
  waiters: Waiter[];
  /** False for bytes that are read for one request alone. */
  readonly isShared: boolean;
  /** Its piece was written or its file doubted while it was being read: nobody knows what its bytes are. */
  isDropped: boolean;
}

interface OpenFile {
  readonly opening: Promise<number>;
  readonly root: string;
  users: number;
}

export class ReadAhead {
  readonly #maxOpenFiles: number;
  readonly #cacheBytes: number;
  /** By piece and chunk; the order of `#recent` is that of use, the least recent first. */
  readonly #chunks = new Map<ReadSource, Map<number, Chunk>>();
  readonly #recent = new Set<Chunk>();
  readonly #queue: Chunk[] = [];
  readonly #loading = new Set<Chunk>();
  readonly #files = new Map<string, OpenFile>();
  #cachedBytes = 0;

  constructor(options: ReadAheadOptions) {
    this.#maxOpenFiles = Math.max(MAX_READS, options.maxOpenFiles);
    this.#cacheBytes = options.cacheBytes ?? DEFAULT_CACHE_BYTES;
  }

  /** Bytes of the chunks that are kept. */
  get cachedBytes(): number {
    return this.#cachedBytes;
  }

  /** The bytes when they are cached; otherwise `source.onRead` is called later. The range must lie in the piece. */
  read(
    source: ReadSource,
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
    token: number,
  ): Uint8Array | undefined {
    const chunkIndex = Math.floor(blockOffset / READ_AHEAD_BYTES);
    const offset = chunkIndex * READ_AHEAD_BYTES;
    const start = blockOffset - offset;
    const end = start + lengthBytes;
    if (end > READ_AHEAD_BYTES) {
      // Not a block of the usual grid: read just this, and keep it for nobody.
      const waiters = [{ token, start: 0, end: lengthBytes }];
      this.#enqueue(newChunk(source, pieceIndex, blockOffset, lengthBytes, waiters, false));
      return undefined;
    }
    const key = keyOf(pieceIndex, chunkIndex);
    let chunks = this.#chunks.get(source);
    if (chunks === undefined) {
      chunks = new Map();
      this.#chunks.set(source, chunks);
    }
    let chunk = chunks.get(key);
    if (chunk?.data !== undefined) {
      this.#recent.delete(chunk);
      this.#recent.add(chunk);
      return chunk.data.subarray(start, end);
    }
    if (chunk === undefined) {
      const length = Math.min(READ_AHEAD_BYTES, source.readableSize(pieceIndex) - offset);
      chunk = newChunk(source, pieceIndex, offset, length, [], true);
      chunks.set(key, chunk);
      this.#enqueue(chunk);
    }
    chunk.waiters.push({ token, start, end });
    return undefined;
  }

  /** Forget what is cached of a piece, since it is about to be written. Reads that are under way fail as `changed`. */
  invalidate(source: ReadSource, pieceIndex: number): void {
    for (const chunk of [...this.#loading, ...this.#queue]) {
      if (chunk.source === source && chunk.pieceIndex === pieceIndex) this.#drop(chunk);
    }
    const chunks = this.#chunks.get(source);
    if (chunks === undefined || chunks.size === 0) return;
    const count = Math.ceil(source.readableSize(pieceIndex) / READ_AHEAD_BYTES);
    if (count > chunks.size) {
      for (const chunk of chunks.values()) if (chunk.pieceIndex === pieceIndex) this.#drop(chunk);
      return;
    }
    for (let chunkIndex = 0; chunkIndex < count; chunkIndex++) {
      const chunk = chunks.get(keyOf(pieceIndex, chunkIndex));
      if (chunk !== undefined) this.#drop(chunk);
    }
  }

  /** Forget all of a torrent and close its files. Reads that are under way fail as `changed`. */
  forget(source: ReadSource): void {
    for (const chunk of [...this.#loading, ...this.#queue]) {
      if (chunk.source === source) this.#drop(chunk);
    }
    for (const chunk of this.#chunks.get(source)?.values() ?? []) this.#drop(chunk);
    this.#chunks.delete(source);
    for (const [full, file] of this.#files) {
      if (file.root === source.root && file.users === 0) this.#closeFile(full, file);
    }
  }

  /** Close the descriptor of a file, so that the next read opens what is there now. */
  reopen(source: ReadSource, fileIndex: number): void {
    const full = path.join(source.root, source.pathOf(fileIndex));
    const file = this.#files.get(full);
    if (file === undefined) return;
    this.#files.delete(full);
    if (file.users === 0) close(file);
  }

  close(): void {
    this.#chunks.clear();
    this.#recent.clear();
    this.#cachedBytes = 0;
    for (const [full, file] of this.#files) {
      if (file.users === 0) this.#closeFile(full, file);
    }
  }

  #enqueue(chunk: Chunk): void {
    this.#queue.push(chunk);
    this.#pump();
  }

  #pump(): void {
    while (this.#loading.size < MAX_READS) {
      const chunk = this.#queue.shift();
      if (chunk === undefined) return;
      this.#loading.add(chunk);
      void this.#load(chunk);
    }
  }

  async #load(chunk: Chunk): Promise<void> {
    const { source, pieceIndex, offset, length } = chunk;
    // Without zeroing, which would cost as much as the copy from the page cache: every byte is written below.
    const data = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    let failure: DiskFailure | undefined;
    let failedFile = -1;
    let at = 0;
    const spans: number[] = [];
    source.fileSpans(pieceIndex, offset, length, (fileIndex, fileOffset, bytes) => {
      spans.push(fileIndex, fileOffset, bytes);
    });
    try {
      for (let index = 0; index < spans.length && !chunk.isDropped; index += 3) {
        const bytes = spans[index + 2]!;
        failedFile = spans[index]!;
        if (failedFile < 0) data.fill(0, at, at + bytes);
        else await this.#readSpan(source, failedFile, spans[index + 1]!, data, at, bytes);
        at += bytes;
      }
    } catch (error) {
      failure = DiskFailure.from(error, '');
    }
    this.#loading.delete(chunk);
    if (chunk.isDropped && failure === undefined) {
      failure = new DiskFailure('changed', source.root);
      failedFile = -1;
    }
    this.#settle(chunk, failure === undefined ? data : undefined);
    this.#pump();
    for (const { token, start, end } of chunk.waiters.splice(0)) {
      if (failure === undefined) source.onRead(token, data.subarray(start, end), undefined, -1);
      else source.onRead(token, undefined, failure, failedFile);
    }
  }

  /** Keep the chunk if it may be found, within the bound. */
  #settle(chunk: Chunk, data: Uint8Array | undefined): void {
    if (!chunk.isShared || chunk.isDropped) return;
    if (data === undefined) {
      this.#drop(chunk);
      return;
    }
    chunk.data = data;
    this.#recent.add(chunk);
    this.#cachedBytes += data.length;
    for (const oldest of this.#recent) {
      if (this.#cachedBytes <= this.#cacheBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(chunk: Chunk): void {
    chunk.isDropped = true;
    if (!chunk.isShared) return;
    const key = keyOf(chunk.pieceIndex, chunk.offset / READ_AHEAD_BYTES);
    const chunks = this.#chunks.get(chunk.source);
    if (chunks?.get(key) === chunk) chunks.delete(key);
    if (this.#recent.delete(chunk)) this.#cachedBytes -= chunk.length;
  }

  async #readSpan(
    source: ReadSource,
    fileIndex: number,
    fileOffset: number,
    target: Uint8Array,
    at: number,
    length: number,
  ): Promise<void> {
    const full = path.join(source.root, source.pathOf(fileIndex));
    const file = this.#use(source.root, full);
    try {
      const fd = await file.opening;
      let done = 0;
      while (done < length) {
        const count = await read(fd, target, at + done, length - done, fileOffset + done);
        if (count === 0) throw new DiskFailure('truncated', full);
        done += count;
      }
      // After the read, so that bytes which somebody wrote before it are noticed.
      source.checkStat(fileIndex, fs.fstatSync(fd, { bigint: true }));
    } catch (error) {
      throw DiskFailure.from(error, full);
    } finally {
      file.users--;
      if (file.users === 0 && this.#files.get(full) !== file) close(file);
    }
  }

  #use(root: string, full: string): OpenFile {
    let file = this.#files.get(full);
    if (file === undefined) {
      for (const [oldest, other] of this.#files) {
        if (this.#files.size < this.#maxOpenFiles) break;
        if (other.users === 0) this.#closeFile(oldest, other);
      }
      file = { opening: this.#open(root, full), root, users: 0 };
      const opened = file;
      opened.opening.catch(() => {
        if (this.#files.get(full) === opened) this.#files.delete(full);
      });
    } else {
      this.#files.delete(full);
    }
    this.#files.set(full, file);
    file.users++;
    return file;
  }

  async #open(root: string, full: string): Promise<number> {
    try {
      return await open(root, full);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
    }
    // No descriptor is left in the process: give up those that nobody uses, and try once more.
    for (const [other, file] of this.#files) if (file.users === 0) this.#closeFile(other, file);
    return open(root, full);
  }

  #closeFile(full: string, file: OpenFile): void {
    this.#files.delete(full);
    close(file);
  }
}

function newChunk(
  source: ReadSource,
  pieceIndex: number,
  offset: number,
  length: number,
  waiters: Waiter[],
  isShared: boolean,
): Chunk {
  const data = undefined;
  return { source, pieceIndex, offset, length, data, waiters, isShared, isDropped: false };
}

/** A piece has at most 2^36 / 2^18 = 2^18 chunks, and piece indices have 32 bits: exact. */
function keyOf(pieceIndex: number, chunkIndex: number): number {
  return pieceIndex * 2 ** 18 + chunkIndex;
}

async function open(root: string, full: string): Promise<number> {
  const folder = await new Promise<string>((resolve, reject) => {
    fs.realpath.native(path.dirname(full), (error, real) => {
      if (error) reject(error);
      else resolve(real);
    });
  });
  if (!isInside(root, folder)) throw new DiskFailure('symlink', path.dirname(full));
  return new Promise((resolve, reject) => {
    fs.open(full, READ_FLAGS, (error, fd) => {
      if (error) reject(error);
      else resolve(fd);
    });
  });
}

function read(
  fd: number,
  target: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, target, offset, length, position, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}

function close(file: OpenFile): void {
  file.opening.then(
    (fd) => {
      fs.close(fd);
    },
    () => {},
  );
}
