// The whole server: STUN, NAT behaviour discovery, TURN, and rendezvous on one port; its metrics at another; and how it ends.
import type { Endpoint } from '@bt/endpoint';
import { parsePoolUsername } from '../../rendezvous/pool-credentials.ts';
import { type Metric, MetricsServer } from './metrics.ts';
import { LocalPools } from './pool-host.ts';
import { type RedisLogEvent, RedisPools } from './redis-pools.ts';
import {
  type RelayLogEvent,
  RelayServer,
  type RelayServerOptions,
  type RelayStatistics,
} from './relay-server.ts';
import {
  type RendezvousLogEvent,
  RendezvousServer,
  type RendezvousServerStatistics,
} from './rendezvous-server.ts';

export interface ServerOptions
  extends Pick<
    RelayServerOptions,
    | 'port'
    | 'addresses'
    | 'alternateAddress'
    | 'relayAddress'
    | 'relayPorts'
    | 'tls'
    | 'allowPeers'
    | 'quota'
    | 'requestsPerSecond'
    | 'bytesPerSecond'
    | 'totalBytesPerSecond'
  > {
  /** What users authenticate themselves for; `p2p` unless told otherwise. */
  readonly realm?: string | undefined;
  /** Passwords of users of the relay that are no members of pools, by name: for any TURN client. */
  readonly users?: ReadonlyMap<string, string> | undefined;
  /** Members of a pool that meet, 2 to 16; two unless told otherwise. */
  readonly roomSize?: number | undefined;
  /** `redis://HOST:PORT`: members meet those of other servers that have the same. */
  readonly redis?: string | undefined;
  /** HTML that is served at `/`. */
  readonly page?: string | undefined;
  /** Where Prometheus may ask for `/metrics`; port 0 takes a free one. Nowhere unless told. */
  readonly metrics?: Endpoint | undefined;
  readonly log?: ((event: ServerLogEvent) => void) | undefined;
}

export type ServerLogEvent =
  | RendezvousLogEvent
  | RedisLogEvent
  | RelayLogEvent
  | {
      readonly event: 'allocated' | 'freed';
      readonly username: string;
      readonly relayed: Endpoint;
    };

export interface ServerStatistics {
  readonly rendezvous: RendezvousServerStatistics;
  readonly relay: RelayStatistics;
  /** Undefined without Redis. */
  readonly isRedisConnected: boolean | undefined;
}

/** How long a server that drains waits for relays to end. */
const DRAIN_MS = 1_500;

/** How often it looks. */
const DRAIN_STEP_MS = 50;

/** @throws {NatPunchError} `invalid-argument`, `socket` when an address or port is not to be had. */
export async function startServer(options: ServerOptions): Promise<PunchServer> {
  return await PunchServer.start(options);
}

export class PunchServer {
  readonly #rendezvous: RendezvousServer;
  readonly #relay: RelayServer;
  readonly #shared: RedisPools | undefined;
  #metrics: MetricsServer | undefined;
  #ending: Promise<void> | undefined;

