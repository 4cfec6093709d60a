// The connections of a torrent: who is let in, greeted, dialled, kept awake, closed and banned.

import { type Endpoint, endpointKey } from '@bt/endpoint';
import { type Info, toHex } from '@bt/metainfo';
import type { Picker } from '@bt/picker';
import type { PieceBuffers } from '@bt/storage';
import {
  EXTENDED_HANDSHAKE_ID,
  type ExtendedHandshake,
  encodeExtendedHandshake,
  type Handshake,
  WireError,
  WireSession,
} from '@bt/wire';
import { clientName } from '../client-name.ts';
import { Conversation, type ConversationObserver } from '../conversation.ts';
import type { Download } from '../download.ts';
import type { TorrentEvent } from '../events.ts';
import { ownHandshake } from '../extensions.ts';
import type { Holdings } from '../holdings.ts';
import {
  HANDSHAKE_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  MAX_DIALS_PER_SECOND,
  MAX_PEERS_PER_ADDRESS,
  MAX_PEERS_PER_LOCAL_ADDRESS,
  OUTPUT_TIMEOUT_MS,
  USELESS_PEER_MS,
} from '../limits.ts';
import type { Moment } from '../moment.ts';
import {
  type CloseReason,
  type Direction,
  type Identity,
  Peer,
  PeerFault,
  type PeerTransport,
} from '../peer.ts';
import type { SuperSeed } from '../super-seed.ts';
import type { Upload } from '../upload.ts';
import { type Candidates, isLocalAddress } from './candidates.ts';
import { Duplicates } from './duplicates.ts';
import type { Peers } from './peers.ts';
import { Room } from './room.ts';

export interface SwarmOptions {
  readonly moment: Moment;
  readonly info: Info;
  readonly peerId: Uint8Array;
  /** Where we listen; 0: nowhere. */
  readonly listenPort: number;
  readonly maxPeers: number;
  readonly picker: Picker;
  readonly buffers: PieceBuffers;
  readonly holdings: Holdings;
  readonly candidates: Candidates;
  readonly peers: Peers;
  readonly download: Download;
  readonly upload: Upload;
  /** Present where we begin as a seed with a limited upload. */
  readonly superSeed?: SuperSeed | undefined;
  readonly emit: (event: TorrentEvent) => void;
  /** A peer came, went, or changed its mind: upload slots may be given anew. */
  readonly peersChanged: () => void;
}

export interface NewPeer {
  /** Where the other end is; for a connection of ours, what was dialled. */
  readonly endpoint: Endpoint;
  readonly direction: Direction;
  /** What was read already of an accepted connection. */
  readonly handshake?: Handshake | undefined;
}

/** Room is short from this share of it on. */
const CROWDED_SHARE = 0.9;

export class Swarm implements ConversationObserver {
  /** When a peer was last connected that has what we lack. */
  lastUsefulMs: number;
  readonly #options: SwarmOptions;
  readonly #moment: Moment;
  readonly #peers: Peers;
  readonly #room: Room;
  readonly #duplicates: Duplicates;
  readonly #ownPeerId: string;
  readonly #conversations = new Map<Peer, Conversation>();
  #nextId = 1;
  /** Keys of what is being dialled; its candidate may be banned or gone meanwhile. */
  readonly #dialling = new Set<string>();
  #dialSecond = 0;
  #dialsThisSecond = 0;

  constructor(options: SwarmOptions) {
    this.#options = options;
    this.#moment = options.moment;
    this.#peers = options.peers;
    this.#room = new Room(options.maxPeers, options.listenPort !== 0);
    this.#ownPeerId = toHex(options.peerId);
    this.#duplicates = new Duplicates(this.#moment, this.#peers, this.#ownPeerId);
    this.lastUsefulMs = options.moment.now;
  }

  // Coming in.

