// The queues of all who listen to one torrent. Most don't want to hear of every piece: there may be a hundred thousand.

import type { TorrentEvent } from '../events.ts';
import { EventQueue } from './event-queue.ts';

export class EventQueues {
  readonly #queues = new Set<EventQueue>();
  readonly #pieceQueues = new Set<EventQueue>();

  get isEmpty(): boolean {
    return this.#queues.size + this.#pieceQueues.size === 0;
  }

  /** Without `withPieces` the event `piece` is left out. */
  open(withPieces: boolean): EventQueue {
    const queues = withPieces ? this.#pieceQueues : this.#queues;
    const queue = new EventQueue((ended) => queues.delete(ended));
    queues.add(queue);
    return queue;
  }

  push(event: TorrentEvent): void {
    for (const queue of this.#pieceQueues) queue.push(event);
    if (event.type === 'piece') return;
    for (const queue of this.#queues) queue.push(event);
  }

  /** What is queued can still be read; then their loops end. */
  end(): void {
    for (const queue of [...this.#queues, ...this.#pieceQueues]) queue.end();
    this.#queues.clear();
    this.#pieceQueues.clear();
  }
}
