import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type JoinPoolOptions,
  joinPool,
  joinPoolBy,
  type Pool,
} from '../../../src/node/channel/pool.ts';
import type { PoolPeer } from '../../../src/node/channel/pool-peer.ts';
import { type PunchServer, startServer } from '../../../src/node/server/server.ts';
import { LoopbackPaths } from './loopback-paths.ts';

const cleanUps: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function serve(port = 0): Promise<PunchServer> {
  const server = await startServer({ port, addresses: ['127.0.0.1'] });
  cleanUps.push(() => server.close());
  return server;
}

async function join(
  server: PunchServer,
  name: string,
  options: Partial<JoinPoolOptions> = {},
): Promise<{ pool: Pool; paths: LoopbackPaths }> {
  const paths = new LoopbackPaths();
  const pool = await joinPoolBy(() => paths, {
    server: `127.0.0.1:${server.port}`,
    pool: '100',
    name,
    ...options,
  });
  cleanUps.push(() => pool.leave(0));
  return { pool, paths };
}

/** Whoever comes next. */
async function nextPeer(pool: Pool): Promise<PoolPeer> {
  for await (const peer of pool) return peer;
  throw new Error('the stay in the pool has ended');
}

/** The next message, without ending the stream of them. */
async function nextMessage(peer: PoolPeer): Promise<unknown> {
  let reader = readers.get(peer);
  if (reader === undefined) {
    reader = peer.messages();
    readers.set(peer, reader);
  }
  return (await reader.next()).value;
}

async function codeOf(peer: PoolPeer): Promise<string> {
  while (peer.shortCode === undefined) {
    await new Promise<void>((resolve) => {
      peer.onShortCode = resolve;
    });
  }
  return peer.shortCode;
}

function pending<T>(): [resolve: (value: T) => void, promise: Promise<T>] {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return [resolve, promise];
}
const readers = new WeakMap<PoolPeer, AsyncGenerator<string | Uint8Array>>();

