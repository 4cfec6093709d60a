// One run of `pieces`: a session with one torrent, from its options to an exit code.
import { resolve } from 'node:path';
import { type AddTorrentOptions, filesOfLink, openSession, type Session } from '@bt/engine/node';
import type { Magnet, Metainfo } from '@bt/metainfo';
import { check } from './check.ts';
import { dhtOf, dhtWarning } from './dht-choice.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { asFailure, cannotListen } from './failures.ts';
import { follow } from './follow.ts';
import { followKey, isKeyLink } from './key-link.ts';
import type { Options } from './options.ts';
import { hasPeerSource, whyNobody } from './peer-sources.ts';
import { SavedTorrent } from './saved-torrent.ts';
import { selectFiles } from './selection.ts';
import { pruneRecords, TorrentRecord } from './state-folder.ts';
import { strategiesOf } from './strategies.ts';
import { readSource } from './torrent-source.ts';
import { JsonView } from './view/json.ts';
import { QuietView } from './view/quiet.ts';
import { TextView } from './view/text.ts';
import type { Output, Terminal, View } from './view/view.ts';
import { checkWritable } from './write-permission.ts';

/**
 * Runs to the end and returns the exit code. When `interrupted` is aborted it stops cleanly (records saved, `stopped` announced).
 * Nothing is thrown: what goes wrong is told in one sentence.
 */
export async function run(
  options: Options,
  output: Output,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  const view = makeView(options, output);
  const records = new Records(options.dir);
  let session: Session | undefined;
  try {
    const saved = new SavedTorrent(options, output);
    await saved.check();
    const source = await readSource(options.torrent, interrupted);
    if (source === undefined) return EXIT.interrupted;
    const environment = { options, view, records, saved, interrupted };
    if ('info' in source && options.checkOnly) return await checkTorrent(source, environment);
    session = await open(options, source, view);
    if ('info' in source) return await download(source, session, environment);
    const opened = session;
    const get = (magnet: Magnet, replaced?: AbortSignal) =>
      options.checkOnly || options.metadataOnly
        ? fetchMetadata(magnet, opened, environment)
        : download(magnet, opened, environment, replaced);
    if (isKeyLink(source)) return await followKey(source, session.dht, environment, get);
    return await get(source);
  } catch (error) {
    const failure = asFailure(error);
    view.failed(failure.message, failure.exitCode);
    return failure.exitCode;
  } finally {
    await session?.stop();
    await records.end();
  }
}

/** What all ways of running have in common. */
interface Environment {
  readonly options: Options;
  readonly view: View;
  readonly records: Records;
  readonly saved: SavedTorrent;
  readonly interrupted: AbortSignal;
}

/** The note of the torrent's record, as soon as it is known which torrent it is. */
class Records {
  readonly #dir: string;
  #own: TorrentRecord | undefined;
  #pruning: Promise<void> | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async begin({ info }: Metainfo): Promise<void> {
    this.#own = await TorrentRecord.of(info, this.#dir);
    await this.#own.noteUse();
    this.#pruning = pruneRecords(this.#own);
  }

  async end(): Promise<void> {
    await this.#own?.noteUse();
    await this.#pruning;
  }
}

async function checkTorrent(
  metainfo: Metainfo,
  { options, view, records, interrupted }: Environment,
  magnet?: Magnet,
): Promise<ExitCode> {
  const files = chosenFiles(metainfo, options) ?? (magnet && filesOfLink(magnet, metainfo.info));
  await records.begin(metainfo);
  return await check({ metainfo, files, dir: options.dir }, view, interrupted);
}

/** Gets what a magnet link leaves out, writes it where that is wanted, and checks the files where that is. */
async function fetchMetadata(
  magnet: Magnet,
  session: Session,
  environment: Environment,
): Promise<ExitCode> {
  const { options, view, saved, interrupted } = environment;
  const torrent = await session.add(magnet, { ...addOptions(options), metadataOnly: true });
  view.searching(magnet, session);
  const failure = await follow(torrent, {
    options,
    view,
    interrupted,
    hasPeerSource: hasPeerSource(magnet, options, session.dht !== undefined),
    whyNobody: (state) => whyNobody(magnet, session.dht, state),
  });
  if (failure !== undefined) throw failure;
  if (!torrent.isMetadataComplete) return EXIT.interrupted;
  const metainfo = await torrent.metadata;
  if (!options.checkOnly) view.started(metainfo, session);
  if (options.saveTorrent !== undefined) {
    view.saved(await saved.write(metainfo));
  }
  return options.checkOnly ? await checkTorrent(metainfo, environment, magnet) : EXIT.done;
}

