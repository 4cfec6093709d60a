// What a peer's messages do: the one place where the wire meets the parts of a torrent. One object for each connection;
// the wire calls it directly, with numbers and with views that are valid only during the call.

import type { Picker } from '@bt/picker';
import type { Handshake, HashRequest, WireHandler } from '@bt/wire';
import type { Download } from './download.ts';
import type { Peer } from './peer.ts';
import type { GreetingObserver } from './swarm/exchange.ts';
import type { Upload } from './upload.ts';

export interface ConversationOptions {
  readonly peer: Peer;
  readonly picker: Picker;
  readonly download: Download;
  readonly upload: Upload;
  readonly swarm: GreetingObserver;
  readonly exchange: ConversationObserver;
  readonly hashes: HashObserver;
}

/** Messages of BEP 52. */
export interface HashObserver {
  requested(peer: Peer, request: HashRequest): void;
  /** The answer to a request of ours; without hashes it is a refusal. */
  answered(peer: Peer, request: HashRequest, hashes: Uint8Array | undefined): void;
}

/** What the exchange of pieces is told beyond the way of blocks. */
export interface ConversationObserver {
  /** The peer has one more piece. */
  pieceAnnounced(peer: Peer, pieceIndex: number): void;
  /** The peer has told all that it has. */
  piecesDeclared(peer: Peer): void;
  /** Whether the peer wants something of ours changed. */
  peerInterestChanged(peer: Peer): void;
}

export class Conversation implements WireHandler {
  readonly #peer: Peer;
  readonly #picker: Picker;
  readonly #download: Download;
  readonly #upload: Upload;
  readonly #swarm: GreetingObserver;
  readonly #exchange: ConversationObserver;
  readonly #hashes: HashObserver;

  constructor(options: ConversationOptions) {
    this.#peer = options.peer;
    this.#picker = options.picker;
    this.#download = options.download;
    this.#upload = options.upload;
    this.#swarm = options.swarm;
    this.#exchange = options.exchange;
    this.#hashes = options.hashes;
  }

  onHandshake(handshake: Handshake): void {
    this.#swarm.handshakeDone(this.#peer, handshake);
  }

  // What it has.

  onHave(pieceIndex: number): void {
    this.#picker.peerHave(this.#peer.handle, pieceIndex);
    this.#exchange.pieceAnnounced(this.#peer, pieceIndex);
  }

  onBitfield(bits: Uint8Array): void {
    this.#picker.peerBitfield(this.#peer.handle, bits);
    this.#exchange.piecesDeclared(this.#peer);
  }

  onHaveAll(): void {
    this.#picker.peerHaveAll(this.#peer.handle);
    this.#exchange.piecesDeclared(this.#peer);
  }

  onHaveNone(): void {
    this.#picker.peerHaveNone(this.#peer.handle);
    this.#exchange.piecesDeclared(this.#peer);
  }

  // What we get from it.

  onChoke(): void {
    this.#download.choked(this.#peer);
  }

  onUnchoke(): void {
    this.#download.unchoked(this.#peer);
  }

  onReject(pieceIndex: number, blockOffset: number): void {
    this.#download.rejected(this.#peer, pieceIndex, blockOffset);
  }

  onAllowedFast(pieceIndex: number): void {
    this.#picker.peerAllowedFast(this.#peer.handle, pieceIndex);
  }

  onBlockStart(pieceIndex: number, blockOffset: number, lengthBytes: number): boolean {
    return this.#download.blockStart(this.#peer, pieceIndex, blockOffset, lengthBytes);
  }

  onBlockData(chunk: Uint8Array, start: number, end: number, offsetInBlock: number): void {
    this.#peer.writer.write(chunk, start, end, offsetInBlock);
  }

  onBlockEnd(): void {
    this.#download.blockEnd(this.#peer);
  }

  // What it gets from us.

  onInterested(): void {
    this.#exchange.peerInterestChanged(this.#peer);
  }

  onNotInterested(): void {
    this.#exchange.peerInterestChanged(this.#peer);
  }

  onRequest(pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    this.#upload.requested(this.#peer, pieceIndex, blockOffset, lengthBytes);
  }

  onCancel(pieceIndex: number, blockOffset: number, lengthBytes: number): void {
    this.#upload.cancelled(this.#peer, pieceIndex, blockOffset, lengthBytes);
  }

  // Hashes (BEP 52).

  onHashRequest(request: HashRequest): void {
    this.#hashes.requested(this.#peer, request);
  }

  onHashes(request: HashRequest, hashes: Uint8Array): void {
    this.#hashes.answered(this.#peer, request, hashes);
  }

  onHashReject(request: HashRequest): void {
    this.#hashes.answered(this.#peer, request, undefined);
  }

  // Extensions (BEP 5 and 10).

  onPort(port: number): void {
    this.#swarm.nodeTold(this.#peer, port);
  }

  onExtended(extendedId: number, payload: Uint8Array): void {
    this.#swarm.extended(this.#peer, extendedId, payload);
  }
}
