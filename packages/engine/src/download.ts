// The way of a block down: asked for, received into its piece's buffer, the full piece saved, marked, and told of.
// Called back directly by the wire for each block: no object is made for one (design rule for the path of piece data).

import type { Geometry } from '@bt/metainfo';
import type { PeerHandle, Picker, PickOptions } from '@bt/picker';
import type {
  BlockOutcome,
  BlockWriter,
  Disk,
  PieceBuffers,
  PieceResult,
  PieceShape,
  StorageError,
} from '@bt/storage';
import { type Blame, type BlockSenders, sameHash, soleSender } from './blame.ts';
import type { BlockJudge, FailedPiece } from './failed-piece.ts';
import type { Holdings } from './holdings.ts';
import {
  LAPSED_REQUEST_MS,
  MAX_REQUESTS_PER_PEER,
  MAX_REQUESTS_PER_TORRENT,
  MAX_UNREQUESTED_BLOCKS,
  REQUEST_TIMEOUT_MS,
} from './limits.ts';
import type { Moment } from './moment.ts';
import { Ownership } from './ownership.ts';
import { type Identity, type Peer, PeerFault } from './peer.ts';
import { RateMeter } from './rates.ts';
import type { Peers } from './swarm/peers.ts';
import type { WebSeedIdentity } from './web-seed/web-seed.ts';

/** Who a block comes from: a peer, or a web seed. */
export type Sender = Identity | WebSeedIdentity;

/** One that sends blocks, one at a time: the connection to a peer, or a web seed. */
export interface BlockSource {
  readonly handle: PeerHandle;
  readonly writer: BlockWriter;
  readonly identity: Sender;
  /** The block that is arriving. */
  blockPiece: number;
  blockOffset: number;
  blockLength: number;
  /** A block has come whole. */
  countBlock(now: number, lengthBytes: number): void;
}

/** What the torrent is told. */
export interface DownloadObserver {
  /** Verified and written. */
  pieceSaved(pieceIndex: number): void;
  /** Failed its hash. */
  pieceFailed(pieceIndex: number): void;
  /** The disk has given up on it; what came of it is lost. */
  saveFailed(pieceIndex: number, error: StorageError | undefined): void;
  /** Sent wrong data, beyond doubt. */
  liarFound(sender: Sender): void;
  /** Right by its v2 hash and wrong by that of v1: no peer can send what is right by both. */
  pieceContradicted(pieceIndex: number): void;
}

export interface DownloadOptions {
  readonly moment: Moment;
  readonly geometry: PieceShape & Pick<Geometry, 'blockSize' | 'contentSize' | 'isPaddingBlock'>;
  readonly picker: Picker;
  readonly buffers: PieceBuffers;
  readonly disk: Pick<Disk, 'stalledBy'>;
  readonly peers: Peers;
  readonly blame: Blame<Sender>;
  readonly holdings: Holdings;
  readonly observer: DownloadObserver;
}

/** Rejects in a row, while we are unchoked, after which a peer is left alone for a while. */
const MAX_REJECTS_IN_A_ROW = 16;
const REJECT_PAUSE_MS = 10_000;
/** A peer always gets this many requests, however many the others have in flight. */
const SHARE_PER_PEER = 16;
/** Requests go out in batches of this share of the pipeline, so that a batch is one write. */
const BATCH_SHARE = 8;
/** Senders are not kept for pieces of more blocks than this: they have no block hashes either. */
const MAX_BLAMED_BLOCKS = 65_536;

const freely: PickOptions = {};
const onParole: PickOptions = { parole: true };
const slowly: PickOptions = { slow: true };
const allowedFast: PickOptions = { allowedFastOnly: true };

/** A full piece, while it is with the disk or with the judge. */
interface SavedPiece {
  readonly senders: BlockSenders<Sender>;
  /** If it fails, its blocks are still there. */
  readonly keepWrong: boolean;
}

type Senders = (Sender | null | undefined)[];

