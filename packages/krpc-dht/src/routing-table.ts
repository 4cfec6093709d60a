// The routing table of one address family (BEP 5 "Routing Table", BEP 32): buckets that split where our own id lies, good,
// questionable and bad nodes, a replacement cache, and the rules that keep one address from filling it (BEP 42).
//
// A node is its compact node info (id, address, port) in one byte array, and three numbers beside it, so that fifty thousand
// tables fit in one process. A bucket is a row of slots: the nodes first, behind them the spare ones that would take a place
// that falls free. A node enters only after it has answered a query of ours: hearsay never does.
import type { AddressFamily } from '@bt/endpoint';
import {
  BAD_AFTER_FAILURES,
  FORGET_AFTER_FAILURES,
  GOOD_FOR_MS,
  MAX_BUCKETS,
  NODES_PER_ANSWER,
} from './constants.ts';
import {
  commonPrefixBits,
  compareDistance,
  equalIds,
  randomIdInBucket,
  randomIdWithPrefix,
} from './node-id.ts';
import { grown, NodeSlots, STANDING, type Standing } from './node-slots.ts';

/** What became of a node that answered. */
export type TableOutcome = 'added' | 'known' | 'spare' | 'refused';

export interface TableCounts {
  readonly good: number;
  readonly questionable: number;
  readonly bad: number;
  readonly spare: number;
  readonly buckets: number;
}

export interface RoutingTableOptions {
  readonly family: AddressFamily;
  /** 20 bytes; a copy is kept. */
  readonly ownId: Uint8Array;
  /** Nodes of a bucket. Default 8, as in BEP 5. */
  readonly bucketSize?: number | undefined;
}

/** Nodes by their distance from our own id. A node is given and returned as 26 or 38 bytes of compact node info. */
export class RoutingTable {
  readonly family: AddressFamily;
  /** Bytes of a node: 26, or 38 in a table of IPv6. */
  readonly nodeBytes: number;
  readonly bucketSize: number;
  /** Nothing wants a ping or a refresh before this time; see `takeQuestionable` and `staleBucket`. */
  dueAt = Number.POSITIVE_INFINITY;
  #ownId: Uint8Array;
  #bucketCount = 1;
  #size = 0;
  #slots: NodeSlots;
  // By bucket.
  #used: Uint8Array;
  #spares: Uint8Array;
  #changedAt: Float64Array;

  constructor(options: RoutingTableOptions) {
    this.family = options.family;
    this.bucketSize = options.bucketSize ?? NODES_PER_ANSWER;
    this.#ownId = options.ownId.slice();
    this.#slots = new NodeSlots(options.family, FIRST_BUCKETS * 2 * this.bucketSize);
    this.nodeBytes = this.#slots.nodeBytes;
    this.#used = new Uint8Array(FIRST_BUCKETS);
    this.#spares = new Uint8Array(FIRST_BUCKETS);
    this.#changedAt = new Float64Array(FIRST_BUCKETS);
  }

  /** Nodes in the table, spare ones left out. */
  get size(): number {
    return this.#size;
  }

  get bucketCount(): number {
    return this.#bucketCount;
  }

