/** A process that saves a piece and then has nothing more to do; `disk-pool.test.ts` waits for its end. */
import { createHash } from 'node:crypto';
import { DiskPool, partsOf } from '../../src/node/disk-pool.ts';

const data = new Uint8Array(1000);
const [, , root = ''] = process.argv;
partsOf(new DiskPool()).executor.submit(
  {
    kind: 'save',
    root,
    paths: ['file'],
    lengths: [1000],
    spans: [0, 0, 1000],
    data,
    expected: { kind: 'sha1', hex: createHash('sha1').update(data).digest('hex'), leafCount: 0 },
    blockHashes: false,
  },
  (answer) => process.stdout.write(answer?.isRight ? 'saved\n' : 'failed\n'),
);
