// Two members of a pair on virtual time: the real machines, behind simulated NATs, with a server that tells addresses, relays and signals.
import { decodeCompact, type Endpoint, encodeCompact, endpointKey } from '@bt/endpoint';
import {
  Alarm,
  createRandom,
  type Host,
  type Nat,
  type NatKind,
  type NatOptions,
  Network,
  type Random,
  randomBytes,
  type StreamEnd,
  VirtualClock,
} from '@bt/simulator';
import type { Candidate, NatTraits } from '../../src/path/candidate.ts';
import type { PathDescription, PathSocket } from '../../src/path/path.ts';
import type { Via } from '../../src/path/probe.ts';
import { Puncher } from '../../src/path/puncher.ts';
import type { PuncherEffect } from '../../src/path/puncher-options.ts';

export type Kind = 'none' | NatKind;

export interface SideOptions extends Partial<Omit<NatOptions, 'address' | 'kind'>> {
  readonly kind: Kind;
  /** What the member knows of its NAT. Default: all of it. */
  readonly traits?: NatTraits;
}

export interface PairOptions {
  readonly seed: number;
  readonly latencyMs?: number;
  /** Of each side, beyond that. */
  readonly extraLatencyMs?: readonly [number, number];
  readonly loss?: number;
  /** Both behind the NAT of `a`. */
  readonly sameNat?: boolean;
  /** How long signalling takes to come back after a NAT's reboot. */
  readonly signallingOutageMs?: number;
}

const SERVER = '8.0.0.1';
const STUN_PORTS = [3478, 3479];
const TURN_PORT = 3480;

export class SimPair {
  readonly clock = new VirtualClock();
  readonly network: Network;
  readonly random: Random;
  readonly a: SimMember;
  readonly b: SimMember;
  readonly signallingOutageMs: number;

  constructor(a: SideOptions, b: SideOptions, options: PairOptions) {
    this.random = createRandom(options.seed);
    this.signallingOutageMs = options.signallingOutageMs ?? 4_300;
    this.network = new Network(this.clock, this.random, {
      latencyMs: options.latencyMs ?? 10,
      datagramLoss: options.loss ?? 0,
    });
    new SimServer(this.network.addHost({ address: SERVER }));
    const natA = this.#nat(a, '5.0.0.1');
    const natB = options.sameNat === true ? natA : this.#nat(b, '6.0.0.1');
    const [extraA, extraB] = options.extraLatencyMs ?? [0, 0];
    const hostA = this.#host(natA, natA === undefined ? '5.0.0.1' : '10.0.0.2', extraA);
    const hostB = this.#host(natB, natB === undefined ? '6.0.0.1' : '10.0.0.3', extraB);
    const pairKey = randomBytes(this.random, 32);
    this.a = new SimMember(
      this,
      hostA,
      natA,
      traitsOf(a),
      pairKey,
      true,
      natA?.address ?? '5.0.0.1',
    );
    this.b = new SimMember(
      this,
      hostB,
      natB,
      traitsOf(b),
      pairKey,
      false,
      natB?.address ?? '6.0.0.1',
    );
  }

  /** Gathers on both sides, then lets them know of one another; or the second one only begins to gather then. */
  meet(isReady = true): void {
    this.a.gather(true);
    if (isReady) this.b.gather(true);
    this.clock.runUntil(2_000);
    this.a.begin(this.b);
    this.b.begin(this.a);
    if (!isReady) this.b.gather(true);
  }

  /** Runs until both sides have a path for which the condition holds, and tells after how many milliseconds; undefined at the limit. */
  until(
    condition: (path: PathDescription | undefined) => boolean,
    limitMs: number,
  ): number | undefined {
    const startMs = this.clock.now;
    const isOpen = () => !(condition(this.a.path) && condition(this.b.path));
    return this.clock.runWhile(isOpen, startMs + limitMs) ? this.clock.now - startMs : undefined;
  }