  /** Takes in, or refreshes, a node that has just answered a query of ours. */
  handleAnswer(now: number, node: Uint8Array): TableOutcome {
    if (this.#isOwn(node)) return 'refused';
    const bucket = this.#bucketOf(node);
    const slot = this.#find(bucket, 0, this.#used[bucket]!, node);
    if (slot >= 0) {
      if (this.#slots.hasEndpoint(slot, node)) {
        this.#slots.see(now, slot);
        this.#changedAt[bucket] = now;
        return 'known';
      }
      // Somebody else says that he is a node which is well: the first one stays.
      if (this.#slots.isGood(now, slot)) return 'refused';
      this.#removeNode(bucket, slot);
    }
    return this.#enter(now, node);
  }

  /** Notes that a node of the table has asked us something (BEP 5: that keeps it good). False when it is not in there. */
  handleQuery(now: number, node: Uint8Array): boolean {
    const slot = this.#findNode(node);
    if (slot < 0) return false;
    this.#slots.seenAt[slot] = now;
    return true;
  }

  /** Notes that a query to the node goes out, so that it isn't asked twice at one time. */
  handleAsked(now: number, node: Uint8Array): void {
    const slot = this.#findNode(node);
    if (slot >= 0) this.#slots.askedAt[slot] = now;
  }

  /**
   * Notes that a node has not answered. One that failed twice in a row gives its place to a spare one. `isLineUp`: it is not
   * our own line that was down; else only one that is bad already is blamed.
   */
  handleFailure(node: Uint8Array, isLineUp = true): void {
    const slot = this.#findNode(node);
    if (slot < 0 || (!isLineUp && !this.#slots.isBad(slot))) return;
    const failures = this.#slots.failures[slot]! + 1;
    this.#slots.failures[slot] = failures;
    this.dueAt = Math.min(this.dueAt, this.#slots.dueAt(slot));
    if (failures < BAD_AFTER_FAILURES) return;
    const bucket = this.#rowOf(slot);
    if (this.#spares[bucket]! > 0 || failures >= FORGET_AFTER_FAILURES) {
      this.#removeNode(bucket, slot);
      this.#promoteSpare(bucket);
    }
  }

  /** Takes a node out: what lives at its address is another one now. */
  remove(node: Uint8Array): void {
    const slot = this.#findNode(node);
    if (slot < 0) return;
    const bucket = this.#rowOf(slot);
    this.#removeNode(bucket, slot);
    this.#promoteSpare(bucket);
  }

  /** Whether a node that is not in the table would get a place in it if it answered: whether a ping is worth its packet. */
  wants(now: number, node: Uint8Array): boolean {
    if (this.#isOwn(node)) return false;
    const bucket = this.#bucketOf(node);
    const used = this.#used[bucket]!;
    if (this.#find(bucket, 0, used, node) >= 0) return false;
    const standing = this.#slots.standingOf(node);
    if (standing !== STANDING.exempt && this.#findAddress(bucket, 0, used, node) >= 0) return false;
    if (used < this.bucketSize || this.#mayBeSplit(bucket)) return true;
    const first = this.#rowStart(bucket);
    for (let slot = first; slot < first + used; slot++) {
      if (this.#slots.isBad(slot)) return true;
      const isUnbound = this.#slots.standings[slot] === STANDING.unbound;
      if (isUnbound && standing !== STANDING.unbound) return true;
    }
    // A bucket with a node in doubt likes to have a replacement at hand.
    return this.#spares[bucket] === 0 && !this.#isAllGood(now, bucket);
  }

  /**
   * Writes the nodes closest to the id at `targetAt` into `into` at `offset`, closest first, bad ones left out, and returns
   * how many they are: `count` or fewer. Nothing is allocated.
   */
  closest(
    target: Uint8Array,
    targetAt: number,
    count: number,
    into: Uint8Array,
    offset: number,
  ): number {
    const wanted = Math.min(count, nearest.length);
    const shared = commonPrefixBits(this.#ownId, 0, target, targetAt);
    const bucket = Math.min(shared, this.#bucketCount - 1);
    // The bucket of the target is closest, then come all those that are closer to us (they differ from it in the same bit),
    // then the others one by one.
    let found = this.#gather(bucket, target, targetAt, 0, 0, wanted);
    const group = found;
    for (let next = bucket + 1; next < this.#bucketCount && group < wanted; next++) {
      found = this.#gather(next, target, targetAt, group, found, wanted);
    }
    for (let next = bucket - 1; next >= 0 && found < wanted; next--) {
      found = this.#gather(next, target, targetAt, found, found, wanted);
    }
    const { nodeBytes } = this;
    let at = offset;
    for (let i = 0; i < found; i++) {
      let from = nearest[i]! * nodeBytes;
      const end = from + nodeBytes;
      while (from < end) into[at++] = this.#slots.nodes[from++]!;
    }
    return found;
  }

  /**
   * The node that most needs a ping: not heard of for 15 minutes, or failed and due for its next try. It is written into
   * `into`; false when there is none.
   */
  takeQuestionable(now: number, into: Uint8Array): boolean {
    let oldest = -1;
    for (let bucket = 0; bucket < this.#bucketCount; bucket++) {
      const first = this.#rowStart(bucket);
      for (let slot = first; slot < first + this.#used[bucket]!; slot++) {
        if (this.#slots.dueAt(slot) > now) continue;
        if (oldest < 0 || this.#slots.seenAt[slot]! < this.#slots.seenAt[oldest]!) oldest = slot;
      }
    }
    if (oldest < 0) return false;
    this.#slots.read(oldest, into, 0);
    return true;
  }

  /** Computes `dueAt` anew: time has passed, and what was due has been done. */
  updateDueAt(): void {
    let at = Number.POSITIVE_INFINITY;
    for (let bucket = 0; bucket < this.#bucketCount; bucket++) {
      const used = this.#used[bucket]!;
      if (used < this.bucketSize) at = Math.min(at, this.#changedAt[bucket]! + GOOD_FOR_MS);
      const first = this.#rowStart(bucket);
      for (let slot = first; slot < first + used; slot++) {
        at = Math.min(at, this.#slots.dueAt(slot));
      }
    }
    this.dueAt = this.#size === 0 ? Number.POSITIVE_INFINITY : at;
  }

  /**
   * A bucket with room in which nothing has changed for 15 minutes (BEP 5: it wants a refresh), the one that waits longest;
   * -1 when there is none. A full one needs no search: its nodes are pinged when they get questionable.
   */
  staleBucket(now: number): number {
    let stale = -1;
    for (let bucket = 0; bucket < this.#bucketCount; bucket++) {
      if (this.#used[bucket]! >= this.bucketSize) continue;
      if (this.#changedAt[bucket]! + GOOD_FOR_MS > now) continue;
      if (stale < 0 || this.#changedAt[bucket]! < this.#changedAt[stale]!) stale = bucket;
    }
    return stale;
  }

  /** Whether a bucket has a free place. */
  hasRoom(bucket: number): boolean {
    return this.#used[bucket]! < this.bucketSize;
  }

  /** Notes that a bucket is being refreshed. */
  handleRefresh(now: number, bucket: number): void {
    this.#changedAt[bucket] = now;
  }

  /** A random id in the range of a bucket, to search for. */
  randomIdIn(bucket: number, random: () => number): Uint8Array {
    const isLast = bucket === this.#bucketCount - 1;
    return isLast
      ? randomIdWithPrefix(this.#ownId, bucket, random)
      : randomIdInBucket(this.#ownId, bucket, random);
  }

  /** All nodes that are not bad, in one array, those nearest to our id first. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#size * this.nodeBytes);
    let at = 0;
    for (let bucket = this.#bucketCount - 1; bucket >= 0; bucket--) {
      const first = this.#rowStart(bucket);
      for (let slot = first; slot < first + this.#used[bucket]!; slot++) {
        if (!this.#slots.isBad(slot)) at = this.#slots.read(slot, bytes, at);
      }
    }
    return bytes.slice(0, at);
  }

  /** Sorts all nodes again around another id of ours (BEP 42: our address has changed). */
  changeOwnId(ownId: Uint8Array): void {
    const { bucketSize, family } = this;
    const table = new RoutingTable({ family, ownId, bucketSize });
    const node = new Uint8Array(this.nodeBytes);
    for (let bucket = this.#bucketCount - 1; bucket >= 0; bucket--) {
      const first = this.#rowStart(bucket);
      for (let slot = first; slot < first + this.#used[bucket]!; slot++) {
        this.#slots.read(slot, node, 0);
        table.handleAnswer(this.#slots.seenAt[slot]!, node);
      }
    }
    this.#ownId = table.#ownId;
    this.#bucketCount = table.#bucketCount;
    this.#size = table.#size;
    this.#slots = table.#slots;
    this.#used = table.#used;
    this.#spares = table.#spares;
    this.#changedAt = table.#changedAt;
    this.updateDueAt();
  }

  counts(now: number): TableCounts {
    let good = 0;
    let bad = 0;
    let spare = 0;
    for (let bucket = 0; bucket < this.#bucketCount; bucket++) {
      spare += this.#spares[bucket]!;
      const first = this.#rowStart(bucket);
      for (let slot = first; slot < first + this.#used[bucket]!; slot++) {
        if (this.#slots.isGood(now, slot)) good++;
        else if (this.#slots.isBad(slot)) bad++;
      }
    }
    const buckets = this.#bucketCount;
    return { good, questionable: this.#size - good - bad, bad, spare, buckets };
  }

  /** Finds a place for a node that is not in the table. */
  #enter(now: number, node: Uint8Array): TableOutcome {
    const standing = this.#slots.standingOf(node);
    for (;;) {
      const bucket = this.#bucketOf(node);
      const used = this.#used[bucket]!;
      const rival = this.#rivalOf(bucket, node, standing);
      if (rival >= 0) {
        const isBetter =
          standing === STANDING.bound && this.#slots.standings[rival] === STANDING.unbound;
        const isGone = this.#slots.hasEndpoint(rival, node);
        if (!isBetter && !isGone && !this.#slots.isBad(rival)) return 'refused';
        return this.#put(now, bucket, rival, node, standing);
      }
      if (used < this.bucketSize) return this.#add(now, bucket, node, standing);
      const bad = this.#findBad(bucket);
      if (bad >= 0) return this.#put(now, bucket, bad, node, standing);
      if (this.#mayBeSplit(bucket)) {
        this.#split();
        continue;
      }
      const unbound = standing === STANDING.unbound ? -1 : this.#findUnbound(bucket);
      if (unbound >= 0) return this.#put(now, bucket, unbound, node, standing);
      return this.#keepSpare(now, bucket, node, standing);
    }
  }

  /** The node that must go if this one comes: at the same public address (an IPv6 /64 is one), or at the same endpoint. */
  #rivalOf(bucket: number, node: Uint8Array, standing: Standing): number {
    const used = this.#used[bucket]!;
    if (standing !== STANDING.exempt) return this.#findAddress(bucket, 0, used, node);
    const first = this.#rowStart(bucket);
    for (let slot = first; slot < first + used; slot++) {
      if (this.#slots.hasEndpoint(slot, node)) return slot;
    }
    return -1;
  }

  /** The bad node of a full bucket that failed most often; -1 when there is none. */
  #findBad(bucket: number): number {
    const first = this.#rowStart(bucket);
    let worst = -1;
    for (let slot = first; slot < first + this.bucketSize; slot++) {
      if (!this.#slots.isBad(slot)) continue;
      if (worst < 0 || this.#slots.failures[slot]! > this.#slots.failures[worst]!) worst = slot;
    }
    return worst;
  }

  /** The node of a full bucket whose id isn't bound to its public address (BEP 42), the longest silent of such. */
  #findUnbound(bucket: number): number {
    const first = this.#rowStart(bucket);
    let oldest = -1;
    for (let slot = first; slot < first + this.bucketSize; slot++) {
      if (this.#slots.standings[slot] !== STANDING.unbound) continue;
      if (oldest < 0 || this.#slots.seenAt[slot]! < this.#slots.seenAt[oldest]!) oldest = slot;
    }
    return oldest;
  }

  #put(now: number, bucket: number, slot: number, node: Uint8Array, standing: Standing): 'added' {
    const spare = this.#find(bucket, this.bucketSize, this.#spares[bucket]!, node);
    if (spare >= 0) this.#removeSpare(bucket, spare);
    this.#slots.write(now, slot, node, standing);
    this.#changedAt[bucket] = now;
    this.dueAt = Math.min(this.dueAt, now + GOOD_FOR_MS);
    return 'added';
  }

  #add(now: number, bucket: number, node: Uint8Array, standing: Standing): 'added' {
    const slot = this.#rowStart(bucket) + this.#used[bucket]!;
    this.#used[bucket]!++;
    this.#size++;
    return this.#put(now, bucket, slot, node, standing);
  }

  #keepSpare(now: number, bucket: number, node: Uint8Array, standing: Standing): 'spare' {
    const first = this.#rowStart(bucket) + this.bucketSize;
    const spares = this.#spares[bucket]!;
    let slot = this.#find(bucket, this.bucketSize, spares, node);
    if (slot < 0 && standing !== STANDING.exempt) {
      slot = this.#findAddress(bucket, this.bucketSize, spares, node);
    }
    if (slot < 0) {
      if (spares < this.bucketSize) {
        slot = first + spares;
        this.#spares[bucket]!++;
      } else {
        slot = first;
        for (let i = first + 1; i < first + spares; i++) {
          if (this.#slots.seenAt[i]! < this.#slots.seenAt[slot]!) slot = i;
        }
      }
    }
    this.#slots.write(now, slot, node, standing);
    return 'spare';
  }

  /** Gives a free place to the spare that answered last. */
  #promoteSpare(bucket: number): void {
    const first = this.#rowStart(bucket) + this.bucketSize;
    let newest = -1;
    for (let slot = first; slot < first + this.#spares[bucket]!; slot++) {
      if (newest < 0 || this.#slots.seenAt[slot]! > this.#slots.seenAt[newest]!) newest = slot;
    }
    if (newest < 0) return;
    const node = this.#slots.nodes.slice(newest * this.nodeBytes, (newest + 1) * this.nodeBytes);
    const seenAt = this.#slots.seenAt[newest]!;
    this.#removeSpare(bucket, newest);
    this.#enter(seenAt, node);
  }

  #split(): void {
    const bucket = this.#bucketCount - 1;
    if (this.#bucketCount === this.#used.length) this.#grow();
    this.#bucketCount++;
    this.#changedAt[bucket + 1] = this.#changedAt[bucket]!;
    const first = this.#rowStart(bucket);
    const next = this.#rowStart(bucket + 1);
    for (let part = 0; part < 2; part++) {
      const counts = part === 0 ? this.#used : this.#spares;
      const from = first + part * this.bucketSize;
      const to = next + part * this.bucketSize;
      let stay = 0;
      let move = 0;
      for (let slot = from; slot < from + counts[bucket]!; slot++) {
        const isCloser =
          commonPrefixBits(this.#ownId, 0, this.#slots.nodes, slot * this.nodeBytes) > bucket;
        this.#slots.copy(slot, isCloser ? to + move++ : from + stay++);
      }
      counts[bucket] = stay;
      counts[bucket + 1] = move;
    }
    // A spare may have room now.
    for (let half = bucket; half <= bucket + 1; half++) {
      while (this.#spares[half]! > 0 && this.#used[half]! < this.bucketSize) {
        const before = this.#size;
        this.#promoteSpare(half);
        if (this.#size === before) break;
      }
    }
  }

  #grow(): void {
    const buckets = this.#used.length + GROW_BUCKETS;
    this.#slots.grow(buckets * 2 * this.bucketSize);
    this.#used = grown(new Uint8Array(buckets), this.#used);
    this.#spares = grown(new Uint8Array(buckets), this.#spares);
    this.#changedAt = grown(new Float64Array(buckets), this.#changedAt);
  }

  /** Merges a bucket's nodes into `nearest`, which is in order from `start` and ends at `found`. Returns its new end. */
  #gather(
    bucket: number,
    target: Uint8Array,
    targetAt: number,
    start: number,
    found: number,
    wanted: number,
  ): number {
    const { nodeBytes } = this;
    const nodes = this.#slots.nodes;
    const first = this.#rowStart(bucket);
    const end = first + this.#used[bucket]!;
    let count = found;
    for (let slot = first; slot < end; slot++) {
      if (this.#slots.isBad(slot)) continue;
      const at = slot * nodeBytes;
      let place = count;
      while (
        place > start &&
        compareDistance(nodes, at, nodes, nearest[place - 1]! * nodeBytes, target, targetAt) < 0
      ) {
        place--;
      }
      if (place >= wanted) continue;
      if (count < wanted) count++;
      for (let i = count - 1; i > place; i--) nearest[i] = nearest[i - 1]!;
      nearest[place] = slot;
    }
    return count;
  }

  #isOwn(node: Uint8Array): boolean {
    return equalIds(this.#ownId, 0, node, 0);
  }

  #bucketOf(node: Uint8Array): number {
    return Math.min(commonPrefixBits(this.#ownId, 0, node, 0), this.#bucketCount - 1);
  }

  /** Where the slots of a bucket begin; the spares begin `bucketSize` further. */
  #rowStart(bucket: number): number {
    return bucket * 2 * this.bucketSize;
  }

  #rowOf(slot: number): number {
    return Math.floor(slot / (2 * this.bucketSize));
  }

  #mayBeSplit(bucket: number): boolean {
    return bucket === this.#bucketCount - 1 && this.#bucketCount < MAX_BUCKETS;
  }

  /** The slot of the node with this id and this endpoint, -1 when there is none. */
  #findNode(node: Uint8Array): number {
    const bucket = this.#bucketOf(node);
    const slot = this.#find(bucket, 0, this.#used[bucket]!, node);
    return slot >= 0 && this.#slots.hasEndpoint(slot, node) ? slot : -1;
  }

  /** The slot with this id among `count` of a bucket from its slot `from`, -1 when there is none. */
  #find(bucket: number, from: number, count: number, node: Uint8Array): number {
    const first = this.#rowStart(bucket) + from;
    for (let slot = first; slot < first + count; slot++) {
      if (this.#slots.hasId(slot, node)) return slot;
    }
    return -1;
  }

  #findAddress(bucket: number, from: number, count: number, node: Uint8Array): number {
    const first = this.#rowStart(bucket) + from;
    for (let slot = first; slot < first + count; slot++) {
      if (this.#slots.hasAddress(slot, node)) return slot;
    }
    return -1;
  }

  #isAllGood(now: number, bucket: number): boolean {
    const first = this.#rowStart(bucket);
    for (let slot = first; slot < first + this.#used[bucket]!; slot++) {
      if (!this.#slots.isGood(now, slot)) return false;
    }
    return true;
  }

  /** The last node of the bucket moves into the gap. */
  #removeNode(bucket: number, slot: number): void {
    const last = this.#rowStart(bucket) + --this.#used[bucket]!;
    this.#size--;
    this.#slots.copy(last, slot);
  }

  #removeSpare(bucket: number, slot: number): void {
    const last = this.#rowStart(bucket) + this.bucketSize + --this.#spares[bucket]!;
    this.#slots.copy(last, slot);
  }
}

const FIRST_BUCKETS = 4;
const GROW_BUCKETS = 4;

/** Where `closest` sorts slots. Nothing calls back meanwhile, so that a shared one is safe. */
const nearest = new Int32Array(128);
