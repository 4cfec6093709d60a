// One run of ours: workload.ts TORRENT FOLDER.
import { readFileSync } from 'node:fs';
import { parseMetainfo } from '@bt/metainfo';
import { FileStore } from '@bt/storage/node';
import { printMeasured, startMeasuring } from '../measured.ts';

const [torrentPath, folder] = process.argv.slice(2) as [string, string];
const end = startMeasuring();
const { info, pieceLayers } = parseMetainfo(readFileSync(torrentPath));
const store = await FileStore.open({
  info,
  pieceLayers,
  folder,
  stateFolder: null,
  readOnly: true,
  check: 'full',
});
const sample = end();
const isWhole = store.isComplete;
await store.close();
printMeasured(sample, `${isWhole ? info.geometry.pieceCount : 'fewer'} pieces are right`);
