// The server's matchmaking: pools, who is in which, who is put together with whom, who is away and comes back. Pure: connections are names
// that the caller gives, of its own sockets or of another server's; what is to be sent or closed comes out of `poll()`.
//
// A client is known by its secret id. One whose connection breaks keeps its place for a while, and finds everything as it was when it
// joins again. A server that has restarted knows nobody: clients say whom they are in touch with, and are put together again.
import { type Endpoint, endpointKey, networkOf } from '@bt/endpoint';
import { bytesToHex } from '@noble/hashes/utils.js';
import { NatPunchError } from '../errors.ts';
import { matchPairs, matchRoom, sameKey } from './matchmaking.ts';
import { clientTagOf } from './pool-credentials.ts';
import {
  AWAY_MS,
  MAKE_WAY_MS,
  MAX_MEMBERS,
  MAX_MEMBERS_PER_NETWORK,
  MAX_POOL_MEMBERS,
  MAX_POOL_MEMBERS_PER_NETWORK,
  MAX_POOLS,
  MAX_REJECTED,
  MAX_RELAYED_PER_MEMBER,
  MAX_ROOM_SIZE,
  MAX_SEEN_ADDRESSES,
  MAX_START_MS,
  REUNION_MS,
} from './rendezvous-limits.ts';
import {
  type HeldPair,
  type JoinMessage,
  type LeaveReason,
  PAIR_KEY_BYTES,
  type ServerMessage,
  SIGNALLING_VERSION,
  type SignallingErrorCode,
  type SignalMessage,
  type WelcomeMessage,
} from './rendezvous-message.ts';

export interface RendezvousOptions {
  /** 2 to 16. */
  readonly roomSize: number;
  /** Unpredictable bytes: ids and keys are made of them. */
  readonly randomBytes: (lengthBytes: number) => Uint8Array;
}

/** Where a joining client's connection comes from. */
export interface Origin {
  /** Its IP address, canonical. */
  readonly address: string;
  /** How long a message takes to it, in ms, as far as known. */
  readonly delayMs: number;
}

export type RendezvousEffect =
  | { readonly type: 'send'; readonly connection: string; readonly message: MatchMessage }
  /** To be sent with what the server that has the connection knows of itself. */
  | {
      readonly type: 'welcome';
      readonly connection: string;
      readonly member: string;
      readonly pool: string;
      readonly roomSize: number;
    }
  /** To be closed, with an error that says why. */
  | {
      readonly type: 'close';
      readonly connection: string;
      readonly code: SignallingErrorCode;
      readonly message: string;
    }
  /** What the relay may carry between two: all that `member` may reach of `peer`, in place of what was said before. */
  | {
      readonly type: 'reach';
      /** Of `member`, the latest; it may be closed. */
      readonly connection: string;
      readonly member: string;
      readonly peer: string;
      readonly seen: readonly string[];
      readonly relayed: readonly Endpoint[];
    }
  | {
      readonly type: 'no-reach';
      readonly connection: string;
      readonly member: string;
      readonly peer: string;
    }
  /** It is no member any more: its credentials end. */
  | { readonly type: 'member-left'; readonly connection: string; readonly member: string }
  | { readonly type: 'pool-end'; readonly pool: string };

type MatchMessage = Exclude<ServerMessage, WelcomeMessage | { type: 'pong' | 'error' }>;

export interface RendezvousStatistics {
  readonly pools: number;
  readonly members: number;
  readonly away: number;
  readonly pairs: number;
}

export class Rendezvous {
  readonly #options: RendezvousOptions;
  readonly #pools = new Map<string, Pool>();
  readonly #members = new Map<string, Member>();
  readonly #byConnection = new Map<string, Member>();
  readonly #networks = new Map<string, number>();
  /** Those for whom something happens by time alone. */
  readonly #timed = new Set<Member>();
  readonly #effects: RendezvousEffect[] = [];
  #pairCount = 0;

