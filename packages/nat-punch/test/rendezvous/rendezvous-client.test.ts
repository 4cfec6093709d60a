import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clientTagOf,
  DEAD_MS,
  HEARTBEAT_MS,
  RECONNECT_MS,
  RendezvousClient,
  type RendezvousClientEvent,
} from '../../src/index.ts';
import { AWAY_MS, MAX_UNACKNOWLEDGED_SIGNALS } from '../../src/rendezvous/rendezvous-limits.ts';
import { type Client, World } from './rendezvous-world.ts';

describe('a client', () => {
  it('joins, meets its partner, and exchanges signals with it', () => {
    const world = new World({ latencyMs: 30 });
    const [a, b] = [world.join('a'), world.join('b')];
    world.advance(200);
    expect(a.peers()).toMatchObject([{ clientTag: tag('b'), name: 'b', startInMs: 0 }]);
    expect(b.peers()).toMatchObject([{ clientTag: tag('a'), name: 'a' }]);
    expect(a.peers()[0]!.pairKey).toEqual(b.peers()[0]!.pairKey);
    world.act(a, (machine) => machine.send(world.now, tag('b'), { n: 1 }));
    world.act(b, (machine) => machine.send(world.now, tag('a'), { n: 2 }));
    world.advance(100);
    expect(b.signalsFrom(tag('a'))).toEqual([{ n: 1 }]);
    expect(a.signalsFrom(tag('b'))).toEqual([{ n: 2 }]);
  });

  it('is told that it waits, and of the partner who leaves', () => {
    const world = new World();
    const [a, b, c] = [world.join('a'), world.join('b'), world.join('c')];
    world.advance(10);
    expect(c.events).toContainEqual({ type: 'waiting', ahead: 0 });
    world.act(a, (machine) => machine.leave());
    world.advance(10);
    expect(b.events).toContainEqual({ type: 'peer-left', clientTag: tag('a'), reason: 'left' });
    expect(b.peers().map(({ clientTag }) => clientTag)).toEqual([tag('a'), tag('c')]);
    expect(a.machine.deadline()).toBe(Number.POSITIVE_INFINITY);
    world.advance(60_000);
    expect(a.attempts).toHaveLength(1);
  });

  it('rejects a partner, and gets another one', () => {
    const world = new World();
    const [a, b, c] = [world.join('a'), world.join('b'), world.join('c')];
    world.advance(10);
    world.act(a, (machine) => machine.reject(tag('b')));
    world.act(a, (machine) => machine.send(world.now, tag('b'), {}));
    world.advance(10);
    expect(b.events).toContainEqual({
      type: 'peer-left',
      clientTag: tag('a'),
      reason: 'rejected',
    });
    expect(a.events.filter(({ type }) => type === 'peer-left')).toEqual([]);
    expect(a.peers()[1]).toMatchObject({ clientTag: tag('c') });
    expect(c.peers()[0]).toMatchObject({ clientTag: tag('a') });
  });

  it('keeps a connection by a ping each second, whatever else it sends', () => {
    const world = new World();
    const [a] = [world.join('a'), world.join('b')];
    world.advance(10);
    for (let n = 0; n < 40; n++) {
      world.act(a, (machine) => machine.send(world.now, tag('b'), { n }));
      world.advance(HEARTBEAT_MS / 2);
    }
    world.advance(60_000);
    expect(a.attempts).toHaveLength(1);
    expect(downs(a)).toBe(0);
  });

  it.each([{ pool: '' }, { pool: 'x'.repeat(65) }, { name: '' }, { name: 'a\nb' }])(
    'refuses %j',
    (fields) => {
      const options = { pool: '100', client: '00'.repeat(16), kind: 'terminal' as const };
      expect(() => new RendezvousClient({ ...options, ...fields })).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    },
  );

  it('refuses data that can be no signal, and sends none to strangers', () => {
    const world = new World();
    const [a, b] = [world.join('a'), world.join('b')];
    world.advance(10);
    const send = (data: object) => () =>
      a.machine.send(world.now, tag('b'), data as Record<string, unknown>);
    expect(send({ x: 'x'.repeat(16 * 1024) })).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
    world.act(a, (machine) => machine.send(world.now, tag('stranger'), {}));
    world.advance(10);
    expect(b.signalsFrom(tag('a'))).toEqual([]);
  });
});

