// One run of `pieces`: a session with one torrent, from its options to an exit code.
import { resolve } from 'node:path';
import { openSession, type Session, type TorrentHandle } from '@bt/engine/node';
import type { Metainfo } from '@bt/metainfo';
import { check } from './check.ts';
import { dhtOf } from './dht-choice.ts';
import { DiskPatience } from './disk-patience.ts';
import { EXIT, type ExitCode, type Failure } from './exit-codes.ts';
import { asFailure, cannotListen, nobodyFound } from './failures.ts';
import type { Options } from './options.ts';
import { selectFiles } from './selection.ts';
import { pruneRecords, TorrentRecord } from './state-folder.ts';
import { strategiesOf } from './strategies.ts';
import { readTorrent } from './torrent-file.ts';
import { JsonView } from './view/json.ts';
import { QuietView } from './view/quiet.ts';
import { TextView } from './view/text.ts';
import type { Terminal, View } from './view/view.ts';

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
  let record: TorrentRecord | undefined;
  let pruning: Promise<void> | undefined;
  try {
    const metainfo = await readTorrent(options.torrentFile);
    const files =
      options.files.length === 0 ? undefined : selectFiles(metainfo.info.files, options.files);
    const { dir } = options;
    record = await TorrentRecord.of(metainfo.info, dir);
    await record.noteUse();
    pruning = pruneRecords(record);
    if (options.checkOnly) return await check({ metainfo, files, dir }, view, interrupted);
    session = await open(options, metainfo);
    const torrent = await session.add(metainfo, {
      dir: resolve(dir),
      peers: options.peers,
      strategies: strategiesOf(options),
      trackers: options.trackers,
      peerExchange: options.peerExchange,
      webSeeds: options.webSeeds,
      ...given('files', files),
      ...given('seedRatio', options.seedRatio),
      ...given('seedTimeMs', options.seedTimeMs),
    });
    view.started(metainfo, session);
    return await transfer(torrent, options, view, interrupted);
  } catch (error) {
    const failure = asFailure(error);
    view.failed(failure.message, failure.exitCode);
    return failure.exitCode;
  } finally {
    await session?.stop();
    await record?.noteUse();
    await pruning;
  }
}

async function open(options: Options, metainfo: Metainfo): Promise<Session> {
  try {
    return await openSession({
      localDiscovery: options.localDiscovery,
      portMapping: options.portMapping,
      dht: await dhtOf(options, metainfo),
      listenPort: options.listenPort,
      ...given('bindAddress', options.bindAddress),
      ...given('maxDownBytesPerSecond', options.maxDownBytesPerSecond),
      ...given('maxUpBytesPerSecond', options.maxUpBytesPerSecond),
    });
  } catch (error) {
    throw cannotListen(error, options);
  }
}

/** Downloads, and with `--seed` seeds, until it is done, interrupted, or hopeless. */
async function transfer(
  torrent: TorrentHandle,
  options: Options,
  view: View,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  const disk = new DiskPatience(options.diskWaitMs);
  let hasBegun = false;
  let failure: Failure | undefined;
  const stopWhen = onAbort(interrupted, () => {
    view.stopping();
    void torrent.stop();
  });
  for await (const event of torrent.events()) {
    view.event(event);
    if (event.type === 'checked') hasBegun = true;
    if (event.type === 'done' && !options.seed) void torrent.stop();
    if (event.type === 'stopped' && event.error !== undefined) failure ??= asFailure(event.error);
    if (event.type === 'disk-error') disk.refused(event.error, performance.now());
    if (event.type === 'state' && event.state !== 'paused') disk.works();
    if (event.type === 'progress' && isUseless(event.stats.uselessMs, options)) {
      failure ??= nobodyFound(options);
    }
    if (disk.isOver(performance.now())) failure ??= asFailure(disk.error);
    if (failure !== undefined) void torrent.stop();
  }
  stopWhen.remove();
  const stats = torrent.stats();
  const isComplete = hasBegun && stats.verifiedBytes === stats.wantedBytes;
  if (hasBegun) view.finished(stats, isComplete);
  if (isComplete) return EXIT.done;
  if (failure !== undefined) throw failure;
  return EXIT.interrupted;
}

function isUseless(uselessMs: number, { timeoutMs }: Options): boolean {
  return timeoutMs > 0 && uselessMs >= timeoutMs;
}

/** Calls back when the signal is aborted, also when it has been already. */
function onAbort(signal: AbortSignal, callback: () => void): { remove(): void } {
  if (signal.aborted) callback();
  else signal.addEventListener('abort', callback, { once: true });
  return { remove: () => signal.removeEventListener('abort', callback) };
}

function makeView(options: Options, terminal: Terminal): View {
  if (options.output === 'json') return new JsonView(terminal);
  if (options.output === 'quiet') return new QuietView(terminal);
  return new TextView(terminal, options);
}

/** An optional member: absent, not undefined, when there is no value. */
function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };
}
