// Requests to web seeds against servers on loopback that do what no server should.

import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type AddressClass, addressClass } from '@bt/endpoint';
import { afterEach, describe, expect, it } from 'vitest';
import { selfSignedCertificate } from '../../../tracker/test/node/certificate.ts';
import { Connections } from '../../src/node/connections.ts';
import { WebSeedClient, type WebSeedClientOptions } from '../../src/node/web-seed-client.ts';
import type { WebAnswer } from '../../src/web-seed/answer.ts';
import type { WebFetchFailure } from '../../src/web-seed/web-fetch.ts';
import { headOf, listenRaw, serve, writeForever } from '../support/raw-web-server.ts';

const FILE = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) & 0xff));

/** Which address plays which part: all of them are on loopback. */
const CAST: Record<string, AddressClass> = {
  '127.0.0.2': 'public',
  '127.0.0.3': 'public',
  '127.0.0.4': 'private',
  '127.0.0.5': 'link-local',
  '127.0.0.6': 'unspecified',
};
const classify = (address: string): AddressClass => CAST[address] ?? addressClass(address);

let clients: WebSeedClient[] = [];
afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});

function makeClient(options: Partial<WebSeedClientOptions> = {}): WebSeedClient {
  const client = new WebSeedClient({
    localAddress: undefined,
    connections: new Connections(),
    classify,
    ...options,
  });
  clients.push(client);
  return client;
}

interface Outcome {
  readonly answer: WebAnswer | undefined;
  readonly body: Buffer;
  readonly failure: WebFetchFailure | undefined;
}

interface GetOptions {
  readonly start?: number;
  readonly end?: number;
  readonly client?: WebSeedClient;
  /** Told how much has come so far. */
  readonly onReceived?: (lengthBytes: number) => void;
}

function get(url: string, options: GetOptions = {}): Promise<Outcome> {
  const { start = 0, end = FILE.length, client = makeClient() } = options;
  return new Promise((resolve) => {
    let answer: WebAnswer | undefined;
    const chunks: Uint8Array[] = [];
    client.request(
      { url, start, end, fileLength: FILE.length },
      {
        answered: (head) => {
          answer = head;
        },
        received: (chunk) => {
          chunks.push(Buffer.from(chunk));
          options.onReceived?.(Buffer.concat(chunks).length);
        },
        ended: (failure) => resolve({ answer, body: Buffer.concat(chunks), failure }),
      },
      false,
    );
  });
}

const at = (port: number, host = '127.0.0.1', path = '/file') => `http://${host}:${port}${path}`;

