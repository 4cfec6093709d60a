// Network address translators between hosts and the network: mapping and filtering in the terms of RFC 4787, and what goes wrong
// with real ones: mappings that are short, forgotten or moved to a new address, and strangers' packets that take a port.

import type { Endpoint } from '@bt/endpoint';
import type { Host } from './network.ts';
import type { Random } from './random.ts';

export type NatKind =
  | 'full-cone'
  | 'address-restricted'
  | 'port-restricted'
  /** A mapping of its own, at a random port, for every endpoint that is sent to. */
  | 'symmetric'
  /** The same, with ports that count upwards. */
  | 'symmetric-sequential';

export interface NatOptions {
  /** The public address. */
  readonly address: string;
  readonly kind: NatKind;
  /** Only streams pass. Default false. */
  readonly blocksUdp?: boolean;
  /** Whether its hosts reach one another by its public address (RFC 4787 section 6). Default false. */
  readonly hairpin?: boolean;
  /** How long a mapping lives after the last packet from inside. Default 120 s (RFC 4787 REQ-5). */
  readonly mappingLifetimeMs?: number;
  /**
   * A box without an input firewall: a packet that nobody waits for becomes a flow of the box itself. More of it is lost, and what
   * is later sent to where it came from can't have that port any more (Linux). Default false.
   */
  readonly strayPacketsTakePorts?: boolean;
}

type Behaviour = 'independent' | 'address' | 'port';

/** RFC 4787 sections 4.1 and 5. */
const KINDS: Record<NatKind, { readonly isSymmetric: boolean; readonly filtering: Behaviour }> = {
  'full-cone': { isSymmetric: false, filtering: 'independent' },
  'address-restricted': { isSymmetric: false, filtering: 'address' },
  'port-restricted': { isSymmetric: false, filtering: 'port' },
  symmetric: { isSymmetric: true, filtering: 'port' },
  'symmetric-sequential': { isSymmetric: true, filtering: 'port' },
};

const FIRST_PORT = 1024;
const PORT_COUNT = 65_536 - FIRST_PORT;
/** What Linux keeps of a flow that had no answer (nf_conntrack_udp_timeout). */
const STRAY_LIFETIME_MS = 30_000;

interface Mapping {
  readonly key: string;
  readonly inside: Endpoint;
  readonly port: number;
  lastSentMs: number;
  /** When something was last sent to an endpoint, and to an address. */
  readonly sentTo: Map<string, number>;
}

/** Made by `network.addNat`; hosts get behind it by `network.addHost({ behind: nat, ... })`. */
export class Nat {
  readonly kind: NatKind;
  hairpin: boolean;
  blocksUdp: boolean;
  mappingLifetimeMs: number;
  strayPacketsTakePorts: boolean;
  readonly #random: Random;
  readonly #hosts = new Map<string, Host>();
  #address: string;
  #mappings = new Map<string, Mapping>();
  #byPort = new Map<number, Mapping>();
  /** Flows that strangers' packets have opened: until when, by port and remote endpoint. */
  #strays = new Map<string, number>();
  #nextPort: number;

  constructor(random: Random, options: NatOptions) {
    this.kind = options.kind;
    this.hairpin = options.hairpin ?? false;
    this.blocksUdp = options.blocksUdp ?? false;
    this.mappingLifetimeMs = options.mappingLifetimeMs ?? 120_000;
    this.strayPacketsTakePorts = options.strayPacketsTakePorts ?? false;
    this.#random = random;
    this.#address = options.address;
    this.#nextPort = FIRST_PORT + Math.floor(random() * PORT_COUNT);
  }

  /** The public address. */
  get address(): string {
    return this.#address;
  }

