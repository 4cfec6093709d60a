/**
 * Downloads what is missing of a torrent and prints each piece that was saved. After so many it has five more under way and
 * waits to be killed; `kill.test.ts` does that.
 */
import { PieceBuffers } from '../../src/index.ts';
import { FileStore } from '../../src/node/index.ts';
import { Recorder } from '../recorder.ts';
import { killSample } from './kill-sample.ts';

const [, , folder = '', stateFolder = '', killAfter = ''] = process.argv;
const { info, piece } = killSample();
const { geometry } = info;
const store = await FileStore.open({ info, folder, stateFolder });
const events = new Recorder();
store.connect(events);
const buffers = new PieceBuffers({ geometry, disk: store });
events.onBuffer = (buffer) => buffers.recycle(buffer);
const writer = buffers.createWriter();
const isHad = (pieceIndex: number): boolean =>
  ((store.have[pieceIndex >> 3]! << (pieceIndex & 7)) & 0x80) !== 0;
function send(pieceIndex: number): void {
  const data = piece(pieceIndex);
  for (let block = 0; block < geometry.blockCount(pieceIndex); block++) {
    const at = block * geometry.blockLength;
    const length = geometry.blockSize(pieceIndex, block);
    writer.start(pieceIndex, at, length);
    writer.write(data, at, at + length, 0);
    writer.end();
  }
  buffers.save(pieceIndex);
}

const missing = Array.from(
  { length: geometry.pieceCount },
  (_, step) => (step * 29) % geometry.pieceCount,
).filter((pieceIndex) => !isHad(pieceIndex));
for (const [count, pieceIndex] of missing.entries()) {
  const isLast = count === Number(killAfter);
  for (const next of isLast ? missing.slice(count, count + 5) : [pieceIndex]) send(next);
  if (isLast) await new Promise(() => setInterval(() => {}, 1000));
  await events.until(() => events.saved.has(pieceIndex));
  process.stdout.write(`${pieceIndex}\n`);
}
await store.close();
process.stdout.write('done\n');
