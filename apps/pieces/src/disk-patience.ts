// How long a disk that gives trouble is waited for. One that refuses to write: not at all when the error lasts, else as long as
// the user says. One on which pieces are lost that have to be got again: as long, unless some piece is saved meanwhile.
import type { StorageError } from '@bt/storage';
import { mayPass } from './failures.ts';

interface Trouble {
  readonly sinceMs: number;
  readonly error: StorageError;
}

export class DiskPatience {
  readonly #patienceMs: number;
  /** Nothing is written at present. */
  #refusal: Trouble | undefined;
  /** The first piece that was lost since one was saved. */
  #loss: Trouble | undefined;
  /** The one by which patience ended. */
  #lastStraw: StorageError | undefined;
  #savedBytes = 0;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  refused(error: StorageError, nowMs: number): void {
    this.#refusal = { sinceMs: this.#refusal?.sinceMs ?? nowMs, error };
  }

  works(): void {
    this.#refusal = undefined;
  }

  /** A piece was lost. It takes its time to get it again, so that only the next loss can tell that this is in vain. */
  lost(error: StorageError, nowMs: number): void {
    if (this.#loss === undefined) this.#loss = { sinceMs: nowMs, error };
    else if (nowMs - this.#loss.sinceMs >= this.#patienceMs) this.#lastStraw = error;
  }

  /** So much of the torrent is verified and written. */
  saved(verifiedBytes: number): void {
    if (verifiedBytes > this.#savedBytes) this.#loss = undefined;
    this.#savedBytes = verifiedBytes;
  }

  /** Why waiting has no point, or no longer; undefined while it has. */
  verdict(nowMs: number): StorageError | undefined {
    if (this.#lastStraw !== undefined) return this.#lastStraw;
    if (this.#refusal === undefined) return undefined;
    const { sinceMs, error } = this.#refusal;
    return !mayPass(error) || nowMs - sinceMs >= this.#patienceMs ? error : undefined;
  }
}
