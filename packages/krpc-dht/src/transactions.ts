// Queries under way (BEP 5 "KRPC Protocol"): an answer counts only if it comes from the address that was asked and repeats
// the transaction id, four random bytes. A query that outlasts the usual round trip is slow, and later it has failed.
import type { AddressFamily } from '@bt/endpoint';
import { ID_BYTES, MAX_OUTSTANDING_QUERIES, QUERY_TIMEOUT_MS } from './constants.ts';
import type { Message, Method } from './message.ts';
import { RoundTrip } from './round-trip.ts';

/** Bytes of our transaction ids. */
export const TRANSACTION_BYTES = 4;

/** What the asker is told. Exactly one of `onAnswer` and `onFailure` ends each query. */
export interface QueryListener {
  /** `message` is a response or an error; it is gone when the call returns. */
  onAnswer(now: number, query: Query, message: Message): void;
  /** It takes longer than it should: don't wait for it. It may still be answered. */
  onSlow?(now: number, query: Query): void;
  /** No answer came. */
  onFailure(now: number, query: Query): void;
}

/** A query under way. */
export interface Query {
  /** The transaction id as a 32-bit integer. */
  readonly key: number;
  readonly family: AddressFamily;
  readonly method: Method;
  /** Compact node info of the one asked. Without `knowsId` the first 20 bytes mean nothing. */
  readonly node: Uint8Array;
  readonly knowsId: boolean;
  /** It belongs in no table: a public router (BEP 5 "Torrent File Extensions"), or a read-only node (BEP 43). */
  readonly staysOut: boolean;
  readonly sentAt: number;
  readonly listener: QueryListener;
  /** When it becomes slow, or, once it is, when it fails. */
  dueAt: number;
  isSlow: boolean;
}

export class Transactions {
  readonly roundTrip = new RoundTrip();
  readonly #random: () => number;
  // In the order of their deadlines.
  readonly #waiting = new Map<number, Query>();
  readonly #slow = new Map<number, Query>();
  #lastDueAt = 0;
  #nextDueAt = Number.POSITIVE_INFINITY;

  /** `random` gives numbers in [0, 1) that nobody can guess. */
  constructor(random: () => number) {
    this.#random = random;
  }

  get size(): number {
    return this.#waiting.size + this.#slow.size;
  }

  get isFull(): boolean {
    return this.size >= MAX_OUTSTANDING_QUERIES;
  }

  /** Notes a query that goes out now. Not to be called when it is full. */
  open(now: number, query: Omit<Query, 'key' | 'sentAt' | 'dueAt' | 'isSlow'>): Query {
    let key: number;
    // Signed: such numbers are the cheaper keys of a Map.
    do key = (this.#random() * 0x1_0000_0000) | 0;
    while (this.#waiting.has(key) || this.#slow.has(key));
    // Never before the one ahead, so that the first of the map is always the next; patience changes little.
    const dueAt = Math.max(now + this.roundTrip.patienceMs, this.#lastDueAt);
    this.#lastDueAt = dueAt;
    this.#nextDueAt = Math.min(this.#nextDueAt, dueAt);
    const open: Query = {
      key,
      family: query.family,
      method: query.method,
      node: query.node,
      knowsId: query.knowsId,
      staysOut: query.staysOut,
      sentAt: now,
      listener: query.listener,
      dueAt,
      isSlow: false,
    };
    this.#waiting.set(key, open);
    return open;
  }

  /** The query that a response or error from this compact endpoint belongs to; it is not under way any more then. */
  close(now: number, message: Message, endpoint: Uint8Array): Query | undefined {
    if (message.transactionLength !== TRANSACTION_BYTES) return undefined;
    const { bytes, transactionAt: at } = message;
    const key =
      (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const query = this.#waiting.get(key) ?? this.#slow.get(key);
    if (query === undefined) return undefined;
    if (!isTo(query, endpoint)) return undefined;
    this.#waiting.delete(key);
    this.#slow.delete(key);
    this.roundTrip.measure(now - query.sentAt);
    return query;
  }

  /** Whether one to this compact endpoint is under way. */
  hasQueryTo(endpoint: Uint8Array): boolean {
    for (const queries of [this.#waiting, this.#slow]) {
      for (const query of queries.values()) if (isTo(query, endpoint)) return true;
    }
    return false;
  }

  /** Takes the next query whose time is up: it has become slow, or it has failed and is not under way any more. */
  takeDue(now: number): { readonly query: Query; readonly hasFailed: boolean } | undefined {
    const waiting = first(this.#waiting);
    if (waiting !== undefined && waiting.dueAt <= now) {
      this.#waiting.delete(waiting.key);
      waiting.isSlow = true;
      waiting.dueAt = Math.max(waiting.sentAt + QUERY_TIMEOUT_MS, waiting.dueAt);
      this.#slow.set(waiting.key, waiting);
      return { query: waiting, hasFailed: false };
    }
    const slow = first(this.#slow);
    if (slow !== undefined && slow.dueAt <= now) {
      this.#slow.delete(slow.key);
      return { query: slow, hasFailed: true };
    }
    const never = Number.POSITIVE_INFINITY;
    this.#nextDueAt = Math.min(waiting?.dueAt ?? never, slow?.dueAt ?? never);
    return undefined;
  }

  /** `takeDue` has nothing before this time: it may be that of a query that has been answered since. */
  deadline(): number {
    return this.#nextDueAt;
  }
}

function isTo({ node }: Query, endpoint: Uint8Array): boolean {
  for (let i = ID_BYTES; i < node.length; i++) {
    if (node[i] !== endpoint[i - ID_BYTES]) return false;
  }
  return true;
}

function first(queries: Map<number, Query>): Query | undefined {
  return queries.size === 0 ? undefined : (queries.values().next().value as Query);
}
