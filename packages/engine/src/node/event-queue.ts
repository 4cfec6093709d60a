// Events for one `for await` loop: a bounded queue, so that a reader that doesn't read costs no memory.

import type { TorrentEvent } from '../events.ts';
import { MAX_QUEUED_EVENTS } from '../limits.ts';

export class EventQueue implements AsyncIterableIterator<TorrentEvent> {
  #events: TorrentEvent[] = [];
  #waiting: ((result: IteratorResult<TorrentEvent>) => void)[] = [];
  #isEnded = false;
  readonly #onReturn: (queue: EventQueue) => void;

  constructor(onReturn: (queue: EventQueue) => void) {
    this.#onReturn = onReturn;
  }

  push(event: TorrentEvent): void {
    if (this.#isEnded) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting({ done: false, value: event });
      return;
    }
    if (event.type === 'progress') {
      // Only the newest is of interest.
      const last = this.#events.at(-1);
      if (last?.type === 'progress') this.#events.pop();
    }
    if (this.#events.length >= MAX_QUEUED_EVENTS) this.#dropOne();
    this.#events.push(event);
  }

  /** What is queued can still be read; then the loop ends. */
  end(): void {
    this.#isEnded = true;
    for (const waiting of this.#waiting) waiting({ done: true, value: undefined });
    this.#waiting = [];
  }

  next(): Promise<IteratorResult<TorrentEvent>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<TorrentEvent>> {
    this.#events = [];
    this.end();
    this.#onReturn(this);
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #dropOne(): void {
    let drop = this.#events.findIndex((event) => event.type === 'progress');
    // There may be a hundred thousand of them at once, and they must not push out how the torrent does.
    if (drop < 0) drop = this.#events.findIndex(isOfOnePart);
    this.#events.splice(Math.max(drop, 0), 1);
  }
}

function isOfOnePart({ type }: TorrentEvent): boolean {
  return type === 'piece' || type === 'file';
}
