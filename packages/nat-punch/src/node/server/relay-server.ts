// A STUN and TURN server on real sockets: UDP on PORT and PORT + 1, and TCP on PORT for STUN, TLS and HTTP.
import { randomBytes, randomInt } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import type { Duplex } from 'node:stream';
import { addressClass, addressFamily, type Endpoint, makeEndpoint } from '@bt/endpoint';
import type { ClientTransport, ServerPlace, SourceChange } from '../../client-link.ts';
import { NatPunchError } from '../../errors.ts';
import { type RelayAccess, RelayPolicy } from '../../turn/relay-policy.ts';
import { serverPlaces } from '../../turn/server-places.ts';
import { TurnServer, type TurnStatistics } from '../../turn/turn-server.ts';
import { type FaultEvent, FaultLog } from './fault-log.ts';
import { type PortRange, RelayPorts } from './relay-ports.ts';
import { TcpFront } from './tcp-front.ts';
import { UdpFront } from './udp-front.ts';

export interface RelayServerOptions {
  /** Addresses to listen on; all of this host's unless told otherwise. `0.0.0.0` and `::` stand for those that it has at the start. */
  readonly addresses?: readonly string[] | undefined;
  /** UDP on it and the next one, TCP on it. 0 takes free ones. */
  readonly port: number;
  /** A second address of this host, for all of RFC 5780. */
  readonly alternateAddress?: string | undefined;
  /** The address that relays are told to be at; where the client has come in unless told otherwise. */
  readonly relayAddress?: string | undefined;
  /** Ports of relays; 49152 to 65535 unless told otherwise. */
  readonly relayPorts?: PortRange | undefined;
  /** PEM. Without it TLS connections are closed. */
  readonly tls?:
    | { readonly cert: Uint8Array | string; readonly key: Uint8Array | string }
    | undefined;
  /** 1 to 32 bytes. */
  readonly realm: string;
  readonly access: RelayAccess;
  /** Ranges of addresses (10.0.0.0/8) that relays may reach although they are not public. */
  readonly allowPeers?: readonly string[] | undefined;
  /** Relay sockets of a user; 100 unless told otherwise. */
  readonly quota?: number | undefined;
  /** Requests of an address a second that are answered; 200 unless told otherwise, Infinity for no limit. */
  readonly requestsPerSecond?: number | undefined;
  /** Bytes relayed for a user a second; 32 MiB unless told otherwise, Infinity for no limit. */
  readonly bytesPerSecond?: number | undefined;
  /** Bytes relayed in all a second; no limit unless told otherwise. */
  readonly totalBytesPerSecond?: number | undefined;
  /** A TCP connection that begins with a G, its bytes unread. Without it such connections are closed. */
  onHttp?(socket: Duplex, remote: Endpoint, isSecure: boolean): void;
  /** A request that a user has authenticated was answered: he is at this address, where he has received a nonce. */
  onBinding?(username: string, reflexive: Endpoint, transport: ClientTransport): void;
  onAllocation?(username: string, relayed: Endpoint): void;
  onAllocationEnd?(username: string, relayed: Endpoint): void;
  readonly log?: ((event: RelayLogEvent) => void) | undefined;
}

export type RelayLogEvent =
  | FaultEvent
  /** All addresses of the host were to be listened on, and it has none that others reach. */
  | { readonly event: 'only-loopback' };

export interface RelayStatistics extends TurnStatistics {
  readonly allocations: number;
  readonly tcpConnections: number;
}

/** Ports that are tried when any will do. */
const MAX_PORT_TRIES = 32;
/** How often it is looked what has run out, and each so many times what the addresses of this host are. */
const TICK_MS = 1_000;
const OWN_ADDRESSES_TICKS = 10;
const WILDCARDS: readonly string[] = ['0.0.0.0', '::'];

export class RelayServer {
  /** The TCP port and the first UDP port. */
  readonly port: number;
  readonly #server: TurnServer;
  readonly #udp: readonly UdpFront[];
  readonly #tcp: TcpFront;
  #timer: NodeJS.Timeout | undefined;

  /** @throws {NatPunchError} `invalid-argument`, `socket` when an address or port can't be had. */
  static async start(options: RelayServerOptions): Promise<RelayServer> {
    if (options.port !== 0) return RelayServer.#start(options, options.port);
    for (let tries = 1; ; tries++) {
      try {
        return await RelayServer.#start(options, randomInt(10_000, 32_000));
      } catch (error) {
        const isTaken = error instanceof NatPunchError && error.code === 'socket';
        if (!isTaken || tries === MAX_PORT_TRIES) throw error;
      }
    }
  }

