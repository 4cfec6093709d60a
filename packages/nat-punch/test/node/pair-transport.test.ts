import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FILTER_KINDS } from '../../src/nat-filter.ts';
import type { RelayServer } from '../../src/node/relay-server.ts';
import type { PathDescription } from '../../src/path.ts';
import { connectPair, startRelay, type TestSideOptions } from '../support/traversal-server.ts';

let relay: RelayServer;
/** Passes TCP to the relay, and no UDP. */
let tcpOnly: Server;
let tcpOnlyPort: number;

beforeAll(async () => {
  relay = await startRelay();
  tcpOnly = createServer((socket) => {
    const onward = connect(relay.port, '127.0.0.1');
    for (const stream of [socket, onward]) stream.on('error', () => {});
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => tcpOnly.listen(0, '127.0.0.1', resolve));
  tcpOnlyPort = (tcpOnly.address() as { port: number }).port;
});

afterAll(async () => {
  tcpOnly.close();
  await relay.close();
});

const encode = (text: string) => new TextEncoder().encode(text);
const isDirect = (path: PathDescription | undefined) => path?.kind === 'direct';
const isRelay = (path: PathDescription | undefined) => path?.kind === 'relay';

async function withPair(
  sides: readonly [TestSideOptions, TestSideOptions],
  run: (pair: Awaited<ReturnType<typeof connectPair>>) => Promise<void>,
): Promise<void> {
  const pair = await connectPair(relay, sides);
  try {
    await run(pair);
  } finally {
    pair.close();
  }
}

const PAIRS = [0, 1, 2, 3].flatMap((a) => [0, 1, 2, 3].map((b) => [a, b] as const));

describe('NATTYPE on one machine', () => {
  it.each(PAIRS)('%i with %i', async (a, b) => {
    await withPair(
      [{ natFilter: FILTER_KINDS[a] }, { natFilter: FILTER_KINDS[b] }],
      async (pair) => {
        const fits = a === 3 && b === 3 ? isRelay : isDirect;
        await Promise.all([pair.a.until(fits), pair.b.until(fits)]);
        pair.a.transport.send(encode('to B'));
        pair.b.transport.send(encode('to A'));
        await Promise.all([pair.a.untilReceived(1), pair.b.untilReceived(1)]);
        expect([pair.a.received, pair.b.received]).toEqual([['to A'], ['to B']]);
      },
    );
  });
});

describe('without UDP', () => {
  const blocked = () =>
    ({ stunPorts: [tcpOnlyPort], turnPort: tcpOnlyPort, natFilter: 'symmetric' }) as const;

  it('both are reached through the relay over TCP', async () => {
    // The symmetric kind keeps them from meeting on this machine itself.
    await withPair([blocked(), blocked()], async ({ a, b }) => {
      await Promise.all([a.until(isRelay), b.until(isRelay)]);
      expect([a.transport.path?.method, b.transport.path?.method]).toEqual([
        'relay-tcp',
        'relay-tcp',
      ]);
      expect(a.transport.path?.reason).toBe('no UDP gets out here');
      for (let i = 0; i < 50; i++) a.transport.send(new Uint8Array(1_000).fill(0x41));
      b.transport.send(encode('back'));
      await Promise.all([a.untilReceived(1), b.untilReceived(50)]);
      expect(b.received).toEqual(Array(50).fill('A'.repeat(1_000)));
    });
  });
});

describe('a relay that is lost', () => {
  it('is replaced while the talk goes on', async () => {
    await withPair([{ natFilter: 'symmetric' }, { natFilter: 'symmetric' }], async ({ a, b }) => {
      await Promise.all([a.until(isRelay), b.until(isRelay)]);
      const before = relay.statistics.allocations;
      expect(before).toBeGreaterThanOrEqual(2);
      a.transport.networkChanged();
      a.transport.send(encode('still'));
      await b.untilReceived(1);
    });
  });
});

describe('IPv6', () => {
  it.each([
    ['directly', 'full-cone', isDirect],
    ['by the relay', 'symmetric', isRelay],
  ] as const)('connects %s', async (_name, natFilter, fits) => {
    const server = await startRelay({ addresses: ['::1'] });
    const pair = await connectPair(server, [
      { address: '::1', natFilter },
      { address: '::1', natFilter },
    ]);
    try {
      await Promise.all([pair.a.until(fits), pair.b.until(fits)]);
      expect(pair.a.transport.path?.remote.address).toBe('::1');
      pair.a.transport.send(encode('to B'));
      await pair.b.untilReceived(1);
    } finally {
      pair.close();
      await server.close();
    }
  });
});

it('gives its allocations back', async () => {
  const freed = await startRelay();
  try {
    const pair = await connectPair(freed, [{}, {}]);
    await Promise.all([pair.a.until(isDirect), pair.b.until(isDirect)]);
    pair.close();
    // The messages that say so are under way; a later request to the same socket comes behind them.
    await expect.poll(() => freed.statistics.allocations).toBe(0);
  } finally {
    await freed.close();
  }
});
