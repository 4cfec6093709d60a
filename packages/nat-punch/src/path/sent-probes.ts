// The probes that may still be answered, by their sequence numbers.
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
  readonly #probes = new Map<number, SentProbe>();

  get size(): number {
    return this.#probes.size;
  }

  add(sequence: number, probe: SentProbe): void {
    if (this.#probes.size >= MAX_OUTSTANDING_PROBES) {
      this.#probes.delete(this.#probes.keys().next().value!);
    }
    this.#probes.set(sequence, probe);
  }

  /** The probe that an answer names, once, and only for the socket that it was sent from. */
  take(sequence: number, socketId: number): SentProbe | undefined {
    const probe = this.#probes.get(sequence);
    if (probe?.socket.id !== socketId) return undefined;
    this.#probes.delete(sequence);
    return probe;
  }
}
