// What a node wants done and has to tell: drained by `poll()` after each call.
import type { AddressFamily, Endpoint } from '@bt/endpoint';
import type { DhtError } from './errors.ts';
import type { Item } from './item.ts';

/** A node of the DHT. */
export interface NodeInfo {
  /** 20 bytes. */
  readonly id: Uint8Array;
  readonly endpoint: Endpoint;
}

/** What a search cost. */
export interface SearchCost {
  /** Queries sent, and how many were answered. */
  readonly queries: number;
  readonly answers: number;
  /** The longest way, in steps from our own table, to one of the nodes found. */
  readonly hops: number;
}

/** What ends each kind of operation. */
export interface OperationResults {
  ping: { readonly node: NodeInfo; readonly roundTripMs: number };
  'find-node': SearchCost & { readonly closest: readonly NodeInfo[] };
  /** The peers themselves come before, in `peers` effects. */
  'get-peers': SearchCost & { readonly peerCount: number };
  announce: SearchCost & {
    readonly peerCount: number;
    /** Nodes that have stored the announcement, this one among them if it is one of the nearest. */
    readonly stored: number;
  };
  /** `item` is undefined when nobody has it. */
  get: SearchCost & { readonly item: Item | undefined };
  /**
   * `stored`: nodes that keep it, this one among them if it is one of the nearest. `refusedWith`: the error of a node that refused
   * it, where others took it; see {@link KRPC_ERROR}.
   */
  put: SearchCost & { readonly stored: number; readonly refusedWith: number | undefined };
  sample: SearchCost & { readonly infoHashCount: number };
  /** BEP 33: about how many there are; `nodes` is how many nodes told. */
  scrape: SearchCost & {
    readonly seeds: number;
    readonly downloaders: number;
    readonly nodes: number;
  };
}

export type OperationKind = keyof OperationResults;

/** The end of an operation. */
export type DoneEffect = {
  [Kind in OperationKind]: {
    readonly type: 'done';
    readonly kind: Kind;
    readonly operation: number;
    readonly result: OperationResults[Kind];
  };
}[OperationKind];

export type DhtEffect =
  /** A datagram to send, from the socket of the family of `to`. */
  | { readonly type: 'send'; readonly to: Endpoint; readonly bytes: Uint8Array }
  /** get-peers, announce: peers that were not told before. `from` is undefined for such as this node keeps itself. */
  | {
      readonly type: 'peers';
      readonly operation: number;
      readonly peers: readonly Endpoint[];
      readonly from: Endpoint | undefined;
    }
  /** sample: what one node keeps (BEP 51). */
  | {
      readonly type: 'samples';
      readonly operation: number;
      readonly sample: Sample;
    }
  | DoneEffect
  | { readonly type: 'failed'; readonly operation: number; readonly error: DhtError }
  /** The first search for our own neighbours has ended: the table is as full as it gets for now. */
  | { readonly type: 'joined' }
  /** A search for our own neighbours has ended, and nobody has answered yet. */
  | { readonly type: 'unanswered' }
  /** The other nodes agree that this is our address (BEP 42); our id may have changed with it. */
  | { readonly type: 'external-address'; readonly family: AddressFamily; readonly address: string };

/** BEP 51: what one node keeps. */
export interface Sample {
  readonly from: NodeInfo;
  /** Of 20 bytes each. */
  readonly infoHashes: readonly Uint8Array[];
  /** How many it has in all, as it says. */
  readonly totalCount: number;
  /** When it may be asked again. */
  readonly intervalSeconds: number;
}

/** First in, first out. */
export class EffectQueue {
  #effects: DhtEffect[] = [];
  #next = 0;

  push(effect: DhtEffect): void {
    this.#effects.push(effect);
  }

  poll(): DhtEffect | undefined {
    if (this.#next === this.#effects.length) {
      if (this.#next > 0) {
        this.#effects.length = 0;
        this.#next = 0;
      }
      return undefined;
    }
    return this.#effects[this.#next++];
  }
}
