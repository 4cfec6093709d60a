// What may be said of a torrent that is added to a session.

import type { Metainfo } from '@bt/metainfo';
import type { Strategies } from '../strategies.ts';

export interface AddTorrentOptions {
  /** The torrent's name is made under it. */
  readonly dir: string;
  /** Dialled at once, and again whenever they are not connected. */
  readonly peers?: readonly { readonly host: string; readonly port: number }[];
  /**
   * Indices of the files wanted, or who tells them as soon as the info dictionary is known. Absent: those that the magnet
   * link selects (BEP 53), or all.
   */
  readonly files?: readonly number[] | ((metainfo: Metainfo) => readonly number[] | undefined);
  readonly strategies?: Partial<Strategies>;
  /** Pieces in order. */
  readonly sequential?: boolean;
  /**
   * Keep peers until the piece layers that the .torrent lacks are there (the event `piece-layers`), also when all wanted files
   * are. Default false.
   */
  readonly wantsPieceLayers?: boolean;
  /** `auto` trusts a clean resume record, `full` hashes everything that is there. Default `auto`. */
  readonly check?: 'auto' | 'full';
  /**
   * Hash what is there, tell (`checked`), and stop: no peers, no trackers, nothing written to the folder. `complete` resolves
   * when all that is wanted was found.
   */
  readonly checkOnly?: boolean;
  /**
   * Get the info dictionary of a magnet link, and the piece layers of a v2 one, and stop. Then
   * `metadata` resolves, and the torrent can be added again. Nothing is read or written in `dir`.
   */
  readonly metadataOnly?: boolean;
  /** The longest info dictionary that is taken from peers, at most 16 MiB. Default 8 MiB. */
  readonly maxMetadataBytes?: number;
  /** Stop seeding at this ratio of uploaded to downloaded bytes. */
  readonly seedRatio?: number;
  /** Stop after seeding for so long. */
  readonly seedTimeMs?: number;
  /** Announce to the torrent's trackers. Default true. */
  readonly trackers?: boolean;
  /** Download from the torrent's web seeds (BEP 19) as well. Default true. */
  readonly webSeeds?: boolean;
  /** Tell peers of each other, and hear of more (BEP 11); not for a private torrent. Default true. */
  readonly peerExchange?: boolean;
  /** Tell the local network of it, where the session does so (BEP 14). Default true. */
  readonly localDiscovery?: boolean;
  /** Look for peers in the DHT, where the session has one (BEP 5). Default true. */
  readonly dht?: boolean;
  /** Connections at a time. Default 500. */
  readonly maxPeers?: number;
  /** Upload slots; default: by the upload rate. */
  readonly uploadSlots?: number;
  /** Aborting it stops the torrent. */
  readonly signal?: AbortSignal;
}
