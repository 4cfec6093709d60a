import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { makeEndpoint } from '@bt/endpoint';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { LocalPools } from '../../../src/node/server/pool-host.ts';
import {
  type RendezvousLogEvent,
  RendezvousServer,
  type RendezvousServerOptions,
} from '../../../src/node/server/rendezvous-server.ts';
import {
  MAX_CONNECTIONS_PER_NETWORK,
  MESSAGES_BURST,
  REQUEST_TIMEOUT_MS,
  SERVER_PATIENCE_MS,
} from '../../../src/rendezvous/rendezvous-limits.ts';
import { SignallingProbe } from './signalling-probe.ts';

const cleanUps: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(options: Partial<RendezvousServerOptions> = {}) {
  const log: RendezvousLogEvent[] = [];
  const server = new RendezvousServer({
    pools: new LocalPools(2),
    realm: 'test.example',
    ports: () => ({ stun: [3478, 3479], turn: 3478, tls: false }),
    log: (event) => log.push(event),
    ...options,
  });
  const listener = createServer((socket) => {
    const remote = makeEndpoint(socket.remoteAddress!, socket.remotePort!)!;
    server.handleSocket(socket, remote);
  }).listen({ host: '127.0.0.1', port: 0 });
  await once(listener, 'listening');
  cleanUps.push(async () => {
    await server.close();
    listener.close();
  });
  const { port } = listener.address() as { port: number };
  return { server, port, log, url: `http://127.0.0.1:${port}` };
}

async function join(port: number, name: string, pool?: string): Promise<SignallingProbe> {
  const probe = await SignallingProbe.join(port, name, pool);
  cleanUps.push(() => probe.close());
  return probe;
}

async function open(port: number, headers?: Record<string, string>): Promise<SignallingProbe> {
  const probe = await SignallingProbe.open(port, headers);
  cleanUps.push(() => probe.close());
  return probe;
}

describe('signalling', () => {
  it('brings two together, and carries their signals', async () => {
    const { port, log } = await start();
    const a = await SignallingProbe.open(port);
    cleanUps.push(() => a.close());
    a.send({ type: 'join', version: 1, pool: '100', client: 'a0'.repeat(16), kind: 'browser' });
    const welcome = await a.next('welcome');
    expect(welcome).toMatchObject({
      roomSize: 2,
      observed: { address: '127.0.0.1' },
      credentials: { realm: 'test.example', expiresInMs: expect.any(Number) },
      ports: { stun: [3478, 3479], turn: 3478, tls: false },
    });
    const b = await join(port, 'b');
    const [toA, toB] = [await a.next('peer'), await b.next('peer')];
    expect(toA.pairKey).toEqual(toB.pairKey);
    expect(toA).toMatchObject({ name: 'b', seen: ['127.0.0.1'] });
    a.send({ type: 'signal', peer: toA.peer, number: 1, acknowledged: 0, data: { hello: 'b' } });
    expect(await b.next('signal')).toEqual({
      type: 'signal',
      peer: welcome.member,
      number: 1,
      acknowledged: 0,
      data: { hello: 'b' },
    });
    a.send({ type: 'ping', id: 7 });
    expect(await a.next('pong')).toEqual({ type: 'pong', id: 7 });
    a.send({ type: 'leave' });
    expect(await b.next('peer-left')).toMatchObject({ reason: 'left' });
    expect(log.map(({ event }) => event)).toEqual(['joined', 'joined', 'left']);
  });

  it('tells the other of a connection that is cut', async () => {
    const { port, server } = await start();
    const [a, b] = [await join(port, 'a'), await join(port, 'b')];
    await b.next('peer');
    a.close();
    await b.next('peer-away');
    await join(port, 'a');
    await b.next('peer');
    expect(server.statistics).toMatchObject({ members: 2, pools: 1, pairs: 1 });
  });

  it.each([
    ['what is no JSON', 'hello', 'invalid-message'],
    ['an unknown message', '{"type":"steal"}', 'invalid-message'],
    ['a signal before it has joined', signalTo('0'.repeat(16)), 'not-joined'],
    ['another version', JSON.stringify({ ...JOIN(), version: 2 }), 'version'],
  ])('ends for who sends %s', async (_what, text, code) => {
    const { port } = await start();
    const probe = await open(port);
    probe.send(text);
    expect(await probe.next('error')).toMatchObject({ code });
    expect(await probe.closed).toBe(1008);
  });

  it('ends for who sends bytes, or more than 16 KiB', async () => {
    const { port } = await start();
    const binary = await open(port);
    binary.socket.send(new Uint8Array(3));
    expect(await binary.next('error')).toMatchObject({ code: 'invalid-message' });
    const long = await open(port);
    long.socket.send('x'.repeat(16 * 1024 + 1));
    expect(await long.closed).toBe(1009);
  });

  it('ends for who sends what would be too long to be passed on, and for nobody else', async () => {
    const { port } = await start();
    const [a, b] = [await join(port, 'a'), await join(port, 'b')];
    const { peer } = await a.next('peer');
    const data = `{"a":[${Array(3000).fill('1e20').join(',')}]}`;
    a.send(`${signalTo(peer).slice(0, -1)},"data":${data}}`);
    expect(await a.next('error')).toMatchObject({ code: 'invalid-message' });
    await b.next('peer-away');
    b.send({ type: 'ping', id: 1 });
    expect(await b.next('pong')).toEqual({ type: 'pong', id: 1 });
  });

  it('ends for who sends too much', async () => {
    const { port } = await start();
    const a = await join(port, 'a');
    for (let id = 0; id < MESSAGES_BURST + 100; id++) a.send({ type: 'ping', id });
    expect(await a.next('error')).toMatchObject({ code: 'too-fast' });
    expect(await a.closed).toBe(1008);
  });

  it('ends for who sends more than the other may be slow to read, and not for the other', async () => {
    const { port, server } = await start();
    const [a, b] = [await join(port, 'a'), await join(port, 'b')];
    const { peer } = await a.next('peer');
    b.socket.pause();
    const data = { text: 'x'.repeat(16_000) };
    for (let number = 1; number < 100; number++) {
      a.send({ type: 'signal', peer, number, acknowledged: 0, data });
    }
    expect(await a.next('error')).toMatchObject({ code: 'too-fast' });
    b.socket.resume();
    await b.next('peer-away');
    expect(server.statistics.signals).toBe(16);
  });
});

