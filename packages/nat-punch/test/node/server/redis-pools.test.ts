import { afterEach, describe, expect, it } from 'vitest';
import { joinPool, joinPoolBy, type Pool } from '../../../src/node/channel/pool.ts';
import type { PoolPeer } from '../../../src/node/channel/pool-peer.ts';
import type { RedisLogEvent } from '../../../src/node/server/redis-pools.ts';
import { type PunchServer, startServer } from '../../../src/node/server/server.ts';
import { LoopbackPaths } from '../channel/loopback-paths.ts';
import { hasRedis, RedisServer } from './redis-server.ts';

const cleanUps: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startRedis(): Promise<RedisServer> {
  const redis = await RedisServer.start();
  cleanUps.push(() => redis.stop());
  return redis;
}

/** A server, and what it says of Redis. */
async function serve(url: string) {
  const said: RedisLogEvent['event'][] = [];
  let wake = () => {};
  const server = await startServer({
    port: 0,
    addresses: ['127.0.0.1'],
    redis: url,
    log: ({ event }) => {
      if (event !== 'redis-lost' && event !== 'redis-back') return;
      said.push(event);
      wake();
    },
  });
  cleanUps.push(() => server.close());
  const says = async (event: RedisLogEvent['event']) => {
    while (!said.includes(event)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { server, said, says };
}

async function join(server: PunchServer, name: string, pool = '100'): Promise<Pool> {
  const joined = await joinPoolBy(() => new LoopbackPaths(), {
    server: `127.0.0.1:${server.port}`,
    pool,
    name,
  });
  cleanUps.push(() => joined.leave(0));
  return joined;
}

async function firstPeer(pool: Pool): Promise<PoolPeer> {
  for await (const peer of pool) return peer;
  throw new Error('the stay in the pool has ended');
}

/** What one says the other hears. */
async function talk(from: PoolPeer, to: PoolPeer, text: string): Promise<void> {
  await from.send(text);
  const reader = readers.get(to) ?? to.messages();
  readers.set(to, reader);
  expect((await reader.next()).value).toBe(text);
}
const readers = new WeakMap<PoolPeer, AsyncGenerator<string | Uint8Array>>();

describe.skipIf(!hasRedis)('servers that share their pools by Redis', () => {
  it('put clients of different servers together', async () => {
    const { url } = await startRedis();
    const [first, second] = [await serve(url), await serve(url)];
    const [ada, bob] = [await join(first.server, 'Ada'), await join(second.server, 'Bob')];
    const [toBob, toAda] = [await firstPeer(ada), await firstPeer(bob)];
    expect(toBob.name).toBe('Bob');
    await talk(toBob, toAda, 'hello');
    await talk(toAda, toBob, 'and hello');
    // Each server knows its own member, whose relay may reach the other.
    expect(first.server.statistics.rendezvous.pools).toBe(1);
    expect(second.server.statistics.rendezvous.pools).toBe(0);
    await ada.leave();
    expect((await toAda.messages().next()).done).toBe(true);
    const eve = await join(first.server, 'Eve');
    expect((await firstPeer(eve)).name).toBe('Bob');
  });

  it('relay from one to the other, where there is no other way', async () => {
    const { url } = await startRedis();
    const [first, second] = [await serve(url), await serve(url)];
    const enter = async ({ port }: PunchServer, name: string) => {
      const pool = await joinPool({ server: `127.0.0.1:${port}`, pool: '100', name, natType: 3 });
      cleanUps.push(() => pool.leave(0));
      return pool;
    };
    const [ada, bob] = [await enter(first.server, 'Ada'), await enter(second.server, 'Bob')];
    const [toBob, toAda] = [await firstPeer(ada), await firstPeer(bob)];
    await talk(toBob, toAda, 'hello');
    await talk(toAda, toBob, 'and hello');
    expect(toBob.path?.kind).toBe('relay');
  });

  it('go on with the chats that run while Redis is gone, say so, and find together again', async () => {
    const redis = await startRedis();
    const [first, second] = [await serve(redis.url), await serve(redis.url)];
    const [ada, bob] = [await join(first.server, 'Ada'), await join(second.server, 'Bob')];
    const [toBob, toAda] = [await firstPeer(ada), await firstPeer(bob)];
    await talk(toBob, toAda, '1');
    await redis.stop();
    await Promise.all([first.says('redis-lost'), second.says('redis-lost')]);
    await talk(toAda, toBob, '2');
    // Who comes now meets those of its own server.
    const [ann, ben] = [await join(first.server, 'Ann', '7'), await join(first.server, 'Ben', '7')];
    await talk(await firstPeer(ann), await firstPeer(ben), 'here');
    // And who is alone is found when Redis is back.
    const [cat, dan] = [
      await join(first.server, 'Cat', '8'),
      await join(second.server, 'Dan', '8'),
    ];
    await redis.resume();
    await Promise.all([first.says('redis-back'), second.says('redis-back')]);
    const [toDan, toCat] = await Promise.all([firstPeer(cat), firstPeer(dan)]);
    await talk(toDan, toCat, 'there');
    await talk(toBob, toAda, '3');
    expect(ada.peers).toEqual([toBob]);
    expect(bob.peers).toEqual([toAda]);
    expect(first.said).toEqual(['redis-lost', 'redis-back']);
  });

  it('hand their pools over when they drain', async () => {
    const { url } = await startRedis();
    const [first, second] = [await serve(url), await serve(url)];
    const [ada, bob] = [await join(first.server, 'Ada'), await join(second.server, 'Bob')];
    const [toBob, toAda] = [await firstPeer(ada), await firstPeer(bob)];
    await talk(toBob, toAda, '1');
    await ada.leave();
    await first.server.drain();
    const eve = await join(second.server, 'Eve');
    await talk(...(await Promise.all([firstPeer(bob), firstPeer(eve)])), '2');
    expect(second.server.statistics.rendezvous).toMatchObject({ pools: 1, members: 2 });
  });

  it('do not wait for a Redis that is frozen, and find together when it is not', async () => {
    const redis = await startRedis();
    const [first, second] = [await serve(redis.url), await serve(redis.url)];
    redis.freeze(true);
    const [ann, ben] = await Promise.all([join(first.server, 'Ann'), join(first.server, 'Ben')]);
    await talk(await firstPeer(ann), await firstPeer(ben), 'here');
    expect(first.said).toEqual(['redis-lost']);
    const cat = await join(first.server, 'Cat', '8');
    const dan = await join(second.server, 'Dan', '8');
    redis.freeze(false);
    await talk(...(await Promise.all([firstPeer(cat), firstPeer(dan)])), 'there');
  });

  it('go on when the home of a pool leaves, or is gone without a word', async () => {
    const { url } = await startRedis();
    const [first, second, third] = [await serve(url), await serve(url), await serve(url)];
    const ada = await join(first.server, 'Ada');
    const bob = await join(second.server, 'Bob');
    const toAda = await firstPeer(bob);
    expect(toAda.name).toBe('Ada');
    await ada.leave();
    // The home of the pool, with nobody in it but Bob, who is not there.
    await first.server.close();
    const eve = await join(third.server, 'Eve');
    const [toEve, toBob] = await Promise.all([firstPeer(bob), firstPeer(eve)]);
    expect([toEve.name, toBob.name]).toEqual(['Eve', 'Bob']);
    await talk(toEve, toBob, 'hello');
  });

  it('begin without Redis, say so, and meet when it is there', async () => {
    const redis = await startRedis();
    await redis.stop();
    const [first, second] = await Promise.all([serve(redis.url), serve(redis.url)]);
    expect(first.said).toEqual(['redis-lost']);
    const [ada, bob] = [await join(first.server, 'Ada'), await join(second.server, 'Bob')];
    await redis.resume();
    await talk(...(await Promise.all([firstPeer(ada), firstPeer(bob)])), 'hello');
  });
});

it.skipIf(hasRedis)(
  'needs redis-server, which is not installed: nothing of this was tested',
  () => {},
);
