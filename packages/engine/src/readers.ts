// Reading a file while it downloads: each reader has a place in the torrent, a window of pieces before it that are fetched
// ahead of everything else, and at most one chunk that it waits for.

import type { Geometry } from '@bt/metainfo';
import { type Picker, PRIORITY_DEFAULT, PRIORITY_URGENT } from '@bt/picker';
import type { StorageError } from '@bt/storage';
import { EngineError } from './errors.ts';
import type { Holdings } from './holdings.ts';
import { MAX_READERS, STREAM_WINDOW_BYTES } from './limits.ts';
import type { Reads } from './reads.ts';

/** What a reader gets in one chunk at most. */
const CHUNK_BYTES = 64 * 1024;

export class Reader {
  pieceIndex: number;
  offset: number;
  remainingBytes: number;
  /** A chunk is wanted. */
  isWaiting = false;
  /** A chunk is being read from disk. */
  isReading = false;
  isClosed = false;

  constructor(pieceIndex: number, offset: number, remainingBytes: number) {
    this.pieceIndex = pieceIndex;
    this.offset = offset;
    this.remainingBytes = remainingBytes;
  }
}

export interface ReadersOptions {
  readonly geometry: Geometry;
  readonly holdings: Holdings;
  readonly picker: Picker;
  /** Whether a piece may be asked for at all. */
  readonly isPickable: (pieceIndex: number) => boolean;
  readonly reads: { read(...args: Parameters<Reads<Reader>['read']>): Uint8Array | undefined };
  /** The chunk that a reader waited for; without bytes the read failed. */
  readonly deliver: (
    reader: Reader,
    bytes: Uint8Array | undefined,
    error: StorageError | undefined,
  ) => void;
}

export class Readers {
  readonly #geometry: Geometry;
  readonly #holdings: Holdings;
  readonly #picker: Picker;
  readonly #isPickable: ReadersOptions['isPickable'];
  readonly #readers = new Set<Reader>();
  #urgent = new Set<number>();

  readonly #reads: ReadersOptions['reads'];
  readonly #deliver: ReadersOptions['deliver'];

  constructor(options: ReadersOptions) {
    this.#geometry = options.geometry;
    this.#holdings = options.holdings;
    this.#picker = options.picker;
    this.#isPickable = options.isPickable;
    this.#reads = options.reads;
    this.#deliver = options.deliver;
  }

  [Symbol.iterator](): Iterator<Reader> {
    return this.#readers[Symbol.iterator]();
  }

  /** Begins to read `lengthBytes` of a file from `start`. */
  open(fileIndex: number, start: number, lengthBytes: number): Reader {
    if (this.#readers.size >= MAX_READERS) {
      throw new EngineError('too-many', `${MAX_READERS} readers are open already`);
    }
    const { pieceIndex, offset } = this.#geometry.fileStart(fileIndex);
    const position = offset + start;
    const { pieceLength } = this.#geometry;
    const reader = new Reader(
      pieceIndex + Math.floor(position / pieceLength),
      position % pieceLength,
      lengthBytes,
    );
    this.#readers.add(reader);
    this.updatePriorities();
    return reader;
  }

  close(reader: Reader): void {
    reader.isClosed = true;
    if (this.#readers.delete(reader)) this.updatePriorities();
  }

  /** Reads for everybody who waits and whose piece is there. */
  serve(): void {
    for (const reader of this.#readers) {
      if (!reader.isWaiting || reader.isReading) continue;
      const lengthBytes = this.#readable(reader);
      if (lengthBytes === 0) continue;
      reader.isReading = true;
      const bytes = this.#reads.read(reader, reader.pieceIndex, reader.offset, lengthBytes);
      if (bytes !== undefined) this.chunkRead(reader, bytes, undefined);
    }
  }

  /** The disk's answer. */
  chunkRead(reader: Reader, bytes: Uint8Array | undefined, error: StorageError | undefined): void {
    reader.isReading = false;
    if (reader.isClosed) return;
    reader.isWaiting = false;
    if (bytes !== undefined) this.#advance(reader, bytes.length);
    this.#deliver(reader, bytes, error);
  }

  /** Bytes to read for the reader now; 0 when its piece isn't there yet. */
  #readable(reader: Reader): number {
    if (!this.#holdings.has(reader.pieceIndex)) return 0;
    const inPiece = this.#geometry.pieceSize(reader.pieceIndex) - reader.offset;
    return Math.min(inPiece, reader.remainingBytes, CHUNK_BYTES - (reader.offset % CHUNK_BYTES));
  }

  #advance(reader: Reader, lengthBytes: number): void {
    reader.remainingBytes -= lengthBytes;
    reader.offset += lengthBytes;
    if (reader.offset < this.#geometry.pieceSize(reader.pieceIndex)) return;
    reader.pieceIndex += 1;
    reader.offset = 0;
    if (reader.remainingBytes > 0) this.updatePriorities();
  }

  /** Gives each missing piece its priority: urgent before a reader, none outside the selection. */
  updatePriorities(): void {
    const urgent = new Set<number>();
    const { pieceLength } = this.#geometry;
    for (const reader of this.#readers) {
      if (reader.remainingBytes <= 0) continue;
      const window = Math.min(
        reader.remainingBytes,
        Math.max(STREAM_WINDOW_BYTES, 2 * pieceLength),
      );
      const last = reader.pieceIndex + Math.floor((reader.offset + window - 1) / pieceLength);
      for (let piece = reader.pieceIndex; piece <= last; piece += 1) {
        if (!this.#holdings.has(piece)) urgent.add(piece);
      }
    }
    const before = this.#urgent;
    this.#urgent = urgent;
    for (const piece of before) this.#prioritise(piece);
    for (const piece of urgent) this.#prioritise(piece);
  }

  /** The selection of files has changed, or which pieces may be asked for: of all, or of `first` to `last`. */
  applySelection(first = 0, last = this.#geometry.pieceCount - 1): void {
    for (let piece = first; piece <= last; piece += 1) this.#prioritise(piece);
  }

  #prioritise(pieceIndex: number): void {
    const priority = this.#priorityOf(pieceIndex);
    if (this.#picker.piecePriority(pieceIndex) !== priority) {
      this.#picker.setPiecePriority(pieceIndex, priority);
    }
  }

  #priorityOf(pieceIndex: number): number {
    if (!this.#isPickable(pieceIndex)) return 0;
    if (this.#urgent.has(pieceIndex)) return PRIORITY_URGENT;
    return this.#holdings.isWanted(pieceIndex) ? PRIORITY_DEFAULT : 0;
  }
}