  run(durationMs: number): void {
    this.clock.runUntil(this.clock.now + durationMs);
  }

  #nat(side: SideOptions, address: string): Nat | undefined {
    if (side.kind === 'none') return undefined;
    const { traits: _, kind, ...options } = side;
    return this.network.addNat({ ...options, kind, address });
  }

  #host(nat: Nat | undefined, address: string, latencyMs: number): Host {
    const options = { address, latencyMs };
    return this.network.addHost(nat === undefined ? options : { ...options, behind: nat });
  }
}

export class SimMember {
  readonly #pair: SimPair;
  readonly host: Host;
  readonly nat: Nat | undefined;
  readonly traits: NatTraits;
  readonly #pairKey: Uint8Array;
  readonly #isControlling: boolean;
  readonly #alarm: Alarm;
  seen: string;
  puncher: Puncher | undefined;
  #other: SimMember | undefined;
  #sockets: PathSocket[] = [];
  #relays = new Map<number, SimRelay>();
  #candidates: Candidate[] = [];
  #nextId = 1;
  #nextPort = 40_000;
  #permitted = new Set<string>();
  #signallingUntil = 0;
  #gathering = 0;
  path: PathDescription | undefined;
  paths: string[] = [];
  /** What the peer has sent over the path, by number. */
  readonly received: number[] = [];
  /** Of what comes to its own sockets. */
  drops: (from: Endpoint) => boolean = () => false;
  sentProbes = 0;
  openedGuesses = 0;
  readonly probedPorts = new Map<string, number>();
  #sentNumber = 0;