describe('a well-behaved server', () => {
  it('gets one GET for a range, with nothing compressed, and no range for a whole file', async () => {
    await using server = await listenRaw((socket, head) => serve(socket, head, FILE));
    const part = await get(at(server.port), { start: 100, end: 300 });
    expect(part.failure).toBeUndefined();
    expect(part.answer).toMatchObject({ status: 206, contentRange: 'bytes 100-299/100000' });
    expect(part.body.equals(FILE.subarray(100, 300))).toBe(true);
    const [line, ...fields] = server.heads[0]!.split('\r\n');
    expect(line).toBe('GET /file HTTP/1.1');
    expect(fields).toContain('Range: bytes=100-299');
    expect(fields).toContain('Accept-Encoding: identity');
    expect(fields).toContain(`Host: 127.0.0.1:${server.port}`);
    const whole = await get(at(server.port));
    expect(whole.body.equals(FILE)).toBe(true);
    expect(server.heads[1]).not.toMatch(/^range:/im);
  });

  it('keeps its connection for the requests that follow, and is counted once', async () => {
    await using server = await listenRaw((socket, head) => serve(socket, head, FILE));
    const connections = new Connections();
    const client = makeClient({ connections });
    for (let i = 0; i < 5; i += 1) {
      const { failure, body } = await get(at(server.port), { client, start: i, end: i + 50_000 });
      expect(failure).toBeUndefined();
      expect(body).toHaveLength(50_000);
    }
    expect(server.connections()).toBe(1);
    expect(connections.count).toBe(1);
    client.close();
    await expect.poll(() => connections.count).toBe(0);
  });

  it('may close a kept connection just when it is used again', async () => {
    await using server = await listenRaw((socket, head, number) => {
      if (number === 2) socket.resetAndDestroy();
      else serve(socket, head, FILE);
    });
    const client = makeClient();
    await get(at(server.port), { client });
    const second = await get(at(server.port), { client });
    expect(second.failure).toBeUndefined();
    expect(second.body.equals(FILE)).toBe(true);
    expect(server.heads).toHaveLength(3);
  });

  it('is read only when it is to be', async () => {
    const blocked: Socket[] = [];
    await using server = await listenRaw((socket) => {
      socket.write(headOf('200 OK', { 'Content-Length': 64 * 1024 * 1024 }));
      blocked.push(socket);
      writeForever(socket, new Uint8Array(65_536));
    });
    let received = 0;
    const client = makeClient();
    let answered: () => void = () => {};
    const isAnswered = new Promise<void>((resolve) => {
      answered = resolve;
    });
    const request = client.request(
      { url: at(server.port), start: 0, end: 2 ** 26, fileLength: 2 ** 26 },
      {
        answered,
        received: (chunk) => {
          received += chunk.length;
          if (received > 1_000_000) request.setPaused(true);
        },
        ended: () => undefined,
      },
      true,
    );
    await isAnswered;
    // The sender is stopped by TCP: nothing is taken out of the connection.
    await expect.poll(() => blocked[0]!.writableNeedDrain).toBe(true);
    expect(received).toBe(0);
    request.setPaused(false);
    await expect.poll(() => received).toBeGreaterThan(1_000_000);
    await expect.poll(() => blocked[0]!.writableNeedDrain).toBe(true);
    expect(received).toBeLessThan(1_200_000);
    expect(blocked[0]!.bytesWritten).toBeLessThan(40_000_000);
  });

  it('is heard no more after a request was cancelled', async () => {
    const closed: Promise<unknown>[] = [];
    await using server = await listenRaw((socket) => {
      closed.push(new Promise((resolve) => socket.on('close', resolve)));
      socket.write(headOf('200 OK', { 'Content-Length': FILE.length }));
      writeForever(socket, new Uint8Array(100));
    });
    let isCancelled = false;
    const client = makeClient();
    await new Promise<void>((resolve) => {
      const request = client.request(
        { url: at(server.port), start: 0, end: FILE.length, fileLength: FILE.length },
        {
          answered: () => {
            request.cancel();
            isCancelled = true;
            resolve();
          },
          received: () => expect(isCancelled).toBe(false),
          ended: () => expect.unreachable(),
        },
        false,
      );
    });
    await closed[0];
  });

  it('does no harm when a request is cancelled with the last bytes of an answer that had waited', async () => {
    const file = FILE.subarray(0, 1000);
    const closed: Promise<unknown>[] = [];
    await using server = await listenRaw((socket, head) => {
      closed.push(new Promise((resolve) => socket.on('close', resolve)));
      serve(socket, head, file);
    });
    const client = makeClient();
    await new Promise<void>((resolve) => {
      const request = client.request(
        { url: at(server.port), start: 0, end: file.length, fileLength: file.length },
        {
          // By then all of it is there.
          answered: () => void setImmediate(() => request.setPaused(false)),
          received: () => {
            request.cancel();
            resolve();
          },
          ended: () => expect.unreachable(),
        },
        true,
      );
    });
    await closed[0];
  });

  it('may answer later', async () => {
    for (const [value, ms] of [
      ['120', 120_000],
      [new Date(Date.now() + 60_000).toUTCString(), 60_000],
      ['-3', undefined],
      ['soon', undefined],
      ['2026', 2_026_000],
    ] as const) {
      await using server = await listenRaw((socket) =>
        socket.end(headOf('503 Busy', { 'Retry-After': value, 'Content-Length': 0 })),
      );
      const { answer } = await get(at(server.port));
      expect(answer?.status).toBe(503);
      if (ms === undefined) expect(answer?.retryAfterMs).toBeUndefined();
      else expect(Math.abs(answer!.retryAfterMs! - ms)).toBeLessThan(2_000);
    }
  });

  it('gets credentials of its URL, which nobody else sees', async () => {
    await using other = await listenRaw((socket) => socket.end(headOf('404 Not Found')));
    await using server = await listenRaw((socket) =>
      socket.end(headOf('302 Found', { Location: at(other.port), 'Content-Length': 0 })),
    );
    const url = `http://user:secret%20word@127.0.0.1:${server.port}/file`;
    await get(url);
    const encoded = Buffer.from('user:secret word').toString('base64');
    expect(server.heads[0]).toContain(`Authorization: Basic ${encoded}`);
    expect(other.heads[0]).not.toMatch(/authorization/i);
  });
});

