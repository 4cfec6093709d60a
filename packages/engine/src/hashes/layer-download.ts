// The piece layers that a torrent lacks, asked of peers (BEP 52): 512 hashes at a time, each time with the uncles that lead up
// to the file's root. So every answer is judged by itself, one layer may come from many peers, and whoever sends wrong hashes is
// known at once.

import {
  BLOCK_LENGTH,
  climbProof,
  type HashRange,
  type Info,
  MERKLE_HASH_LENGTH,
  merklePadding,
  merkleWidth,
  sameBytes,
} from '@bt/metainfo';
import type { Picker } from '@bt/picker';
import { HASH_REQUEST_TIMEOUT_MS, HASHES_PER_REQUEST, REFUSED_HASHES_PAUSE_MS } from '../limits.ts';
import type { Moment } from '../moment.ts';
import type { Identity, Peer } from '../peer.ts';
import type { Peers } from '../swarm/peers.ts';
import type { HashRequests } from './hash-requests.ts';
import type { MissingLayer, PieceLayers } from './piece-layers.ts';

/** Chunks that are looked through for one that a peer can tell of. */
const WINDOW_CHUNKS = 64;

export interface LayerDownloadOptions {
  readonly moment: Moment;
  readonly info: Info;
  readonly layers: PieceLayers;
  readonly requests: HashRequests;
  readonly peers: Peers;
  readonly picker: Picker;
  /** Whether a file is to be downloaded: those layers come first. */
  readonly isWanted: (fileIndex: number) => boolean;
  readonly layerCame: (rootHex: string, layer: Uint8Array) => void;
  /** Sent hashes that don't lead to the root. */
  readonly liarFound: (identity: Identity) => void;
}

/** A layer of which something is asked or there. */
interface OpenLayer {
  readonly layer: Uint8Array;
  /** One for each chunk that is asked for, there, or not to be had. */
  readonly isTaken: Uint8Array;
  missingChunks: number;
}

interface Chunk {
  readonly missing: MissingLayer;
  readonly chunkIndex: number;
}

export class LayerDownload {
  /** When hashes came that were missing, or the search for them began. */
  lastUsefulMs: number;
  readonly #options: LayerDownloadOptions;
  readonly #open = new Map<string, OpenLayer>();
  /** The next to be asked for. */
  #window: Chunk[] = [];
  /** Could not be had of anybody when it was their turn. */
  #later: Chunk[] = [];
  #fresh: Iterator<Chunk>;
  /** Who has refused hashes, and until when it isn't asked. */
  readonly #refused = new Map<Peer, number>();

  constructor(options: LayerDownloadOptions) {
    this.#options = options;
    this.lastUsefulMs = options.moment.now;
    this.#fresh = this.#chunks();
  }

  /** The selection of files has changed: layers of wanted ones come first. */
  restart(): void {
    this.#window = [];
    this.#later = [];
    this.#fresh = this.#chunks();
  }

  /** Asks whoever can be asked, about once a second. */
  tick(): void {
    const { layers, peers } = this.#options;
    if (layers.isComplete) return;
    let isOfUse = false;
    let isAnybody = false;
    for (const peer of peers) {
      isAnybody ||= this.#canAsk(peer);
      if (this.askOf(peer)) isOfUse = true;
    }
    // Nobody has anything of these: others may have their turn.
    if (isAnybody && !isOfUse) this.#later.push(...this.#window.splice(0));
  }

  /** Asks one peer for as much as it takes. False when there is nothing to ask it for. */
  askOf(peer: Peer): boolean {
    let hasAsked = false;
    while (!this.#options.layers.isComplete && this.#canAsk(peer)) {
      const chunk = this.#takeFor(peer);
      if (chunk === undefined) return hasAsked;
      this.#ask(peer, chunk);
      hasAsked = true;
    }
    return hasAsked;
  }

  leave(peer: Peer): void {
    this.#refused.delete(peer);
  }

  #canAsk(peer: Peer): boolean {
    const { requests, moment } = this.#options;
    return requests.canAsk(peer) && moment.now >= (this.#refused.get(peer) ?? 0);
  }

