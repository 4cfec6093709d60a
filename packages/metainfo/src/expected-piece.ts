// What a piece must hash to: SHA-1 of the whole piece (BEP 3), or the root of a Merkle tree of its blocks (BEP 52).
import { BLOCK_LENGTH } from './geometry.ts';
import { toHex } from './hex.ts';
import { merkleWidth } from './merkle.ts';
import type { Info } from './metainfo.ts';

export type ExpectedPiece =
  /** SHA-1 of all bytes of the piece, pad files included as zeros. */
  | { readonly kind: 'sha1'; readonly hash: Uint8Array }
  /**
   * The Merkle root over the SHA-256 of each block of the file's bytes in the piece (pad bytes are no part of it, the last
   * block is as short as it is), filled up with zero hashes to `leafCount`, a power of two.
   */
  | { readonly kind: 'merkle'; readonly hash: Uint8Array; readonly leafCount: number };

/**
 * What to check a piece against: SHA-1 where the torrent has it (v1, hybrid), else {@link expectedMerklePiece}.
 * Hashes are views.
 * @throws RangeError for an index that is not a piece's.
 */
export function expectedPiece(
  info: Info,
  pieceLayers: ReadonlyMap<string, Uint8Array>,
  pieceIndex: number,
): ExpectedPiece | undefined {
  if (info.pieceHashes === undefined) return expectedMerklePiece(info, pieceLayers, pieceIndex);
  info.geometry.pieceSize(pieceIndex);
  return {
    kind: 'sha1',
    hash: info.pieceHashes.subarray(pieceIndex * 20, pieceIndex * 20 + 20),
  };
}

/**
 * The v2 hash of a piece. Undefined for v1, and while the piece layer of its file is not known: a magnet link brings no
 * layers, they are asked of peers.
 * @param pieceLayers By pieces root in lower-case hex, as in {@link Metainfo.pieceLayers}.
 */
export function expectedMerklePiece(
  info: Info,
  pieceLayers: ReadonlyMap<string, Uint8Array>,
  pieceIndex: number,
): Extract<ExpectedPiece, { kind: 'merkle' }> | undefined {
  const { geometry, files, pieceLength } = info;
  geometry.pieceSize(pieceIndex);
  // v2 files begin on piece boundaries, so the piece is of the file that holds its first byte.
  const fileIndex = geometry.fileAt(pieceIndex, 0);
  const root = files.piecesRootOf(fileIndex);
  const pieces = geometry.filePieces(fileIndex);
  if (root === undefined || pieces === undefined) return undefined;
  if (pieces.first === pieces.last) {
    const blocks = Math.ceil(files.lengthOf(fileIndex) / BLOCK_LENGTH);
    return { kind: 'merkle', hash: root, leafCount: merkleWidth(blocks) };
  }
  const offset = (pieceIndex - pieces.first) * 32;
  const hash = pieceLayers.get(toHex(root))?.subarray(offset, offset + 32);
  if (hash?.length !== 32) return undefined;
  return { kind: 'merkle', hash, leafCount: pieceLength / BLOCK_LENGTH };
}
