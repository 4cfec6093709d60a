// A network of simulated hosts: streams between them (stream.ts) and datagrams, with latency, rates and loss. A host may sit
// behind a NAT (nat.ts).

import type { Endpoint } from '@bt/endpoint';
import type { VirtualClock } from './clock.ts';
import { Downlink, Uplink } from './link.ts';
import { Nat, type NatOptions } from './nat.ts';
import type { Random } from './random.ts';
import { StreamEnd } from './stream.ts';

export interface NetworkOptions {
  /** One way, between any two hosts; each host's own `latencyMs` is added. Default 5. */
  readonly latencyMs?: number;
  /** Share of datagrams that never arrive, 0 to 1. Default 0. */
  readonly datagramLoss?: number;
  /** Bytes under way in one stream and direction. Default 1 MiB. */
  readonly windowBytes?: number;
  /** Bytes sent in one go: smaller is finer and slower to simulate. Default 16 KiB. */
  readonly packetBytes?: number;
}

export interface HostOptions {
  /** With `behind`, one that is known on that side of the NAT only. */
  readonly address: string;
  /** The NAT that all it sends goes through. */
  readonly behind?: Nat;
  /** Default: no limit. */
  readonly upBytesPerSecond?: number;
  readonly downBytesPerSecond?: number;
  readonly latencyMs?: number;
}

const MiB = 1 << 20;
const FIRST_FREE_PORT = 49_152; // RFC 6335 section 6: dynamic ports
const DEFAULT_TTL = 64; // RFC 1700, "IP parameters"

/** Hosts by address. */
export class Network {
  readonly clock: VirtualClock;
  readonly random: Random;
  latencyMs: number;
  datagramLoss: number;
  readonly windowBytes: number;
  readonly packetBytes: number;
  #hosts = new Map<string, Host>();
  #nats: Nat[] = [];

  constructor(clock: VirtualClock, random: Random, options: NetworkOptions = {}) {
    this.clock = clock;
    this.random = random;
    this.latencyMs = options.latencyMs ?? 5;
    this.datagramLoss = options.datagramLoss ?? 0;
    this.windowBytes = options.windowBytes ?? MiB;
    this.packetBytes = options.packetBytes ?? 16_384;
  }

  addHost(options: HostOptions): Host {
    const host = new Host(this, options);
    if (options.behind === undefined) this.#hosts.set(options.address, host);
    else options.behind.admit(host);
    return host;
  }

  /** A NAT with a public address; put hosts behind it with `addHost({ behind, ... })`. */
  addNat(options: NatOptions): Nat {
    const nat = new Nat(this.random, options);
    this.#nats.push(nat);
    return nat;
  }

  /** A host with a public address. */
  host(address: string): Host | undefined {
    return this.#hosts.get(address);
  }

  nat(address: string): Nat | undefined {
    return this.#nats.find((nat) => nat.address === address);
  }
}

type Acceptor = (stream: StreamEnd) => void;
type DatagramListener = (bytes: Uint8Array, from: Endpoint) => void;

/** A machine with one address and one line. */
export class Host {
  readonly address: string;
  readonly uplink: Uplink;
  readonly downlink: Downlink;
  readonly nat: Nat | undefined;
  latencyMs: number;
  /** An offline host refuses nothing and answers nothing; its streams stall. */
  isOnline = true;
  readonly #network: Network;
  #acceptors = new Map<number, Acceptor>();
  #datagramListeners = new Map<number, DatagramListener>();
  #streams = new Set<StreamEnd>();
  #nextPort = FIRST_FREE_PORT;

  constructor(network: Network, options: HostOptions) {
    this.#network = network;
    this.address = options.address;
    this.nat = options.behind;
    this.latencyMs = options.latencyMs ?? 0;
    this.uplink = new Uplink(network.clock, options.upBytesPerSecond ?? Number.POSITIVE_INFINITY);
    this.downlink = new Downlink(
      network.clock,
      options.downBytesPerSecond ?? Number.POSITIVE_INFINITY,
    );
  }

