// The hash worker's thread: jobs in, hashes out, until it is terminated.
import { parentPort, workerData } from 'node:worker_threads';
import { errnoOf, FileError } from './errors.ts';
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
    port.postMessage(replyOf(error));
  }
});

function replyOf(error: unknown): HashReply {
  if (!(error instanceof FileError)) {
    const message = `A hash worker failed: ${messageOf(error)}.`;
    return { code: 'worker-failed', path: '', message, cause: undefined };
  }
  const { code, path, message, cause } = error;
  const system =
    cause === undefined ? undefined : { message: messageOf(cause), code: errnoOf(cause) };
  return { code, path, message, cause: system };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
