// `mktorrent check`: how much of what is on disk is what the .torrent describes.
import { resolve } from 'node:path';
import { type CheckedFile, type CheckResult, checkTorrent } from '@bt/metainfo/node';
import type { CheckArguments } from './arguments.ts';
import { EXIT } from './exit.ts';
import { Progress } from './progress.ts';
import { readTorrent } from './read-torrent.ts';
import type { Surroundings } from './run.ts';
import { formatBytes, formatShare, grouped, plural, printable } from './text.ts';

export async function check(given: CheckArguments, surroundings: Surroundings): Promise<number> {
  const { stdout, stderr, folder, clock, signal } = surroundings;
  const metainfo = await readTorrent(resolve(folder, given.torrent));
  const progress = new Progress(stderr, 'Checked', clock);
  let result: CheckResult;
  try {
    result = await checkTorrent({
      metainfo,
      path: resolve(folder, given.data),
      threads: given.threads,
      isCallerBusy: true,
      signal,
      onProgress: ({ bytesHashed, totalLength }) => progress.bytes(bytesHashed, totalLength),
    });
  } finally {
    progress.end();
  }
  stdout.write(given.isJson ? `${JSON.stringify(asJson(result))}\n` : describe(result));
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

const WORDS: Readonly<Record<CheckedFile['problem'], string>> = {
  missing: 'is missing',
  'wrong-kind': 'is not a file',
  unreadable: "can't be read",
  'wrong-length': 'has the wrong length',
  damaged: 'is damaged',
};

function describe(result: CheckResult): string {
  const { isWhole, goodLength, totalLength, pieceCount, goodPieceCount, problems } = result;
  const lines = problems.map((file) => {
    const share =
      file.problem === 'missing' || file.pieceCount === 0
        ? ''
        : `: ${file.goodPieceCount} of ${plural(file.pieceCount, 'piece')} right`;
    return `${printable(file.diskPath)} ${WORDS[file.problem]}${share}`;
  });
  const pieces = `${grouped(goodPieceCount)} of ${plural(pieceCount, 'piece')}`;
  const share = formatShare(goodLength, totalLength);
  const verdict = isWhole ? 'All is there and right' : 'Not whole';
  lines.push(`${verdict}: ${share} of ${formatBytes(totalLength)}, ${pieces}.`);
  return `${lines.join('\n')}\n`;
}
