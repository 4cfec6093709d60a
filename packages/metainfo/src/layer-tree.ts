// The part of a file's Merkle tree from its piece layer upwards (BEP 52), for answering hash requests: of each 512 hashes only
// their root is kept, so that a layer of a million pieces costs 64 KiB more than itself.
import { MERKLE_HASH_LENGTH } from './geometry.ts';
import { MerkleTree, merklePadding, merkleWidth } from './merkle.ts';

/** Hashes that are joined at a time: what one hash request is to ask for at most (BEP 52). */
const CHUNK_HASHES = 512;

export class LayerTree {
  /** The layer of the hashes that the tree was made from. */
  readonly baseLayer: number;
  /** Leaves of the whole tree: a power of two. */
  readonly width: number;
  readonly #layer: Uint8Array;
  readonly #chunkWidth: number;
  /** The layer of the chunks' roots. */
  readonly #topLayer: number;
  readonly #roots: Uint8Array;
  #rootCount = 0;
  #top: MerkleTree | undefined;
  #chunk: MerkleTree | undefined;
  #chunkIndex = -1;

  /**
   * @param layer A piece layer, which is borrowed.
   * @param baseLayer Its layer: log2 of the blocks of a piece.
   */
  constructor(layer: Uint8Array, baseLayer: number) {
    const count = layer.length / MERKLE_HASH_LENGTH;
    this.baseLayer = baseLayer;
    this.width = merkleWidth(count) * 2 ** baseLayer;
    this.#layer = layer;
    this.#chunkWidth = Math.min(CHUNK_HASHES, merkleWidth(count));
    this.#topLayer = baseLayer + Math.log2(this.#chunkWidth);
    this.#roots = new Uint8Array(Math.ceil(count / this.#chunkWidth) * MERKLE_HASH_LENGTH);
  }

  /** {@link nodeAt} can be asked. */
  get isPrepared(): boolean {
    return this.#top !== undefined;
  }

  /**
   * Joins as many chunks as that many hashes make, one at least; about 2 us a hash. True when it is prepared:
   * a layer of up to 512 hashes takes one call.
   */
  prepare(maxHashes: number): boolean {
    const chunkCount = this.#roots.length / MERKLE_HASH_LENGTH;
    const end = Math.min(
      chunkCount,
      this.#rootCount + Math.max(1, Math.floor(maxHashes / this.#chunkWidth)),
    );
    for (; this.#rootCount < end; this.#rootCount++) {
      this.#roots.set(this.#chunkAt(this.#rootCount).root, this.#rootCount * MERKLE_HASH_LENGTH);
    }
    if (end < chunkCount) return false;
    this.#top ??= new MerkleTree(this.#roots, { baseLayer: this.#topLayer, width: this.width });
    return true;
  }

  /** A node from the base layer upwards; padding where the file has no data. @throws RangeError when there is none. */
  nodeAt(layer: number, index: number): Uint8Array {
    if (this.#top === undefined) throw new RangeError('the tree is not prepared');
    if (layer >= this.#topLayer) return this.#top.nodeAt(layer, index);
    if (!(layer >= this.baseLayer && index >= 0 && index < this.width / 2 ** layer)) {
      throw new RangeError(`the tree has no node ${index} in layer ${layer}`);
    }
    const perChunk = this.#chunkWidth / 2 ** (layer - this.baseLayer);
    const chunkIndex = Math.floor(index / perChunk);
    if (chunkIndex >= this.#rootCount) return merklePadding(layer);
    return this.#chunkAt(chunkIndex).nodeAt(layer, index - chunkIndex * perChunk);
  }

  #chunkAt(chunkIndex: number): MerkleTree {
    if (this.#chunk !== undefined && this.#chunkIndex === chunkIndex) return this.#chunk;
    const chunkBytes = this.#chunkWidth * MERKLE_HASH_LENGTH;
    const start = chunkIndex * chunkBytes;
    this.#chunk = new MerkleTree(this.#layer.subarray(start, start + chunkBytes), {
      baseLayer: this.baseLayer,
      width: this.#chunkWidth * 2 ** this.baseLayer,
    });
    this.#chunkIndex = chunkIndex;
    return this.#chunk;
  }
}