describe('time', () => {
  it('ends a connection that asks for nothing, or does not join', async () => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'setInterval', 'performance', 'clearTimeout', 'clearInterval'],
    });
    const { port } = await start();
    const silent = await dial(port);
    const slow = await dial(port);
    slow.write('GET /signal HTTP/1.1\r\nHost: x\r\n');
    const idle = await open(port);
    const closed = [once(silent, 'close'), once(slow, 'close')];
    const refused = idle.next('error');
    // The server has all of them.
    await open(port);
    await vi.advanceTimersByTimeAsync(REQUEST_TIMEOUT_MS);
    await Promise.all(closed);
    expect(await refused).toMatchObject({ code: 'not-joined' });
  });

  it('ends a connection whose other end is gone without a word', async () => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'setInterval', 'performance', 'clearTimeout', 'clearInterval'],
    });
    const { port, server } = await start();
    const a = await join(port, 'a');
    // It answers no ping any more.
    a.socket.pause();
    expect(server.statistics.away).toBe(0);
    await vi.advanceTimersByTimeAsync(SERVER_PATIENCE_MS + 1000);
    a.socket.resume();
    await a.closed;
    expect(server.statistics.connections).toBe(0);
  });
});

describe('who may come', () => {
  it('programs, which send no Origin, and pages of the server itself', async () => {
    const { port } = await start();
    for (const headers of [
      {},
      { Origin: `http://127.0.0.1:${port}` },
      { Origin: 'https://chat.example', Host: 'CHAT.example' },
    ] as Record<string, string>[]) {
      await open(port, headers);
    }
  });

  it('no pages of others', async () => {
    const { port } = await start();
    for (const origin of [
      'https://evil.example',
      'null',
      `http://127.0.0.1:${port}.evil.example`,
    ]) {
      expect(await statusOf(port, '/signal', { Origin: origin })).toBe(403);
    }
  });

  it('nobody by another path', async () => {
    const { port } = await start();
    expect(await statusOf(port, '/signals')).toBe(404);
    expect(await statusOf(port, '/')).toBe(404);
  });

  it('a bounded number from one address', async () => {
    const { port, server } = await start();
    const sockets: Socket[] = [];
    for (let n = 0; n <= MAX_CONNECTIONS_PER_NETWORK; n++) sockets.push(await dial(port));
    const last = sockets.at(-1)!;
    if (!last.closed) await once(last, 'close');
    expect(server.statistics.refusals).toBeGreaterThan(0);
    expect(server.statistics.connections).toBeLessThanOrEqual(MAX_CONNECTIONS_PER_NETWORK);
    for (const socket of sockets) socket.destroy();
  });
});

