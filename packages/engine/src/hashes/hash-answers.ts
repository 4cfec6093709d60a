// Hash requests of others (BEP 52): answered from the piece layers that we have, and below them from the blocks of the pieces
// that we have, which a disk worker reads and hashes. What a stranger can make us do is bounded: requests that wait, hashes sent
// in a second, bytes hashed in a second, one piece at a time, and the trees of the pieces that were hashed last are kept.

import {
  answerHashes,
  BLOCK_LENGTH,
  hashCount,
  type Info,
  LayerTree,
  MERKLE_HASH_LENGTH,
  MerkleTree,
  merklePadding,
  merkleWidth,
  toHex,
} from '@bt/metainfo';
import type { Disk, StorageError } from '@bt/storage';
import type { HashRequest } from '@bt/wire';
import type { Holdings } from '../holdings.ts';
import {
  HASH_REJECT_COST_BYTES,
  MAX_CACHED_LEAVES,
  MAX_EXCESS_HASH_REQUESTS,
  MAX_FILES_OF_A_ROOT,
  MAX_HASHED_BYTES_PER_REQUEST,
  MAX_HASHED_BYTES_PER_SECOND,
  MAX_HASHED_PIECE_BYTES,
  MAX_LAYER_TREES,
  MAX_QUEUED_HASH_REQUESTS,
  MAX_SEND_QUEUE_BYTES,
  MAX_SENT_HASH_BYTES_PER_SECOND,
  TREE_HASHES_PER_TURN,
} from '../limits.ts';
import type { Moment } from '../moment.ts';
import { type Peer, PeerFault } from '../peer.ts';
import { RateLimit } from '../rate-limit.ts';
import type { Peers } from '../swarm/peers.ts';
import { FilesByRoot } from './files-by-root.ts';
import type { PieceLayers } from './piece-layers.ts';

export interface HashAnswersOptions {
  readonly moment: Moment;
  readonly info: Info;
  readonly layers: PieceLayers;
  readonly holdings: Holdings;
  readonly disk: Pick<Disk, 'hashBlocks'>;
  readonly peers: Peers;
  /** Hashes count as upload. */
  readonly limit: RateLimit;
  /** The disk could not hash a piece that we thought we had. */
  readonly hashFailed: (pieceIndex: number, error: StorageError | undefined) => void;
}

/** What one peer has asked for. */
interface Desk {
  readonly queue: HashRequest[];
  readonly sent: RateLimit;
  readonly hashed: RateLimit;
  excess: number;
}

/** A file, as far as its tree goes. */
interface Tree {
  readonly rootHex: string;
  readonly fileIndex: number;
  readonly blockCount: number;
  readonly pieceCount: number;
  /** Leaves of the whole tree. */
  readonly width: number;
  /** Leaves of a piece: of a file of one piece, all. */
  readonly pieceWidth: number;
}

/** The answer can't be given yet: the disk or this turn's share of work has to be waited for. */
const LATER = 'later';

