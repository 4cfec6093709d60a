// A piece that failed its hash, and who may tell which of its blocks are wrong (BEP 52).

import type { BlockSenders } from './blame.ts';
import type { Sender } from './download.ts';
import type { Peer } from './peer.ts';

/** A piece that failed its hash. */
export interface FailedPiece {
  readonly pieceIndex: number;
  readonly senders: BlockSenders<Sender>;
  readonly blockHashes: Uint8Array | undefined;
  /** What came of it, where it is in memory and not on disk. */
  readonly data: Uint8Array<ArrayBuffer> | undefined;
}

/** `open`: `Download.judged` follows or has followed. `none`: nobody can tell. `contradiction`: nothing is wrong by its v2 hash. */
export type Trial = 'open' | 'none' | 'contradiction';

/** Finds out which blocks of a failed piece are wrong, in torrents that have hashes of blocks (BEP 52). */
export interface BlockJudge {
  /** It can take a piece. */
  readonly isOpen: boolean;
  open(failed: FailedPiece): Trial;
  /** The piece is right now. */
  passed(pieceIndex: number): void;
  /** A block of a piece that was opened has come once more: one that `Download.probe` has asked for. */
  blockCame(peer: Peer, pieceIndex: number): void;
}
