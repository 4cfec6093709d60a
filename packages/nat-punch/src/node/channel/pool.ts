// Joins a pool and meets its members: signalling, paths and channels put together. This is the package's face for programs.
import { randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { type HostPort, printEndpoint } from '@bt/endpoint';
import { pairIdentities } from '../../channel/channel-handshake.ts';
import { GuessLimit } from '../../channel/guess-limit.ts';
import { type PhraseKey, phraseKeyInput, phraseKeyOf } from '../../channel/spake2.ts';
import { NatPunchError } from '../../errors.ts';
import type { RendezvousClientEvent } from '../../rendezvous/rendezvous-client.ts';
import {
  CLIENT_ID_BYTES,
  type SignalData,
  type WelcomeMessage,
} from '../../rendezvous/rendezvous-message.ts';
import { filterKindOf, Gatherer } from '../client/gatherer.ts';
import type { TraversalServer } from '../client/pair-sockets.ts';
import { PairTransport } from '../client/pair-transport.ts';
import { readServerLocation, type ServerLocation } from '../client/server-location.ts';
import { SignallingClient } from '../client/signalling-client.ts';
import { type Certificate, makeCertificate } from './certificate.ts';
import type { TcpRelay } from './ice-channel.ts';
import { type PeerPath, type PeerTransport, PoolPeer } from './pool-peer.ts';

export interface JoinPoolOptions {
  /** `HOST:PORT`. */
  readonly server: ServerLocation;
  /** 1 to 64 characters: who names the same pool meets. */
  readonly pool: string;
  /** What the others are shown. */
  readonly name?: string | undefined;
  /** Only who knows it, too, is talked to. Without it compare the peers' `shortCode`. */
  readonly phrase?: string | undefined;
  /** Signalling over TLS. */
  readonly tls?: boolean | undefined;
  /** PEM certificates to trust instead of the system's. */
  readonly certificateAuthority?: string | undefined;
  /** How long the first connection may take; 10 s unless told otherwise. */
  readonly timeoutMs?: number | undefined;
  /** 0 full cone, 1 address-restricted, 2 port-restricted, 3 symmetric: behave as behind such a NAT, for tests. */
  readonly natType?: number | undefined;
  /** Ends everything at once. */
  readonly signal?: AbortSignal | undefined;
  /** The server has a place for us; again after each reconnect. */
  readonly onJoined?: ((welcome: WelcomeMessage) => void) | undefined;
  /** The pool is full; so many others wait before us. */
  readonly onWaiting?: ((ahead: number) => void) | undefined;
  /** The way by the server is cut, or there again. Talk that has a path of its own goes on. */
  readonly onSignalling?: ((isConnected: boolean) => void) | undefined;
  /** Somebody to talk to. */
  readonly onPeer?: ((peer: PoolPeer) => void) | undefined;
}

/** One pair's way of datagrams, over whatever path there is. */
export interface PoolTransport extends PeerTransport {
  handleSignal(data: SignalData): void;
  setPeerSeen(addresses: readonly string[]): void;
  /** The signalling has been cut, or comes from elsewhere now. */
  networkChanged(): void;
}

export interface PoolTransportOptions {
  readonly pairKey: Uint8Array;
  readonly isControlling: boolean;
  readonly peerSeen: readonly string[];
  readonly startInMs: number;
  signal(data: object): boolean;
}

/** Makes the transports of one stay in a pool. */
export interface PoolPaths {
  /** Whoever comes next is to wait for nothing. */
  prepare(): void;
  open(options: PoolTransportOptions): PoolTransport;
  /** The signalling has been cut, or comes from elsewhere now. */
  networkChanged(): void;
  /** Undefined while it isn't known. */
  hasUdp?(): boolean | undefined;
  close(): void;
}

export interface PathsOptions {
  /** As it is now: another server may have taken its place. */
  server(): TraversalServer;
  readonly alternateAddress: string | undefined;
}

const JOIN_TIMEOUT_MS = 10_000;
const LEAVE_TIMEOUT_MS = 2_000;

/** How long it may take until the other side, too, knows that the phrases differ. */
const REJECT_MS = 1_000;

/** How long a peer that the server has given up may be without a path. */
const LOST_MS = 20_000;

/**
 * Joins a pool.
 *
 * @throws {NatPunchError} `invalid-argument`; `refused` by the server; `unreachable` when it can't be reached in time (see `cause`);
 * `aborted` by the signal.
 */
export async function joinPool(options: JoinPoolOptions): Promise<Pool> {
  const { natType } = options;
  const natFilter = natType === undefined ? undefined : filterKindOf(natType);
  if (natType !== undefined && natFilter === undefined) {
    throw new NatPunchError('invalid-argument', 'a NAT type is 0, 1, 2 or 3');
  }
  return await joinPoolBy((paths) => pathsOf(new Gatherer({ ...paths, natFilter })), options);
}

function pathsOf(gatherer: Gatherer): PoolPaths {
  return {
    prepare: () => gatherer.prepare(),
    // It tells of fewer kinds of paths than listeners know.
    open: (options) => new PairTransport({ ...options, gatherer }) as PoolTransport,
    networkChanged: () => gatherer.networkChanged(),
    hasUdp: () => gatherer.natClass?.hasUdp,
    close: () => gatherer.close(),
  };
}

/** As {@link joinPool}, by other paths. */
export async function joinPoolBy(
  makePaths: (options: PathsOptions) => PoolPaths,
  options: JoinPoolOptions,
): Promise<Pool> {
  const server = readServerLocation(options.server);
  const { phrase, pool } = options;
  const phraseKey = phrase === undefined ? undefined : await phraseKeyFor(phrase, pool);
  if (options.signal?.aborted === true) throw aborted(options.signal);
  return await new Promise((resolve, reject) => {
    const joining = new Pool({ ...options, server, phraseKey, makePaths }, { resolve, reject });
    return joining;
  });
}

interface PoolSetup extends JoinPoolOptions {
  readonly server: HostPort;
  readonly phraseKey: PhraseKey | undefined;
  readonly makePaths: (options: PathsOptions) => PoolPaths;
}

interface Settle {
  resolve(pool: Pool): void;
  reject(error: Error): void;
}

/** A stay in a pool. */
export class Pool implements AsyncIterable<PoolPeer> {
  /** Somebody to talk to. */
  onPeer: ((peer: PoolPeer) => void) | undefined;
  readonly #setup: PoolSetup;
  readonly #client: string;
  readonly #signalling: SignallingClient;
  readonly #guesses = new GuessLimit();
  readonly #members = new Map<string, Member>();
  readonly #arrived: PoolPeer[] = [];
  #wakeReader: (() => void) | undefined;
  #settle: Settle | undefined;
  #joinTimer: NodeJS.Timeout | undefined;
  #lastFailure: Error | undefined;
  #welcome: WelcomeMessage | undefined;
  #paths: PoolPaths | undefined;
  #wasCut = false;
  #hasEnded = false;
  #failure: NatPunchError | undefined;
  readonly #handleAbort = () => this.#end(aborted(this.#setup.signal!));

  /** Not for others than {@link joinPoolBy}. */
  constructor(setup: PoolSetup, settle: Settle) {
    this.#setup = setup;
    this.#settle = settle;
    this.onPeer = setup.onPeer;
    this.#client = randomBytes(CLIENT_ID_BYTES).toString('hex');
    this.#signalling = new SignallingClient({
      server: setup.server,
      tls: setup.tls ?? false,
      certificateAuthority: setup.certificateAuthority,
      pool: setup.pool,
      client: this.#client,
      kind: 'terminal',
      name: setup.name,
      onEvent: (event) => this.#handleEvent(event),
      onFailure: (error) => {
        this.#lastFailure = error;
        if (this.#settle !== undefined && isHopeless(error)) this.#giveUp();
      },
    });
    setup.signal?.addEventListener('abort', this.#handleAbort);
    this.#joinTimer = setTimeout(() => this.#giveUp(), setup.timeoutMs ?? JOIN_TIMEOUT_MS);
  }

  /** Who is there now. */
  get peers(): readonly PoolPeer[] {
    return [...this.#members.values()]
      .map(({ peer }) => peer)
      .filter(({ state }) => state !== 'closed');
  }

  /**
   * Peers as they come, those that are there already first, until the stay ends. For one reader.
   *
   * @throws {NatPunchError} `refused` when the server won't have us any more, `aborted` by the signal.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<PoolPeer, void, undefined> {
    for (;;) {
      const peer = this.#arrived.shift();
      if (peer !== undefined) yield peer;
      else if (this.#failure !== undefined) throw this.#failure;
      else if (this.#hasEnded) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
      }
    }
  }

  /** Delivers what has been sent, says goodbye and leaves; after `timeoutMs` in any case. */
  async leave(timeoutMs: number = LEAVE_TIMEOUT_MS): Promise<void> {
    await Promise.all(this.peers.map((peer) => peer.leave(timeoutMs)));
    this.#end(undefined);
  }

  #handleEvent(event: RendezvousClientEvent): void {
    if (this.#hasEnded) return;
    switch (event.type) {
      case 'welcome':
        this.#handleWelcome(event);
        break;
      case 'waiting':
        this.#setup.onWaiting?.(event.ahead);
        break;
      case 'connection':
        if (!event.isUp) this.#wasCut = true;
        this.#setup.onSignalling?.(event.isUp);
        break;
      case 'refused':
        this.#end(new NatPunchError('refused', `the server refuses: ${event.error.message}`));
        break;
      case 'peer':
        this.#meet(event);
        break;
      default:
        this.#handleMember(event);
    }
  }

  #handleWelcome(welcome: WelcomeMessage): void {
    const before = this.#welcome;
    this.#welcome = welcome;
    this.#paths ??= this.#setup.makePaths({
      server: () => this.#server(),
      alternateAddress: welcome.alternateAddress,
    });
    const hasMoved = before !== undefined && before.observed.address !== welcome.observed.address;
    if (this.#wasCut || hasMoved) {
      this.#paths.networkChanged();
      for (const { transport } of this.#members.values()) transport?.networkChanged();
    }
    this.#wasCut = false;
    this.#paths.prepare();
    this.#setup.onJoined?.(welcome);
    clearTimeout(this.#joinTimer);
    this.#settle?.resolve(this);
    this.#settle = undefined;
  }

  /** What is needed of the server for paths, as it was told last. */
  #server(): TraversalServer {
    const { credentials, ports } = this.#welcome!;
    const { username, password } = credentials;
    return {
      address: this.#signalling.serverAddress,
      stunPorts: ports.stun,
      turnPort: ports.turn,
      tls: ports.tls,
      username,
      password,
    };
  }

  #meet(event: Extract<RendezvousClientEvent, { type: 'peer' }>): void {
    const { clientTag, kind, name, isControlling, pairKey, seen, startInMs } = event;
    this.#members.get(clientTag)?.peer.close();
    const signal = (data: object) => this.#signalling.send(clientTag, data as SignalData);
    const transport =
      kind === 'browser'
        ? undefined
        : this.#paths!.open({ pairKey, isControlling, peerSeen: seen, startInMs, signal });
    const { name: ownName } = this.#setup;
    const peer = new PoolPeer({
      kind,
      name,
      ownName,
      isControlling,
      identities: pairIdentities(pairKey, isControlling),
      certificate: ownCertificate(),
      phraseKey: this.#setup.phraseKey,
      guesses: this.#guesses.of(seen),
      signal,
      transport,
      iceServers: () => this.#iceServers(),
      serverAddress: () => this.#signalling.serverAddress,
      relayOverTcp: () => this.#relayOverTcp(),
      onRefused: () => this.#reject(clientTag, member),
    });
    const member: Member = { peer, transport, path: undefined, isLost: false, timer: undefined };
    this.#members.set(clientTag, member);
    this.#paths!.prepare();
    if (transport !== undefined) {
      const tellPeer = transport.onPath;
      transport.onPath = (path) => {
        member.path = path;
        tellPeer(path);
        this.#watch(clientTag, member);
      };
    }
    this.#arrived.push(peer);
    this.#wakeReader?.();
    this.#wakeReader = undefined;
    this.onPeer?.(peer);
  }

  #handleMember(event: Extract<RendezvousClientEvent, { clientTag: string }>): void {
    const { clientTag } = event;
    const member = this.#members.get(clientTag);
    if (member === undefined) return;
    const { peer, transport } = member;
    switch (event.type) {
      case 'signal':
        transport?.handleSignal(event.data);
        peer.handleSignal(event.data);
        break;
      case 'peer-seen':
        transport?.setPeerSeen(event.seen);
        break;
      case 'peer-back':
        member.isLost = false;
        this.#watch(clientTag, member);
        break;
      case 'peer-left':
        if (event.reason === 'left' || transport === undefined) this.#drop(clientTag, member);
        else {
          member.isLost = true;
          this.#watch(clientTag, member);
        }
        break;
    }
  }

  /** Who can't be reached by the server any more is talked to as long as there is a path, and a little longer. */
  #watch(clientTag: string, member: Member): void {
    if (member.peer.state === 'refused') return;
    clearTimeout(member.timer);
    member.timer = undefined;
    if (!member.isLost || member.path !== undefined) return;
    member.timer = setTimeout(() => this.#drop(clientTag, member), LOST_MS);
    member.timer.unref();
  }

  /** Who does not know the phrase is parted from, when it has been told so, and makes room for who does. */
  #reject(clientTag: string, member: Member): void {
    member.timer = setTimeout(() => {
      if (this.#members.get(clientTag) !== member) return;
      this.#members.delete(clientTag);
      this.#signalling.reject(clientTag);
    }, REJECT_MS);
  }

  #drop(clientTag: string, member: Member): void {
    clearTimeout(member.timer);
    if (this.#members.get(clientTag) === member) this.#members.delete(clientTag);
    member.peer.close();
    this.#signalling.release(clientTag);
  }

  #iceServers(): string[] {
    const { address, stunPorts, turnPort, username, password } = this.#server();
    const at = (port: number) => printEndpoint({ address, port });
    const user = [username, password].map(encodeURIComponent).join(':');
    return [`stun:${at(stunPorts[0]!)}`, `turn:${user}@${at(turnPort)}?transport=udp`];
  }

  /** The relay by TCP or TLS, unless UDP is known to get through. */
  #relayOverTcp(): TcpRelay | undefined {
    if (this.#paths?.hasUdp?.() === true) return undefined;
    const { credentials, ports } = this.#welcome!;
    const { username, password } = credentials;
    return {
      server: { address: this.#signalling.serverAddress, port: ports.turn },
      tls: this.#setup.tls ?? false,
      username,
      password,
    };
  }

  #giveUp(): void {
    const { host, port } = this.#setup.server;
    const cause = this.#lastFailure;
    const why = cause === undefined ? '' : `: ${cause.message}`;
    const where = `${host} port ${port}`;
    this.#end(new NatPunchError('unreachable', `no server answers at ${where}${why}`, { cause }));
  }

  #end(error: NatPunchError | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#failure = error;
    clearTimeout(this.#joinTimer);
    this.#setup.signal?.removeEventListener('abort', this.#handleAbort);
    for (const { peer, timer } of this.#members.values()) {
      clearTimeout(timer);
      peer.close();
    }
    this.#signalling.leave();
    this.#paths?.close();
    if (error !== undefined) this.#settle?.reject(error);
    this.#settle = undefined;
    this.#wakeReader?.();
  }
}

interface Member {
  readonly peer: PoolPeer;
  /** Of a terminal; a browser brings its own. */
  readonly transport: PoolTransport | undefined;
  path: PeerPath | undefined;
  /** The server has given it up. */
  isLost: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** Whether another attempt would end alike: no such host, another program there, no TLS, or a certificate that isn't trusted. */
function isHopeless(error: Error): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (/^ENOTFOUND$|^EPROTO$|CERT|SIGNED/.test(code)) return true;
  return /before secure TLS|server response: [234]/.test(error.message);
}

let certificate: Certificate | undefined;

/** One for the whole program: what others have compared stays true. */
function ownCertificate(): Certificate {
  certificate ??= makeCertificate();
  return certificate;
}

async function phraseKeyFor(phrase: string, pool: string): Promise<PhraseKey> {
  const [secret, salt, { dkLen, ...parameters }] = phraseKeyInput(phrase, pool);
  const derive = promisify<Uint8Array, Uint8Array, number, object, Buffer>(scrypt);
  return phraseKeyOf(new Uint8Array(await derive(secret, salt, dkLen, parameters)));
}

function aborted(signal: AbortSignal): NatPunchError {
  return new NatPunchError('aborted', 'aborted by the signal', { cause: signal.reason });
}
