// `piece layers` (BEP 52): the hashes of the pieces of every file longer than a piece, beside the info dictionary. Whoever
// wrote them is not who signed the info-hash, so each is hashed up to its file's root before it is believed.
import type { BencodeDict } from '@bt/bencode';
import { sameBytes } from './bytes.ts';
import { MetainfoError } from './errors.ts';
import { requireDict } from './fields.ts';
import { BLOCK_LENGTH, MERKLE_HASH_LENGTH } from './geometry.ts';
import { toHex } from './hex.ts';
import { merklePadding, merkleRoot } from './merkle.ts';
import type { Info } from './metainfo.ts';

/**
 * The layers of a .torrent by pieces root in hex. A file's layer may be missing: it can be had from peers.
 * @throws MetainfoError `piece-layer-mismatch` for one that does not hash to its root or belongs to no file.
 */
export function readPieceLayers(outer: BencodeDict, info: Info): ReadonlyMap<string, Uint8Array> {
  const layers = new Map<string, Uint8Array>();
  if (info.version === 'v1' || !outer.has('piece layers')) return layers;
  const given = requireDict(outer, 'piece layers', 'metainfo');
  for (let file = 0; file < info.files.count; file++) {
    const root = info.files.piecesRootOf(file);
    const length = info.files.lengthOf(file);
    if (root === undefined || length <= info.pieceLength) continue;
    const layer = given.get(root);
    if (layer === undefined) continue;
    const key = toHex(root);
    const known = layers.get(key);
    if (
      !(layer instanceof Uint8Array) ||
      layer.length !== layerLength(length, info.pieceLength) ||
      (known === undefined && !isPieceLayer(layer, root, info.pieceLength))
    ) {
      throw new MetainfoError(
        'piece-layer-mismatch',
        `piece layers[${key}]`,
        `The piece layer of info.files[${file}] does not match its pieces root.`,
      );
    }
    layers.set(key, layer);
  }
  if (given.size !== layers.size) {
    throw new MetainfoError(
      'piece-layer-mismatch',
      'piece layers',
      'There is a piece layer that belongs to no file of the torrent.',
    );
  }
  return layers;
}

/**
 * Whether hashes are a whole piece layer under a pieces root.
 * @param layer 32 bytes for each piece of the file.
 */
export function isPieceLayer(layer: Uint8Array, root: Uint8Array, pieceLength: number): boolean {
  if (layer.length === 0 || layer.length % MERKLE_HASH_LENGTH !== 0) return false;
  const padding = merklePadding(Math.log2(pieceLength / BLOCK_LENGTH));
  return sameBytes(merkleRoot(layer, { padding }), root);
}

function layerLength(fileLength: number, pieceLength: number): number {
  return Math.ceil(fileLength / pieceLength) * MERKLE_HASH_LENGTH;
}
