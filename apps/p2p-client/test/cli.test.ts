// The program as a process of its own: pipes, signals, exit codes.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startServer } from '@bt/nat-punch/node';
import { expect, it, onTestFinished } from 'vitest';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const NODE_ARGS = [
  '--import',
  import.meta.resolve?.('tsx') ?? 'tsx',
  '--conditions=@bt/source',
  CLI,
];

class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  out = '';
  error = '';
  #wake = () => {};

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [...NODE_ARGS, ...args]);
    onTestFinished(() => void this.child.kill('SIGKILL'));
    this.child.stdout.on('data', (chunk) => {
      this.out += chunk;
      this.#wake();
    });
    this.child.stderr.on('data', (chunk) => {
      this.error += chunk;
    });
    this.ended = once(this.child, 'close').then(([code, signal]) => ({ code, signal }));
  }

  async until(text: string): Promise<void> {
    while (!this.out.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

async function serve(): Promise<[host: string, port: string, pool: string]> {
  const server = await startServer({ port: 0, addresses: ['127.0.0.1'] });
  onTestFinished(() => server.close());
  return ['127.0.0.1', `${server.port}`, '100'];
}

it('prints help, and how wrong usage is right, with its exit code', async () => {
  const help = new Program('--help');
  expect(await help.ended).toEqual({ code: 0, signal: null });
  expect(help.out).toContain('p2p-client doctor HOST PORT');
  const wrong = new Program('host');
  expect(await wrong.ended).toEqual({ code: 2, signal: null });
  expect(wrong.error).toBe(
    "p2p-client: Missing required argument 'port'. See p2p-client --help.\n",
  );
});

it('delivers what is piped in, and ends', async () => {
  const where = await serve();
  const ada = new Program(...where, '--name', 'Ada');
  ada.child.stdin.end('hello\nworld');
  const bob = new Program(...where, '--json');
  expect(await ada.ended).toEqual({ code: 0, signal: null });
  await bob.until('peer-left');
  const texts = bob.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ event }) => event === 'message')
    .map(({ text }) => text);
  expect(texts).toEqual(['hello', 'world']);
  bob.child.stdin.write('/quit\n');
  expect(await bob.ended).toEqual({ code: 0, signal: null });
});

it('leaves at SIGINT and SIGTERM with 130, and says goodbye', async () => {
  const where = await serve();
  const ada = new Program(...where, '--name', 'Ada');
  const bob = new Program(...where, '--name', 'Bob');
  await ada.until('Bob is here');
  await bob.until('Ada is here');
  bob.child.kill('SIGTERM');
  expect(await bob.ended).toEqual({ code: 130, signal: null });
  await ada.until('Bob left.');
  ada.child.kill('SIGINT');
  expect(await ada.ended).toEqual({ code: 130, signal: null });
  expect([ada.error, bob.error]).toEqual(['', '']);
});

it('ends without a trace when nobody reads it any more', async () => {
  const where = await serve();
  const ada = new Program(...where);
  await ada.until('Joined');
  ada.child.stdout.destroy();
  const bob = new Program(...where);
  bob.child.stdin.write('hello\n');
  expect((await ada.ended).code).toBe(141);
  expect(ada.error).toBe('');
  bob.child.stdin.end('/quit\n');
  await bob.ended;
});

it.skipIf(process.platform !== 'linux')('says that its output can not be written', async () => {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [...NODE_ARGS, ...(await serve())], {
    stdio: ['pipe', full, 'pipe'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
    closeSync(full);
  });
  let error = '';
  child.stderr?.on('data', (chunk) => {
    error += chunk;
  });
  expect((await once(child, 'close'))[0]).toBe(74);
  expect(error).toBe("p2p-client: Can't write to standard output (ENOSPC).\n");
});
