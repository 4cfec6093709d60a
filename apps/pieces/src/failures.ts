// Errors of the packages as what the user gets: one sentence that says what to do, and an exit code.
import { EngineError, type TorrentState } from '@bt/engine';
import { DhtError } from '@bt/krpc-dht';
import { MetainfoError } from '@bt/metainfo';
import { StorageError, type StorageErrorCode } from '@bt/storage';
import { EXIT, Failure } from './exit-codes.ts';
import type { Options } from './options.ts';

/** Disk errors that don't go away while a download waits: it ends at once. */
const LASTING: ReadonlySet<StorageErrorCode> = new Set<StorageErrorCode>([
  'permission',
  'read-only',
  'is-directory',
  'not-directory',
  'symlink',
  'bad-name',
]);

/** Whether the download can wait for the disk error to pass (no space, say). */
export function mayPass(error: StorageError): boolean {
  return !LASTING.has(error.code);
}

/** Any error as the sentence and the exit code that the user gets. */
export function asFailure(cause: unknown): Failure {
  if (cause instanceof Failure) return cause;
  if (cause instanceof StorageError) {
    return new Failure(EXIT.disk, withFullStop(cause.message), { cause });
  }
  if (cause instanceof MetainfoError) {
    return new Failure(EXIT.badTorrent, withFullStop(cause.message), { cause });
  }
  if (cause instanceof EngineError) {
    const exitCode = cause.code === 'bad-magnet' ? EXIT.badTorrent : EXIT.usage;
    return new Failure(exitCode, sentence(cause.message), { cause });
  }
  const message = withFullStop(cause instanceof Error ? cause.message : String(cause));
  return new Failure(EXIT.internal, `This is a fault of pieces itself: ${message}`, { cause });
}

/** Why the session could not be opened. */
export function cannotListen(cause: unknown, options: Options): Failure {
  if (!(cause instanceof EngineError) || cause.code !== 'listen') return asFailure(cause);
  if (cause.cause instanceof DhtError) return cannotBindDht(cause.cause, options);
  const { code } = (cause.cause ?? {}) as NodeJS.ErrnoException;
  const { bindAddress, listenPort } = options;
  const port = `port ${listenPort}${bindAddress === undefined ? '' : ` of ${bindAddress}`}`;
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: `Another program listens on ${port}: name another one with --listen, or none for a free one.`,
    EACCES: `You have no permission to listen on ${port}: name one above 1023 with --listen.`,
    EADDRNOTAVAIL: `${bindAddress} is no address of this machine: name one of its own with --bind.`,
  };
  return new Failure(EXIT.usage, why[code ?? ''] ?? sentence(cause.message), { cause });
}

/** Why the UDP port can not be had. */
export function cannotBindDht(
  error: DhtError,
  { dhtPort, bindAddress }: Pick<Options, 'dhtPort' | 'bindAddress'>,
): Failure {
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  const port = `UDP port ${dhtPort}`;
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: `Another program uses ${port}: name another one with -p, or none for a free one.`,
    EACCES: `You have no permission to use ${port}: name one above 1023 with -p.`,
    EADDRNOTAVAIL: `${bindAddress} is no address of this machine: name one of its own with --bind.`,
  };
  return new Failure(EXIT.usage, why[code ?? ''] ?? sentence(error.message), { cause: error });
}

/** Why there can't be a file at a path, or in a folder. */
export function cannotWrite(path: string, cause: unknown): Failure {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const reasons: Readonly<Record<string, string>> = {
    EACCES: 'you have no permission.',
    ENOENT: 'its folder does not exist.',
    ENOTDIR: 'its folder is a file.',
    ENOSPC: 'no space is left on the disk.',
    EROFS: 'the disk can only be read.',
  };
  const why = reasons[code] ?? withFullStop(message);
  return new Failure(EXIT.disk, `${path} can't be written: ${why}`, { cause });
}

/** What may be the reason that nobody was found. */
export interface Absence {
  /** No node of the DHT has answered. */
  readonly isDhtSilent: boolean;
  /** The metadata is missing, and there are web seeds, which can't give it. */
  readonly isWebAlone: boolean;
}

/** @param state what the download came to a halt in */
export function nobodyFound(
  { timeoutMs, peers }: Options,
  state: TorrentState,
  { isDhtSilent, isWebAlone }: Absence = { isDhtSilent: false, isWebAlone: false },
): Failure {
  const what =
    state === 'fetching-metadata' ? 'the metadata of the magnet link' : 'what is missing';
  const why = [
    isDhtSilent ? ', and no node of the DHT has answered' : '',
    isWebAlone ? ', and a web server has none' : '',
  ].join('');
  const who = peers.length > 0 ? 'another peer' : 'a peer';
  const nodes = isDhtSilent ? ' or nodes with -d' : '';
  return new Failure(
    EXIT.nobody,
    `Nobody that has ${what} was found for ${timeoutMs / 1000} s${why}; try later, name ${who} with --peer${nodes}, or wait longer with --timeout.`,
  );
}

/** The text as a sentence: with a capital and a full stop. Not for one that may begin with a path or a name. */
function sentence(text: string): string {
  return withFullStop(text.charAt(0).toUpperCase() + text.slice(1));
}

export function withFullStop(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
