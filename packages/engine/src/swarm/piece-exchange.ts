// Pieces for pieces with every connected peer: who is told of what we have, what we want of whom, and who is of no use.
// The way of a single block stands in download.ts and upload.ts.

import type { Info } from '@bt/metainfo';
import type { Picker } from '@bt/picker';
import type { PieceBuffers } from '@bt/storage';
import type { WireHandler, WirePieces } from '@bt/wire';
import { Conversation, type ConversationObserver } from '../conversation.ts';
import type { Download } from '../download.ts';
import type { HashExchange } from '../hashes/hash-exchange.ts';
import type { Holdings } from '../holdings.ts';
import type { Moment } from '../moment.ts';
import { type Peer, PeerFault } from '../peer.ts';
import type { SuperSeed } from '../super-seed.ts';
import type { Upload } from '../upload.ts';
import type { Exchange } from './exchange.ts';
import type { Peers } from './peers.ts';
import { Prospects } from './prospects.ts';
import type { Swarm } from './swarm.ts';

export interface PieceExchangeOptions {
  readonly moment: Moment;
  readonly info: Info;
  readonly swarm: Swarm;
  readonly peers: Peers;
  readonly picker: Picker;
  readonly buffers: PieceBuffers;
  readonly holdings: Holdings;
  readonly download: Download;
  readonly upload: Upload;
  readonly hashes: HashExchange;
  /** Present where we begin as a seed with a limited upload. */
  readonly superSeed?: SuperSeed | undefined;
  /** No piece is asked for, but hashes are (BEP 52). */
  readonly hashesOnly?: boolean | undefined;
  /** A peer came, went, or changed its mind: upload slots may be given anew. */
  readonly peersChanged: () => void;
}

export class PieceExchange implements Exchange, ConversationObserver {
  readonly pieces: WirePieces;
  readonly prospects: Prospects;
  readonly #options: PieceExchangeOptions;
  readonly #moment: Moment;
  readonly #peers: Peers;

  constructor(options: PieceExchangeOptions) {
    const { geometry } = options.info;
    this.pieces = {
      pieceCount: geometry.pieceCount,
      pieceLength: geometry.pieceLength,
      pieceSize: (pieceIndex) => geometry.paddedPieceSize(pieceIndex),
    };
    this.#options = options;
    this.#moment = options.moment;
    this.#peers = options.peers;
    this.prospects = new Prospects(options.moment.now);
  }

  get isDone(): boolean {
    return this.#options.holdings.isDone && !this.#options.hashes.isLacking;
  }

  get isUploadOnly(): boolean {
    const { holdings, superSeed } = this.#options;
    // libtorrent closes a peer that has nothing and says so: a super seed must not.
    return holdings.isWhole && superSeed?.isActive !== true;
  }

  // One peer.

  admit(peer: Peer): WireHandler {
    const { picker, buffers, info, download, upload, hashes, swarm, peersChanged } = this.#options;
    this.#peers.setHandle(peer, picker.addPeer());
    peer.writer = buffers.createWriter();
    peer.pipeline.blockLength = info.geometry.blockLength;
    peersChanged();
    return new Conversation({ peer, picker, download, upload, hashes, swarm, exchange: this });
  }

  greet(peer: Peer): void {
    const { holdings, superSeed } = this.#options;
    const { session } = peer;
    if (superSeed?.isActive === true) {
      if (session.features.fast) session.haveNone();
      superSeed.peerAdded(peer);
    } else if (holdings.isWhole && session.features.fast) session.haveAll();
    else if (holdings.count > 0) session.bitfield(holdings.bits);
    else if (session.features.fast) session.haveNone();
    this.#options.peersChanged();
  }

  extendedHandshake(): void {}

  /** Of what was asked while only a magnet link was known. */
  metadataAnswered(): void {}

  uploadOnlyChanged(peer: Peer): void {
    this.#refuseUseless(peer);
  }

  attend(peer: Peer): void {
    this.#updateInterest(peer);
    this.#options.download.request(peer);
    this.#options.upload.pump(peer);
  }

  watch(peer: Peer): void {
    const { download, upload } = this.#options;
    download.checkTimeouts(peer);
    this.#updateInterest(peer);
    download.request(peer);
    // Where little was left waiting, no transport tells that it has gone.
    upload.pump(peer);
    this.#notePeer(peer);
  }

  leave(peer: Peer): void {
    this.#options.download.peerGone(peer);
    this.#options.hashes.leave(peer);
    this.#options.superSeed?.peerGone(peer);
    peer.uploads.clear();
    this.#options.peersChanged();
  }

  // What its messages tell.

  pieceAnnounced(peer: Peer, pieceIndex: number): void {
    this.#options.superSeed?.peerHas(peer, pieceIndex);
    this.#refuseUseless(peer);
  }

  piecesDeclared(peer: Peer): void {
    this.#options.superSeed?.peerDeclared(peer);
    this.#refuseUseless(peer);
    this.#options.hashes.piecesDeclared(peer);
  }

  peerInterestChanged(_peer: Peer): void {
    this.#options.peersChanged();
  }

  // All of them.

  tick(): void {
    const { now } = this.#moment;
    const { download, superSeed, hashes } = this.#options;
    this.prospects.noteBytes(now, download.meter.totalBytes - download.duplicateBytes);
    // Hashes are of use when they come, whoever may have them.
    this.prospects.noteUse(hashes.lastUsefulMs);
    if (this.isDone || download.isHeldUp) this.prospects.noteUse(now);
    superSeed?.update();
    hashes.tick();
  }

  /** Pieces have come or the selection has changed: what we want of whom may have changed too. */
  updateInterests(): void {
    for (const peer of this.#peers.snapshot()) {
      if (!peer.isReady) continue;
      this.#updateInterest(peer);
      if (this.#isUseless(peer)) this.#options.swarm.close(peer, 'both-seeds');
    }
  }

  /** Asks every peer for what it may be asked. */
  requestAll(): void {
    for (const peer of this.#peers) this.#options.download.request(peer);
  }

  #updateInterest(peer: Peer): void {
    if (peer.isClosed || !peer.isReady) return;
    const { picker, holdings } = this.#options;
    const { session } = peer;
    const isInteresting = picker.isInteresting(peer.handle);
    if (isInteresting !== session.amInterested) {
      if (isInteresting) session.interested();
      else session.notInterested();
      this.#peers.markDirty(peer);
      this.#options.peersChanged();
    }
    this.#notePeer(peer);
    const isUseful = isInteresting || session.peerInterested;
    if (isUseful) peer.uselessSinceMs = this.#moment.now;
    if (holdings.isDone && peer.candidate !== undefined) {
      peer.candidate.isSeed = picker.isSeed(peer.handle);
    }
  }

  /** It may have what we lack; with hashes alone that shows only when they come. */
  #notePeer({ session }: Peer): void {
    if (!session.amInterested || this.#options.hashesOnly === true) return;
    this.prospects.notePeer(this.#moment.now, session.peerChoking);
  }

  /** From inside a message. */
  #refuseUseless(peer: Peer): void {
    if (this.#isUseless(peer)) throw new PeerFault('both-seeds');
  }

  /** It wants nothing (it has everything, or says so), and we want nothing. */
  #isUseless(peer: Peer): boolean {
    const { picker } = this.#options;
    if (!peer.isReady || !this.isDone) return false;
    return picker.isSeed(peer.handle) || peer.isUploadOnly;
  }
}
