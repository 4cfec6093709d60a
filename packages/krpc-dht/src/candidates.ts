// The nodes that one lookup knows of in one family, by their distance to its target: bytes in one array and a sorted row of
// slots, so that a lookup leaves no garbage. Bounded, and nobody fills it alone (threat D5): of a public network (a /24, or an
// IPv6 /64) one node counts, the first that has answered; before that each teller may name one. So nobody keeps a node out by
// naming another beside it, which is not there.
import type { AddressFamily } from '@bt/endpoint';
import { nodeLength } from './compact.ts';
import { ID_BYTES, MAX_CANDIDATES } from './constants.ts';
import { networkOf } from './network.ts';
import { compareDistance } from './node-id.ts';

/** How far a candidate is. `slow` is asked and may still answer; nobody waits for it. */
export const CANDIDATE = { fresh: 0, asked: 1, slow: 2, answered: 3, failed: 4 } as const;

export type CandidateState = (typeof CANDIDATE)[keyof typeof CANDIDATE];

/**
 * What is known of a candidate. An `entrance` is known by its endpoint alone, its id is a place holder; so is a `router`, which
 * belongs in no table (BEP 5 "Torrent File Extensions").
 */
export const CANDIDATE_KIND = { node: 0, entrance: 1, router: 2 } as const;

export type CandidateKind = (typeof CANDIDATE_KIND)[keyof typeof CANDIDATE_KIND];

export class Candidates {
  readonly family: AddressFamily;
  readonly nodeBytes: number;
  readonly #target: Uint8Array;
  #nodes: Uint8Array;
  /** By slot. */
  #states: Uint8Array;
  #kinds: Uint8Array;
  #depths: Uint8Array;
  #networks: Float64Array;
  #tellers: Int32Array;
  #tokens: (Uint8Array | undefined)[] = [];
  /** Slots, those nearest to the target first. */
  #order: Uint8Array;
  #count = 0;

  constructor(family: AddressFamily, target: Uint8Array) {
    this.family = family;
    this.nodeBytes = nodeLength(family);
    this.#target = target;
    this.#nodes = new Uint8Array(FIRST_SLOTS * this.nodeBytes);
    this.#states = new Uint8Array(FIRST_SLOTS);
    this.#kinds = new Uint8Array(FIRST_SLOTS);
    this.#depths = new Uint8Array(FIRST_SLOTS);
    this.#networks = new Float64Array(FIRST_SLOTS);
    this.#tellers = new Int32Array(FIRST_SLOTS);
    this.#order = new Uint8Array(FIRST_SLOTS);
  }

  get count(): number {
    return this.#count;
  }

  /** The slot at a place in the order of distance, 0 being nearest. */
  slotAt(place: number): number {
    return this.#order[place]!;
  }

  state(slot: number): CandidateState {
    return this.#states[slot] as CandidateState;
  }

  setState(slot: number, state: CandidateState): void {
    this.#states[slot] = state;
  }

  kind(slot: number): CandidateKind {
    return this.#kinds[slot] as CandidateKind;
  }

  /** Steps from our own table. */
  depth(slot: number): number {
    return this.#depths[slot]!;
  }

  token(slot: number): Uint8Array | undefined {
    return this.#tokens[slot];
  }

  setToken(slot: number, token: Uint8Array | undefined): void {
    this.#tokens[slot] = token;
  }

  /** A copy of the compact node info. */
  copyNode(slot: number): Uint8Array<ArrayBuffer> {
    const { nodeBytes } = this;
    return this.#nodes.slice(slot * nodeBytes, (slot + 1) * nodeBytes) as Uint8Array<ArrayBuffer>;
  }

