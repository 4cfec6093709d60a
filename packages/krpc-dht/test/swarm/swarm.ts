// Many nodes in one process on virtual time: they join by one another over a simulated network, some die, some lie.
import {
  addressClass,
  addressFamily,
  type Endpoint,
  encodeCompact,
  parseAddress,
} from '@bt/endpoint';
import { createRandom, type Host, Network, type Random, VirtualClock } from '@bt/simulator';
import {
  Dht,
  type DhtEffect,
  type DhtOptions,
  decodeMessage,
  idForAddress,
  Message,
  writeResponse,
} from '../../src/index.ts';

/** What becomes of an operation. */
export type Outcome = Extract<DhtEffect, { type: 'done' | 'failed' }>;

export interface SwarmOptions {
  readonly seed: number;
  /** One way. Each host adds its own, up to as much again. Default 40. */
  readonly latencyMs?: number;
  /** Share of datagrams that are lost. Default 0. */
  readonly loss?: number;
  readonly dht?: Partial<DhtOptions>;
  /** An address for each node. Default: random public IPv4 ones, with ids bound to them (BEP 42). */
  readonly address?: (index: number) => string;
  /** Addresses of both families for each node, in place of `address`. */
  readonly addresses?: (index: number) => readonly string[];
  /** Default 6881. */
  readonly port?: (index: number) => number;
}

export class Swarm {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly network: Network;
  readonly nodes: SwarmNode[] = [];
  /** Datagrams sent by all nodes. */
  datagrams = 0;
  readonly #options: SwarmOptions;
  readonly #addresses = new Set<string>();

  constructor(options: SwarmOptions) {
    this.#options = options;
    this.random = createRandom(options.seed);
    const { latencyMs = 40, loss: datagramLoss = 0 } = options;
    this.network = new Network(this.clock, this.random, { latencyMs, datagramLoss });
  }

  /** A node more; it does nothing before it joins. */
  addNode(dht: Partial<DhtOptions> = {}): SwarmNode {
    const index = this.nodes.length;
    const { addresses, port = () => 6881 } = this.#options;
    const own = addresses?.(index) ?? [this.#nextAddress()];
    const node = new SwarmNode(this, own, port(index), { ...this.#options.dht, ...dht });
    this.nodes.push(node);
    return node;
  }

  /** Adds nodes which join `spacingMs` apart, each by one that is there already, and lets them settle. */
  grow(count: number, spacingMs: number, settleMs: number): void {
    for (let i = 0; i < count; i++) {
      const by = this.nodes.length > 0 ? [this.pick(this.nodes).endpoint] : [];
      const node = this.addNode();
      node.join(by);
      this.clock.runUntil(this.clock.now + spacingMs);
    }
    this.clock.runUntil(this.clock.now + settleMs);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)]!;
  }

  /** Starts operations and runs the clock until all of them have ended. */
  outcomes(
    operations: readonly { node: SwarmNode; begin: (dht: Dht, now: number) => number }[],
    onEnd?: (index: number) => void,
  ): Outcome[] {
    const results = new Array<Outcome | undefined>(operations.length);
    let open = operations.length;
    operations.forEach(({ node, begin }, i) => {
      node.run(begin, (outcome) => {
        results[i] = outcome;
        open--;
        onEnd?.(i);
      });
    });
    const limitMs = this.clock.now + 10 * 60_000;
    if (!this.clock.runWhile(() => open > 0, limitMs)) throw new Error('an operation hangs');
    return results as Outcome[];
  }

  #nextAddress(): string {
    const { address } = this.#options;
    if (address !== undefined) return address(this.nodes.length);
    for (;;) {
      const bytes = Array.from({ length: 4 }, () => Math.floor(this.random() * 256));
      const text = bytes.join('.');
      if (addressClass(text) !== 'public' || this.#addresses.has(text)) continue;
      this.#addresses.add(text);
      return text;
    }
  }
}

export class SwarmNode {
  readonly dht: Dht;
  /** The first of its endpoints, one for each address. */
  readonly endpoint: Endpoint;
  readonly endpoints: readonly Endpoint[];
  /** Answers of a liar tell of these instead of what it knows: compact nodes, for a target. */
  lies: ((target: Uint8Array) => Uint8Array) | undefined;
  isDead = false;
  readonly #swarm: Swarm;
  readonly #hosts: readonly Host[];
  readonly #awaited = new Map<number, (outcome: Outcome) => void>();
  /** Called for each effect that is neither a datagram nor the end of an awaited operation. */
  onEffect: ((effect: DhtEffect) => void) | undefined;
  #armedAt = Number.POSITIVE_INFINITY;

