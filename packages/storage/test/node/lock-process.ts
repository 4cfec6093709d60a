/** A process that has a torrent open in a folder until it is killed; `lock-file.test.ts` is its other side. */
import { FileStore } from '../../src/node/index.ts';
import { makeSample } from '../torrent.ts';

const [, , folder = '', stateFolder = ''] = process.argv;
const { info } = makeSample({ pieceLength: 16_384, files: [{ path: 'a', length: 20_000 }] });
await FileStore.open({ info, folder, stateFolder });
process.stdout.write('open\n');
setInterval(() => {}, 1000);
