import { lookup } from 'node:dns/promises';
import { connect, Socket } from 'node:net';
import { startServer } from '@bt/nat-punch/node';
import { expect, it, onTestFinished, vi } from 'vitest';
import { doctor } from '../src/doctor.ts';

vi.mock('node:dns/promises', async (original) => {
  const real = await original<typeof import('node:dns/promises')>();
  return { ...real, lookup: vi.fn(real.lookup) };
});
vi.mock('node:net', async (original) => {
  const real = await original<typeof import('node:net')>();
  return { ...real, connect: vi.fn(real.connect) };
});

async function run(port: number, json: boolean, interrupted = new AbortController().signal) {
  let out = '';
  let error = '';
  const output = {
    isTerminal: false,
    out: (text: string) => {
      out += text;
    },
    error: (text: string) => {
      error += text;
    },
  };
  const options = { command: 'doctor', host: '127.0.0.1', port, json } as const;
  const code = await doctor(options, output, interrupted);
  return { code, out, error };
}

it('tells what there is, and what it means', async () => {
  const server = await startServer({ port: 0, addresses: ['127.0.0.1'] });
  onTestFinished(() => server.close());
  const text = await run(server.port, false);
  expect(text.code).toBe(0);
  expect(text.out).toMatch(/^seen as {4}127\.0\.0\.1:\d+\nmapping {4}none\n/);
  expect(text.out).toContain('There is no NAT');
  const json = await run(server.port, true);
  expect(JSON.parse(json.out)).toMatchObject({
    event: 'nat',
    hasUdp: true,
    hasTcp: true,
    mapping: 'none',
  });
});

it('says in one sentence that nothing answers', async () => {
  const server = await startServer({ port: 0, addresses: ['127.0.0.1'] });
  const { port } = server;
  await server.close();
  const { code, error } = await run(port, false);
  expect(code).toBe(3);
  expect(error).toBe(`p2p-client: 127.0.0.1 port ${port} answers neither by UDP nor by TCP.\n`);
});

it('is interrupted while the name is looked up', async () => {
  vi.mocked(lookup).mockReturnValueOnce(new Promise(() => {}));
  const interrupted = new AbortController();
  const result = run(1, false, interrupted.signal);
  interrupted.abort();
  expect(await result).toEqual({ code: 130, out: '', error: '' });
});

it('is interrupted while nothing answers', async () => {
  const socket = new Socket();
  const connected = new Promise<void>((resolve) => {
    vi.mocked(connect).mockImplementationOnce(() => {
      resolve();
      return socket;
    });
  });
  // Then no wait ends by itself.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const interrupted = new AbortController();
  const result = run(1, false, interrupted.signal);
  await connected;
  interrupted.abort();
  expect(await result).toEqual({ code: 130, out: '', error: '' });
  expect(socket.destroyed).toBe(true);
});
