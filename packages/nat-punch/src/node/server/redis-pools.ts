// Pools of several servers behind one name. Each pool has a home: the server that decides about it, to which the others pass on what their
// clients say, and from which they get what to tell them. Redis knows which server is the home, by a key that a script sets once, and carries
// the messages. One Redis, not a cluster; whoever may write to it is trusted.
//
// When Redis is gone each server goes on alone: clients that are there stay, and those that come meet on their own server. When it is back,
// all that went by it begins anew: clients are sent to connect again, and say themselves whom they are in touch with.
import { randomBytes } from 'node:crypto';
import type { Endpoint } from '@bt/endpoint';
import { NatPunchError } from '../../errors.ts';
import type {
  Origin,
  RendezvousEffect,
  RendezvousStatistics,
} from '../../rendezvous/rendezvous.ts';
import {
  decodeClientMessage,
  decodeServerMessage,
  encodeSignalling,
} from '../../rendezvous/rendezvous-codec.ts';
import type { JoinMessage, SignalMessage } from '../../rendezvous/rendezvous-message.ts';
import { LocalPools, type PoolHost } from './pool-host.ts';
import { isRefusal, RedisLink, withDeadline, withLimit } from './redis-link.ts';

export type RedisLogEvent =
  | { readonly event: 'redis-lost'; readonly reason: string }
  | { readonly event: 'redis-back' }
  /** Redis is there, and does not let us do something, for want of rights or of memory, say. Told once for each reason. */
  | { readonly event: 'redis-refused'; readonly reason: string };

export interface RedisPoolsOptions {
  readonly url: string;
  readonly roomSize: number;
  readonly log?: ((event: RedisLogEvent) => void) | undefined;
}

/** Servers tell so often that they are there; one that has not for so long is gone. */
const BEAT_MS = 1_000;
const SILENCE_MS = 4_000;

/** How long a pool without members keeps its home: somebody may be on the way. */
const KEEP_HOME_MS = 30_000;

/** How long a key stays that nobody renews, and how often it is renewed. */
const HOME_LIFETIME_MS = 600_000;
const RENEW_MS = 180_000;

/** How long a home may take to answer a join. */
const ANSWER_MS = 3_000;

/** How long somebody who joins waits for Redis: one that is frozen says nothing. */
const CLAIM_MS = 1_500;

/** How long a start waits for Redis. */
const START_MS = 2_000;

/** How long an end waits for Redis to hear of it. */
const FAREWELL_MS = 500;

/** What one server tells another. Connections are those of the server at whose end the client is. */
type ServerToServer =
  | {
      readonly op: 'join';
      readonly connection: string;
      readonly text: string;
      readonly origin: Origin;
    }
  | { readonly op: 'signal'; readonly connection: string; readonly text: string }
  | { readonly op: 'leave' | 'close'; readonly connection: string }
  | { readonly op: 'reject'; readonly connection: string; readonly peer: string }
  | { readonly op: 'delay'; readonly connection: string; readonly delayMs: number }
  | { readonly op: 'seen'; readonly member: string; readonly address: string }
  | {
      readonly op: 'allocation';
      readonly member: string;
      readonly relayed: Endpoint;
      readonly isThere: boolean;
    }
  /** What the home decided. A message is there as text, as its key is no JSON. */
  | { readonly op: 'effect'; readonly effect: RendezvousEffect; readonly text?: string }
  /** To all: I am here; I have missed something, so begin anew with me; I am leaving. */
  | { readonly op: 'beat' | 'reset' | 'bye' };

/** A client of this server. */
interface Local {
  readonly pool: string;
  readonly join: JoinMessage;
  readonly origin: Origin;
  /** Undefined while it is being asked for; what happens meanwhile waits. */
  home: string | undefined;
  readonly waiting: (() => void)[];
  /** Another server has been told of it, and has to answer. */
  hasBeenTold: boolean;
  answerTimer: NodeJS.Timeout | undefined;
}

