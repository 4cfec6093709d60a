// How long a disk that refuses is waited for: not at all when the error lasts, else as long as the user says.
import type { StorageError } from '@bt/storage';
import { mayPass } from './failures.ts';

export class DiskPatience {
  readonly #patienceMs: number;
  #sinceMs = 0;
  #error: StorageError | undefined;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** What it refuses with, while it does. */
  get error(): StorageError | undefined {
    return this.#error;
  }

  refused(error: StorageError, nowMs: number): void {
    if (this.#error === undefined) this.#sinceMs = nowMs;
    this.#error = error;
  }

  works(): void {
    this.#error = undefined;
  }

  /** Waiting has no point, or no longer. */
  isOver(nowMs: number): boolean {
    if (this.#error === undefined) return false;
    return !mayPass(this.#error) || nowMs - this.#sinceMs >= this.#patienceMs;
  }
}