  /** @throws {NatPunchError} `invalid-argument` for a room size that is none. */
  constructor(options: RendezvousOptions) {
    const { roomSize } = options;
    if (!Number.isInteger(roomSize) || roomSize < 2 || roomSize > MAX_ROOM_SIZE) {
      throw new NatPunchError('invalid-argument', `a room has 2 to ${MAX_ROOM_SIZE} members`);
    }
    this.#options = options;
  }

  get statistics(): RendezvousStatistics {
    let away = 0;
    for (const member of this.#timed) if (member.isAway) away += 1;
    return {
      pools: this.#pools.size,
      members: this.#members.size,
      away,
      pairs: this.#pairCount,
    };
  }

  hasPool(pool: string): boolean {
    return this.#pools.has(pool);
  }

  get poolNames(): Iterable<string> {
    return this.#pools.keys();
  }

  /** Connections of a pool's members that are there. */
  connectionsOf(pool: string): string[] {
    const members = [...(this.#pools.get(pool)?.members.values() ?? [])];
    return members.filter((member) => !member.isAway).map(({ connection }) => connection);
  }

  handleJoin(now: number, connection: string, join: JoinMessage, origin: Origin): void {
    if (join.version !== SIGNALLING_VERSION) {
      const message = `This server speaks version ${SIGNALLING_VERSION} of the signalling protocol.`;
      this.#close(connection, 'version', message);
      return;
    }
    const joined = this.#byConnection.get(connection);
    if (joined !== undefined) {
      if (joined.pool.name === join.pool && joined.client === join.client) {
        joined.held = heldOf(join.pairs);
      } else {
        this.#close(connection, 'invalid-message', 'A connection is for one pool and one client.');
      }
      return;
    }
    const known = this.#pools.get(join.pool)?.members.get(join.client);
    if (known !== undefined) this.#resume(now, known, connection, join, origin);
    else this.#enter(now, connection, join, origin);
  }

  /** Passes data on to the other of a pair; to anybody else it goes nowhere. */
  handleSignal(connection: string, signal: SignalMessage): void {
    const from = this.#byConnection.get(connection);
    const to = this.#members.get(signal.peer);
    // What is lost while someone is away is sent again by the other end when it is back.
    if (from === undefined || to === undefined || !from.pairs.has(to) || to.isAway) return;
    this.#send(to, { ...signal, peer: from.id });
  }

  handleLeave(now: number, connection: string): void {
    const member = this.#byConnection.get(connection);
    if (member !== undefined) this.#remove(now, member, 'left');
  }

  /** Parts the two of a pair for good. */
  handleReject(now: number, connection: string, peer: string): void {
    const member = this.#byConnection.get(connection);
    const other = this.#members.get(peer);
    if (member === undefined || other === undefined || !member.pairs.has(other)) return;
    addLatest(member.rejected, other.clientTag, MAX_REJECTED);
    addLatest(other.rejected, member.clientTag, MAX_REJECTED);
    this.#unpair(member, other);
    this.#send(member, { type: 'peer-left', peer: other.id, reason: 'rejected' });
    this.#send(other, { type: 'peer-left', peer: member.id, reason: 'rejected' });
    this.#match(now, member.pool);
  }

  /** @param patienceMs how long its place is kept */
  handleClose(now: number, connection: string, patienceMs = AWAY_MS): void {
    const member = this.#byConnection.get(connection);
    if (member === undefined) return;
    this.#byConnection.delete(connection);
    member.isAway = true;
    member.awayUntil = now + patienceMs;
    member.waitsBehind = undefined;
    this.#timed.add(member);
    for (const other of member.pairs.keys()) {
      this.#send(other, { type: 'peer-away', peer: member.id });
    }
    this.#match(now, member.pool);
  }

  /** How long a message takes to the client. */
  handleDelay(connection: string, delayMs: number): void {
    const member = this.#byConnection.get(connection);
    if (member !== undefined) member.delayMs = delayMs;
  }

  /** A server has seen the member send from an address: others of its room may send there through the relay. */
  handleSeen(memberId: string, address: string): void {
    const member = this.#members.get(memberId);
    if (member === undefined || !addLatest(member.seen, address, MAX_SEEN_ADDRESSES)) return;
    for (const other of member.pairs.keys()) {
      this.#reach(other, member);
      this.#send(other, { type: 'peer-seen', peer: member.id, seen: [...member.seen] });
    }
  }

  /** The member has got an address of the relay, or has it no more. */
  handleAllocation(memberId: string, relayed: Endpoint, isThere: boolean): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return;
    const key = endpointKey(relayed);
    member.relayed.delete(key);
    if (isThere) {
      member.relayed.set(key, relayed);
      if (member.relayed.size > MAX_RELAYED_PER_MEMBER) {
        member.relayed.delete(member.relayed.keys().next().value!);
      }
    }
    for (const other of member.pairs.keys()) this.#reach(other, member);
  }

  /** Forgets a pool at once, as when another server has it; its members' connections are not closed. */
  dropPool(name: string): void {
    const pool = this.#pools.get(name);
    if (pool === undefined) return;
    for (const member of pool.members.values()) {
      for (const other of member.pairs.keys()) this.#unpair(member, other);
      this.#forget(member);
    }
  }

  handleTimeout(now: number): void {
    const pools = new Set<Pool>();
    for (const member of this.#timed) {
      if (member.isAway) {
        if (member.awayUntil <= now) this.#remove(now, member, 'timeout');
      } else if (member.heldUntil <= now) {
        this.#timed.delete(member);
        pools.add(member.pool);
      }
    }
    for (const pool of pools) this.#match(now, pool);
  }

  /** When `handleTimeout` is to be called; Infinity for never. */
  deadline(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const member of this.#timed) {
      earliest = Math.min(earliest, member.isAway ? member.awayUntil : member.heldUntil);
    }
    return earliest;
  }

  poll(): RendezvousEffect | undefined {
    return this.#effects.shift();
  }

  #enter(now: number, connection: string, join: JoinMessage, origin: Origin): void {
    const network = networkOf(origin.address);
    const refusal = this.#refusalOf(join.pool, network);
    if (refusal !== undefined) {
      this.#close(connection, refusal, REFUSALS[refusal]);
      return;
    }
    let pool = this.#pools.get(join.pool);
    if (pool === undefined) {
      pool = { name: join.pool, createdAt: now, members: new Map() };
      this.#pools.set(join.pool, pool);
    }
    const held = heldOf(join.pairs);
    const member: Member = {
      id: bytesToHex(this.#options.randomBytes(8)),
      pool,
      client: join.client,
      clientTag: clientTagOf(join.pool, join.client),
      kind: join.kind,
      name: join.name,
      network,
      connection,
      delayMs: origin.delayMs,
      isAway: false,
      awayUntil: 0,
      held,
      heldUntil: heldUntil(now, pool.createdAt, join.pairs),
      rejected: new Set(),
      room: undefined,
      waitsBehind: undefined,
      seen: new Set([origin.address]),
      relayed: new Map(),
      pairs: new Map(),
    };
    pool.members.set(member.client, member);
    this.#members.set(member.id, member);
    this.#byConnection.set(connection, member);
    this.#networks.set(network, (this.#networks.get(network) ?? 0) + 1);
    if (member.heldUntil > now) this.#timed.add(member);
    this.#welcome(member);
    this.#match(now, pool);
  }

  #resume(
    now: number,
    member: Member,
    connection: string,
    join: JoinMessage,
    origin: Origin,
  ): void {
    if (!member.isAway) {
      this.#byConnection.delete(member.connection);
      this.#close(member.connection, 'replaced', 'The same client has connected again.');
    }
    member.connection = connection;
    member.isAway = false;
    member.waitsBehind = undefined;
    member.delayMs = origin.delayMs;
    member.held = heldOf(join.pairs);
    if (member.heldUntil <= now) this.#timed.delete(member);
    this.#byConnection.set(connection, member);
    this.#welcome(member);
    this.handleSeen(member.id, origin.address);
    for (const [other, key] of member.pairs) {
      this.#reach(member, other);
      // Who has lost a pair, or never heard of it, begins anew, and so has the other one to.
      if (sameKey(member.held.get(other.clientTag), key)) {
        this.#introduce(member, other, key, 0);
        this.#send(other, { type: 'peer-back', peer: member.id });
      } else {
        this.#pair(member, other);
      }
      if (other.isAway) this.#send(member, { type: 'peer-away', peer: other.id });
    }
    this.#match(now, member.pool);
  }

