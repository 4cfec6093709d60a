/** How a torrent is opened in a folder. */
import type { Info } from '@bt/metainfo';
import type { DiskPool } from './disk-pool.ts';

export interface FileStoreOptions {
  readonly info: Info;
  /** v2: hashes of the pieces by pieces root (`Metainfo.pieceLayers`). May grow while the store is open. */
  readonly pieceLayers?: ReadonlyMap<string, Uint8Array>;
  /** The download folder; the torrent's name is made below it. Made if missing, unless `readOnly`. */
  readonly folder: string;
  /** Where resume records are kept; null keeps none. Default `defaultStateFolder()`. */
  readonly stateFolder?: string | null;
  /** Touch nothing in the folder, and keep nobody else out of it; `savePiece` and `saveBlocks` throw. For seeding and for looking. */
  readonly readOnly?: boolean;
  /** `full` hashes everything that is there and believes no record. Default `auto`. */
  readonly check?: 'auto' | 'full';
  /** Which files are to be downloaded: the others' paths may be blocked, and empty ones are not made. Default all. */
  readonly wanted?: (fileIndex: number) => boolean;
  /** Ends the opening with a StorageError `aborted`; no effect later. */
  readonly signal?: AbortSignal;
  /** How far the hashing is; not called when nothing has to be hashed. */
  readonly onProgress?: (progress: CheckProgress) => void;
  /** Threads and caches to use. Default: those that all stores of the process share. */
  readonly pool?: DiskPool;
}

export interface CheckProgress {
  readonly checkedPieces: number;
  readonly totalPieces: number;
  readonly checkedBytes: number;
  readonly totalBytes: number;
  readonly rightPieces: number;
}
