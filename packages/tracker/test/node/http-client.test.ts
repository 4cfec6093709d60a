import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { inspect } from 'node:util';
import { deflateSync, gzipSync } from 'node:zlib';
import type { AddressClass } from '@bt/endpoint';
import { addressClass } from '@bt/endpoint';
import { describe, expect, it } from 'vitest';
import { TrackerError } from '../../src/errors.ts';
import {
  announce,
  announceAmong,
  scrape,
  type TrackerClientOptions,
} from '../../src/node/announce.ts';
import { REQUEST } from '../requests.ts';
import { selfSignedCertificate } from './certificate.ts';
import { httpAnswer, listenRaw, writeForever } from './raw-server.ts';

const ANSWER = 'd8:intervali900e5:peers6:\x0a\x00\x00\x01\x1a\xe1e';
const PEERS = [{ address: '10.0.0.1', port: 6881 }];

/** Which address plays which part: all of them are on loopback. */
const CAST: Record<string, AddressClass> = {
  '127.0.0.2': 'public',
  '127.0.0.3': 'public',
  '127.0.0.4': 'private',
};
const classify = (address: string): AddressClass => CAST[address] ?? addressClass(address);

/** Announces with the cast in place of the table of addresses. */
const perform = (url: string, options: TrackerClientOptions = {}) =>
  announceAmong(classify, url, REQUEST, options);

const failure = async (promise: Promise<unknown>): Promise<TrackerError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TrackerError);
  return error as TrackerError;
};

/** Announces to a server that answers so, and hands over the error. */
const answered = async (
  answer: (socket: Socket, head: string) => void,
  timeoutMs?: number,
): Promise<TrackerError> => {
  await using server = await listenRaw(answer);
  return await failure(
    announce(`http://127.0.0.1:${server.port}/announce`, REQUEST, { timeoutMs }),
  );
};

describe('a well-behaved tracker', () => {
  it('gets one GET with the exact bytes of the info-hash', async () => {
    await using server = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)));
    const answer = await announce(`http://127.0.0.1:${server.port}/announce`, {
      ...REQUEST,
      event: 'started',
    });
    expect(answer).toMatchObject({ intervalSeconds: 900, peers: PEERS });
    const [line, ...fields] = server.heads[0]!.split('\r\n');
    expect(line).toBe(
      'GET /announce?info_hash=%00%0C%18%240%3CHT%60lx%84%90%9C%A8%B4%C0%CC%D8%E4&peer_id=-BT0001-abcdefghijkl&port=6881' +
        '&uploaded=0&downloaded=0&left=1000&compact=1&no_peer_id=1&numwant=50&key=12345678&event=started HTTP/1.1',
    );
    expect(fields).toContain(`Host: 127.0.0.1:${server.port}`);
    expect(fields).toContain('Connection: close');
    expect(fields).toContain('Accept-Encoding: gzip');
  });

  it.each(['chunked', 'until the end', 'gzip', 'x-gzip', 'deflate'])(
    'may answer %s',
    async (way) => {
      const body = Buffer.from(ANSWER, 'latin1');
      await using server = await listenRaw((socket) => {
        if (way === 'chunked') {
          socket.end(
            Buffer.concat([
              Buffer.from(
                `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`,
              ),
              body,
              Buffer.from('\r\n0\r\n\r\n'),
            ]),
          );
        } else if (way === 'until the end') {
          socket.end(Buffer.concat([Buffer.from('HTTP/1.0 200 OK\r\n\r\n'), body]));
        } else {
          socket.end(
            httpAnswer(way === 'deflate' ? deflateSync(body) : gzipSync(body), {
              'Content-Encoding': way,
            }),
          );
        }
      });
      expect((await announce(`http://127.0.0.1:${server.port}/announce`, REQUEST)).peers).toEqual(
        PEERS,
      );
    },
  );

  it('may send its answer a byte at a time', async () => {
    await using server = await listenRaw((socket) => {
      const bytes = httpAnswer(ANSWER);
      const next = (at: number): void => {
        if (at === bytes.length) socket.end();
        else socket.write(bytes.subarray(at, at + 1), () => next(at + 1));
      };
      next(0);
    });
    expect((await announce(`http://127.0.0.1:${server.port}/announce`, REQUEST)).peers).toEqual(
      PEERS,
    );
  });

  it('is reached from the local address asked for', async () => {
    let from: string | undefined;
    await using server = await listenRaw((socket) => {
      from = socket.remoteAddress;
      socket.end(httpAnswer(ANSWER));
    });
    await announce(`http://127.0.0.1:${server.port}/announce`, REQUEST, {
      localAddress: '127.0.0.9',
    });
    expect(from).toBe('127.0.0.9');
  });

  it('is given the credentials of its URL, and nobody else', async () => {
    await using other = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)));
    await using server = await listenRaw((socket) =>
      socket.end(
        httpAnswer('', { Location: `http://127.0.0.1:${other.port}/announce` }, '302 Found'),
      ),
    );
    await announce(`http://user:p%40ss@127.0.0.1:${server.port}/announce`, REQUEST);
    expect(server.heads[0]).toContain(`Authorization: Basic ${btoa('user:p@ss')}\r\n`);
    expect(other.heads[0]).not.toContain('Authorization');
  });

  it('is scraped at its scrape URL', async () => {
    const hash = new Uint8Array(20).fill(0x61);
    await using server = await listenRaw((socket) =>
      socket.end(
        httpAnswer(
          `d5:filesd20:${'a'.repeat(20)}d8:completei1e10:downloadedi2e10:incompletei3eeee`,
        ),
      ),
    );
    const entries = await scrape(`http://127.0.0.1:${server.port}/announce`, [
      REQUEST.infoHash,
      hash,
    ]);
    expect(entries).toEqual([undefined, { complete: 1, downloaded: 2, incomplete: 3 }]);
    expect(server.heads[0]).toMatch(/^GET \/scrape\?info_hash=%00%0C[^ &]*&info_hash=a{20} HTTP/);
  });
});

