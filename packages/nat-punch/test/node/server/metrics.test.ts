import type { RequestListener, Server } from 'node:http';
import { afterEach, expect, it, vi } from 'vitest';
import { MetricsServer, prometheusText } from '../../../src/node/server/metrics.ts';

const METRICS = [
  { name: 'members', help: 'Members of pools.', type: 'gauge', value: 3 },
  { name: 'signals_total', help: 'Signals.', type: 'counter', value: 70 },
] as const;
const TEXT = `# HELP nat_punch_members Members of pools.
# TYPE nat_punch_members gauge
nat_punch_members 3
# HELP nat_punch_signals_total Signals.
# TYPE nat_punch_signals_total counter
nat_punch_signals_total 70
`;

const servers = vi.hoisted((): Server[] => []);
vi.mock('node:http', async (importActual) => {
  const http = await importActual<typeof import('node:http')>();
  const createServer = (listener: RequestListener) => {
    const made = http.createServer(listener);
    servers.push(made);
    return made;
  };
  return { ...http, createServer };
});

let server: MetricsServer | undefined;
afterEach(() => server?.close());

it('metrics are text as Prometheus reads it', () => {
  expect(prometheusText(METRICS)).toBe(TEXT);
});

it('they are served at /metrics, and nothing else is', async () => {
  server = await MetricsServer.start({ address: '127.0.0.1', port: 0 }, () => METRICS);
  const url = `http://127.0.0.1:${server.endpoint.port}`;
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4');
  expect(await response.text()).toBe(TEXT);
  expect((await fetch(url)).status).toBe(404);
  expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(404);
});

it('what goes wrong with a connection is nobody else’s affair', async () => {
  server = await MetricsServer.start({ address: '127.0.0.1', port: 0 }, () => METRICS);
  servers.at(-1)!.emit('error', new Error('accept EMFILE'));
  const response = await fetch(`http://127.0.0.1:${server.endpoint.port}/metrics`);
  expect(response.status).toBe(200);
});

it('an address that is not here is named', async () => {
  const starting = MetricsServer.start({ address: '192.0.2.77', port: 9 }, () => []);
  await expect(starting).rejects.toMatchObject({
    code: 'socket',
    message: expect.stringContaining('192.0.2.77 port 9'),
  });
});