  constructor(
    pair: SimPair,
    host: Host,
    nat: Nat | undefined,
    traits: NatTraits,
    pairKey: Uint8Array,
    isControlling: boolean,
    seen: string,
  ) {
    this.#pair = pair;
    this.host = host;
    this.nat = nat;
    this.traits = traits;
    this.#pairKey = pairKey;
    this.#isControlling = isControlling;
    this.seen = seen;
    this.#alarm = new Alarm(pair.clock, () =>
      this.#call((puncher, now) => puncher.handleTimeout(now)),
    );
  }

  begin(other: SimMember): void {
    const { clock, random } = this.#pair;
    this.#other = other;
    this.puncher = new Puncher(clock.now, {
      pairKey: this.#pairKey,
      isControlling: this.#isControlling,
      random,
      randomBytes: (length) => randomBytes(random, length),
      peerSeen: [other.seen],
      serverAddresses: [SERVER],
    });
    this.#call(() => this.#setLocal());
  }

  /** Binds a socket, has it told its address, and allocates on the relay: by UDP, or by TCP when nothing comes back. */
  gather(isFresh: boolean): void {
    const { clock } = this.#pair;
    this.#gathering += 1;
    const gathering = this.#gathering;
    const candidates: Candidate[] = [];
    let base = this.#sockets.findLast(({ via }) => via === 'socket');
    if (isFresh || base === undefined) base = this.#bind();
    candidates.push({ kind: 'host', ...base.local });
    const relays = new Map<number, SimRelay>();
    const update = () => {
      if (gathering !== this.#gathering) return;
      this.#candidates = candidates;
      const kept = this.#sockets.filter(
        (socket) =>
          socket.id === base.id ||
          relays.has(socket.id) ||
          this.puncher?.isInUse(clock.now, socket.id) === true,
      );
      for (const [id, relay] of relays) {
        if (!kept.some((socket) => socket.id === id)) kept.push(relay.socket);
      }
      for (const relay of relays.values()) this.#relays.set(relay.socket.id, relay);
      this.#sockets = kept;
      this.#call(() => this.#setLocal());
    };
    let answers = 0;
    this.#ask(base.local.port, STUN_PORTS[0]!, (mapped) => {
      answers += 1;
      if (endpointKey(mapped) !== endpointKey(base.local))
        candidates.push({ kind: 'reflexive', ...mapped });
      else candidates.push({ kind: 'reflexive', ...base.local });
      update();
    });
    const allocate = (via: 'relay-udp' | 'relay-tcp') => {
      const relay = new SimRelay(
        this.#pair.network,
        this.host,
        via,
        this.#nextId++,
        this.#nextPort++,
      );
      relay.onAllocated = (relayed) => {
        candidates.push({ kind: 'relayed', ...relayed });
        relays.set(relay.socket.id, relay);
        for (const address of this.#permitted) relay.permit(address);
        update();
      };
      relay.onDatagram = (from, bytes) => this.#receive(relay.socket.id, from, bytes);
      relay.open();
    };
    allocate('relay-udp');
    clock.after(250, () => {
      if (relays.size === 0 && gathering === this.#gathering) allocate('relay-tcp');
      if (answers === 0) update();
    });
  }

  /** Sends the next number over the path there is. */
  send(): void {
    const path = this.puncher?.path;
    const number = this.#sentNumber++;
    if (path === undefined) return;
    const bytes = Uint8Array.of(20, number >>> 16, number >>> 8, number);
    this.#transmit(path.socketId, path.remote, bytes, undefined);
  }

  get sentNumbers(): number {
    return this.#sentNumber;
  }

  /** The NAT forgets; signalling over TCP is cut too, and comes back. */
  rebootNat(): void {
    this.nat?.reboot();
    this.#cutSignalling();
  }

  renumberNat(address: string): void {
    this.nat?.renumber(address);
    this.seen = address;
    this.#cutSignalling();
  }

  handleSignal(data: unknown): void {
    this.#call((puncher, now) => puncher.handleSignal(now, data));
  }

  #cutSignalling(): void {
    const { clock, signallingOutageMs } = this.#pair;
    this.#signallingUntil = clock.now + signallingOutageMs;
    clock.at(this.#signallingUntil, () => {
      const other = this.#other!;
      other.#call((puncher, now) => puncher.setPeerSeen(now, [this.seen]));
      this.#call((puncher, now) => puncher.networkChanged(now));
    });
  }

  #call(run: (puncher: Puncher, now: number) => void): void {
    const { puncher } = this;
    if (puncher === undefined) return;
    run(puncher, this.#pair.clock.now);
    for (let effect = puncher.poll(); effect !== undefined; effect = puncher.poll())
      this.#carryOut(effect);
    this.#alarm.set(puncher.deadline());
  }

  #setLocal(): void {
    this.puncher?.setLocal(this.#pair.clock.now, {
      sockets: this.#sockets,
      candidates: this.#candidates,
      nat: this.traits,
    });
  }

  #carryOut(effect: PuncherEffect): void {
    const { clock } = this.#pair;
    switch (effect.type) {
      case 'send': {
        this.sentProbes += 1;
        const { address } = effect.to;
        this.probedPorts.set(address, (this.probedPorts.get(address) ?? 0) + 1);
        this.#transmit(effect.socketId, effect.to, effect.bytes, effect.ttl);
        break;
      }
      case 'signal': {
        const other = this.#other!;
        const data: unknown = JSON.parse(JSON.stringify(effect.data));
        const readyMs = Math.max(clock.now, this.#signallingUntil, other.#signallingUntil);
        const latencyMs =
          2 * this.#pair.network.latencyMs + this.host.latencyMs + other.host.latencyMs;
        clock.at(readyMs + latencyMs, () => other.handleSignal(data));
        break;
      }
      case 'gather':
        clock.after(0, () => this.gather(effect.isFresh));
        break;
      case 'open':
        clock.after(0, () => this.#openGuess(effect.way, effect.count));
        break;
      case 'release':
        for (const id of effect.socketIds) this.#guess.delete(id);
        break;
      case 'permit':
        this.#permitted.add(effect.peer.address);
        for (const relay of this.#relays.values()) relay.permit(effect.peer.address);
        break;
      case 'path':
        this.path = effect.path;
        this.paths.push(effect.path?.method ?? 'none');
        break;
    }
  }

  readonly #guess = new Map<number, PathSocket>();

  get guessSockets(): number {
    return this.#guess.size;
  }

  #openGuess(way: 'prediction' | 'birthday', count: number): void {
    const sockets = Array.from({ length: count }, () => this.#bind());
    this.openedGuesses += count;
    for (const socket of sockets) {
      this.#sockets.splice(this.#sockets.indexOf(socket), 1);
      this.#guess.set(socket.id, socket);
    }
    const now = () => this.#pair.clock.now;
    if (way === 'birthday') {
      this.#call((puncher) => puncher.addGuessSockets(now(), way, sockets));
      return;
    }
    this.#ask(sockets[0]!.local.port, STUN_PORTS[0]!, (mapped) => {
      this.#call((puncher) => puncher.addGuessSockets(now(), way, sockets, mapped.port));
    });
  }

  #bind(): PathSocket {
    const local = { address: this.host.address, port: this.#nextPort++ };
    const socket: PathSocket = { id: this.#nextId++, via: 'socket', family: 4, local };
    this.#sockets.push(socket);
    this.host.bindDatagrams(local.port, (bytes, from) => {
      if (from.address === SERVER && bytes[0] === 'M'.charCodeAt(0))
        this.#answered(local.port, bytes);
      else if (!this.drops(from)) this.#receive(socket.id, from, bytes);
    });
    return socket;
  }

  readonly #asked = new Map<number, (mapped: Endpoint) => void>();

  /** Like a Binding request, repeated twice. */
  #ask(fromPort: number, port: number, onMapped: (mapped: Endpoint) => void): void {
    this.#asked.set(fromPort, onMapped);
    for (const delayMs of [0, 100, 200]) {
      this.#pair.clock.after(delayMs, () => {
        if (!this.#asked.has(fromPort)) return;
        this.host.sendDatagram(fromPort, { address: SERVER, port }, Uint8Array.of(1));
      });
    }
  }

  #answered(port: number, bytes: Uint8Array): void {
    const onMapped = this.#asked.get(port);
    this.#asked.delete(port);
    onMapped?.(decodeCompact(bytes.subarray(1), 4)[0]!);
  }

  #transmit(socketId: number, to: Endpoint, bytes: Uint8Array, ttl: number | undefined): void {
    const relay = this.#relays.get(socketId);
    if (relay !== undefined) {
      relay.send(to, bytes);
      return;
    }
    const socket = this.#sockets.find(({ id }) => id === socketId) ?? this.#guess.get(socketId);
    if (socket !== undefined) this.host.sendDatagram(socket.local.port, to, bytes, ttl);
  }

  #receive(socketId: number, from: Endpoint, bytes: Uint8Array): void {
    this.#call((puncher, now) => {
      if (!puncher.handleDatagram(now, socketId, from, bytes)) return;
      this.received.push((bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!);
    });
  }
}

