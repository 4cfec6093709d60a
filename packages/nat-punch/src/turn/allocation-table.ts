// All allocations of a server and the ports reserved for further ones: how many a user may have, and when they end (RFC 8656 sections 3.2 and 7.2).
import { type AddressFamily, type Endpoint, endpointKey } from '@bt/endpoint';
import type { ClientLink } from '../client-link.ts';
import { ByteRateLimit } from '../rate-limit.ts';
import { hex } from './allocate-request.ts';
import {
  DEFAULT_QUOTA,
  DEFAULT_USER_BYTES_PER_SECOND,
  MAX_ALLOCATIONS,
  RESERVATION_LIFETIME_MS,
} from './relay-limits.ts';
import type { RelaySocket } from './relay-socket.ts';
import type { RelayUser, TurnAllocation } from './turn-allocation.ts';

export interface AllocationTableOptions {
  /** Allocations of a user; 100 unless told otherwise. */
  readonly quota?: number | undefined;
  /** Bytes relayed for a user a second; 32 MiB unless told otherwise, Infinity for no limit. */
  readonly bytesPerSecond?: number | undefined;
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
  readonly #users = new Map<string, RelayUser>();
  readonly #allocations = new Set<TurnAllocation>();
  /** By relayed transport address: an allocation of both families is there twice. */
  readonly #byRelayed = new Map<string, TurnAllocation>();
  readonly #reservations = new Map<string, Reservation>();
  /** Sockets in use, reserved, and being opened. */
  #sockets = 0;
  #nextSweepAt = 0;

  constructor(options: AllocationTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#allocations.size;
  }

  /** How many relay sockets each user has, reserved ones included. */
  get socketsByUser(): Map<string, number> {
    return new Map([...this.#users].map(([username, { sockets }]) => [username, sockets]));
  }

  at(relayed: Endpoint): TurnAllocation | undefined {
    return this.#byRelayed.get(endpointKey(relayed));
  }

  /** The number of the error if a user can't have so many sockets more: his quota, or the server's capacity. */
  shortage(username: string, sockets: number): 486 | 508 | undefined {
    const quota = this.#options.quota ?? DEFAULT_QUOTA;
    if ((this.#users.get(username)?.sockets ?? 0) + sockets > quota) return 486;
    return this.#sockets + sockets > MAX_ALLOCATIONS ? 508 : undefined;
  }

  /** Counts so many sockets for a user, from before they are opened. */
  enter(username: string, sockets: number): RelayUser {
    let user = this.#users.get(username);
    if (user === undefined) {
      const bytesPerSecond = this.#options.bytesPerSecond ?? DEFAULT_USER_BYTES_PER_SECOND;
      user = { username, sockets: 0, bytes: new ByteRateLimit(bytesPerSecond) };
      this.#users.set(username, user);
    }
    user.sockets += sockets;
    this.#sockets += sockets;
    return user;
  }

  leave(user: RelayUser, sockets: number): void {
    user.sockets -= sockets;
    this.#sockets -= sockets;
    if (user.sockets <= 0 && this.#users.get(user.username) === user) {
      this.#users.delete(user.username);
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

  takeReservation(token: string, username: string): Reservation | undefined {
    const reservation = this.#reservations.get(token);
    if (reservation?.user.username !== username) return undefined;
    this.#reservations.delete(token);
    return reservation;
  }

  /** When {@link sweep} is due; undefined when there is nothing that runs out. */
  deadline(): number | undefined {
    return this.#allocations.size + this.#reservations.size > 0 ? this.#nextSweepAt : undefined;
  }

  /** Ends what has run out. */
  sweep(now: number): void {
    this.#nextSweepAt = now + SWEEP_MS;
    for (const allocation of this.#allocations) {
      if (allocation.expiresAt <= now) this.end(allocation);
    }
    for (const [token, { expiresAt, socket, user }] of this.#reservations) {
      if (expiresAt > now) continue;
      this.#reservations.delete(token);
      socket.close();
      this.leave(user, 1);
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

  #forget(allocation: TurnAllocation, relayed: Endpoint): void {
    this.#byRelayed.delete(endpointKey(relayed));
    this.leave(allocation.user, 1);
    this.#options.onAllocationEnd?.(allocation.user.username, relayed);
  }
}
