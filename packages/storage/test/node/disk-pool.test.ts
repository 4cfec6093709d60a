import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { partsOf } from '../../src/node/disk-pool.ts';
import { DiskPool } from '../../src/node/index.ts';
import type { Answer, Job, SaveJob } from '../../src/node/protocol.ts';
import { noise } from '../torrent.ts';
import { place } from './store-bench.ts';

function run(pool: DiskPool, job: Job): Promise<Answer> {
  return new Promise((resolve, reject) => {
    partsOf(pool).executor.submit(job, (answer, error) =>
      answer ? resolve(answer) : reject(error),
    );
  });
}

function saveJob(root: string, index: number): SaveJob {
  const data = noise(20_000 + index, index);
  return {
    kind: 'save',
    root,
    paths: [`file-${index}`],
    lengths: [data.length],
    spans: [0, 0, data.length],
    data,
    expected: { kind: 'sha1', hex: createHash('sha1').update(data).digest('hex'), leafCount: 0 },
    blockHashes: false,
  };
}

describe('the disk workers', () => {
  it('answer every job, each with its own answer, and take the data with them', async () => {
    const { folder } = place();
    const pool = new DiskPool({ maxWorkers: 2 });
    const jobs = Array.from({ length: 300 }, (_, index) => saveJob(folder, index));
    const answers = jobs.map((job) => run(pool, job));
    await new Promise((resolve) => setImmediate(resolve));
    expect(jobs[0]?.data.length).toBe(0);
    for (const [index, answer] of (await Promise.all(answers)).entries()) {
      expect(answer).toMatchObject({ kind: 'save', isRight: true });
      expect((answer as { data: Uint8Array }).data.length).toBe(20_000 + index);
      const written = fs.readFileSync(path.join(folder, `file-${index}`));
      expect(Buffer.compare(written, noise(20_000 + index, index))).toBe(0);
    }
    pool.close();
  });

  it('that die take their jobs with them, and others take their place', async () => {
    const { folder } = place();
    const pool = new DiskPool({ maxWorkers: 1 });
    const broken = { kind: 'sync', root: folder, paths: null } as unknown as Job;
    await expect(run(pool, broken)).rejects.toThrow();
    await expect(run(pool, saveJob(folder, 1))).resolves.toMatchObject({ isRight: true });
    pool.close();
  });

  it('do not keep the process alive when they have nothing to do', async () => {
    const script = new URL('./idle-process.ts', import.meta.url);
    const loader = ['--import', 'tsx', '--conditions=@bt/source', '--unhandled-rejections=strict'];
    const child = spawn(process.execPath, [...loader, script.pathname, place().folder]);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => (output += text));
    const code = await new Promise((resolve) => child.on('exit', resolve));
    expect([code, output]).toEqual([0, 'saved\n']);
  });
});
