import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import {
  type ConnectionOwner,
  RendezvousConnection,
} from '../../../src/node/server/rendezvous-connection.ts';
import {
  CREDENTIALS_LIFETIME_MS,
  MAX_BACKLOG_BYTES,
  MESSAGES_BURST,
  SERVER_PATIENCE_MS,
  SERVER_PING_MS,
} from '../../../src/rendezvous/rendezvous-limits.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

class FakeSocket extends EventEmitter {
  bufferedAmount = 0;
  readonly sent: { readonly type: string }[] = [];
  readonly acts: string[] = [];
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  ping(): void {
    this.acts.push('ping');
  }
  close(code: number): void {
    this.acts.push(`close ${code}`);
  }
  terminate(): void {
    this.acts.push('terminate');
  }
}

function connect(fault?: Error) {
  const socket = new FakeSocket();
  const told: string[] = [];
  const owner: ConnectionOwner = {
    handleMessage: (_connection, { type }) => {
      if (fault !== undefined) throw fault;
      told.push(type);
    },
    handleDelay: (_connection, delayMs) => told.push(`delay ${delayMs}`),
    handleRenewal: () => told.push('renewal'),
    handleFault: (_connection, error) => told.push(`fault ${(error as Error).message}`),
    handleEnd: () => told.push('end'),
  };
  const remote = { address: '192.0.2.1', port: 1 };
  const connection = new RendezvousConnection('c1', remote, socket as unknown as WebSocket, owner);
  const join = { type: 'join', version: 1, pool: '100', client: 'aa'.repeat(16), kind: 'browser' };
  connection.join = join as RendezvousConnection['join'];
  return { socket, connection, told };
}

/** The connection's owner looks at it each second; the client answers pings. */
function pass(ms: number, { socket, connection }: ReturnType<typeof connect>): void {
  for (let t = 0; t < ms; t += 1000) {
    vi.advanceTimersByTime(1000);
    const pings = socket.acts.length;
    connection.sweep(performance.now());
    if (socket.acts.length > pings) socket.emit('pong');
  }
}

const WELCOME = {
  type: 'welcome' as const,
  member: '0123456789abcdef',
  roomSize: 2,
  observed: { address: '192.0.2.1', port: 1 },
  credentials: { username: 'u', password: 'p', realm: 'r', expiresInMs: 1 },
  ports: { stun: [1, 2], turn: 1, tls: false },
};

it('asks at once how long a message takes, and again and again', () => {
  const { socket, connection, told } = connect();
  expect(socket.acts).toEqual(['ping']);
  vi.advanceTimersByTime(80);
  socket.emit('pong');
  expect(told).toEqual(['delay 40']);
  expect(connection.delayMs).toBe(40);
  vi.advanceTimersByTime(SERVER_PING_MS);
  connection.sweep(performance.now());
  expect(socket.acts).toEqual(['ping', 'ping']);
});

it('asks for new credentials after half of their life, not before', () => {
  const fixture = connect();
  fixture.connection.send(WELCOME);
  pass(CREDENTIALS_LIFETIME_MS / 2 - 1000, fixture);
  expect(fixture.told).not.toContain('renewal');
  pass(1000, fixture);
  expect(fixture.told.filter((what) => what === 'renewal')).toHaveLength(1);
  fixture.connection.send(WELCOME);
  pass(2000, fixture);
  expect(fixture.told.filter((what) => what === 'renewal')).toHaveLength(1);
});

it('is cut off when nothing comes, and when nothing is taken', () => {
  const silent = connect();
  vi.advanceTimersByTime(SERVER_PATIENCE_MS);
  silent.connection.sweep(performance.now());
  expect(silent.socket.acts.at(-1)).toBe('terminate');
  const slow = connect();
  slow.socket.bufferedAmount = MAX_BACKLOG_BYTES + 1;
  slow.connection.send({ type: 'pong', id: 1 });
  expect(slow.socket.acts.at(-1)).toBe('terminate');
  expect([...silent.told, ...slow.told]).toEqual(['end', 'end']);
});

it('believes one pong for each ping', () => {
  const { socket, told } = connect();
  for (let n = 0; n < 100; n++) socket.emit('pong');
  expect(told).toEqual(['delay 0']);
});

it('is closed for too many pings, or too many bytes', () => {
  const [pinging, flooding] = [connect(), connect()];
  for (let n = 0; n <= MESSAGES_BURST; n++) pinging.socket.emit('ping', Buffer.alloc(0));
  const text = Buffer.from(JSON.stringify({ type: 'ping', id: 1, x: 'x'.repeat(16_000) }));
  for (let n = 0; n < 17; n++) flooding.socket.emit('message', text, false);
  for (const { socket, told } of [pinging, flooding]) {
    expect(socket.sent.at(-1)).toMatchObject({ type: 'error', code: 'too-fast' });
    expect(told).toEqual(['end']);
  }
});

it('says why it closes, hears nothing more, and is cut off when the other end does not close', () => {
  const { socket, connection, told } = connect();
  connection.refuse('restarting', 'Soon again.');
  expect(socket.sent).toEqual([{ type: 'error', code: 'restarting', message: 'Soon again.' }]);
  expect(socket.acts).toEqual(['ping', 'close 1012']);
  socket.emit('message', Buffer.from('{"type":"leave"}'), false);
  connection.send({ type: 'pong', id: 1 });
  socket.emit('close');
  expect(told).toEqual(['end']);
  expect(socket.sent).toHaveLength(1);
  vi.advanceTimersByTime(10_000);
  expect(socket.acts.at(-1)).toBe('terminate');
});

it('is closed alone when its message brings up an error', () => {
  const { socket, told } = connect(new RangeError('a mistake of ours'));
  socket.emit('message', Buffer.from('{"type":"leave"}'), false);
  expect(told).toEqual(['fault a mistake of ours', 'end']);
  expect(socket.sent).toMatchObject([{ type: 'error', code: 'unavailable' }]);
  expect(socket.acts.at(-1)).toBe('close 1008');
});
