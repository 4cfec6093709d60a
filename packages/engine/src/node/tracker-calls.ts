// The announces of one torrent that are under way. Stopping gives the last ones three seconds.

import type { AnnounceFailure, AnnounceRequest, AnnounceResponse } from '@bt/tracker';
import { TrackerError } from '@bt/tracker';
import { announce } from '@bt/tracker/node';
import { STOP_ANNOUNCE_MS } from '../limits.ts';

export interface AnnounceCall {
  readonly requestId: number;
  readonly url: string;
  readonly request: AnnounceRequest;
}

export interface AnnounceOutcome {
  answered(response: AnnounceResponse): void;
  failed(failure: AnnounceFailure): void;
}

export class TrackerCalls {
  readonly #localAddress: string | undefined;
  readonly #aborts = new Map<number, AbortController>();
  readonly #pending = new Set<Promise<void>>();

  constructor(localAddress: string | undefined) {
    this.#localAddress = localAddress;
  }

  announce(call: AnnounceCall, outcome: AnnounceOutcome): void {
    const abort = new AbortController();
    this.#aborts.set(call.requestId, abort);
    const pending = this.#perform(call, abort.signal, outcome).finally(() => {
      this.#aborts.delete(call.requestId);
      this.#pending.delete(pending);
    });
    this.#pending.add(pending);
  }

  cancel(requestId: number): void {
    this.#aborts.get(requestId)?.abort();
    this.#aborts.delete(requestId);
  }

  /** Waits for what is under way, three seconds at most, then gives it up. */
  async close(): Promise<void> {
    const timer = setTimeout(() => {
      for (const abort of this.#aborts.values()) abort.abort();
    }, STOP_ANNOUNCE_MS);
    await Promise.all(this.#pending);
    clearTimeout(timer);
  }

  async #perform(call: AnnounceCall, signal: AbortSignal, outcome: AnnounceOutcome): Promise<void> {
    try {
      const localAddress = this.#localAddress;
      outcome.answered(await announce(call.url, call.request, { signal, localAddress }));
    } catch (error) {
      // Given up by us: nobody waits for the outcome.
      if (signal.aborted) return;
      if (error instanceof TrackerError) outcome.failed(error);
      else outcome.failed({ code: 'connection', message: String(error) });
    }
  }
}
