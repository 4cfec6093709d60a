import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../../src/node/channel/certificate.ts';
import type { RelayServer } from '../../../src/node/server/relay-server.ts';
import { FILTER_KINDS } from '../../../src/path/nat-filter.ts';
import type { PathDescription } from '../../../src/path/path.ts';
import { connectPair, startRelay, type TestSideOptions } from '../../support/traversal-server.ts';

let relay: RelayServer;
/** These pass TCP to the relay, and no UDP; the second one nothing but TLS. */
let tcpOnly: Passage;
let tlsOnly: Passage;

beforeAll(async () => {
  const { certificate: cert, key } = makeCertificate();
  relay = await startRelay({ tls: { cert, key } });
  tcpOnly = await Passage.open(relay.port, () => true);
  tlsOnly = await Passage.open(relay.port, (firstByte) => firstByte === 0x16);
});

afterAll(async () => {
  tcpOnly.close();
  tlsOnly.close();
  await relay.close();
});

class Passage {
  readonly #server: Server;
  /** From clients, each with the one that goes on to the relay. */
  readonly #streams = new Map<Socket, Socket>();
  #opened = 0;
  /** How many connections had ever been opened when each of those that froze was given up. */
  readonly openedByGivingUp: number[] = [];

  static async open(to: number, passes: (firstByte: number) => boolean): Promise<Passage> {
    const passage = new Passage(to, passes);
    await new Promise<void>((resolve) => passage.#server.listen(0, '127.0.0.1', resolve));
    return passage;
  }

  private constructor(to: number, passes: (firstByte: number) => boolean) {
    this.#server = createServer((socket) => {
      this.#opened += 1;
      socket.on('error', () => {});
      socket.once('data', (chunk) => {
        if (!passes(chunk[0]!)) {
          socket.destroy();
          return;
        }
        const onward = connect(to, '127.0.0.1').on('error', () => {});
        this.#streams.set(socket, onward);
        socket.on('close', () => this.#streams.delete(socket));
        onward.write(chunk);
        socket.pipe(onward).pipe(socket);
      });
    });
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** All connections break. */
  cut(): void {
    for (const stream of this.#streams.keys()) stream.destroy();
    this.#streams.clear();
  }

  get opened(): number {
    return this.#opened;
  }

  /** Nothing comes through the connections that there are, and nobody is told. */
  freeze(): void {
    for (const pair of this.#streams) {
      for (const stream of pair) {
        stream.unpipe();
        stream.removeAllListeners('data');
        stream.resume();
      }
      pair[0].on('close', () => this.openedByGivingUp.push(this.#opened));
    }
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

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
  // The symmetric kind keeps them from meeting on this machine itself.
  const behind = ({ port }: Passage) =>
    ({ stunPorts: [port], turnPort: port, natFilter: 'symmetric', tls: true }) as const;

  it.each([
    ['relay-tcp', () => tcpOnly],
    ['relay-tls', () => tlsOnly],
  ] as const)('both are reached by %s', async (method, passage) => {
    const side = behind(passage());
    await withPair([side, side], async ({ a, b }) => {
      await Promise.all([a.until(isRelay), b.until(isRelay)]);
      expect([a.transport.path?.method, b.transport.path?.method]).toEqual([method, method]);
      expect(a.transport.path?.reason).toBe('no UDP gets out here');
      for (let i = 0; i < 50; i++) a.transport.send(new Uint8Array(1_000).fill(0x41));
      b.transport.send(encode('back'));
      await Promise.all([a.untilReceived(1), b.untilReceived(50)]);
      expect(b.received).toEqual(Array(50).fill('A'.repeat(1_000)));
    });
  });

  it('a relay that falls silent has a successor before it is given up', async () => {
    const side = behind(tcpOnly);
    await withPair([side, side], async ({ a, b }) => {
      await Promise.all([a.until(isRelay), b.until(isRelay)]);
      const before = [a, b].map(({ transport }) => transport.path);
      const opened = tcpOnly.opened;
      tcpOnly.freeze();
      for (const { transport } of [a, b]) transport.networkChanged();
      const isOther = (path: PathDescription | undefined) =>
        isRelay(path) && !before.includes(path);
      await Promise.all([a.until(isOther), b.until(isOther)]);
      a.transport.send(encode('again'));
      await b.untilReceived(1);
      await expect.poll(() => tcpOnly.openedByGivingUp.length).toBe(2);
      expect(Math.min(...tcpOnly.openedByGivingUp)).toBeGreaterThan(opened);
    });
  });

  it('a relay that is cut off is replaced', async () => {
    const side = behind(tcpOnly);
    await withPair([side, side], async ({ a, b }) => {
      await Promise.all([a.until(isRelay), b.until(isRelay)]);
      const before = [a, b].map(({ transport }) => transport.path);
      tcpOnly.cut();
      const isOther = (path: PathDescription | undefined) =>
        isRelay(path) && !before.includes(path);
      await Promise.all([a.until(isOther), b.until(isOther)]);
      a.transport.send(encode('again'));
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

it('asks again for a permission that is refused at first', async () => {
  let refusals = 0;
  const strict = await startRelay({
    access: {
      passwordOf: (username) => (username.startsWith('user') ? 'secret' : undefined),
      mayReach: () => {
        refusals += 1;
        return refusals > 6 ? 'yes' : 'no';
      },
    },
  });
  const side = { natFilter: 'symmetric' } as const;
  const pair = await connectPair(strict, [side, side]);
  try {
    await Promise.all([pair.a.until(isRelay), pair.b.until(isRelay)]);
  } finally {
    pair.close();
    await strict.close();
  }
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
