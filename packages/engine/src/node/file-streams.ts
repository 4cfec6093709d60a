// Files as streams of bytes while they download: each asks the torrent for one chunk at a time.

import type { FileTable } from '@bt/metainfo';
import type { StorageError } from '@bt/storage';
import { EngineError } from '../errors.ts';
import type { Reader } from '../readers.ts';
import type { Torrent } from '../torrent.ts';

export interface StreamOptions {
  /** First byte. Default 0. */
  readonly start?: number;
  /** Last byte, inclusive as in `fs.createReadStream`. Default the file's last. */
  readonly end?: number;
  readonly signal?: AbortSignal;
}

export interface FileStreamsOptions {
  /** Undefined until they are known. */
  readonly files: () => FileTable | undefined;
  /** Calls the torrent; does nothing while it isn't running yet. */
  readonly act: (call: (torrent: Torrent, now: number) => void) => void;
  readonly isStopped: () => boolean;
}

interface Waiting {
  resolve(bytes: Uint8Array): void;
  reject(error: Error): void;
}

export class FileStreams {
  readonly #options: FileStreamsOptions;
  readonly #waiting = new Map<Reader, Waiting>();
  /** Those that wait for the torrent to run. */
  readonly #opening = new Set<() => void>();

  constructor(options: FileStreamsOptions) {
    this.#options = options;
  }

  open(fileIndex: number, options: StreamOptions): AsyncIterableIterator<Uint8Array> {
    const files = this.#options.files();
    if (files === undefined) {
      throw new EngineError('bad-argument', 'the files are not known yet: wait for `metadata`');
    }
    if (!(Number.isInteger(fileIndex) && fileIndex >= 0 && fileIndex < files.count)) {
      throw new EngineError('bad-argument', `there is no file ${fileIndex}`);
    }
    const length = files.lengthOf(fileIndex);
    const { start = 0, end = length - 1, signal } = options;
    const isWhole = Number.isSafeInteger(start) && Number.isSafeInteger(end);
    if (!(isWhole && start >= 0 && start <= length && end < length && end >= start - 1)) {
      throw new EngineError('bad-argument', `bytes ${start} to ${end} of a file of ${length}`);
    }
    return this.#read(fileIndex, start, end + 1 - start, signal);
  }

  /** The torrent has a chunk for the reader. */
  deliver(reader: Reader, bytes: Uint8Array | undefined, error: StorageError | undefined): void {
    const waiting = this.#waiting.get(reader);
    this.#waiting.delete(reader);
    if (bytes !== undefined) waiting?.resolve(bytes);
    else waiting?.reject(error ?? new EngineError('stopped', 'the read failed'));
  }

  /** The torrent runs: streams that were opened before can begin. */
  started(): void {
    for (const open of this.#opening) open();
    this.#opening.clear();
  }

  /** The torrent has stopped: every stream ends with an error. */
  close(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(stoppedError());
    this.#waiting.clear();
    this.started();
  }

  async *#read(
    fileIndex: number,
    start: number,
    lengthBytes: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let left = lengthBytes;
    if (left === 0) return;
    const reader = await this.#openReader(fileIndex, start, lengthBytes, signal);
    const onAbort = () => {
      const waiting = this.#waiting.get(reader);
      this.#waiting.delete(reader);
      waiting?.reject(abortedError(signal));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      while (left > 0) {
        if (signal?.aborted === true) throw abortedError(signal);
        const bytes = await this.#pull(reader);
        left -= bytes.length;
        yield bytes;
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#options.act((torrent, now) => torrent.closeReader(now, reader));
    }
  }

  async #openReader(
    fileIndex: number,
    start: number,
    lengthBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<Reader> {
    for (;;) {
      if (this.#options.isStopped()) throw stoppedError();
      if (signal?.aborted === true) throw abortedError(signal);
      let reader: Reader | undefined;
      this.#options.act((torrent, now) => {
        reader = torrent.openReader(now, fileIndex, start, lengthBytes);
      });
      if (reader !== undefined) return reader;
      // Files are being checked.
      await this.#start(signal);
    }
  }

  /** Until the torrent runs, or has stopped. */
  #start(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const open = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#opening.delete(open);
        reject(abortedError(signal));
      };
      this.#opening.add(open);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #pull(reader: Reader): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#options.isStopped()) {
        reject(stoppedError());
        return;
      }
      this.#waiting.set(reader, { resolve, reject });
      this.#options.act((torrent, now) => torrent.pull(now, reader));
    });
  }
}

function abortedError(signal: AbortSignal | undefined): EngineError {
  return new EngineError('aborted', 'reading was aborted', signal?.reason);
}

function stoppedError(): EngineError {
  return new EngineError('stopped', 'the torrent was stopped');
}
