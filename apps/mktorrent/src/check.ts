// `mktorrent check`: how much of what is on disk is what the .torrent describes.
import { resolve } from 'node:path';
import type { Metainfo } from '@bt/metainfo';
import { type CheckedFile, type CheckResult, checkTorrent } from '@bt/metainfo/node';
import type { CheckArguments } from './arguments.ts';
import { contentFiles } from './content-files.ts';
import { EXIT } from './exit.ts';
import { Progress } from './progress.ts';
import { readTorrent } from './read-torrent.ts';
import type { Surroundings } from './run.ts';
import { formatBytes, formatShare, grouped, plural, printable } from './text.ts';

export async function check(given: CheckArguments, surroundings: Surroundings): Promise<number> {
  const { stdout, stderr, folder, clock, signal } = surroundings;
  const metainfo = await readTorrent(resolve(folder, given.torrent));
  const path = resolve(folder, given.data);
  const progress = new Progress(stderr, 'Checked', clock);
  let result: CheckResult;
  try {
    result = await checkTorrent({
      metainfo,
      path,
      threads: given.threads,
      isCallerBusy: true,
      signal,
      onProgress: ({ bytesHashed, totalLength }) => progress.bytes(bytesHashed, totalLength),
    });
  } finally {
    progress.end();
  }
  if (given.isJson) stdout.write(`${JSON.stringify(asJson(result))}\n`);
  else if (isNothingThere(metainfo, result)) stdout.write(describeNothing(metainfo, path));
  else
    stdout.write(
      describe(result, stdout.isTTY === true ? MAX_TERMINAL_LINES : Number.POSITIVE_INFINITY),
    );
  return result.isWhole ? EXIT.done : EXIT.failed;
}

function asJson(result: CheckResult): unknown {
  return {
    whole: result.isWhole,
    pieces: result.pieceCount,
    goodPieces: result.goodPieceCount,
    bytes: result.totalLength,
    goodBytes: result.goodLength,
    problems: result.problems.map((file) => ({
      path: file.diskPath,
      problem: file.problem,
      bytes: file.lengthBytes,
      pieces: file.pieceCount,
      goodPieces: file.goodPieceCount,
    })),
  };
}

/** Problems that a terminal is shown one by one. */
const MAX_TERMINAL_LINES = 20;

const WORDS: Readonly<Record<CheckedFile['problem'], string>> = {
  missing: 'is missing',
  'wrong-kind': 'is not a file',
  unreadable: "can't be read",
  'wrong-length': 'has the wrong length',
  damaged: 'is damaged',
  uncertain: 'shares a piece with a file that is not right',
};

function isNothingThere(metainfo: Metainfo, { problems }: CheckResult): boolean {
  const files = contentFiles(metainfo).filter((file) => file.symlinkTarget === undefined);
  return problems.length === files.length && problems.every(({ problem }) => problem === 'missing');
}

function describeNothing({ info }: Metainfo, path: string): string {
  const advice = 'give the file or folder it was made of, or the folder around that';
  return `Nothing of ${printable(info.name)} is in ${printable(path)}: ${advice}.\n`;
}

function describe(result: CheckResult, maxLines: number): string {
  const { isWhole, goodLength, totalLength, pieceCount, goodPieceCount, problems } = result;
  const lines = problems.slice(0, maxLines).map((file) => {
    const share =
      file.problem === 'missing' || file.pieceCount === 0
        ? ''
        : `: ${file.goodPieceCount} of ${plural(file.pieceCount, 'piece')} right`;
    return `${printable(file.diskPath)} ${WORDS[file.problem]}${share}`;
  });
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`and ${grouped(more)} more; --json lists them all`);
  const pieces = `${grouped(goodPieceCount)} of ${plural(pieceCount, 'piece')}`;
  const share = formatShare(goodLength, totalLength);
  const verdict = isWhole ? 'All is there and right' : 'Not whole';
  lines.push(`${verdict}: ${share} of ${formatBytes(totalLength)}, ${pieces}.`);
  return `${lines.join('\n')}\n`;
}
