// @bt/bencode beside npm bencode and bncode: a .torrent of 20,000 files, and DHT messages.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encode } from '@bt/bencode';
import type { Amount } from '../../measurement.ts';
import type { BenchCase, Benchmark, Setting } from '../benchmark.ts';
import { missingNpmContender } from '../npm-contenders.ts';
import { runWorkload } from '../script.ts';
import { BATCHES, messages, torrent } from './documents.ts';

const WORKLOAD = new URL('workload.ts', import.meta.url);
/** On npm. */
const CODECS: readonly string[] = ['bencode', 'bncode'];

export const bencode: Benchmark = {
  name: 'bencode',
  title: 'decoding and encoding a .torrent of 20,000 files and DHT messages',
  prepare,
};

async function prepare({ quick, folder }: Setting): Promise<BenchCase[]> {
  const torrentBytes = encode(torrent);
  await writeFile(join(folder, 'sample.torrent'), torrentBytes);
  await mkdir(join(folder, 'messages'));
  for (const [index, message] of messages.entries()) {
    await writeFile(join(folder, 'messages', String(index)), encode(message));
  }
  const size = { value: torrentBytes.length / 1e6, unit: 'MB' };
  const count = { value: BATCHES * messages.length, unit: 'messages' };
  const torrentName = `a .torrent of ${size.value.toFixed(2)} MB`;
  const messageName = `${count.value} DHT messages`;
  const task = (name: string, task: string, amount: Amount, npm = CODECS): BenchCase => ({
    name,
    amount,
    contenders: [
      { name: '@bt/bencode', run: () => runWorkload(WORKLOAD, 'ours', task, folder) },
      ...npm.map((codec) => ({
        name: `npm ${codec}`,
        missing: missingNpmContender(codec),
        run: () => runWorkload(WORKLOAD, codec, task, folder),
      })),
    ],
  });
  return [
    task(`decode ${torrentName} and visit every value`, 'decode-torrent', size),
    task(`decode ${messageName} and read t, y, q, id, target`, 'decode-messages', count),
    task(`encode ${torrentName}`, 'encode-torrent', size, quick ? ['bencode'] : CODECS), // bncode needs seconds
    task(`encode ${messageName}`, 'encode-messages', count),
  ];
}