  #refusalOf(poolName: string, network: string): 'full' | 'crowded' | undefined {
    const pool = this.#pools.get(poolName);
    if (this.#members.size >= MAX_MEMBERS) return 'full';
    if (
      pool === undefined ? this.#pools.size >= MAX_POOLS : pool.members.size >= MAX_POOL_MEMBERS
    ) {
      return 'full';
    }
    if ((this.#networks.get(network) ?? 0) >= MAX_MEMBERS_PER_NETWORK) return 'crowded';
    let neighbours = 0;
    for (const member of pool?.members.values() ?? []) {
      if (member.network === network) neighbours += 1;
    }
    return neighbours >= MAX_POOL_MEMBERS_PER_NETWORK ? 'crowded' : undefined;
  }

  #remove(now: number, member: Member, reason: LeaveReason): void {
    for (const other of member.pairs.keys()) {
      this.#unpair(member, other);
      this.#send(other, { type: 'peer-left', peer: member.id, reason });
    }
    const { pool } = member;
    this.#forget(member);
    this.#match(now, pool);
  }

  #forget(member: Member): void {
    const { pool, network, connection } = member;
    pool.members.delete(member.client);
    this.#members.delete(member.id);
    this.#timed.delete(member);
    if (this.#byConnection.get(connection) === member) this.#byConnection.delete(connection);
    const neighbours = this.#networks.get(network)! - 1;
    if (neighbours === 0) this.#networks.delete(network);
    else this.#networks.set(network, neighbours);
    this.#effects.push({ type: 'member-left', connection, member: member.id });
    if (pool.members.size > 0) return;
    this.#pools.delete(pool.name);
    this.#effects.push({ type: 'pool-end', pool: pool.name });
  }

  #match(now: number, pool: Pool): void {
    const { roomSize } = this.#options;
    const members = [...pool.members.values()];
    if (roomSize === 2) {
      for (const [a, b] of matchPairs(now, members)) {
        a.room = 0;
        b.room = 0;
        this.#pair(a, b);
      }
    } else {
      // Who is alone, as those are whom all others of a room have rejected, keeps no place and may go to another room.
      for (const member of members) {
        if (member.pairs.size === 0 && !member.isAway) member.room = undefined;
      }
      const reunionUntil = pool.createdAt + REUNION_MS;
      for (const [newcomer, room] of matchRoom(now, members, { roomSize, reunionUntil })) {
        for (const other of members) {
          if (other.room === room && !newcomer.rejected.has(other.clientTag))
            this.#pair(newcomer, other);
        }
        newcomer.room = room;
      }
    }
    this.#tellLine(now, members);
  }

