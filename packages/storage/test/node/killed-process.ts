/** Downloads what is missing of a torrent until it is killed; `kill.test.ts` does that. Prints each piece that was saved. */
import { PieceBuffers } from '../../src/index.ts';
import { FileStore } from '../../src/node/index.ts';
import { Recorder } from '../recorder.ts';
import { killSample } from './kill-sample.ts';

const [, , folder = '', stateFolder = ''] = process.argv;
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
for (let step = 0; step < geometry.pieceCount; step++) {
  const pieceIndex = (step * 29) % geometry.pieceCount;
  if (isHad(pieceIndex)) continue;
  const data = piece(pieceIndex);
  for (let block = 0; block < geometry.blockCount(pieceIndex); block++) {
    const at = block * geometry.blockLength;
    const length = geometry.blockSize(pieceIndex, block);
    writer.start(pieceIndex, at, length);
    writer.write(data, at, at + length, 0);
    writer.end();
  }
  buffers.save(pieceIndex);
  await events.until(() => events.saved.has(pieceIndex));
  process.stdout.write(`${pieceIndex}\n`);
}
await store.close();
process.stdout.write('done\n');