export class HashAnswers {
  readonly #options: HashAnswersOptions;
  readonly #desks = new Map<Peer, Desk>();
  /** Peers with requests, in the order in which they are served. */
  readonly #waiting = new Set<Peer>();
  #filesByRoot: FilesByRoot | undefined;
  /** By root, the least recently used first. */
  readonly #layerTrees = new Map<string, LayerTree>();
  /** By piece, the least recently used first. */
  readonly #pieceTrees = new Map<number, MerkleTree>();
  #cachedLeaves = 0;
  /** The piece that the disk hashes. */
  #hashing: number | undefined;
  #work = 0;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(options: HashAnswersOptions) {
    this.#options = options;
  }

  /** BEP 52 `hash request`: always answered, by hashes or a reject. */
  requested(peer: Peer, request: HashRequest): void {
    let desk = this.#desks.get(peer);
    if (desk === undefined) {
      desk = {
        queue: [],
        sent: new RateLimit(MAX_SENT_HASH_BYTES_PER_SECOND),
        hashed: new RateLimit(MAX_HASHED_BYTES_PER_SECOND),
        excess: 0,
      };
      this.#desks.set(peer, desk);
    }
    if (desk.queue.length < MAX_QUEUED_HASH_REQUESTS) {
      desk.queue.push(request);
      this.#waiting.add(peer);
      return;
    }
    desk.excess += 1;
    if (desk.excess > MAX_EXCESS_HASH_REQUESTS) throw new PeerFault('request-flood');
    this.#refuse(peer, request);
  }

  /** The disk's answer. */
  blocksHashed(
    pieceIndex: number,
    leaves: Uint8Array | undefined,
    error: StorageError | undefined,
  ): void {
    if (this.#hashing === pieceIndex) this.#hashing = undefined;
    if (leaves === undefined) this.#options.hashFailed(pieceIndex, error);
    else this.#keepPiece(pieceIndex, leaves);
  }

  /** Answers what can be answered now. At the end of each turn. */
  pump(): void {
    this.#wakeMs = Number.POSITIVE_INFINITY;
    if (this.#waiting.size === 0) return;
    this.#work = TREE_HASHES_PER_TURN;
    for (const peer of [...this.#waiting]) this.#serve(peer);
  }

  /** When `pump` can go on by itself. */
  deadline(): number {
    return this.#waiting.size === 0 ? Number.POSITIVE_INFINITY : this.#wakeMs;
  }

  leave(peer: Peer): void {
    this.#desks.delete(peer);
    this.#waiting.delete(peer);
  }

  #serve(peer: Peer): void {
    const desk = this.#desks.get(peer);
    if (desk === undefined) return;
    const { moment, limit, peers } = this.#options;
    const { session, transport } = peer;
    while (desk.queue.length > 0) {
      if (transport.queuedBytes + session.outputLength >= MAX_SEND_QUEUE_BYTES) return;
      const shut = [desk.sent, limit].find((each) => !each.isOpen(moment.now));
      if (shut !== undefined) {
        this.#wakeAt(shut.opensAt(moment.now));
        return;
      }
      const request = desk.queue[0]!;
      const hashes = this.#hashesFor(request, desk);
      if (hashes === LATER) return;
      desk.queue.shift();
      // Whose turn it was goes to the end.
      this.#waiting.delete(peer);
      if (desk.queue.length > 0) this.#waiting.add(peer);
      if (hashes === undefined) {
        // libtorrent asks for the same again as soon as it is refused.
        desk.sent.charge(moment.now, HASH_REJECT_COST_BYTES);
        this.#refuse(peer, request);
        continue;
      }
      session.hashes(request, hashes);
      for (const each of [desk.sent, limit]) each.charge(moment.now, hashes.length);
      peers.markDirty(peer);
    }
  }

  #refuse(peer: Peer, request: HashRequest): void {
    peer.session.hashReject(request);
    this.#options.peers.markDirty(peer);
  }

  /** Undefined: the request is refused. */
  #hashesFor(request: HashRequest, desk: Desk): Uint8Array | typeof LATER | undefined {
    const rootHex = toHex(request.piecesRoot);
    for (const fileIndex of this.#files.find(request.piecesRoot, MAX_FILES_OF_A_ROOT)) {
      const tree = this.#treeOf(rootHex, fileIndex);
      if (hashCount(request, tree.width) === undefined) continue;
      const hashes = this.#hashesOf(tree, request, desk);
      if (hashes !== undefined) return hashes;
    }
    return undefined;
  }

  #hashesOf(tree: Tree, request: HashRequest, desk: Desk): Uint8Array | typeof LATER | undefined {
    const pieceLayer = Math.log2(tree.pieceWidth);
    const { baseLayer, length, proofLayers } = request;
    // The layer of the last uncle.
    const top = proofLayers >= Math.log2(length) ? baseLayer + proofLayers : baseLayer;
    let upper: LayerTree | undefined;
    if (top >= pieceLayer) {
      const found = this.#layerTree(tree);
      if (found === undefined || found === LATER) return found;
      upper = found;
    }
    let pieces: ReadonlyMap<number, MerkleTree> = new Map();
    if (baseLayer < pieceLayer) {
      const found = this.#piecesFor(tree, request, desk);
      if (found === undefined || found === LATER) return found;
      pieces = found;
    }
    return answerHashes(request, tree.width, (layer, index) => {
      if (layer >= pieceLayer) return upper!.nodeAt(layer, index);
      const perPiece = tree.pieceWidth / 2 ** layer;
      const piece = Math.floor(index / perPiece);
      return pieces.get(piece)?.nodeAt(layer, index - piece * perPiece) ?? merklePadding(layer);
    });
  }

  /** The trees of the pieces that a request reaches below the piece layer, by their place in the file. */
  #piecesFor(
    tree: Tree,
    { baseLayer, index, length }: HashRequest,
    desk: Desk,
  ): ReadonlyMap<number, MerkleTree> | typeof LATER | undefined {
    const { holdings, info } = this.#options;
    const { pieceLength, geometry } = info;
    const scale = 2 ** baseLayer / tree.pieceWidth;
    const first = Math.floor(index * scale);
    const end = Math.min(tree.pieceCount, Math.max(first + 1, Math.ceil((index + length) * scale)));
    const bytes = (end - first) * Math.min(pieceLength, info.files.lengthOf(tree.fileIndex));
    if (bytes > Math.max(MAX_HASHED_BYTES_PER_REQUEST, pieceLength)) return undefined;
    if (pieceLength > MAX_HASHED_PIECE_BYTES) return undefined;
    const start = geometry.fileStart(tree.fileIndex).pieceIndex;
    for (let piece = first; piece < end; piece += 1) {
      if (!this.#pieceTrees.has(start + piece) && !holdings.has(start + piece)) return undefined;
    }
    const trees = new Map<number, MerkleTree>();
    for (let piece = first; piece < end; piece += 1) {
      const found = this.#pieceTrees.get(start + piece);
      if (found === undefined) return this.#hash(start + piece, desk);
      trees.set(piece, found);
    }
    for (const [piece, found] of trees) {
      this.#pieceTrees.delete(start + piece);
      this.#pieceTrees.set(start + piece, found);
    }
    return trees;
  }

  #hash(pieceIndex: number, desk: Desk): typeof LATER {
    const { moment, disk, info } = this.#options;
    if (this.#hashing !== undefined) return LATER;
    if (!desk.hashed.isOpen(moment.now)) {
      this.#wakeAt(desk.hashed.opensAt(moment.now));
      return LATER;
    }
    desk.hashed.charge(moment.now, info.geometry.pieceSize(pieceIndex));
    this.#hashing = pieceIndex;
    disk.hashBlocks(pieceIndex);
    return LATER;
  }

  #keepPiece(pieceIndex: number, leaves: Uint8Array): void {
    const { geometry, files } = this.#options.info;
    const fileIndex = geometry.fileAt(pieceIndex, 0);
    const root = files.piecesRootOf(fileIndex);
    if (root === undefined) return;
    const { blockCount, pieceWidth } = this.#treeOf(toHex(root), fileIndex);
    const before = (pieceIndex - geometry.fileStart(fileIndex).pieceIndex) * pieceWidth;
    const count = Math.min(blockCount - before, pieceWidth);
    // A hybrid's piece may go on with blocks of padding, which are no leaves.
    const own = leaves.subarray(0, count * MERKLE_HASH_LENGTH);
    const tree = new MerkleTree(own, { width: pieceWidth });
    this.#pieceTrees.set(pieceIndex, tree);
    this.#cachedLeaves += pieceWidth;
    for (const [oldest, { width }] of this.#pieceTrees) {
      if (this.#cachedLeaves <= MAX_CACHED_LEAVES || oldest === pieceIndex) break;
      this.#pieceTrees.delete(oldest);
      this.#cachedLeaves -= width;
    }
  }

  #layerTree({ rootHex, pieceWidth }: Tree): LayerTree | typeof LATER | undefined {
    let tree = this.#layerTrees.get(rootHex);
    if (tree === undefined) {
      const layer = this.#options.layers.byRoot.get(rootHex);
      if (layer === undefined) return undefined;
      tree = new LayerTree(layer, Math.log2(pieceWidth));
    }
    this.#layerTrees.delete(rootHex);
    this.#layerTrees.set(rootHex, tree);
    if (this.#layerTrees.size > MAX_LAYER_TREES) {
      const [oldest] = this.#layerTrees.keys();
      if (oldest !== undefined) this.#layerTrees.delete(oldest);
    }
    if (tree.isPrepared) return tree;
    if (this.#work <= 0 || !tree.prepare(this.#work)) {
      this.#work = 0;
      this.#wakeAt(this.#options.moment.now);
      return LATER;
    }
    this.#work -= Math.min(this.#work, tree.width / pieceWidth);
    return tree;
  }

  #treeOf(rootHex: string, fileIndex: number): Tree {
    const { files, pieceLength } = this.#options.info;
    const length = files.lengthOf(fileIndex);
    const blockCount = Math.ceil(length / BLOCK_LENGTH);
    const pieceCount = Math.ceil(length / pieceLength);
    const width = merkleWidth(blockCount);
    const pieceWidth = pieceCount > 1 ? pieceLength / BLOCK_LENGTH : width;
    return { rootHex, fileIndex, blockCount, pieceCount, width, pieceWidth };
  }

  /** Made when somebody asks for hashes: hardly anybody does. */
  get #files(): FilesByRoot {
    this.#filesByRoot ??= new FilesByRoot(this.#options.info.files);
    return this.#filesByRoot;
  }

  #wakeAt(timeMs: number): void {
    this.#wakeMs = Math.min(this.#wakeMs, timeMs);
  }
}
