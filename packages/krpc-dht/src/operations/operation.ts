// What all operations have in common: a number by which their effects are known, a beginning, an end, and a stop.
import type { Ed25519 } from '../ed25519.ts';
import type { DoneEffect, EffectQueue, OperationKind, OperationResults } from '../effects.ts';
import type { QueryArguments } from '../encode.ts';
import { DhtError } from '../errors.ts';
import type { Lookup } from '../lookup.ts';
import type { Message, Method } from '../message.ts';
import type { Overlays } from '../overlay.ts';
import type { Querier } from '../querier.ts';
import { Search, type SearchOwner } from '../search.ts';
import type { Stores } from '../stores.ts';

/** What operations work with. */
export interface OperationContext {
  readonly querier: Querier;
  readonly overlays: Overlays;
  readonly effects: EffectQueue;
  readonly ed25519: Ed25519;
  /** What this node keeps itself; `keeps`: it does so (a read-only one doesn't). */
  readonly stores: Stores;
  readonly keeps: boolean;
  /** Kademlia's k and alpha. */
  readonly count: number;
  readonly concurrency: number;
  /** The operation is over and can be forgotten. */
  readonly onEnd: (operation: Operation) => void;
}

export abstract class Operation {
  readonly id: number;
  readonly context: OperationContext;

  constructor(context: OperationContext, id: number) {
    this.context = context;
    this.id = id;
  }

  abstract start(now: number): void;

  /** Ends it without a word. */
  abstract stop(): void;

  protected done<Kind extends OperationKind>(kind: Kind, result: OperationResults[Kind]): void {
    this.context.effects.push({ type: 'done', operation: this.id, kind, result } as DoneEffect);
    this.context.onEnd(this);
  }

  protected fail(error: DhtError): void {
    this.context.effects.push({ type: 'failed', operation: this.id, error });
    this.context.onEnd(this);
  }

  protected emit(effect: Parameters<EffectQueue['push']>[0]): void {
    this.context.effects.push(effect);
  }
}

/** An operation that begins with a search, which all but the ping are. */
export abstract class SearchOperation extends Operation implements SearchOwner {
  protected readonly search: Search;

  constructor(
    context: OperationContext,
    id: number,
    target: Uint8Array,
    method: Method,
    args?: QueryArguments,
  ) {
    super(context, id);
    const { querier, overlays, count, concurrency } = context;
    this.search = new Search({
      ...{ querier, overlays, target, method, args, count, concurrency, owner: this },
    });
  }

  start(now: number): void {
    this.search.start(now);
  }

  stop(): void {
    this.search.stop();
  }

  onEnd(now: number): void {
    if (this.search.cost().answers > 0 || this.hasOwn) this.onFound(now);
    else this.fail(new DhtError('no-nodes', 'no node of the DHT has answered'));
  }

  onResponse(_now: number, _lookup: Lookup, _slot: number, _message: Message): void {
    // Whoever wants more than the nodes themselves looks into it.
  }

  /** Whether we have something ourselves of what is looked for, so that it is no failure when nobody answers. */
  protected get hasOwn(): boolean {
    return false;
  }

  /** The search has ended, and somebody has answered or we have something ourselves. */
  protected abstract onFound(now: number): void;
}
