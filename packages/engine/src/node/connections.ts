// The connections of a session, accepted and dialled together: each is a descriptor, of which a process has few.

import type { Socket } from 'node:net';
import { descriptorLimit } from '@bt/storage/node';
import { CONNECTION_DESCRIPTOR_SHARE, MAX_CONNECTIONS, RESERVED_DESCRIPTORS } from '../limits.ts';
import type { Direction } from '../peer.ts';
import { Room } from '../swarm/room.ts';

export interface ConnectionsOptions {
  /** The cap; it is less where the process has few descriptors. */
  readonly max?: number | undefined;
  /** The session listens. Default true. */
  readonly accepts?: boolean;
  /** Default: `ulimit -n`. */
  readonly descriptors?: number;
}

export class Connections {
  readonly #room: Room;
  readonly #freed = new Set<() => void>();
  readonly #counts: Record<Direction, number> = { in: 0, out: 0 };

  constructor(options: ConnectionsOptions = {}) {
    const { max = MAX_CONNECTIONS, accepts = true, descriptors = descriptorLimit() } = options;
    const share = Math.floor((descriptors - RESERVED_DESCRIPTORS) * CONNECTION_DESCRIPTOR_SHARE);
    this.#room = new Room(Math.max(1, Math.min(max, share)), accepts);
  }

  get max(): number {
    return this.#room.max;
  }

  get count(): number {
    return this.#counts.in + this.#counts.out;
  }

  isRoomFor(direction: Direction): boolean {
    return this.#room.isFor(direction, this.#counts);
  }

  /** The share of the room of this direction that is taken, 1 where there is none left. */
  share(direction: Direction): number {
    return this.#room.share(direction, this.#counts);
  }

  /** Counts a socket until it closes. */
  add(socket: Socket, direction: Direction): void {
    this.#counts[direction] += 1;
    socket.once('close', () => {
      this.#counts[direction] -= 1;
      for (const callback of this.#freed) callback();
    });
  }

  /** Calls back whenever a connection has closed. */
  onFreed(callback: () => void): void {
    this.#freed.add(callback);
  }
}
