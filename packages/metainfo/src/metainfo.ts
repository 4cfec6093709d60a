// What a parsed .torrent is: the types that the parser makes and everybody else reads. BEP 3, 12, 19, 27, 47, 52.
import type { FileTable } from './file-table.ts';
import type { Geometry } from './geometry.ts';
import type { PathWarning } from './path.ts';

export type TorrentVersion = 'v1' | 'v2' | 'hybrid';

/** A host name or address as written, and its port; IPv6 addresses without brackets. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** The info dictionary: all that peers have to agree about. */
export interface Info {
  readonly version: TorrentVersion;
  /** The bencoded dictionary exactly as received; do not modify it, other members are views on it. */
  readonly bytes: Uint8Array;
  /** 20 bytes for handshakes, trackers and the DHT: {@link infoHashV1}, or for v2-only {@link infoHashV2} truncated. */
  readonly infoHash: Uint8Array;
  /** SHA-1 of {@link bytes}; v1 and hybrid. */
  readonly infoHashV1?: Uint8Array;
  /** SHA-256 of {@link bytes}, 32 bytes; v2 and hybrid. */
  readonly infoHashV2?: Uint8Array;
  /** Safe as the name of a file or folder. */
  readonly name: string;
  /** One file without a folder of its own. */
  readonly isSingleFile: boolean;
  readonly pieceLength: number;
  /** BEP 27: peers come from the trackers only. */
  readonly isPrivate: boolean;
  readonly source?: string;
  readonly files: FileTable;
  readonly geometry: Geometry;
  /** v1 and hybrid: 20 bytes per piece, a view on {@link bytes}. */
  readonly pieceHashes?: Uint8Array;
  /** Names that had to be changed to be safe, the first {@link MAX_PATH_WARNINGS} of them. */
  readonly warnings: readonly PathWarning[];
  /** How many names had to be changed, those included that {@link warnings} has no room for. */
  readonly renamedCount: number;
}

/** A whole .torrent. */
export interface Metainfo {
  readonly info: Info;
  /** BEP 12 tiers; a lone `announce` is one tier of one. */
  readonly announceTiers: readonly (readonly string[])[];
  /** BEP 19 `url-list`. */
  readonly webSeeds: readonly string[];
  /** BEP 5 `nodes`. */
  readonly nodes: readonly HostPort[];
  readonly comment?: string;
  readonly createdBy?: string;
  /** Seconds since 1970, as written. */
  readonly createdAtSeconds?: number;
  /**
   * v2: by pieces root in lower-case hex, the hashes of the piece layer (32 bytes each) of every file longer than a
   * piece. Checked against the root. A layer that the file lacked is absent, and can be had from peers.
   */
  readonly pieceLayers: ReadonlyMap<string, Uint8Array>;
}
