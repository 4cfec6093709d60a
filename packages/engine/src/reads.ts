// Reads that are with the disk, by token: for peers (upload.ts) and for readers of files. A hit in the disk's read-ahead
// costs no entry.

import type { Disk } from '@bt/storage';

export interface Read<Owner> {
  readonly owner: Owner;
  readonly pieceIndex: number;
  readonly blockOffset: number;
  readonly lengthBytes: number;
}

export class Reads<Owner> {
  readonly #disk: Pick<Disk, 'readBlock'>;
  #pending: (Read<Owner> | undefined)[] = [];
  #free: number[] = [];

  constructor(disk: Pick<Disk, 'readBlock'>) {
    this.#disk = disk;
  }

  /**
   * The bytes when they are at hand; otherwise they come later, with a token for `take`. `onDiskBytes`: how much of the
   * block is on disk, where it is not all of it.
   */
  read(
    owner: Owner,
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
    onDiskBytes = lengthBytes,
  ): Uint8Array | undefined {
    const token = this.#free.at(-1) ?? this.#pending.length;
    const bytes = this.#disk.readBlock(pieceIndex, blockOffset, onDiskBytes, token);
    if (bytes !== undefined) return bytes;
    this.#free.pop();
    this.#pending[token] = { owner, pieceIndex, blockOffset, lengthBytes };
    return undefined;
  }

  /** What was asked with this token. */
  take(token: number): Read<Owner> | undefined {
    const read = this.#pending[token];
    if (read === undefined) return undefined;
    this.#pending[token] = undefined;
    this.#free.push(token);
    return read;
  }
}
