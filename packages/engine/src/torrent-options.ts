// What a Torrent is made of, and what it wants its owner to do.

import type { Endpoint } from '@bt/endpoint';
import type { Info } from '@bt/metainfo';
import type { Disk, StorageError } from '@bt/storage';
import type { AnnounceEffect } from './announcing.ts';
import type { DiscoveryEffect } from './discovery/discovery.ts';
import type { ExternalAddress } from './discovery/external-address.ts';
import type { EngineError } from './errors.ts';
import type { TorrentEvent } from './events.ts';
import type { Direction } from './peer.ts';
import type { Presence } from './presence.ts';
import type { RateLimit } from './rate-limit.ts';
import type { Reader } from './readers.ts';
import type { Strategies } from './strategies.ts';
import type { WebFetchEffect } from './web-seed/web-fetch.ts';

export interface TorrentOptions {
  readonly now: number;
  readonly info: Info;
  /** Open; the owner passes its events on (`handlePieceSaved` and the others). */
  readonly disk: Disk;
  /** What is on disk and verified: a BEP 3 bitfield. Absent: nothing. */
  readonly have?: Uint8Array | undefined;
  /** Blocks of unfinished pieces that are on disk. */
  readonly partialPieces?: ReadonlyMap<number, Uint8Array> | undefined;
  /**
   * v2 and hybrid: `Metainfo.pieceLayers`, and the very map that the disk has. Those that lack are asked of peers and put in;
   * in a v2 torrent no piece of a file is asked for before its layer is there. Default: none, as from a magnet link.
   */
  readonly pieceLayers?: Map<string, Uint8Array> | undefined;
  /**
   * Keep peers, and look for more, until every layer is there, also when all wanted files are: for writing a .torrent. With no
   * file wanted nothing else is fetched. Default false: layers are asked for as long as there are peers.
   */
  readonly wantsPieceLayers?: boolean | undefined;
  /** Pieces that are on disk, perhaps, and could not be hashed for want of their layer (`FileStore.uncheckedPieces`). */
  readonly uncheckedPieces?: readonly number[] | undefined;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** Where the owner listens; 0: nowhere. */
  readonly listenPort: number;
  /** What others say our address is, shared by the torrents of a session. Default: one of its own. */
  readonly externalAddress?: ExternalAddress | undefined;
  /** BEP 11. Default true; a private torrent has none. */
  readonly peerExchange?: boolean | undefined;
  /** The UDP port of our DHT node; a private torrent doesn't use it. Default 0: there is none. */
  readonly dhtPort?: number | undefined;
  readonly announceTiers?: readonly (readonly string[])[] | undefined;
  /** BEP 19; http and https. */
  readonly webSeeds?: readonly string[] | undefined;
  readonly strategies: Strategies;
  readonly random: () => number;
  readonly downLimit: RateLimit;
  readonly upLimit: RateLimit;
  /** Files wanted; absent: all. */
  readonly files?: readonly number[] | undefined;
  readonly sequential?: boolean | undefined;
  readonly maxPeers?: number | undefined;
  /** Of the room for connections of this direction that all torrents share, how much is taken, 0 to 1. Default 0. */
  readonly sessionShare?: ((direction: Direction) => number) | undefined;
  readonly uploadSlots?: number | undefined;
  /** Get the piece layers (BEP 52) and no piece: `piece-layers` is the end of it. */
  readonly hashesOnly?: boolean | undefined;
  /** Taken over from a MagnetTorrent, with its connections. Absent: the torrent begins alone. */
  readonly presence?: Presence | undefined;
  /** Bound on pieces in memory. Default: storage's. */
  readonly bufferBytes?: number | undefined;
}

/** What the owner is to do. */
export type TorrentEffect =
  | { readonly type: 'dial'; readonly endpoint: Endpoint }
  | AnnounceEffect
  | DiscoveryEffect
  | WebFetchEffect
  /** A MagnetTorrent has got the info dictionary: open the files, and make the Torrent. */
  | { readonly type: 'metadata'; readonly infoBytes: Uint8Array<ArrayBuffer> }
  /** A MagnetTorrent can come to no end: stop it. */
  | { readonly type: 'failed'; readonly error: EngineError }
  /** The chunk that a reader waited for; without bytes the read failed. */
  | {
      readonly type: 'chunk';
      readonly reader: Reader;
      readonly bytes: Uint8Array | undefined;
      readonly error: StorageError | undefined;
    }
  | { readonly type: 'event'; readonly event: TorrentEvent };