export class RedisPools implements PoolHost {
  onEffect: (effect: RendezvousEffect) => void = () => {};
  readonly #id = randomBytes(8).toString('hex');
  readonly #options: RedisPoolsOptions;
  readonly #pools: LocalPools;
  readonly #link: RedisLink;
  readonly #locals = new Map<string, Local>();
  /** Connections of other servers' clients, by server. */
  readonly #foreign = new Map<string, Set<string>>();
  /** At which servers each member of our pools has been welcomed, '' being this one: there the relay knows it. */
  readonly #welcomedAt = new Map<string, Set<string>>();
  /** Members that other homes have welcomed here, by home. */
  readonly #guests = new Map<string, Set<string>>();
  /** When each other server was last heard. */
  readonly #servers = new Map<string, number>();
  /** Pools whose home we are by Redis, and since when they have been without members. */
  readonly #homes = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #isUp = false;
  #ending: Promise<void> | undefined;
  #onUp: (() => void) | undefined;
  #hasBeenUp = false;
  #hasSaidLost = false;
  #refusal = '';
  #heardMyselfAt = Number.NEGATIVE_INFINITY;
  #renewedAt = performance.now();

  /** Connects; after two seconds without success it begins alone, and goes on trying. */
  static async start(options: RedisPoolsOptions): Promise<RedisPools> {
    const pools = new RedisPools(options);
    const isUp = new Promise<void>((resolve) => {
      pools.#onUp = resolve;
    });
    void pools.#link.open().then(() => pools.#beat());
    await withLimit(isUp, START_MS);
    return pools;
  }

