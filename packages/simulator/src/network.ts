// A network of simulated hosts: streams between them (stream.ts) and datagrams, with latency, rates and loss.

import type { Endpoint } from '@bt/endpoint';
import type { VirtualClock } from './clock.ts';
import { Downlink, Uplink } from './link.ts';
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
  readonly address: string;
  /** Default: no limit. */
  readonly upBytesPerSecond?: number;
  readonly downBytesPerSecond?: number;
  readonly latencyMs?: number;
}

const MiB = 1 << 20;
const FIRST_FREE_PORT = 49_152; // RFC 6335 section 6: dynamic ports

/** Hosts by address. */
export class Network {
  readonly clock: VirtualClock;
  readonly random: Random;
  latencyMs: number;
  datagramLoss: number;
  readonly windowBytes: number;
  readonly packetBytes: number;
  #hosts = new Map<string, Host>();

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
    this.#hosts.set(options.address, host);
    return host;
  }

  host(address: string): Host | undefined {
    return this.#hosts.get(address);
  }
}

type Acceptor = (stream: StreamEnd) => void;
type DatagramListener = (bytes: Uint8Array, from: Endpoint) => void;

/** A machine with one address and one line. */
export class Host {
  readonly address: string;
  readonly uplink: Uplink;
  readonly downlink: Downlink;
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
    const from = { address: this.address, port: this.#nextPort++ };
    const remote = this.#network.host(to.address);
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

  sendDatagram(fromPort: number, to: Endpoint, bytes: Uint8Array): void {
    const { clock, random, datagramLoss } = this.#network;
    const remote = this.#network.host(to.address);
    const copy = bytes.slice();
    const isLost = datagramLoss > 0 && random() < datagramLoss;
    if (remote === undefined || isLost || !this.isOnline) return;
    clock.after(this.#latencyTo(remote), () => {
      if (!remote.isOnline) return;
      remote.#datagramListeners.get(to.port)?.(copy, { address: this.address, port: fromPort });
    });
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
    return this.#network.latencyMs + this.latencyMs + (remote?.latencyMs ?? 0);
  }

  #line(latencyMs: number) {
    const { clock, windowBytes, packetBytes } = this.#network;
    const { uplink, downlink } = this;
    return { clock, uplink, downlink, latencyMs, windowBytes, packetBytes };
  }
}

const UNREACHABLE_AFTER_MS = 21_000; // what a TCP connect to nowhere takes with three SYNs
