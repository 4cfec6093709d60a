// The connections of a torrent: who is let in, greeted, dialled, kept awake, closed and banned. What they are for is the
// exchange's (exchange.ts).

import { type Endpoint, endpointKey, isPublic, networkOf } from '@bt/endpoint';
import { toHex } from '@bt/metainfo';
import {
  decodeExtendedHandshake,
  decodeMetadataMessage,
  decodeUploadOnly,
  EarlyRoom,
  EXTENDED_HANDSHAKE_ID,
  encodeExtendedHandshake,
  type Handshake,
  WireError,
  type WireHandler,
  WireSession,
} from '@bt/wire';
import { clientName } from '../client-name.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { ExternalAddress } from '../discovery/external-address.ts';
import type { BanReason, TorrentEvent } from '../events.ts';
import { EXTENDED_ID, ownHandshake } from '../extensions.ts';
import {
  HANDSHAKE_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  MAX_DIALS_PER_SECOND,
  MAX_EARLY_BYTES,
  MAX_PEERS_PER_ADDRESS,
  MAX_PEERS_PER_LOCAL_ADDRESS,
} from '../limits.ts';
import type { MetadataUpload } from '../metadata/metadata-upload.ts';
import type { Moment } from '../moment.ts';
import {
  type CloseReason,
  type Direction,
  type Identity,
  Peer,
  PeerFault,
  type PeerTransport,
} from '../peer.ts';
import { type Candidates, isLocalAddress, type Priorities } from './candidates.ts';
import { displacedBy } from './displacement.ts';
import { Duplicates } from './duplicates.ts';
import type { Exchange, GreetingObserver } from './exchange.ts';
import { greeting, type InfoHashes, isSameHash } from './greeting.ts';
import type { Peers } from './peers.ts';
import { Room } from './room.ts';

export interface SwarmOptions {
  readonly moment: Moment;
  readonly hashes: InfoHashes;
  readonly peerId: Uint8Array;
  /** Where we listen; 0: nowhere. */
  readonly listenPort: number;
  readonly external: ExternalAddress;
  readonly maxPeers: number;
  /** How much is taken of the room that all torrents of the session share. */
  readonly sessionShare: ((direction: Direction) => number) | undefined;
  readonly candidates: Candidates;
  readonly discovery: Discovery;
  /** BEP 40. */
  readonly priorities: Priorities;
  readonly peers: Peers;
  readonly metadata: MetadataUpload;
  readonly emit: (event: TorrentEvent) => void;
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

export class Swarm implements GreetingObserver {
  #hashes: InfoHashes;
  readonly #options: SwarmOptions;
  readonly #moment: Moment;
  readonly #peers: Peers;
  readonly #room: Room;
  readonly #duplicates: Duplicates;
  readonly #ownPeerId: string;
  readonly #handlers = new Map<Peer, WireHandler>();
  readonly #earlyRoom = new EarlyRoom(MAX_EARLY_BYTES);
  #exchange!: Exchange;
  #nextId = 1;
  /** Keys of what is being dialled; its candidate may be banned or gone meanwhile. */
  readonly #dialling = new Set<string>();
  #dialSecond = 0;
  #dialsThisSecond = 0;

  constructor(options: SwarmOptions) {
    this.#hashes = options.hashes;
    this.#options = options;
    this.#moment = options.moment;
    this.#peers = options.peers;
    this.#room = new Room(options.maxPeers, options.listenPort !== 0);
    this.#ownPeerId = toHex(options.peerId);
    this.#duplicates = new Duplicates(this.#moment, this.#peers, this.#ownPeerId);
  }