/** An allocation, in a protocol much simpler than TURN. */
class SimRelay {
  readonly socket: PathSocket;
  readonly #network: Network;
  readonly #host: Host;
  #stream: StreamEnd | undefined;
  onAllocated: (relayed: Endpoint) => void = () => {};
  onDatagram: (from: Endpoint, bytes: Uint8Array) => void = () => {};

  constructor(network: Network, host: Host, via: Via, id: number, port: number) {
    this.#network = network;
    this.#host = host;
    this.socket = { id, via, family: 4, local: { address: host.address, port } };
  }

  open(): void {
    if (this.socket.via === 'relay-udp') {
      this.#host.bindDatagrams(this.socket.local.port, (bytes) => this.#receive(bytes));
      for (const delayMs of [0, 80, 160]) {
        this.#network.clock.after(delayMs, () => this.#write(Uint8Array.of(65)));
      }
      return;
    }
    this.#stream = this.#host.connect({ address: SERVER, port: TURN_PORT });
    this.#stream.listener = {
      onConnect: () => this.#write(Uint8Array.of(65)),
      onData: (bytes) => this.#receive(bytes),
      onClose: () => {},
    };
  }

  permit(address: string): void {
    for (const delayMs of [0, 80, 160]) {
      this.#network.clock.after(delayMs, () => {
        this.#write(Uint8Array.of(80, ...encodeCompact({ address, port: 1 })));
      });
    }
  }

  send(to: Endpoint, bytes: Uint8Array): void {
    this.#write(Uint8Array.of(83, ...encodeCompact(to), ...bytes));
  }

  #isAllocated = false;

  #write(bytes: Uint8Array): void {
    if (bytes[0] === 65 && this.#isAllocated) return;
    if (this.#stream !== undefined) this.#stream.send(bytes);
    else
      this.#host.sendDatagram(this.socket.local.port, { address: SERVER, port: TURN_PORT }, bytes);
  }

  #receive(bytes: Uint8Array): void {
    const endpoint = decodeCompact(bytes.subarray(1, 7), 4)[0]!;
    if (bytes[0] === 68) this.onDatagram(endpoint, bytes.subarray(7));
    else if (!this.#isAllocated) {
      this.#isAllocated = true;
      this.onAllocated(endpoint);
    }
  }
}