  /** The slot of the candidate with this id and this endpoint; -1 when it is none. */
  find(node: Uint8Array): number {
    for (let place = this.#placeOf(node, 0); place < this.#count; place++) {
      const slot = this.#order[place]!;
      if (!this.#hasId(slot, node, 0)) return -1;
      if (this.#hasEndpoint(slot, node, 0)) return slot;
    }
    return -1;
  }

  /**
   * Takes in the compact node info at `at` of `bytes`, which `teller` names, a number for each. -1 when somebody at its endpoint
   * is known, when one with its id or of its network has answered, when the teller has named one of its network before, or when
   * too many nearer ones are there; otherwise its slot.
   */
  add(
    bytes: Uint8Array,
    at: number,
    depth: number,
    teller: number,
    kind: CandidateKind = CANDIDATE_KIND.node,
  ): number {
    if (this.#answeredWithId(bytes, at) >= 0) return -1;
    const network = networkOf(bytes, at + ID_BYTES, this.family);
    let slot = -1;
    for (let i = 0; i < this.#count; i++) {
      if (this.#networks[i] !== network) continue;
      const state = this.#states[i];
      if (this.#hasEndpoint(i, bytes, at)) {
        // It is asked once, and says then who it is: by the nearer one of the ids it is said to have it is asked sooner.
        if (state !== CANDIDATE.fresh || !this.#isFarther(i, bytes, at)) return -1;
        slot = i;
      } else if (state === CANDIDATE.answered) return -1;
      else if (this.#tellers[i] === teller && state !== CANDIDATE.failed) return -1;
    }
    if (slot < 0 && this.#count === MAX_CANDIDATES) {
      slot = this.#farthestToDrop();
      if (slot < 0 || !this.#isFarther(slot, bytes, at)) return -1;
    }
    if (slot >= 0) this.#remove(slot);
    else slot = this.#nextSlot();
    this.#insert(slot, bytes, at, network, depth);
    this.#kinds[slot] = kind;
    this.#tellers[slot] = teller;
    return slot;
  }

  /**
   * Notes that a candidate has answered, and files it under the id that it really has. False when somebody else with this id or
   * of its network has answered before; it has failed then. All others of its network have failed from now on.
   */
  handleAnswer(slot: number, ids: Uint8Array, idAt: number): boolean {
    const network = this.#networks[slot]!;
    let isFirst = this.#answeredWithId(ids, idAt) < 0;
    for (let i = 0; i < this.#count && isFirst; i++) {
      if (this.#networks[i] === network && this.#states[i] === CANDIDATE.answered) isFirst = false;
    }
    if (!isFirst) {
      this.#states[slot] = CANDIDATE.failed;
      return false;
    }
    for (let i = 0; i < this.#count; i++) {
      if (this.#networks[i] === network) this.#states[i] = CANDIDATE.failed;
    }
    if (!this.#hasId(slot, ids, idAt)) {
      const node = this.copyNode(slot);
      for (let i = 0; i < ID_BYTES; i++) node[i] = ids[idAt + i]!;
      const depth = this.#depths[slot]!;
      this.#remove(slot);
      this.#insert(slot, node, 0, network, depth);
    }
    this.#states[slot] = CANDIDATE.answered;
    return true;
  }

  #insert(slot: number, bytes: Uint8Array, at: number, network: number, depth: number): void {
    const place = this.#placeOf(bytes, at);
    const start = slot * this.nodeBytes;
    for (let i = 0; i < this.nodeBytes; i++) this.#nodes[start + i] = bytes[at + i]!;
    this.#states[slot] = CANDIDATE.fresh;
    this.#kinds[slot] = CANDIDATE_KIND.node;
    this.#depths[slot] = Math.min(depth, 255);
    this.#networks[slot] = network;
    this.#tokens[slot] = undefined;
    this.#order.copyWithin(place + 1, place, this.#count);
    this.#order[place] = slot;
    this.#count++;
  }

  /** Takes a slot out of the order; it is to be filled again at once. */
  #remove(slot: number): void {
    const place = this.#order.indexOf(slot);
    this.#order.copyWithin(place, place + 1, this.#count);
    this.#count--;
  }

  #nextSlot(): number {
    const slot = this.#count;
    if (slot === this.#states.length) {
      this.#nodes = grown(new Uint8Array(2 * slot * this.nodeBytes), this.#nodes);
      this.#states = grown(new Uint8Array(2 * slot), this.#states);
      this.#kinds = grown(new Uint8Array(2 * slot), this.#kinds);
      this.#depths = grown(new Uint8Array(2 * slot), this.#depths);
      this.#networks = grown(new Float64Array(2 * slot), this.#networks);
      this.#tellers = grown(new Int32Array(2 * slot), this.#tellers);
      this.#order = grown(new Uint8Array(2 * slot), this.#order);
    }
    return slot;
  }

  /** How many candidates are nearer to the target than the id at `at`: its place in the order. */
  #placeOf(bytes: Uint8Array, at: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isNearer(this.#order[middle]!, bytes, at)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isNearer(slot: number, bytes: Uint8Array, at: number): boolean {
    return compareDistance(this.#nodes, slot * this.nodeBytes, bytes, at, this.#target, 0) < 0;
  }

  #isFarther(slot: number, bytes: Uint8Array, at: number): boolean {
    return compareDistance(this.#nodes, slot * this.nodeBytes, bytes, at, this.#target, 0) > 0;
  }

  /** The slot that has answered with the id at `at`, -1 when there is none. */
  #answeredWithId(bytes: Uint8Array, at: number): number {
    for (let place = this.#placeOf(bytes, at); place < this.#count; place++) {
      const slot = this.#order[place]!;
      if (!this.#hasId(slot, bytes, at)) return -1;
      if (this.#states[slot] === CANDIDATE.answered) return slot;
    }
    return -1;
  }

  #hasEndpoint(slot: number, bytes: Uint8Array, at: number): boolean {
    const start = slot * this.nodeBytes;
    for (let i = this.nodeBytes - 1; i >= ID_BYTES; i--) {
      if (this.#nodes[start + i] !== bytes[at + i]) return false;
    }
    return true;
  }

  #hasId(slot: number, bytes: Uint8Array, at: number): boolean {
    return compareDistance(this.#nodes, slot * this.nodeBytes, bytes, at, this.#target, 0) === 0;
  }

  /** The farthest that nobody waits for. */
  #farthestToDrop(): number {
    for (let place = this.#count - 1; place >= 0; place--) {
      const slot = this.#order[place]!;
      const state = this.#states[slot];
      if (state === CANDIDATE.fresh || state === CANDIDATE.failed) return slot;
    }
    return -1;
  }
}

const FIRST_SLOTS = 64;

function grown<T extends Uint8Array | Int32Array | Float64Array>(larger: T, array: T): T {
  larger.set(array);
  return larger;
}
