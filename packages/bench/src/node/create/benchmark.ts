// Making a v1 torrent of one large file, and of a tree: our mktorrent beside Debian's mktorrent, Transmission and npm create-torrent,
// each as a program, its start included. Every torrent is checked against the files before anything is timed.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sampleTree, writeSampleTree } from '@bt/testkit';
import type { BenchCase, Benchmark, Contender, Setting } from '../benchmark.ts';
import { contenderScript, missingNpmContender } from '../npm-contenders.ts';
import { runProgram } from '../program.ts';
import { missingProgram } from '../programs.ts';
import { checkedTorrent } from './checked-torrent.ts';

const OUR_MKTORRENT = fileURLToPath(
  new URL('../../../../../apps/mktorrent/dist/cli.js', import.meta.url),
);
const TRACKER = 'http://tracker.example/announce';
const MEBIBYTE = 2 ** 20;

export const create: Benchmark = {
  name: 'create',
  title: 'making a .torrent of a file and of a tree',
  prepare,
};

interface Input {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly pieceBytes: number;
}

async function prepare({ quick, folder }: Setting): Promise<BenchCase[]> {
  const fileBytes = quick ? 128 * MEBIBYTE : 4096 * MEBIBYTE;
  const treeBytes = quick ? 64 * MEBIBYTE : 1024 * MEBIBYTE;
  const fileCount = quick ? 2_000 : 20_000;
  await writeSampleTree(folder, [{ path: 'file.bin', lengthBytes: fileBytes }], 1);
  await writeSampleTree(join(folder, 'tree'), sampleTree(fileCount, treeBytes), 2);
  return [
    {
      name: `a file of ${fileBytes / MEBIBYTE} MiB, pieces of 1 MiB`,
      path: join(folder, 'file.bin'),
      bytes: fileBytes,
      pieceBytes: MEBIBYTE,
    },
    {
      name: `${fileCount} files of ${treeBytes / MEBIBYTE} MiB in all, pieces of 256 KiB`,
      path: join(folder, 'tree'),
      bytes: treeBytes,
      pieceBytes: MEBIBYTE / 4,
    },
  ].map((input) => ({
    name: input.name,
    amount: { value: input.bytes / 1e6, unit: 'MB' },
    contenders: contendersFor(input, join(folder, 'made.torrent')),
  }));
}

function contendersFor(input: Input, output: string): Contender[] {
  const { path, pieceBytes } = input;
  const contender = (
    name: string,
    missing: string | undefined,
    file: string,
    args: readonly string[],
  ): Contender => ({
    name,
    missing,
    run: async () => {
      await rm(output, { force: true });
      return await runProgram({ file, args });
    },
    readResult: () => checkedTorrent(output, path),
  });
  const kibibytes = String(pieceBytes / 1024);
  const exponent = String(Math.log2(pieceBytes));
  return [
    contender('mktorrent (ours)', undefined, process.execPath, [
      ...[OUR_MKTORRENT, '-a', TRACKER, '-l', String(pieceBytes), '-p', output, path],
    ]),
    contender("Debian's mktorrent -t 2", missingProgram('mktorrent', 'mktorrent'), 'mktorrent', [
      '-t',
      '2',
      '-a',
      TRACKER,
      '-l',
      exponent,
      '-o',
      output,
      path,
    ]),
    contender(
      'transmission-create',
      missingProgram('transmission-create', 'transmission-cli'),
      'transmission-create',
      ['-t', TRACKER, '-s', kibibytes, '-o', output, path],
    ),
    contender('npm create-torrent', missingNpmContender('create-torrent'), process.execPath, [
      ...[contenderScript('create-torrent.mjs'), String(pieceBytes), path, output],
    ]),
  ];
}
