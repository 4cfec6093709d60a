// The race of one pair: from "two clients know of one another" to a path for their datagrams, and from a dead path to the next one. Hosts on
// one network, holes punched through NATs, guessed ports and relays are tried together; the talk begins on the first that works, moves to the
// better ones and back. In the terms of RFC 8445, of which it keeps the ideas (candidates, checks, triggered checks, nomination) and not the
// messages; RFC 5128 section 3 describes punching.
import { addressFamily, type Endpoint, endpointKey, isPublic } from '@bt/endpoint';
import {
  type Candidate,
  type CandidatesSignal,
  MAX_CANDIDATES,
  MAX_ROUND,
  type NatTraits,
  type PathSignal,
  parsePathSignal,
} from './candidate.ts';
import { OPENING_TTL } from './guesses.ts';
import type { Path, PathOrigin, PathSocket } from './path.ts';
import { PathHealing, type Trouble } from './path-healing.ts';
import { describePath, type PairFacts } from './path-reason.ts';
import { PathSelection } from './path-selection.ts';
import { PathTable } from './path-table.ts';
import { type GuessHost, type GuessWay, PortGuesser } from './port-guesser.ts';
import { isProbeByte, NONCE_BYTES, ProbeCodec, type ProbeMessage, readNonce } from './probe.ts';
import { ProbeBudget } from './probe-budget.ts';
import type { LocalSide, PuncherEffect, PuncherOptions } from './puncher-options.ts';
import { SentProbes } from './sent-probes.ts';
import type { SprayShot } from './spray.ts';

/** Addresses that the server may name as the peer's. */
export const MAX_SEEN_ADDRESSES = 16;

/** However often the peer begins new rounds. */
const ROUND_PAUSE_MS = 200;
/** From candidates that were dropped to the next time that they are told. */
const RETELL_MS = 1_000;
/** How long we wait to hear that the peer's NAT is open to us. */
const OPENING_WAIT_MS = 1_000;
/** So long without an answer, and what is in reserve is looked at. */
const UNEASY_AFTER_MS = 350;

/** Drain `poll()` after every call, before the next one; call `handleTimeout` when `deadline()` has come. */
export class Puncher {
  readonly #options: PuncherOptions;
  readonly #codec: ProbeCodec;
  readonly #budget = new ProbeBudget();
  readonly #selection: PathSelection;
  readonly #healing: PathHealing;
  readonly #sockets = new Map<number, PathSocket>();
  readonly #paths: PathTable;
  readonly #guesser: PortGuesser;
  readonly #sent = new SentProbes();
  readonly #permitted = new Set<string>();
  readonly #effects: PuncherEffect[] = [];
  readonly #startMs: number;
  #seenCount = 0;
  #local: LocalSide | undefined;
  #remote: CandidatesSignal | undefined;
  #round = 0;
  #roundMs = Number.POSITIVE_INFINITY;
  #lastRoundMs = Number.NEGATIVE_INFINITY;
  #startedRound = -1;
  #openedRound = -1;
  #peerOpenedRound = -1;
  /** Paths whose checks wait for the peer's NAT to be open. */
  #waiting: Path[] = [];
  /** The candidates as they were told last. */
  #signalled = '';
  /** When they are told again, since they were dropped. */
  #retellMs = Number.POSITIVE_INFINITY;
  #changedMs = 0;
  #reportedPath: Path | undefined;
  #reportedMethod = '';
  #isClosed = false;

  constructor(now: number, options: PuncherOptions) {
    this.#options = options;
    this.#codec = new ProbeCodec(options.pairKey, options.isControlling);
    this.#selection = new PathSelection(options.isControlling);
    this.#healing = new PathHealing(options.isControlling);
    this.#paths = new PathTable((path) => this.#selection.isInUse(path));
    this.#guesser = new PortGuesser(this.#guessHost());
    this.#startMs = now + (options.startInMs ?? 0);
    for (const address of options.serverAddresses) this.#budget.addTrusted(address);
    this.setPeerSeen(now, options.peerSeen);
  }

