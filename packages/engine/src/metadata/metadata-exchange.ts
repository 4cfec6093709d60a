// What connections are for while only a magnet link is known: the info dictionary. What peers tell of their pieces meanwhile
// the wire keeps (BEP 9 comes before the bitfield); of ours nothing is said yet.

import {
  EXTENSION_NAME,
  type ExtendedHandshake,
  encodeMetadataMessage,
  type WireHandler,
} from '@bt/wire';
import type { Moment } from '../moment.ts';
import type { Peer } from '../peer.ts';
import type { Exchange, MetadataAnswer } from '../swarm/exchange.ts';
import type { Peers } from '../swarm/peers.ts';
import type { Swarm } from '../swarm/swarm.ts';
import { MetadataFetch, type MetadataFetchOptions } from './metadata-fetch.ts';

export interface MetadataExchangeOptions
  extends Omit<MetadataFetchOptions<Peer>, 'moment' | 'observer'> {
  readonly moment: Moment;
  readonly swarm: Swarm;
  readonly peers: Peers;
  /** A peer says that the dictionary is longer than is taken. */
  readonly tooLong: (lengthBytes: number) => void;
  /** The link's two info-hashes are those of different torrents. */
  readonly contradicted: () => void;
  /** Verified. */
  readonly complete: (infoBytes: Uint8Array<ArrayBuffer>) => void;
}

export class MetadataExchange implements Exchange {
  readonly isDone = false;
  readonly isUploadOnly = false;
  readonly fetch: MetadataFetch<Peer>;
  readonly #moment: Moment;
  readonly #swarm: Swarm;
  readonly #peers: Peers;

  constructor(options: MetadataExchangeOptions) {
    const { tooLong, contradicted, complete } = options;
    this.#moment = options.moment;
    this.#swarm = options.swarm;
    this.#peers = options.peers;
    this.fetch = new MetadataFetch({
      ...options,
      observer: {
        request: (peer, pieceIndex) => this.#request(peer, pieceIndex),
        liarFound: (peer) => this.#swarm.ban(peer.identity, 'bad-metadata'),
        tooLong,
        contradicted,
        complete,
      },
    });
  }

  admit(peer: Peer): WireHandler {
    return {
      onHandshake: (handshake) => this.#swarm.handshakeDone(peer, handshake),
      onPort: (port) => this.#swarm.nodeTold(peer, port),
      // BEP 52: every one is to be answered.
      onHashRequest: (request) => {
        peer.session.hashReject(request);
        this.#peers.markDirty(peer);
      },
      onExtended: (extendedId, payload) => this.#swarm.extended(peer, extendedId, payload),
    };
  }

  greet(): void {}

  extendedHandshake(peer: Peer, { metadataLength }: ExtendedHandshake): void {
    if (metadataLength === undefined || extendedIdOf(peer) === undefined) return;
    this.fetch.offered(peer, metadataLength);
  }

  metadataAnswered(peer: Peer, message: MetadataAnswer): void {
    const { pieceIndex } = message;
    if (message.type === 'reject') {
      this.fetch.rejected(peer, pieceIndex);
      return;
    }
    // It was useful to us: should the connection end, it is dialled again soon.
    peer.down.add(this.#moment.now, message.data.length);
    this.fetch.received(peer, pieceIndex, message.totalLength, message.data);
  }

  uploadOnlyChanged(): void {}

  attend(): void {}

  watch(peer: Peer): void {
    if (this.fetch.isSource(peer)) peer.uselessSinceMs = this.#moment.now;
  }

  tick(): void {
    this.fetch.tick();
  }

  leave(peer: Peer): void {
    this.fetch.peerGone(peer);
  }

  #request(peer: Peer, pieceIndex: number): void {
    const id = extendedIdOf(peer);
    if (id === undefined) return;
    peer.session.extended(id, encodeMetadataMessage({ type: 'request', pieceIndex }));
    this.#peers.markDirty(peer);
  }
}

/** The remote's id for the messages of BEP 9. */
function extendedIdOf(peer: Peer): number | undefined {
  return peer.extensions.idOf(EXTENSION_NAME.metadata);
}