describe('joinPool', () => {
  it('refuses at once what can be no server', async () => {
    const joining = joinPool({ server: { host: '300.1.1.1', port: 3478 }, pool: '100' });
    await expect(joining).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it('finds paths by itself, and heals them over a restart of the server', async () => {
    const server = await serve();
    const enter = async (name: string, natType: number) => {
      const address = `127.0.0.1:${server.port}`;
      const pool = await joinPool({ server: address, pool: '100', name, natType });
      cleanUps.push(() => pool.leave(0));
      return pool;
    };
    // Two symmetric NATs leave nothing but the relay, which goes with the server.
    const [ada, bob] = [await enter('Ada', 3), await enter('Bob', 3)];
    const [toBob, toAda] = [await nextPeer(ada), await nextPeer(bob)];
    await toBob.send('1');
    expect(await nextMessage(toAda)).toBe('1');
    expect(toBob.path).toMatchObject({ kind: 'relay' });
    await server.close();
    await toBob.send('2');
    await serve(server.port);
    expect(await nextMessage(toAda)).toBe('2');
    await toAda.send('3');
    expect(await nextMessage(toBob)).toBe('3');
  });

  it('meets, talks, and says goodbye', async () => {
    const server = await serve();
    const [ada, bob] = [await join(server, 'Ada'), await join(server, 'Bob')];
    const [toBob, toAda] = [await nextPeer(ada.pool), await nextPeer(bob.pool)];
    expect(toBob).toMatchObject({ name: 'Bob', kind: 'terminal' });
    await toBob.send('Hello');
    await toAda.send(Uint8Array.of(1, 2, 3));
    expect(await nextMessage(toAda)).toBe('Hello');
    expect(await nextMessage(toBob)).toEqual(Uint8Array.of(1, 2, 3));
    expect(await codeOf(toBob)).toBe(await codeOf(toAda));
    expect(toBob.path).toMatchObject({ kind: 'direct', method: 'host' });
    await toBob.send('the last word');
    await ada.pool.leave();
    expect(await nextMessage(toAda)).toBe('the last word');
    expect(await nextMessage(toAda)).toBeUndefined();
    expect(toAda.state).toBe('closed');
    expect(bob.pool.peers).toEqual([]);
  });

  it('tells who waits that the pool is full, and pairs it later', async () => {
    const server = await serve();
    const ada = await join(server, 'Ada');
    await join(server, 'Bob');
    const [onWaiting, waited] = pending<number>();
    const eve = await join(server, 'Eve', { onWaiting });
    expect(await waited).toBe(0);
    expect(eve.pool.peers).toEqual([]);
    await ada.pool.leave();
    expect((await nextPeer(eve.pool)).name).toBe('Bob');
  });

  it('talks only to who knows the phrase', async () => {
    const server = await serve();
    const phrase = 'correct horse';
    const ada = await join(server, 'Ada', { phrase });
    await join(server, 'Eve', { phrase: 'wrong horse' });
    const toEve = await nextPeer(ada.pool);
    while (toEve.state === 'connecting') {
      await new Promise<void>((resolve) => {
        toEve.onState = resolve;
      });
    }
    expect(toEve.state).toBe('refused');
    // Who does not know it makes room for who does.
    const dan = await join(server, 'Dan', { phrase });
    const toAda = await nextPeer(dan.pool);
    expect(toAda.name).toBe('Ada');
    await toAda.send('it is me');
    const toDan = await nextPeer(ada.pool);
    const heard = await nextMessage(toDan);
    const { refusal, closeReason } = toDan;
    expect({ heard, refusal, closeReason }).toEqual({ heard: 'it is me' });
    const bob = await join(server, 'Bob', { phrase, pool: 'other' });
    const ann = await join(server, 'Ann', { phrase, pool: 'other' });
    const [toAnn, toBob] = [await nextPeer(bob.pool), await nextPeer(ann.pool)];
    await toAnn.send('psst');
    expect(await nextMessage(toBob)).toBe('psst');
    expect(toBob.isAuthenticated).toBe(true);
  });

  it('goes on over a restart of the server, with the same peers, and nothing lost', async () => {
    const server = await serve();
    const signalling: boolean[] = [];
    const ada = await join(server, 'Ada', { onSignalling: (isUp) => signalling.push(isUp) });
    const bob = await join(server, 'Bob');
    const [toBob, toAda] = [await nextPeer(ada.pool), await nextPeer(bob.pool)];
    await toBob.send('1');
    expect(await nextMessage(toAda)).toBe('1');
    await server.close();
    await toBob.send('2');
    expect(await nextMessage(toAda)).toBe('2');
    const [transport] = ada.paths.transports;
    const [onChange, changed] = pending<void>();
    transport!.networkChanged = onChange;
    await serve(server.port);
    await changed;
    expect(signalling).toEqual([true, false, true]);
    await toAda.send('3');
    expect(await nextMessage(toBob)).toBe('3');
    expect(ada.pool.peers).toEqual([toBob]);
    expect(ada.paths.transports).toHaveLength(1);
  });

  it('fails when no server answers in time, when the server refuses, and when it is aborted', async () => {
    const server = await serve();
    const { port } = server;
    const fail = (options: Partial<JoinPoolOptions>) =>
      joinPoolBy(() => new LoopbackPaths(), {
        server: { host: '127.0.0.1', port },
        pool: '100',
        ...options,
      });
    await expect(fail({ server: 'nowhere' })).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(fail({ pool: '' })).rejects.toMatchObject({ code: 'invalid-argument' });
    const name = 'Группа поддержки пользователей сети';
    await expect(fail({ name })).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(joinPool({ server: 'x:1', pool: 'x', natType: 4 })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    await expect(fail({ phrase: '' })).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(fail({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
    await expect(fail({ tls: true })).rejects.toMatchObject({ code: 'unreachable' });
    const other = createServer((_request, response) => response.writeHead(404).end());
    await once(other.listen(0, '127.0.0.1'), 'listening');
    cleanUps.push(() => other.close());
    const elsewhere = { host: '127.0.0.1', port: (other.address() as { port: number }).port };
    await expect(fail({ server: elsewhere })).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('404'),
    });
    await server.close();
    await expect(fail({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'unreachable' });
    const abort = new AbortController();
    const joining = fail({ signal: abort.signal });
    setImmediate(() => abort.abort());
    await expect(joining).rejects.toMatchObject({ code: 'aborted' });
  });

  it('ends by its signal: streams of peers and messages, too', async () => {
    const server = await serve();
    const abort = new AbortController();
    const ada = await join(server, 'Ada', { signal: abort.signal });
    const bob = await join(server, 'Bob');
    const toBob = await nextPeer(ada.pool);
    const reading = nextMessage(toBob);
    const meeting = nextPeer(ada.pool);
    abort.abort();
    expect(await reading).toBeUndefined();
    await expect(meeting).rejects.toMatchObject({ code: 'aborted' });
    // The other one is told.
    const toAda = await nextPeer(bob.pool);
    expect(await nextMessage(toAda)).toBeUndefined();
    for (const { transports } of [ada.paths, bob.paths]) {
      expect(transports.every(({ isClosed }) => isClosed)).toBe(true);
    }
  });
});
