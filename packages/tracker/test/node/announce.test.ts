import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TrackerError } from '../../src/errors.ts';
import { announce, scrape } from '../../src/node/announce.ts';
import { TrackerServer } from '../../src/node/server.ts';
import { REQUEST } from '../requests.ts';
import { listenRaw } from './raw-server.ts';

const failure = async (promise: Promise<unknown>): Promise<TrackerError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TrackerError);
  return error as TrackerError;
};

const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

describe('with our own server', () => {
  let server: TrackerServer;
  beforeEach(async () => {
    server = new TrackerServer({ intervalSeconds: 900, minIntervalSeconds: 120 });
    await server.listen();
  });
  afterEach(() => server.close());

  it.each(['url', 'udpUrl'] as const)('announces find each other, by %s', async (way) => {
    const url = server[way];
    const first = await announce(url, { ...REQUEST, port: 1001, event: 'started' });
    expect(first).toMatchObject({ intervalSeconds: 900, incomplete: 1, complete: 0, peers: [] });
    const second = await announce(
      url,
      { ...REQUEST, port: 1002, leftBytes: 0, event: 'started' },
      { localAddress: '127.0.0.7' },
    );
    expect(second).toMatchObject({
      incomplete: 1,
      complete: 1,
      peers: [{ address: '127.0.0.1', port: 1001 }],
    });
    const third = await announce(url, { ...REQUEST, port: 1001 });
    expect(third.peers).toEqual([{ address: '127.0.0.7', port: 1002 }]);
    expect(await scrape(url, [REQUEST.infoHash])).toEqual([
      { complete: 1, incomplete: 1, downloaded: 0 },
    ]);
    await announce(url, { ...REQUEST, port: 1001, leftBytes: 0, event: 'completed' });
    expect(await scrape(url, [REQUEST.infoHash])).toEqual([
      { complete: 2, incomplete: 0, downloaded: 1 },
    ]);
    await announce(url, { ...REQUEST, port: 1001, event: 'stopped', numWant: 0 });
    await announce(
      url,
      { ...REQUEST, port: 1002, event: 'stopped', numWant: 0 },
      { localAddress: '127.0.0.7' },
    );
    expect(server.statistics).toEqual({ torrents: 0, peers: 0 });
  });

  it('HTTP and UDP are one tracker', async () => {
    await announce(server.url, { ...REQUEST, port: 1001 });
    const answer = await announce(server.udpUrl, { ...REQUEST, port: 1002 });
    expect(answer.peers).toEqual([{ address: '127.0.0.1', port: 1001 }]);
  });

  it('keeps at most twice the number of peers wanted', async () => {
    for (let port = 1; port <= 10; port++) await announce(server.url, { ...REQUEST, port });
    for (const url of [server.url, server.udpUrl]) {
      expect((await announce(url, { ...REQUEST, port: 99, numWant: 3 })).peers).toHaveLength(3);
      expect((await announce(url, { ...REQUEST, port: 99, numWant: 0 })).peers).toEqual([]);
    }
  });

  it.runIf(hasIpv6)(
    'a name with addresses of both families is told over both, and the peers are joined',
    async () => {
      const dual = new TrackerServer();
      await dual.listen({ host: '::' });
      const lookupHost = async () => [{ address: '::1' }, { address: '127.0.0.1' }];
      try {
        for (const url of [dual.url, dual.udpUrl]) {
          const named = url.replace('[::1]', 'dual.example');
          await announce(named, { ...REQUEST, port: 1001 }, { lookupHost });
          expect(dual.statistics.peers).toBe(2);
          const { peers } = await announce(named, { ...REQUEST, port: 1002 }, { lookupHost });
          expect(new Set(peers.map(({ address }) => address))).toEqual(
            new Set(['127.0.0.1', '::1']),
          );
          expect(peers.every(({ port }) => port === 1001 || port === 1002)).toBe(true);
          await announce(named, { ...REQUEST, port: 1001, event: 'stopped' }, { lookupHost });
          await announce(named, { ...REQUEST, port: 1002, event: 'stopped' }, { lookupHost });
          expect(dual.statistics.peers).toBe(0);
        }
      } finally {
        await dual.close();
      }
    },
  );

  it.runIf(hasIpv6)('an IPv6 address serves as a host', async () => {
    const six = new TrackerServer();
    await six.listen({ host: '::1' });
    try {
      expect(six.url).toMatch(/^http:\/\/\[::1\]:/);
      for (const url of [six.url, six.udpUrl]) {
        const port = url === six.url ? 1001 : 1002;
        await announce(url, { ...REQUEST, port }, { localAddress: '::1' });
      }
      const expected = [1001, 1002].map((port) => ({ address: '::1', port }));
      for (const url of [six.url, six.udpUrl]) {
        const { peers } = await announce(url, { ...REQUEST, port: 1003 });
        expect(peers).toEqual(expect.arrayContaining(expected));
      }
    } finally {
      await six.close();
    }
  });

  it('a family that fails does no harm', async () => {
    const lookupHost = async () => [{ address: '::1' }, { address: '127.0.0.1' }];
    for (const url of [server.url, server.udpUrl]) {
      const named = url.replace('127.0.0.1', 'dual.example');
      expect((await announce(named, REQUEST, { lookupHost })).incomplete).toBe(1);
      expect(await scrape(named, [REQUEST.infoHash], { lookupHost })).toMatchObject([
        { incomplete: 1 },
      ]);
    }
  });

  it('from a socket on loopback no name is resolved but localhost, and no other host is asked', async () => {
    let lookups = 0;
    const options = {
      localAddress: '127.0.0.1',
      lookupHost: async () => [{ address: `127.0.0.${++lookups}` }],
    };
    for (const url of [server.url, server.udpUrl]) {
      expect(
        (await announce(url.replace('127.0.0.1', 'localhost'), REQUEST, options)).incomplete,
      ).toBe(1);
      expect(
        (await failure(announce(url.replace('127.0.0.1', 'tracker.example'), REQUEST, options)))
          .code,
      ).toBe('connection');
      expect(
        (await failure(announce(url.replace('127.0.0.1', '192.0.2.1'), REQUEST, options))).code,
      ).toBe('connection');
      expect(
        (await failure(announce(url.replace('127.0.0.1', '[::1]'), REQUEST, options))).code,
      ).toBe('connection');
    }
    expect(lookups).toBe(0);
  });

  it('a refusal over one family is told rather than that the other is out of reach', async () => {
    const strict = new TrackerServer({ isAllowed: () => false });
    await strict.listen();
    const lookupHost = async () => [{ address: '::1' }, { address: '127.0.0.1' }];
    for (const url of [strict.url, strict.udpUrl]) {
      const named = url.replace('127.0.0.1', 'dual.example');
      expect((await failure(announce(named, REQUEST, { lookupHost }))).code).toBe(
        'tracker-failure',
      );
    }
    await strict.close();
  });

  it('a refusal carries the words of the tracker', async () => {
    const strict = new TrackerServer({ isAllowed: () => false });
    await strict.listen();
    for (const url of [strict.url, strict.udpUrl]) {
      expect(await failure(announce(url, REQUEST))).toMatchObject({
        code: 'tracker-failure',
        message: 'the tracker refused: torrent is not served here',
      });
    }
    await strict.close();
  });
});

