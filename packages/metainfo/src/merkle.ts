// Merkle trees of BitTorrent v2 (BEP 52): SHA-256 over blocks of 16 KiB, filled up with zero hashes to a power of two.
// A layer is counted from the leaves: 0 are the blocks, log2(piece length / 16 KiB) is the piece layer.
import { sha256 } from '@noble/hashes/sha2.js';
import { sameBytes } from './bytes.ts';
import { BLOCK_LENGTH, MERKLE_HASH_LENGTH } from './geometry.ts';

const MAX_LAYERS = 53;
const paddings: Uint8Array[] = [];

/** The hash of a subtree of so many layers whose leaves are all zero hashes; layer 0 is 32 zero bytes. A shared value. */
export function merklePadding(layer: number): Uint8Array {
  if (!Number.isInteger(layer) || layer < 0 || layer > MAX_LAYERS) {
    throw new RangeError(`a Merkle tree has no layer ${layer}`);
  }
  for (let next = paddings.length; next <= layer; next++) {
    const below = paddings[next - 1];
    paddings.push(below === undefined ? new Uint8Array(MERKLE_HASH_LENGTH) : parent(below, below));
  }
  return paddings[layer]!;
}

/** The smallest power of two that is not below `count`; at least 1. */
export function merkleWidth(count: number): number {
  let width = 1;
  while (width < count) width *= 2;
  return width;
}

export interface MerkleRootOptions {
  /** Leaves of the tree, a power of two. Default: the smallest that holds all hashes. */
  readonly width?: number | undefined;
  /** What missing leaves are. Default: zeros; for a piece layer, {@link merklePadding} of its layer. */
  readonly padding?: Uint8Array | undefined;
}

/**
 * The root over concatenated 32-byte hashes. For a piece: its block hashes, with the blocks per piece as the width (a
 * file of one piece has no width of its own). For a file: its piece layer, with that layer's padding.
 */
export function merkleRoot(hashes: Uint8Array, options: MerkleRootOptions = {}): Uint8Array {
  const count = countHashes(hashes);
  const width = options.width ?? merkleWidth(count);
  if (count === 0 || width < count || width !== merkleWidth(width)) {
    throw new RangeError(`${count} hashes make no Merkle tree of width ${width}`);
  }
  let padding = options.padding ?? merklePadding(0);
  if (width === 1) return hashes.slice(0, MERKLE_HASH_LENGTH);
  const layer = new Uint8Array(Math.ceil(count / 2) * MERKLE_HASH_LENGTH);
  let source = hashes;
  let length = count;
  for (let rest = width; rest > 1; rest /= 2) {
    length = hashLayer(source, length, padding, layer);
    padding = parent(padding, padding);
    source = layer;
  }
  return layer.slice(0, MERKLE_HASH_LENGTH);
}

/** The SHA-256 of each block of some data, the last one as short as it is: the leaves of its tree. */
export function merkleLeaves(data: Uint8Array): Uint8Array {
  const count = Math.ceil(data.length / BLOCK_LENGTH);
  const leaves = new Uint8Array(count * MERKLE_HASH_LENGTH);
  for (let block = 0; block < count; block++) {
    const bytes = data.subarray(block * BLOCK_LENGTH, (block + 1) * BLOCK_LENGTH);
    leaves.set(sha256(bytes), block * MERKLE_HASH_LENGTH);
  }
  return leaves;
}

/** A `hash request` (BEP 52): which hashes of a file's tree are wanted. */
export interface HashRange {
  /** The layer of the hashes. */
  readonly baseLayer: number;
  /** The first of them, a multiple of {@link length}. */
  readonly index: number;
  /** How many, a power of two. BEP 52 wants 2 at least; libtorrent asks for 1 where a chunk of 512 leaves one over. */
  readonly length: number;
  /** How many layers above the base layer the proof reaches; the root of a tree of `n` layers needs `n - baseLayer - 1`. */
  readonly proofLayers: number;
}

/** A hash that a proof arrives at: where it stands in the tree, and what it must be for the proof to hold. */
export interface ProvenNode {
  readonly layer: number;
  readonly index: number;
  readonly hash: Uint8Array;
}

/**
 * How many hashes answer a request: the wanted ones and one uncle for each proof layer that can't be computed from
 * them. Undefined when the request breaks BEP 52's rules or does not fit a tree of `width` leaves.
 */
export function hashCount(range: HashRange, width: number): number | undefined {
  const { baseLayer, index, length, proofLayers } = range;
  const layers = Math.log2(merkleWidth(width));
  if (
    ![baseLayer, index, length, proofLayers].every((n) => Number.isSafeInteger(n) && n >= 0) ||
    length < 1 ||
    length !== merkleWidth(length) ||
    index % length !== 0 ||
    baseLayer > layers ||
    index + length > 2 ** (layers - baseLayer) ||
    proofLayers >= layers - baseLayer
  ) {
    return undefined;
  }
  return length + uncleCount(range);
}

/**
 * Computes what the hashes of an answer add up to. They are right when the node that comes out is one already known:
 * the file's root when the proof reaches it, else a hash that was proven before.
 *
 * @param hashes The payload of a `hashes` message: wanted hashes, then uncles from below upwards.
 * @returns undefined when their number does not fit the request.
 */
export function climbProof(range: HashRange, hashes: Uint8Array): ProvenNode | undefined {
  const { baseLayer, index, length } = range;
  const uncles = uncleCount(range);
  if (length < 1 || length !== merkleWidth(length) || index % length !== 0) return undefined;
  if (hashes.length !== (length + uncles) * MERKLE_HASH_LENGTH) return undefined;
  let hash = merkleRoot(hashes.subarray(0, length * MERKLE_HASH_LENGTH));
  let layer = baseLayer + Math.log2(length);
  let position = index / length;
  for (let uncle = 0; uncle < uncles; uncle++) {
    const other = hashAt(hashes, length + uncle);
    hash = position % 2 === 0 ? parent(hash, other) : parent(other, hash);
    position = Math.floor(position / 2);
    layer++;
  }
  return { layer, index: position, hash };
}

