// The program as a process of its own.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseMetainfo } from '@bt/metainfo';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeTempFolder } from './harness.ts';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const TSX = import.meta.resolve?.('tsx') ?? 'tsx';
const argumentsFor = (...words: string[]) => [
  '--import',
  TSX,
  '--conditions=@bt/source',
  CLI,
  ...words,
];

describe('the mktorrent process', () => {
  it('makes a torrent of the current folder through a pipe', () => {
    const folder = makeTempFolder();
    writeFileSync(join(folder, 'a'), 'hello');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      argumentsFor('.', '-n', 'x', '-p', '-'),
      { cwd: folder },
    );
    expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: '' });
    expect(parseMetainfo(stdout).info.name).toBe('x');
  });

  it.skipIf(!existsSync('/dev/full'))('says so when its output has no room', () => {
    const folder = makeTempFolder();
    writeFileSync(join(folder, 'a'), 'hello');
    const full = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(full));
    const { status, stderr } = spawnSync(process.execPath, argumentsFor('a', '-p', '-'), {
      cwd: folder,
      stdio: ['ignore', full, 'pipe'],
    });
    expect({ status, stderr: stderr.toString() }).toEqual({
      status: 4,
      stderr: "mktorrent: Standard output can't be written (ENOSPC).\n",
    });
  });

  it('ends with 2 and a sentence when it is called wrongly', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, argumentsFor('--nope'));
    expect(status).toBe(2);
    expect(stdout.toString()).toBe('');
    expect(stderr.toString()).toBe("mktorrent: Unknown option '--nope'. See mktorrent --help.\n");
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends with 130 after %s and leaves nothing',
    async (signal) => {
      const folder = makeTempFolder();
      writeFileSync(join(folder, 'big'), '');
      truncateSync(join(folder, 'big'), 2 ** 40);
      const child = spawn(process.execPath, argumentsFor('big', '-v'), {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stderr = '';
      child.stderr.on('data', (chunk) => {
        if (stderr === '') child.kill(signal); // the first line says that it is hashing
        stderr += chunk;
      });
      expect(await once(child, 'close')).toEqual([130, null]);
      expect(stderr).toMatch(/^Hashed .*\n(.*\n)*mktorrent: Interrupted; nothing was written\.\n$/);
      expect(readdirSync(folder)).toEqual(['big']);
    },
  );

  it('makes the torrent though nobody reads any more what it says', async () => {
    const folder = makeTempFolder();
    mkdirSync(join(folder, 'tree'));
    execFileSync('mkfifo', [join(folder, 'tree/pipe')]); // skipped, which is said after the hashing
    writeFileSync(join(folder, 'tree/a'), 'hello');
    const child = spawn(process.execPath, argumentsFor('tree', '-v'), {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.once('data', () => child.stderr.destroy());
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(readdirSync(folder).sort()).toEqual(['tree', 'tree.torrent']);
  });

  it('ends at once after a second one while the system keeps a thread', async () => {
    const folder = makeTempFolder();
    writeFileSync(join(folder, 'big'), '');
    truncateSync(join(folder, 'big'), 2 ** 40);
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    // A thread in a read without end, and somebody who presses Ctrl-C again.
    const before = `import { Worker } from 'node:worker_threads';
      const work = \`require('node:worker_threads').parentPort.postMessage('begins');
        require('node:fs').readFileSync(${JSON.stringify(pipe)});\`;
      const worker = new Worker(work, { eval: true });
      await new Promise((resolve) => worker.once('message', resolve));
      process.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));`;
    const first = ['--import', `data:text/javascript,${encodeURIComponent(before)}`];
    const child = spawn(process.execPath, [...first, ...argumentsFor('big', '-v')], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.once('data', () => child.kill('SIGINT'));
    // A shell shows 130 for it.
    expect(await once(child, 'close')).toEqual([null, 'SIGINT']);
  });
});
