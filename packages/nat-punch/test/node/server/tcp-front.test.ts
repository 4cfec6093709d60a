import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from '@bt/endpoint';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodeChannelData, STUN_ATTRIBUTE, STUN_METHOD } from '../../../src/index.ts';
import { makeCertificate } from '../../../src/node/channel/certificate.ts';
import { RelayServer, type RelayServerOptions } from '../../../src/node/index.ts';
import {
  MAX_TCP_BACKLOG_BYTES,
  TCP_IDLE_MS,
  TCP_PATIENCE_MS,
} from '../../../src/turn/relay-limits.ts';
import { StunPeer, writerOf } from './stun-peer.ts';

const DATA = Uint8Array.of(1, 2, 3, 4, 5);
const open: { close(): unknown }[] = [];
let tls: { cert: string; key: string };

beforeAll(() => {
  const { certificate: cert, key } = makeCertificate();
  tls = { cert, key };
});

afterEach(async () => {
  vi.useRealTimers();
  for (const each of open.splice(0).reverse()) await each.close();
});

async function start(options: Partial<RelayServerOptions> = {}): Promise<RelayServer> {
  const server = await RelayServer.start({
    ...{ port: 0, realm: 'p2p', addresses: ['127.0.0.1'], allowPeers: ['127.0.0.0/8'], tls },
    access: {
      passwordOf: (username) => (username === 'alice' ? 'secret' : undefined),
      mayReach: () => 'class',
    },
    ...options,
  });
  open.push(server);
  return server;
}

async function dial(server: RelayServer): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined);
  open.push({ close: () => socket.destroy() });
  await once(socket, 'connect');
  return socket;
}

async function dialTls(server: RelayServer): Promise<Socket> {
  const socket = connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
  socket.on('error', () => undefined);
  open.push({ close: () => socket.destroy() });
  await once(socket, 'secureConnect');
  return socket;
}

function peerOn(socket: Socket, server: RelayServer): StunPeer {
  const local = { address: socket.localAddress!, port: socket.localPort! };
  return StunPeer.stream(socket, { address: '127.0.0.1', port: server.port }, local);
}

function closed(socket: Socket): Promise<void> {
  socket.resume();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

describe.each(['tcp', 'tls'] as const)('STUN and TURN over %s', (transport) => {
  const dialer = transport === 'tcp' ? dial : dialTls;

  it('answers Binding', async () => {
    const server = await start();
    const peer = peerOn(await dialer(server), server);
    const answer = await peer.bind();
    expect(answer.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)).toEqual(peer.local);
  });

  it('relays, with ChannelData padded to four bytes', async () => {
    const seen: string[] = [];
    const server = await start({ onBinding: (name, _, by) => seen.push(`${name} ${by}`) });
    const socket = await dialer(server);
    const client = peerOn(socket, server);
    const relayed = await client.allocate();
    const peer = await StunPeer.udp(relayed);
    open.push(peer);
    expect((await client.bindChannel(0x4000, peer.local)).class).toBe('success');
    for (let i = 0; i < 3; i++) {
      client.send(encodeChannelData(0x4000, DATA, true));
      expect(await peer.receive()).toEqual({ bytes: DATA, from: relayed });
      peer.send(DATA);
      expect((await client.receive()).bytes).toEqual(encodeChannelData(0x4000, DATA));
    }
    expect(seen[0]).toBe(`alice ${transport}`);
    // A message in single bytes.
    for (const byte of encodeChannelData(0x4000, DATA, true)) client.send(Uint8Array.of(byte));
    expect((await peer.receive()).bytes).toEqual(DATA);
  });

  it('ends an allocation with its connection', async () => {
    let ended = (): void => undefined;
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const server = await start({ onAllocationEnd: () => ended() });
    const socket = await dialer(server);
    await peerOn(socket, server).allocate();
    expect(server.statistics).toMatchObject({ allocations: 1, tcpConnections: 1 });
    socket.end();
    await end;
    expect(server.statistics.allocations).toBe(0);
  });

  it('closes a connection that goes on with something else', async () => {
    const server = await start();
    const socket = await dialer(server);
    await peerOn(socket, server).bind();
    socket.write('\x90 is neither');
    await closed(socket);
  });
});

it('sends one message a TLS record, however many wait: some clients take no more of it', async () => {
  const server = await start();
  const socket = await dialTls(server);
  const sizes: number[] = [];
  let answered = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    answered = resolve;
  });
  socket.on('data', (chunk: Buffer) => {
    sizes.push(chunk.length);
    if (sizes.reduce((sum, size) => sum + size) === 20 * 32) answered();
  });
  const request = writerOf(STUN_METHOD.binding).finish();
  socket.write(Uint8Array.from(Array.from({ length: 20 }, () => [...request]).flat()));
  await done;
  expect(sizes).toEqual(Array.from({ length: 20 }, () => 32));
});

