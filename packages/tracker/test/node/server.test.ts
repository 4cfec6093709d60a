import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { announce } from '../../src/node/announce.ts';
import { TrackerServer } from '../../src/node/server.ts';
import { REQUEST } from '../requests.ts';

describe('TrackerServer', () => {
  it('names its URLs while it listens', async () => {
    const server = new TrackerServer();
    expect([server.url, server.udpUrl]).toEqual(['', '']);
    await server.listen({ host: '127.0.0.3' });
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.3:\d+\/announce$/);
    expect(server.udpUrl).toMatch(/^udp:\/\/127\.0\.0\.3:\d+\/announce$/);
    await server.close();
    expect([server.url, server.udpUrl]).toEqual(['', '']);
    await server.close();
  });

  it('names loopback when it listens everywhere', async () => {
    const server = new TrackerServer();
    await server.listen({ host: '0.0.0.0' });
    expect(server.url).toContain('//127.0.0.1:');
    expect((await announce(server.udpUrl, REQUEST)).incomplete).toBe(1);
    await server.close();
  });

  it('does without HTTP or UDP', async () => {
    const server = new TrackerServer();
    await server.listen({ httpPort: false });
    expect(server.url).toBe('');
    expect(server.udpUrl).not.toBe('');
    await server.close();
    await server.listen({ udpPort: false });
    expect(server.udpUrl).toBe('');
    expect(server.url).not.toBe('');
    await server.close();
  });

  it('keeps its peers over a pause', async () => {
    const server = new TrackerServer();
    await server.listen();
    await announce(server.url, { ...REQUEST, port: 1 });
    await server.close();
    await server.listen();
    expect((await announce(server.url, { ...REQUEST, port: 2 })).peers).toHaveLength(1);
    await server.close();
  });

  it('says with a typed error what it can not do, and leaves nothing open', async () => {
    const first = new TrackerServer();
    await first.listen();
    const second = new TrackerServer();
    const httpPort = Number(new URL(first.url).port);
    const udpPort = Number(first.udpUrl.split(':')[2]!.split('/')[0]);
    await expect(second.listen({ httpPort })).rejects.toMatchObject({
      code: 'connection',
      cause: { code: 'EADDRINUSE' },
    });
    await expect(second.listen({ udpPort })).rejects.toMatchObject({
      code: 'connection',
      cause: { code: 'EADDRINUSE' },
    });
    expect([second.url, second.udpUrl]).toEqual(['', '']);
    await expect(second.listen({ host: 'localhost' })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    await expect(first.listen()).rejects.toMatchObject({ code: 'invalid-argument' });
    await second.listen();
    await second.close();
    await first.close();
  });

  it('answers a GET and nothing else, one a connection', async () => {
    const server = new TrackerServer();
    await server.listen();
    const origin = new URL(server.url).origin;
    const statusOf = async (path: string, method = 'GET') =>
      (await fetch(`${origin}${path}`, { method })).status;
    expect(await statusOf('/announce')).toBe(200);
    expect(await statusOf('/stats')).toBe(404);
    expect(await statusOf('/announce', 'POST')).toBe(405);
    expect((await fetch(server.url)).headers.get('connection')).toBe('close');
    await server.close();
  });

  it('survives clients that speak nonsense, and closes on those that say nothing', async () => {
    const server = new TrackerServer();
    await server.listen();
    const port = Number(new URL(server.url).port);
    for (const nonsense of [
      'SSH-2.0\r\n\r\n',
      `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`,
      `GET /announce?${'%'.repeat(5000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    ]) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(nonsense);
      socket.resume();
      await once(socket, 'close');
    }
    const silent = connect(port, '127.0.0.1');
    silent.on('error', () => undefined);
    await once(silent, 'connect');
    expect((await announce(server.url, REQUEST)).incomplete).toBe(1);
    const closed = once(silent, 'close');
    await server.close();
    await closed;
  });
});
