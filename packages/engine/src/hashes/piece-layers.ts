// The piece layers of a torrent, which may come after its info dictionary (BEP 52): a magnet link brings none, they are asked
// of peers file by file. Until a file's layer is there its pieces can't be verified, so in a v2 torrent they aren't asked for;
// a hybrid torrent has SHA-1 hashes and doesn't wait.

import { type Info, toHex } from '@bt/metainfo';

/** A file whose layer is missing, or several of the same content. */
export interface MissingLayer {
  readonly rootHex: string;
  readonly root: Uint8Array;
  /** Its files: they have the same length, since the root tells it. */
  readonly files: readonly number[];
  readonly pieceCount: number;
}

export class PieceLayers {
  /** By pieces root in hex, as `Metainfo.pieceLayers`: the disk reads the same map. */
  readonly byRoot: Map<string, Uint8Array>;
  readonly #info: Info;
  readonly #missing = new Map<string, MissingLayer>();
  /** One for a piece whose hash isn't known; undefined where all are. */
  #isHashUnknown: Uint8Array | undefined;
  /** Pieces whose v1 and v2 hashes contradict each other. */
  readonly #contradicted = new Set<number>();
  /** Pieces that may be on disk, and have to be hashed before they are asked of anybody. */
  readonly #unchecked: Set<number>;

  constructor(
    info: Info,
    byRoot: Map<string, Uint8Array>,
    unchecked: Iterable<number> | undefined,
  ) {
    this.#info = info;
    this.byRoot = byRoot;
    this.#unchecked = new Set(unchecked);
    if (info.infoHashV2 !== undefined) this.#findMissing();
  }

  /** Every file longer than a piece has its layer: a .torrent can be written. */
  get isComplete(): boolean {
    return this.#missing.size === 0;
  }

  /** In the order of the files. */
  get missing(): Iterable<MissingLayer> {
    return this.#missing.values();
  }

  isMissing(rootHex: string): boolean {
    return this.#missing.has(rootHex);
  }

  isHashKnown(pieceIndex: number): boolean {
    return this.#isHashUnknown?.[pieceIndex] !== 1;
  }

  /** The piece may be asked for: its hash is known, and it isn't on disk waiting to be verified. */
  isPickable(pieceIndex: number): boolean {
    if (this.#contradicted.has(pieceIndex)) return false;
    return this.isHashKnown(pieceIndex) && !this.#unchecked.has(pieceIndex);
  }

  /** No bytes are right by both hashes of the piece: it isn't asked for any more. */
  contradicted(pieceIndex: number): void {
    this.#contradicted.add(pieceIndex);
  }

  /** A layer that has been verified against its root. Returns the files whose pieces are known now. */
  add(rootHex: string, layer: Uint8Array): readonly number[] {
    const missing = this.#missing.get(rootHex);
    if (missing === undefined) return [];
    this.byRoot.set(rootHex, layer);
    this.#missing.delete(rootHex);
    if (this.#isHashUnknown !== undefined) {
      for (const fileIndex of missing.files) this.#mark(fileIndex, 0);
    }
    return missing.files;
  }

  /** The piece is in doubt: it has to be hashed before it is asked of anybody. */
  mustCheck(pieceIndex: number): void {
    this.#unchecked.add(pieceIndex);
  }

  /** It may be on disk, unverified. */
  isUnchecked(pieceIndex: number): boolean {
    return this.#unchecked.has(pieceIndex);
  }

  /** The disk has said what the piece is. */
  checked(pieceIndex: number): boolean {
    return this.#unchecked.delete(pieceIndex);
  }

  #findMissing(): void {
    const { files, geometry, pieceLength } = this.#info;
    const found = new Map<string, MissingLayer & { files: number[] }>();
    for (let file = 0; file < files.count; file += 1) {
      const length = files.lengthOf(file);
      const root = length > pieceLength ? files.piecesRootOf(file) : undefined;
      if (root === undefined) continue;
      const rootHex = toHex(root);
      if (this.byRoot.has(rootHex)) continue;
      const known = found.get(rootHex);
      const pieceCount = Math.ceil(length / pieceLength);
      // Two lengths under one root: no layer is right for both, and the other file can't be had.
      if (known === undefined) found.set(rootHex, { rootHex, root, files: [file], pieceCount });
      else if (known.pieceCount === pieceCount) known.files.push(file);
      if (this.#info.version !== 'v2') continue;
      this.#isHashUnknown ??= new Uint8Array(geometry.pieceCount);
      this.#mark(file, 1);
    }
    for (const [rootHex, layer] of found) this.#missing.set(rootHex, layer);
  }

  #mark(fileIndex: number, value: 0 | 1): void {
    const pieces = this.#info.geometry.filePieces(fileIndex);
    if (pieces === undefined) return;
    this.#isHashUnknown?.fill(value, pieces.first, pieces.last + 1);
  }
}