describe('answers without end or measure', () => {
  it('a body without end', async () => {
    const error = await answered((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      writeForever(socket, 'x'.repeat(65_536));
    });
    expect(error.code).toBe('too-large');
  });

  it('chunks without end', async () => {
    const error = await answered((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      writeForever(socket, `1000\r\n${'x'.repeat(4096)}\r\n`);
    });
    expect(error.code).toBe('too-large');
  });

  it('headers without end', async () => {
    const error = await answered((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      writeForever(socket, `X-Filler: ${'x'.repeat(1000)}\r\n`);
    });
    expect(error.code).toBe('too-large');
  });

  it('informational answers without end', async () => {
    const error = await answered((socket) =>
      writeForever(socket, 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)),
    );
    expect(error.code).toBe('too-large');
  });

  it('a body that inflates to more than a mebibyte', async () => {
    const bomb = gzipSync(new Uint8Array(16 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(100_000);
    const error = await answered((socket) =>
      socket.end(httpAnswer(bomb, { 'Content-Encoding': 'gzip' })),
    );
    expect(error.code).toBe('too-large');
  });

  it.each(['identity', 'gzip'])(
    'a mebibyte (%s) is still taken, a byte more is not',
    async (encoding) => {
      const answer = async (length: number) => {
        const head = 'd8:intervali60e5:peers0:7:unknown';
        const filler = length - head.length - '1048000:e'.length;
        const body = Buffer.from(`${head}${filler}:${'x'.repeat(filler)}e`);
        expect(body.length).toBe(length);
        const sent = encoding === 'gzip' ? gzipSync(body) : body;
        await using server = await listenRaw((socket) =>
          socket.end(httpAnswer(sent, { 'Content-Encoding': encoding })),
        );
        return await announce(`http://127.0.0.1:${server.port}/announce`, REQUEST);
      };
      expect((await answer(1024 * 1024)).intervalSeconds).toBe(60);
      expect((await failure(answer(1024 * 1024 + 1))).code).toBe('too-large');
    },
  );

  it.each([
    ['says nothing', () => undefined],
    [
      'stops in the middle of its headers',
      (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\nX-'),
    ],
    [
      'stops in the middle of its body',
      (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd8:'),
    ],
    [
      'drips',
      (socket: Socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const drip = () => socket.destroyed || socket.write('x', () => setImmediate(drip));
        drip();
      },
    ],
  ])('a tracker that %s is given up after the time limit', async (_, answer) => {
    expect((await answered(answer, 60)).code).toBe('timeout');
  });
});

describe('answers that are none', () => {
  it.each([
    ['something else than HTTP', 'SSH-2.0-OpenSSH_9\r\n', 'invalid-response'],
    ['nothing', '', 'connection'],
    ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd8:', 'connection'],
    ['HTML', 'HTTP/1.1 200 OK\r\n\r\n<html>', 'invalid-response'],
    [
      'an upgrade',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
      'invalid-response',
    ],
    [
      'a compression not asked for',
      'HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nxxxx',
      'invalid-response',
    ],
    ['broken gzip', 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nxxxx', 'invalid-response'],
    ['status 404', 'HTTP/1.1 404 Not Found\r\n\r\nd14:failure reason2:noe', 'http-status'],
    ['status 304', 'HTTP/1.1 304 Not Modified\r\n\r\n', 'http-status'],
    ['a redirect to nowhere', 'HTTP/1.1 302 Found\r\n\r\n', 'http-status'],
    ['a redirect to no URL', 'HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n', 'redirect'],
    [
      'a redirect to a file',
      'HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n',
      'redirect',
    ],
    [
      'a redirect to UDP',
      'HTTP/1.1 302 Found\r\nLocation: udp://127.0.0.1:80/announce\r\n\r\n',
      'redirect',
    ],
  ])('%s', async (_, bytes, code) => {
    const error = await answered((socket) => socket.end(bytes));
    expect(error.code).toBe(code);
    if (code === 'http-status') expect(error.httpStatus).toBe(Number(/\d{3}/.exec(bytes)?.[0]));
  });

  it.each([
    ['a text', 'HTTP/1.1 200 OK\r\n\r\nroot:secret'],
    ['another protocol', 'secret\r\n\r\n'],
    ['a broken chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n'],
    ['broken gzip', 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nsecret'],
    ['headers that are too large', `HTTP/1.1 200 OK\r\n${'X: secret\r\n'.repeat(5000)}\r\n`],
  ])('%s is never shown', async (_, bytes) => {
    const error = await answered((socket) => socket.end(bytes));
    const shown = inspect(error, { depth: 9, maxArrayLength: null, maxStringLength: null });
    expect(shown).not.toContain('secret');
    expect(shown).not.toContain('73 65 63 72 65 74');
  });
});

describe('redirects', () => {
  const redirect = (to: string, status = '302 Found') => httpAnswer('', { Location: to }, status);

  it.each([
    '301 Moved Permanently',
    '302 Found',
    '303 See Other',
    '307 Temporary Redirect',
    '308 Permanent Redirect',
  ])('%s is followed', async (status) => {
    await using server = await listenRaw((socket, head) => {
      if (head.startsWith('GET /announce?')) socket.end(redirect('/announce', status));
      else socket.end(httpAnswer(ANSWER));
    });
    expect((await announce(`http://127.0.0.1:${server.port}/announce`, REQUEST)).peers).toEqual(
      PEERS,
    );
    expect(server.heads[1]).toMatch(/^GET \/announce HTTP/);
  });

  it('five are followed, six are not', async () => {
    for (const [redirects, ok] of [
      [5, true],
      [6, false],
    ] as const) {
      let hops = 0;
      await using server = await listenRaw((socket, head) => {
        const query = /\?\S*/.exec(head)![0];
        socket.end(hops++ < redirects ? redirect(`/announce${query}`) : httpAnswer(ANSWER));
      });
      const promise = announce(`http://127.0.0.1:${server.port}/announce`, REQUEST);
      if (ok) expect((await promise).peers).toEqual(PEERS);
      else expect((await failure(promise)).code).toBe('redirect');
      expect(server.connections()).toBe(6);
    }
  });

  it('from a public tracker to a place that is not public are refused, and nothing is sent there', async () => {
    for (const host of [
      '127.0.0.1',
      '127.0.0.4',
      '[::ffff:127.0.0.1]',
      'localhost',
      '2130706433',
      '0x7f.1',
      '0.0.0.0',
      'inner.example',
    ]) {
      await using canary = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)), '0.0.0.0');
      await using server = await listenRaw(
        (socket) => socket.end(redirect(`http://${host}:${canary.port}/announce`)),
        '127.0.0.2',
      );
      const error = await failure(
        perform(`http://127.0.0.2:${server.port}/x`, {
          lookupHost: async () => [{ address: '127.0.0.1' }, { address: '127.0.0.4' }],
        }),
      );
      expect(error.code, host).toBe('forbidden-address');
      expect(canary.connections(), host).toBe(0);
    }
  });

  it('from a public tracker by way of another one to a place that is not public are refused', async () => {
    await using canary = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)));
    await using second = await listenRaw(
      (socket) => socket.end(redirect(`http://127.0.0.1:${canary.port}/announce`)),
      '127.0.0.3',
    );
    await using first = await listenRaw(
      (socket) => socket.end(redirect(`http://127.0.0.3:${second.port}/`)),
      '127.0.0.2',
    );
    const error = await failure(perform(`http://127.0.0.2:${first.port}/x`));
    expect(error.code).toBe('forbidden-address');
    expect([second.connections(), canary.connections()]).toEqual([1, 0]);
  });

  it('among public trackers, and from a private one to a public one, are followed', async () => {
    await using target = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)), '127.0.0.3');
    for (const host of ['127.0.0.2', '127.0.0.4']) {
      await using server = await listenRaw(
        (socket) => socket.end(redirect(`http://127.0.0.3:${target.port}/other?x=1`)),
        host,
      );
      expect((await perform(`http://${host}:${server.port}/x`)).peers).toEqual(PEERS);
    }
  });

  it('to this host may ask for nothing but a plain announce', async () => {
    await using canary = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)));
    for (const path of ['/admin', '/announce?do=harm', '/announce/x', '/', '/announce%2F']) {
      await using server = await listenRaw(
        (socket) => socket.end(redirect(`http://127.0.0.1:${canary.port}${path}`)),
        '127.0.0.4',
      );
      const error = await failure(perform(`http://127.0.0.4:${server.port}/x`));
      expect(error.code, path).toBe('forbidden-address');
    }
    expect(canary.connections()).toBe(0);
  });
});

