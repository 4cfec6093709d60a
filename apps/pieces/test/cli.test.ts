// The program as a process of its own: signals, pipes, exit codes.
import {
  type ChildProcessWithoutNullStreams,
  execFileSync,
  spawn,
  spawnSync,
} from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type JsonEvent, LOCALHOST, type Shared, share, useTempFolder } from './harness.ts';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const NODE_ARGS = [
  '--import',
  import.meta.resolve?.('tsx') ?? 'tsx',
  '--conditions=@bt/source',
  CLI,
];
const folder = useTempFolder();

interface Process {
  readonly child: ChildProcessWithoutNullStreams;
  readonly events: JsonEvent[];
  /** Exit code, signal and what was said on standard error. */
  readonly ended: Promise<{ code: number | null; signal: string | null; error: string }>;
}

/** `pieces --json`; `onEvent` is called for every line. `before` is a module that runs first. */
function start(args: readonly string[], onEvent: (event: JsonEvent) => void, before = ''): Process {
  const first = ['--import', `data:text/javascript,${encodeURIComponent(before)}`];
  const all = [...first, ...NODE_ARGS, '--json', '--bind', LOCALHOST, ...args];
  const child = spawn(process.execPath, all);
  onTestFinished(() => void child.kill('SIGKILL'));
  let error = '';
  child.stderr.on('data', (chunk) => {
    error += chunk;
  });
  const events: JsonEvent[] = [];
  createInterface(child.stdout).on('line', (line) => {
    const event = JSON.parse(line) as JsonEvent;
    events.push(event);
    onEvent(event);
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, error }));
  return { child, events, ended };
}

/** A module that starts a thread, and ends when that has begun to do `what`. */
function withWorker(what: string): string {
  const begin = "require('node:worker_threads').parentPort.postMessage('begins');";
  return `import { Worker } from 'node:worker_threads';
    const worker = new Worker(${JSON.stringify(begin + what)}, { eval: true });
    await new Promise((resolve) => worker.once('message', resolve));
    worker.unref();`;
}

/** A tracker that takes every call and never answers, so that a clean stop takes its three seconds. */
async function silentTracker(): Promise<string> {
  const server = createServer();
  await once(server.listen(0, LOCALHOST), 'listening');
  onTestFinished(() => void server.close());
  return `http://${LOCALHOST}:${(server.address() as { port: number }).port}/announce`;
}

function download(shared: Shared): string[] {
  return ['-t', shared.file, '--dir', folder.path];
}

describe('the pieces process', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('stops cleanly after %s', async (signal) => {
    const shared = await share(folder.path, { a: 100 });
    const { child, events, ended } = start(download(shared), ({ event, state }) => {
      if (event === 'state' && state === 'downloading') child.kill(signal);
    });
    expect(await ended).toEqual({ code: 130, signal: null, error: '' });
    expect(events.at(-1)).toMatchObject({ event: 'stopped', complete: false });
  });

  /** Interrupts a download, and again when that has begun to stop it. */
  async function interruptTwice(before?: string) {
    const tracker = await silentTracker();
    const shared = await share(folder.path, { a: 100 }, { announceTiers: [[tracker]] });
    const interrupt = ({ event, state }: JsonEvent) => {
      const isTime = event === 'state' && (state === 'downloading' || state === 'stopped');
      if (isTime) child.kill('SIGINT');
    };
    const { child, events, ended } = start(download(shared), interrupt, before);
    const end = await ended;
    expect(events.at(-1)).toEqual({ event: 'state', state: 'stopped' });
    return end;
  }

  // A shell shows 130 for it.
  const atOnce = { code: null, signal: 'SIGINT', error: '' };

  it('ends at once after a second one', async () => {
    expect(await interruptTwice()).toEqual(atOnce);
  });

  it('ends at once after a second one while a thread is busy', async () => {
    expect(await interruptTwice(withWorker('for (;;);'))).toEqual(atOnce);
  });

  it('ends at once after a second one while the system keeps a thread', async () => {
    const pipe = join(folder.path, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const before = withWorker(`require('node:fs').readFileSync(${JSON.stringify(pipe)})`);
    expect(await interruptTwice(before)).toEqual(atOnce);
  });

  it('ends when it is interrupted while it waits for the .torrent from a pipe', async () => {
    const pipe = join(folder.path, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const { child, events, ended } = start(['-t', pipe, '--dir', folder.path], () => {});
    // Opens when the other end does.
    const writer = await open(pipe, 'w');
    try {
      await writer.write('d8:announce');
      child.kill('SIGINT');
      expect(await ended).toEqual(atOnce);
      expect(events).toEqual([]);
    } finally {
      await writer.close();
    }
  });

  it('ends without complaint when its reader goes away', async () => {
    const shared = await share(folder.path, { a: 100 });
    const seeding = ['-t', shared.file, '--dir', shared.dir, '--seed'];
    const { child, ended } = start(seeding, ({ event }) => {
      if (event === 'seeding') child.stdout.destroy();
    });
    expect(await ended).toEqual({ code: 0, signal: null, error: '' });
  });

  it.skipIf(!existsSync('/dev/full'))('says so when its output has no room', async () => {
    const shared = await share(folder.path, { a: 100 });
    const full = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(full));
    const args = [...NODE_ARGS, ...download(shared), '--bind', LOCALHOST];
    const { status, stderr } = spawnSync(process.execPath, args, {
      stdio: ['ignore', full, 'pipe'],
    });
    expect({ status, error: `${stderr}` }).toEqual({
      status: 4,
      error: "pieces: The output can't be written (ENOSPC).\n",
    });
  });

  it('ends with 2 and a sentence when it is called wrongly', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [
      ...NODE_ARGS,
      '-t',
      'x',
      '--unheard-of',
    ]);
    expect({ status, out: `${stdout}`, error: `${stderr}` }).toEqual({
      status: 2,
      out: '',
      error: "pieces: Unknown option '--unheard-of'. See pieces --help.\n",
    });
  });

  it.each([
    [
      ['--json', '-m', 'foo'],
      /^Option '-m, --magnet-link <uri>' .* in quotes\. See pieces --help\.$/,
    ],
    [
      ['-t', 'x', '--json', '--unheard-of'],
      /^Unknown option '--unheard-of'\. See pieces --help\.$/,
    ],
    [['dht', 'get', 'zz', '--json'], /^A target has 40 hexadecimal digits/],
  ])('is called wrongly with %j: an event says so', (args, message) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [...NODE_ARGS, ...args]);
    expect({ status, error: `${stderr}` }).toEqual({ status: 2, error: '' });
    expect(JSON.parse(`${stdout}`)).toEqual({
      event: 'error',
      message: expect.stringMatching(message),
      exitCode: 2,
    });
  });

  it('takes the value of an item from standard input', () => {
    const key = join(folder.path, 'my.key');
    for (const value of [['-'], ['--file', '-']]) {
      const args = ['dht', 'put', ...value, '--key', key, '--bencoded', '--bind', LOCALHOST];
      const { status, stderr } = spawnSync(process.execPath, [...NODE_ARGS, ...args], {
        input: 'no bencode',
      });
      expect({ status, error: `${stderr}` }).toEqual({
        status: 2,
        error: 'pieces: The value is not bencoded.\n',
      });
    }
  });
});
