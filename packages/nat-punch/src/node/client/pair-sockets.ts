// All that one pair sends from: its sockets, what the server sees of them, and its allocations on the relay. It is made before there is a
// partner, so that nothing has to be waited for when one comes.
import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { type AddressFamily, addressClass, addressFamily, type Endpoint } from '@bt/endpoint';
import type { NatPunchError } from '../../errors.ts';
import type { Candidate, NatTraits } from '../../path/candidate.ts';
import type { FilterKind } from '../../path/nat-filter.ts';
import type { PathSocket } from '../../path/path.ts';
import type { LocalSide } from '../../path/puncher-options.ts';
import { STUN_ATTRIBUTE } from '../../stun/stun-attributes.ts';
import { decodeStunMessage, STUN_METHOD } from '../../stun/stun-message.ts';
import { LongTermCredentials, StunRequest } from '../../stun/stun-request.ts';
import { MAX_CLIENT_PERMISSIONS } from '../../turn/turn-client.ts';
import { bindDatagramSocket, type DatagramSocket } from './datagram-socket.ts';
import { TurnConnection } from './turn-connection.ts';
import { Wakeup } from './wakeup.ts';

/** Where the server is, and by what credentials it serves us: from its `welcome`. */
export interface TraversalServer {
  /** An IP address. */
  readonly address: string;
  /** UDP ports that answer Binding requests: two, to tell whether a NAT maps them alike. */
  readonly stunPorts: readonly number[];
  /** UDP and TCP. */
  readonly turnPort: number;
  /** Whether TLS is spoken on the TCP port. */
  readonly tls: boolean;
  readonly username: string;
  readonly password: string;
}

export interface PairSocketsOptions {
  /** As it is now: asked again whenever something is allocated. */
  server(): TraversalServer;
  /** What is known of our NAT. */
  natTraits(): NatTraits | undefined;
  readonly natFilter: FilterKind | undefined;
  /** Waits for leave to open hundreds of sockets; the leave ends with the call of what it resolves to. */
  mayOpenMany(): Promise<() => void>;
}

/** Addresses of this host that are offered. */
const MAX_HOST_CANDIDATES = 6;
/** TCP is begun when UDP has brought no relay by then, TLS later still. */
const TCP_AFTER_MS = 200;
const TLS_AFTER_MS = 600;
/** A relay that says nothing when it is asked whether it is there gets a successor by then, before it is given up. */
const SUCCESSOR_AFTER_MS = 250;
/** A permission that was refused is asked for again. */
const PERMIT_AGAIN_MS = [200, 400, 800, 1_600] as const;
/** Allocations of a pair, with those that are to take over. */
const MAX_RELAYS = 4;
/** A way that has failed is tried again, ever more seldom. */
const CONNECT_AGAIN_MS = [200, 400, 800, 1_600, 3_200, 6_400] as const;
/** Sockets of guessing that were met by the peer: the others are closed. */
const MAX_KEPT_GUESSES = 8;
/** Mappings and allocations are looked after so often. */
const KEEP_ALIVE_MS = 15_000;
/** A mapping that was asked for within this time is as it was. */
const FRESH_MS = 3_000;

type RelayVia = 'relay-udp' | 'relay-tcp' | 'relay-tls';

interface BaseSocket {
  readonly path: PathSocket;
  readonly socket: DatagramSocket;
  /** Where the server sees it, at its ports in turn. */
  readonly mapped: (Endpoint | undefined)[];
  /** Requests under way, each with the server's port that it asks, and which of its ports that is. */
  readonly queries: Map<StunRequest, { readonly to: Endpoint; readonly index: number }>;
}

export class PairSockets {
  onChange: () => void = () => {};
  onDatagram: (socketId: number, from: Endpoint, bytes: Uint8Array) => void = () => {};
  /** Whether a socket carries the talk: it is kept then. */
  isInUse: (socketId: number) => boolean = () => false;
  readonly #options: PairSocketsOptions;
  readonly #bases: BaseSocket[] = [];
  readonly #guesses = new Map<number, DatagramSocket>();
  readonly #relays = new Map<number, TurnConnection>();
  /** Of addresses, what was named last of each; the one that was named longest ago comes first. */
  readonly #permits = new Map<string, Endpoint>();
  /** Of the peer, at the other end of a path through a relay of ours that is, or was last, in use. */
  #relayedAddress: string | undefined;
  readonly #queries = new Wakeup(() => this.#runQueries());
  readonly #keepAlive: NodeJS.Timeout;
  #credentials: LongTermCredentials | undefined;
  /** Ways to the relay that are to be begun yet. */
  readonly #starts = new Set<NodeJS.Timeout>();
  readonly #failures = new Map<RelayVia, number>();
  #relayFamily: AddressFamily = 4;
  #succession: NodeJS.Timeout | undefined;
  readonly #refusals = new Map<string, number>();
  readonly #permitting = new Set<NodeJS.Timeout>();
  #isRacing = false;
  #endLeave: () => void = () => {};
  #askedMs = Number.NEGATIVE_INFINITY;
  #nextId = 1;
  #isClosed = false;

