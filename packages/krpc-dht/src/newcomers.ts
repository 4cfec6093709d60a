// Nodes that may come into the table: those that ask us something, and those we are told of (PORT messages, `nodes` of torrents,
// a saved table). Each is pinged once and enters when it answers. The same ping shows that an asker's address is no forgery,
// and lets an answer go that is too large for an address nobody has verified (threat D3).
import type { Endpoint } from '@bt/endpoint';
import {
  ID_BYTES,
  MAX_HELD_ANSWERS,
  MAX_NEWCOMER_PINGS,
  MAX_NEWCOMERS,
  NODE_BYTES,
} from './constants.ts';
import type { Overlay } from './overlay.ts';
import type { Querier } from './querier.ts';
import type { AddressRateLimit } from './rate-limit.ts';
import type { Source } from './source.ts';
import type { Query, QueryListener } from './transactions.ts';

export interface NewcomersOptions {
  readonly querier: Querier;
  /** One ping back to an address in ten minutes; not needed on trusted networks. */
  readonly pingBackLimit: AddressRateLimit | undefined;
  /** Answers to an address that has answered before which wait for it to answer again. */
  readonly largeAnswerLimit: AddressRateLimit | undefined;
  /** Sends an answer that was held back. */
  readonly release: (now: number, to: Endpoint, answer: Uint8Array) => void;
  /** One has answered. */
  readonly onAnswer: (now: number) => void;
}

interface Told {
  readonly overlay: Overlay;
  readonly node: Uint8Array;
  readonly knowsId: boolean;
}

/** Who has asked us something. */
export interface Asker {
  readonly overlay: Overlay;
  readonly source: Source;
  /** His compact node info; it is copied. */
  readonly node: Uint8Array;
  /** BEP 43: such a one belongs in no table. */
  readonly isReadOnly: boolean;
}

interface HeldAnswer {
  readonly to: Endpoint;
  readonly answer: Uint8Array;
}

export class Newcomers implements QueryListener {
  readonly #options: NewcomersOptions;
  readonly #told: Told[] = [];
  /** By endpoint: pings under way, some with an answer that waits for them. */
  readonly #pings = new Map<number | string, HeldAnswer | undefined>();
  #heldCount = 0;

  constructor(options: NewcomersOptions) {
    this.#options = options;
  }

  /** Somebody who isn't in the table has asked us something: `node` is his compact node info. It is copied. */
  handleAsker(now: number, overlay: Overlay, source: Source, node: Uint8Array): void {
    if (this.#pings.size >= MAX_NEWCOMER_PINGS || !overlay.table.wants(now, node)) return;
    const { pingBackLimit } = this.#options;
    this.#ping(now, { overlay, source, node, isReadOnly: false }, pingBackLimit);
  }

  /**
   * Sends `answer` when the asker has shown that his address is real. False when that can't be waited for. `isVerified`: he has
   * answered something before.
   */
  hold(now: number, asker: Asker, answer: Uint8Array, isVerified: boolean): boolean {
    if (this.#heldCount >= MAX_HELD_ANSWERS) return false;
    const { pingBackLimit, largeAnswerLimit } = this.#options;
    const key = keyOf(asker.node);
    if (!this.#pings.has(key)) {
      if (!this.#ping(now, asker, isVerified ? largeAnswerLimit : pingBackLimit)) return false;
    }
    if (this.#pings.get(key) === undefined) this.#heldCount++;
    this.#pings.set(key, { to: asker.source.endpoint, answer });
    return true;
  }

  /** Nodes that somebody told us of: compact node info, whose id counts with `knowsId` only. They are pinged one by one. */
  add(now: number, overlay: Overlay, node: Uint8Array, knowsId: boolean): void {
    if (this.#told.length >= MAX_NEWCOMERS) return;
    this.#told.push({ overlay, node, knowsId });
    this.#pingTold(now);
  }

  onAnswer(now: number, query: Query): void {
    this.#end(now, query, true);
    this.#options.onAnswer(now);
  }

  onFailure(now: number, query: Query): void {
    this.#end(now, query, false);
  }

  #end(now: number, query: Query, isReal: boolean): void {
    const key = keyOf(query.node);
    const held = this.#pings.get(key);
    this.#pings.delete(key);
    if (held !== undefined) {
      this.#heldCount--;
      if (isReal) this.#options.release(now, held.to, held.answer);
    }
    this.#pingTold(now);
  }

  #ping(now: number, asker: Asker, limit: AddressRateLimit | undefined): boolean {
    const { overlay, source, node, isReadOnly } = asker;
    const key = keyOf(node);
    if (this.#pings.has(key)) return false;
    if (limit?.take(now, source.bytes, 0, source.senderLength) === false) return false;
    const copy = node.slice(0, overlay.table.nodeBytes);
    const target = { overlay, node: copy, knowsId: true, staysOut: isReadOnly };
    if (!this.#options.querier.send(now, target, 'ping', {}, this)) return false;
    this.#pings.set(key, undefined);
    return true;
  }

  #pingTold(now: number): void {
    const { querier } = this.#options;
    while (this.#told.length > 0 && this.#pings.size < MAX_NEWCOMER_PINGS) {
      const told = this.#told[0]!;
      const key = keyOf(told.node);
      if (!this.#pings.has(key)) {
        if (!querier.send(now, told, 'ping', {}, this)) return;
        this.#pings.set(key, undefined);
      }
      this.#told.shift();
    }
  }
}

/** The endpoint of compact node info; a number where it is one of IPv4, since this is asked for each query of a stranger. */
function keyOf(node: Uint8Array): number | string {
  let number = 0;
  if (node.length === NODE_BYTES) {
    for (let i = ID_BYTES; i < NODE_BYTES; i++) number = number * 256 + node[i]!;
    return number;
  }
  let key = '';
  for (let i = ID_BYTES; i < node.length; i++) key += String.fromCharCode(node[i]!);
  return key;
}
