// The one error class of the engine. Match on `code`.

/**
 * - `bad-argument`: the caller's mistake
 * - `bad-magnet`: the magnet link contradicts itself, or selects none of the torrent's files
 * - `duplicate-torrent`: the session has a torrent with this info-hash
 * - `too-many`: a cap of limits.ts is reached
 * - `listen`: the port or address can't be listened on; see `cause`
 * - `aborted`: the caller's AbortSignal fired, or the torrent was stopped before it was complete
 * - `stopped`: the session or torrent is stopped
 */
export type EngineErrorCode =
  | 'bad-argument'
  | 'bad-magnet'
  | 'duplicate-torrent'
  | 'too-many'
  | 'listen'
  | 'aborted'
  | 'stopped';

export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