  constructor(options: PairSocketsOptions) {
    this.#options = options;
    this.#keepAlive = setInterval(() => this.verify(), KEEP_ALIVE_MS);
    this.#keepAlive.unref();
    void this.#addBases();
    this.#allocate();
  }

  /** What there is by now. `onChange` tells of more. */
  get local(): LocalSide {
    const sockets: PathSocket[] = this.#bases.map(({ path }) => path);
    const candidates: Candidate[] = [];
    // Of sockets that are kept only because they are in use nothing is told: the peer knows where they are.
    for (const family of [4, 6] as const) {
      const base = this.#bases.findLast(({ path }) => path.family === family);
      if (base === undefined) continue;
      const seen = base.mapped.find((mapped) => mapped !== undefined);
      if (seen !== undefined) candidates.push({ kind: 'reflexive', ...seen });
      const { port } = base.path.local;
      for (const address of port === 0 ? [] : this.#hostAddresses(family)) {
        candidates.push({ kind: 'host', address, port });
      }
    }
    for (const relay of this.#relays.values()) {
      const path = relay.pathSocket;
      if (path === undefined) continue;
      sockets.push(path);
      candidates.push({ kind: 'relayed', ...path.local });
    }
    return { sockets, candidates, nat: this.#traits() };
  }

  send(socketId: number, to: Endpoint, bytes: Uint8Array, ttl?: number): void {
    const relay = this.#relays.get(socketId);
    if (relay !== undefined) {
      relay.send(to, bytes);
      return;
    }
    for (const base of this.#bases) {
      if (base.path.id === socketId) {
        base.socket.send(to, bytes, ttl);
        return;
      }
    }
    this.#guesses.get(socketId)?.send(to, bytes, ttl);
  }

  /** Has all relays let in what comes from there. */
  permit(peer: Endpoint): void {
    this.#permits.delete(peer.address);
    this.#permits.set(peer.address, peer);
    this.#refusals.delete(peer.address);
    if (this.#permits.size > MAX_CLIENT_PERMISSIONS) this.#forgetOldestPermit();
    for (const relay of this.#relays.values()) relay.permit(peer);
  }

  /** A path through a relay of ours is used. */
  bindChannel(socketId: number, peer: Endpoint): void {
    this.#relayedAddress = peer.address;
    this.#relays.get(socketId)?.bindChannel(peer);
  }

  /** Looks whether all is as it was; relays that don't answer are replaced. */
  verify(isUrgent = false): void {
    for (const base of this.#bases) this.#ask(base);
    for (const relay of this.#relays.values()) relay.verify(isUrgent);
    for (const peer of [...this.#permits.values()]) this.permit(peer);
    if (!this.#hasRelay()) this.#allocate();
  }

  /** The server is there, or there again: what waits for it waits no longer. */
  restartRelays(): void {
    if (this.#hasRelay()) return;
    this.#endRace();
    for (const relay of this.#relays.values()) relay.close();
    this.#relays.clear();
    this.#allocate();
  }

  /** The same, unless that was a moment ago. */
  verifyWhenStale(): void {
    if (performance.now() - this.#askedMs > FRESH_MS) this.verify();
  }

  /** New sockets beside those in use: what the NATs know of the old ones may be spoilt. */
  async renew(): Promise<void> {
    this.verify(true);
    this.#succeedSilentRelays();
    await this.#addBases();
    const newest = new Set(
      ([4, 6] as const).map((family) => this.#bases.findLast(({ path }) => path.family === family)),
    );
    for (const base of [...this.#bases]) {
      if (newest.has(base) || this.isInUse(base.path.id)) continue;
      this.#bases.splice(this.#bases.indexOf(base), 1);
      base.socket.close();
    }
    this.#changed();
  }

  /** Sockets for guessing, as many as can be had; for a prediction with the port that the first one is mapped to. */
  async openGuesses(
    way: 'prediction' | 'birthday',
    count: number,
  ): Promise<{ sockets: PathSocket[]; mappedPort?: number }> {
    if (way === 'birthday') {
      // One leave is all that a pair holds, also while it waits for another one.
      this.#endLeave();
      const endLeave = await this.#options.mayOpenMany();
      this.#endLeave();
      if (this.#isClosed) endLeave();
      else this.#endLeave = endLeave;
    }
    if (this.#isClosed) return { sockets: [] };
    const results = await Promise.allSettled(
      Array.from({ length: count }, () => bindDatagramSocket(4, this.#options.natFilter)),
    );
    const sockets: PathSocket[] = [];
    for (const result of results) {
      if (result.status === 'rejected') continue;
      const socket = result.value;
      if (this.#isClosed) {
        socket.close();
        continue;
      }
      const path = this.#pathSocket(socket);
      this.#guesses.set(path.id, socket);
      socket.onDatagram = (from, bytes) => this.onDatagram(path.id, from, bytes);
      sockets.push(path);
    }
    const first = sockets[0];
    if (way === 'birthday' || first === undefined) return { sockets };
    const mappedPort = await this.#mappedPortOf(first.id);
    return mappedPort === undefined ? { sockets: [] } : { sockets, mappedPort };
  }

  release(socketIds: readonly number[]): void {
    for (const id of socketIds) {
      this.#guesses.get(id)?.close();
      this.#guesses.delete(id);
    }
    if (this.#guesses.size <= MAX_KEPT_GUESSES) this.#endLeave();
  }

  /** What is known of our NAT has changed. */
  handleTraits(): void {
    this.#changed();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#keepAlive);
    this.#endRace();
    this.#queries.set(Number.POSITIVE_INFINITY);
    this.#endLeave();
    clearTimeout(this.#succession);
    for (const timer of this.#permitting) clearTimeout(timer);
    for (const { socket } of this.#bases) socket.close();
    for (const socket of this.#guesses.values()) socket.close();
    for (const relay of this.#relays.values()) relay.close();
  }

  // --- sockets

  async #addBases(): Promise<void> {
    const own = this.#serverFamily();
    // A NAT kind is played for one family: the other one would get around it.
    const families: AddressFamily[] = this.#options.natFilter === undefined ? [4, 6] : [own];
    const added = await Promise.allSettled(families.map((family) => this.#addBase(family)));
    if (added.some(({ status }) => status === 'fulfilled')) this.#changed();
  }

  async #addBase(family: AddressFamily): Promise<void> {
    if (family !== this.#serverFamily() && this.#hostAddresses(family).length === 0) return;
    const socket = await bindDatagramSocket(family, this.#options.natFilter);
    if (this.#isClosed) {
      socket.close();
      return;
    }
    const path = this.#pathSocket(socket);
    const base: BaseSocket = { path, socket, mapped: [], queries: new Map() };
    this.#bases.push(base);
    socket.onDatagram = (from, bytes) => {
      if (
        base.queries.size > 0 &&
        bytes.length > 0 &&
        bytes[0]! <= 3 &&
        this.#handleAnswer(base, bytes)
      )
        return;
      this.onDatagram(path.id, from, bytes);
    };
    this.#ask(base);
  }

  #pathSocket(socket: DatagramSocket): PathSocket {
    const { family, localPort: port } = socket;
    const address = this.#hostAddresses(family)[0] ?? (family === 4 ? '0.0.0.0' : '::');
    return { id: this.#nextId++, via: 'socket', family, local: { address, port } };
  }

  // --- where the server sees us

  #ask(base: BaseSocket): void {
    if (base.path.family !== this.#serverFamily() || this.#isClosed) return;
    const { stunPorts, address } = this.#server();
    this.#askedMs = performance.now();
    base.queries.clear();
    stunPorts.slice(0, 2).forEach((port, index) => {
      base.queries.set(this.#bindingRequest(index === 0), { to: { address, port }, index });
    });
    this.#runQueries();
  }

  /** With credentials the server knows that it is us whom it sees there. */
  #bindingRequest(isAuthenticated: boolean): StunRequest {
    return new StunRequest(performance.now(), {
      method: STUN_METHOD.binding,
      credentials: isAuthenticated ? this.#credentialsNow() : undefined,
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
    });
  }

  #runQueries(): void {
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const base of this.#bases) {
      for (const [query, { to }] of base.queries) {
        query.handleTimeout(now);
        const bytes = query.poll();
        if (bytes !== undefined) base.socket.send(to, bytes);
        if (query.outcome !== undefined) this.#handleOutcome(base, query);
        next = Math.min(next, query.deadline());
      }
    }
    this.#queries.set(next);
  }

  #handleAnswer(base: BaseSocket, bytes: Uint8Array): boolean {
    const message = decodeStunMessage(bytes);
    if (message === undefined) return false;
    for (const query of base.queries.keys()) {
      if (!query.handleMessage(performance.now(), message)) continue;
      this.#runQueries();
      return true;
    }
    return false;
  }

  #handleOutcome(base: BaseSocket, query: StunRequest): void {
    const { index } = base.queries.get(query)!;
    base.queries.delete(query);
    const { outcome } = query;
    const mapped =
      outcome?.type === 'success'
        ? outcome.message.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)
        : undefined;
    const before = base.mapped[index];
    if (mapped?.address === before?.address && mapped?.port === before?.port) return;
    base.mapped[index] = mapped;
    this.#changed();
  }

  async #mappedPortOf(socketId: number): Promise<number | undefined> {
    const socket = this.#guesses.get(socketId);
    if (socket === undefined) return undefined;
    const { address, stunPorts } = this.#server();
    const to = { address, port: stunPorts[0]! };
    const query = this.#bindingRequest(false);
    const handOn = socket.onDatagram;
    return new Promise((resolve) => {
      const step = () => {
        const bytes = query.poll();
        if (bytes !== undefined) socket.send(to, bytes);
        wakeup.set(this.#isClosed ? Number.POSITIVE_INFINITY : query.deadline());
        if (query.outcome === undefined && !this.#isClosed) return;
        socket.onDatagram = handOn;
        resolve(
          query.outcome?.type === 'success'
            ? query.outcome.message.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)?.port
            : undefined,
        );
      };
      const wakeup = new Wakeup(() => {
        query.handleTimeout(performance.now());
        step();
      });
      socket.onDatagram = (from, bytes) => {
        const message = decodeStunMessage(bytes);
        if (message === undefined) handOn(from, bytes);
        else if (query.handleMessage(performance.now(), message)) step();
      };
      step();
    });
  }

  #traits(): NatTraits {
    const known = this.#options.natTraits();
    if (known !== undefined) return known;
    const base = this.#bases.findLast(({ path }) => path.family === this.#serverFamily());
    const [first, second] = base?.mapped ?? [];
    if (base === undefined || first === undefined || second === undefined) return UNKNOWN;
    const { port } = base.path.local;
    if (first.port === port && this.#hostAddresses(base.path.family).includes(first.address)) {
      return { mapping: 'none', filtering: 'unknown' };
    }
    const mapping = first.port === second.port ? 'independent' : 'dependent';
    return { mapping, filtering: 'unknown' };
  }

  // --- relays

  /** UDP first, the others when it takes too long; each again and again until one of them has brought a relay. */
  #allocate(): void {
    if (this.#isClosed || this.#isRacing) return;
    this.#isRacing = true;
    this.#failures.clear();
    this.#connect('relay-udp');
    this.#later(TCP_AFTER_MS, 'relay-tcp');
    if (this.#server().tls) this.#later(TLS_AFTER_MS, 'relay-tls');
  }

  #later(afterMs: number, via: RelayVia): void {
    const timer = setTimeout(() => {
      this.#starts.delete(timer);
      this.#connect(via);
    }, afterMs);
    this.#starts.add(timer);
  }

  #succeedSilentRelays(): void {
    const askedMs = performance.now();
    clearTimeout(this.#succession);
    this.#succession = setTimeout(() => {
      for (const relay of [...this.#relays.values()]) {
        const isSilent = relay.pathSocket !== undefined && relay.heardMs < askedMs;
        if (isSilent && this.#relays.size < MAX_RELAYS) this.#connect(relay.via);
      }
    }, SUCCESSOR_AFTER_MS);
  }

  #connect(via: RelayVia): void {
    const { address, turnPort } = this.#server();
    const relay: TurnConnection = new TurnConnection({
      id: this.#nextId++,
      via,
      server: { address, port: turnPort },
      serverFamily: this.#serverFamily(),
      relayFamily: this.#relayFamily,
      credentials: this.#credentialsNow(),
      natFilter: this.#options.natFilter,
      onAllocated: () => this.#handleAllocated(relay),
      onFailed: (error) => this.#handleFailed(relay, error),
      onDatagram: (from, bytes) => this.onDatagram(relay.id, from, bytes),
      onRefused: (peer) => this.#permitLater(relay, peer),
    });
    this.#relays.set(relay.id, relay);
    for (const peer of this.#permits.values()) relay.permit(peer);
  }

  #handleAllocated(relay: TurnConnection): void {
    this.#endRace();
    // Worse ones are not needed any more; one by UDP that is still under way may be.
    for (const other of this.#relays.values()) {
      const isBetter = other.via === 'relay-udp' || other === relay;
      if (isBetter || (other.pathSocket !== undefined && this.isInUse(other.id))) continue;
      this.#relays.delete(other.id);
      other.close();
    }
    this.#changed();
  }

  #handleFailed(relay: TurnConnection, error: NatPunchError): void {
    if (!this.#relays.delete(relay.id) || this.#isClosed) return;
    // What the server has told of its realm may be of another life of it.
    this.#credentials = undefined;
    this.#changed();
    if (this.#hasRelay()) return;
    if (!this.#isRacing) {
      this.#allocate();
      return;
    }
    // RFC 8656 section 7.2: the server has no IPv4 address to give.
    const isOtherFamily = error.stunCode === 440 && this.#relayFamily === 4;
    if (isOtherFamily) this.#relayFamily = 6;
    const failures = this.#failures.get(relay.via) ?? 0;
    this.#failures.set(relay.via, failures + 1);
    const delayMs = CONNECT_AGAIN_MS[Math.min(failures, CONNECT_AGAIN_MS.length - 1)]!;
    this.#later(isOtherFamily ? 0 : delayMs, relay.via);
  }

  #hasRelay(): boolean {
    for (const relay of this.#relays.values()) if (relay.pathSocket !== undefined) return true;
    return false;
  }

  /** Which the partner has named, and uses least: it can name as many as it likes. */
  #forgetOldestPermit(): void {
    for (const address of this.#permits.keys()) {
      if (address === this.#relayedAddress) continue;
      this.#permits.delete(address);
      this.#refusals.delete(address);
      return;
    }
  }

  /** A server that has just begun knows our partner a moment after us. */
  #permitLater(relay: TurnConnection, peer: Endpoint): void {
    const refusals = this.#refusals.get(peer.address) ?? 0;
    const delayMs = PERMIT_AGAIN_MS[refusals];
    if (delayMs === undefined || this.#isClosed || !this.#permits.has(peer.address)) return;
    this.#refusals.set(peer.address, refusals + 1);
    const timer = setTimeout(() => {
      this.#permitting.delete(timer);
      const current = this.#permits.get(peer.address);
      if (current !== undefined && this.#relays.has(relay.id)) relay.permit(current);
    }, delayMs);
    this.#permitting.add(timer);
  }

  #endRace(): void {
    this.#isRacing = false;
    for (const timer of this.#starts) clearTimeout(timer);
    this.#starts.clear();
  }

  // --- what else

  #server(): TraversalServer {
    return this.#options.server();
  }

  #serverFamily(): AddressFamily {
    return addressFamily(this.#server().address) ?? 4;
  }

  /** Shared by all requests, so that one nonce serves them. New ones when the server has given us new ones. */
  #credentialsNow(): LongTermCredentials {
    const { username, password } = this.#server();
    if (this.#credentials?.username !== username) {
      this.#credentials = new LongTermCredentials(username, password);
    }
    return this.#credentials;
  }

  /** Addresses of this host at which others may reach it. Loopback ones where the server is there too. */
  #hostAddresses(family: AddressFamily): string[] {
    const isServerHere = addressClass(this.#server().address) === 'loopback';
    const addresses: string[] = [];
    for (const entries of Object.values(networkInterfaces())) {
      for (const { address } of entries ?? []) {
        if (addressFamily(address) !== family || addresses.length >= MAX_HOST_CANDIDATES) continue;
        const kind = addressClass(address);
        if (kind === 'link-local' || (kind === 'loopback' && !isServerHere)) continue;
        addresses.push(address);
      }
    }
    return addresses;
  }

  #changed(): void {
    if (!this.#isClosed) this.onChange();
  }
}

const UNKNOWN: NatTraits = { mapping: 'unknown', filtering: 'unknown' };
