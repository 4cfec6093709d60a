import { startServer } from '@bt/nat-punch/node';
import { expect, it, onTestFinished } from 'vitest';
import { doctor } from '../src/doctor.ts';

async function run(port: number, json: boolean) {
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
  const code = await doctor(options, output, new AbortController().signal);
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
