// The way of a block up: a request waits in the peer's queue, is read through the disk's read-ahead, and leaves with its
// header in one write. What is read is bounded by what the peer's socket takes, and by the upload limit, under which
// the peers take turns block by block.

import type { PieceShape, StorageError } from '@bt/storage';
import type { Holdings } from './holdings.ts';
import {
  MAX_BLOCKS_IN_SOCKET,
  MAX_EXCESS_REQUESTS,
  MAX_QUEUED_UPLOADS,
  MAX_READS_PER_PEER,
  MAX_REQUEST_BYTES,
  MAX_SEND_QUEUE_BYTES,
  MIN_BLOCK_VIEW_BYTES,
} from './limits.ts';
import type { Moment } from './moment.ts';
import { type Peer, PeerFault } from './peer.ts';
import type { RateLimit } from './rate-limit.ts';
import { RateMeter } from './rates.ts';
import type { Read, Reads } from './reads.ts';
import type { Peers } from './swarm/peers.ts';

/** The reads of a torrent, as far as peers are concerned. */
type PeerReads = { read(...args: Parameters<Reads<Peer>['read']>): Uint8Array | undefined };

/** `paddedPieceSize`: where requests end; beyond `pieceSize` they are answered with zeros. */
type UploadShape = PieceShape & { paddedPieceSize(pieceIndex: number): number };

export interface UploadOptions {
  readonly moment: Moment;
  readonly geometry: UploadShape;
  readonly reads: PeerReads;
  readonly holdings: Holdings;
  readonly peers: Peers;
  readonly limit: RateLimit;
  /** The disk could not read a block of this piece. */
  readonly readFailed: (pieceIndex: number, error: StorageError | undefined) => void;
}

export class Upload {
  /** Payload sent. */
  readonly meter: RateMeter;
  readonly #moment: Moment;
  readonly #geometry: UploadShape;
  readonly #holdings: Holdings;
  readonly #peers: Peers;
  readonly #limit: RateLimit;
  readonly #readFailed: UploadOptions['readFailed'];
  readonly #reads: PeerReads;
  /** Peers with requests, waiting for the upload limit. */
  #waiting: Peer[] = [];
  #serving: Peer | undefined;

  constructor(options: UploadOptions) {
    this.#moment = options.moment;
    this.#geometry = options.geometry;
    this.#holdings = options.holdings;
    this.#reads = options.reads;
    this.#peers = options.peers;
    this.#limit = options.limit;
    this.#readFailed = options.readFailed;
    this.meter = new RateMeter(options.moment.now);
  }

  /** BEP 3 `request`. */
  requested(peer: Peer, pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    const isInside =
      pieceIndex < this.#geometry.pieceCount &&
      lengthBytes > 0 &&
      lengthBytes <= MAX_REQUEST_BYTES &&
      blockOffset + lengthBytes <= this.#geometry.paddedPieceSize(pieceIndex);
    if (!isInside) throw new PeerFault('bad-request');
    const { session, uploads } = peer;
    const isServed = !session.amChoking && this.#holdings.has(pieceIndex);
    if (!isServed || uploads.length >= MAX_QUEUED_UPLOADS) {
      peer.excessRequests += 1;
      if (peer.excessRequests > MAX_EXCESS_REQUESTS) throw new PeerFault('request-flood');
      this.#refuse(peer, pieceIndex, blockOffset, lengthBytes);
      return;
    }
    uploads.push(pieceIndex, blockOffset, lengthBytes);
  }

  /** BEP 3 `cancel`; with the fast extension it is answered by a reject, or by the block that is on its way. */
  cancelled(peer: Peer, pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    if (peer.uploads.take(pieceIndex, blockOffset) === undefined) return;
    this.#refuse(peer, pieceIndex, blockOffset, lengthBytes);
  }

