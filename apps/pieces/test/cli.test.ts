// The program as a process of its own: signals, pipes, exit codes.
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
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

/** `pieces --json`; `onEvent` is called for every line. */
function start(args: readonly string[], onEvent: (event: JsonEvent) => void): Process {
  const child = spawn(process.execPath, [...NODE_ARGS, '--json', '--bind', LOCALHOST, ...args]);
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

  it('ends at once after a second one', async () => {
    const tracker = await silentTracker();
    const shared = await share(folder.path, { a: 100 }, { announceTiers: [[tracker]] });
    const { child, events, ended } = start(download(shared), ({ event, state }) => {
      // The second when the first one has begun to stop it.
      const isTime = event === 'state' && (state === 'downloading' || state === 'stopped');
      if (isTime) child.kill('SIGINT');
    });
    expect(await ended).toEqual({ code: 130, signal: null, error: '' });
    expect(events.at(-1)).toEqual({ event: 'state', state: 'stopped' });
  });

  it('ends without complaint when its reader goes away', async () => {
    const shared = await share(folder.path, { a: 100 });
    const seeding = ['-t', shared.file, '--dir', shared.dir, '--seed'];
    const { child, ended } = start(seeding, ({ event }) => {
      if (event === 'seeding') child.stdout.destroy();
    });
    expect(await ended).toEqual({ code: 0, signal: null, error: '' });
  });

  it('ends with 2 and a sentence when it is called wrongly', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [
      ...NODE_ARGS,
      '-t',
      'x',
      '--nope',
    ]);
    expect({ status, out: `${stdout}`, error: `${stderr}` }).toEqual({
      status: 2,
      out: '',
      error: "pieces: Unknown option '--nope'. See pieces --help.\n",
    });
  });
});
