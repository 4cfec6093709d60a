// All allocations of a server and the ports reserved for further ones: how many a user and a network may have, and when they end (RFC 8656
// sections 3.2 and 7.2).
import { type AddressFamily, type Endpoint, endpointKey, networkOf } from '@bt/endpoint';
import type { ClientLink } from '../client-link.ts';
import { ByteRateLimit } from '../rate-limit.ts';
import { hex } from './allocate-request.ts';
import {
  DEFAULT_QUOTA,
  DEFAULT_USER_BYTES_PER_SECOND,
  MAX_ALLOCATIONS,
  MAX_ALLOCATIONS_PER_NETWORK,
  NETWORK_RATE_FACTOR,
  RESERVATION_LIFETIME_MS,
} from './relay-limits.ts';
import type { RelaySocket } from './relay-socket.ts';
import { type RelayShare, RelayUser } from './relay-user.ts';
import type { TurnAllocation } from './turn-allocation.ts';

export interface AllocationTableOptions {
  /** Allocations of a user; 100 unless told otherwise. */
  readonly quota?: number | undefined;
  /** Bytes relayed for a user a second; 32 MiB unless told otherwise, Infinity for no limit. */
  readonly bytesPerSecond?: number | undefined;
  /** Bytes relayed for all users together a second; no limit unless told otherwise. */
  readonly totalBytesPerSecond?: number | undefined;
  onAllocation?(username: string, relayed: Endpoint): void;
  onAllocationEnd?(username: string, relayed: Endpoint): void;
}

/** A port held for the next allocation of its user. */
export interface Reservation {
  readonly socket: RelaySocket;
  readonly family: AddressFamily;
  readonly user: RelayUser;
  readonly expiresAt: number;
}

/** How often what has run out is looked for. */
const SWEEP_MS = 1_000;

export class AllocationTable {
  readonly #options: AllocationTableOptions;
  readonly #quota: number;
  readonly #bytesPerSecond: number;
  /** By the accounts of users, and by client networks. A share without sockets stays until its bucket of bytes is full again. */
  readonly #accounts = new Map<string, RelayShare>();
  readonly #networks = new Map<string, RelayShare>();
  readonly #total: ByteRateLimit;
  readonly #allocations = new Set<TurnAllocation>();
  /** By relayed transport address: an allocation of both families is there twice. */
  readonly #byRelayed = new Map<string, TurnAllocation>();
  readonly #reservations = new Map<string, Reservation>();
  /** Sockets in use, reserved, and being opened. */
  #sockets = 0;
  #nextSweepAt = 0;

  constructor(options: AllocationTableOptions) {
    this.#options = options;
    this.#quota = options.quota ?? DEFAULT_QUOTA;
    this.#bytesPerSecond = options.bytesPerSecond ?? DEFAULT_USER_BYTES_PER_SECOND;
    this.#total = new ByteRateLimit(options.totalBytesPerSecond ?? Number.POSITIVE_INFINITY);
  }

  get size(): number {
    return this.#allocations.size;
  }