/** Whether an answer proves its hashes against the root of a tree of `width` leaves (blocks of the file, rounded up). */
export function verifyProof(
  range: HashRange,
  hashes: Uint8Array,
  root: Uint8Array,
  width: number,
): boolean {
  if (hashCount(range, width) === undefined) return false;
  const node = climbProof(range, hashes);
  return (
    node !== undefined && node.layer === Math.log2(merkleWidth(width)) && sameBytes(node.hash, root)
  );
}

/**
 * The payload that answers a request, from a tree whose nodes `nodeAt` knows: the wanted hashes, then uncles from below
 * upwards. Undefined for a request that {@link hashCount} refuses.
 */
export function answerHashes(
  range: HashRange,
  width: number,
  nodeAt: (layer: number, index: number) => Uint8Array,
): Uint8Array | undefined {
  const count = hashCount(range, width);
  if (count === undefined) return undefined;
  const answer = new Uint8Array(count * MERKLE_HASH_LENGTH);
  for (let n = 0; n < range.length; n++) {
    answer.set(nodeAt(range.baseLayer, range.index + n), n * MERKLE_HASH_LENGTH);
  }
  let layer = range.baseLayer + Math.log2(range.length);
  let position = range.index / range.length;
  for (let n = range.length; n < count; n++) {
    const sibling = position % 2 === 0 ? position + 1 : position - 1;
    answer.set(nodeAt(layer, sibling), n * MERKLE_HASH_LENGTH);
    position = Math.floor(position / 2);
    layer++;
  }
  return answer;
}

/** A layer of a file's tree with everything above it: answers hash requests. Memory: 64 bytes per hash. */
export class MerkleTree {
  /** The layer that the tree was made from. */
  readonly baseLayer: number;
  /** Leaves of the whole file's tree: a power of two. */
  readonly width: number;
  /** From the base layer to the root; only hashes that are not all padding are stored. */
  readonly #layers: readonly Uint8Array[];

  /**
   * @param hashes The base layer without padding: the block hashes (layer 0) or a piece layer.
   * @param options `baseLayer`, default 0; `width`, leaves of the whole tree, default what the hashes need.
   */
  constructor(
    hashes: Uint8Array,
    options: { readonly baseLayer?: number; readonly width?: number } = {},
  ) {
    const { baseLayer = 0 } = options;
    const count = countHashes(hashes);
    const { width = merkleWidth(count) * 2 ** baseLayer } = options;
    if (count === 0 || width !== merkleWidth(width) || count > width / 2 ** baseLayer) {
      throw new RangeError(`${count} hashes of layer ${baseLayer} make no tree of ${width} leaves`);
    }
    this.baseLayer = baseLayer;
    this.width = width;
    const layers = [hashes];
    let below = hashes;
    let length = count;
    for (let layer = baseLayer; width / 2 ** layer > 1; layer++) {
      const next = new Uint8Array(Math.ceil(length / 2) * MERKLE_HASH_LENGTH);
      length = hashLayer(below, length, merklePadding(layer), next);
      layers.push(next);
      below = next;
    }
    this.#layers = layers;
  }

  get root(): Uint8Array {
    return this.#layers.at(-1)!;
  }

  /** A node of a layer from the base layer upwards; padding where the file has no data. */
  nodeAt(layer: number, index: number): Uint8Array {
    const hashes = this.#layers[layer - this.baseLayer];
    if (hashes === undefined || !(index >= 0 && index < this.width / 2 ** layer)) {
      throw new RangeError(`the tree has no node ${index} in layer ${layer}`);
    }
    return (index + 1) * MERKLE_HASH_LENGTH <= hashes.length
      ? hashAt(hashes, index)
      : merklePadding(layer);
  }

  /** The payload that answers a request, or undefined when the tree can't: another layer, or an illegal request. */
  hashes(range: HashRange): Uint8Array | undefined {
    if (range.baseLayer < this.baseLayer) return undefined;
    return answerHashes(range, this.width, (layer, index) => this.nodeAt(layer, index));
  }
}

function uncleCount(range: HashRange): number {
  return Math.max(0, range.proofLayers - Math.log2(range.length) + 1);
}

/** Hashes pairs of a layer into `target` (which may be the source) and returns how many nodes that makes. */
function hashLayer(
  source: Uint8Array,
  count: number,
  padding: Uint8Array,
  target: Uint8Array,
): number {
  const parents = Math.ceil(count / 2);
  for (let n = 0; n < parents; n++) {
    const left = hashAt(source, 2 * n);
    const right = 2 * n + 1 < count ? hashAt(source, 2 * n + 1) : padding;
    target.set(parent(left, right), n * MERKLE_HASH_LENGTH);
  }
  return parents;
}

function parent(left: Uint8Array, right: Uint8Array): Uint8Array {
  const pair = new Uint8Array(2 * MERKLE_HASH_LENGTH);
  pair.set(left);
  pair.set(right, MERKLE_HASH_LENGTH);
  return sha256(pair);
}

function hashAt(hashes: Uint8Array, index: number): Uint8Array {
  return hashes.subarray(index * MERKLE_HASH_LENGTH, (index + 1) * MERKLE_HASH_LENGTH);
}

function countHashes(hashes: Uint8Array): number {
  const count = hashes.length / MERKLE_HASH_LENGTH;
  if (!Number.isInteger(count)) {
    throw new RangeError(`${hashes.length} bytes are no whole number of SHA-256 hashes`);
  }
  return count;
}