  /** Who has no place is told how many are before it. In a room that is not full nobody waits for more than company. */
  #tellLine(now: number, members: readonly Member[]): void {
    const seated = members.filter((member) => member.room !== undefined).length;
    const isFull = this.#options.roomSize === 2 ? seated > 0 : seated >= this.#options.roomSize;
    let ahead = 0;
    for (const member of members) {
      if (member.room !== undefined || !isFull) member.waitsBehind = undefined;
      else if (!member.isAway && member.heldUntil <= now) {
        if (member.waitsBehind !== ahead) this.#send(member, { type: 'waiting', ahead });
        member.waitsBehind = ahead;
        ahead += 1;
      }
    }
  }

  /** Puts two together with the key that both hold, or with a new one. */
  #pair(a: Member, b: Member): void {
    const held = a.held.get(b.clientTag);
    const isReunion = held !== undefined && sameKey(held, b.held.get(a.clientTag));
    const key = isReunion ? held : this.#options.randomBytes(PAIR_KEY_BYTES);
    // From here on the pair is known here, and what was said of it is old.
    a.held.delete(b.clientTag);
    b.held.delete(a.clientTag);
    if (!a.pairs.has(b)) this.#pairCount += 1;
    a.pairs.set(b, key);
    b.pairs.set(a, key);
    this.#reach(a, b);
    this.#reach(b, a);
    // Who has the longer way hears of it later, and begins at once.
    const longestMs = Math.max(a.delayMs, b.delayMs);
    this.#introduce(a, b, key, longestMs - a.delayMs);
    this.#introduce(b, a, key, longestMs - b.delayMs);
    if (a.isAway) this.#send(b, { type: 'peer-away', peer: a.id });
    if (b.isAway) this.#send(a, { type: 'peer-away', peer: b.id });
  }

  #unpair(a: Member, b: Member): void {
    this.#pairCount -= 1;
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      one.pairs.delete(other);
      const { connection, id } = one;
      this.#effects.push({ type: 'no-reach', connection, member: id, peer: other.id });
    }
    if (this.#options.roomSize > 2) return;
    a.room = undefined;
    b.room = undefined;
  }

  #introduce(to: Member, peer: Member, pairKey: Uint8Array, startInMs: number): void {
    this.#send(to, {
      type: 'peer',
      peer: peer.id,
      clientTag: peer.clientTag,
      ...(peer.name === undefined ? {} : { name: peer.name }),
      kind: peer.kind,
      pairKey,
      isControlling: to.clientTag < peer.clientTag,
      seen: [...peer.seen],
      startInMs: Math.min(Math.round(startInMs), MAX_START_MS),
    });
  }

  #reach({ id, connection }: Member, { id: peer, seen, relayed }: Member): void {
    this.#effects.push({
      type: 'reach',
      connection,
      member: id,
      peer,
      seen: [...seen],
      relayed: [...relayed.values()],
    });
  }

  #welcome({ connection, id, pool }: Member): void {
    const { roomSize } = this.#options;
    this.#effects.push({ type: 'welcome', connection, member: id, pool: pool.name, roomSize });
  }

  #send({ isAway, connection }: Member, message: MatchMessage): void {
    if (!isAway) this.#effects.push({ type: 'send', connection, message });
  }

  #close(connection: string, code: SignallingErrorCode, message: string): void {
    this.#effects.push({ type: 'close', connection, code, message });
  }
}