describe('URLs', () => {
  it.each([
    '',
    'nonsense',
    'http:/x',
    'ws://t.example/announce',
    'file:///etc/passwd',
    'http://',
    'http://[::1',
    'http://t.example:99999/',
    'udp://',
    'udp://t.example:0',
    'javascript://x',
    `http://t.example/${'x'.repeat(5000)}`,
    'http://a b/announce',
  ])('%j is none of a tracker', async (url) => {
    expect((await failure(announce(url, REQUEST))).code).toBe('invalid-url');
    expect((await failure(scrape(url, [REQUEST.infoHash]))).code).toBe('invalid-url');
  });

  it('without an announce in it has no scrape', async () => {
    expect((await failure(scrape('http://127.0.0.1/a', [REQUEST.infoHash]))).code).toBe(
      'scrape-unsupported',
    );
  });

  it.each(['224.0.0.1', '0.0.0.0', '255.255.255.255', '[ff02::1]', '[::]', '[::ffff:0.0.0.0]'])(
    'udp://%s is not asked',
    async (host) => {
      expect((await failure(announce(`udp://${host}:9/`, REQUEST))).code).toBe('forbidden-address');
    },
  );

  it('with secrets leave none of them in errors', async () => {
    const secrets = ['hunter2', 'passkey123'];
    for (const url of [
      'http://hunter2:passkey123@127.0.0.1:9/passkey123/announce',
      'http://hunter2@[::1/passkey123',
      'http://hunter2:passkey123%@127.0.0.1:9/announce',
      'udp://127.0.0.1:9/passkey123?hunter2',
    ]) {
      const error = await failure(announce(url, REQUEST));
      const shown = [error, error.cause]
        .map((part) => JSON.stringify({ text: String(part), ...(part as object) }))
        .join();
      for (const secret of secrets) expect(shown).not.toContain(secret);
    }
  });
});