  /** As {@link startServer}. */
  static async start(options: ServerOptions): Promise<PunchServer> {
    const { users = new Map<string, string>(), realm = 'p2p', log, metrics, tls } = options;
    const { roomSize = 2, redis } = options;
    const shared =
      redis === undefined ? undefined : await RedisPools.start({ url: redis, roomSize, log });
    const rendezvous = new RendezvousServer({
      pools: shared ?? new LocalPools(roomSize),
      realm,
      ports: () => ({
        stun: [relay.port, relay.port + 1],
        turn: relay.port,
        tls: tls !== undefined,
      }),
      alternateAddress: options.alternateAddress,
      page: options.page,
      log,
      onMemberLeft: (member) => relay.endAccount(member),
    });
    // Its ports are open one by one, and clients come as soon as the first one is.
    rendezvous.shut();
    let relay: RelayServer;
    try {
      relay = await RelayServer.start({
        ...options,
        realm,
        access: {
          passwordOf: (username) => users.get(username) ?? rendezvous.passwordOf(username),
          accountOf: (username) =>
            users.has(username) ? username : (parsePoolUsername(username)?.member ?? username),
          mayReach: (username, peer) =>
            users.has(username) ? 'class' : rendezvous.mayReach(username, peer),
        },
        onHttp: (socket, remote) => rendezvous.handleSocket(socket, remote),
        onBinding: (username, reflexive) => rendezvous.handleSeen(username, reflexive.address),
        onAllocation: (username, relayed) => {
          rendezvous.handleAllocation(username, relayed, true);
          log?.({ event: 'allocated', username, relayed });
        },
        onAllocationEnd: (username, relayed) => {
          rendezvous.handleAllocation(username, relayed, false);
          log?.({ event: 'freed', username, relayed });
        },
      });
    } catch (error) {
      await rendezvous.close();
      throw error;
    }
    rendezvous.open();
    const server = new PunchServer(rendezvous, relay, shared);
    if (metrics === undefined) return server;
    try {
      server.#metrics = await MetricsServer.start(metrics, () => metricsOf(server.statistics));
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  private constructor(
    rendezvous: RendezvousServer,
    relay: RelayServer,
    shared: RedisPools | undefined,
  ) {
    this.#rendezvous = rendezvous;
    this.#relay = relay;
    this.#shared = shared;
  }

  /** The TCP port and the first UDP port; the second one is the next. */
  get port(): number {
    return this.#relay.port;
  }

  /** The addresses listened on. */
  get addresses(): string[] {
    return this.#relay.addresses;
  }

  get metricsEndpoint(): Endpoint | undefined {
    return this.#metrics?.endpoint;
  }

  get statistics(): ServerStatistics {
    return {
      rendezvous: this.#rendezvous.statistics,
      relay: this.#relay.statistics,
      isRedisConnected: this.#shared?.isConnected,
    };
  }

  /**
   * Ends in peace: nobody is let in and nothing is allocated any more; what is relayed goes on for at most a second and a half. Members are
   * sent to the other servers at once; where there are none, at the end, so that they come back soon when this one has restarted.
   */
  async drain(): Promise<void> {
    this.#relay.drain();
    if (this.#shared === undefined) this.#rendezvous.shut();
    else {
      this.#rendezvous.drain();
      // From here on others are the home of its pools.
      await this.#shared.end();
    }
    const end = performance.now() + DRAIN_MS;
    while (
      this.#ending === undefined &&
      this.#relay.statistics.allocations > 0 &&
      performance.now() < end
    ) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_STEP_MS));
    }
    await this.close();
  }

  /** Ends at once. */
  async close(): Promise<void> {
    this.#ending ??= this.#close();
    await this.#ending;
  }

  async #close(): Promise<void> {
    await this.#rendezvous.close();
    await Promise.all([this.#relay.close(), this.#metrics?.close()]);
  }
}

function metricsOf({ rendezvous, relay, isRedisConnected }: ServerStatistics): Metric[] {
  const gauge = (name: string, help: string, value: number): Metric => {
    return { name, help, type: 'gauge', value };
  };
  const counter = (name: string, help: string, value: number): Metric => {
    return { name: `${name}_total`, help, type: 'counter', value };
  };
  const redis =
    isRedisConnected === undefined
      ? []
      : [gauge('redis_connected', 'Whether other servers can be met.', isRedisConnected ? 1 : 0)];
  return [
    ...redis,
    gauge('pools', 'Pools with members.', rendezvous.pools),
    gauge('members', 'Members of pools.', rendezvous.members),
    gauge('members_away', 'Members whose signalling is cut.', rendezvous.away),
    gauge('pairs', 'Pairs of members that have been put together.', rendezvous.pairs),
    gauge('http_connections', 'Connections of HTTP and signalling.', rendezvous.connections),
    counter('refusals', 'Connections and joins that were refused.', rendezvous.refusals),
    counter('signals', 'Signals between members.', rendezvous.signals),
    gauge('allocations', 'Allocations of the relay.', relay.allocations),
    gauge('tcp_connections', 'TCP connections of all kinds.', relay.tcpConnections),
    counter('bindings', 'Binding requests answered.', relay.bindings),
    counter('challenges', 'Requests answered with 401 or 438.', relay.challenges),
    counter('limited_requests', 'Requests beyond the rate of an address.', relay.limited),
    counter('relayed_packets', 'Datagrams relayed.', relay.relayedPackets),
    counter('relayed_bytes', 'Bytes relayed.', relay.relayedBytes),
    counter('dropped_packets', 'Datagrams not relayed.', relay.droppedPackets),
  ];
}
