// Whether sockets are read: not while the disk is behind, and not while the download limit is used up. TCP then stops the
// senders by itself, so memory stays bounded. A peer's handshake is read in any case: it is small, and has ten seconds.

import type { Disk, PieceBuffers } from '@bt/storage';
import type { Moment } from './moment.ts';
import type { Peer } from './peer.ts';
import type { RateLimit } from './rate-limit.ts';
import type { Peers } from './swarm/peers.ts';

export class Gate {
  readonly #moment: Moment;
  readonly #peers: Peers;
  readonly #buffers: PieceBuffers;
  readonly #disk: Pick<Disk, 'stalledBy'>;
  readonly #limit: RateLimit;
  /** Nothing is to be read. */
  isShut = false;

  constructor(
    moment: Moment,
    peers: Peers,
    buffers: PieceBuffers,
    disk: Pick<Disk, 'stalledBy'>,
    limit: RateLimit,
  ) {
    this.#moment = moment;
    this.#peers = peers;
    this.#buffers = buffers;
    this.#disk = disk;
    this.#limit = limit;
  }

  charge(lengthBytes: number): void {
    this.#limit.charge(this.#moment.now, lengthBytes);
  }

  /** When the download limit opens it; Infinity when it is open or waits for the disk. */
  deadline(now: number): number {
    if (!this.isShut || this.#limit.isOpen(now)) return Number.POSITIVE_INFINITY;
    return this.#limit.opensAt(now);
  }

  /** Pauses or resumes all sockets as things stand. True when it has just opened. */
  update(): boolean {
    // With a disk that fails, blocks are dropped instead, so that peers can go on asking us.
    const waitsForDisk = this.#buffers.isFull && this.#disk.stalledBy === undefined;
    const { now } = this.#moment;
    const isShut = waitsForDisk || !this.#limit.isOpen(now);
    if (isShut === this.isShut) return false;
    this.isShut = isShut;
    for (const peer of this.#peers) peer.setGate(now, isShut);
    return !isShut;
  }

  /** A new connection begins as the others are. */
  admit(peer: Peer): void {
    peer.setGate(this.#moment.now, this.isShut);
  }
}
