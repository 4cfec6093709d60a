// Where pools are decided: in this process, or together with other servers (see redis-pools.ts).

import { randomBytes } from 'node:crypto';
import type { Endpoint } from '@bt/endpoint';
import {
  type Origin,
  Rendezvous,
  type RendezvousEffect,
  type RendezvousStatistics,
} from '../../rendezvous/rendezvous.ts';
import type { JoinMessage, SignalMessage } from '../../rendezvous/rendezvous-message.ts';

export interface PoolHost {
  readonly statistics: RendezvousStatistics;
  /** What is to be done for connections that were named by `join`. */
  onEffect: (effect: RendezvousEffect) => void;
  join(connection: string, join: JoinMessage, origin: Origin): void;
  signal(connection: string, signal: SignalMessage): void;
  leave(connection: string): void;
  reject(connection: string, peer: string): void;
  /** The connection has ended. */
  close(connection: string): void;
  setDelay(connection: string, delayMs: number): void;
  /** This server has seen the member, who is here by that connection, send from the address. */
  addSeen(connection: string, member: string, address: string): void;
  setAllocation(connection: string, member: string, relayed: Endpoint, isThere: boolean): void;
  /** Nothing is decided any more. */
  end(): Promise<void>;
}

/** Pools of this process alone: the machine, its clock and its timer. */
export class LocalPools implements PoolHost {
  onEffect: (effect: RendezvousEffect) => void = () => {};
  readonly #machine: Rendezvous;
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;

  /** @throws {NatPunchError} `invalid-argument` for a room size that is none. */
  constructor(roomSize: number) {
    this.#machine = new Rendezvous({ roomSize, randomBytes });
  }

  get statistics(): RendezvousStatistics {
    return this.#machine.statistics;
  }

  get poolNames(): string[] {
    return [...this.#machine.poolNames];
  }

  hasPool(pool: string): boolean {
    return this.#machine.hasPool(pool);
  }

  connectionsOf(pool: string): string[] {
    return this.#machine.connectionsOf(pool);
  }

  join(connection: string, join: JoinMessage, origin: Origin): void {
    this.#machine.handleJoin(performance.now(), connection, join, origin);
    this.#drain();
  }

  signal(connection: string, signal: SignalMessage): void {
    this.#machine.handleSignal(connection, signal);
    this.#drain();
  }

  leave(connection: string): void {
    this.#machine.handleLeave(performance.now(), connection);
    this.#drain();
  }

  reject(connection: string, peer: string): void {
    this.#machine.handleReject(performance.now(), connection, peer);
    this.#drain();
  }

  close(connection: string, patienceMs?: number): void {
    this.#machine.handleClose(performance.now(), connection, patienceMs);
    this.#drain();
  }

  setDelay(connection: string, delayMs: number): void {
    this.#machine.handleDelay(connection, delayMs);
  }

  addSeen(_connection: string, member: string, address: string): void {
    this.#machine.handleSeen(member, address);
    this.#drain();
  }

  setAllocation(_connection: string, member: string, relayed: Endpoint, isThere: boolean): void {
    this.#machine.handleAllocation(member, relayed, isThere);
    this.#drain();
  }

  dropPool(pool: string): void {
    this.#machine.dropPool(pool);
    this.#drain();
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer);
    this.onEffect = () => {};
  }

  #drain(): void {
    const machine = this.#machine;
    for (let effect = machine.poll(); effect !== undefined; effect = machine.poll()) {
      this.onEffect(effect);
    }
    const deadline = machine.deadline();
    if (deadline === this.#wakesAt) return;
    clearTimeout(this.#timer);
    this.#wakesAt = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(Math.ceil(deadline - performance.now()), 0), 2 ** 31 - 1);
    this.#timer = setTimeout(() => {
      this.#wakesAt = Number.POSITIVE_INFINITY;
      machine.handleTimeout(performance.now());
      this.#drain();
    }, delayMs);
    this.#timer.unref();
  }
}
