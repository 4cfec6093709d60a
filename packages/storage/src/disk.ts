/**
 * The seam between the engine and whatever keeps a torrent's bytes: real files (`FileStore` of `@bt/storage/node`) or
 * memory (`MemoryDisk`, for tests and simulated swarms). Pure types; the engine codes against this file alone.
 *
 * ## Contract
 *
 * - **No call waits and no call throws for the disk's sake.** Work is accepted, done elsewhere, and its result comes
 *   through {@link DiskEvents}, never from inside the call that asked for it. Only a caller's mistake (an index out of
 *   range, a closed disk) throws, a {@link StorageError} with code `bad-argument` or `closed`.
 * - **Every accepted call has exactly one result**, at the latest when the disk is closed (`failed`, code `closed`).
 * - **Order.** Operations on one piece are carried out in the order of the calls. Operations on different pieces may
 *   overtake each other.
 * - **Nothing is announced that is not written**: `saved` means that the hash was right and every byte was accepted by
 *   the file system.
 * - **A failing write stalls writing, it loses nothing.** On ENOSPC, EACCES, EIO... the disk keeps the piece and all that
 *   is queued behind it, calls `onStalled(error)` once, and tries again only on {@link Disk.retry}. Reading and verifying
 *   go on. The engine stops asking for blocks, tells the user, calls `retry()` every few seconds, and goes on after
 *   `onResumed()`. A piece that waits is still missing: it has had no result yet.
 * - **Back-pressure** is {@link Disk.queuedBytes}, and `PieceBuffers.isFull` which includes it.
 *
 * Most callers never call the writing methods: they hand blocks to `PieceBuffers` (`piece-buffer.ts`), which knows when a
 * piece is to go in one transfer (`savePiece`) and when in segments (`saveBlocks`, then `finishPiece`).
 */
import type { StorageError } from './errors.ts';

export interface Disk {
  /** Bytes accepted by `savePiece` and `saveBlocks` which are not yet in a file. */
  readonly queuedBytes: number;

  /** The error that keeps writing from going on; undefined while all is well. */
  readonly stalledBy: StorageError | undefined;

  /** Say who hears the results. To be called once, before any other call. */
  connect(events: DiskEvents): void;

  /**
   * Hash a whole piece and, if it is right, write it. One trip: the worker that hashes is the worker that writes.
   *
   * `data` holds exactly the piece's `pieceSize` bytes and may be a view on a larger buffer. Its ArrayBuffer is transferred
   * (in the caller's hands it has length 0 afterwards) and comes back through `onBufferReturned`.
   *
   * Result: `onPieceSaved`.
   */
  savePiece(pieceIndex: number, data: Uint8Array<ArrayBuffer>, options?: PieceCheckOptions): void;

  /**
   * Write some blocks of a piece that can't be hashed yet: a segment of a piece too large for memory, or what there is of a
   * piece when memory runs out or the engine stops. Nothing is hashed, so nothing may be announced for it.
   *
   * `data[0]` is the byte at `offset` of the piece, a multiple of the block length. `runs` says which parts of `data` are to
   * be written, as pairs `[start, end, start, end, ...]` relative to `data`, ascending, each made of whole blocks.
   * The ArrayBuffer is transferred as with `savePiece`. The disk remembers the blocks: on a clean close they stand in the
   * resume record and are given back on the next start.
   *
   * No result of its own; the buffer's return says that it has been written.
   */
  saveBlocks(
    pieceIndex: number,
    offset: number,
    data: Uint8Array<ArrayBuffer>,
    runs: readonly number[],
  ): void;

  /**
   * Every block of the piece has gone through `saveBlocks`, in this life or in an earlier one: hash the piece from disk.
   *
   * Result: `onPieceSaved`. After `mismatch`, and after `failed` unless it was closed, the disk has forgotten the piece's blocks.
   */
  finishPiece(pieceIndex: number, options?: PieceCheckOptions): void;

  /** Forget blocks that `saveBlocks` has written of a piece, since they are wanted anew: all of them, or those named. */
  forgetBlocks(pieceIndex: number, blockIndices?: readonly number[]): void;

  /**
   * Read part of a piece for an upload. Call it only for pieces that are saved.
   *
   * Returns the bytes at once when they are in the read-ahead cache; then no event follows. Otherwise returns undefined and
   * `onBlockRead(token, ...)` follows. Either way the bytes are a view on a larger chunk which is never written to again: they stay
   * valid for as long as the caller holds them (so a socket may keep them until it has sent them), and holding them holds
   * the chunk (at most 256 KiB). The caller must not write to them.
   *
   * Read-ahead: a miss reads the aligned chunk around the block in one system call, so the following blocks are hits.
   * `token` is the caller's number for the request; it may be reused once answered. There is no cancel: ignore the answer.
   * Throws for ranges that are not in the piece (`paddedPieceSize`) or longer than `MAX_READ_BYTES`.
   */
  readBlock(
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
    token: number,
  ): Uint8Array | undefined;

