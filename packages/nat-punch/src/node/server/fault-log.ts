// Faults of the program while it handles what strangers send: one datagram or message ends with them, not the process, and somebody hears of it.
import type { Endpoint } from '@bt/endpoint';

export interface FaultEvent {
  readonly event: 'fault';
  /** What was thrown, with its stack. */
  readonly reason: string;
  /** How many there have been since the last that was told. */
  readonly count: number;
  /** Who sent what brought it up, where that is known. */
  readonly from?: Endpoint;
}

/** Whoever finds out how to cause one shall not fill the log. */
const INTERVAL_MS = 1_000;

export class FaultLog {
  readonly #log: ((event: FaultEvent) => void) | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** Without `log` a warning of the process tells of them. */
  constructor(log: ((event: FaultEvent) => void) | undefined) {
    this.#log = log;
  }

  /** Tells of a fault, at most once a second. */
  report(now: number, error: unknown, from?: Endpoint): void {
    this.#count += 1;
    if (now - this.#toldAt < INTERVAL_MS) return;
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const event: FaultEvent = {
      event: 'fault',
      reason,
      count: this.#count,
      ...(from === undefined ? {} : { from }),
    };
    this.#toldAt = now;
    this.#count = 0;
    if (this.#log === undefined) process.emitWarning(`nat-punch server: ${reason}`);
    else this.#log(event);
  }
}