interface Pool {
  readonly name: string;
  readonly createdAt: number;
  /** By client id, in the order in which they came. */
  readonly members: Map<string, Member>;
}

interface Member {
  readonly id: string;
  readonly pool: Pool;
  readonly client: string;
  readonly clientTag: string;
  readonly kind: JoinMessage['kind'];
  readonly name: string | undefined;
  readonly network: string;
  connection: string;
  delayMs: number;
  isAway: boolean;
  awayUntil: number;
  held: Map<string, Uint8Array>;
  readonly heldUntil: number;
  readonly rejected: Set<string>;
  /** See `Seeker`. */
  room: number | undefined;
  /** What it was told last of the line. */
  waitsBehind: number | undefined;
  /** The latest last. */
  readonly seen: Set<string>;
  readonly relayed: Map<string, Endpoint>;
  /** The others of its room, with the key of each pair. */
  readonly pairs: Map<Member, Uint8Array>;
}

const REFUSALS = {
  full: 'The server or the pool has no room for another member.',
  crowded: 'There are too many members from this address.',
} as const;

/** Who was in touch with others waits for them; who was alone makes way for such pairs where the pool has only just begun. */
function heldUntil(now: number, createdAt: number, pairs: JoinMessage['pairs']): number {
  if (pairs === undefined) return now;
  return pairs.length > 0 ? now + REUNION_MS : createdAt + MAKE_WAY_MS;
}

function heldOf(pairs: readonly HeldPair[] = []): Map<string, Uint8Array> {
  return new Map(pairs.map(({ clientTag, pairKey }) => [clientTag, pairKey]));
}

/** Whether it is new; of more than `most` the oldest is dropped. */
function addLatest(set: Set<string>, value: string, most: number): boolean {
  const isNew = !set.delete(value);
  set.add(value);
  if (set.size > most) set.delete(set.values().next().value!);
  return isNew;
}
