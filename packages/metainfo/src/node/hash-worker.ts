// The hash worker's thread: jobs in, hashes out, until it is terminated.
import { parentPort, workerData } from 'node:worker_threads';
import { FileError } from './errors.ts';
import { type HashJob, runHashJob } from './hash-job.ts';
import type { HashReply } from './hash-pool.ts';

const port = parentPort;
if (port === null) throw new Error('hash-worker runs as a worker thread only');
const bytesHashed = workerData as BigUint64Array<SharedArrayBuffer>;

port.on('message', (job: HashJob) => {
  try {
    const result = runHashJob(job, (bytes) => Atomics.add(bytesHashed, 0, BigInt(bytes)));
    const reply: HashReply = { result };
    port.postMessage(reply, [result.sha1.buffer, result.merkle.buffer]);
  } catch (error) {
    const reply: HashReply =
      error instanceof FileError
        ? { code: error.code, path: error.path, message: error.message, cause: error.cause }
        : { code: 'worker-failed', path: '', message: 'hashing failed', cause: error };
    port.postMessage(reply);
  }
});