export class Download {
  /** Payload received, duplicates included. */
  readonly meter: RateMeter;
  duplicateBytes = 0;
  /** Bytes of pieces that failed their hash. */
  rejectedBytes = 0;
  /** Requests in flight to all peers. */
  requestCount = 0;
  /** Nothing is asked for while this holds: the torrent is being stopped. */
  isHalted = false;
  judge: BlockJudge | undefined;
  readonly #moment: Moment;
  readonly #geometry: DownloadOptions['geometry'];
  readonly #picker: Picker;
  readonly #buffers: PieceBuffers;
  readonly #disk: DownloadOptions['disk'];
  readonly #peers: Peers;
  readonly #blame: Blame<Sender>;
  readonly #holdings: Holdings;
  readonly #observer: DownloadObserver;
  readonly #ownership = new Ownership();
  readonly #senders = new Map<number, Senders>();
  /** Full pieces that are with the disk. */
  readonly #saving = new Map<number, SavedPiece>();
  #asking: Peer | undefined;

  constructor(options: DownloadOptions) {
    this.#moment = options.moment;
    this.#geometry = options.geometry;
    this.#picker = options.picker;
    this.#buffers = options.buffers;
    this.#disk = options.disk;
    this.#peers = options.peers;
    this.#blame = options.blame;
    this.#holdings = options.holdings;
    this.#observer = options.observer;
    this.meter = new RateMeter(options.moment.now);
  }

  /** Pieces that are with the disk. */
  get savingCount(): number {
    return this.#saving.size;
  }

  /** Nothing can be asked for, or complete pieces wait: for the disk. */
  get isHeldUp(): boolean {
    return this.#saving.size > 0 || this.#buffers.isFull || this.#disk.stalledBy !== undefined;
  }

  /** The piece is complete and with the disk. */
  isSaving(pieceIndex: number): boolean {
    return this.#saving.has(pieceIndex);
  }