  /** Forgets every mapping; streams through it break. */
  reboot(): void {
    this.#mappings = new Map();
    this.#byPort = new Map();
    this.#strays = new Map();
    this.#nextPort = FIRST_PORT + Math.floor(this.#random() * PORT_COUNT);
    for (const host of this.#hosts.values()) {
      for (const stream of host.streams) {
        if (!this.#hosts.has(stream.remoteEndpoint.address)) stream.cut();
      }
    }
  }

  /** Goes on with another public address, and nothing that it knew. */
  renumber(address: string): void {
    this.reboot();
    this.#address = address;
  }

  /** For the network: a host gets behind it. */
  admit(host: Host): void {
    this.#hosts.set(host.address, host);
  }

  /** For the network: the host with this address on the inside. */
  host(address: string): Host | undefined {
    return this.#hosts.get(address);
  }

  /** For the network: where a datagram from inside seems to come from; `undefined` when it doesn't pass. */
  outbound(now: number, inside: Endpoint, to: Endpoint): Endpoint | undefined {
    if (this.blocksUdp) return undefined;
    const mapping = this.#mappingFor(now, inside, to);
    mapping.lastSentMs = now;
    mapping.sentTo.set(keyOf(to), now);
    mapping.sentTo.set(to.address, now);
    return { address: this.#address, port: mapping.port };
  }

  /** For the network: who gets a datagram from outside; `undefined` when nobody does. */
  inbound(now: number, from: Endpoint, port: number): Endpoint | undefined {
    if (this.blocksUdp) return undefined;
    const stray = `${port} ${keyOf(from)}`;
    if (this.#isStray(now, stray)) {
      this.#strays.set(stray, now + STRAY_LIFETIME_MS);
      return undefined;
    }
    const mapping = this.#byPort.get(port);
    if (mapping !== undefined && this.#isAlive(now, mapping.lastSentMs)) {
      const { filtering } = KINDS[this.kind];
      const key = filtering === 'port' ? keyOf(from) : from.address;
      const sentMs = mapping.sentTo.get(key);
      const isLetIn =
        filtering === 'independent' || (sentMs !== undefined && this.#isAlive(now, sentMs));
      if (isLetIn) return mapping.inside;
    }
    if (this.strayPacketsTakePorts) this.#strays.set(stray, now + STRAY_LIFETIME_MS);
    return undefined;
  }

  #mappingFor(now: number, inside: Endpoint, to: Endpoint): Mapping {
    const { isSymmetric } = KINDS[this.kind];
    const flow = `${keyOf(inside)} ${keyOf(to)}`;
    const own = this.#living(now, flow);
    if (own !== undefined) return own;
    if (isSymmetric) return this.#open(flow, inside, this.#freshPort());
    const shared = this.#living(now, keyOf(inside));
    const port = shared?.port ?? this.#preservedPort(inside.port);
    if (this.#isStray(now, `${port} ${keyOf(to)}`)) {
      return this.#open(flow, inside, this.#freshPort());
    }
    return shared ?? this.#open(keyOf(inside), inside, port);
  }

  #living(now: number, key: string): Mapping | undefined {
    const mapping = this.#mappings.get(key);
    if (mapping === undefined || this.#isAlive(now, mapping.lastSentMs)) return mapping;
    this.#mappings.delete(key);
    this.#byPort.delete(mapping.port);
    return undefined;
  }

  #open(key: string, inside: Endpoint, port: number): Mapping {
    const mapping = { key, inside, port, lastSentMs: 0, sentTo: new Map<string, number>() };
    const former = this.#byPort.get(port);
    if (former !== undefined) this.#mappings.delete(former.key);
    this.#mappings.set(key, mapping);
    this.#byPort.set(port, mapping);
    return mapping;
  }

  /** The port that the host itself has, or the next free one (RFC 4787 section 4.2.1, "port preservation"). */
  #preservedPort(port: number): number {
    let preserved = port;
    while (this.#byPort.has(preserved)) preserved = nextPort(preserved);
    return preserved;
  }

  #freshPort(): number {
    if (this.kind === 'symmetric-sequential') {
      this.#nextPort = this.#preservedPort(nextPort(this.#nextPort));
      return this.#nextPort;
    }
    return this.#preservedPort(FIRST_PORT + Math.floor(this.#random() * PORT_COUNT));
  }

  #isStray(now: number, key: string): boolean {
    const untilMs = this.#strays.get(key);
    return untilMs !== undefined && now < untilMs;
  }

  #isAlive(now: number, lastSentMs: number): boolean {
    return now - lastSentMs < this.mappingLifetimeMs;
  }
}

function nextPort(port: number): number {
  return port === 65_535 ? FIRST_PORT : port + 1;
}

function keyOf(endpoint: Endpoint): string {
  return `${endpoint.address} ${endpoint.port}`;
}