describe('the first byte of a connection', () => {
  it.each(['\x90', 'SSH-2.0\r\n', 'POST / HTTP/1.1\r\n\r\n', '\xff'])(
    '%j: closed at once',
    async (bytes) => {
      const server = await start();
      const socket = await dial(server);
      socket.write(bytes, 'latin1');
      await closed(socket);
    },
  );

  it('of TLS without a certificate, and of HTTP that nobody serves: closed at once', async () => {
    const server = await start({ tls: undefined });
    for (const bytes of ['\x16\x03\x01\x00\x05', 'GET / HTTP/1.1\r\n\r\n']) {
      const socket = await dial(server);
      socket.write(bytes, 'latin1');
      await closed(socket);
    }
  });

  it('of HTTP, plain and secure, is left to whoever serves it, with all its bytes', async () => {
    const http = createHttpServer((incoming, response) => response.end(`you ask ${incoming.url}`));
    const remotes: [Endpoint, boolean][] = [];
    const server = await start({
      onHttp: (socket, remote, isSecure) => {
        remotes.push([remote, isSecure]);
        http.emit('connection', socket);
        socket.resume();
      },
    });
    for (const ask of [request, secureRequest]) {
      const asked = ask({
        ...{ host: '127.0.0.1', port: server.port, path: '/health' },
        ...{ rejectUnauthorized: false, agent: false },
      }).end();
      const [response] = await once(asked, 'response');
      let text = '';
      for await (const chunk of response) text += chunk;
      expect(text).toBe('you ask /health');
    }
    expect(remotes.map(([, isSecure]) => isSecure)).toEqual([false, true]);
    expect(remotes[0]![0].address).toBe('127.0.0.1');
  });

  it('of a TLS handshake that is none: closed', async () => {
    const server = await start();
    const socket = await dial(server);
    socket.write('\x16\x03\x01\x00\x05hello', 'latin1');
    await closed(socket);
    expect((await peerOn(await dialTls(server), server).bind()).class).toBe('success');
  });
});

describe('patience', () => {
  const fake = () =>
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    });

  /** Until the server has noticed a connection. */
  async function accepted(server: RelayServer, count = 1): Promise<void> {
    while (server.statistics.tcpConnections < count) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it(`ends after ${TCP_PATIENCE_MS} ms with a connection that says nothing`, async () => {
    fake();
    const server = await start();
    const socket = await dial(server);
    await accepted(server);
    vi.advanceTimersByTime(TCP_PATIENCE_MS - 1);
    expect(socket.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    await closed(socket);
  });

  it(`ends after ${TCP_PATIENCE_MS} ms with half a message`, async () => {
    fake();
    const server = await start();
    const socket = await dial(server);
    const peer = peerOn(socket, server);
    await peer.bind();
    const bytes = writerOf(STUN_METHOD.binding).finish();
    // The answer to the whole one shows that the half behind it has come as well.
    peer.send(Uint8Array.of(...bytes, ...bytes.subarray(0, 10)));
    await peer.receive();
    vi.advanceTimersByTime(TCP_PATIENCE_MS + 2_000);
    await closed(socket);
  });

  it(`ends after ${TCP_IDLE_MS} ms without an allocation, and not with one`, async () => {
    fake();
    const server = await start();
    const idle = await dial(server);
    await peerOn(idle, server).bind();
    const busy = await dial(server);
    const client = peerOn(busy, server);
    await client.allocate();
    vi.advanceTimersByTime(TCP_IDLE_MS + 2_000);
    await closed(idle);
    expect((await client.bind()).class).toBe('success');
  });

  it('is the same for a TLS handshake that never ends', async () => {
    fake();
    const server = await start();
    const socket = await dial(server);
    // The head of a ClientHello, and nothing more.
    socket.write('\x16\x03\x01\x02\x00', 'latin1');
    await accepted(server);
    await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(2 * TCP_PATIENCE_MS);
    await closed(socket);
  });
});

it('counts connections, and forgets those that have closed', async () => {
  const server = await start();
  const socket = await dial(server);
  await peerOn(socket, server).bind();
  expect(server.statistics.tcpConnections).toBe(1);
  socket.destroy();
  while (server.statistics.tcpConnections > 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
});

it(`a client that reads nothing has ${MAX_TCP_BACKLOG_BYTES} bytes kept, and loses the rest`, async () => {
  const server = await start({ bytesPerSecond: Number.POSITIVE_INFINITY });
  const socket = await dial(server);
  const client = peerOn(socket, server);
  const peer = await StunPeer.udp(await client.allocate());
  open.push(peer);
  await client.bindChannel(0x4000, peer.local);
  socket.pause();
  const datagram = new Uint8Array(60_000);
  while (server.statistics.droppedPackets === 0) {
    peer.send(datagram);
    await new Promise((resolve) => setImmediate(resolve));
  }
  // It reads again, and what comes then is whole.
  socket.resume();
  const { bytes } = await client.receive();
  expect(bytes).toHaveLength(60_004);
});

it('a client that asks and reads no answers is closed', async () => {
  const server = await start({ requestsPerSecond: Number.POSITIVE_INFINITY });
  const socket = await dial(server);
  const request = writerOf(STUN_METHOD.binding).finish();
  const many = Uint8Array.from(Array.from({ length: 3_000 }, () => [...request]).flat());
  let isClosed = false;
  socket.once('close', () => {
    isClosed = true;
  });
  while (!isClosed) {
    if (socket.writableLength < 1_000_000) socket.write(many);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(server.statistics.tcpConnections).toBe(0);
});

it('refuses a certificate that is none', async () => {
  await expect(start({ tls: { cert: 'x', key: 'y' } })).rejects.toMatchObject({
    code: 'invalid-argument',
  });
});
