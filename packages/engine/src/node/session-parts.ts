// What a torrent has of its session.

import type { ExternalAddress } from '../discovery/external-address.ts';
import type { RateLimit } from '../rate-limit.ts';
import type { Connections } from './connections.ts';
import type { DhtLookups } from './dht-lookups.ts';
import type { Dialler } from './dial.ts';
import type { TorrentHandle } from './torrent-handle.ts';

export interface SessionParts {
  readonly peerId: Uint8Array;
  /** 0: nowhere. */
  readonly listenPort: number;
  readonly bindAddress: string | undefined;
  readonly resumeDir: string | null | undefined;
  readonly external: ExternalAddress;
  readonly random: () => number;
  readonly downLimit: RateLimit;
  readonly upLimit: RateLimit;
  readonly dialler: Dialler;
  readonly connections: Connections;
  readonly dht: DhtLookups | undefined;
  /** The torrent takes part in its swarm from now on: with a magnet link alone, and again when it has its files. */
  readonly begun: (handle: TorrentHandle) => void;
  /**
   * The info dictionary of a magnet link has come, which may tell one more info-hash.
   * @throws {EngineError} `duplicate-torrent`: another torrent of the session has it
   */
  readonly identified: (handle: TorrentHandle) => void;
  /** The torrent has stopped and leaves the session. */
  readonly removed: (handle: TorrentHandle) => void;
}
