// One iterative lookup in one family (BEP 5 "Overview", Kademlia): asks the nodes nearest to a target, which tell of nearer
// ones, until the k nearest that live have answered.
//
// Only a node that has answered itself counts, under the id that it gave then. A slow node is gone around, and counts when its
// answer comes after all; a dead one and a liar cost one query each; what they tell is bounded (candidates.ts), and what the
// dead hide is found by a second look (second-look.ts).
import type { AddressFamily } from '@bt/endpoint';
import { CANDIDATE, CANDIDATE_KIND, Candidates } from './candidates.ts';
import type { QueryArguments } from './encode.ts';
import type { Message, Method } from './message.ts';
import { compareDistance, equalIds } from './node-id.ts';
import type { Overlay } from './overlay.ts';
import type { Querier, Waiting } from './querier.ts';
import { SecondLook } from './second-look.ts';
import { forEachToldNode } from './told-nodes.ts';
import type { Query, QueryListener } from './transactions.ts';

export interface LookupOptions {
  readonly querier: Querier;
  readonly overlay: Overlay;
  /** 20 bytes. */
  readonly target: Uint8Array;
  readonly method: Method;
  readonly args: QueryArguments;
  /** How many of the nearest nodes have to answer. */
  readonly count: number;
  /** Queries under way at one time. */
  readonly concurrency: number;
  readonly owner: LookupOwner;
}

export interface LookupOwner {
  /** A node has answered; `message` is gone when the call returns. */
  onResponse(now: number, lookup: Lookup, slot: number, message: Message): void;
  /** Something has happened: perhaps `lookup.isIdle` now. */
  onProgress(now: number): void;
}

export class Lookup implements QueryListener, Waiting {
  readonly overlay: Overlay;
  readonly candidates: Candidates;
  /** Nothing is to be asked and nobody is waited for. It may go on when it is told of further nodes. */
  isIdle = true;
  queries = 0;
  answers = 0;
  readonly #options: LookupOptions;
  #secondLook: SecondLook | undefined;
  #underWay = 0;
  /** Numbers of those who tell of nodes; our own table is 0. */
  #tellers = 0;
  #isStopped = false;

  constructor(options: LookupOptions) {
    this.#options = options;
    this.overlay = options.overlay;
    this.candidates = new Candidates(options.overlay.family, options.target);
  }

  /** Takes the nodes of the table that are nearest, and those given by endpoint alone, and begins. */
  start(now: number, entrances: readonly Entrance[] = []): void {
    const { target, count } = this.#options;
    const { table } = this.overlay;
    const found = table.closest(target, 0, 2 * count, seeds, 0);
    for (let i = 0; i < found; i++) this.candidates.add(seeds, i * table.nodeBytes, 1, 0);
    for (const entrance of entrances) this.#addEntrance(entrance);
    this.#proceed(now);
  }

  /** One more way into the network. */
  addEntrance(now: number, entrance: Entrance): void {
    this.#addEntrance(entrance);
    this.#proceed(now);
  }

  /** Takes nodes of this family that a message tells of, which came from `teller`, `depth` steps from our table. */
  tell(
    now: number,
    message: Message,
    teller: Uint8Array,
    tellerFamily: AddressFamily,
    depth: number,
  ): void {
    this.#take(message, teller, tellerFamily, depth);
    this.#proceed(now);
  }