  /** Takes a connection; undefined when it is not wanted (the caller closes it). */
  add(transport: PeerTransport, added: NewPeer): Peer | undefined {
    const { candidates, picker, buffers, info, peerId } = this.#options;
    const { geometry, infoHash, infoHashV2 } = info;
    const { endpoint, direction, handshake } = added;
    const { now } = this.#moment;
    const candidate = direction === 'out' ? candidates.find(endpoint) : undefined;
    if (direction === 'out') this.#dialling.delete(endpointKey(endpoint));
    const id = handshake === undefined ? undefined : toHex(handshake.peerId);
    if (candidates.isBanned(endpoint, id) || this.#isFull(endpoint, direction)) {
      if (candidate !== undefined) candidates.failed(now, candidate);
      return undefined;
    }
    if (candidate !== undefined) candidates.connected(candidate);
    const session = new WireSession({
      handshake: { infoHash, peerId, features: { fast: true, extended: true } },
      pieces: {
        pieceCount: geometry.pieceCount,
        pieceLength: geometry.pieceLength,
        pieceSize: (pieceIndex) => geometry.paddedPieceSize(pieceIndex),
      },
      ...(infoHashV2 === undefined ? {} : { infoHashV2: infoHashV2.subarray(0, 20) }),
      ...(handshake === undefined ? {} : { remoteHandshake: handshake }),
    });
    session.sendHandshake();
    const peer = new Peer({
      id: this.#nextId,
      now,
      transport,
      session,
      writer: buffers.createWriter(),
      handle: picker.addPeer(),
      endpoint,
      direction,
      source: candidate?.source ?? 'incoming',
      candidate,
      blockLength: geometry.blockLength,
    });
    this.#nextId += 1;
    const { download, upload } = this.#options;
    this.#conversations.set(
      peer,
      new Conversation({ peer, picker, download, upload, torrent: this }),
    );
    this.#peers.add(peer);
    this.#options.peersChanged();
    this.#peers.markDirty(peer);
    if (handshake === undefined) return peer;
    try {
      this.handshakeDone(peer, handshake);
    } catch (error) {
      this.#closeFor(peer, error);
      return undefined;
    }
    return peer;
  }

  /** A dialled connection didn't come about. */
  dialFailed(endpoint: Endpoint): void {
    this.#dialling.delete(endpointKey(endpoint));
    const candidate = this.#options.candidates.find(endpoint);
    if (candidate?.state !== 'dialling') return;
    this.#options.candidates.failed(this.#moment.now, candidate);
  }

  /** Bytes from the peer. Whatever goes wrong in here ends this connection and no other. */
  handleBytes(peer: Peer, chunk: Uint8Array): void {
    if (peer.isClosed) return;
    peer.lastReceivedMs = peer.listeningMs(this.#moment.now);
    const conversation = this.#conversations.get(peer);
    if (conversation === undefined) return;
    try {
      peer.session.handleBytes(chunk, conversation);
    } catch (error) {
      this.#closeFor(peer, error);
      return;
    }
    this.#updateInterest(peer);
    this.#options.download.request(peer);
    this.#options.upload.pump(peer);
    this.#peers.markDirty(peer);
  }

  // What the conversation tells.

  handshakeDone(peer: Peer, handshake: Handshake): void {
    const { candidates, holdings, listenPort, superSeed } = this.#options;
    const id = toHex(handshake.peerId);
    if (id === this.#ownPeerId) {
      if (peer.direction === 'out') candidates.ban(peer.endpoint, undefined);
      throw new PeerFault('own-peer-id');
    }
    if (candidates.isBanned(peer.endpoint, id)) throw new PeerFault('banned');
    peer.identity.peerId = id;
    this.#duplicates.greeted(peer, id, (older) => this.close(older, 'duplicate'));
    peer.client = clientName(handshake.peerId);
    peer.greeted(this.#moment.now);
    const { session } = peer;
    if (session.features.extended) {
      // libtorrent closes a peer that has nothing and says so: a super seed must not.
      const isUploadOnly = holdings.isWhole && superSeed?.isActive !== true;
      const own = { listenPort, isUploadOnly, remote: peer.endpoint };
      session.extended(EXTENDED_HANDSHAKE_ID, encodeExtendedHandshake(ownHandshake(own)));
    }
    if (superSeed?.isActive === true) {
      if (session.features.fast) session.haveNone();
      superSeed.peerAdded(peer);
    } else if (holdings.isWhole && session.features.fast) session.haveAll();
    else if (holdings.count > 0) session.bitfield(holdings.bits);
    else if (session.features.fast) session.haveNone();
    const { address, port } = peer.endpoint;
    const { direction, source, client } = peer;
    this.#options.emit({ type: 'peer', address, port, direction, source, client });
    this.#options.peersChanged();
  }

  extendedHandshake(peer: Peer, handshake: ExtendedHandshake): void {
    const { requestQueue, client, listenPort } = handshake;
    if (requestQueue !== undefined) peer.pipeline.peerLimit = requestQueue;
    if (client !== undefined) peer.client = client;
    if (listenPort !== undefined && peer.direction === 'in') {
      peer.identity.listensAt = { address: peer.endpoint.address, port: listenPort };
    }
    if (handshake.uploadOnly !== undefined) this.uploadOnly(peer, handshake.uploadOnly);
  }

  uploadOnly(peer: Peer, isUploadOnly: boolean): void {
    peer.isUploadOnly = isUploadOnly;
    this.#closeUseless(peer);
  }

  pieceAnnounced(peer: Peer, pieceIndex: number): void {
    this.#options.superSeed?.peerHas(peer, pieceIndex);
    this.#closeUseless(peer);
  }

  piecesDeclared(peer: Peer): void {
    this.#options.superSeed?.peerDeclared(peer);
    this.#closeUseless(peer);
  }

  peerInterestChanged(_peer: Peer): void {
    this.#options.peersChanged();
  }

  // Going out.

  /** The next address to dial now, if there is room. */
  nextDial(): Endpoint | undefined {
    const { now } = this.#moment;
    if (this.nextDialMs() > now) return undefined;
    const candidate = this.#options.candidates.take(now, this.#options.holdings.isDone);
    if (candidate === undefined) return undefined;
    this.#dialling.add(endpointKey(candidate.endpoint));
    this.#dialsThisSecond += 1;
    return candidate.endpoint;
  }

  nextDialMs(): number {
    const { candidates, holdings } = this.#options;
    const { now } = this.#moment;
    const { counts } = this.#peers;
    const expected = { in: counts.in, out: counts.out + this.#dialling.size };
    if (!this.#room.isFor('out', expected)) return Number.POSITIVE_INFINITY;
    const second = Math.floor(now / 1000);
    if (second !== this.#dialSecond) {
      this.#dialSecond = second;
      this.#dialsThisSecond = 0;
    }
    const next = candidates.nextDialMs(holdings.isDone);
    if (this.#dialsThisSecond < MAX_DIALS_PER_SECOND) return next;
    return Math.max(next, (second + 1) * 1000);
  }

  /** About once a second: time limits, keep-alives, requests that have become possible. */
  tick(): void {
    const { now } = this.#moment;
    const { download, holdings } = this.#options;
    for (const peer of this.#peers.snapshot()) {
      peer.checkOutput(now);
      const reason = this.#overdue(peer);
      if (reason !== undefined) {
        this.close(peer, reason);
        continue;
      }
      if (!peer.isReady) continue;
      download.checkTimeouts(peer);
      this.#updateInterest(peer);
      download.request(peer);
      if (peer.session.amInterested) this.lastUsefulMs = now;
      if (now - peer.lastSentMs >= KEEP_ALIVE_MS) {
        peer.session.keepAlive();
        this.#peers.markDirty(peer);
      }
    }
    if (holdings.isDone) this.lastUsefulMs = now;
    this.#options.superSeed?.update();
  }

  /** Pieces have come or the selection has changed: what we want of whom may have changed too. */
  updateInterests(): void {
    for (const peer of this.#peers.snapshot()) {
      if (!peer.isReady) continue;
      this.#updateInterest(peer);
      this.#closeIfUseless(peer);
    }
  }

  /** Asks every peer for what it may be asked. */
  requestAll(): void {
    for (const peer of this.#peers) this.#options.download.request(peer);
  }

  close(peer: Peer, reason: CloseReason, message?: string): void {
    if (peer.isClosed) return;
    const { candidates, download } = this.#options;
    const { now } = this.#moment;
    peer.flush(now);
    peer.isClosed = true;
    this.#conversations.delete(peer);
    this.#peers.remove(peer);
    download.peerGone(peer);
    this.#options.superSeed?.peerGone(peer);
    peer.uploads.clear();
    peer.transport.close();
    const { candidate } = peer;
    if (candidate !== undefined) {
      candidate.isSeed ||= reason === 'both-seeds';
      const twin = this.#duplicates.twinOf(peer);
      const wasUseful = peer.down.totalBytes > 0 || peer.up.totalBytes > 0;
      if (twin !== undefined && twin.candidate === undefined) twin.candidate = candidate;
      else if (peer.isReady && wasUseful) candidates.disconnected(now, candidate);
      else candidates.failed(now, candidate);
    }
    const { address, port } = peer.endpoint;
    this.#options.emit({ type: 'peer-closed', address, port, reason, message });
    this.#options.peersChanged();
  }

  closeAll(): void {
    for (const peer of this.#peers.snapshot()) this.close(peer, 'stopped');
  }

  /**
   * It sent wrong data, beyond doubt: it and its other connections are closed, and it is never dialled again. Its peer id
   * counts at its own address only: it may have taken an honest peer's.
   */
  ban(identity: Identity): void {
    if (identity.isBanned) return;
    identity.isBanned = true;
    const endpoint = identity.listensAt ?? identity.endpoint;
    this.#options.candidates.ban(endpoint, identity.peerId);
    const { address, port } = endpoint;
    this.#options.emit({ type: 'peer-banned', address, port, reason: 'bad-data' });
    for (const peer of this.#peers.snapshot()) {
      const isSame =
        identity.peerId !== undefined &&
        peer.identity.peerId === identity.peerId &&
        peer.endpoint.address === address;
      if (peer.identity === identity || isSame) this.close(peer, 'banned');
    }
  }

  #closeFor(peer: Peer, error: unknown): void {
    if (error instanceof PeerFault) {
      this.close(peer, error.reason);
    } else if (error instanceof WireError && error.fault === 'remote') {
      this.close(
        peer,
        error.code === 'wrong-info-hash' ? 'wrong-torrent' : 'protocol-error',
        error.message,
      );
    } else {
      this.close(peer, 'internal-error', error instanceof Error ? error.message : String(error));
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.emit({
        type: 'warning',
        message: `internal error, one peer closed: ${message}`,
      });
    }
  }

  #isFull({ address }: Endpoint, direction: Direction): boolean {
    const limit = isLocalAddress(address) ? MAX_PEERS_PER_LOCAL_ADDRESS : MAX_PEERS_PER_ADDRESS;
    const isRoom = this.#room.isFor(direction, this.#peers.counts);
    return !isRoom || this.#peers.countFrom(address) >= limit;
  }

  #updateInterest(peer: Peer): void {
    if (peer.isClosed || !peer.isReady) return;
    const { picker, holdings } = this.#options;
    const { session } = peer;
    const isInteresting = picker.isInteresting(peer.handle);
    if (isInteresting) this.lastUsefulMs = this.#moment.now;
    if (isInteresting !== session.amInterested) {
      if (isInteresting) session.interested();
      else session.notInterested();
      this.#peers.markDirty(peer);
      this.#options.peersChanged();
    }
    const isUseful = isInteresting || session.peerInterested;
    if (isUseful) peer.uselessSinceMs = this.#moment.now;
    if (holdings.isDone && peer.candidate !== undefined) {
      peer.candidate.isSeed = picker.isSeed(peer.handle);
    }
  }

  /** From inside a message: neither side has anything for the other. */
  #closeUseless(peer: Peer): void {
    if (this.#isUseless(peer)) throw new PeerFault('both-seeds');
  }

  #closeIfUseless(peer: Peer): void {
    if (this.#isUseless(peer)) this.close(peer, 'both-seeds');
  }

  /** It wants nothing (it has everything, or says so), and we want nothing. */
  #isUseless(peer: Peer): boolean {
    const { picker, holdings } = this.#options;
    if (!peer.isReady || !holdings.isDone) return false;
    return picker.isSeed(peer.handle) || peer.isUploadOnly;
  }

  #overdue(peer: Peer): CloseReason | undefined {
    const { now } = this.#moment;
    if (!peer.isReady) {
      return now - peer.connectedMs >= HANDSHAKE_TIMEOUT_MS ? 'handshake-timeout' : undefined;
    }
    if (now - (peer.overfullSinceMs ?? now) >= OUTPUT_TIMEOUT_MS) return 'not-reading';
    if (peer.listeningMs(now) - peer.lastReceivedMs >= IDLE_TIMEOUT_MS) return 'idle';
    if (this.#duplicates.isOverdue(peer)) return 'duplicate';
    // Room for others is made only where it is short.
    const isCrowded = this.#room.share(peer.direction, this.#peers.counts) >= CROWDED_SHARE;
    if (isCrowded && now - peer.uselessSinceMs >= USELESS_PEER_MS) return 'useless';
    return undefined;
  }
}
