// Hash requests and their answers (BEP 52, "peer messages"): which part of a file's Merkle tree is meant, how many hashes the
// answer has, and which requests of ours are still without one.

import { copyBytes, readUint32, sameBytes } from './bytes.ts';
import {
  HASH_HEADER_LENGTH,
  HASH_LENGTH,
  MAX_HASH_REQUEST_LENGTH,
  MAX_PROOF_LAYERS,
} from './constants.ts';

/** What a hash request, its hashes and its reject have in common. */
export interface HashRequest {
  /** 32 bytes: the root of the file's tree. */
  readonly piecesRoot: Uint8Array;
  /** The layer that the hashes are of; 0 is the leaves, one a block. */
  readonly baseLayer: number;
  /** The first hash, counted in the base layer. */
  readonly index: number;
  /** Hashes of the base layer. */
  readonly length: number;
  /** Layers above the base layer for which uncles are asked. */
  readonly proofLayers: number;
}

/**
 * Whether the request can be meant seriously: a length of 1 to 8192 hashes, an index that is a multiple of it or of the
 * power of two above it (a length may be cut short by the layer's end), and proof layers that a tree can have. Whether the
 * file has that many layers and hashes is for its tree to say.
 */
export function isHashRequestSound(request: HashRequest): boolean {
  const { piecesRoot, baseLayer, index, length, proofLayers } = request;
  return (
    piecesRoot.length === HASH_LENGTH &&
    isWithin(length, 1, MAX_HASH_REQUEST_LENGTH) &&
    isWithin(baseLayer, 0, MAX_PROOF_LAYERS) &&
    isWithin(proofLayers, 0, MAX_PROOF_LAYERS) &&
    isWithin(index, 0, 0xffff_ffff) &&
    (index % length === 0 || index % (1 << ceilLog2(length)) === 0)
  );
}

/**
 * Hashes in the answer: those of the base layer, and an uncle for each proof layer but the first log2(length) - 1, which
 * the base layer's hashes give by themselves. A single hash needs its sibling on top, as libtorrent has it.
 */
export function answerHashCount(length: number, proofLayers: number): number {
  return length + Math.max(0, proofLayers - (ceilLog2(length) - 1));
}

/** Reads the fields behind the message id; the root is a copy. */
export function readHashRequest(source: Uint8Array, offset: number): HashRequest {
  return {
    piecesRoot: copyBytes(source.subarray(offset, offset + HASH_LENGTH)),
    baseLayer: readUint32(source, offset + HASH_LENGTH),
    index: readUint32(source, offset + HASH_LENGTH + 4),
    length: readUint32(source, offset + HASH_LENGTH + 8),
    proofLayers: readUint32(source, offset + HASH_LENGTH + 12),
  };
}

/** The length prefix of the `hashes` message that answers the request. */
export function hashesMessageLength(request: HashRequest): number {
  return HASH_HEADER_LENGTH + HASH_LENGTH * answerHashCount(request.length, request.proofLayers);
}

/** Our requests of one connection that have no answer yet. */
export class HashRequestBook {
  readonly #requests: HashRequest[] = [];

  get size(): number {
    return this.#requests.length;
  }

  add(request: HashRequest): void {
    this.#requests.push({ ...request, piecesRoot: copyBytes(request.piecesRoot) });
  }

  /** Strikes out the request that is answered; false when there is none. */
  settle(answer: HashRequest): boolean {
    const at = this.#find(answer);
    if (at >= 0) this.#requests.splice(at, 1);
    return at >= 0;
  }

  #find(answer: HashRequest): number {
    return this.#requests.findIndex((request) => isSameHashRequest(request, answer));
  }
}

/** They ask for the same hashes. */
export function isSameHashRequest(a: HashRequest, b: HashRequest): boolean {
  return (
    a.baseLayer === b.baseLayer &&
    a.index === b.index &&
    a.length === b.length &&
    a.proofLayers === b.proofLayers &&
    sameBytes(a.piecesRoot, b.piecesRoot)
  );
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function ceilLog2(value: number): number {
  return value <= 1 ? 0 : 32 - Math.clz32(value - 1);
}