  static async #start(options: RelayServerOptions, port: number): Promise<RelayServer> {
    const addresses = listeningAddresses(options);
    const relayAddress = canonical(options.relayAddress);
    if (relayAddress === undefined && options.relayAddress !== undefined) {
      throw notAddress(options.relayAddress);
    }
    const places = serverPlaces(addresses, port, canonical(options.alternateAddress));
    const policy = new RelayPolicy({
      mayReach: (username, peer) => options.access.mayReach(username, peer),
      allowPeers: options.allowPeers ?? [],
    });
    policy.addOwnPort(port);
    policy.addOwnPort(port + 1);
    const fixed = relayAddress === undefined ? addresses : [...addresses, relayAddress];
    // An interface may come up later.
    const readOwnAddresses = () => policy.setOwnAddresses([...hostAddresses(), ...fixed]);
    readOwnAddresses();
    const faults = new FaultLog(options.log);
    const server = new TurnServer({
      ...options,
      policy,
      sockets: new RelayPorts({ addresses, relayAddress, range: options.relayPorts, faults }),
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
      events: {
        onSeen: (username, reflexive, transport) => {
          options.onBinding?.(username, reflexive, transport);
        },
        onAllocation: (username, relayed) => options.onAllocation?.(username, relayed),
        onAllocationEnd: (username, relayed) => options.onAllocationEnd?.(username, relayed),
      },
    });
    const udp = udpFronts(places, server, faults);
    const tcp = new TcpFront({ ...options, addresses, port, server, faults });
    const open: UdpFront[] = [];
    try {
      for (const front of udp) {
        await front.open();
        open.push(front);
      }
      await tcp.open();
    } catch (error) {
      await Promise.all([...open.map((front) => front.close()), tcp.close()]);
      throw error;
    }
    const isForAll = (options.addresses ?? WILDCARDS).some((each) => WILDCARDS.includes(each));
    if (isForAll && addresses.every((each) => addressClass(each) === 'loopback')) {
      options.log?.({ event: 'only-loopback' });
    }
    return new RelayServer(port, server, udp, tcp, readOwnAddresses);
  }

  private constructor(
    port: number,
    server: TurnServer,
    udp: readonly UdpFront[],
    tcp: TcpFront,
    readOwnAddresses: () => void,
  ) {
    this.port = port;
    this.#server = server;
    this.#udp = udp;
    this.#tcp = tcp;
    let ticks = 0;
    this.#timer = setInterval(() => {
      const now = performance.now();
      if ((server.deadline() ?? Number.POSITIVE_INFINITY) <= now) server.handleTimeout(now);
      ticks += 1;
      if (ticks % OWN_ADDRESSES_TICKS === 0) readOwnAddresses();
    }, TICK_MS);
  }

  /** The addresses listened on. */
  get addresses(): string[] {
    return [...new Set(this.#udp.map(({ place }) => place.address))];
  }

  get statistics(): RelayStatistics {
    return {
      ...this.#server.statistics,
      allocations: this.#server.allocationCount,
      tcpConnections: this.#tcp.connectionCount,
    };
  }

  /** How many relay sockets each account has, those reserved for its next allocation included. */
  get socketsByUser(): Map<string, number> {
    return this.#server.socketsByUser;
  }

  /** Ends all allocations of an account that is a user's no more. */
  endAccount(account: string): void {
    this.#server.endAccount(account);
  }

  /** Allocates nothing more; what is allocated goes on. */
  drain(): void {
    this.#server.drain();
  }

  /** Ends all allocations and closes all sockets, connections of HTTP included. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#server.close();
    await Promise.all([...this.#udp.map((front) => front.close()), this.#tcp.close()]);
  }
}

/** The addresses that are listened on, the alternate one included. */
function listeningAddresses({ addresses = WILDCARDS, alternateAddress }: RelayServerOptions) {
  const given = alternateAddress === undefined ? addresses : [...addresses, alternateAddress];
  const all = new Set<string>();
  for (const text of given) {
    const address = canonical(text);
    if (address === undefined) {
      throw notAddress(text);
    }
    if (!WILDCARDS.includes(address)) all.add(address);
    else {
      const family = addressFamily(address);
      for (const own of hostAddresses()) if (addressFamily(own) === family) all.add(own);
    }
  }
  return [...all];
}

function notAddress(text: string): NatPunchError {
  return new NatPunchError('invalid-argument', `not an IP address: ${text}`);
}

function canonical(address: string | undefined): string | undefined {
  return makeEndpoint(address ?? '', 0)?.address;
}

function udpFronts(
  places: readonly ServerPlace[],
  server: TurnServer,
  faults: FaultLog,
): UdpFront[] {
  const fronts: UdpFront[] = [];
  const find = (address: string | undefined, port: number | undefined): UdpFront | undefined =>
    fronts.find((front) => front.place.address === address && front.place.port === port);
  for (const place of places) {
    const otherFront = (change: SourceChange): UdpFront | undefined =>
      find(
        change.address ? place.otherAddress : place.address,
        change.port ? place.otherPort : place.port,
      );
    fronts.push(new UdpFront({ place, server, faults, otherFront }));
  }
  return fronts;
}

/** The addresses of this host's networks that can be told to others: link-local ones mean something on their link alone. */
function hostAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .flatMap(({ address }) => canonical(address) ?? [])
    .filter((address) => addressClass(address) !== 'link-local');
}
