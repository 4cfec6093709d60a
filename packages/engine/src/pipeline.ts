// How many requests to keep in flight to one peer: as many as it answers in its round trip and a second more.
// It begins small and grows by one with each block, which doubles it each round trip, until the rate stops growing.

import { BLOCK_LENGTH } from '@bt/metainfo';
import {
  DEFAULT_PEER_REQQ,
  INITIAL_PIPELINE,
  MAX_REQUESTS_PER_PEER,
  MIN_PIPELINE,
  PIPELINE_QUEUE_MS,
} from './limits.ts';
import type { RateMeter } from './rates.ts';

/** Growth of the rate from one second to the next that keeps the slow start going. */
const GROWTH = 1.1;
/** Second-old rates are uneven: the target moves this share of the way at a time. */
const SMOOTHING = 0.5;

export class Pipeline {
  /** What the peer's extended handshake allows (`reqq`, BEP 10). */
  peerLimit = DEFAULT_PEER_REQQ;
  isSnubbed = false;
  /** The highest rate of the connection yet, in bytes per second over two seconds; 0 while it is not known. */
  bestRate = 0;
  /** Bytes of one request. */
  blockLength = BLOCK_LENGTH;
  #target = INITIAL_PIPELINE;
  #isSlowStart = true;
  #roundTripMs = 0;
  #lastRate = 0;
  #sampledMs: number | undefined;

  /** Requests that should be in flight. */
  get target(): number {
    if (this.isSnubbed) return 1;
    return Math.max(1, Math.min(Math.floor(this.#target), this.peerLimit, MAX_REQUESTS_PER_PEER));
  }

  /** The peer has unchoked us: begin anew. */
  restart(): void {
    this.#isSlowStart = true;
    this.#target = Math.max(INITIAL_PIPELINE, Math.min(this.#target, 64));
    this.#lastRate = 0;
    this.#sampledMs = undefined;
  }

  /** A block came, this long after its request. */
  onBlock(now: number, waitedMs: number, meter: RateMeter): void {
    // The shortest wait is the round trip; the others have waited in the peer's queue.
    this.#roundTripMs = this.#roundTripMs === 0 ? waitedMs : Math.min(this.#roundTripMs, waitedMs);
    if (this.#isSlowStart) this.#target = Math.min(this.#target + 1, MAX_REQUESTS_PER_PEER);
    this.#sampledMs ??= now;
    if (now - this.#sampledMs < 1000) return;
    this.#sampledMs = now;
    const rate = meter.recentRate(now, 2);
    this.bestRate = Math.max(this.bestRate, rate);
    if (this.#isSlowStart && rate < this.#lastRate * GROWTH) this.#isSlowStart = false;
    this.#lastRate = rate;
    if (this.#isSlowStart) return;
    const wanted = (rate * (PIPELINE_QUEUE_MS + this.#roundTripMs)) / 1000 / this.blockLength;
    this.#target += (wanted - this.#target) * SMOOTHING;
    this.#target = Math.max(MIN_PIPELINE, Math.min(this.#target, MAX_REQUESTS_PER_PEER));
  }
}
