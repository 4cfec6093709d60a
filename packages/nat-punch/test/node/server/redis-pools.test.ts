import type { Endpoint } from '@bt/endpoint';
import { afterEach, describe, expect, it } from 'vitest';
import { type RelayCredentials, STUN_ATTRIBUTE, STUN_METHOD } from '../../../src/index.ts';
import { joinPool, joinPoolBy, type Pool } from '../../../src/node/channel/pool.ts';
import type { PoolPeer } from '../../../src/node/channel/pool-peer.ts';
import type { RedisLogEvent } from '../../../src/node/server/redis-pools.ts';
import { type PunchServer, startServer } from '../../../src/node/server/server.ts';
import { LoopbackPaths } from '../channel/loopback-paths.ts';
import { hasRedis, RedisServer } from './redis-server.ts';
import { SignallingProbe } from './signalling-probe.ts';
import { StunPeer } from './stun-peer.ts';

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
  const left: string[] = [];
  let wake = () => {};
  const server = await startServer({
    port: 0,
    addresses: ['127.0.0.1'],
    redis: url,
    log: (entry) => {
      const { event } = entry;
      if (event === 'left') {
        left.push(entry.member);
        wake();
      }
      if (event !== 'redis-lost' && event !== 'redis-back' && event !== 'redis-refused') return;
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
  const hearsOfEnd = async (member: string) => {
    while (!left.includes(member)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { server, said, says, hearsOfEnd };
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

const JOIN = JSON.stringify({
  type: 'join',
  version: 1,
  pool: '100',
  client: 'ab'.repeat(16),
  kind: 'terminal',
});

/** Whether the relay takes the credentials. */
async function allocate(at: Endpoint, credentials: RelayCredentials): Promise<boolean> {
  const peer = await StunPeer.udp(at);
  cleanUps.push(() => peer.close());
  const udp = Uint8Array.of(17, 0, 0, 0);
  const answer = await peer.askSigned(
    STUN_METHOD.allocate,
    (writer) => writer.bytes(STUN_ATTRIBUTE.requestedTransport, udp),
    credentials,
  );
  return answer.class === 'success';
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

  it('end in time although Redis is frozen', async () => {
    const redis = await startRedis();
    const [first, second] = [await serve(redis.url), await serve(redis.url)];
    const probe = await SignallingProbe.join(second.server.port, 'Ada');
    redis.freeze(true);
    await Promise.all([first.server.drain(), second.server.close()]);
    expect(await probe.closed).toBe(1012);
    redis.freeze(false);
  });

  it('send away who joins while Redis is frozen for a moment, and nobody else', async () => {
    const redis = await startRedis();
    const [first, second] = [await serve(redis.url), await serve(redis.url)];
    const enter = async ({ port }: PunchServer, name: string, pool = '100') => {
      const probe = await SignallingProbe.join(port, name, pool);
      cleanUps.push(() => probe.close());
      return probe;
    };
    const ada = await enter(first.server, 'Ada');
    const bob = await enter(second.server, 'Bob');
    const { peer } = await bob.next('peer');
    redis.freeze(true);
    const late = await SignallingProbe.open(second.server.port);
    cleanUps.push(() => late.close());
    const client = '00'.repeat(16);
    late.send({ type: 'join', version: 1, pool: '7', client, kind: 'terminal' });
    expect(await late.next('error')).toMatchObject({ code: 'restarting' });
    redis.freeze(false);
    // What was said meanwhile is carried, too.
    bob.send({ type: 'signal', peer, number: 1, acknowledged: 0 });
    expect(await ada.next('signal')).toMatchObject({ number: 1 });
    await enter(second.server, 'Eve', '7');
    expect(bob.heard).toEqual([]);
    expect([...first.said, ...second.said]).toEqual([]);
  });

  it('say what Redis refuses, and try again', async () => {
    const redis = await startRedis();
    await redis.grant('-subscribe');
    const first = await serve(redis.url);
    await first.says('redis-lost');
    await redis.grant('+subscribe', '-eval');
    await first.says('redis-back');
    const [ann, ben] = [await join(first.server, 'Ann'), await join(first.server, 'Ben')];
    await talk(await firstPeer(ann), await firstPeer(ben), 'here');
    await join(first.server, 'Cat', '8');
    expect(first.said).toEqual(['redis-lost', 'redis-back', 'redis-refused']);
  });

  it("end a member's credentials wherever it was welcomed, when it leaves", async () => {
    const { url } = await startRedis();
    const [first, second] = [await serve(url), await serve(url)];
    const ada = await SignallingProbe.join(first.server.port, 'Ada');
    const bob = await SignallingProbe.open(second.server.port);
    cleanUps.push(() => ada.close());
    bob.send(JOIN);
    const { credentials, member } = await bob.next('welcome');
    const at = { address: '127.0.0.1', port: second.server.port };
    expect(await allocate(at, credentials)).toBe(true);
    // It goes to the other server, and leaves there.
    bob.close();
    const again = await SignallingProbe.open(first.server.port);
    again.send(JOIN);
    expect((await again.next('welcome')).member).toBe(member);
    again.send({ type: 'leave' });
    await ada.next('peer-left');
    await second.hearsOfEnd(member);
    expect(await allocate(at, credentials)).toBe(false);
    again.close();
  });

  it('end the credentials of members whose home is gone', async () => {
    const { url } = await startRedis();
    const [first, second] = [await serve(url), await serve(url)];
    const ada = await SignallingProbe.join(first.server.port, 'Ada');
    const bob = await SignallingProbe.open(second.server.port);
    cleanUps.push(() => ada.close());
    bob.send(JOIN);
    const { credentials, member } = await bob.next('welcome');
    await first.server.close();
    expect(await bob.next('error')).toMatchObject({ code: 'restarting' });
    await second.hearsOfEnd(member);
    const at = { address: '127.0.0.1', port: second.server.port };
    expect(await allocate(at, credentials)).toBe(false);
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
