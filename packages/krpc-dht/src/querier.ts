// The asking half of a node (BEP 5): sends queries, matches what comes back, and tells the table, the vote on our address and
// whoever asked.
import { readCompact } from '@bt/endpoint';
import { ID_BYTES, LINE_QUIET_MS } from './constants.ts';
import { datagramMemory } from './datagram.ts';
import type { EffectQueue } from './effects.ts';
import { type QueryArguments, writeQuery } from './encode.ts';
import type { Message, Method } from './message.ts';
import { equalIds } from './node-id.ts';
import { type Overlay, type Overlays, overlayOf } from './overlay.ts';
import type { Source } from './source.ts';
import type { Counters } from './statistics.ts';
import { type Query, type QueryListener, TRANSACTION_BYTES, Transactions } from './transactions.ts';
import type { VerifiedAddresses } from './verified-addresses.ts';

export interface QuerierOptions {
  readonly overlays: Overlays;
  readonly effects: EffectQueue;
  readonly counters: Counters;
  /** Not needed on trusted networks. */
  readonly verified: VerifiedAddresses | undefined;
  /** Numbers in [0, 1) that nobody can guess. */
  readonly random: () => number;
  /** Called when enough nodes agree on another external address of ours. */
  readonly onExternalAddress: (now: number, overlay: Overlay) => void;
}

/** Somebody who could not send for lack of room. */
export interface Waiting {
  /** There is room for at least one query. */
  resume(now: number): void;
}

/** Whom to ask. */
export interface Target {
  readonly overlay: Overlay;
  /** Compact node info; it is kept, not copied. */
  readonly node: Uint8Array;
  /** Whether the node's id is known; otherwise only its endpoint is. */
  readonly knowsId: boolean;
  /** It belongs in no table: a public router (BEP 5 "Torrent File Extensions"), or a read-only node (BEP 43). */
  readonly staysOut?: boolean | undefined;
}

export class Querier {
  readonly #options: QuerierOptions;
  readonly #transactions: Transactions;
  readonly #waiting = new Set<Waiting>();
  #receivedAt = Number.NEGATIVE_INFINITY;

  constructor(options: QuerierOptions) {
    this.#options = options;
    this.#transactions = new Transactions(options.random);
  }

  get underWay(): number {
    return this.#transactions.size;
  }

  get roundTripMs(): number {
    return this.#transactions.roundTrip.smoothedMs;
  }

  /** Asks a node. False when too many queries are under way: then wait with `waitForRoom`. */
  send(
    now: number,
    target: Target,
    method: Method,
    args: QueryArguments,
    listener: QueryListener,
  ): boolean {
    const transactions = this.#transactions;
    if (transactions.isFull) return false;
    const { counters, effects } = this.#options;
    const { overlay, node, knowsId } = target;
    const { family } = overlay;
    const staysOut = target.staysOut ?? false;
    const query = transactions.open(now, { family, method, node, knowsId, staysOut, listener });
    transaction[0] = query.key >>> 24;
    transaction[1] = query.key >>> 16;
    transaction[2] = query.key >>> 8;
    transaction[3] = query.key;
    datagramMemory.reserve();
    const { target: memory, offset } = datagramMemory;
    const end = writeQuery(memory, offset, overlay.sender, transaction, method, args);
    const bytes = datagramMemory.take(end);
    if (knowsId) overlay.table.handleAsked(now, node);
    counters.queriesOut[method]++;
    counters.bytesOut += bytes.length;
    effects.push({ type: 'send', to: readCompact(node, ID_BYTES, family), bytes });
    return true;
  }

  /** Whether a query to this sender is under way. */
  isAsking(source: Source): boolean {
    return this.#transactions.hasQueryTo(source.compact);
  }

  /** Calls `resume` as soon as there is room again, the longest waiting first. */
  waitForRoom(waiting: Waiting): void {
    this.#waiting.add(waiting);
  }

  stopWaiting(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  /** Notes that something came in: our own line is up, so that a silent node is to blame for its silence. */
  handleReceived(now: number): void {
    this.#receivedAt = now;
  }

  /** Whether our own line has been up of late, as far as we can know. */
  hasHeard(now: number): boolean {
    return this.#receivedAt > now - LINE_QUIET_MS;
  }

  /** Takes a response or an error. */
  handleAnswer(now: number, message: Message, source: Source): void {
    const { counters, verified } = this.#options;
    const query = this.#transactions.close(now, message, source.bytes);
    if (query === undefined) {
      counters.dropped.unmatched++;
      return;
    }
    const overlay = overlayOf(this.#options.overlays, query.family)!;
    verified?.add(now, source);
    if (message.type === 'error') counters.errorsIn++;
    else {
      counters.answersIn++;
      this.#handleResponse(now, query, overlay, message);
    }
    this.#handleIp(now, overlay, message, source);
    query.listener.onAnswer(now, query, message);
    this.#resumeWaiting(now);
  }

  handleTimeout(now: number): void {
    for (;;) {
      const due = this.#transactions.takeDue(now);
      if (due === undefined) break;
      const { query } = due;
      if (!due.hasFailed) {
        query.listener.onSlow?.(now, query);
        continue;
      }
      this.#options.counters.timeouts++;
      if (query.knowsId) {
        const { table } = overlayOf(this.#options.overlays, query.family)!;
        table.handleFailure(query.node, this.hasHeard(query.sentAt));
      }
      query.listener.onFailure(now, query);
    }
    this.#resumeWaiting(now);
  }

  deadline(): number {
    return this.#transactions.deadline();
  }

  #handleResponse(now: number, query: Query, overlay: Overlay, message: Message): void {
    const { node } = query;
    if (query.knowsId && !equalIds(node, 0, message.bytes, message.idAt)) {
      overlay.table.remove(node);
    }
    if (query.staysOut) return;
    const answered = overlay.family === 4 ? answered4 : answered6;
    for (let i = 0; i < ID_BYTES; i++) answered[i] = message.bytes[message.idAt + i]!;
    for (let i = ID_BYTES; i < node.length; i++) answered[i] = node[i]!;
    overlay.table.handleAnswer(now, answered);
  }

  #handleIp(now: number, overlay: Overlay, message: Message, source: Source): void {
    const { ipAt, ipLength } = message;
    if (ipAt < 0 || ipLength !== (overlay.family === 4 ? 6 : 18)) return;
    if (overlay.externalAddress.handleVote(source.bytes, message.bytes, ipAt)) {
      this.#options.onExternalAddress(now, overlay);
    }
  }

  #resumeWaiting(now: number): void {
    while (this.#waiting.size > 0 && !this.#transactions.isFull) {
      const waiting = this.#waiting.values().next().value as Waiting;
      this.#waiting.delete(waiting);
      waiting.resume(now);
    }
  }
}

const transaction = new Uint8Array(TRANSACTION_BYTES);

/** Where the compact node info of the one that answered is put together for the table. */
const answered4 = new Uint8Array(26);
const answered6 = new Uint8Array(38);
