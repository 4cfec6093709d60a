// What a way of showing a download has to offer; `text`, `json` and `quiet` are the three.

import type { TorrentEvent, TorrentStats } from '@bt/engine';
import type { Magnet, Metainfo } from '@bt/metainfo';
import type { Target } from '../pointer.ts';

/** Where output goes: a process's streams, or a test's strings. */
export interface Terminal {
  readonly isTerminal: boolean;
  readonly columns: number;
  out(text: string): void;
  error(text: string): void;
}

/** All that a run writes. */
export interface Output extends Terminal {
  /** To standard output, as they are. */
  outBytes(bytes: Uint8Array): void;
}

/** Where peers reach us. */
export interface Listening {
  /** Undefined: every address. */
  readonly address: string | undefined;
  readonly port: number;
  /** The DHT node, if there is one. */
  readonly dht: { readonly port: number } | undefined;
}

/** What `--check` has found, of the pieces of the wanted files. */
export interface Found {
  readonly pieceCount: number;
  readonly piecesHave: number;
  readonly wantedBytes: number;
  readonly verifiedBytes: number;
  /** The wanted files of which pieces are missing or wrong. */
  readonly incompleteFiles: readonly IncompleteFile[];
}

/** Pieces may be shared with neighbouring files: a wrong one doesn't tell whose bytes are wrong. */
export interface IncompleteFile {
  readonly fileIndex: number;
  /** Below the folder, joined with `/`. */
  readonly path: string;
  readonly pieceCount: number;
  readonly piecesHave: number;
}

export interface View {
  /** Where a key points to (BEP 46), now or from now on; undefined: it is looked for. */
  pointer(publicKey: Uint8Array, target: Target | undefined): void;
  /** Only a magnet link is known: its info dictionary is looked for. */
  searching(magnet: Magnet, listening: Listening): void;
  /** The torrent can be used; with `--check` nothing listens. */
  started(metainfo: Metainfo, listening?: Listening): void;
  event(event: TorrentEvent): void;
  /** The user has interrupted: it is being stopped, which may take a moment. */
  stopping(): void;
  /** `--check` has hashed so much, from 0 to 1, in so long; about once a second. */
  checking(share: number, runningMs: number): void;
  /** `--check` is done. */
  checked(found: Found): void;
  /** The .torrent of the magnet link is written; undefined: to standard output. */
  saved(path: string | undefined): void;
  /** Everything is stopped that had begun; `complete` when every wanted byte is verified and written. */
  finished(stats: TorrentStats, complete: boolean): void;
  failed(sentence: string, exitCode: number): void;
}
