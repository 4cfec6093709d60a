// The probes that may still be answered, by their nonces.
import type { Endpoint } from '@bt/endpoint';
import type { PathOrigin, PathSocket } from './path.ts';

/** Beyond that the oldest are given up: 500 guesses a second are as many in 8 seconds. */
export const MAX_OUTSTANDING_PROBES = 4_096;

export interface SentProbe {
  readonly socket: PathSocket;
  readonly to: Endpoint;
  readonly timeMs: number;
  readonly origin: PathOrigin;
}

export class SentProbes {
  readonly #probes = new Map<bigint, SentProbe>();

  get size(): number {
    return this.#probes.size;
  }

  add(nonce: bigint, probe: SentProbe): void {
    if (this.#probes.size >= MAX_OUTSTANDING_PROBES) {
      this.#probes.delete(this.#probes.keys().next().value!);
    }
    this.#probes.set(nonce, probe);
  }

  /** The probe whose nonce an answer repeats, once, and only for the socket that it was sent from. */
  take(nonce: bigint, socketId: number): SentProbe | undefined {
    const probe = this.#probes.get(nonce);
    if (probe?.socket.id !== socketId) return undefined;
    this.#probes.delete(nonce);
    return probe;
  }
}