describe('a server that misbehaves', () => {
  const failureOf = async (answer: (socket: Socket, head: string) => void) => {
    await using server = await listenRaw(answer);
    const outcome = await get(at(server.port));
    expect(JSON.stringify(outcome.failure)).not.toMatch(/127\.0\.0\.1|SECRET/);
    return { ...outcome, asked: server.heads.length };
  };

  it.each([
    [
      'headers without end',
      'bad-answer',
      'HTTP/1.1 200 OK\r\n',
      'X-SECRET: aaaaaaaaaaaaaaaaaaaa\r\n',
    ],
    ['one header without end', 'bad-answer', 'HTTP/1.1 200 OK\r\nX: ', 'SECRET'.repeat(100)],
    ['informational answers without end', 'bad-answer', '', 'HTTP/1.1 102 Processing\r\n\r\n'],
    ['something else than HTTP', 'bad-answer', 'SECRET\r\n\r\n', 'SECRET'],
  ])('by %s is given up', async (_, code, first, more) => {
    const { failure } = await failureOf((socket) => {
      socket.write(first);
      writeForever(socket, more);
    });
    expect(failure?.code).toBe(code);
  });

  it('by hanging up is given up', async () => {
    const { failure } = await failureOf((socket) => socket.destroy());
    expect(failure?.code).toBe('connection');
  });

  it('by another protocol is given up', async () => {
    const { failure } = await failureOf((socket) =>
      socket.write(headOf('101 Switching Protocols', { Upgrade: 'x', Connection: 'Upgrade' })),
    );
    expect(failure?.code).toBe('bad-answer');
  });

  it.each([
    ['ends', (socket: Socket) => socket.end()],
    ['is reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('whose body %s too early fails, with what has come', async (_, stop) => {
    let socket: Socket | undefined;
    await using server = await listenRaw((connected) => {
      socket = connected;
      socket.write(headOf('200 OK', { 'Content-Length': FILE.length }));
      socket.write(FILE.subarray(0, 30_000));
    });
    const onReceived = (lengthBytes: number) => {
      if (lengthBytes === 30_000) stop(socket!);
    };
    const { failure, body } = await get(at(server.port), { onReceived });
    expect(failure?.code).toBe('connection');
    expect(body).toHaveLength(30_000);
  });

  it('with broken chunks fails', async () => {
    const { failure } = await failureOf((socket) => {
      socket.write(headOf('200 OK', { 'Transfer-Encoding': 'chunked' }));
      socket.write('5\r\nhello\r\nzz\r\nSECRET');
    });
    expect(failure?.code).toBe('bad-answer');
  });

  it('with bytes behind its answer spoils the next one at most', async () => {
    await using server = await listenRaw((socket, head, number) => {
      serve(socket, head, FILE);
      if (number === 1) socket.write(`${headOf('200 OK', { 'Content-Length': 4 })}evil`);
    });
    const client = makeClient();
    const first = await get(at(server.port), { client });
    expect(first.body.equals(FILE)).toBe(true);
    const second = await get(at(server.port), { client });
    // Either it came on a new connection, or it is seen not to be what was asked for.
    const isRight = second.body.equals(FILE);
    expect(isRight || second.failure !== undefined || second.answer?.contentLength === '4').toBe(
      true,
    );
  });
});

describe('redirects', () => {
  const redirect =
    (location: string, status = '302 Found') =>
    (socket: Socket) =>
      socket.write(`${headOf(status, { Location: location, 'Content-Length': 5 })}moved`);

  it.each([301, 302, 303, 307, 308])('of status %i are followed', async (status) => {
    await using target = await listenRaw((socket, head) => serve(socket, head, FILE));
    await using server = await listenRaw(redirect(at(target.port), `${status} Moved`));
    const { body, failure } = await get(at(server.port), { start: 10, end: 20 });
    expect(failure).toBeUndefined();
    expect(body.equals(FILE.subarray(10, 20))).toBe(true);
    expect(target.heads[0]).toContain('Range: bytes=10-19');
  });

  it('are followed five times, and end a loop', async () => {
    await using server = await listenRaw((socket, head) => {
      const number = Number(/^GET \/(\d+)/.exec(head)![1]);
      if (number === 100) serve(socket, head, FILE);
      else redirect(`/${number + 1}`)(socket);
    });
    const five = await get(at(server.port, '127.0.0.1', '/95'));
    expect(five.body.equals(FILE)).toBe(true);
    const six = await get(at(server.port, '127.0.0.1', '/94'));
    expect(six.failure).toEqual({
      code: 'bad-answer',
      message: 'it redirects more than 5 times',
    });
    expect(server.heads).toHaveLength(12);
  });

  it('keep the connection when they are short, and no longer when they are long', async () => {
    await using server = await listenRaw((socket, head) => {
      if (head.startsWith('GET /long')) {
        socket.write(headOf('302 Found', { Location: '/file', 'Content-Length': 10_000_000 }));
        writeForever(socket, new Uint8Array(1000));
      } else if (head.startsWith('GET /short')) redirect('/file')(socket);
      else serve(socket, head, FILE);
    });
    const short = await get(at(server.port, '127.0.0.1', '/short'));
    expect(short.body.equals(FILE)).toBe(true);
    expect(server.connections()).toBe(1);
    const long = await get(at(server.port, '127.0.0.1', '/long'));
    expect(long.body.equals(FILE)).toBe(true);
  });

  it.each([
    ['a file', 'file:///etc/passwd'],
    ['FTP', 'ftp://127.0.0.1/'],
    ['no URL', 'http://[/'],
    ['nothing to be asked', 'javascript:alert(1)'],
  ])('to %s are refused', async (_, location) => {
    await using server = await listenRaw(redirect(location));
    const { failure } = await get(at(server.port));
    expect(failure?.code).toBe('bad-answer');
  });

  it('from a public address never lead to another', async () => {
    await using canary = await listenRaw((socket, head) => serve(socket, head, FILE), '0.0.0.0');
    for (const host of ['127.0.0.1', '127.0.0.4', '127.0.0.5', '127.0.0.6', 'localhost']) {
      await using server = await listenRaw(redirect(at(canary.port, host)), '127.0.0.2');
      const { failure, body } = await get(at(server.port, '127.0.0.2'));
      expect(failure?.code, host).toBe('forbidden');
      expect(body).toHaveLength(0);
    }
    expect(canary.connections()).toBe(0);
  });

  it('from a public address never lead back by way of another public one', async () => {
    await using canary = await listenRaw((socket, head) => serve(socket, head, FILE));
    await using second = await listenRaw(redirect(at(canary.port)), '127.0.0.3');
    await using first = await listenRaw(redirect(at(second.port, '127.0.0.3')), '127.0.0.2');
    const { failure } = await get(at(first.port, '127.0.0.2'));
    expect(failure?.code).toBe('forbidden');
    expect(second.heads).toHaveLength(1);
    expect(canary.connections()).toBe(0);
  });

  it('may lead from a private address to a public one', async () => {
    await using server = await listenRaw((socket, head) => serve(socket, head, FILE), '127.0.0.2');
    await using local = await listenRaw(redirect(at(server.port, '127.0.0.2')), '127.0.0.4');
    const { body } = await get(at(local.port, '127.0.0.4'));
    expect(body.equals(FILE)).toBe(true);
  });

  it('never use a kept connection to where they may not lead', async () => {
    await using local = await listenRaw((socket, head) => serve(socket, head, FILE), '127.0.0.4');
    await using outside = await listenRaw(
      redirect(`http://name.example:${local.port}/file`),
      '127.0.0.2',
    );
    // The name leads to the private server at first, then to a public address.
    const found = ['127.0.0.4', '127.0.0.3'];
    const client = makeClient({
      lookupHost: async () => [{ address: found.shift()! }],
    });
    const first = await get(`http://name.example:${local.port}/file`, { client });
    expect(first.failure).toBeUndefined();
    const second = await get(at(outside.port, '127.0.0.2'), { client });
    expect(second.failure?.code).toBe('forbidden');
    expect(local.heads).toHaveLength(1);
  });
});

describe('an address', () => {
  it('on this host or its network may be asked for a file without a query', async () => {
    for (const host of ['127.0.0.1', '127.0.0.4', '127.0.0.5']) {
      await using server = await listenRaw((socket, head) => serve(socket, head, FILE), host);
      expect((await get(at(server.port, host))).body.equals(FILE)).toBe(true);
      const { failure } = await get(at(server.port, host, '/reboot?now=1'));
      expect(failure?.code).toBe('forbidden');
      expect(server.heads).toHaveLength(1);
    }
    await using server = await listenRaw((socket, head) => serve(socket, head, FILE), '127.0.0.2');
    expect((await get(at(server.port, '127.0.0.2', '/f?key=1'))).body.equals(FILE)).toBe(true);
  });

  it('that is no server is never asked', async () => {
    await using server = await listenRaw((socket, head) => serve(socket, head, FILE), '0.0.0.0');
    for (const host of ['127.0.0.6', '0.0.0.0', '224.0.0.1', '255.255.255.255']) {
      const { failure } = await get(at(server.port, host));
      expect(failure?.code, host).toBe('forbidden');
    }
    expect(server.connections()).toBe(0);
  });

  it('of a name is resolved once and connected to', async () => {
    await using server = await listenRaw((socket, head) => serve(socket, head, FILE), '127.0.0.2');
    let lookups = 0;
    const client = makeClient({
      lookupHost: async () => {
        lookups += 1;
        return [{ address: lookups === 1 ? '127.0.0.2' : '127.0.0.1' }];
      },
    });
    const { body } = await get(`http://name.example:${server.port}/f`, { client });
    expect(body.equals(FILE)).toBe(true);
    expect(lookups).toBe(1);
  });

  it('elsewhere is not asked by a session that is bound to loopback, nor is a name resolved', async () => {
    const client = makeClient({
      localAddress: '127.0.0.1',
      lookupHost: () => expect.unreachable(),
    });
    for (const url of ['http://name.example/f', 'http://192.0.2.1/f', 'http://[2001:db8::1]/f']) {
      expect((await get(url, { client })).failure?.code).toBe('connection');
    }
  });

  it('is reached from the one that the session is bound to', async () => {
    const from: (string | undefined)[] = [];
    await using server = await listenRaw((socket, head) => {
      from.push(socket.remoteAddress);
      serve(socket, head, FILE);
    });
    await get(at(server.port), { client: makeClient({ localAddress: '127.0.0.9' }) });
    expect(from).toEqual(['127.0.0.9']);
  });

  it.each(['http://h:99999/', 'http://%zz/', 'http://u%zz:p@127.0.0.1/', 'ftp://127.0.0.1/'])(
    'that is none is refused: %s',
    async (url) => {
      const { failure } = await get(url);
      expect(failure?.code).toBe('forbidden');
      expect(failure?.message).not.toContain(url);
    },
  );
});

describe('TLS', () => {
  it('is validated', async () => {
    const { key, cert } = selfSignedCertificate('localhost');
    const server = createTlsServer({ key, cert }, (_request, response) => response.end(FILE));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const url = `https://localhost:${port}/file`;
      const untrusted = await get(url, { client: makeClient({ localAddress: '127.0.0.1' }) });
      expect(untrusted.failure?.code).toBe('connection');
      const options = { localAddress: '127.0.0.1', certificateAuthority: cert };
      const trusted = await get(url, { client: makeClient(options) });
      expect(trusted.failure).toBeUndefined();
      expect(trusted.body.equals(FILE)).toBe(true);
      const other = await get(`https://127.0.0.1:${port}/file`, { client: makeClient(options) });
      expect(other.failure?.code).toBe('connection');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
