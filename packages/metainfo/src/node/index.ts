/**
 * .torrent files v1, v2 and hybrid: parse, build, info-hash, geometry, Merkle trees, magnet links. The part that does I/O, for
 * Node: torrents made from files, and files checked against a torrent.
 *
 * @module
 */
export {
  type CheckedFile,
  type CheckOptions,
  type CheckProgress,
  type CheckResult,
  checkTorrent,
} from './check.ts';
export {
  type CreatedTorrent,
  type CreateOptions,
  type CreateProgress,
  createTorrent,
} from './create.ts';
export { FileError, type FileErrorCode } from './errors.ts';
export type { SkippedFile } from './walk.ts';
