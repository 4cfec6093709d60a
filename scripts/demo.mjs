// The main job, on loopback alone: make a torrent of a sample, seed it, download it through our own tracker, and compare.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TrackerServer } from '../packages/tracker/dist/node.js';
import { root } from './setup.mjs';

const MIB = 1 << 20;
/** A sample of 256 MiB: one large file, a few of odd sizes in nested folders, an empty one. */
const SAMPLE = [
  ['film.bin', 160 * MIB],
  ['music/one.bin', 40 * MIB + 1],
  ['music/two.bin', 31 * MIB - 7],
  ['notes/deep/three.bin', 25 * MIB - 12_339],
  ['notes/four.bin', 12_345],
  ['notes/empty.txt', 0],
];

/** The apps that run: process to the promise of its exit code. */
const children = new Map();
const folder = await mkdtemp(join(tmpdir(), 'bt-demo-'));
let server;
/** The exit code that a signal asks for. */
let interruptedCode;

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.on(signal, () => {
    interruptedCode = code;
    for (const child of children.keys()) child.kill('SIGTERM');
  });
}

/** To be called between steps: the end after a signal. */
function throwIfInterrupted() {
  if (interruptedCode !== undefined) throw new Error('interrupted');
}

async function cleanUp() {
  for (const child of children.keys()) child.kill('SIGKILL');
  await Promise.allSettled(children.values());
  await server?.close();
  await rm(folder, { recursive: true, force: true });
}

/** Starts an app; `done` resolves with its exit code. */
function start(name, args, stdio) {
  const child = spawn(process.execPath, [join(root, 'apps', name, 'dist', 'cli.js'), ...args], {
    stdio,
    // What it remembers of these torrents goes with the sample.
    env: {
      ...process.env,
      XDG_STATE_HOME: join(folder, 'state'),
      LOCALAPPDATA: join(folder, 'state'),
    },
  });
  const done = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      children.delete(child);
      resolve(code);
    });
  });
  children.set(child, done);
  return { child, done };
}

async function run(name, args) {
  console.log(`\n$ ${name} ${args.join(' ')}`);
  const code = await start(name, args, 'inherit').done;
  throwIfInterrupted();
  if (code !== 0) throw new Error(`${name} ended with code ${code}`);
}

async function writeSample(to) {
  for (const [name, length] of SAMPLE) {
    const path = join(to, name);
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'w');
    try {
      for (let left = length; left > 0; left -= MIB) {
        throwIfInterrupted();
        await file.write(randomBytes(Math.min(left, MIB)));
      }
    } finally {
      await file.close();
    }
  }
}

async function digest(folderToRead) {
  const hash = createHash('sha256');
  for (const [name] of SAMPLE) {
    throwIfInterrupted();
    hash.update(`\0${name}\0`);
    await pipeline(createReadStream(join(folderToRead, name)), async (chunks) => {
      for await (const chunk of chunks) hash.update(chunk);
    });
  }
  return hash.digest('hex');
}

try {
  const sample = join(folder, 'sample');
  const torrent = join(folder, 'sample.torrent');
  const downloads = join(folder, 'downloads');
  console.log('Writing a sample of 256 MiB in 6 files ...');
  await writeSample(sample);

  server = new TrackerServer();
  await server.listen({ host: '127.0.0.1' });
  await run('mktorrent', ['-a', server.url, '-f', sample, '-p', torrent]);

  const seed = start(
    'pieces',
    ['-t', torrent, '--dir', folder, '--seed', '--bind', '127.0.0.1', '--quiet'],
    ['ignore', 'inherit', 'inherit'],
  );
  const startedAt = performance.now();
  await run('pieces', ['-t', torrent, '--dir', downloads, '--bind', '127.0.0.1']);
  const seconds = (performance.now() - startedAt) / 1000;
  seed.child.kill('SIGINT');
  await seed.done;

  if ((await digest(sample)) !== (await digest(join(downloads, 'sample')))) {
    throw new Error('the download differs from the sample');
  }
  console.log(`
Made a torrent of 256 MiB in 6 files, seeded it, and downloaded it through our own tracker in ${seconds.toFixed(1)} s.
Every byte of the copy equals the original; all of it stayed on 127.0.0.1, and the sample is deleted again.
Next: npm run mktorrent -- -f PATH -a http://TRACKER/announce   and   npm start -- -t FILE.torrent --dir FOLDER`);
} catch (error) {
  const isInterrupted = interruptedCode !== undefined;
  const what = isInterrupted
    ? 'was interrupted; nothing is left of it'
    : `failed: ${error.message}`;
  console.error(`\nThe demonstration ${what}.`);
  process.exitCode = interruptedCode ?? 1;
} finally {
  await cleanUp();
}