  /** We have choked the peer: its waiting requests are refused. */
  choked(peer: Peer): void {
    while (
      peer.uploads.shift((piece, offset, length) => this.#refuse(peer, piece, offset, length))
    );
  }

  /** Sends what the peer's socket and the upload limit allow. */
  pump(peer: Peer): void {
    if (peer.uploads.length === 0) return;
    if (!this.#limit.isUnlimited) {
      this.#wait(peer);
      this.pumpWaiting();
      return;
    }
    while (this.#mayRead(peer)) this.#serveNext(peer);
  }

  /** One block for each waiting peer in turn, while the limit is open. */
  pumpWaiting(): void {
    const { now } = this.#moment;
    let idle = 0;
    while (this.#waiting.length > idle && this.#limit.isOpen(now)) {
      const peer = this.#waiting.shift()!;
      peer.isUploadWaiting = false;
      if (peer.isClosed || peer.uploads.length === 0) continue;
      if (this.#mayRead(peer)) {
        this.#serveNext(peer);
        idle = 0;
      } else {
        idle += 1;
      }
      if (peer.uploads.length > 0) this.#wait(peer);
    }
  }

  /** Requests wait for the upload limit. */
  get isBusy(): boolean {
    return this.#waiting.length > 0;
  }

  /** When `pumpWaiting` can go on; Infinity when nobody waits for the limit. */
  deadline(now: number): number {
    if (this.#waiting.length === 0 || this.#limit.isOpen(now)) return Number.POSITIVE_INFINITY;
    return this.#limit.opensAt(now);
  }

  /** The disk's answer to a read. */
  blockRead(
    read: Read<Peer>,
    bytes: Uint8Array | undefined,
    error: StorageError | undefined,
  ): void {
    const { owner: peer, pieceIndex, blockOffset, lengthBytes } = read;
    peer.readsPending -= 1;
    peer.readingBytes -= lengthBytes;
    if (bytes === undefined) this.#readFailed(pieceIndex, error);
    if (peer.isClosed) return;
    if (bytes === undefined) this.#refuse(peer, pieceIndex, blockOffset, lengthBytes);
    else this.#send(peer, pieceIndex, blockOffset, padded(bytes, lengthBytes));
    this.pump(peer);
  }

  #mayRead(peer: Peer): boolean {
    return (
      peer.uploads.length > 0 &&
      peer.readsPending < MAX_READS_PER_PEER &&
      peer.queuedBlocks + peer.readsPending < MAX_BLOCKS_IN_SOCKET &&
      peer.transport.queuedBytes + peer.readingBytes < MAX_SEND_QUEUE_BYTES
    );
  }

  #wait(peer: Peer): void {
    if (peer.isUploadWaiting) return;
    peer.isUploadWaiting = true;
    this.#waiting.push(peer);
  }

  #serveNext(peer: Peer): void {
    this.#serving = peer;
    peer.uploads.shift(this.#serve);
  }

  readonly #serve = (pieceIndex: number, blockOffset: number, lengthBytes: number): void => {
    const peer = this.#serving!;
    if (!this.#holdings.has(pieceIndex)) {
      this.#refuse(peer, pieceIndex, blockOffset, lengthBytes);
      return;
    }
    this.#limit.charge(this.#moment.now, lengthBytes);
    const inPiece = this.#geometry.pieceSize(pieceIndex) - blockOffset;
    const bytes =
      inPiece > 0
        ? this.#reads.read(
            peer,
            pieceIndex,
            blockOffset,
            lengthBytes,
            Math.min(lengthBytes, inPiece),
          )
        : new Uint8Array(lengthBytes);
    if (bytes !== undefined) {
      this.#send(peer, pieceIndex, blockOffset, padded(bytes, lengthBytes));
      return;
    }
    peer.readsPending += 1;
    peer.readingBytes += lengthBytes;
  };

  #send(peer: Peer, pieceIndex: number, blockOffset: number, bytes: Uint8Array): void {
    const { now } = this.#moment;
    const header = peer.session.blockHeader(pieceIndex, blockOffset, bytes.length);
    // A view holds the whole chunk that was read ahead, for as long as the peer's socket holds the view.
    const isSmall = bytes.length < MIN_BLOCK_VIEW_BYTES;
    peer.sendBlock(now, header, isSmall ? bytes.slice() : bytes);
    this.meter.add(now, bytes.length);
  }

  #refuse(peer: Peer, pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    if (!peer.session.features.fast) return;
    peer.session.reject(pieceIndex, blockOffset, lengthBytes);
    this.#peers.markDirty(peer);
  }
}

/** A block that reaches beyond its file's end in a v2-only torrent ends in zeros (see `Geometry.paddedPieceSize`). */
function padded(bytes: Uint8Array, lengthBytes: number): Uint8Array {
  if (bytes.length === lengthBytes) return bytes;
  const block = new Uint8Array(lengthBytes);
  block.set(bytes);
  return block;
}