  #take(message: Message, teller: Uint8Array, tellerFamily: AddressFamily, depth: number): void {
    const { family, id } = this.overlay;
    const number = ++this.#tellers;
    forEachToldNode(message, family, teller, tellerFamily, (bytes, at) => {
      if (!equalIds(id, 0, bytes, at)) this.candidates.add(bytes, at, depth, number);
    });
  }

  /** Asks nobody any more. Answers that are still under way serve the table only. */
  stop(): void {
    this.#isStopped = true;
    this.isIdle = true;
    this.#options.querier.stopWaiting(this);
  }

  /** Slots of the nearest nodes that have answered, the nearest first. */
  nearest(): number[] {
    const { candidates } = this;
    const slots: number[] = [];
    for (let place = 0; place < candidates.count; place++) {
      const slot = candidates.slotAt(place);
      if (candidates.state(slot) !== CANDIDATE.answered) continue;
      slots.push(slot);
      if (slots.length === this.#options.count) break;
    }
    return slots;
  }

  /** Whether we are one of the nearest ourselves, with those that have answered. */
  includesUs(): boolean {
    const { target, count } = this.#options;
    const slots = this.nearest();
    if (slots.length < count) return true;
    const last = this.candidates.copyNode(slots[count - 1]!);
    return compareDistance(this.overlay.id, 0, last, 0, target, 0) < 0;
  }

  resume(now: number): void {
    this.#proceed(now);
    this.#options.owner.onProgress(now);
  }

  onAnswer(now: number, query: Query, message: Message): void {
    if (this.#isStopped) return;
    const { candidates } = this;
    const { owner } = this.#options;
    if (!query.isSlow) this.#underWay--;
    const slot = candidates.find(query.node);
    if (slot < 0) return;
    if (message.type === 'error' || equalIds(this.overlay.id, 0, message.bytes, message.idAt)) {
      // An answer of ourselves is none: an entrance may have led back to us.
      candidates.setState(slot, CANDIDATE.failed);
    } else if (candidates.handleAnswer(slot, message.bytes, message.idAt)) {
      this.answers++;
      if (message.tokenAt >= 0) {
        candidates.setToken(slot, message.copy(message.tokenAt, message.tokenLength));
      }
      this.#take(message, query.node, this.overlay.family, candidates.depth(slot) + 1);
      owner.onResponse(now, this, slot, message);
    }
    this.#proceed(now);
    owner.onProgress(now);
  }

  onSlow(now: number, query: Query): void {
    this.#leave(now, query, CANDIDATE.slow);
  }

  onFailure(now: number, query: Query): void {
    this.#leave(now, query, CANDIDATE.failed);
  }

  #leave(now: number, query: Query, state: typeof CANDIDATE.slow | typeof CANDIDATE.failed): void {
    if (this.#isStopped) return;
    if (state === CANDIDATE.slow) this.#underWay--;
    const slot = this.candidates.find(query.node);
    if (slot >= 0) this.candidates.setState(slot, state);
    this.#proceed(now);
    this.#options.owner.onProgress(now);
  }

  /** Asks whoever is to be asked next. */
  #proceed(now: number): void {
    if (this.#isStopped) return;
    const { candidates } = this;
    const { count, concurrency } = this.#options;
    let isIdle = true;
    let living = 0;
    for (let place = 0; place < candidates.count && living < count; place++) {
      const slot = candidates.slotAt(place);
      const state = candidates.state(slot);
      if (state === CANDIDATE.failed || state === CANDIDATE.slow) continue;
      living++;
      if (state === CANDIDATE.answered) continue;
      isIdle = false;
      if (state === CANDIDATE.asked) continue;
      if (this.#underWay >= concurrency || !this.#ask(now, slot)) break;
    }
    this.isIdle = isIdle && this.#hasLookedTwice(now);
  }

  /**
   * True when the second look is over; it begins when as many as are wanted have answered and there is nobody else to ask, and
   * tells of further nodes perhaps.
   */
  #hasLookedTwice(now: number): boolean {
    if (this.#secondLook === undefined) {
      if (this.nearest().length < this.#options.count) return true;
      const { querier, target, count, owner } = this.#options;
      const { overlay, candidates } = this;
      this.#secondLook = new SecondLook({
        ...{ querier, overlay, candidates, target, count },
        onAnswer: (_at, message, teller, family) => {
          const slot = candidates.find(teller);
          if (slot >= 0) this.#take(message, teller, family, candidates.depth(slot) + 1);
        },
        onProgress: (at) => {
          this.#proceed(at);
          owner.onProgress(at);
        },
      });
      this.#secondLook.start(now);
      this.queries += this.#secondLook.queries;
    }
    return this.#secondLook.isOver;
  }

  #ask(now: number, slot: number): boolean {
    const { querier, method, args } = this.#options;
    const { overlay, candidates } = this;
    const node = candidates.copyNode(slot);
    const kind = candidates.kind(slot);
    const knowsId = kind === CANDIDATE_KIND.node;
    const target = { overlay, node, knowsId, staysOut: kind === CANDIDATE_KIND.router };
    if (!querier.send(now, target, method, args, this)) {
      querier.waitForRoom(this);
      return false;
    }
    candidates.setState(slot, CANDIDATE.asked);
    this.#underWay++;
    this.queries++;
    return true;
  }

  /** A node whose id is unknown stands behind all others, under an id that nobody has. */
  #addEntrance(entrance: Entrance): void {
    const { target } = this.#options;
    const i = ++this.#tellers;
    const node = new Uint8Array(this.candidates.nodeBytes);
    for (let byte = 0; byte < target.length; byte++) node[byte] = ~target[byte]!;
    node[target.length - 1]! ^= i;
    node[target.length - 2]! ^= i >> 8;
    node.set(entrance.endpoint, target.length);
    const { router, entrance: kind } = CANDIDATE_KIND;
    this.candidates.add(node, 0, 1, i, entrance.isRouter ? router : kind);
  }
}

/** A node that is known by its endpoint alone: a way into the network. */
export interface Entrance {
  /** Compact, 6 or 18 bytes. */
  readonly endpoint: Uint8Array;
  readonly isRouter: boolean;
}

/** Where a table writes the nodes that a lookup begins with. Nothing calls back meanwhile. */
const seeds = new Uint8Array(128 * 38);
