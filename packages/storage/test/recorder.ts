/** Collects what a disk tells, and lets a test wait for it. */
import type { DiskEvents, PieceResult } from '../src/disk.ts';
import type { StorageError } from '../src/errors.ts';

export class Recorder implements DiskEvents {
  readonly saved = new Map<number, PieceResult>();
  readonly reads = new Map<
    number,
    { readonly bytes: Uint8Array | undefined; readonly error: StorageError | undefined }
  >();
  readonly verified = new Map<
    number,
    { readonly isRight: boolean; readonly error: StorageError | undefined }
  >();
  readonly hashed = new Map<number, Uint8Array | undefined>();
  readonly buffers: ArrayBuffer[] = [];
  readonly stalls: StorageError[] = [];
  readonly changed: { readonly fileIndex: number; readonly error: StorageError }[] = [];
  resumes = 0;
  onBuffer: ((buffer: ArrayBuffer) => void) | undefined;
  readonly #waiting: { readonly test: () => boolean; readonly resolve: () => void }[] = [];

  onPieceSaved(pieceIndex: number, result: PieceResult): void {
    this.saved.set(pieceIndex, result);
    this.#wake();
  }

  onBlockRead(token: number, bytes: Uint8Array | undefined, error: StorageError | undefined): void {
    this.reads.set(token, { bytes, error });
    this.#wake();
  }

  onPieceVerified(pieceIndex: number, isRight: boolean, error: StorageError | undefined): void {
    this.verified.set(pieceIndex, { isRight, error });
    this.#wake();
  }

  onBlocksHashed(pieceIndex: number, blockHashes: Uint8Array | undefined): void {
    this.hashed.set(pieceIndex, blockHashes);
    this.#wake();
  }

  onBufferReturned(buffer: ArrayBuffer): void {
    this.buffers.push(buffer);
    this.onBuffer?.(buffer);
    this.#wake();
  }

  onStalled(error: StorageError): void {
    this.stalls.push(error);
    this.#wake();
  }

  onResumed(): void {
    this.resumes++;
    this.#wake();
  }

  onFileChanged(fileIndex: number, error: StorageError): void {
    this.changed.push({ fileIndex, error });
    this.#wake();
  }

  /** Resolves once `test` is true; asked after every event. */
  until(test: () => boolean): Promise<void> {
    if (test()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ test, resolve }));
  }

  #wake(): void {
    for (let index = this.#waiting.length - 1; index >= 0; index--) {
      const { test, resolve } = this.#waiting[index]!;
      if (!test()) continue;
      this.#waiting.splice(index, 1);
      resolve();
    }
  }
}
