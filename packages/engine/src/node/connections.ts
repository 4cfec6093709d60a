// The connections of a session, accepted and dialled together: each is a descriptor, of which a process has few.

import type { Socket } from 'node:net';
import { descriptorLimit } from '@bt/storage/node';
import { CONNECTION_DESCRIPTOR_SHARE, MAX_CONNECTIONS, RESERVED_DESCRIPTORS } from '../limits.ts';

export class Connections {
  readonly max: number;
  readonly #freed = new Set<() => void>();
  #count = 0;

  /** @param wanted the cap; less where the process has few descriptors */
  constructor(wanted = MAX_CONNECTIONS, descriptors = descriptorLimit()) {
    const share = Math.floor((descriptors - RESERVED_DESCRIPTORS) * CONNECTION_DESCRIPTOR_SHARE);
    this.max = Math.max(1, Math.min(wanted, share));
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.max;
  }

  /** Counts a socket until it closes. */
  add(socket: Socket): void {
    this.#count++;
    socket.once('close', () => {
      this.#count--;
      for (const callback of this.#freed) callback();
    });
  }

  /** Calls back whenever a connection has closed. */
  onFreed(callback: () => void): void {
    this.#freed.add(callback);
  }
}
