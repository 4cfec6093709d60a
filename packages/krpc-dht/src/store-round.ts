// The second half of an announce or a put: the same to each of the nearest nodes that gave a token (BEP 5, BEP 44), and to
// ourselves if we are one of the nearest.
import { CANDIDATE } from './candidates.ts';
import type { QueryArguments } from './encode.ts';
import { KRPC_ERROR, type KrpcErrorCode } from './errors.ts';
import type { Lookup } from './lookup.ts';
import type { Message, Method } from './message.ts';
import type { Querier, Waiting } from './querier.ts';
import type { Search } from './search.ts';
import type { Query } from './transactions.ts';

export interface StoreRoundOptions {
  readonly querier: Querier;
  readonly method: Extract<Method, 'announce_peer' | 'put'>;
  /** The arguments beside the token. */
  readonly argsFor: (lookup: Lookup, slot: number) => QueryArguments;
  /** Nodes of each family. */
  readonly count: number;
  /**
   * Keeps it ourselves, where we are one of the nearest: `stored`, the error that another node would answer with, or undefined when
   * we take no part.
   */
  readonly keep: (now: number, lookup: Lookup) => 'stored' | KrpcErrorCode | undefined;
  /** BEP 44: a node that has another number than `cas` is asked again, once. Undefined: it isn't. */
  readonly reread?: Reread | undefined;
  readonly onEnd: (now: number, round: StoreRound) => void;
}

export interface Reread {
  /** 20 bytes. */
  readonly target: Uint8Array;
  /** Whether it is to be put there once more. */
  readonly onRead: (lookup: Lookup, slot: number, message: Message) => boolean;
}

interface Place {
  readonly lookup: Lookup;
  readonly slot: number;
  readonly step: 'first' | 'reread' | 'again';
}

export class StoreRound implements Waiting {
  /** Nodes that took it. */
  stored = 0;
  /** The number of the last refusal. */
  refusedWith: number | undefined;
  readonly #options: StoreRoundOptions;
  readonly #places: Place[] = [];
  #pending = 0;
  #isStopped = false;

  constructor(options: StoreRoundOptions) {
    this.#options = options;
  }

  /** Begins with the nodes that a search has found. */
  start(now: number, search: Search): void {
    const { keep, count } = this.#options;
    for (const lookup of search.lookups) {
      const { candidates } = lookup;
      const own = lookup.includesUs() ? keep(now, lookup) : undefined;
      if (own === 'stored') this.stored++;
      else this.refusedWith = own ?? this.refusedWith;
      let taken = own === undefined ? 0 : 1;
      for (let place = 0; place < candidates.count && taken < count; place++) {
        const slot = candidates.slotAt(place);
        // BEP 33: a node that gives no token takes no announcements for now; the next one serves instead.
        if (candidates.state(slot) !== CANDIDATE.answered || !candidates.token(slot)) continue;
        this.#places.push({ lookup, slot, step: 'first' });
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
    for (let place = this.#places.at(-1); place !== undefined; place = this.#places.at(-1)) {
      if (!this.#send(now, place)) {
        this.#options.querier.waitForRoom(this);
        return;
      }
      this.#places.pop();
    }
    this.#endIfDone(now);
  }

  #send(now: number, place: Place): boolean {
    const { querier, method, argsFor, reread } = this.#options;
    const { lookup, slot, step } = place;
    const { candidates, overlay } = lookup;
    const target = { overlay, node: candidates.copyNode(slot), knowsId: true };
    const listener = {
      onAnswer: (at: number, query: Query, message: Message) =>
        this.#handleAnswer(at, place, query, message),
      // A slow one is not waited for: it has the datagram, or never will.
      onSlow: (at: number) => this.#handleEnd(at),
      onFailure: () => undefined,
    };
    if (step === 'reread') {
      return querier.send(now, target, 'get', { target: reread!.target }, listener);
    }
    const args = { ...argsFor(lookup, slot), token: candidates.token(slot) };
    return querier.send(now, target, method, args, listener);
  }

  #handleAnswer(now: number, place: Place, query: Query, message: Message): void {
    if (this.#isStopped) return;
    const next = this.#nextStep(place, message);
    if (next !== undefined) {
      this.#places.push({ ...place, step: next });
      this.#pending++;
    }
    if (!query.isSlow) this.#pending--;
    this.resume(now);
  }

  /** What is to be done at a place after its answer. */
  #nextStep({ lookup, slot, step }: Place, message: Message): Place['step'] | undefined {
    const { reread } = this.#options;
    if (message.type !== 'response') {
      const isRetried = step === 'first' && message.errorCode === KRPC_ERROR.casMismatch && reread;
      if (isRetried) return 'reread';
      this.refusedWith = message.errorCode;
      return undefined;
    }
    if (step !== 'reread') {
      this.stored++;
      return undefined;
    }
    if (message.tokenAt >= 0) {
      lookup.candidates.setToken(slot, message.copy(message.tokenAt, message.tokenLength));
    }
    if (reread!.onRead(lookup, slot, message)) return 'again';
    this.refusedWith = KRPC_ERROR.casMismatch;
    return undefined;
  }

  #handleEnd(now: number): void {
    this.#pending--;
    this.#endIfDone(now);
  }

  #endIfDone(now: number): void {
    if (this.#isStopped || this.#pending > 0) return;
    this.#isStopped = true;
    this.#options.onEnd(now, this);
  }
}
