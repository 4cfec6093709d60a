// When a torrent asks the DHT for peers, which is also when it tells the DHT of itself (BEP 5: `get_peers`, then
// `announce_peer` with the tokens of the answers). Regularly, so that what was announced doesn't expire; sooner, with
// growing pauses, while peers are lacking or nobody answers.

import { DHT_FIRST_PAUSE_MS, DHT_INTERVAL_MS, DHT_LONGEST_PAUSE_MS } from '../limits.ts';

/** Of a pause, so that torrents and clients that began together don't stay in step. */
const SPREAD = 0.2;

export class DhtSchedule {
  readonly #random: () => number;
  #isRunning = false;
  #needsPeers = false;
  /** In the last lookup nobody has answered: we are not announced. */
  #hasFailed = false;
  /** Of the last lookup. */
  #endedMs: number | undefined;
  /** Lookups in a row while peers were lacking, or that failed; the first may have been before. */
  #lookups = 0;
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** A lookup is under way. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  start(now: number): void {
    this.#nextMs = now;
  }

  stop(): void {
    this.#nextMs = Number.POSITIVE_INFINITY;
  }

  /** Whether peers are lacking. */
  peersNeeded(needsPeers: boolean): void {
    if (needsPeers === this.#needsPeers) return;
    this.#needsPeers = needsPeers;
    this.#plan();
  }

  /** A lookup is to begin now. True once; `ended` follows. */
  take(now: number): boolean {
    if (this.#isRunning || now < this.#nextMs) return false;
    this.#isRunning = true;
    return true;
  }

  /** The lookup has ended, whatever came of it. */
  ended(now: number, hasFailed: boolean): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#endedMs = now;
    this.#hasFailed = hasFailed;
    this.#lookups = this.#isUrgent ? this.#lookups + 1 : 1;
    this.#plan();
  }

  /** When `take` may be true. */
  deadline(): number {
    return this.#isRunning ? Number.POSITIVE_INFINITY : this.#nextMs;
  }

  get #isUrgent(): boolean {
    return this.#needsPeers || this.#hasFailed;
  }

  /** The time of the next lookup, but for the first one and after the end. */
  #plan(): void {
    if (this.#endedMs === undefined || this.#nextMs === Number.POSITIVE_INFINITY) return;
    const growingMs = Math.min(DHT_FIRST_PAUSE_MS * 2 ** (this.#lookups - 1), DHT_LONGEST_PAUSE_MS);
    const pauseMs = this.#isUrgent ? growingMs : DHT_INTERVAL_MS;
    this.#nextMs = this.#endedMs + pauseMs * (1 - SPREAD * this.#random());
  }
}
