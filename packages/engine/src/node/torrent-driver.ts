// Drives the machine of one torrent on real sockets: every call into it goes through `act`, which then carries out what it wants,
// and sets the timer to its deadline. The machine may be followed by another one, which has the same peers.

import type { Endpoint } from '@bt/endpoint';
import type { StorageError } from '@bt/storage';
import type { TorrentEvent } from '../events.ts';
import type { MagnetTorrent } from '../magnet-torrent.ts';
import type { Peer } from '../peer.ts';
import type { Reader } from '../readers.ts';
import type { PeerSource } from '../swarm/peer-source.ts';
import type { NewPeer } from '../swarm/swarm.ts';
import { Torrent } from '../torrent.ts';
import type { TorrentEffect } from '../torrent-options.ts';
import type { PeerSocket } from './peer-socket.ts';
import type { SessionParts } from './session-parts.ts';
import { clockNow, Wakeup } from './timer.ts';
import { TrackerCalls } from './tracker-calls.ts';
import { WebSeedRequests } from './web-seed-requests.ts';

export type Machine = MagnetTorrent | Torrent;

/** Who is told what is no matter of sockets. */
export interface DriverOwner {
  heard(event: TorrentEvent): void;
  chunkRead(reader: Reader, bytes: Uint8Array | undefined, error: StorageError | undefined): void;
  metadataCame(infoBytes: Uint8Array<ArrayBuffer>): void;
  /** It is to be stopped. */
  failed(error: Error): void;
  /** The info-hashes of the torrent, as far as they are known, 20 bytes each. */
  infoHashes(): readonly Uint8Array[];
}

export class TorrentDriver {
  readonly #session: SessionParts;
  readonly #owner: DriverOwner;
  readonly #wakeup: Wakeup;
  readonly #trackers: TrackerCalls;
  readonly #webSeeds: WebSeedRequests;
  /** Of the DHT lookup that is under way. */
  #lookup: AbortController | undefined;
  #machine: Machine | undefined;