  /**
   * What the connections are for from now on, those that there are included. To be called before anything else, and again
   * when the info dictionary has come.
   */
  use(exchange: Exchange): void {
    this.#exchange = exchange;
    for (const peer of this.#peers.snapshot()) {
      this.#guard(peer, () => {
        const handler = exchange.admit(peer);
        this.#handlers.set(peer, handler);
        if (exchange.pieces !== undefined) peer.session.setPieces(exchange.pieces, handler);
        if (!peer.isReady) return;
        this.#greet(peer);
        exchange.attend(peer);
      });
    }
  }

  /** Nothing is wanted any more: seeds are of no use. */
  get isDone(): boolean {
    return this.#exchange.isDone;
  }

  /**
   * What handshakes name from now on: a magnet link may have told one info-hash of two. Connections that we have opened to
   * peers who offer v2 are opened anew, since one under v1 can't carry hashes (BEP 52).
   */
  rename(hashes: InfoHashes): void {
    const hadV2 = this.#hashes.infoHashV2 !== undefined;
    this.#hashes = hashes;
    if (hadV2 || hashes.infoHashV2 === undefined) return;
    for (const peer of this.#peers.snapshot()) {
      const offersV2 = peer.session.remoteHandshake?.features.v2 === true;
      if (peer.direction === 'out' && peer.isReady && offersV2) this.close(peer, 'upgraded');
    }
  }

  /** Of a hybrid torrent: the info-hash is that of the v2 swarm, whose peers may know no other (BEP 52). */
  isV2Swarm(infoHash: Uint8Array | undefined): boolean {
    return infoHash !== undefined && this.#isHybrid && !isSameHash(infoHash, this.#hashes.infoHash);
  }

  // Coming in.

  /** Takes a connection; undefined when it is not wanted (the caller closes it). */
  add(transport: PeerTransport, added: NewPeer): Peer | undefined {
    const { candidates, discovery, peerId } = this.#options;
    const hashes = this.#hashes;
    const { pieces } = this.#exchange;
    const { endpoint, direction, handshake } = added;
    const { now } = this.#moment;
    const candidate = direction === 'out' ? candidates.find(endpoint) : undefined;
    if (direction === 'out') {
      this.#dialling.delete(endpointKey(endpoint));
      // It has been forgotten meanwhile: the torrent turned out to be private (BEP 27).
      if (candidate === undefined) return undefined;
    }
    const id = handshake === undefined ? undefined : toHex(handshake.peerId);
    if (candidates.isBanned(endpoint, id) || !this.#makeRoom(endpoint, direction)) {
      if (candidate !== undefined) candidates.failed(now, candidate);
      return undefined;
    }
    if (candidate !== undefined) candidates.connected(candidate);
    const session = new WireSession({
      handshake: greeting({
        hashes,
        peerId,
        remote: handshake,
        isV2Dialled: candidate?.isV2,
        hasDht: discovery.hasDht,
      }),
      ...(pieces === undefined ? { earlyRoom: this.#earlyRoom } : { pieces }),
      ...(hashes.infoHashV2 && { infoHashV2: hashes.infoHashV2.subarray(0, 20) }),
      ...(handshake === undefined ? {} : { remoteHandshake: handshake }),
    });
    session.sendHandshake();
    const peer = new Peer({
      id: this.#nextId,
      now,
      transport,
      session,
      endpoint,
      direction,
      source: candidate?.source ?? 'incoming',
      candidate,
    });
    this.#nextId += 1;
    this.#peers.add(peer);
    this.#handlers.set(peer, this.#exchange.admit(peer));
    this.#peers.markDirty(peer);
    if (handshake === undefined) return peer;
    this.#guard(peer, () => this.handshakeDone(peer, handshake));
    return peer.isClosed ? undefined : peer;
  }

  /** A dialled connection didn't come about. */
  dialFailed(endpoint: Endpoint, message: string): void {
    this.#dialling.delete(endpointKey(endpoint));
    const { candidates, emit } = this.#options;
    const candidate = candidates.find(endpoint);
    if (candidate?.state !== 'dialling') return;
    candidates.failed(this.#moment.now, candidate);
    const { source, failures } = candidate;
    if (source !== 'user' || !isPowerOfTwo(failures)) return;
    const { address, port } = endpoint;
    emit({ type: 'peer-unreachable', address, port, message });
  }

  /** Bytes from the peer. Whatever goes wrong in here ends this connection and no other. */
  handleBytes(peer: Peer, chunk: Uint8Array): void {
    if (peer.isClosed) return;
    peer.lastReceivedMs = peer.listeningMs(this.#moment.now);
    const handler = this.#handlers.get(peer);
    if (handler === undefined) return;
    this.#guard(peer, () => {
      peer.session.handleBytes(chunk, handler);
      if (peer.isClosed) return;
      this.#exchange.attend(peer);
      this.#peers.markDirty(peer);
    });
  }

  // What the peer says.

  handshakeDone(peer: Peer, handshake: Handshake): void {
    const { candidates } = this.#options;
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
    this.#greet(peer);
    this.#options.discovery.greeted(peer);
    const { address, port } = peer.endpoint;
    const { direction, source, client } = peer;
    this.#options.emit({ type: 'peer', address, port, direction, source, client });
  }

  /** A message of the extension protocol (BEP 10), by our id. */
  extended(peer: Peer, extendedId: number, payload: Uint8Array): void {
    if (extendedId === EXTENDED_HANDSHAKE_ID) {
      this.#extendedHandshake(peer, payload);
    } else if (extendedId === EXTENDED_ID.pex) {
      this.#options.discovery.exchange?.received(peer, payload);
    } else if (extendedId === EXTENDED_ID.metadata) {
      const message = decodeMetadataMessage(payload);
      if (message?.type === 'request') this.#options.metadata.requested(peer, message.pieceIndex);
      else if (message !== undefined) this.#exchange.metadataAnswered(peer, message);
    } else if (extendedId === EXTENDED_ID.uploadOnly) {
      const isUploadOnly = decodeUploadOnly(payload);
      if (isUploadOnly !== undefined) this.#setUploadOnly(peer, isUploadOnly);
    }
  }

  /** The port of its DHT node (BEP 5). */
  nodeTold(peer: Peer, port: number): void {
    this.#options.discovery.nodeTold(peer, port);
  }

  // Going out.

  /** The next address to dial now, if there is room. */
  nextDial(): Endpoint | undefined {
    const { now } = this.#moment;
    if (this.nextDialMs() > now) return undefined;
    const candidate = this.#options.candidates.take(now, this.isDone);
    if (candidate === undefined) return undefined;
    this.#dialling.add(endpointKey(candidate.endpoint));
    this.#dialsThisSecond += 1;
    return candidate.endpoint;
  }

  nextDialMs(): number {
    const { candidates } = this.#options;
    const { now } = this.#moment;
    const { counts } = this.#peers;
    const expected = { in: counts.in, out: counts.out + this.#dialling.size };
    if (!this.#room.isFor('out', expected)) return Number.POSITIVE_INFINITY;
    const second = Math.floor(now / 1000);
    if (second !== this.#dialSecond) {
      this.#dialSecond = second;
      this.#dialsThisSecond = 0;
    }
    const next = candidates.nextDialMs(this.isDone);
    if (this.#dialsThisSecond < MAX_DIALS_PER_SECOND) return next;
    return Math.max(next, (second + 1) * 1000);
  }

  /** About once a second: time limits, keep-alives, and what the exchange does by time. */
  tick(): void {
    for (const peer of this.#peers.snapshot()) this.#guard(peer, () => this.#watch(peer));
    try {
      this.#exchange.tick();
      this.#options.discovery.tick();
    } catch (error) {
      this.#warnOf(error, 'nothing closed');
    }
  }

  #watch(peer: Peer): void {
    const { now } = this.#moment;
    if (peer.isClosed) return;
    peer.checkOutput(now);
    const reason = this.#overdue(peer);
    if (reason !== undefined) this.close(peer, reason);
    if (peer.isClosed || !peer.isReady) return;
    if (now - peer.lastSentMs >= KEEP_ALIVE_MS) {
      peer.session.keepAlive();
      this.#peers.markDirty(peer);
    }
    this.#exchange.watch(peer);
  }

  close(peer: Peer, reason: CloseReason, message?: string): void {
    if (peer.isClosed) return;
    const { candidates, discovery } = this.#options;
    const { now } = this.#moment;
    peer.flush(now);
    peer.session.close();
    peer.isClosed = true;
    this.#handlers.delete(peer);
    this.#peers.remove(peer);
    this.#exchange.leave(peer);
    discovery.leave(peer);
    this.#options.metadata.peerGone(peer);
    peer.transport.close();
    const { candidate } = peer;
    if (candidate !== undefined) {
      candidate.isSeed ||= reason === 'both-seeds';
      // It may know the torrent by its other info-hash alone.
      if (!peer.isReady && this.#isHybrid) candidate.isV2 = !candidate.isV2;
      const twin = this.#duplicates.twinOf(peer);
      const wasUseful = peer.down.totalBytes > 0 || peer.up.totalBytes > 0;
      if (twin !== undefined && twin.candidate === undefined) twin.candidate = candidate;
      else if (reason === 'upgraded') candidates.redial(now, candidate);
      else if (peer.isReady && wasUseful) candidates.disconnected(now, candidate);
      else candidates.failed(now, candidate);
    }
    const { address, port } = peer.endpoint;
    this.#options.emit({ type: 'peer-closed', address, port, reason, message });
  }

  closeAll(): void {
    for (const peer of this.#peers.snapshot()) this.close(peer, 'stopped');
  }

  /**
   * It sent wrong data, beyond doubt: it and its other connections are closed, and it is never dialled again. Its peer id
   * counts at its own address only: it may have taken an honest peer's.
   */
  ban(identity: Identity, reason: BanReason = 'bad-data'): void {
    if (identity.isBanned) return;
    identity.isBanned = true;
    const endpoint = identity.listensAt ?? identity.endpoint;
    this.#options.candidates.ban(endpoint, identity.peerId);
    const { address, port } = endpoint;
    this.#options.emit({ type: 'peer-banned', address, port, reason });
    for (const peer of this.#peers.snapshot()) {
      const isSame =
        identity.peerId !== undefined &&
        peer.identity.peerId === identity.peerId &&
        networkOf(peer.endpoint.address) === networkOf(address);
      if (peer.identity === identity || isSame) this.close(peer, 'banned');
    }
  }

  get #isHybrid(): boolean {
    const { infoHash, infoHashV2 } = this.#hashes;
    return infoHashV2 !== undefined && !isSameHash(infoHash, infoHashV2);
  }

  /** What we say first: our extended handshake, then what the exchange has to say. */
  #greet(peer: Peer): void {
    const { session } = peer;
    if (session.features.extended) {
      const { listenPort, external, discovery, metadata } = this.#options;
      const { isUploadOnly } = this.#exchange;
      const hasPeerExchange = discovery.exchange !== undefined;
      const metadataLength = metadata.infoBytes?.length;
      const remote = peer.endpoint;
      const own = ownHandshake({
        // Neighbours reach us without the gateway.
        listenPort: isPublic(remote.address) ? external.portOf(listenPort) : listenPort,
        isUploadOnly,
        hasPeerExchange,
        metadataLength,
        remote,
      });
      session.extended(EXTENDED_HANDSHAKE_ID, encodeExtendedHandshake(own));
    }
    this.#exchange.greet(peer);
    this.#peers.markDirty(peer);
  }

  #extendedHandshake(peer: Peer, payload: Uint8Array): void {
    const handshake = decodeExtendedHandshake(payload);
    const { requestQueue, client, listenPort, uploadOnly } = handshake;
    peer.extensions.apply(handshake);
    this.#options.discovery.extendedHandshake(peer, handshake);
    if (requestQueue !== undefined) peer.pipeline.peerLimit = requestQueue;
    if (client !== undefined) peer.client = client;
    if (listenPort !== undefined && peer.direction === 'in') {
      const listensAt = { address: peer.endpoint.address, port: listenPort };
      peer.identity.listensAt = listensAt;
      peer.candidate ??= this.#options.candidates.adopt(this.#moment.now, listensAt);
    }
    if (uploadOnly !== undefined) this.#setUploadOnly(peer, uploadOnly);
    this.#exchange.extendedHandshake(peer, handshake);
  }

  #setUploadOnly(peer: Peer, isUploadOnly: boolean): void {
    peer.isUploadOnly = isUploadOnly;
    this.#exchange.uploadOnlyChanged(peer);
  }

  /** Does what a peer has brought about. Whatever goes wrong in it ends this connection and no other. */
  #guard(peer: Peer, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#closeFor(peer, error);
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
      this.#warnOf(error, 'one peer closed');
    }
  }

  #warnOf(error: unknown, consequence: string): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.emit({ type: 'warning', message: `internal error, ${consequence}: ${message}` });
  }

  /** Whether one more may come in; it may displace another one (BEP 40). */
  #makeRoom(endpoint: Endpoint, direction: Direction): boolean {
    const { address } = endpoint;
    const limit = isLocalAddress(address) ? MAX_PEERS_PER_LOCAL_ADDRESS : MAX_PEERS_PER_ADDRESS;
    if (this.#peers.countFrom(networkOf(address)) >= limit) return false;
    if (this.#room.isFor(direction, this.#peers.counts)) return true;
    if (direction === 'out') return false;
    const { priorities } = this.#options;
    const displaced = displacedBy(endpoint, this.#peers, priorities, this.#moment.now);
    if (displaced === undefined) return false;
    this.close(displaced, 'displaced');
    return true;
  }

  #overdue(peer: Peer): CloseReason | undefined {
    const { now } = this.#moment;
    if (!peer.isReady) {
      return now - peer.connectedMs >= HANDSHAKE_TIMEOUT_MS ? 'handshake-timeout' : undefined;
    }
    if (peer.isDeaf(now)) return 'not-reading';
    if (peer.listeningMs(now) - peer.lastReceivedMs >= IDLE_TIMEOUT_MS) return 'idle';
    if (this.#duplicates.isOverdue(peer)) return 'duplicate';
    // Room for others is made only where it is short.
    return peer.isUseless(now) && this.#isCrowded(peer.direction) ? 'useless' : undefined;
  }

  #isCrowded(direction: Direction): boolean {
    const ownShare = this.#room.share(direction, this.#peers.counts);
    const sessionShare = this.#options.sessionShare?.(direction) ?? 0;
    return Math.max(ownShare, sessionShare) >= CROWDED_SHARE;
  }
}

function isPowerOfTwo(count: number): boolean {
  return Number.isInteger(Math.log2(count));
}
