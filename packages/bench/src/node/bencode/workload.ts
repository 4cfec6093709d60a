// One run: workload.ts CODEC TASK FOLDER, where FOLDER has the documents as bytes.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureRepeated, printMeasured } from '../measured.ts';
import { loadCodec } from './codecs.ts';
import { BATCHES, messages, torrent } from './documents.ts';

const [codecName, task, folder] = process.argv.slice(2) as [string, string, string];
const codec = await loadCodec(codecName);

/** What the last operation came to: sums, or the bytes. */
let sum = 0;
let encoded: Uint8Array[] = [];

function chooseOperation(): () => void {
  const adapted = { torrent: codec.adapt(torrent), messages: messages.map(codec.adapt) };
  const read = (...path: string[]): Uint8Array => readFileSync(join(folder, ...path));
  if (task === 'decode-torrent') {
    const bytes = read('sample.torrent');
    return () => {
      sum = codec.sumTorrent(bytes);
    };
  }
  if (task === 'decode-messages') {
    const all = readdirSync(join(folder, 'messages')).map((name) => read('messages', name));
    return () => {
      sum = 0;
      for (let batch = 0; batch < BATCHES; batch += 1) {
        for (const bytes of all) sum += codec.sumMessage(bytes);
      }
    };
  }
  if (task === 'encode-torrent') {
    return () => {
      encoded = [codec.encode(adapted.torrent)];
    };
  }
  return () => {
    for (let batch = 0; batch < BATCHES; batch += 1) encoded = adapted.messages.map(codec.encode);
  };
}

const sample = await measureRepeated(chooseOperation());
const digest = createHash('sha1').update(Buffer.concat(encoded)).digest('hex');
printMeasured(sample, task.startsWith('decode') ? `sum ${sum}` : `SHA-1 ${digest}`);