  /** Keeps the peer's pipeline full; requests are written when enough of it is empty. */
  request(peer: Peer): void {
    const { session, requests, pipeline } = peer;
    if (!session.amInterested || this.isHalted || this.#disk.stalledBy !== undefined) return;
    if (this.#moment.now < peer.askAgainMs || this.#buffers.isFull) return;
    const { target } = pipeline;
    const share = Math.max(SHARE_PER_PEER, MAX_REQUESTS_PER_TORRENT - this.requestCount);
    const room = Math.min(target - requests.length, share);
    if (room <= 0 || (requests.length > 0 && room < target / BATCH_SHARE)) return;
    if (requests.length === 0) peer.waitingSinceMs = this.#moment.now;
    this.#asking = peer;
    this.#picker.pick(peer.handle, room, this.#ask, pickOptionsFor(peer));
    this.#asking = undefined;
    if (requests.length > 0) this.#peers.markDirty(peer);
  }

  /** BEP 3 `piece` begins. False: its bytes are skipped. */
  blockStart(peer: Peer, pieceIndex: number, blockOffset: number, lengthBytes: number): boolean {
    const { now } = this.#moment;
    peer.rejectsInARow = 0;
    const askedMs = peer.requests.take(pieceIndex, blockOffset);
    if (askedMs === undefined) {
      if (peer.lapsed.take(pieceIndex, blockOffset) === undefined) {
        peer.unrequestedBlocks += 1;
        if (peer.unrequestedBlocks > MAX_UNREQUESTED_BLOCKS) {
          throw new PeerFault('unrequested-blocks');
        }
        return false;
      }
    } else {
      this.requestCount -= 1;
      peer.pipeline.onBlock(now, now - askedMs, peer.down);
    }
    if (lengthBytes !== this.#blockSizeAt(pieceIndex, blockOffset)) {
      throw new PeerFault('protocol-error');
    }
    if (this.#saving.has(pieceIndex)) this.judge?.blockCame(peer, pieceIndex);
    return this.takeBlock(peer, pieceIndex, blockOffset, lengthBytes);
  }

  /** A block begins that the source was asked for. False: its bytes are skipped. */
  takeBlock(
    source: BlockSource,
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
  ): boolean {
    const blockIndex = blockOffset / this.#geometry.blockLength;
    source.blockPiece = pieceIndex;
    source.blockOffset = blockOffset;
    source.blockLength = lengthBytes;
    if (this.#isMissing(pieceIndex) && this.#picker.mayReceive(source.handle, pieceIndex)) {
      // With a disk that takes nothing memory is full: the block has to come again later.
      if (this.#buffers.isFull && this.#disk.stalledBy !== undefined) {
        this.#picker.releaseRequest(source.handle, pieceIndex, blockIndex);
        return false;
      }
      if (source.writer.start(pieceIndex, blockOffset, lengthBytes)) return true;
    }
    this.countDuplicate(source, lengthBytes);
    this.#picker.releaseRequest(source.handle, pieceIndex, blockIndex);
    return false;
  }

  /** The last byte of a block that was taken has been written. False: somebody else's had come first. */
  blockEnd(source: BlockSource): boolean {
    const { blockPiece: pieceIndex, blockLength: lengthBytes } = source;
    const blockIndex = source.blockOffset / this.#geometry.blockLength;
    const outcome: BlockOutcome = source.writer.end();
    if (outcome === 'duplicate') {
      this.countDuplicate(source, lengthBytes);
      this.#picker.releaseRequest(source.handle, pieceIndex, blockIndex);
      return false;
    }
    this.#countBlock(source, lengthBytes);
    this.#picker.markReceived(source.handle, pieceIndex, blockIndex, this.#cancel);
    const senders = this.#sendersOf(pieceIndex);
    if (senders.length > 0) senders[blockIndex] = source.identity;
    if (outcome === 'last') this.savePiece(pieceIndex);
    return true;
  }

  /** Gives a complete piece to the disk. */
  savePiece(pieceIndex: number): void {
    const keepWrong = this.judge?.isOpen === true;
    this.#saving.set(pieceIndex, { senders: this.#sendersOf(pieceIndex), keepWrong });
    this.#senders.delete(pieceIndex);
    const blockHashes = this.#blame.isSuspect(pieceIndex);
    this.#buffers.save(pieceIndex, { blockHashes, keepWrong });
  }

  /** The disk's answer. */
  pieceResult(pieceIndex: number, result: PieceResult): void {
    const { senders = [], keepWrong = false } = this.#saving.get(pieceIndex) ?? {};
    if (result.outcome === 'mismatch') {
      const { blockHashes, data } = result;
      this.#pieceFailed({ pieceIndex, senders, blockHashes, data }, keepWrong);
      return;
    }
    this.#saving.delete(pieceIndex);
    if (result.outcome === 'saved') {
      this.judge?.passed(pieceIndex);
      this.#ownership.ended(pieceIndex);
      const isNew = this.#holdings.add(pieceIndex);
      this.#picker.piecePassed(pieceIndex);
      const liars = this.#blame.passed(pieceIndex, result.blockHashes);
      if (isNew) this.#observer.pieceSaved(pieceIndex);
      for (const liar of liars) this.#observer.liarFound(liar);
      return;
    }
    // Nothing is known of the data, so nobody is suspected.
    this.#picker.forgetPiece(pieceIndex);
    this.#observer.saveFailed(pieceIndex, result.error);
  }

  /** Asks for the first block of a piece whose blocks are all there; it counts as a duplicate when it comes. */
  probe(peer: Peer, pieceIndex: number): boolean {
    const { session, requests } = peer;
    if (session.peerChoking || this.isHalted || requests.length >= MAX_REQUESTS_PER_PEER) {
      return false;
    }
    requests.push(pieceIndex, 0, this.#moment.now);
    this.requestCount += 1;
    session.request(pieceIndex, 0, this.#geometry.blockSize(pieceIndex, 0));
    this.#peers.markDirty(peer);
    return true;
  }

  /** How the blocks of a failed piece should hash; undefined when nobody has told, and all of it is wanted again. */
  judged(failed: FailedPiece, leaves: Uint8Array | undefined): void {
    const { pieceIndex, senders, blockHashes, data } = failed;
    if (leaves === undefined || blockHashes === undefined) {
      this.#buffers.discard(pieceIndex, data);
      this.#wantAnew(failed);
      return;
    }
    this.#saving.delete(pieceIndex);
    this.#picker.forgetPiece(pieceIndex);
    const liars = this.#blame.passed(pieceIndex, leaves);
    const kept = this.#sendersOf(pieceIndex);
    const wrongBlocks: number[] = [];
    for (let block = 0; block < this.#geometry.blockCount(pieceIndex); block += 1) {
      if (this.#geometry.isPaddingBlock(pieceIndex, block)) continue;
      const sender = senders[block];
      if (sameHash(blockHashes, leaves, block)) {
        this.#picker.markBlockHave(pieceIndex, block);
        if (kept.length > 0) kept[block] = sender;
      } else {
        wrongBlocks.push(block);
        this.rejectedBytes += this.#geometry.blockSize(pieceIndex, block);
        if (sender) liars.add(sender);
      }
    }
    this.#buffers.reopen(pieceIndex, data, wrongBlocks);
    this.#observer.pieceFailed(pieceIndex);
    for (const liar of liars) this.#observer.liarFound(liar);
  }

  #pieceFailed(failed: FailedPiece, keepWrong: boolean): void {
    const { pieceIndex, senders, data } = failed;
    if (!keepWrong || this.judge === undefined) {
      this.#wantAnew(failed);
      return;
    }
    const trial = this.judge.open(failed);
    if (trial === 'none') {
      this.judged(failed, undefined);
    } else if (trial === 'contradiction') {
      this.#saving.delete(pieceIndex);
      this.#picker.forgetPiece(pieceIndex);
      this.#buffers.discard(pieceIndex, data);
      this.#observer.pieceContradicted(pieceIndex);
    } else {
      const liar = soleSender(senders);
      if (liar !== undefined) this.#observer.liarFound(liar);
    }
  }

  /** Every block of it is wanted again. */
  #wantAnew(failed: FailedPiece): void {
    const { pieceIndex, senders, blockHashes } = failed;
    this.#saving.delete(pieceIndex);
    this.#picker.pieceFailed(pieceIndex);
    this.rejectedBytes += this.#geometry.contentSize(pieceIndex);
    const liar = this.#blame.failed(pieceIndex, senders, blockHashes);
    this.#observer.pieceFailed(pieceIndex);
    if (liar !== undefined) this.#observer.liarFound(liar);
  }

  /**
   * For the picker: whether a newcomer takes a piece over that is left to another peer alone. What came of it is given up, so
   * that all of it comes from one again.
   */
  takeOver(pieceIndex: number, owner: PeerHandle, newcomer: PeerHandle): boolean {
    const { now } = this.#moment;
    const rate = this.#peers.byHandle(newcomer)?.pipeline.bestRate ?? 0;
    const needMs = rate > 0 ? (1000 * this.#geometry.pieceSize(pieceIndex)) / rate : undefined;
    if (!this.#ownership.isOver(now, pieceIndex, owner, needMs)) return false;
    const senders = this.#senders.get(pieceIndex) ?? [];
    this.#senders.delete(pieceIndex);
    this.#buffers.drop(pieceIndex);
    for (let block = 0; block < this.#geometry.blockCount(pieceIndex); block += 1) {
      this.#cancel(owner, pieceIndex, block);
      if (senders[block]) this.duplicateBytes += this.#geometry.blockSize(pieceIndex, block);
    }
    return true;
  }

  /** BEP 6 `reject_request`, of a request that may have lapsed meanwhile. */
  rejected(peer: Peer, pieceIndex: number, blockOffset: number): void {
    if (peer.requests.take(pieceIndex, blockOffset) === undefined) {
      peer.lapsed.take(pieceIndex, blockOffset);
      return;
    }
    this.requestCount -= 1;
    const blockIndex = blockOffset / this.#geometry.blockLength;
    this.#picker.releaseRequest(peer.handle, pieceIndex, blockIndex);
    peer.rejectsInARow += 1;
    if (peer.rejectsInARow >= MAX_REJECTS_IN_A_ROW) {
      peer.rejectsInARow = 0;
      peer.askAgainMs = this.#moment.now + REJECT_PAUSE_MS;
    }
  }

  /** The peer choked us: what was asked is free for others, though some of it may still come. */
  choked(peer: Peer): void {
    this.#lapseAll(peer);
  }

  unchoked(peer: Peer): void {
    peer.pipeline.restart();
    peer.waitingSinceMs = this.#moment.now;
  }

  /** Frees requests that were not answered in time. Called about once a second for each peer. */
  checkTimeouts(peer: Peer): void {
    const { now } = this.#moment;
    // Memory is full and nobody is read: answers may wait in the sockets.
    if (this.#buffers.isFull && this.#disk.stalledBy === undefined) return;
    peer.lapsed.takeUntil(now - LAPSED_REQUEST_MS);
    const silentSinceMs = Math.max(peer.lastBlockMs ?? 0, peer.waitingSinceMs);
    if (peer.requests.length === 0) return;
    const isSilent = now - silentSinceMs > REQUEST_TIMEOUT_MS;
    // While blocks come, a request may wait its turn twice as long.
    const patienceMs = isSilent ? REQUEST_TIMEOUT_MS : 2 * REQUEST_TIMEOUT_MS;
    peer.requests.takeUntil(now - patienceMs, (pieceIndex, blockOffset) => {
      this.#lapse(peer, pieceIndex, blockOffset);
      const lengthBytes = this.#blockSizeAt(pieceIndex, blockOffset);
      peer.session.cancel(pieceIndex, blockOffset, lengthBytes);
      this.#peers.markDirty(peer);
    });
    if (isSilent) peer.askAgainMs = Math.max(peer.askAgainMs, now + 1000);
  }

  /** The connection is gone: its requests are free, its half block is forgotten. */
  peerGone(peer: Peer): void {
    this.requestCount -= peer.requests.length;
    peer.requests.clear();
    peer.lapsed.clear();
    peer.writer.abort();
    this.#picker.removePeer(peer.handle);
  }

  #isMissing(pieceIndex: number): boolean {
    return !this.#holdings.has(pieceIndex) && !this.#saving.has(pieceIndex);
  }

  #countBlock(source: BlockSource, lengthBytes: number): void {
    const { now } = this.#moment;
    this.meter.add(now, lengthBytes);
    source.countBlock(now, lengthBytes);
  }

  countDuplicate(source: BlockSource, lengthBytes: number): void {
    this.#countBlock(source, lengthBytes);
    this.duplicateBytes += lengthBytes;
  }

  #sendersOf(pieceIndex: number): Senders {
    let senders = this.#senders.get(pieceIndex);
    if (senders === undefined) {
      const count = this.#geometry.blockCount(pieceIndex);
      senders = count > MAX_BLAMED_BLOCKS ? [] : new Array(count).fill(undefined);
      for (let block = 0; block < senders.length; block += 1) {
        if (this.#geometry.isPaddingBlock(pieceIndex, block)) senders[block] = null;
      }
      this.#senders.set(pieceIndex, senders);
    }
    return senders;
  }

  #blockSizeAt(pieceIndex: number, blockOffset: number): number {
    return this.#geometry.blockSize(pieceIndex, blockOffset / this.#geometry.blockLength);
  }

  #lapseAll(peer: Peer): void {
    while (
      peer.requests.shift((pieceIndex, blockOffset) => this.#lapse(peer, pieceIndex, blockOffset))
    );
  }

  /** A request that has left `requests` may still be answered. */
  #lapse(peer: Peer, pieceIndex: number, blockOffset: number): void {
    this.requestCount -= 1;
    peer.lapsed.push(pieceIndex, blockOffset, this.#moment.now);
    const blockIndex = blockOffset / this.#geometry.blockLength;
    this.#picker.releaseRequest(peer.handle, pieceIndex, blockIndex);
  }

  /** The picker's choice, one block at a time. */
  readonly #ask = (pieceIndex: number, blockIndex: number): void => {
    const peer = this.#asking!;
    const blockOffset = blockIndex * this.#geometry.blockLength;
    const lengthBytes = this.#geometry.blockSize(pieceIndex, blockIndex);
    peer.requests.push(pieceIndex, blockOffset, this.#moment.now);
    this.requestCount += 1;
    peer.session.request(pieceIndex, blockOffset, lengthBytes);
  };

  /** Somebody else was asked for a block that has come. */
  readonly #cancel = (handle: number, pieceIndex: number, blockIndex: number): void => {
    const peer = this.#peers.byHandle(handle);
    if (peer === undefined) return;
    const blockOffset = blockIndex * this.#geometry.blockLength;
    // Not there when the block is arriving from it at this moment.
    if (peer.requests.take(pieceIndex, blockOffset) === undefined) return;
    this.requestCount -= 1;
    peer.lapsed.push(pieceIndex, blockOffset, this.#moment.now);
    peer.session.cancel(pieceIndex, blockOffset, this.#geometry.blockSize(pieceIndex, blockIndex));
    this.#peers.markDirty(peer);
  };
}

function pickOptionsFor(peer: Peer): PickOptions {
  if (peer.session.peerChoking) return allowedFast;
  if (peer.identity.suspicions > 0) return onParole;
  return peer.pipeline.isSnubbed ? slowly : freely;
}
