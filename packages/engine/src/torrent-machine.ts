// What every machine of a torrent does, whether its pieces are known or only its magnet link: its presence in the swarm. A machine
// without I/O: time, bytes and results come in through the `handle...` calls, what is to be done comes out of `poll()`, and
// `deadline()` says when to call `handleTimeout`.
//
// The contract: after every call drain `poll()` before the next one. Calls come one at a time, with a clock that doesn't
// run backwards.

import type { Endpoint } from '@bt/endpoint';
import type { AnnounceFailure, AnnounceResponse } from '@bt/tracker';
import type { Peer, PeerTransport } from './peer.ts';
import type { Presence } from './presence.ts';
import type { PeerSource } from './swarm/peer-source.ts';
import type { NewPeer } from './swarm/swarm.ts';
import type { TorrentEffect } from './torrent-options.ts';

const TICK_MS = 1_000;

export abstract class TorrentMachine {
  /** For the machine that follows. */
  readonly presence: Presence;
  protected isStopped = false;
  #nextTickMs: number;

  constructor(presence: Presence, now: number) {
    this.presence = presence;
    this.#nextTickMs = now + TICK_MS;
    presence.moment.now = now;
  }

  /** After `stop`: every tracker has answered or failed. */
  get isSettled(): boolean {
    return this.isStopped && this.presence.announcing.isStopped;
  }

  get peers(): Iterable<Peer> {
    return this.presence.peers;
  }

  /** A connection: one that was dialled, or one that was accepted and has sent its handshake. */
  addPeer(now: number, transport: PeerTransport, peer: NewPeer): Peer | undefined {
    this.presence.moment.now = now;
    if (this.isStopped) return undefined;
    const added = this.presence.swarm.add(transport, peer);
    if (added !== undefined) this.admit(added);
    this.settle();
    return added;
  }

  handleBytes(now: number, peer: Peer, chunk: Uint8Array): void {
    this.presence.moment.now = now;
    this.charge(chunk.length);
    this.presence.swarm.handleBytes(peer, chunk);
    this.settle();
  }

  /** The peer's transport has passed everything on. */
  handleWritable(now: number, peer: Peer): void {
    this.presence.moment.now = now;
    if (peer.isClosed) return;
    peer.checkOutput(now);
    this.pump(peer);
    this.settle();
  }

  handleClosed(now: number, peer: Peer, error?: string): void {
    this.presence.moment.now = now;
    const reason = error === undefined ? 'remote-closed' : 'connection-error';
    this.presence.swarm.close(peer, reason, error);
    this.settle();
  }

  handleDialFailed(now: number, endpoint: Endpoint, message = 'not reached'): void {
    this.presence.moment.now = now;
    this.presence.swarm.dialFailed(endpoint, message);
    this.settle();
  }

  /** Addresses of possible peers: see `Presence.addCandidates`. */
  handleCandidates(
    now: number,
    endpoints: readonly Endpoint[],
    source: PeerSource,
    tellerIsLoopback: boolean,
    infoHash?: Uint8Array,
  ): void {
    this.presence.moment.now = now;
    this.presence.addCandidates(endpoints, source, tellerIsLoopback, infoHash);
    this.settle();
  }

  /** The lookup that a `dht-lookup` effect asked for has ended; the peers that it found came by `handleCandidates`. */
  handleLookupEnded(now: number, hasFailed = false): void {
    this.presence.moment.now = now;
    this.presence.discovery.lookupEnded(now, hasFailed);
    this.settle();
  }

  handleAnnounced(now: number, requestId: number, url: string, response: AnnounceResponse): void {
    this.presence.moment.now = now;
    this.presence.announced(requestId, url, response);
    this.settle();
  }

  handleAnnounceFailed(
    now: number,
    requestId: number,
    url: string,
    failure: AnnounceFailure,
  ): void {
    this.presence.moment.now = now;
    this.presence.announceFailed(requestId, url, failure);
    this.settle();
  }

  handleTimeout(now: number): void {
    this.presence.moment.now = now;
    if (now >= this.#nextTickMs) {
      this.#nextTickMs = now + TICK_MS;
      this.presence.swarm.tick();
    }
    this.presence.handleTimeout();
    this.timePassed();
    this.settle();
  }

  deadline(): number {
    if (this.isStopped) return Number.POSITIVE_INFINITY;
    const tickMs = this.presence.peers.size > 0 ? this.#nextTickMs : Number.POSITIVE_INFINITY;
    return Math.min(tickMs, this.presence.deadline(), this.ownDeadline());
  }

  /** The next thing to do, until there is none. */
  poll(): TorrentEffect | undefined {
    return this.presence.poll();
  }

  // What is each machine's own.

  /** Bytes have come, which count against the download limit. */
  protected abstract charge(lengthBytes: number): void;

  /** What has to happen at the end of every call. */
  protected abstract settle(): void;

  /** A connection is a peer now. */
  protected admit(_peer: Peer): void {}

  /** There is room for what waits for this peer. */
  protected pump(peer: Peer): void {
    this.presence.metadata.pump(peer);
  }

  /** `handleTimeout` was called. */
  protected timePassed(): void {}

  /** When `timePassed` has something to do. */
  protected ownDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }
}