describe('HTTP', () => {
  it('/health says ok, and nothing else', async () => {
    const { url } = await start();
    expect((await fetch(`${url}/health`, { method: 'HEAD' })).status).toBe(200);
    const response = await fetch(`${url}/health`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('ok\n');
    expect([...response.headers.keys()].sort()).toEqual([
      'cache-control',
      'connection',
      'content-type',
      'date',
      'transfer-encoding',
      'x-content-type-options',
    ]);
  });

  it('/ is the page, and only its own scripts run', async () => {
    const { url } = await start({ page: '<!doctype html><script>let a = 1;</script>' });
    const response = await fetch(url);
    expect(await response.text()).toContain('let a = 1;');
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toContain(
      "script-src 'sha256-xY6QKfH9PRsQnLz56nj6MBwiK5oHg+im1Jkpdp1x/Ck='",
    );
  });

  it('/ without a page says what this is', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/?x`);
    expect(await response.text()).toContain('rendezvous server');
    expect(response.headers.get('content-security-policy')).toContain("script-src 'none'");
  });

  it('has nothing else', async () => {
    const { url, port } = await start();
    for (const path of ['/metrics', '/../etc/passwd', '/signal', '/health/x']) {
      expect((await fetch(`${url}${path}`)).status).toBe(404);
    }
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(405);
    const socket = await dial(port);
    socket.end('GARBAGE\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
  });
});

describe('the relay', () => {
  it('knows the password of members, as long as they are', async () => {
    const { port, server } = await start();
    const a = await SignallingProbe.open(port);
    cleanUps.push(() => a.close());
    a.send(JSON.stringify(JOIN()));
    const { credentials } = await a.next('welcome');
    expect(server.passwordOf(credentials.username)).toBe(credentials.password);
    expect(server.passwordOf('alice')).toBeUndefined();
    expect(server.passwordOf(credentials.username.replace(/:.*:/, `:${'0'.repeat(16)}:`))).toBe(
      undefined,
    );
    a.send({ type: 'leave' });
    a.send({ type: 'ping', id: 1 });
    await a.next('pong');
    expect(server.passwordOf(credentials.username)).toBeUndefined();
  });

  it('carries to what was seen or allocated of the partner, and to nothing else', async () => {
    const { port, server } = await start();
    const a = await SignallingProbe.open(port);
    cleanUps.push(() => a.close());
    a.send(JSON.stringify(JOIN()));
    const usernameA = (await a.next('welcome')).credentials.username;
    const b = await SignallingProbe.open(port);
    cleanUps.push(() => b.close());
    b.send(JSON.stringify({ ...JOIN(), client: 'bb'.repeat(16) }));
    const usernameB = (await b.next('welcome')).credentials.username;
    await b.next('peer');
    const at = (address: string, port = 9) => ({ address, port });
    expect(server.mayReach(usernameA, at('127.0.0.1'))).toBe('yes');
    expect(server.mayReach(usernameA, at('10.0.0.1'))).toBe('no');
    server.handleSeen(usernameB, '198.51.100.7');
    expect((await a.next('peer-seen')).seen).toEqual(['127.0.0.1', '198.51.100.7']);
    expect(server.mayReach(usernameA, at('198.51.100.7'))).toBe('yes');
    expect(server.mayReach(usernameB, at('198.51.100.7'))).toBe('no');
    server.handleAllocation(usernameB, at('10.1.1.1', 50_000), true);
    expect(server.mayReach(usernameA, at('10.1.1.1', 50_000))).toBe('endpoint');
    expect(server.mayReach(usernameA, at('10.1.1.1', 50_001))).toBe('no');
    server.handleAllocation(usernameB, at('10.1.1.1', 50_000), false);
    expect(server.mayReach(usernameA, at('10.1.1.1', 50_000))).toBe('no');
    b.send({ type: 'leave' });
    await a.next('peer-left');
    expect(server.mayReach(usernameA, at('198.51.100.7'))).toBe('no');
    expect(server.mayReach('alice', at('198.51.100.7'))).toBe('no');
    // What is told of somebody else's user names changes nothing.
    server.handleSeen('alice', '10.0.0.1');
    server.handleAllocation('alice', at('10.0.0.1'), true);
  });
});

it('a drain sends everybody away, and lets nobody in', async () => {
  const { port, server } = await start();
  const a = await join(port, 'a');
  server.shut();
  expect(await statusOf(port, '/signal')).toBe(503);
  server.open();
  await join(port, 'b');
  server.drain();
  expect(await a.next('error')).toMatchObject({ code: 'restarting' });
  expect(await a.closed).toBe(1012);
  expect(await statusOf(port, '/signal')).toBe(503);
});

function JOIN() {
  return { type: 'join', version: 1, pool: '100', client: 'aa'.repeat(16), kind: 'terminal' };
}

function signalTo(peer: string): string {
  return JSON.stringify({ type: 'signal', peer, number: 1, acknowledged: 0 });
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  cleanUps.push(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Of the answer to a WebSocket that is refused. */
async function statusOf(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<number | undefined> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  socket.terminate();
  return response.statusCode;
}