describe('a connection that dies', () => {
  it('in silence is given up after three seconds, and made anew', () => {
    const world = new World();
    const [a, b] = [world.join('a'), world.join('b')];
    world.advance(10);
    world.cut(a);
    world.advance(DEAD_MS + RECONNECT_MS[0]! + 10);
    expect(a.attempts).toHaveLength(2);
    expect(a.attempts[1]!).toBeLessThanOrEqual(10 + DEAD_MS + RECONNECT_MS[0]!);
    expect(a.machine.isJoined).toBe(true);
    expect(a.peers()).toHaveLength(1);
    expect(b.peers()).toHaveLength(1);
  });

  it('is made anew after 0.2, 0.4, 0.8 and then 1.6 s', () => {
    const world = new World();
    const a = world.join('a');
    world.advance(10);
    const start = world.now;
    world.stopServer();
    world.advance(10_000);
    const pauses = a.attempts.slice(1).map((at, n, all) => at - (all[n - 1] ?? start));
    expect(pauses.slice(0, 6)).toEqual([200, 400, 800, 1600, 1600, 1600]);
    world.startServer();
    world.advance(1600);
    expect(a.machine.isJoined).toBe(true);
    world.stopServer();
    const again = world.now;
    world.startServer();
    world.advance(300);
    expect(a.attempts.at(-1)! - again).toBe(200);
  });

  it('while it is being made is given up after three seconds, too', () => {
    const world = new World();
    world.isServerReachable = false;
    const a = world.join('a');
    world.advance(DEAD_MS + RECONNECT_MS[0]!);
    expect(a.attempts).toEqual([0, DEAD_MS + RECONNECT_MS[0]!]);
  });

  it('is told apart from a sleep of the whole machine', () => {
    const world = new World();
    const a = world.join('a');
    world.advance(10);
    world.sleep(a, 60_000);
    world.advance(10);
    expect(a.attempts).toHaveLength(1);
    world.cut(a);
    world.sleep(a, 60_000);
    world.advance(DEAD_MS);
    expect(a.attempts).toHaveLength(2);
  });

  it('loses no signal of either side', () => {
    const world = new World({ latencyMs: 20 });
    const [a, b] = [world.join('a'), world.join('b')];
    world.advance(200);
    world.cut(a);
    for (const n of [1, 2]) {
      world.act(a, (machine) => machine.send(world.now, tag('b'), { n }));
      world.act(b, (machine) => machine.send(world.now, tag('a'), { n }));
    }
    world.advance(DEAD_MS + 1000);
    world.act(a, (machine) => machine.send(world.now, tag('b'), { n: 3 }));
    world.advance(5000);
    expect(b.signalsFrom(tag('a'))).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(a.signalsFrom(tag('b'))).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('says when so much is on its way that a signal is dropped', () => {
    const world = new World();
    const [a, b] = [world.join('a'), world.join('b')];
    world.advance(10);
    world.cut(b);
    const taken: boolean[] = [];
    world.act(a, (machine) => {
      for (let n = 0; n < 300; n++) taken.push(machine.send(world.now, tag('b'), { n }));
    });
    expect(taken.indexOf(false)).toBe(MAX_UNACKNOWLEDGED_SIGNALS);
    expect(taken.lastIndexOf(true)).toBe(MAX_UNACKNOWLEDGED_SIGNALS - 1);
  });

  it('tells the other that the way by the server is cut, and back', () => {
    const world = new World();
    const [a, b] = [world.join('a'), world.join('b')];
    world.advance(10);
    world.break(a);
    world.advance(1000);
    const types = b.events.map(({ type }) => type);
    expect(types.slice(types.indexOf('peer') + 1)).toEqual(['peer-away', 'peer-back']);
    expect(a.events.filter(({ type }) => type === 'connection')).toEqual([
      { type: 'connection', isUp: true },
      { type: 'connection', isUp: false },
      { type: 'connection', isUp: true },
    ]);
  });
});

describe('a peer that stays away', () => {
  /** Both in touch; then `b` can't reach the server for so long that its place is given up. */
  function parted(): { world: World; a: Client; b: Client } {
    const world = new World();
    const [a, b] = [world.join('a'), world.join('b')];
    world.advance(10);
    world.isServerReachable = false;
    world.cut(b);
    world.advance(DEAD_MS + AWAY_MS + 1000);
    expect(a.events.at(-1)).toEqual({ type: 'peer-left', clientTag: tag('b'), reason: 'timeout' });
    return { world, a, b };
  }

  it('is the same when it comes back, and gets what was signalled to it meanwhile', () => {
    const { world, a, b } = parted();
    world.act(a, (machine) => machine.send(world.now, tag('b'), { n: 1 }));
    world.isServerReachable = true;
    world.advance(5000);
    expect(a.peers()).toHaveLength(1);
    expect(b.peers()).toHaveLength(1);
    expect(a.events.slice(-2)).toMatchObject([{ type: 'peer-back' }, { type: 'peer-seen' }]);
    expect(b.signalsFrom(tag('a'))).toEqual([{ n: 1 }]);
  });

  it('is another one when it had been released', () => {
    const { world, a, b } = parted();
    world.act(a, (machine) => machine.release(tag('b')));
    world.isServerReachable = true;
    world.advance(10_000);
    expect(a.peers()).toHaveLength(2);
    expect(b.peers()).toHaveLength(2);
    expect(a.peers()[1]!.pairKey).not.toEqual(a.peers()[0]!.pairKey);
    expect(b.peers()[1]!.pairKey).toEqual(a.peers()[1]!.pairKey);
  });

  it('can not be released while it is there', () => {
    const world = new World();
    const [a, b] = [world.join('a'), world.join('b')];
    world.advance(10);
    world.act(a, (machine) => machine.release(tag('b')));
    world.act(a, (machine) => machine.send(world.now, tag('b'), { n: 1 }));
    world.advance(10);
    expect(b.signalsFrom(tag('a'))).toEqual([{ n: 1 }]);
  });
});

describe('a restart of the server', () => {
  it('leaves pairs, keys and signals as they were', () => {
    const world = new World({ latencyMs: 10 });
    const [a, b] = [world.join('a'), world.join('b')];
    const waiting = world.join('c');
    world.advance(100);
    world.act(a, (machine) => machine.send(world.now, tag('b'), { n: 1 }));
    world.stopServer();
    world.act(a, (machine) => machine.send(world.now, tag('b'), { n: 2 }));
    world.advance(3000);
    world.startServer();
    world.advance(3000);
    expect(a.peers()).toHaveLength(1);
    expect(b.peers()).toHaveLength(1);
    expect(waiting.peers()).toEqual([]);
    expect(b.signalsFrom(tag('a'))).toEqual([{ n: 1 }, { n: 2 }]);
    expect(a.events.filter(({ type }) => type === 'peer-left')).toEqual([]);
  });

  it('that only one comes back from ends the pair after a while', () => {
    const world = new World();
    const [a, b] = [world.join('a'), world.join('b')];
    world.advance(10);
    world.clients.splice(world.clients.indexOf(b), 1);
    world.stopServer();
    world.startServer();
    world.advance(60_000);
    expect(a.events.filter(({ type }) => type.startsWith('peer-'))).toEqual([
      { type: 'peer-away', clientTag: tag('b') },
      { type: 'peer-left', clientTag: tag('b'), reason: 'timeout' },
    ]);
  });

  it('keeps a room of three together', () => {
    const world = new World({ roomSize: 3 });
    const room = ['a', 'b', 'c'].map((name) => world.join(name));
    world.join('d');
    world.advance(10);
    world.stopServer();
    world.startServer();
    world.advance(10_000);
    for (const client of room) expect(client.peers()).toHaveLength(2);
    expect(world.server.statistics).toMatchObject({ members: 4, pairs: 3, away: 0 });
  });
});

describe('errors of the server', () => {
  const opened = () => {
    const client = new RendezvousClient({
      pool: '100',
      client: '00'.repeat(16),
      kind: 'browser',
    });
    client.handleTimeout(0);
    client.handleOpen(0);
    drain(client);
    return client;
  };
  const error = (code: string) => JSON.stringify({ type: 'error', code, message: 'No.' });

  it.each(['version', 'invalid-message', 'not-joined', 'full', 'crowded'])(
    'of code %s end it',
    (code) => {
      const client = opened();
      client.handleMessage(1, error(code));
      expect(drain(client)).toEqual([
        { type: 'disconnect' },
        { type: 'event', event: { type: 'refused', error: JSON.parse(error(code)) } },
      ]);
      client.handleClose(2);
      client.handleTimeout(1e6);
      client.leave();
      expect(client.deadline()).toBe(Number.POSITIVE_INFINITY);
      expect(drain(client)).toEqual([]);
    },
  );

  it.each(['too-fast', 'replaced', 'restarting', 'unavailable'])(
    'of code %s are a reason to connect anew',
    (code) => {
      const client = opened();
      client.handleMessage(1, error(code));
      expect(drain(client)).toEqual([{ type: 'disconnect' }]);
      client.handleTimeout(1 + RECONNECT_MS[0]!);
      expect(drain(client)).toEqual([{ type: 'connect' }]);
    },
  );

  it('that are no messages at all, too', () => {
    const client = opened();
    client.handleMessage(1, 'HTTP/1.1 400');
    expect(drain(client)).toEqual([{ type: 'disconnect' }]);
  });

  it('of peers that nobody has named mean nothing', () => {
    const client = opened();
    for (const message of [
      { type: 'signal', peer: '00'.repeat(8), number: 1, acknowledged: 0, data: {} },
      { type: 'peer-left', peer: '00'.repeat(8), reason: 'left' },
    ]) {
      client.handleMessage(1, JSON.stringify(message));
    }
    expect(drain(client)).toEqual([]);
  });
});

it('signals that nobody acknowledges are kept up to a bound', () => {
  const world = new World();
  const [a, b] = [world.join('a'), world.join('b')];
  world.advance(10);
  world.break(b);
  world.isServerReachable = false;
  for (let n = 0; n < MAX_UNACKNOWLEDGED_SIGNALS + 5; n++) {
    world.act(a, (machine) => machine.send(world.now, tag('b'), { n }));
  }
  world.isServerReachable = true;
  world.advance(5000);
  expect(b.signalsFrom(tag('a'))).toHaveLength(MAX_UNACKNOWLEDGED_SIGNALS);
});

it('whatever breaks, signals come once and in order while the pair lives', () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('send' as const), who: fc.nat(1) }),
    fc.record({ what: fc.constantFrom('cut' as const, 'break' as const), who: fc.nat(1) }),
    fc.record({ what: fc.constant('restart' as const), who: fc.nat(1) }),
    fc.record({ what: fc.constant('wait' as const), who: fc.nat(4000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(50), (steps, latencyMs) => {
      const world = new World({ latencyMs });
      const clients = [world.join('a'), world.join('b')];
      world.advance(1000);
      const tags = [tag('a'), tag('b')];
      const sent = [0, 0];
      for (const { what, who } of steps) {
        if (what === 'wait') world.advance(who);
        else if (what === 'cut') world.cut(clients[who]!);
        else if (what === 'break') world.break(clients[who]!);
        else if (what === 'restart') {
          world.stopServer();
          world.startServer();
        } else {
          sent[who]! += 1;
          const n = sent[who]!;
          world.act(clients[who]!, (machine) => machine.send(world.now, tags[1 - who]!, { n }));
        }
      }
      world.advance(60_000);
      for (const [who, client] of clients.entries()) {
        expect(client.machine.isJoined).toBe(true);
        expect(client.peers()).toHaveLength(1);
        const got = client.signalsFrom(tags[1 - who]!).map((data) => (data as { n: number }).n);
        expect(got).toEqual(Array.from({ length: sent[1 - who]! }, (_, index) => index + 1));
      }
    }),
    { numRuns: 200 },
  );
});

function tag(name: string): string {
  return clientTagOf('100', Buffer.from(name.padEnd(16)).toString('hex'));
}

function downs(client: Client): number {
  return client.events.filter((event) => event.type === 'connection' && !event.isUp).length;
}

function drain(client: RendezvousClient) {
  const effects: unknown[] = [];
  for (let effect = client.poll(); effect !== undefined; effect = client.poll()) {
    effects.push(effect);
  }
  return effects as { type: string; event?: RendezvousClientEvent }[];
}