  /** Streams of this host that are open. */
  get streams(): readonly StreamEnd[] {
    for (const stream of this.#streams) if (stream.isClosed) this.#streams.delete(stream);
    return [...this.#streams];
  }

  listen(port: number, onStream: Acceptor): void {
    this.#acceptors.set(port, onStream);
  }

  stopListening(port: number): void {
    this.#acceptors.delete(port);
  }

  /** Opens a stream. Set its `listener` before the clock moves; `onConnect` or `onClose` follows. */
  connect(to: Endpoint): StreamEnd {
    const remote = this.nat?.host(to.address) ?? this.#network.host(to.address);
    const isTranslated = this.nat !== undefined && remote?.nat !== this.nat;
    const address = isTranslated ? this.nat.address : this.address;
    const from = { address, port: this.#nextPort++ };
    const latencyMs = this.#latencyTo(remote);
    const stream = new StreamEnd(this.#line(latencyMs), from, to);
    const { clock } = this.#network;
    clock.after(latencyMs, () => {
      if (stream.isClosed) return;
      if (remote === undefined || !remote.isOnline || !this.isOnline) {
        clock.after(UNREACHABLE_AFTER_MS, () => stream.fail('unreachable'));
        return;
      }
      const accept = remote.#acceptors.get(to.port);
      if (accept === undefined) {
        clock.after(latencyMs, () => stream.fail('refused'));
        return;
      }
      const accepted = new StreamEnd(remote.#line(latencyMs), to, from);
      accepted.join(stream);
      this.#streams.add(stream);
      remote.#streams.add(accepted);
      accept(accepted);
      clock.after(latencyMs, () => {
        stream.join(accepted);
        if (!stream.isClosed) stream.listener?.onConnect?.();
      });
    });
    return stream;
  }

  /** Receives the datagrams that come to this port. */
  bindDatagrams(port: number, onDatagram: DatagramListener): void {
    this.#datagramListeners.set(port, onDatagram);
  }

  unbindDatagrams(port: number): void {
    this.#datagramListeners.delete(port);
  }

  /** `ttl` counts routers: each NAT is one, and so is the network (RFC 791 section 3.2). */
  sendDatagram(fromPort: number, to: Endpoint, bytes: Uint8Array, ttl = DEFAULT_TTL): void {
    const { clock } = this.#network;
    const copy = bytes.slice();
    if (!this.isOnline) return;
    const inside = { address: this.address, port: fromPort };
    if (this.nat === undefined) {
      this.#sendOut(inside, to, copy, ttl);
      return;
    }
    const neighbour = this.nat.host(to.address);
    if (neighbour !== undefined) {
      clock.after(this.#latencyTo(neighbour), () => neighbour.#receive(to.port, inside, copy));
      return;
    }
    const outside = ttl > 1 ? this.nat.outbound(clock.now, inside, to) : undefined;
    if (outside === undefined) return;
    if (to.address !== this.nat.address) this.#sendOut(outside, to, copy, ttl - 1);
    else if (this.nat.hairpin) this.#throughNat(this.nat, outside, to.port, copy);
  }

  #sendOut(from: Endpoint, to: Endpoint, bytes: Uint8Array, ttl: number): void {
    const { clock, random, datagramLoss } = this.#network;
    const isLost = datagramLoss > 0 && random() < datagramLoss;
    const remote = this.#network.host(to.address);
    if (isLost || ttl <= 1) return;
    clock.after(this.#latencyTo(remote), () => {
      if (remote !== undefined) remote.#receive(to.port, from, bytes);
      const nat = remote === undefined ? this.#network.nat(to.address) : undefined;
      if (nat !== undefined) this.#throughNat(nat, from, to.port, bytes);
    });
  }

  #throughNat(nat: Nat, from: Endpoint, port: number, bytes: Uint8Array): void {
    const { clock } = this.#network;
    const inside = nat.inbound(clock.now, from, port);
    if (inside === undefined) return;
    const host = nat.host(inside.address);
    if (host === undefined) return;
    clock.after(host.latencyMs, () => host.#receive(inside.port, from, bytes));
  }

  #receive(port: number, from: Endpoint, bytes: Uint8Array): void {
    if (this.isOnline) this.#datagramListeners.get(port)?.(bytes, from);
  }

  /** Cuts the host off for a while: streams stall and go on afterwards, datagrams are lost. */
  goOfflineFor(durationMs: number): void {
    const { clock } = this.#network;
    this.isOnline = false;
    const untilMs = clock.now + durationMs;
    for (const stream of this.streams) stream.stallBothUntil(untilMs);
    clock.at(untilMs, () => {
      this.isOnline = true;
    });
  }

  /** The host vanishes: every stream of it is reset and nothing listens any more. */
  crash(): void {
    this.#acceptors.clear();
    this.#datagramListeners.clear();
    for (const stream of this.streams) stream.cut();
  }

  #latencyTo(remote: Host | undefined): number {
    const isNeighbour = this.nat !== undefined && remote?.nat === this.nat;
    const betweenMs = isNeighbour ? 0 : this.#network.latencyMs;
    return betweenMs + this.latencyMs + (remote?.latencyMs ?? 0);
  }

  #line(latencyMs: number) {
    const { clock, windowBytes, packetBytes } = this.#network;
    const { uplink, downlink } = this;
    return { clock, uplink, downlink, latencyMs, windowBytes, packetBytes };
  }
}

const UNREACHABLE_AFTER_MS = 21_000; // what a TCP connect to nowhere takes with three SYNs