  /** Where datagrams for the peer are to be sent now. */
  get path(): { readonly socketId: number; readonly remote: Endpoint } | undefined {
    const path = this.#selection.current;
    return path === undefined ? undefined : { socketId: path.socket.id, remote: path.remote };
  }

  /** Whether a socket carries the talk, or may soon: it must not be closed. */
  isInUse(now: number, socketId: number): boolean {
    for (const path of this.#paths) {
      if (path.socket.id !== socketId) continue;
      if (this.#selection.isInUse(path) || (path.isValid && !path.isSuspect(now))) return true;
    }
    return false;
  }

  /** What has been gathered, all of it. Sockets that are no longer named are not used any more. */
  setLocal(now: number, local: LocalSide): void {
    this.#local = local;
    const ids = new Set(local.sockets.map(({ id }) => id));
    for (const id of this.#sockets.keys()) if (!ids.has(id)) this.#removeSocket(id);
    for (const socket of local.sockets) this.#sockets.set(socket.id, socket);
    for (const { kind, address } of local.candidates) {
      // Where our relay is, by the server's word.
      if (kind === 'relayed') this.#budget.addTrusted(address);
    }
    this.#signalCandidates();
    if (this.#remote === undefined) return;
    if (this.#startedRound < this.#round) {
      this.#scheduleRound(now);
    } else {
      this.#addChecks(now, false);
      this.#scheduleGuess(now);
    }
    this.#settle(now);
  }

  /** Sockets that were asked for; an empty list when there are none to be had. */
  addGuessSockets(
    now: number,
    way: GuessWay,
    sockets: readonly PathSocket[],
    mappedPort?: number,
  ): void {
    if (this.#isClosed) return;
    this.#guesser.addSockets(now, way, sockets, mappedPort);
    this.#settle(now);
  }

  /** A message of the peer that came through signalling; what is none of ours is left alone. */
  handleSignal(now: number, data: unknown): void {
    const signal = parsePathSignal(data, { allowLoopback: this.#options.allowLoopback ?? false });
    if (signal === undefined || this.#isClosed) return;
    if (signal.kind === 'candidates') {
      this.#handleCandidates(now, signal);
    } else if (signal.way === 'opened') {
      this.#peerOpenedRound = Math.max(this.#peerOpenedRound, signal.round);
      if (signal.round >= this.#startedRound) this.#checkWaiting(now);
    } else if (this.#remote !== undefined && !this.#paths.hasDirect(now)) {
      if (signal.way === 'birthday') this.#guesser.handleBirthday(now);
      else this.#guesser.handlePrediction(now, signal.port);
    }
    this.#settle(now);
  }

  /** A signal of ours was dropped on its way: the peer does not know our candidates. */
  handleSignalDropped(now: number, signal: PathSignal): void {
    if (signal.kind !== 'candidates') return;
    this.#signalled = '';
    this.#retellMs = now + RETELL_MS;
  }

  /** IP addresses at which the server itself has seen the peer; they add up. */
  setPeerSeen(now: number, addresses: readonly string[]): void {
    for (const address of addresses) {
      if (this.#budget.isSeen(address) || addressFamily(address) === undefined) continue;
      if (this.#seenCount >= MAX_SEEN_ADDRESSES) break;
      this.#seenCount += 1;
      this.#guesser.refill();
      this.#budget.addSeen(address);
      this.#permit({ address, port: 0 });
    }
    if (this.#remote === undefined) return;
    this.#addChecks(now, false);
    this.#scheduleGuess(now);
  }

  /** Our address has changed, or may have: everything is looked for anew. */
  networkChanged(now: number): void {
    this.#budget.reset();
    this.#guesser.refill();
    this.#beginRound(now, true);
    this.#settle(now);
  }

  /** A datagram that came to a socket, or through a relay. True when it is one of the peer's to hand on. */
  handleDatagram(now: number, socketId: number, from: Endpoint, bytes: Uint8Array): boolean {
    const socket = this.#sockets.get(socketId) ?? this.#guesser.socket(socketId);
    if (socket === undefined || bytes.length === 0 || this.#isClosed) return false;
    if (!isProbeByte(bytes[0]!)) return this.#isKnown(socketId, from);
    const message = this.#codec.decode(bytes);
    if (message === undefined) return false;
    if (message.type === 'probe') this.#handleProbe(now, socket, from, message);
    else this.#handleAnswer(now, socket, from, message);
    this.#settle(now);
    return false;
  }

  handleTimeout(now: number): void {
    if (this.#isClosed) return;
    if (now >= this.#retellMs) this.#signalCandidates();
    if (now >= this.#roundMs) this.#startRound(now);
    this.#guesser.handleTimeout(now);
    for (const path of [...this.#paths]) {
      if (now >= path.nextProbeMs) this.#check(now, path);
      if (path.isForgotten(now) || this.#isSurplus(now, path)) this.#removePath(path);
    }
    this.#settle(now);
    this.#heal(now);
  }

  /** When `handleTimeout` is to be called. */
  deadline(): number {
    if (this.#isClosed) return Number.POSITIVE_INFINITY;
    let next = Math.min(this.#roundMs, this.#retellMs, this.#healing.deadline());
    next = Math.min(next, this.#guesser.deadline());
    for (const path of this.#paths) next = Math.min(next, path.nextProbeMs);
    return next;
  }

  poll(): PuncherEffect | undefined {
    return this.#effects.shift();
  }

  /** Says and sends nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#effects.length = 0;
  }

  // --- rounds

  #handleCandidates(now: number, signal: CandidatesSignal): void {
    const isNewRound = signal.round > this.#round;
    const isFirst = this.#remote === undefined;
    if (signal.round < (this.#remote?.round ?? 0)) return;
    this.#remote = signal;
    for (const { kind, address, port } of signal.candidates)
      if (kind === 'relayed') this.#permit({ address, port });
    if (isNewRound) {
      this.#round = signal.round;
      // The peer may not have what we told in an earlier round.
      this.#signalCandidates();
    }
    if (this.#local === undefined) return;
    if (isFirst || isNewRound) {
      this.#scheduleRound(now);
    } else {
      this.#addChecks(now, false);
      this.#scheduleGuess(now);
    }
  }

  /** A round of our own: the peer joins in when it hears of it. */
  #beginRound(now: number, isFresh: boolean): void {
    if (this.#local === undefined) return;
    this.#round = Math.min(this.#round + 1, MAX_ROUND);
    this.#signalCandidates();
    this.#effects.push({ type: 'gather', isFresh });
    if (this.#remote !== undefined) this.#scheduleRound(now);
  }

  #scheduleRound(now: number): void {
    this.#roundMs = Math.max(now, this.#startMs, this.#lastRoundMs + ROUND_PAUSE_MS);
    if (this.#roundMs <= now) this.#startRound(now);
  }

  #startRound(now: number): void {
    this.#roundMs = Number.POSITIVE_INFINITY;
    this.#lastRoundMs = now;
    this.#startedRound = this.#round;
    this.#guesser.startRound();
    this.#addChecks(now, true);
    this.#scheduleGuess(now);
  }

  /** Guessing waits until the peer has taken part in this round: alone it would be in vain. */
  #scheduleGuess(now: number): void {
    if (this.#startedRound < this.#round || this.#remote?.round !== this.#round) return;
    this.#guesser.schedule(now);
  }

  /**
   * A packet that comes before a NAT has opened can spoil the port for good (a box without an input firewall): what is sent to where it came
   * from leaves by another port then, and what comes from there is lost. Who depends on the very port, since it lets in no other, opens its own
   * NAT first, by packets that don't get to the other one, and waits until the peer has opened, too.
   */
  #mustOpenFirst(): boolean {
    const { own, peer } = this.#traits();
    return own.filtering !== 'open' && !isBare(peer);
  }

  /** Whether the peer waits for us in that way. */
  #isAwaited(): boolean {
    const { own, peer } = this.#traits();
    return peer.filtering !== 'open' && !isBare(own);
  }

  /** Makes a path of each pair of a socket and a candidate, and checks those that aren't known to work. */
  #addChecks(now: number, isNewRound: boolean): void {
    let isOpened = false;
    for (const socket of this.#sockets.values()) {
      for (const candidate of this.#remote?.candidates ?? []) {
        // A relay of ours reaches their relay; all else that it could reach, they reach it from.
        if (socket.via !== 'socket' && candidate.kind !== 'relayed') continue;
        if (addressFamily(candidate.address) !== socket.family) continue;
        if (candidate.kind === 'reflexive') isOpened = true;
        const origin = originOfCandidate(candidate);
        const isNew = this.#paths.get(socket.id, candidate) === undefined;
        const path = this.#paths.open(now, socket, candidate, origin);
        // It may have been heard of before we knew of the candidate.
        if (path !== undefined && origin === 'host') path.origin = origin;
        if (path === undefined || path.isValid || !(isNew || isNewRound)) continue;
        if (candidate.kind === 'relayed') path.remoteVia = 'relay-udp';
        path.checkAgain(now);
        if (candidate.kind === 'reflexive' && this.#mustOpenFirst()) this.#openFirst(now, path);
      }
    }
    if (!isOpened || this.#openedRound >= this.#round || !this.#isAwaited()) return;
    this.#openedRound = this.#round;
    this.#signal({ kind: 'punch', round: this.#round, way: 'opened' });
  }

  #openFirst(now: number, path: Path): void {
    const { socket, remote } = path;
    // Without a NAT it would get there.
    if (this.#traits().own.mapping !== 'none' && this.#budget.takeProbe(remote.address)) {
      this.#sendShot(now, { socket, to: remote, ttl: OPENING_TTL }, 'punched');
    }
    if (this.#peerOpenedRound >= this.#round) return;
    path.nextProbeMs = now + OPENING_WAIT_MS;
    this.#waiting.push(path);
  }

  #checkWaiting(now: number): void {
    for (const path of this.#waiting)
      if (!path.isValid) path.nextProbeMs = Math.min(path.nextProbeMs, now);
    this.#waiting = [];
  }

  /** Begins further rounds while there is no path, or only a relay. */
  #heal(now: number): void {
    const round = this.#healing.step(now, {
      trouble: this.#troubleNow(now),
      hadPath: this.#reportedPath !== undefined,
      busyUntilMs: this.#guesser.busyUntilMs,
    });
    if (round !== undefined) this.#beginRound(now, round === 'fresh');
  }

  #troubleNow(now: number): Trouble {
    const { current } = this.#selection;
    if (this.#startedRound < 0) return 'none';
    if (current === undefined || current.isSuspect(now)) return 'lost';
    // A direct path that has just been found is about to be nominated.
    return current.isRelayed && !this.#paths.hasDirect(now) ? 'relayed' : 'none';
  }

  // --- probes

  #sendShot(now: number, { socket, to, ttl }: SprayShot, origin: PathOrigin): void {
    const bytes = this.#probe(now, socket, to, origin, 0);
    const send = { type: 'send', socketId: socket.id, to, bytes } as const;
    this.#effects.push(ttl === undefined ? send : { ...send, ttl });
  }

  #guessHost(): GuessHost {
    const round = () => this.#round;
    return {
      random: this.#options.random,
      get round() {
        return round();
      },
      traits: () => this.#traits(),
      aims: () => this.#aims(),
      punchingSocket: () => this.#punchingSocket(),
      hasDirect: (now) => this.#paths.hasDirect(now),
      heardSockets: () => this.#paths.heardSockets(),
      release: (socketIds) => {
        for (const id of socketIds) this.#removeSocket(id);
        this.#effects.push({ type: 'release', socketIds });
      },
      open: (way, count) => this.#effects.push({ type: 'open', way, count }),
      signal: (signal) => this.#signal(signal),
      shoot: (now, shot, origin) => {
        if (this.#budget.isSeen(shot.to.address)) this.#sendShot(now, shot, origin);
      },
    };
  }

  /** The socket that guesses are sent from: the newest one, whose mapping the peer knows. */
  #punchingSocket(): PathSocket | undefined {
    return [...this.#sockets.values()].findLast(
      ({ via, family }) => via === 'socket' && family === 4,
    );
  }

  /** Where the peer's NAT was seen by the server, so that guessing floods nobody else. */
  #aims(): Candidate[] {
    return this.#reflexive().filter(
      ({ address }) => this.#budget.isSeen(address) && addressFamily(address) === 4,
    );
  }

  #handleProbe(now: number, socket: PathSocket, from: Endpoint, message: ProbeMessage): void {
    const path = this.#paths.open(now, socket, from, this.#originOf(socket, from));
    if (path === undefined) return;
    path.isHeard = true;
    path.remoteVia = message.via;
    if (this.#budget.takeAnswer(from.address)) {
      const bytes = this.#codec.answer(socket.via, message);
      this.#effects.push({ type: 'send', socketId: socket.id, to: from, bytes });
    }
    this.#selection.handleNomination(now, path, message.generation);
    // A triggered check (RFC 8445 section 7.3.1.4): what comes through one way may go the other.
    if (!path.isValid) path.checkAgain(now);
    else if (path.isSuspect(now)) path.nextProbeMs = Math.min(path.nextProbeMs, now);
    if (now >= path.nextProbeMs) this.#check(now, path);
  }

  #handleAnswer(now: number, socket: PathSocket, from: Endpoint, message: ProbeMessage): void {
    const sent = this.#sent.take(message.nonce, socket.id);
    if (sent === undefined) return;
    const path = this.#paths.open(now, socket, from, sent.origin);
    if (path === undefined) return;
    path.isHeard = true;
    path.remoteVia = message.via;
    if (sent.to.address !== from.address || sent.to.port !== from.port) {
      // It came back another way than it went: that way has to be tried itself.
      path.checkAgain(now);
      return;
    }
    this.#budget.handleAnswer(from.address);
    path.handleAnswer(now, sent.timeMs, this.#selection.isInUse(path));
    this.#selection.handleConfirmation(path, message.generation);
  }

  #check(now: number, path: Path): void {
    if (!path.isValid && !this.#budget.takeProbe(path.remote.address)) {
      path.nextProbeMs = Number.POSITIVE_INFINITY;
      return;
    }
    const { socket, remote, origin } = path;
    const bytes = this.#probe(now, socket, remote, origin, this.#selection.generationFor(path));
    this.#effects.push({ type: 'send', socketId: socket.id, to: remote, bytes });
    path.handleProbeSent(now, this.#selection.isInUse(path));
  }

  #probe(
    now: number,
    socket: PathSocket,
    to: Endpoint,
    origin: PathOrigin,
    generation: number,
  ): Uint8Array {
    const nonce = readNonce(this.#options.randomBytes(NONCE_BYTES));
    this.#sent.add(nonce, { socket, to, timeMs: now, origin });
    return this.#codec.probe(socket.via, generation, nonce);
  }

  // --- paths

  /** Chooses the path, and says so when it is another one. */
  #settle(now: number): void {
    if (this.#isClosed) return;
    const toProbe = this.#selection.consider(now, this.#paths);
    if (toProbe !== undefined) this.#check(now, toProbe);
    const { current } = this.#selection;
    if (current !== undefined) {
      const waitedMs = now - current.waitingSinceMs;
      if (waitedMs > UNEASY_AFTER_MS) this.#checkReserve(now, current);
      if (!current.isRelayed) this.#guesser.end();
      current.nextProbeMs = Math.min(current.nextProbeMs, now + HEARTBEAT_MS);
    }
    this.#report(now, current);
  }

  /** The path in use is silent: those in reserve are asked whether they work. */
  #checkReserve(now: number, current: Path): void {
    for (const path of this.#paths) {
      if (path === current || !path.isValid || path.lastAnswerMs >= current.waitingSinceMs)
        continue;
      path.hurry(now);
    }
  }

  #report(now: number, current: Path | undefined): void {
    const method = current?.method ?? '';
    if (current === this.#reportedPath && method === this.#reportedMethod) return;
    if (current !== this.#reportedPath) this.#changedMs = now;
    if (current?.isRelayed === false) this.#guesser.refill();
    this.#reportedPath = current;
    this.#reportedMethod = method;
    const path = current === undefined ? undefined : describePath(current, this.#facts());
    this.#effects.push({ type: 'path', path });
  }

  #isKnown(socketId: number, from: Endpoint): boolean {
    const { current } = this.#selection;
    if (
      current?.socket.id === socketId &&
      current.remote.port === from.port &&
      current.remote.address === from.address
    ) {
      return true;
    }
    return this.#paths.get(socketId, from)?.isHeard === true;
  }

  /** Direct paths that were found besides the one that has been in use for a while. */
  #isSurplus(now: number, path: Path): boolean {
    const { current } = this.#selection;
    if (current === undefined || current.isRelayed || current.isSuspect(now)) return false;
    if (path.isRelayed || this.#selection.isInUse(path) || !path.isHeard) return false;
    return now - this.#changedMs >= SURPLUS_AFTER_MS;
  }

  #removePath(path: Path): void {
    this.#paths.remove(path);
    this.#selection.remove(path);
  }

  #removeSocket(id: number): void {
    this.#sockets.delete(id);
    for (const path of this.#paths) if (path.socket.id === id) this.#removePath(path);
  }

  /** What kind of path it is that the peer has opened to us from there. */
  #originOf(socket: PathSocket, from: Endpoint): PathOrigin {
    const guessed = this.#guesser.originOf(socket.id) ?? 'punched';
    if (this.#guesser.socket(socket.id) !== undefined) return guessed;
    const origins = (this.#remote?.candidates ?? [])
      .filter(({ address, port }) => address === from.address && port === from.port)
      .map(originOfCandidate);
    return origins.includes('host') ? 'host' : (origins[0] ?? guessed);
  }

  #reflexive(): Candidate[] {
    return (this.#remote?.candidates ?? []).filter(({ kind }) => kind === 'reflexive');
  }

  #facts(): PairFacts {
    return {
      own: this.#local ?? { nat: UNKNOWN, candidates: [] },
      peer: this.#remote ?? { nat: UNKNOWN, candidates: [] },
    };
  }

  #traits(): { own: NatTraits; peer: NatTraits } {
    return { own: this.#local?.nat ?? UNKNOWN, peer: this.#remote?.nat ?? UNKNOWN };
  }

  // --- signals

  #signalCandidates(): void {
    this.#retellMs = Number.POSITIVE_INFINITY;
    if (this.#local === undefined) return;
    const { nat } = this.#local;
    const candidates = this.#local.candidates.slice(0, MAX_CANDIDATES);
    const signal = { kind: 'candidates', round: this.#round, nat, candidates } as const;
    const text = JSON.stringify(signal);
    if (text === this.#signalled) return;
    this.#signalled = text;
    this.#signal(signal);
  }

  #signal(data: PathSignal): void {
    if (!this.#isClosed) this.#effects.push({ type: 'signal', data });
  }

  #permit(peer: Endpoint): void {
    const key = endpointKey(peer);
    if (this.#permitted.has(key)) return;
    this.#permitted.add(key);
    if (this.#permitted.size > MAX_PERMITTED_PEERS) {
      this.#permitted.delete(this.#permitted.values().next().value!);
    }
    this.#effects.push({ type: 'permit', peer });
  }
}

const HEARTBEAT_MS = 500;
const SURPLUS_AFTER_MS = 5_000;
/** Peers that the relays were told of, the last ones: those before are told again when they are named again. */
const MAX_PERMITTED_PEERS = 32;
const UNKNOWN: NatTraits = { mapping: 'unknown', filtering: 'unknown' };

/** Neither a NAT nor a firewall: nothing to be opened. */
function isBare(nat: NatTraits): boolean {
  return nat.mapping === 'none' && nat.filtering === 'open';
}

/** A public address of a host may be anywhere. */
function originOfCandidate({ kind, address }: Candidate): PathOrigin {
  return kind === 'host' && !isPublic(address) ? 'host' : 'punched';
}
