// What a torrent does about the hashes of BEP 52: the piece layers that it lacks, and the pieces that wait for them.

import type { Info } from '@bt/metainfo';
import type { Disk } from '@bt/storage';
import type { Download } from '../download.ts';
import { PieceLayers } from './piece-layers.ts';

export interface HashExchangeOptions {
  readonly info: Info;
  readonly pieceLayers: Map<string, Uint8Array> | undefined;
  readonly uncheckedPieces: readonly number[] | undefined;
  readonly disk: Pick<Disk, 'verifyPiece'>;
  readonly download: Pick<Download, 'savePiece'>;
  /** The hashes of these pieces are known now: the first and the last of each file. */
  readonly layersCame: (pieces: readonly { first: number; last: number }[]) => void;
}

export class HashExchange {
  readonly layers: PieceLayers;
  /** Pieces of which an earlier life has left every block on disk. */
  unhashed: readonly number[] = [];
  readonly #options: HashExchangeOptions;

  constructor(options: HashExchangeOptions) {
    this.#options = options;
    this.layers = new PieceLayers(
      options.info,
      options.pieceLayers ?? new Map(),
      options.uncheckedPieces,
    );
  }

  start(): void {
    this.#hashUnhashed();
  }

  /** Hashes a piece from disk: now, or when its hash is known. */
  verify(pieceIndex: number): void {
    if (this.layers.isHashKnown(pieceIndex)) this.#options.disk.verifyPiece(pieceIndex);
    else this.layers.postpone(pieceIndex);
  }

  /** A piece layer that has been verified against its root. */
  addLayer(rootHex: string, layer: Uint8Array): void {
    const { info, disk, layersCame } = this.#options;
    const pieces = this.layers
      .add(rootHex, layer)
      .flatMap((fileIndex) => info.geometry.filePieces(fileIndex) ?? []);
    for (const { first, last } of pieces) {
      for (let piece = first; piece <= last; piece += 1) {
        if (this.layers.isUnchecked(piece)) disk.verifyPiece(piece);
      }
    }
    this.#hashUnhashed();
    layersCame(pieces);
  }

  #hashUnhashed(): void {
    const waiting: number[] = [];
    for (const pieceIndex of this.unhashed) {
      if (this.layers.isHashKnown(pieceIndex)) this.#options.download.savePiece(pieceIndex);
      else waiting.push(pieceIndex);
    }
    this.unhashed = waiting;
  }
}