class SimServer {
  readonly #host: Host;
  readonly #allocations = new Map<string, { port: number; permitted: Set<string> }>();
  #nextPort = 50_000;

  constructor(host: Host) {
    this.#host = host;
    for (const port of STUN_PORTS) {
      host.bindDatagrams(port, (_bytes, from) => {
        host.sendDatagram(port, from, Uint8Array.of(77, ...encodeCompact(from)));
      });
    }
    host.bindDatagrams(TURN_PORT, (bytes, from) => {
      this.#handle(endpointKey(from), bytes, (answer) =>
        host.sendDatagram(TURN_PORT, from, answer),
      );
    });
    host.listen(TURN_PORT, (stream) => {
      const key = `tcp ${endpointKey(stream.remoteEndpoint)}`;
      stream.listener = {
        onData: (bytes) => this.#handle(key, bytes, (answer) => stream.send(answer)),
        onClose: () => {},
      };
    });
  }

  #handle(client: string, bytes: Uint8Array, answer: (bytes: Uint8Array) => void): void {
    let allocation = this.#allocations.get(client);
    if (bytes[0] === 65) {
      if (allocation === undefined) {
        const port = this.#nextPort++;
        const permitted = new Set([SERVER]);
        allocation = { port, permitted };
        this.#allocations.set(client, allocation);
        this.#host.bindDatagrams(port, (data, from) => {
          if (permitted.has(from.address))
            answer(Uint8Array.of(68, ...encodeCompact(from), ...data));
        });
      }
      answer(Uint8Array.of(65, ...encodeCompact({ address: SERVER, port: allocation.port })));
      return;
    }
    if (allocation === undefined) return;
    const peer = decodeCompact(bytes.subarray(1, 7), 4)[0]!;
    if (bytes[0] === 80) allocation.permitted.add(peer.address);
    else if (allocation.permitted.has(peer.address)) {
      this.#host.sendDatagram(allocation.port, peer, bytes.subarray(7));
    }
  }
}

function traitsOf({ kind, traits }: SideOptions): NatTraits {
  if (traits !== undefined) return traits;
  if (kind === 'none') return { mapping: 'none', filtering: 'open' };
  const filtering = kind === 'full-cone' || kind === 'address-restricted' ? 'open' : 'port';
  if (kind === 'symmetric') return { mapping: 'dependent', filtering };
  if (kind === 'symmetric-sequential') return { mapping: 'dependent', filtering, portStep: 1 };
  return { mapping: 'independent', filtering };
}