/** Downloads, and with `--seed` seeds, until it is done, interrupted, hopeless, or replaced by another torrent. */
async function download(
  source: Metainfo | Magnet,
  session: Session,
  environment: Environment,
  replaced?: AbortSignal,
): Promise<ExitCode> {
  const { options, view, records, saved, interrupted } = environment;
  if ('info' in source) {
    chosenFiles(source, options);
    await records.begin(source);
  }
  const torrent = await session.add(source, {
    ...addOptions(options),
    ...given('signal', replaced),
  });
  if ('info' in source) view.started(source, session);
  else view.searching(source, session);
  let hasBegun = false;
  let isDone = false;
  let isSaved = options.saveTorrent === undefined;
  const failure = await follow(torrent, {
    options,
    view,
    interrupted,
    hasPeerSource: hasPeerSource(source, options, session.dht !== undefined),
    whyNobody: (state) => whyNobody(source, session.dht, state),
    onEvent: async (event) => {
      if (event.type === 'metadata') {
        const metainfo = await torrent.metadata;
        view.started(metainfo, session);
        await records.begin(metainfo);
      }
      if (!isSaved && torrent.isMetadataComplete) {
        isSaved = true;
        view.saved(await saved.write(await torrent.metadata));
      }
      if (event.type === 'checked') {
        hasBegun = true;
        const isMissing = event.verifiedBytes < torrent.stats().wantedBytes;
        if (isMissing) await checkWritable(options.dir, torrent.name);
      }
      if (event.type === 'done') isDone = true;
      if (isDone && isSaved && !options.seed) void torrent.stop();
    },
  });
  const stats = torrent.stats();
  const isComplete = hasBegun && stats.verifiedBytes === stats.wantedBytes;
  if (hasBegun) view.finished(stats, isComplete);
  if (isComplete && isSaved) return EXIT.done;
  if (failure !== undefined) throw failure;
  return EXIT.interrupted;
}

function addOptions(options: Options): AddTorrentOptions {
  return {
    dir: resolve(options.dir),
    peers: options.peers,
    files: (metainfo) => chosenFiles(metainfo, options),
    strategies: strategiesOf(options),
    trackers: options.trackers,
    peerExchange: options.peerExchange,
    webSeeds: options.webSeeds,
    wantsPieceLayers: options.saveTorrent !== undefined,
    ...given('seedRatio', options.seedRatio),
    ...given('seedTimeMs', options.seedTimeMs),
  };
}

/** What `--files` names; undefined without it. Throws a usage `Failure`. */
function chosenFiles({ info }: Metainfo, { files }: Options): readonly number[] | undefined {
  return files.length === 0 ? undefined : selectFiles(info.files, files);
}

async function open(options: Options, source: Metainfo | Magnet, view: View): Promise<Session> {
  try {
    return await openSession({
      localDiscovery: options.localDiscovery,
      portMapping: options.portMapping,
      dht: await dhtOf(options, source, (warning) =>
        view.event({ type: 'warning', message: dhtWarning(warning) }),
      ),
      listenPort: options.listenPort,
      ...given('bindAddress', options.bindAddress),
      ...given('maxDownBytesPerSecond', options.maxDownBytesPerSecond),
      ...given('maxUpBytesPerSecond', options.maxUpBytesPerSecond),
    });
  } catch (error) {
    throw cannotListen(error, options);
  }
}

function makeView(options: Options, terminal: Terminal): View {
  // Standard output is the .torrent's.
  const shown =
    options.saveTorrent === '-'
      ? { ...terminal, out: terminal.error, isTerminal: false }
      : terminal;
  if (options.output === 'json') return new JsonView(shown, options);
  if (options.output === 'quiet') return new QuietView(shown);
  return new TextView(shown, options);
}

/** An optional member: absent, not undefined, when there is no value. */
function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };
}