  constructor(session: SessionParts, owner: DriverOwner) {
    this.#session = session;
    this.#owner = owner;
    this.#wakeup = new Wakeup(() => this.act((machine, now) => machine.handleTimeout(now)));
    this.#trackers = new TrackerCalls(session.bindAddress);
    const { bindAddress: localAddress, connections } = session;
    this.#webSeeds = new WebSeedRequests(
      { localAddress, connections },
      {
        answered: (id, answer) =>
          this.actOn((torrent, now) => torrent.handleWebAnswer(now, id, answer)),
        received: (id, chunk) =>
          this.actOn((torrent, now) => torrent.handleWebBytes(now, id, chunk)),
        ended: (id, failure) =>
          this.actOn((torrent, now) => torrent.handleWebEnd(now, id, failure)),
      },
    );
  }

  get machine(): Machine | undefined {
    return this.#machine;
  }

  /** The machine, if it has pieces. */
  get torrent(): Torrent | undefined {
    return this.#machine instanceof Torrent ? this.#machine : undefined;
  }

  /** Begins with a machine, or goes on with the one that has taken over from the last. */
  start(machine: Machine): void {
    this.#machine = machine;
    this.act((started, now) => started.start(now));
  }

  /** Says goodbye to trackers, for three seconds at most; what the machine says meanwhile is carried out. */
  async stop(): Promise<void> {
    this.act((machine, now) => machine.stop(now));
    this.#lookup?.abort();
    this.#webSeeds.close();
    await this.#trackers.close();
  }

  /** After `stop`: nothing is called any more. */
  close(): void {
    this.#wakeup.clear();
    this.#machine = undefined;
  }

  /** Calls the machine, carries out its effects, and sets the timer to its deadline. */
  act(call: (machine: Machine, now: number) => void): void {
    const machine = this.#machine;
    if (machine === undefined) return;
    call(machine, clockNow());
    for (;;) {
      const effect = machine.poll();
      if (effect === undefined) break;
      this.#carryOut(effect);
    }
    this.#wakeup.set(machine.deadline());
  }

  /** The same where there are pieces; nothing happens where there are none yet. */
  actOn(call: (torrent: Torrent, now: number) => void): void {
    const { torrent } = this;
    if (torrent !== undefined) this.act((_, now) => call(torrent, now));
  }

  // Peers.

  /** A connection, dialled or accepted; undefined when it isn't wanted. */
  addPeerConnection(transport: PeerSocket, added: NewPeer): Peer | undefined {
    let peer: Peer | undefined;
    this.act((machine, now) => {
      peer = machine.addPeer(now, transport, added);
    });
    return peer;
  }

  handleBytes(peer: Peer, chunk: Uint8Array): void {
    this.act((machine, now) => machine.handleBytes(now, peer, chunk));
  }

  handleWritable(peer: Peer): void {
    this.act((machine, now) => machine.handleWritable(now, peer));
  }

  handleClosed(peer: Peer, error: string | undefined): void {
    this.act((machine, now) => machine.handleClosed(now, peer, error));
  }

  addCandidates(endpoints: readonly Endpoint[], source: PeerSource, fromLoopback: boolean): void {
    this.act((machine, now) => machine.handleCandidates(now, endpoints, source, fromLoopback));
  }

  #carryOut(effect: TorrentEffect): void {
    switch (effect.type) {
      case 'dial':
        this.#dial(effect.endpoint);
        return;
      case 'announce':
        this.#announce(effect);
        return;
      case 'announce-cancel':
        this.#trackers.cancel(effect.requestId);
        return;
      case 'web-fetch':
      case 'web-fetch-pause':
      case 'web-fetch-cancel':
        this.#webSeeds.carryOut(effect);
        return;
      case 'dht-lookup':
        void this.#lookUp();
        return;
      case 'dht-lookup-cancel':
        this.#lookup?.abort();
        return;
      case 'dht-node':
        this.#session.dht?.addNode(effect.endpoint);
        return;
      case 'metadata':
        this.#owner.metadataCame(effect.infoBytes);
        return;
      case 'failed':
        this.#owner.failed(effect.error);
        return;
      case 'chunk':
        this.#owner.chunkRead(effect.reader, effect.bytes, effect.error);
        return;
      case 'event':
        this.#owner.heard(effect.event);
    }
  }

  #dial(endpoint: Endpoint): void {
    let peer: Peer | undefined;
    this.#session.dialler.dial(endpoint, {
      onConnected: (transport) => {
        peer = this.addPeerConnection(transport, { endpoint, direction: 'out' });
        return peer !== undefined;
      },
      onFailed: (message) =>
        this.act((machine, now) => machine.handleDialFailed(now, endpoint, message)),
      onBytes: (chunk) => {
        if (peer !== undefined) this.handleBytes(peer, chunk);
      },
      onWritable: () => {
        if (peer !== undefined) this.handleWritable(peer);
      },
      onClosed: (error) => {
        if (peer !== undefined) this.handleClosed(peer, error);
      },
    });
  }

  #announce(effect: TorrentEffect & { type: 'announce' }): void {
    const { requestId, url } = effect;
    this.#trackers.announce(effect, {
      answered: (response) =>
        this.act((machine, now) => machine.handleAnnounced(now, requestId, url, response)),
      failed: (failure) =>
        this.act((machine, now) => machine.handleAnnounceFailed(now, requestId, url, failure)),
    });
  }

  async #lookUp(): Promise<void> {
    const { piecesHave = 0, pieceCount = 1 } = this.torrent?.stats(clockNow()) ?? {};
    const lookup = new AbortController();
    this.#lookup = lookup;
    const isHeard = await this.#session.dht?.lookUp({
      infoHashes: this.#owner.infoHashes(),
      listenPort: this.#session.listenPort,
      isSeed: piecesHave === pieceCount,
      signal: lookup.signal,
      // The DHT package has dropped loopback peers where the node that tells of them is elsewhere.
      found: (peers, infoHash) =>
        this.act((machine, now) => machine.handleCandidates(now, peers, 'dht', true, infoHash)),
    });
    this.act((machine, now) => machine.handleLookupEnded(now, isHeard === false));
  }
}
