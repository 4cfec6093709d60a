// What a way of showing a download has to offer; `text`, `json` and `quiet` are the three.
import type { TorrentEvent, TorrentStats } from '@bt/engine';
import type { TorrentHandle } from '@bt/engine/node';

/** Where output goes: a process's streams, or a test's strings. */
export interface Terminal {
  readonly isTerminal: boolean;
  readonly columns: number;
  out(text: string): void;
  error(text: string): void;
}

export interface View {
  /** The torrent has been added and the session listens. */
  started(torrent: TorrentHandle, address: string | undefined, port: number): void;
  event(event: TorrentEvent): void;
  /** The user has interrupted: it is being stopped, which may take a moment. */
  stopping(): void;
  /** `--check` is done. */
  checked(stats: TorrentStats): void;
  /** Everything is stopped that had begun; `complete` when every wanted byte is verified and written. */
  finished(stats: TorrentStats, complete: boolean): void;
  failed(sentence: string, exitCode: number): void;
}
