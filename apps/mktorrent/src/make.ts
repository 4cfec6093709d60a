// `mktorrent INPUT`: makes a .torrent.
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import {
  type CreatedTorrent,
  type CreateOptions,
  createTorrent,
  FileError,
} from '@bt/metainfo/node';
import { COMMANDS, type MakeArguments } from './arguments.ts';
import { EXIT, ExitError, usageError } from './exit.ts';
import { checkTarget, writeWhole } from './output-file.ts';
import { Progress } from './progress.ts';
import type { Surroundings } from './run.ts';
import { formatBytes, grouped, plural, printable } from './text.ts';

/** Names that others will change which a warning tells of. */
const MAX_NAMED = 3;

export async function make(
  given: MakeArguments,
  surroundings: Surroundings,
  programVersion: string,
): Promise<number> {
  const { stdout, stderr, folder, signal } = surroundings;
  const input = resolve(folder, given.input);
  const target = await targetOf(given, input, folder);
  const isExcluded = await exclusionsOf(given);
  if (target !== undefined) {
    await checkTarget(target, given.isForced);
    if (given.isForced) await checkNotInside(target, input, isExcluded);
  }
  const created = await createWithProgress(given, surroundings, {
    input,
    isExcluded,
    createdBy: `@bt/mktorrent ${programVersion}`,
  });
  for (const { diskPath, reason } of created.skipped) {
    stderr.write(`mktorrent: Skipped ${printable(diskPath)}, which is ${reason}.\n`);
  }
  if (created.warnings.length > 0) stderr.write(warnOf(created));
  if (given.isPrivate && given.announceTiers.length === 0) stderr.write(UNREACHABLE);
  signal.throwIfAborted();
  if (target === undefined) {
    stdout.write(created.bytes);
    return EXIT.done;
  }
  await writeWhole(target, created.bytes, given.isForced);
  await report(given, surroundings, created, target);
  return EXIT.done;
}

const UNREACHABLE =
  'mktorrent: A private torrent has its peers from trackers alone, and this one names none: give one with -a, or nobody will find it.\n';

function warnOf({ warnings, renamedCount }: CreatedTorrent): string {
  const named = warnings
    .slice(0, MAX_NAMED)
    .map(({ original, renamed }) => `${printable(original)} to ${printable(renamed)}`);
  const more = renamedCount - named.length;
  const list = more > 0 ? `${named.join(', ')}, and ${grouped(more)} more` : named.join(', ');
  const count = plural(renamedCount, 'name is', 'names are');
  return `mktorrent: ${count} not possible on every system, and may be changed where the torrent is downloaded: ${list}.\n`;
}

async function createWithProgress(
  given: MakeArguments,
  surroundings: Surroundings,
  fixed: Pick<CreateOptions, 'input' | 'isExcluded' | 'createdBy'>,
): Promise<CreatedTorrent> {
  const { stderr, clock } = surroundings;
  const progress = new Progress(stderr, 'Hashed', clock, given.isVerbose);
  try {
    return await createTorrent({
      ...fixed,
      name: given.name,
      pieceLength: given.pieceLength,
      version: given.version,
      announceTiers: given.announceTiers,
      webSeeds: given.webSeeds,
      comment: given.comment,
      createdAtSeconds: given.hasDate ? dateOf(surroundings) : undefined,
      isPrivate: given.isPrivate,
      source: given.source,
      entropy: given.hasEntropy ? randomBytes(16) : undefined,
      threads: given.threads,
      isCallerBusy: true,
      signal: surroundings.signal,
      onProgress: ({ stage, fileCount, totalLength, bytesHashed }) => {
        if (stage === 'listing') progress.files(fileCount, totalLength);
        else progress.bytes(bytesHashed, totalLength);
      },
    });
  } catch (error) {
    throw hinted(error, given.input, fixed.input);
  } finally {
    progress.end();
  }
}

/** What to do about it, where that can be told. */
function hinted(error: unknown, word: string, input: string): unknown {
  if (!(error instanceof FileError)) return error;
  const { code, path, message } = error;
  if (path !== input && (code === 'not-found' || code === 'unreadable')) {
    const sentence = message.replace(/\.$/, '; mend that, or leave it out with --exclude.');
    return new ExitError(EXIT.disk, sentence, error);
  }
  if (code !== 'not-found' || !/^[a-z-]+$/i.test(word)) return error;
  // A lone word may have been meant as a command.
  const sentence = `There is no file or folder ${word} here, and no such command: those are ${COMMANDS}.`;
  return new ExitError(EXIT.disk, sentence, error);
}

async function exclusionsOf({ exclude }: MakeArguments): Promise<CreateOptions['isExcluded']> {
  if (exclude.length === 0) return undefined;
  const { compileExclusions } = await import('./exclude.ts');
  return compileExclusions(exclude);
}

/** Where to write; undefined is standard output. */
async function targetOf(
  given: MakeArguments,
  input: string,
  folder: string,
): Promise<string | undefined> {
  if (given.torrentPath === '-') return undefined;
  const fileName = `${given.name ?? basename(input)}.torrent`;
  if (given.torrentPath === undefined) return resolve(folder, fileName);
  const path = resolve(folder, given.torrentPath);
  const isFolder =
    given.torrentPath.endsWith('/') ||
    given.torrentPath.endsWith(sep) ||
    ((await stat(path).catch(() => undefined))?.isDirectory() ?? false);
  return isFolder ? join(path, fileName) : path;
}

/** A .torrent that is about to be replaced can't be one of the files it describes. */
async function checkNotInside(
  target: string,
  input: string,
  isExcluded: CreateOptions['isExcluded'],
): Promise<void> {
  const path = relative(input, target).split(sep);
  if (path[0] === '..' || (await stat(target).catch(() => undefined)) === undefined) return;
  if (path.some((_, depth) => isExcluded?.(path.slice(0, depth + 1)))) return;
  const message = `${target} would be one of the files of its own torrent: choose another -p, or --exclude it.`;
  throw new ExitError(EXIT.usage, message);
}

function dateOf({ env, wallClock }: Surroundings): number {
  const epoch = env.SOURCE_DATE_EPOCH;
  if (epoch === undefined || epoch === '') return Math.floor(wallClock() / 1000);
  if (!/^\d{1,15}$/.test(epoch)) {
    throw usageError(`SOURCE_DATE_EPOCH has to be a number of seconds, not ${epoch}.`);
  }
  return Number(epoch);
}

async function report(
  given: MakeArguments,
  { stdout }: Surroundings,
  created: CreatedTorrent,
  target: string,
): Promise<void> {
  // Reading the torrent back takes code that a plain run does without.
  const back =
    given.isVerbose || given.isJson || given.wantsMagnet ? await import('./show.ts') : undefined;
  if (given.isJson && back !== undefined) {
    const { bytes, skipped } = created;
    const summary = {
      torrent: target,
      ...back.summaryOf(bytes),
      skipped: skipped.map((file) => file.diskPath),
    };
    stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  if (given.isVerbose && back !== undefined) stdout.write(back.describeTorrent(created.bytes));
  const { fileCount, totalLength, pieceCount, pieceLength } = created;
  const pieces = `${plural(pieceCount, 'piece')} of ${formatBytes(pieceLength)}`;
  const size = `${plural(fileCount, 'file')}, ${formatBytes(totalLength)}, ${pieces}`;
  stdout.write(`Wrote ${printable(target)}: ${size}.\n`);
  if (given.wantsMagnet && back !== undefined)
    stdout.write(`${back.magnetLinkOf(created.bytes)}\n`);
}