  /** How many relay sockets each account has, reserved ones included. */
  get socketsByUser(): Map<string, number> {
    const counts = [...this.#accounts].map(([account, { sockets }]) => [account, sockets] as const);
    return new Map(counts.filter(([, sockets]) => sockets > 0));
  }

  at(relayed: Endpoint): TurnAllocation | undefined {
    return this.#byRelayed.get(endpointKey(relayed));
  }

  /** The number of the error if an account can't have so many sockets more: its quota, its network's, or the server's capacity. */
  shortage(account: string, clientAddress: string, sockets: number): 486 | 508 | undefined {
    const ofAccount = this.#accounts.get(account)?.sockets ?? 0;
    if (ofAccount + sockets > this.#quota) return 486;
    const ofNetwork = this.#networks.get(networkOf(clientAddress))?.sockets ?? 0;
    // Whoever grants one user more grants it to his network.
    if (ofNetwork + sockets > Math.max(MAX_ALLOCATIONS_PER_NETWORK, this.#quota)) return 486;
    return this.#sockets + sockets > MAX_ALLOCATIONS ? 508 : undefined;
  }

  /** Counts so many sockets for a user at an address, from before they are opened. */
  enter(username: string, account: string, clientAddress: string, sockets: number): RelayUser {
    const network = networkOf(clientAddress);
    const networkRate = NETWORK_RATE_FACTOR * this.#bytesPerSecond;
    const user = new RelayUser(
      username,
      shareOf(this.#accounts, account, this.#bytesPerSecond),
      shareOf(this.#networks, network, networkRate),
      this.#total,
    );
    this.#count(user, sockets);
    return user;
  }

  leave(user: RelayUser, sockets: number): void {
    this.#count(user, -sockets);
  }

  /** Ends all that an account has: it is a user's no more. */
  endAccount(account: string): void {
    const share = this.#accounts.get(account);
    if (share === undefined) return;
    // What is still being opened for it is closed when it is open.
    this.#accounts.delete(account);
    share.isEnded = true;
    for (const allocation of this.#allocations) {
      if (allocation.user.account === share) this.end(allocation);
    }
    for (const [token, reservation] of this.#reservations) {
      if (reservation.user.account === share) this.#free(token, reservation);
    }
  }

  begin(now: number, allocation: TurnAllocation): void {
    if (this.deadline() === undefined) this.#nextSweepAt = now + SWEEP_MS;
    this.#allocations.add(allocation);
    allocation.link.allocation = allocation;
  }

  addRelay(allocation: TurnAllocation, family: AddressFamily, relay: RelaySocket): void {
    allocation.addRelay(family, relay);
    this.#byRelayed.set(endpointKey(relay.relayed), allocation);
    this.#options.onAllocation?.(allocation.user.username, relay.relayed);
  }

  removeRelay(allocation: TurnAllocation, family: AddressFamily): void {
    const relayed = allocation.relay(family)?.relayed;
    if (relayed === undefined) return;
    allocation.removeRelay(family);
    this.#forget(allocation, relayed);
  }

  end(allocation: TurnAllocation): void {
    if (!this.#allocations.delete(allocation)) return;
    const { link, relayed } = allocation;
    allocation.end();
    link.allocation = undefined;
    link.release();
    for (const endpoint of relayed) this.#forget(allocation, endpoint);
  }

  /** Holds an open socket for the user's next allocation. */
  reserve(token: Uint8Array, now: number, reservation: Omit<Reservation, 'expiresAt'>): void {
    if (this.deadline() === undefined) this.#nextSweepAt = now + SWEEP_MS;
    const expiresAt = now + RESERVATION_LIFETIME_MS;
    this.#reservations.set(hex(token), { ...reservation, expiresAt });
  }

  takeReservation(token: string, account: string): Reservation | undefined {
    const reservation = this.#reservations.get(token);
    if (reservation?.user.account.key !== account) return undefined;
    this.#reservations.delete(token);
    return reservation;
  }

  /** When {@link sweep} is due; undefined when there is nothing that runs out. */
  deadline(): number | undefined {
    const isEmpty = this.#allocations.size + this.#reservations.size + this.#networks.size === 0;
    return isEmpty ? undefined : this.#nextSweepAt;
  }

  /** Ends what has run out. */
  sweep(now: number): void {
    this.#nextSweepAt = now + SWEEP_MS;
    for (const allocation of this.#allocations) {
      if (allocation.expiresAt <= now) this.end(allocation);
    }
    for (const [token, reservation] of this.#reservations) {
      if (reservation.expiresAt <= now) this.#free(token, reservation);
    }
    for (const shares of [this.#accounts, this.#networks]) {
      for (const [key, { sockets, bytes }] of shares) {
        if (sockets === 0 && bytes.isFull(now)) shares.delete(key);
      }
    }
  }

  linkClosed(link: ClientLink): void {
    const { allocation } = link;
    link.allocation = undefined;
    if (allocation !== undefined && allocation !== 'pending') this.end(allocation);
  }

  clear(): void {
    for (const allocation of this.#allocations) this.end(allocation);
    this.sweep(Number.POSITIVE_INFINITY);
  }

  #free(token: string, { socket, user }: Reservation): void {
    this.#reservations.delete(token);
    socket.close();
    this.leave(user, 1);
  }

  #count({ account, network }: RelayUser, sockets: number): void {
    account.sockets += sockets;
    network.sockets += sockets;
    this.#sockets += sockets;
  }

  #forget(allocation: TurnAllocation, relayed: Endpoint): void {
    this.#byRelayed.delete(endpointKey(relayed));
    this.leave(allocation.user, 1);
    this.#options.onAllocationEnd?.(allocation.user.username, relayed);
  }
}

function shareOf(shares: Map<string, RelayShare>, key: string, bytesPerSecond: number): RelayShare {
  let share = shares.get(key);
  if (share === undefined) {
    share = { key, sockets: 0, bytes: new ByteRateLimit(bytesPerSecond), isEnded: false };
    shares.set(key, share);
  }
  return share;
}