describe('the caller', () => {
  it('is told of his own mistakes', async () => {
    expect(
      (await failure(announce('http://t.example/announce', { ...REQUEST, port: 0 }))).code,
    ).toBe('invalid-argument');
    expect(
      (await failure(announce('http://t.example/announce', REQUEST, { localAddress: 'eth0' })))
        .code,
    ).toBe('invalid-argument');
    expect((await failure(scrape('http://t.example/announce', []))).code).toBe('invalid-argument');
  });

  it('gets a typed error for what Node refuses', async () => {
    const error = await failure(
      announce('http://192.0.2.1/announce', REQUEST, { userAgent: 'a\r\nb' }),
    );
    expect(error).toMatchObject({ code: 'connection', cause: { code: 'ERR_INVALID_CHAR' } });
  });

  it('is told when a name has no address', async () => {
    const lookups = [
      async () => [],
      async () => [{ address: 'garbage' }],
      async () => Promise.reject(new Error('ENOTFOUND')),
    ];
    for (const lookupHost of lookups) {
      expect(
        (await failure(announce('http://t.example/announce', REQUEST, { lookupHost }))).code,
      ).toBe('connection');
    }
  });

  it('may abort before, while a name is resolved, while connected, and while a datagram is waited for', async () => {
    const reason = new Error('enough');
    const early = await failure(
      announce('http://127.0.0.1:9/announce', REQUEST, { signal: AbortSignal.abort(reason) }),
    );
    expect(early).toMatchObject({ code: 'aborted', cause: reason });

    const whileResolving = new AbortController();
    const lookupHost = () => {
      whileResolving.abort(reason);
      return new Promise<never>(() => undefined);
    };
    const resolving = announce('http://t.example/announce', REQUEST, {
      lookupHost,
      signal: whileResolving.signal,
    });
    expect((await failure(resolving)).code).toBe('aborted');

    const whileConnected = new AbortController();
    await using server = await listenRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nd8:', () => whileConnected.abort(reason));
    });
    const connected = announce(`http://127.0.0.1:${server.port}/announce`, REQUEST, {
      signal: whileConnected.signal,
    });
    expect((await failure(connected)).code).toBe('aborted');

    const whileWaiting = new AbortController();
    await using tracker = await listenUdp(() => whileWaiting.abort(reason));
    const waiting = announce(`udp://127.0.0.1:${tracker.port}`, REQUEST, {
      signal: whileWaiting.signal,
    });
    expect((await failure(waiting)).code).toBe('aborted');
  });

  it('is told when the local address is not his', async () => {
    const options = { localAddress: '192.0.2.99' };
    for (const url of ['http://127.0.0.1:9/announce', 'udp://127.0.0.1:9/announce']) {
      expect(await failure(announce(url, REQUEST, options))).toMatchObject({
        code: 'connection',
        cause: { code: 'EADDRNOTAVAIL' },
      });
    }
  });

  it('is told when nobody listens', async () => {
    await using closed = await listenRaw(() => undefined);
    const { port } = closed;
    await closed[Symbol.asyncDispose]();
    expect(await failure(announce(`http://127.0.0.1:${port}/announce`, REQUEST))).toMatchObject({
      code: 'connection',
      cause: { code: 'ECONNREFUSED' },
    });
    expect((await failure(announce(`udp://127.0.0.1:${port}/announce`, REQUEST))).code).toBe(
      'connection',
    );
  });
});

interface UdpServer extends AsyncDisposable {
  readonly port: number;
  readonly datagrams: Uint8Array[];
}

