// A relay and signalling for pairs in one process.
import { randomBytes } from 'node:crypto';
import { Gatherer } from '../../src/node/client/gatherer.ts';
import { PairTransport } from '../../src/node/client/pair-transport.ts';
import { RelayServer, type RelayServerOptions } from '../../src/node/server/relay-server.ts';
import type { FilterKind } from '../../src/path/nat-filter.ts';
import type { PathDescription } from '../../src/path/path.ts';

export async function startRelay(options: Partial<RelayServerOptions> = {}): Promise<RelayServer> {
  return RelayServer.start({
    addresses: ['127.0.0.1'],
    port: 0,
    realm: 'test',
    access: {
      passwordOf: (username) => (username.startsWith('user') ? 'secret' : undefined),
      mayReach: () => 'yes',
    },
    ...options,
  });
}

export interface TestSide {
  readonly gatherer: Gatherer;
  readonly transport: PairTransport;
  readonly paths: (PathDescription | undefined)[];
  readonly received: string[];
  /** Resolves when there is a path that fits. */
  until(fits: (path: PathDescription | undefined) => boolean): Promise<PathDescription | undefined>;
  /** Resolves when so many datagrams have come. */
  untilReceived(count: number): Promise<void>;
}

export interface TestSideOptions {
  readonly natFilter?: FilterKind | undefined;
  readonly stunPorts?: readonly number[];
  readonly turnPort?: number;
  readonly tls?: boolean;
  readonly address?: string;
}

/** Gatherers that know their NAT already, and two transports of one pair. */
export async function connectPair(
  relay: RelayServer,
  sides: readonly [TestSideOptions, TestSideOptions],
): Promise<{ a: TestSide; b: TestSide; close(): void }> {
  const gatherers = await Promise.all(
    sides.map(
      (side, index) =>
        new Promise<Gatherer>((resolve) => {
          const gatherer: Gatherer = new Gatherer({
            server: () => ({
              address: side.address ?? '127.0.0.1',
              stunPorts: side.stunPorts ?? [relay.port, relay.port + 1],
              turnPort: side.turnPort ?? relay.port,
              tls: side.tls ?? false,
              username: `user${index}`,
              password: 'secret',
            }),
            natFilter: side.natFilter,
            onNatClass: () => resolve(gatherer),
          });
          gatherer.prepare();
        }),
    ),
  );
  const pairKey = new Uint8Array(randomBytes(32));
  const made: TestSide[] = [];
  for (const [index, gatherer] of gatherers.entries()) {
    made.push(
      side(
        gatherer,
        new PairTransport({
          gatherer,
          pairKey,
          isControlling: index === 0,
          peerSeen: [sides[1 - index]!.address ?? '127.0.0.1'],
          signal: (data) => {
            const copy: unknown = JSON.parse(JSON.stringify(data));
            setImmediate(() => made[1 - index]?.transport.handleSignal(copy));
            return true;
          },
        }),
      ),
    );
  }
  const [a, b] = made as [TestSide, TestSide];
  return {
    a,
    b,
    close: () => {
      for (const { transport, gatherer } of made) {
        transport.close();
        gatherer.close();
      }
    },
  };
}

function side(gatherer: Gatherer, transport: PairTransport): TestSide {
  const paths: (PathDescription | undefined)[] = [];
  const received: string[] = [];
  let check = () => {};
  const checks = new Set<() => void>();
  check = () => {
    for (const run of checks) run();
  };
  transport.onPath = (path) => {
    paths.push(path);
    check();
  };
  transport.onDatagram = (bytes) => {
    received.push(new TextDecoder().decode(bytes));
    check();
  };
  const wait = (isOver: () => boolean) =>
    new Promise<void>((resolve) => {
      const run = () => {
        if (!isOver()) return;
        checks.delete(run);
        resolve();
      };
      checks.add(run);
      run();
    });
  return {
    gatherer,
    transport,
    paths,
    received,
    until: async (fits) => {
      await wait(() => fits(transport.path));
      return transport.path;
    },
    untilReceived: (count) => wait(() => received.length >= count),
  };
}
