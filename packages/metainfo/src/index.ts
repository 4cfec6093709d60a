/**
 * .torrent files v1, v2 and hybrid: parse, build, info-hash, geometry, Merkle trees, magnet links.
 *
 * @module
 */
export {
  type BuildFile,
  type BuildInfoOptions,
  type BuildMetainfoOptions,
  buildInfo,
  buildMetainfo,
  type NameInput,
  type PlanOptions,
  pieceLengthFor,
  planFiles,
} from './build.ts';
export { sameBytes } from './bytes.ts';
export { MetainfoError, type MetainfoErrorCode } from './errors.ts';
export { type ExpectedPiece, expectedMerklePiece, expectedPiece } from './expected-piece.ts';
export type { FileEntry, FileTable } from './file-table.ts';
export {
  BLOCK_LENGTH,
  Geometry,
  type GeometryOptions,
  MAX_PIECE_LENGTH,
  MAX_PIECES,
  MERKLE_HASH_LENGTH,
  PADDING,
  type VisitSpan,
} from './geometry.ts';
export { fromHex, toHex } from './hex.ts';
export { LayerTree } from './layer-tree.ts';
export {
  type FileRange,
  formatMagnet,
  MAX_MAGNET_LENGTH,
  MAX_MAGNET_RANGES,
  MAX_MAGNET_SALT_BYTES,
  MAX_MAGNET_VALUES,
  type Magnet,
  type MagnetInput,
  magnetOf,
  parseMagnet,
  selectedFilesOf,
} from './magnet.ts';
export {
  answerHashes,
  climbProof,
  type HashRange,
  hashCount,
  type MerkleRootOptions,
  MerkleTree,
  merkleLeaves,
  merklePadding,
  merkleRoot,
  merkleWidth,
  type ProvenNode,
  verifyProof,
} from './merkle.ts';
export type { HostPort, Info, Metainfo, TorrentVersion } from './metainfo.ts';
export {
  MAX_METAINFO_BYTES,
  MAX_METAINFO_ITEMS,
  type ParseOptions,
  parseInfo,
  parseMetainfo,
} from './parse.ts';
export { MAX_OUTER_VALUES } from './parse-outer.ts';
export { MAX_PATH_WARNINGS, type PathReason, type PathRules, type PathWarning } from './path.ts';
export { isPieceLayer } from './piece-layers.ts';
export { swarmHashes } from './swarm-hashes.ts';
