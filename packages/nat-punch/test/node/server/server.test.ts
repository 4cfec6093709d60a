import { afterEach, describe, expect, it, vi } from 'vitest';
import { selfSignedCertificate } from '../../../../tracker/test/node/certificate.ts';
import { joinPool, type Pool } from '../../../src/node/channel/pool.ts';
import type { PoolPeer } from '../../../src/node/channel/pool-peer.ts';
import {
  type PunchServer,
  type ServerLogEvent,
  type ServerOptions,
  startServer,
} from '../../../src/node/server/server.ts';
import { SignallingProbe } from './signalling-probe.ts';
import { StunPeer } from './stun-peer.ts';

const cleanUps: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function serve(options: Partial<ServerOptions> = {}): Promise<PunchServer> {
  const server = await startServer({ port: 0, addresses: ['127.0.0.1'], ...options });
  cleanUps.push(() => server.close());
  return server;
}

/** As behind a symmetric NAT: with another one there is but the relay. */
async function join(server: PunchServer, name: string): Promise<Pool> {
  const address = `127.0.0.1:${server.port}`;
  const pool = await joinPool({ server: address, pool: '100', name, natType: 3 });
  cleanUps.push(() => pool.leave(0));
  return pool;
}

async function firstPeer(pool: Pool): Promise<PoolPeer> {
  for await (const peer of pool) return peer;
  throw new Error('the stay in the pool has ended');
}

describe('startServer', () => {
  it('lets two talk by its relay, and counts it', async () => {
    const log: ServerLogEvent[] = [];
    const metrics = { address: '127.0.0.1', port: 0 };
    const server = await serve({ log: (event) => log.push(event), metrics });
    const [ada, bob] = [await join(server, 'Ada'), await join(server, 'Bob')];
    const [toBob, toAda] = [await firstPeer(ada), await firstPeer(bob)];
    await toBob.send('hello');
    expect((await toAda.messages().next()).value).toBe('hello');
    expect(toBob.path?.kind).toBe('relay');
    expect(server.statistics.relay.allocations).toBeGreaterThan(0);
    const text = await (
      await fetch(`http://127.0.0.1:${server.metricsEndpoint!.port}/metrics`)
    ).text();
    expect(text).toContain('\nnat_punch_members 2\n');
    expect(text).toContain('\nnat_punch_pairs 1\n');
    expect(text).toMatch(/\nnat_punch_relayed_packets_total [1-9]/);
    expect(text).not.toContain('redis');
    expect(log.map(({ event }) => event)).toEqual(expect.arrayContaining(['joined', 'allocated']));
    await Promise.all([ada.leave(), bob.leave()]);
  });

  it('lets members signal by TLS on the same port, if they trust its certificate', async () => {
    const tls = selfSignedCertificate('localhost');
    const server = await serve({ tls });
    const options = { server: `localhost:${server.port}`, pool: '100', tls: true };
    await expect(joinPool(options)).rejects.toMatchObject({
      code: 'unreachable',
      cause: expect.objectContaining({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    });
    const pool = await joinPool({ ...options, certificateAuthority: tls.cert });
    await pool.leave();
  });

  it('frees what a member has of the relay when it leaves', async () => {
    const freed: string[] = [];
    const server = await serve({
      log: (event) => event.event === 'freed' && freed.push(event.username),
    });
    const probe = await SignallingProbe.open(server.port);
    probe.send({ type: 'join', version: 1, pool: '100', client: '0'.repeat(32), kind: 'terminal' });
    const { credentials } = await probe.next('welcome');
    const peer = await StunPeer.udp({ address: '127.0.0.1', port: server.port });
    cleanUps.push(() => peer.close());
    await peer.allocate(credentials);
    expect(server.statistics.relay.allocations).toBe(1);
    probe.send({ type: 'leave' });
    await vi.waitFor(() => expect(server.statistics.rendezvous.members).toBe(0), {
      timeout: 60_000,
    });
    expect(server.statistics.relay.allocations).toBe(0);
    expect(freed).toEqual([credentials.username]);
    probe.close();
  });

  it('drains: members are sent away, relays go on for a moment, and then it is gone', async () => {
    const server = await serve();
    const [ada, bob] = [await join(server, 'Ada'), await join(server, 'Bob')];
    const [toBob, toAda] = [await firstPeer(ada), await firstPeer(bob)];
    const messages = toAda.messages();
    await toBob.send('before');
    expect((await messages.next()).value).toBe('before');
    const probe = await SignallingProbe.join(server.port, 'Eve', 'other');
    const drained = server.drain();
    await toBob.send('meanwhile');
    expect((await messages.next()).value).toBe('meanwhile');
    await expect(SignallingProbe.join(server.port, 'Dan', 'other')).rejects.toThrow('503');
    expect(await probe.next('error')).toMatchObject({ code: 'restarting' });
    await drained;
    await expect(fetch(`http://127.0.0.1:${server.port}/health`)).rejects.toThrow();
    await server.close();
  });

  it('tells its health to who asks by GET or by HEAD', async () => {
    const server = await serve();
    for (const method of ['GET', 'HEAD']) {
      const response = await fetch(`http://127.0.0.1:${server.port}/health`, { method });
      expect(response.status).toBe(200);
    }
  });

  it('drains at once when nothing is relayed', async () => {
    const server = await serve();
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    await server.drain();
  });

  it('leaves nothing open when a part of it can not be had', async () => {
    const metrics = { address: '192.0.2.77', port: 9 };
    const server = await serve();
    const port = server.port + 2;
    await expect(serve({ port, metrics })).rejects.toMatchObject({ code: 'socket' });
    await serve({ port });
    await expect(serve({ port })).rejects.toMatchObject({ code: 'socket' });
    await expect(serve({ roomSize: 17 })).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});
