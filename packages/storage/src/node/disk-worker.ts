/** The thread that hashes and writes: takes batches of jobs, answers each batch with one message. An empty batch ends it. */
import { parentPort, workerData } from 'node:worker_threads';
import { JobRunner } from './job-runner.ts';
import type { Answer, Job } from './protocol.ts';

const runner = new JobRunner((workerData as { maxOpenFiles: number }).maxOpenFiles);

parentPort?.on('message', (jobs: readonly Job[]) => {
  if (jobs.length === 0) {
    runner.close();
    parentPort?.close();
    return;
  }
  const answers: Answer[] = [];
  const transfer: ArrayBuffer[] = [];
  for (const job of jobs) {
    const answer = runner.run(job);
    if (answer.kind === 'save' || answer.kind === 'write') transfer.push(answer.data.buffer);
    answers.push(answer);
  }
  parentPort?.postMessage(answers, transfer);
});