describe('where a URL may lead', () => {
  it('on this host only to a plain /announce', async () => {
    await using canary = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)));
    const to = (path: string, host = '127.0.0.1') =>
      failure(announce(`http://${host}:${canary.port}${path}`, REQUEST));
    for (const path of [
      '/',
      '',
      '/announce?cmd=1',
      '/announce.php',
      '/x/announce',
      '/announce/',
      '/announce\r\nX: 1',
      '/ANNOUNCE',
    ]) {
      expect((await to(path)).code, path).toBe('forbidden-address');
    }
    for (const host of [
      '2130706433',
      '0x7f000001',
      '017700000001',
      '127.1',
      '[::ffff:7f00:1]',
      '0.0.0.0',
      '0',
    ]) {
      expect((await to('/private', host)).code, host).toBe('forbidden-address');
    }
    expect(canary.connections()).toBe(0);
  });

  it('a name that leads to this host and to others is asked at the others', async () => {
    await using canary = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)));
    const error = await failure(
      announce(`http://mixed.example:${canary.port}/private`, REQUEST, {
        lookupHost: async () => [{ address: '127.0.0.1' }, { address: '::1' }],
      }),
    );
    expect(error.code).toBe('forbidden-address');
    expect(canary.connections()).toBe(0);
  });

  it('a name is resolved once for each hop, and what was judged is what is connected to', async () => {
    await using canary = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)), '127.0.0.1');
    await using server = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)), '127.0.0.2');
    let lookups = 0;
    const lookupHost = async () => [{ address: lookups++ === 0 ? '127.0.0.2' : '127.0.0.1' }];
    await perform(`http://rebinding.example:${server.port}/private`, { lookupHost });
    expect([lookups, server.connections(), canary.connections()]).toEqual([1, 1, 0]);
    expect(server.heads[0]).toContain(`Host: rebinding.example:${server.port}\r\n`);
  });

  it('a line break in a URL makes no header', async () => {
    await using server = await listenRaw((socket) => socket.end(httpAnswer(ANSWER)), '127.0.0.4');
    await perform(`http://127.0.0.4:${server.port}/a\r\nX-Injected: 1\r\n\r\nGET /b`);
    expect(server.heads[0]).toMatch(
      /^GET \/a%0D%0AX-Injected:%201%0D%0A%0D%0AGET%20\/b\?info_hash=/,
    );
    expect(server.heads[0]).not.toMatch(/^X-Injected/m);
    expect(server.connections()).toBe(1);
  });
});

describe('TLS', () => {
  it('a certificate is validated: chain and name', async () => {
    const { key, cert } = selfSignedCertificate('localhost');
    const server = createTlsServer({ key, cert }, (_, response) =>
      response.end(Buffer.from(ANSWER, 'latin1')),
    );
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const lookupHost = async () => [{ address: '127.0.0.1' }];
    const url = `https://localhost:${port}/announce`;
    try {
      const trusting = await announce(url, REQUEST, { certificateAuthority: cert, lookupHost });
      expect(trusting.peers).toEqual(PEERS);
      const distrusting = await failure(announce(url, REQUEST, { lookupHost }));
      expect(distrusting).toMatchObject({
        code: 'connection',
        cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
      });
      const otherName = await failure(
        announce(`https://other.example:${port}/announce`, REQUEST, {
          certificateAuthority: cert,
          lookupHost,
        }),
      );
      expect(otherName).toMatchObject({
        code: 'connection',
        cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
      });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
