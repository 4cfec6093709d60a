/**
 * Blocks on disk of pieces that are not complete: those that the record tells of, and which pieces may have lost some since, because
 * somebody has cut or removed a file. When such a piece is hashed in the end and is wrong, that is nobody's fault who sent it.
 */
import type { Geometry } from '@bt/metainfo';
import { clearBit, setBit } from '../bits.ts';
import type { StorageError } from '../errors.ts';
import type { PartialBlocks } from '../resume.ts';

export class PartialPieces {
  readonly #geometry: Geometry;
  readonly #byPiece: Map<number, PartialBlocks>;
  readonly #damages = new Map<number, StorageError>();

  constructor(geometry: Geometry, found: Map<number, PartialBlocks>) {
    this.#geometry = geometry;
    this.#byPiece = found;
  }

  /** What can be believed in another life. */
  get byPiece(): ReadonlyMap<number, PartialBlocks> {
    return this.#byPiece;
  }

  /** Blocks have been written: `runs` as of `Disk.saveBlocks`. */
  add(pieceIndex: number, offset: number, runs: readonly number[]): void {
    // Which of its writes came before the damage is not known.
    if (this.#damages.has(pieceIndex)) return;
    const { blockLength } = this.#geometry;
    let partial = this.#byPiece.get(pieceIndex);
    if (partial === undefined) {
      const blockCount = this.#geometry.blockCount(pieceIndex);
      partial = { blockCount, blocks: new Uint8Array(Math.ceil(blockCount / 8)) };
      this.#byPiece.set(pieceIndex, partial);
    }
    for (let index = 0; index < runs.length; index += 2) {
      const end = (offset + runs[index + 1]!) / blockLength;
      for (let block = (offset + runs[index]!) / blockLength; block < end; block++) {
        setBit(partial.blocks, block);
      }
    }
  }

  /** The piece is complete, or wanted anew: wholly, or those blocks of it. */
  forget(pieceIndex: number, blockIndices?: readonly number[]): void {
    if (blockIndices === undefined) {
      this.#byPiece.delete(pieceIndex);
      this.#damages.delete(pieceIndex);
      return;
    }
    const blocks = this.#byPiece.get(pieceIndex)?.blocks;
    if (blocks === undefined) return;
    for (const blockIndex of blockIndices) clearBit(blocks, blockIndex);
  }

  /** A file that the piece lies in has been cut or removed. */
  damage(pieceIndex: number, error: StorageError): void {
    this.#byPiece.delete(pieceIndex);
    this.#damages.set(pieceIndex, error);
  }

  /** Why blocks of the piece may be gone; undefined when none are. */
  damageOf(pieceIndex: number): StorageError | undefined {
    return this.#damages.get(pieceIndex);
  }
}