  /**
   * Hash a piece from disk again, e.g. after `onFileChanged` or a failed read.
   * Calls made in one turn are gathered into batches, so a loop over all pieces is fine.
   *
   * Result: `onPieceVerified`.
   */
  verifyPiece(pieceIndex: number): void;

  /**
   * Hash the blocks of a piece that is saved, for a peer that asks for them (BEP 52). They come only when the piece is right:
   * 32 bytes a block, as `PieceResult.blockHashes`.
   *
   * Result: `onBlocksHashed`. Not for pieces over `MAX_BLOCK_HASHED_PIECE_BYTES`.
   */
  hashBlocks(pieceIndex: number): void;

  /** Try again what has stalled. Does nothing when nothing has. */
  retry(): void;
}

export interface PieceCheckOptions {
  /**
   * Return the hash of each block, also when the piece is right: how a re-downloaded piece tells who sent the wrong blocks of the
   * attempt before. After a mismatch they are returned without being asked for.
   */
  readonly blockHashes?: boolean;
  /**
   * Keep what is right in a wrong piece possible: after a mismatch `savePiece` gives the bytes back with the result, in the
   * place of `onBufferReturned`, and `finishPiece` doesn't forget the piece's blocks. For `PieceBuffers.reopen` or `discard`.
   */
  readonly keepWrong?: boolean;
}

/** The outcome of `savePiece` and `finishPiece`. */
export interface PieceResult {
  /**
   * - `saved`: the hash was right and the bytes are in the file
   * - `mismatch`: the hash was wrong; nothing was written by `savePiece`
   * - `failed`: given up (the disk was closed while the piece was stalled or queued), or its blocks can't be read from disk, or
   *   are wrong there where somebody has cut or removed a file; see `error`. Says nothing about the data that was sent.
   */
  readonly outcome: 'saved' | 'mismatch' | 'failed';
  /**
   * The SHA-256 of each block, 32 bytes each, in order: the leaves of a v2 file's tree (BEP 52). Padding at the end of the piece is no
   * part of it, and a block of nothing but that is zeros. Absent for pieces over `MAX_BLOCK_HASHED_PIECE_BYTES`, and where
   * not asked for.
   */
  readonly blockHashes?: Uint8Array;
  /** The bytes of a wrong piece that `savePiece` was to keep. */
  readonly data?: Uint8Array<ArrayBuffer>;
  readonly error?: StorageError;
}

/** Where the results go. Called from the event loop, never from inside a call to the disk. */
export interface DiskEvents {
  onPieceSaved(pieceIndex: number, result: PieceResult): void;

  /** `bytes` as described at `readBlock`; undefined with the reason when the read failed: the piece is no longer to be announced. */
  onBlockRead(token: number, bytes: Uint8Array | undefined, error: StorageError | undefined): void;

  /** `isRight` is false for wrong, missing and unreadable bytes; `error` is there when the disk knows the reason. */
  onPieceVerified(pieceIndex: number, isRight: boolean, error: StorageError | undefined): void;

  /** The leaves that `hashBlocks` asked for; undefined when the piece is wrong or can't be read, with the reason if there is one. */
  onBlocksHashed(
    pieceIndex: number,
    blockHashes: Uint8Array | undefined,
    error: StorageError | undefined,
  ): void;

  /** The buffer of a `savePiece` or `saveBlocks` is free again: hand it to `PieceBuffers.recycle`. */
  onBufferReturned(buffer: ArrayBuffer): void;

  /** Writing has stopped; see the contract above. */
  onStalled(error: StorageError): void;

  /** Writing goes on after a stall. */
  onResumed(): void;

  /**
   * A file that was complete is not what it was: changed, cut, or gone. Each of its pieces is in doubt: stop announcing them
   * (`geometry.filePieces(fileIndex)`) and call `verifyPiece` for each.
   */
  onFileChanged(fileIndex: number, error: StorageError): void;
}

/** Pieces up to this size are held in memory whole and saved in one transfer; larger ones go in segments. 4 MiB. */
export const MAX_WHOLE_PIECE_BYTES = 4 * 1024 * 1024;

/** Segment of a piece larger than `MAX_WHOLE_PIECE_BYTES`. 1 MiB: large enough that a write costs little, small enough to hold many. */
export const SEGMENT_BYTES = 1024 * 1024;

/** Larger pieces get no per-block hashes: 1 GiB, which is 65,536 hashes or 2 MiB. */
export const MAX_BLOCK_HASHED_PIECE_BYTES = 1024 * 1024 * 1024;

/** The most that one `readBlock` may ask for: 1 MiB, where peers ask for 128 KiB at most. */
export const MAX_READ_BYTES = 1024 * 1024;

/** What one system call reads ahead for uploads. */
export const READ_AHEAD_BYTES = 256 * 1024;
