// The second half of an announce or a put: the same to each of the nearest nodes that gave a token (BEP 5, BEP 44).
import { CANDIDATE } from './candidates.ts';
import type { QueryArguments } from './encode.ts';
import type { Lookup } from './lookup.ts';
import type { Message, Method } from './message.ts';
import type { Querier, Waiting } from './querier.ts';
import type { Search } from './search.ts';
import type { Query, QueryListener } from './transactions.ts';

export interface StoreRoundOptions {
  readonly querier: Querier;
  readonly method: Extract<Method, 'announce_peer' | 'put'>;
  /** The arguments beside the token. */
  readonly argsFor: (lookup: Lookup, slot: number) => QueryArguments;
  /** Nodes of each family. */
  readonly count: number;
  readonly onEnd: (now: number, round: StoreRound) => void;
}

interface Place {
  readonly lookup: Lookup;
  readonly slot: number;
}

export class StoreRound implements QueryListener, Waiting {
  /** Nodes that took it. */
  stored = 0;
  /** The number and text of the last refusal. */
  refusal: { readonly krpcCode: number; readonly text: string } | undefined;
  readonly #options: StoreRoundOptions;
  readonly #places: Place[] = [];
  #pending = 0;
  #isStopped = false;

  constructor(options: StoreRoundOptions) {
    this.#options = options;
  }

  /** Begins with the nodes that a search has found. */
  start(now: number, search: Search): void {
    for (const lookup of search.lookups) {
      const { candidates } = lookup;
      let taken = 0;
      for (let place = 0; place < candidates.count && taken < this.#options.count; place++) {
        const slot = candidates.slotAt(place);
        // BEP 33: a node that gives no token takes no announcements for now; the next one serves instead.
        if (candidates.state(slot) !== CANDIDATE.answered || !candidates.token(slot)) continue;
        this.#places.push({ lookup, slot });
        taken++;
      }
    }
    this.#pending = this.#places.length;
    this.resume(now);
  }

  stop(): void {
    this.#isStopped = true;
    this.#options.querier.stopWaiting(this);
  }

  resume(now: number): void {
    const { querier, method, argsFor } = this.#options;
    for (;;) {
      const place = this.#places.at(-1);
      if (place === undefined) break;
      const { lookup, slot } = place;
      const node = lookup.candidates.copyNode(slot);
      const args = { ...argsFor(lookup, slot), token: lookup.candidates.token(slot) };
      const target = { overlay: lookup.overlay, node, knowsId: true };
      if (!querier.send(now, target, method, args, this)) {
        querier.waitForRoom(this);
        return;
      }
      this.#places.pop();
    }
    this.#endIfDone(now);
  }

  onAnswer(now: number, query: Query, message: Message): void {
    if (message.type === 'response') this.stored++;
    else {
      const text = String.fromCharCode(
        ...message.view(message.errorTextAt, message.errorTextLength),
      );
      this.refusal = { krpcCode: message.errorCode, text };
    }
    if (!query.isSlow) this.#pending--;
    this.#endIfDone(now);
  }

  /** A slow one is not waited for: it has the datagram, or never will. */
  onSlow(now: number): void {
    this.#pending--;
    this.#endIfDone(now);
  }

  onFailure(): void {
    // It was slow before.
  }

  #endIfDone(now: number): void {
    if (this.#isStopped || this.#pending > 0) return;
    this.#isStopped = true;
    this.#options.onEnd(now, this);
  }
}
