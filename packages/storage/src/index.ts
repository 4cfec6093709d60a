/**
 * Pieces to files and back: layout, write path, read-ahead, recheck, resume files.
 *
 * @module
 */
export type { BlockOutcome, BlockWriter } from './block-writer.ts';
export {
  type Disk,
  type DiskEvents,
  MAX_BLOCK_HASHED_PIECE_BYTES,
  MAX_READ_BYTES,
  MAX_WHOLE_PIECE_BYTES,
  type PieceCheckOptions,
  type PieceResult,
  READ_AHEAD_BYTES,
  SEGMENT_BYTES,
} from './disk.ts';
export {
  codeOfErrno,
  StorageError,
  type StorageErrorCode,
  type StorageErrorFacts,
  storageError,
} from './errors.ts';
export { MemoryDisk, type MemoryDiskOptions } from './memory-disk.ts';
export {
  DEFAULT_BUFFER_BYTES,
  PieceBuffers,
  type PieceBuffersOptions,
  type PieceShape,
} from './piece-buffer.ts';
export {
  decodeResume,
  encodeResume,
  FILE_DIRTY,
  FILE_OURS,
  FILE_PRESENT,
  FILE_SYNCED,
  type FileColumnsOnDisk,
  type PartialBlocks,
  type ResumeRecord,
  type ResumeSubject,
} from './resume.ts';