  /** The next chunk that the peer must be able to tell of, since it has a piece of it (BEP 52). */
  #takeFor(peer: Peer): Chunk | undefined {
    this.#window = this.#window.filter((chunk) => this.#isLacking(chunk));
    this.#fillWindow();
    const index = this.#window.findIndex((chunk) => this.#hasPieceOf(peer, chunk));
    return index < 0 ? undefined : this.#window.splice(index, 1)[0];
  }

  #isLacking({ missing: { rootHex }, chunkIndex }: Chunk): boolean {
    const { layers } = this.#options;
    return layers.isMissing(rootHex) && this.#open.get(rootHex)?.isTaken[chunkIndex] !== 1;
  }

  #fillWindow(): void {
    while (this.#window.length < WINDOW_CHUNKS) {
      const next = this.#fresh.next();
      if (next.done === true) {
        this.#window.push(...this.#later.splice(0, WINDOW_CHUNKS - this.#window.length));
        return;
      }
      this.#window.push(next.value);
    }
  }

  #hasPieceOf(peer: Peer, { missing, chunkIndex }: Chunk): boolean {
    const { picker, info } = this.#options;
    if (picker.isSeed(peer.handle)) return true;
    const from = chunkIndex * HASHES_PER_REQUEST;
    const to = Math.min(from + HASHES_PER_REQUEST, missing.pieceCount);
    for (const fileIndex of missing.files) {
      const first = info.geometry.fileStart(fileIndex).pieceIndex;
      for (let piece = first + from; piece < first + to; piece += 1) {
        if (picker.peerHas(peer.handle, piece)) return true;
      }
    }
    return false;
  }

  #ask(peer: Peer, chunk: Chunk): void {
    const { missing, chunkIndex } = chunk;
    const range = this.#rangeOf(chunk);
    const request = { ...range, piecesRoot: missing.root };
    this.#openLayer(missing).isTaken[chunkIndex] = 1;
    this.#options.requests.ask(peer, request, HASH_REQUEST_TIMEOUT_MS, (hashes) => {
      if (hashes !== undefined) this.#received(peer, chunk, range, hashes);
      else this.#notReceived(peer, chunk);
    });
  }

  #notReceived(peer: Peer, chunk: Chunk): void {
    const { moment } = this.#options;
    const open = this.#open.get(chunk.missing.rootHex);
    if (open === undefined) return;
    open.isTaken[chunk.chunkIndex] = 0;
    this.#window.unshift(chunk);
    if (!peer.isClosed) this.#refused.set(peer, moment.now + REFUSED_HASHES_PAUSE_MS);
  }

  #received(peer: Peer, chunk: Chunk, range: HashRange, hashes: Uint8Array): void {
    const { missing, chunkIndex } = chunk;
    const open = this.#open.get(missing.rootHex);
    if (open === undefined) return;
    const node = climbProof(range, hashes);
    const isRight = node !== undefined && sameBytes(node.hash, missing.root);
    if (!isRight) {
      open.isTaken[chunkIndex] = 0;
      this.#window.unshift(chunk);
      this.#options.liarFound(peer.identity);
      return;
    }
    const start = chunkIndex * HASHES_PER_REQUEST;
    const count = Math.min(range.length, missing.pieceCount - start);
    // With something else than padding behind the file's end the root is of no file, and no peer's fault.
    if (!isPadding(hashes, count, range)) return;
    const startBytes = start * MERKLE_HASH_LENGTH;
    open.layer.set(hashes.subarray(0, count * MERKLE_HASH_LENGTH), startBytes);
    open.missingChunks -= 1;
    this.lastUsefulMs = this.#options.moment.now;
    if (open.missingChunks > 0) return;
    this.#open.delete(missing.rootHex);
    this.#options.layerCame(missing.rootHex, open.layer);
  }

  #openLayer(missing: MissingLayer): OpenLayer {
    let open = this.#open.get(missing.rootHex);
    if (open === undefined) {
      const chunkCount = chunkCountOf(missing);
      open = {
        layer: new Uint8Array(missing.pieceCount * MERKLE_HASH_LENGTH),
        isTaken: new Uint8Array(chunkCount),
        missingChunks: chunkCount,
      };
      this.#open.set(missing.rootHex, open);
    }
    return open;
  }

  /** Up to the root: the proof is as long as the tree allows. */
  #rangeOf({ missing, chunkIndex }: Chunk): HashRange {
    const { pieceLength } = this.#options.info;
    const index = chunkIndex * HASHES_PER_REQUEST;
    const left = missing.pieceCount - index;
    return {
      baseLayer: Math.log2(pieceLength / BLOCK_LENGTH),
      index,
      length: Math.max(2, Math.min(HASHES_PER_REQUEST, merkleWidth(left))),
      proofLayers: Math.log2(merkleWidth(missing.pieceCount)) - 1,
    };
  }

  /** Everything that is missing and not asked for, layers of wanted files first. */
  *#chunks(): Iterator<Chunk> {
    const { layers, isWanted } = this.#options;
    for (const isFirst of [true, false]) {
      for (const missing of [...layers.missing]) {
        if (missing.files.some(isWanted) !== isFirst) continue;
        for (let chunkIndex = 0; chunkIndex < chunkCountOf(missing); chunkIndex += 1) {
          const chunk = { missing, chunkIndex };
          if (this.#isLacking(chunk)) yield chunk;
        }
      }
    }
  }
}

function chunkCountOf({ pieceCount }: MissingLayer): number {
  return Math.ceil(pieceCount / HASHES_PER_REQUEST);
}

function isPadding(hashes: Uint8Array, from: number, { length, baseLayer }: HashRange): boolean {
  const padding = merklePadding(baseLayer);
  for (let at = from * MERKLE_HASH_LENGTH; at < length * MERKLE_HASH_LENGTH; at += 1) {
    if (hashes[at] !== padding[at % MERKLE_HASH_LENGTH]) return false;
  }
  return true;
}
