// One run of `pieces`: a session with one torrent, from its options to an exit code.
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { openSession, type Session, type TorrentHandle } from '@bt/engine/node';
import { type Metainfo, MetainfoError, parseMetainfo } from '@bt/metainfo';
import { StorageError } from '@bt/storage';
import { EXIT, type ExitCode, Failure } from './exit-codes.ts';
import type { Options } from './options.ts';
import { selectFiles } from './selection.ts';
import { JsonView } from './view/json.ts';
import { QuietView } from './view/quiet.ts';
import { TextView } from './view/text.ts';
import type { Terminal, View } from './view/view.ts';

/** A .torrent larger than this is refused before it is read. */
const MAX_TORRENT_BYTES = 64 * 2 ** 20;

/**
 * Runs to the end and returns the exit code. When `interrupted` is aborted it stops cleanly (records saved, `stopped` announced).
 * Nothing is thrown: what goes wrong is told in one sentence.
 */
export async function run(
  options: Options,
  terminal: Terminal,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  const view = makeView(options, terminal);
  let session: Session | undefined;
  try {
    const metainfo = await readTorrent(options.torrentFile);
    const files =
      options.files.length === 0 ? undefined : selectFiles(metainfo.info.files, options.files);
    session = await openSession({
      listen: !options.checkOnly,
      listenPort: options.listenPort,
      ...given('bindAddress', options.bindAddress),
      ...given('maxDownBytesPerSecond', options.maxDownBytesPerSecond),
      ...given('maxUpBytesPerSecond', options.maxUpBytesPerSecond),
    });
    const torrent = await session.add(metainfo, {
      dir: resolve(options.dir),
      peers: options.peers,
      strategies: options.strategies,
      trackers: options.trackers,
      checkOnly: options.checkOnly,
      check: options.checkOnly ? 'full' : 'auto',
      ...given('files', files),
      ...given('seedRatio', options.seedRatio),
      ...given('seedTimeMs', options.seedTimeMs),
    });
    view.started(torrent, session.address, session.port);
    return options.checkOnly
      ? await check(torrent, view, interrupted)
      : await transfer(session, torrent, options, view, interrupted);
  } catch (error) {
    const failure = asFailure(error);
    view.failed(failure.message, failure.exitCode);
    return failure.exitCode;
  } finally {
    await session?.stop();
  }
}

/** Downloads, and with `--seed` seeds, until it is done, interrupted, or hopeless. */
async function transfer(
  session: Session,
  torrent: TorrentHandle,
  options: Options,
  view: View,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  let failure: Failure | undefined;
  let diskErrorSince: number | undefined;
  const stop = () => void session.stop();
  interrupted.addEventListener('abort', stop, { once: true });
  if (interrupted.aborted) stop();
  try {
    for await (const event of torrent.events()) {
      view.event(event);
      if (event.type === 'done' && !options.seed) stop();
      if (event.type === 'seeding-limit') stop();
      if (event.type === 'stopped' && event.error !== undefined) failure ??= asFailure(event.error);
      if (event.type === 'disk-error') {
        diskErrorSince ??= performance.now();
        failure = undefined;
        if (performance.now() - diskErrorSince >= options.diskWaitMs) {
          failure = asFailure(event.error);
          stop();
        }
      }
      if (event.type === 'progress') {
        if (event.stats.state !== 'paused') diskErrorSince = undefined;
        if (options.timeoutMs > 0 && event.stats.uselessMs >= options.timeoutMs) {
          failure = nobody(options);
          stop();
        }
      }
    }
  } finally {
    interrupted.removeEventListener('abort', stop);
  }
  await session.stop();
  const stats = torrent.stats();
  const complete = stats.verifiedBytes === stats.wantedBytes;
  view.finished(stats, complete);
  if (complete) return EXIT.done;
  if (failure !== undefined) throw failure;
  return EXIT.interrupted;
}

async function check(
  torrent: TorrentHandle,
  view: View,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  const stop = () => void torrent.stop();
  interrupted.addEventListener('abort', stop, { once: true });
  let done = false;
  for await (const event of torrent.events()) {
    if (event.type === 'progress' || event.type === 'warning') view.event(event);
    if (event.type === 'checked') done = true;
    if (event.type === 'stopped' && event.error !== undefined) throw event.error;
    if (done) break;
  }
  interrupted.removeEventListener('abort', stop);
  if (!done) return EXIT.interrupted;
  const stats = torrent.stats();
  view.checked(stats);
  return stats.verifiedBytes === stats.wantedBytes ? EXIT.done : EXIT.incomplete;
}

function makeView(options: Options, terminal: Terminal): View {
  if (options.output === 'json') return new JsonView(terminal);
  if (options.output === 'quiet') return new QuietView(terminal);
  return new TextView(terminal, options);
}

async function readTorrent(path: string): Promise<Metainfo> {
  try {
    const { size } = await stat(path);
    if (size > MAX_TORRENT_BYTES) {
      throw new Failure(EXIT.badTorrent, `${path} is larger than 64 MiB and so no .torrent file.`);
    }
    return parseMetainfo(await readFile(path));
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (error instanceof MetainfoError) {
      throw new Failure(
        EXIT.badTorrent,
        `${path} is not a usable .torrent file: ${sentence(error.message)}`,
        { cause: error },
      );
    }
    throw new Failure(EXIT.badTorrent, `Cannot read ${path}: ${reason(error)}`, { cause: error });
  }
}

function nobody(options: Options): Failure {
  return new Failure(
    EXIT.nobody,
    `Nobody that has what is missing was found for ${options.timeoutMs / 1000} s; try later, name a peer with --peer, or wait longer with --timeout.`,
  );
}

/** Any error as the sentence and the exit code that the user gets. */
function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof StorageError)
    return new Failure(EXIT.disk, sentence(error.message), { cause: error });
  if (error instanceof MetainfoError) {
    return new Failure(EXIT.badTorrent, sentence(error.message), { cause: error });
  }
  return new Failure(EXIT.usage, reason(error), { cause: error });
}

/** Why the system refused, in words. */
function reason(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  if (code === 'ENOENT') return 'there is no such file.';
  if (code === 'EISDIR') return 'it is a folder.';
  if (code === 'EACCES') return 'you have no permission to read it.';
  return sentence(message ?? String(error));
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** An optional member: absent, not undefined, when there is no value. */
function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };
}
