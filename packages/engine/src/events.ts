// What a torrent tells its owner. Plain data: numbers and strings, so that it can be printed as JSON.

import type { TorrentVersion } from '@bt/metainfo';
import type { StorageError } from '@bt/storage';
import type { CloseReason, Direction } from './peer.ts';
import type { GatewayProtocol } from './port-mapping/mapping.ts';
import type { PeerSource, SourceCounts } from './swarm/peer-source.ts';

/** `fetching-metadata`: only a magnet link is known, and the info dictionary is asked of peers. */
export type TorrentState =
  | 'fetching-metadata'
  | 'checking'
  | 'downloading'
  | 'seeding'
  | 'paused'
  | 'stopped';

export interface TorrentStats {
  readonly state: TorrentState;
  /** Of all files. Here and in the next two padding (BEP 47) doesn't count: nobody has to fetch it. */
  readonly totalBytes: number;
  /** Of the pieces of the wanted files. */
  readonly wantedBytes: number;
  /** Of these, verified and written. */
  readonly verifiedBytes: number;
  readonly pieceCount: number;
  readonly piecesHave: number;
  /** Pieces of which something has come, and that are not verified and written yet. */
  readonly piecesInFlight: number;
  /** Payload in this life, duplicates included. */
  readonly downloadedBytes: number;
  readonly uploadedBytes: number;
  readonly duplicateBytes: number;
  /** Of pieces that failed their hash. */
  readonly rejectedBytes: number;
  /** Bytes a second over the last four to five seconds: 0 when nothing has come since. */
  readonly downRate: number;
  readonly upRate: number;
  /** Uploaded by downloaded; by the torrent's size where nothing was downloaded. */
  readonly ratio: number;
  readonly peersConnected: number;
  readonly seedsConnected: number;
  readonly peersKnown: number;
  /** The same by who named them. */
  readonly peerSources: SourceCounts;
  /** Those of the DHT that we know, of both families; undefined where the torrent has none. */
  readonly dhtNodes: number | undefined;
  /** Messages of peer exchange (BEP 11) that came too soon or were malformed. */
  readonly exchangesIgnored: number;
  /** Web seeds that are sending at the moment. */
  readonly webSeedsServing: number;
  /** Of `downloadedBytes`, from web seeds. */
  readonly webSeedBytes: number;
  /** 0 to 1, of the info dictionary; 1 but for a magnet link whose dictionary is not there yet. */
  readonly metadataShare: number;
  /** 0 to 1. */
  readonly checkedShare: number;
  readonly runningMs: number;
  /** Time since the download began, up to its end. */
  readonly downloadingMs: number;
  /**
   * Time since something came that we lack, to the second; 0 when nothing is lacking. It stands still while a web seed sends,
   * once a block has come of it, while the disk is waited for, and while a peer that has what we lack makes us wait for our turn (chokes us), for three
   * minutes at most; for five seconds while one that lets us ask has sent nothing yet.
   */
  readonly uselessMs: number;
}

/** It has sent wrong pieces, or a wrong info dictionary. */
export type BanReason = 'bad-data' | 'bad-metadata';

export type TorrentEvent =
  | { readonly type: 'state'; readonly state: TorrentState }
  /** The info dictionary of a magnet link is there and verified. */
  | {
      readonly type: 'metadata';
      readonly name: string;
      readonly version: TorrentVersion;
      readonly totalBytes: number;
      readonly pieceCount: number;
      /** Without padding. */
      readonly fileCount: number;
    }
  | {
      readonly type: 'checked';
      readonly piecesHave: number;
      readonly pieceCount: number;
      readonly verifiedBytes: number;
    }
  | { readonly type: 'progress'; readonly stats: TorrentStats }
  | { readonly type: 'piece'; readonly pieceIndex: number }
  | { readonly type: 'piece-failed'; readonly pieceIndex: number }
  | { readonly type: 'file'; readonly fileIndex: number }
  /** The piece layers that were missing have come from peers: the .torrent is complete (BEP 52). */
  | { readonly type: 'piece-layers' }
  | {
      readonly type: 'peer';
      readonly address: string;
      readonly port: number;
      readonly direction: Direction;
      readonly source: PeerSource;
      readonly client: string;
    }
  /** A peer that the user named could not be connected to: told of the 1st, 2nd, 4th, 8th ... failure in a row. */
  | {
      readonly type: 'peer-unreachable';
      readonly address: string;
      readonly port: number;
      readonly message: string;
    }
  | {
      readonly type: 'peer-closed';
      readonly address: string;
      readonly port: number;
      readonly reason: CloseReason;
      readonly message: string | undefined;
    }
  | {
      readonly type: 'peer-banned';
      readonly address: string;
      readonly port: number;
      readonly reason: BanReason;
    }
  | {
      readonly type: 'tracker';
      /** From a TorrentHandle scheme, host and port only: the rest may hold a passkey. */
      readonly url: string;
      readonly outcome: 'ok' | 'failed';
      readonly message: string | undefined;
      readonly peers: number;
      readonly intervalSeconds: number | undefined;
    }
  | {
      readonly type: 'web-seed';
      /** Its place in the list of the torrent's web seeds. */
      readonly index: number;
      /** Scheme, host and port only: the rest may hold a secret. */
      readonly url: string;
      /**
       * `serving`: it has begun to send, or again after a failure; `waiting`: it has failed and is asked again after
       * `retryMs`; `no-file`: it doesn't have one of the files (told of the first ten); `dropped`: given up for good;
       * `banned`: dropped for wrong data.
       */
      readonly outcome: 'serving' | 'waiting' | 'no-file' | 'dropped' | 'banned';
      readonly message: string | undefined;
      readonly fileIndex: number | undefined;
      readonly retryMs: number | undefined;
    }
  | {
      /** A port of the session in the gateway: it is open (or its mapping was renewed), or could not be opened. */
      readonly type: 'port-mapping';
      readonly protocol: 'tcp' | 'udp';
      readonly port: number;
      readonly outcome: 'ok' | 'failed';
      readonly message: string | undefined;
      /** Those of a mapping. The address is the gateway's, as it says. */
      readonly externalPort: number | undefined;
      readonly externalAddress: string | undefined;
      readonly gatewayProtocol: GatewayProtocol | undefined;
    }
  | { readonly type: 'warning'; readonly message: string }
  /** A complete piece was lost on its way to the disk, or there; it is got again. */
  | { readonly type: 'save-failed'; readonly pieceIndex: number; readonly error: StorageError }
  /** Writing has stopped: the torrent is paused until the disk takes data again. */
  | { readonly type: 'disk-error'; readonly error: StorageError }
  | { readonly type: 'done'; readonly stats: TorrentStats }
  | { readonly type: 'seeding-limit'; readonly reason: 'ratio' | 'time' }
  | { readonly type: 'stopped'; readonly stats: TorrentStats; readonly error: Error | undefined };