async function listenUdp(
  answer: (
    datagram: Uint8Array,
    reply: (bytes: Uint8Array) => void,
    from: { address: string; port: number },
    socket: Socket,
  ) => void,
): Promise<UdpServer> {
  const socket = createSocket('udp4');
  const datagrams: Uint8Array[] = [];
  socket.on('message', (datagram, from) => {
    datagrams.push(datagram);
    answer(datagram, (bytes) => socket.send(bytes, from.port, from.address), from, socket);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let isOpen = true;
  return {
    port: socket.address().port,
    datagrams,
    [Symbol.asyncDispose]: async () => {
      if (!isOpen) return;
      isOpen = false;
      socket.close();
      await once(socket, 'close');
    },
  };
}

describe('hostile UDP trackers', () => {
  /** The answer of an honest tracker to a datagram. */
  const honest = (
    datagram: Uint8Array,
    peers = [10, 0, 0, 1, 0x1a, 0xe1],
    interval = 900,
  ): Uint8Array => {
    const transactionId = datagram.subarray(12, 16);
    return datagram[11] === 0
      ? Uint8Array.of(0, 0, 0, 0, ...transactionId, 1, 2, 3, 4, 5, 6, 7, 8)
      : Uint8Array.of(
          0,
          0,
          0,
          1,
          ...transactionId,
          0,
          0,
          interval >> 8,
          interval & 255,
          0,
          0,
          0,
          1,
          0,
          0,
          0,
          2,
          ...peers,
        );
  };

  it('nothing is believed from another port, with another id, of another size or action', async () => {
    const forger = createSocket('udp4');
    await using tracker = await listenUdp((datagram, reply, from) => {
      const lie = honest(datagram, [6, 6, 6, 6, 6, 6]);
      forger.send(lie, from.port, from.address, () => {
        const wrongId = lie.slice();
        wrongId[7]! ^= 1;
        const wrongAction = lie.slice();
        wrongAction[3] = 2;
        for (const bad of [
          wrongId,
          wrongAction,
          lie.subarray(0, 7),
          lie.subarray(0, lie.length - 1),
          new Uint8Array(0),
          new Uint8Array(1400),
        ])
          reply(bad);
        reply(honest(datagram));
      });
    });
    const answer = await announce(`udp://127.0.0.1:${tracker.port}`, REQUEST);
    forger.close();
    expect(answer).toEqual({
      intervalSeconds: 900,
      incomplete: 1,
      complete: 2,
      peers: [{ address: '10.0.0.1', port: 6881 }],
    });
  });

  it('intervals are clamped, martians dropped, peers counted', async () => {
    const peers = [...Array(100).keys()].flatMap((n) => [10, 0, 0, n, 0, 1]);
    await using tracker = await listenUdp((datagram, reply) =>
      reply(
        honest(datagram, [224, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 9, 9, 9, 9, 0, 0, ...peers], 1),
      ),
    );
    const answer = await announce(`udp://127.0.0.1:${tracker.port}`, { ...REQUEST, numWant: 7 });
    expect(answer.intervalSeconds).toBe(60);
    expect(answer.peers).toHaveLength(14);
    expect(answer.peers[0]).toEqual({ address: '10.0.0.0', port: 1 });
  });

  it('a silent one is given up after the time limit', async () => {
    await using tracker = await listenUdp(() => undefined);
    expect(
      (await failure(announce(`udp://127.0.0.1:${tracker.port}`, REQUEST, { timeoutMs: 60 }))).code,
    ).toBe('timeout');
    expect(tracker.datagrams).toHaveLength(1);
  });

  it('BEP 41: path and query reach the tracker, unless there is nothing in them', async () => {
    await using tracker = await listenUdp((datagram, reply) => reply(honest(datagram)));
    await announce(`udp://127.0.0.1:${tracker.port}/announce`, REQUEST);
    expect(tracker.datagrams[1]).toHaveLength(98);
    await announce(`udp://127.0.0.1:${tracker.port}/key/announce?a=b`, REQUEST);
    expect(new TextDecoder().decode(tracker.datagrams[3]!.subarray(100))).toBe('/key/announce?a=b');
  });

  it('transaction ids differ', async () => {
    await using tracker = await listenUdp((datagram, reply) => reply(honest(datagram)));
    for (let i = 0; i < 5; i++) await announce(`udp://127.0.0.1:${tracker.port}`, REQUEST);
    expect(
      new Set(tracker.datagrams.map((datagram) => datagram.subarray(12, 16).join())).size,
    ).toBe(10);
  });
});