  constructor(
    swarm: Swarm,
    addresses: readonly string[],
    port: number,
    options: Partial<DhtOptions>,
  ) {
    this.#swarm = swarm;
    const address = addresses[0]!;
    this.endpoint = { address, port };
    this.endpoints = addresses.map((each) => ({ address: each, port }));
    const { random, network } = swarm;
    this.#hosts = addresses.map((each) => {
      const latencyMs = random() * network.latencyMs * 0.5;
      const host = network.host(each) ?? network.addHost({ address: each, latencyMs });
      host.bindDatagrams(port, (bytes, from) => this.#receive(bytes, from));
      return host;
    });
    const families = addresses.map((each) => addressFamily(each));
    const ipv4 = families.includes(4);
    const ipv6 = families.includes(6);
    const id = idForAddress(parseAddress(address)!, random);
    this.dht = new Dht({ random, id, ipv4, ipv6, rateLimit: false, ...options });
  }

  get id(): Uint8Array {
    return (this.dht.id(4) ?? this.dht.id(6))!;
  }

  get now(): number {
    return this.#swarm.clock.now;
  }

  join(by: readonly Endpoint[]): void {
    this.dht.join(this.now, by);
    this.drain();
  }

  /** Begins an operation; `onEnd` is called when it has ended. */
  run(begin: (dht: Dht, now: number) => number, onEnd: (outcome: Outcome) => void): void {
    this.#awaited.set(begin(this.dht, this.now), onEnd);
    this.drain();
  }

  /** It vanishes without a word. */
  die(): void {
    this.isDead = true;
    for (const host of this.#hosts) host.crash();
  }

  drain(): void {
    for (;;) {
      const effect = this.dht.poll();
      if (effect === undefined) break;
      if (effect.type === 'send') {
        this.#swarm.datagrams++;
        this.#send(effect.to, effect.bytes);
        continue;
      }
      if (effect.type === 'done' || effect.type === 'failed') {
        const onEnd = this.#awaited.get(effect.operation);
        if (onEnd !== undefined) {
          this.#awaited.delete(effect.operation);
          onEnd(effect);
          continue;
        }
      }
      this.onEffect?.(effect);
    }
    this.#arm();
  }

  #receive(bytes: Uint8Array, from: Endpoint): void {
    if (this.isDead) return;
    if (this.lies !== undefined && this.#lie(bytes, from)) return;
    this.dht.handleDatagram(this.now, bytes, from);
    this.drain();
  }

  #lie(bytes: Uint8Array, from: Endpoint): boolean {
    if (decodeMessage(bytes, message) !== 'ok') return false;
    if (message.method !== 'find_node' && message.method !== 'get_peers') return false;
    const nodes = this.lies!(message.copy(message.targetAt, 20));
    const fields = { nodes, token: new Uint8Array(4) };
    const end = writeResponse(
      answer,
      0,
      { id: this.id },
      message,
      fields,
      encodeCompact(from),
      1400,
    );
    this.#send(from, answer.subarray(0, end));
    return true;
  }

  #send(to: Endpoint, bytes: Uint8Array): void {
    const isIpv6 = to.address.includes(':');
    const host = this.#hosts.find(({ address }) => address.includes(':') === isIpv6);
    host?.sendDatagram(this.endpoint.port, to, bytes);
  }

  /** One timer a node, moved to an earlier time only: a machine that is woken too soon does nothing. */
  #arm(): void {
    const deadline = this.dht.deadline();
    if (deadline >= this.#armedAt) return;
    this.#armedAt = deadline;
    this.#swarm.clock.at(deadline, () => this.#wake(deadline));
  }

  #wake(deadline: number): void {
    if (this.#armedAt !== deadline || this.isDead) return;
    this.#armedAt = Number.POSITIVE_INFINITY;
    this.dht.handleTimeout(this.now);
    this.drain();
  }
}

const message = new Message();
const answer = new Uint8Array(1500);
