// The requests to the web seeds of one torrent that are under way: carries out what the torrent wants of them.

import type { WebAnswer } from '../web-seed/answer.ts';
import type { WebFetchEffect, WebFetchFailure } from '../web-seed/web-fetch.ts';
import {
  type RunningRequest,
  WebSeedClient,
  type WebSeedClientOptions,
} from './web-seed-client.ts';

/** What the torrent is told. */
export interface WebSeedOutcome {
  answered(fetchId: number, answer: WebAnswer): void;
  received(fetchId: number, chunk: Uint8Array): void;
  ended(fetchId: number, failure: WebFetchFailure | undefined): void;
}

export class WebSeedRequests {
  readonly #options: WebSeedClientOptions;
  readonly #outcome: WebSeedOutcome;
  /** By the seed's index: each keeps its own connections. */
  readonly #clients = new Map<number, WebSeedClient>();
  readonly #running = new Map<number, RunningRequest>();

  constructor(options: WebSeedClientOptions, outcome: WebSeedOutcome) {
    this.#options = options;
    this.#outcome = outcome;
  }

  carryOut(effect: WebFetchEffect): void {
    const { fetchId } = effect;
    if (effect.type === 'web-fetch') {
      this.#begin(effect);
    } else if (effect.type === 'web-fetch-pause') {
      this.#running.get(fetchId)?.setPaused(effect.isPaused);
    } else {
      this.#running.get(fetchId)?.cancel();
      this.#running.delete(fetchId);
    }
  }

  /** Gives up what is under way, and closes all connections. */
  close(): void {
    for (const request of this.#running.values()) request.cancel();
    this.#running.clear();
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #begin(effect: WebFetchEffect & { type: 'web-fetch' }): void {
    const { fetchId, seedIndex } = effect;
    let client = this.#clients.get(seedIndex);
    if (client === undefined) {
      client = new WebSeedClient(this.#options);
      this.#clients.set(seedIndex, client);
    }
    const owner = {
      answered: (answer: WebAnswer) => this.#outcome.answered(fetchId, answer),
      received: (chunk: Uint8Array) => this.#outcome.received(fetchId, chunk),
      ended: (failure: WebFetchFailure | undefined) => {
        this.#running.delete(fetchId);
        this.#outcome.ended(fetchId, failure);
      },
    };
    this.#running.set(fetchId, client.request(effect, owner, effect.isPaused));
  }
}