  private constructor(options: RedisPoolsOptions) {
    this.#options = options;
    this.#pools = new LocalPools(options.roomSize);
    this.#pools.onEffect = (effect) => this.#handleDecision(effect);
    this.#link = new RedisLink(options.url, this.#id, {
      onMessage: (from, text) => this.#handleText(from, text),
      onError: (error) => this.#handleLoss(error.message),
    });
    this.#timer = setInterval(() => void this.#beat(), BEAT_MS);
    this.#timer.unref();
  }

  get statistics(): RendezvousStatistics {
    return this.#pools.statistics;
  }

  /** Whether other servers can be met. */
  get isConnected(): boolean {
    return this.#isUp;
  }

  join(connection: string, join: JoinMessage, origin: Origin): void {
    const known = this.#locals.get(connection);
    if (known !== undefined) {
      this.#route(connection, (home) => this.#joinAt(home, connection, join, origin));
      return;
    }
    const local: Local = {
      pool: join.pool,
      join,
      origin,
      home: undefined,
      waiting: [],
      hasBeenTold: false,
      answerTimer: undefined,
    };
    this.#locals.set(connection, local);
    void this.#findHome(connection, local);
  }

  signal(connection: string, signal: SignalMessage): void {
    this.#route(connection, (home) => {
      if (home === this.#id) this.#pools.signal(connection, signal);
      else this.#tell(home, { op: 'signal', connection, text: encodeSignalling(signal) });
    });
  }

  leave(connection: string): void {
    this.#route(connection, (home) => {
      if (home === this.#id) this.#pools.leave(connection);
      else this.#tell(home, { op: 'leave', connection });
    });
  }

  reject(connection: string, peer: string): void {
    this.#route(connection, (home) => {
      if (home === this.#id) this.#pools.reject(connection, peer);
      else this.#tell(home, { op: 'reject', connection, peer });
    });
  }

  close(connection: string): void {
    this.#route(connection, (home) => {
      if (home === this.#id) this.#pools.close(connection);
      else this.#tell(home, { op: 'close', connection });
      clearTimeout(this.#locals.get(connection)?.answerTimer);
      this.#locals.delete(connection);
    });
  }

  setDelay(connection: string, delayMs: number): void {
    this.#route(connection, (home) => {
      if (home === this.#id) this.#pools.setDelay(connection, delayMs);
      else this.#tell(home, { op: 'delay', connection, delayMs });
    });
  }

  addSeen(connection: string, member: string, address: string): void {
    this.#route(connection, (home) => {
      if (home === this.#id) this.#pools.addSeen(connection, member, address);
      else this.#tell(home, { op: 'seen', member, address });
    });
  }

  setAllocation(connection: string, member: string, relayed: Endpoint, isThere: boolean): void {
    this.#route(connection, (home) => {
      if (home === this.#id) this.#pools.setAllocation(connection, member, relayed, isThere);
      else this.#tell(home, { op: 'allocation', member, relayed, isThere });
    });
  }

  async end(): Promise<void> {
    this.#ending ??= this.#end();
    await this.#ending;
  }

  async #end(): Promise<void> {
    clearInterval(this.#timer);
    this.onEffect = () => {};
    for (const { answerTimer } of this.#locals.values()) clearTimeout(answerTimer);
    if (this.#isUp) {
      const farewell = [
        this.#link.forget([...this.#homes.keys()]),
        this.#link.publishToAll(encode({ op: 'bye' })),
      ];
      // One that is frozen says nothing, and the others find out by themselves.
      await withLimit(Promise.allSettled(farewell), FAREWELL_MS);
    }
    this.#isUp = false;
    await this.#pools.end();
    this.#link.close();
  }

  #route(connection: string, act: (home: string) => void): void {
    const local = this.#locals.get(connection);
    if (local === undefined) return;
    if (local.home === undefined) local.waiting.push(() => act(local.home!));
    else act(local.home);
  }

  async #findHome(connection: string, local: Local): Promise<void> {
    const home = await this.#claim(local.pool);
    if (home === undefined) {
      // Nobody has been told of it, and others are not concerned.
      this.#locals.delete(connection);
      this.#sendAway(connection);
      return;
    }
    local.home = home;
    this.#joinAt(local.home, connection, local.join, local.origin);
    for (const act of local.waiting.splice(0)) act();
  }

  /** The pool's home: us, when Redis is gone or refuses to tell; undefined when it does not answer in time. */
  async #claim(pool: string): Promise<string | undefined> {
    if (!this.#isUp) return this.#id;
    try {
      const home = await withDeadline(this.#link.claim(pool, HOME_LIFETIME_MS), CLAIM_MS);
      if (home === this.#id) this.#homes.set(pool, performance.now());
      return home;
    } catch (error) {
      // That it is slow to answer does not mean that anything was lost; the beat finds out.
      if (isRefusal(error)) this.#handleFailure(error as Error);
      else if (this.#isUp) return undefined;
      return this.#id;
    }
  }

  #joinAt(home: string, connection: string, join: JoinMessage, origin: Origin): void {
    if (home === this.#id) {
      this.#pools.join(connection, join, origin);
      return;
    }
    const local = this.#locals.get(connection);
    if (local === undefined) return;
    if (!local.hasBeenTold) {
      local.hasBeenTold = true;
      local.answerTimer = setTimeout(() => this.#sendAway(connection), ANSWER_MS);
    }
    this.#tell(home, { op: 'join', connection, text: encodeSignalling(join), origin });
  }

  /** The client connects again, and tells by itself whom it is in touch with. */
  #sendAway(connection: string): void {
    const message = 'The servers have to find together anew.';
    this.onEffect({ type: 'close', connection, code: 'restarting', message });
  }

  /** Tells what the machine here decided, to our client or to the server that has it. */
  #handleDecision(effect: RendezvousEffect): void {
    if (effect.type === 'pool-end') {
      if (this.#homes.has(effect.pool)) this.#homes.set(effect.pool, performance.now());
      return;
    }
    const [server, connection] = partsOf(effect.connection);
    switch (effect.type) {
      case 'welcome': {
        const servers = this.#welcomedAt.get(effect.member) ?? new Set();
        this.#welcomedAt.set(effect.member, servers.add(server));
        this.#tellEffect(server, { ...effect, connection });
        break;
      }
      case 'reach':
      case 'no-reach':
      case 'member-left': {
        // The relay of a server where it has been before may still carry for it.
        const servers = this.#welcomedAt.get(effect.member) ?? [];
        if (effect.type === 'member-left') this.#welcomedAt.delete(effect.member);
        for (const each of servers) this.#tellEffect(each, { ...effect, connection });
        break;
      }
      case 'close':
        this.#foreign.get(server)?.delete(effect.connection);
        this.#tellEffect(server, { ...effect, connection });
        break;
      case 'send':
        this.#tellEffect(server, { ...effect, connection });
        break;
    }
  }

  /** @param server '' for this one */
  #tellEffect(server: string, effect: RendezvousEffect): void {
    if (server === '') {
      this.onEffect(effect);
    } else if (effect.type === 'send') {
      const { message, ...rest } = effect;
      const text = encodeSignalling(message);
      this.#tell(server, { op: 'effect', effect: { ...rest } as RendezvousEffect, text });
    } else {
      this.#tell(server, { op: 'effect', effect });
    }
  }

  #tell(server: string, message: ServerToServer): void {
    if (!this.#isUp) return;
    this.#link.publish(server, encode(message)).then(
      (receivers) => {
        if (receivers === 0) void this.#bury(server);
      },
      (error: Error) => this.#handleFailure(error),
    );
  }

  #handleText(from: string, text: string): void {
    const now = performance.now();
    if (from === this.#id) {
      // What we say to all comes back to us: Redis is there, in both directions.
      this.#heardMyselfAt = now;
      if (!this.#isUp) this.#handleReturn();
      return;
    }
    this.#servers.set(from, now);
    try {
      this.#handle(from, JSON.parse(text) as ServerToServer);
    } catch (error) {
      // A server of another version, say.
      if (
        !(
          error instanceof NatPunchError ||
          error instanceof SyntaxError ||
          error instanceof TypeError
        )
      ) {
        throw error;
      }
    }
  }

  #handle(from: string, message: ServerToServer): void {
    switch (message.op) {
      case 'join': {
        const connection = `${from}/${message.connection}`;
        const join = decodeClientMessage(message.text);
        if (join.type !== 'join') return;
        const theirs = this.#foreign.get(from) ?? new Set();
        this.#foreign.set(from, theirs.add(connection));
        this.#pools.join(connection, join, message.origin);
        break;
      }
      case 'signal': {
        const signal = decodeClientMessage(message.text);
        if (signal.type === 'signal') this.#pools.signal(`${from}/${message.connection}`, signal);
        break;
      }
      case 'leave':
        this.#pools.leave(`${from}/${message.connection}`);
        break;
      case 'reject':
        this.#pools.reject(`${from}/${message.connection}`, message.peer);
        break;
      case 'close':
        this.#foreign.get(from)?.delete(`${from}/${message.connection}`);
        this.#pools.close(`${from}/${message.connection}`);
        break;
      case 'delay':
        this.#pools.setDelay(`${from}/${message.connection}`, message.delayMs);
        break;
      case 'seen':
        this.#pools.addSeen('', message.member, message.address);
        break;
      case 'allocation':
        this.#pools.setAllocation('', message.member, message.relayed, message.isThere);
        break;
      case 'effect':
        this.#handleEffect(from, message);
        break;
      case 'reset':
        this.#part(from);
        break;
      case 'bye':
        this.#part(from);
        this.#servers.delete(from);
        break;
    }
  }

  /** A home tells what it decided for a client of ours. */
  #handleEffect(from: string, { effect, text }: Extract<ServerToServer, { op: 'effect' }>): void {
    if (effect.type === 'pool-end') return;
    const local = this.#locals.get(effect.connection);
    if (effect.type === 'welcome' || effect.type === 'close') clearTimeout(local?.answerTimer);
    // What concerns the relay is of importance for members that are away, too.
    const isOfConnection =
      effect.type === 'welcome' || effect.type === 'close' || effect.type === 'send';
    if (isOfConnection && local?.home !== from) return;
    if (effect.type === 'welcome') {
      const guests = this.#guests.get(from) ?? new Set();
      this.#guests.set(from, guests.add(effect.member));
    } else if (effect.type === 'member-left') {
      this.#guests.get(from)?.delete(effect.member);
    }
    if (text === undefined) {
      this.onEffect(effect);
      return;
    }
    const message = decodeServerMessage(text);
    if (message.type === 'welcome' || message.type === 'pong' || message.type === 'error') return;
    this.onEffect({ type: 'send', connection: effect.connection, message });
  }

  /** Nothing of what there is with another server goes on. */
  #part(server: string): void {
    const theirs = this.#foreign.get(server) ?? [];
    this.#foreign.delete(server);
    for (const connection of theirs) this.#pools.close(connection);
    for (const [connection, { home }] of this.#locals) {
      if (home === server) this.#sendAway(connection);
    }
    for (const servers of this.#welcomedAt.values()) servers.delete(server);
    this.#dismissGuests(server);
  }

  /** Of members of a home that is gone nobody will say that they have left. */
  #dismissGuests(home: string): void {
    const guests = this.#guests.get(home) ?? [];
    this.#guests.delete(home);
    for (const member of guests) this.onEffect({ type: 'member-left', connection: '', member });
  }

  /** A server does not hear us: it is gone, whatever its keys say. */
  async #bury(server: string): Promise<void> {
    await this.#link.bury(server).catch(() => {});
    this.#part(server);
    this.#servers.delete(server);
  }

  async #beat(): Promise<void> {
    const now = performance.now();
    if (this.#isUp && now - this.#heardMyselfAt > SILENCE_MS) this.#handleLoss('no answer');
    try {
      await this.#link.live(SILENCE_MS);
      await this.#link.publishToAll(encode({ op: 'beat' }));
    } catch (error) {
      this.#handleLoss((error as Error).message);
      return;
    }
    if (!this.#isUp) return;
    for (const [server, heardAt] of this.#servers) {
      if (now - heardAt <= SILENCE_MS) continue;
      this.#servers.delete(server);
      this.#part(server);
    }
    this.#releaseHomes(now);
    if (now - this.#renewedAt < RENEW_MS) return;
    this.#renewedAt = now;
    await this.#verifyHomes();
  }

  #releaseHomes(now: number): void {
    const ended = [...this.#homes]
      .filter(([pool, since]) => !this.#pools.hasPool(pool) && now - since > KEEP_HOME_MS)
      .map(([pool]) => pool);
    if (ended.length === 0) return;
    for (const pool of ended) this.#homes.delete(pool);
    this.#link.forget(ended).catch((error: Error) => this.#handleFailure(error));
  }

  /** Of a command: it was lost with the connection, or refused while everything else goes on. */
  #handleFailure(error: Error): void {
    if (!isRefusal(error)) {
      this.#handleLoss(error.message);
    } else if (error.message !== this.#refusal) {
      this.#refusal = error.message;
      this.#options.log?.({ event: 'redis-refused', reason: error.message });
    }
  }

  #handleLoss(reason: string): void {
    this.#isUp = false;
    if (this.#hasSaidLost) return;
    this.#hasSaidLost = true;
    this.#options.log?.({ event: 'redis-lost', reason });
  }

  #handleReturn(): void {
    this.#isUp = true;
    if (this.#hasSaidLost) this.#options.log?.({ event: 'redis-back' });
    this.#hasSaidLost = false;
    this.#onUp?.();
    const isFirst = !this.#hasBeenUp;
    this.#hasBeenUp = true;
    if (isFirst && this.#locals.size === 0) return;
    // Whatever was said in between has been lost.
    this.#link.publishToAll(encode({ op: 'reset' })).catch(() => {});
    for (const server of [...this.#foreign.keys()]) this.#part(server);
    for (const [connection, { home }] of this.#locals) {
      if (home !== undefined && home !== this.#id) this.#sendAway(connection);
    }
    for (const home of [...this.#guests.keys()]) this.#dismissGuests(home);
    void this.#verifyHomes();
  }

  /** Our pools stay ours, or have another home meanwhile: then our clients go there. */
  async #verifyHomes(): Promise<void> {
    for (const pool of this.#pools.poolNames) {
      const home = await this.#claim(pool);
      if (home === undefined || home === this.#id) continue;
      this.#homes.delete(pool);
      for (const connection of this.#pools.connectionsOf(pool)) {
        const message = 'The servers have to find together anew.';
        this.#handleDecision({ type: 'close', connection, code: 'restarting', message });
      }
      this.#pools.dropPool(pool);
    }
  }
}

/** The server of a connection, '' for this one, and its name there. */
function partsOf(connection: string): [string, string] {
  const slash = connection.indexOf('/');
  return [connection.slice(0, Math.max(slash, 0)), connection.slice(slash + 1)];
}

function encode(message: ServerToServer): string {
  return JSON.stringify(message);
}
