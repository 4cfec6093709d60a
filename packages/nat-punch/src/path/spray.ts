// Probes to many endpoints, or from many sockets, at a steady rate: guessed ports, and the ports that are opened for a birthday attack
// on a symmetric NAT (two random subsets of 65,000 ports meet sooner than one thinks).
import type { Endpoint } from '@bt/endpoint';
import type { PathOrigin, PathSocket } from './path.ts';

export interface SprayShot {
  readonly socket: PathSocket;
  readonly to: Endpoint;
  /** With a low one it opens our NAT and never reaches the other one. */
  readonly ttl?: number;
}

export interface SprayOptions {
  readonly origin: PathOrigin;
  readonly startMs: number;
  readonly perSecond: number;
  readonly shots: Iterator<SprayShot>;
}

export class Spray {
  readonly origin: PathOrigin;
  readonly #intervalMs: number;
  readonly #shots: Iterator<SprayShot>;
  #nextMs: number;

  constructor(options: SprayOptions) {
    this.origin = options.origin;
    this.#intervalMs = 1000 / options.perSecond;
    this.#shots = options.shots;
    this.#nextMs = options.startMs;
  }

  /** When the next one is due, Infinity after the last. */
  deadline(): number {
    return this.#nextMs;
  }

  /** The next one that is due. What a late caller has missed is made up for, up to a tenth of a second of it. */
  take(now: number): SprayShot | undefined {
    if (now < this.#nextMs) return undefined;
    const next = this.#shots.next();
    if (next.done === true) {
      this.#nextMs = Number.POSITIVE_INFINITY;
      return undefined;
    }
    this.#nextMs = Math.max(this.#nextMs + this.#intervalMs, now - MAX_LATE_MS);
    return next.value;
  }
}

const MAX_LATE_MS = 100;
