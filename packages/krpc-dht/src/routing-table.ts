// The routing table of one address family (BEP 5 "Routing Table", BEP 32): buckets that split where our own id lies, good,
// questionable and bad nodes, a replacement cache, and the rules that keep one address from filling it (BEP 42).
//
// A node is its compact node info (id, address, port) in one byte array, and three numbers beside it, so that fifty thousand
// tables fit in one process. A bucket is a row of slots: the nodes first, behind them the spare ones that would take a place
// that falls free. A node enters only after it has answered a query of ours: hearsay never does.
import { type AddressFamily, addressClassAt } from '@bt/endpoint';
import { nodeLength } from './compact.ts';
import {
  BAD_AFTER_FAILURES,
  FORGET_AFTER_FAILURES,
  GOOD_FOR_MS,
  ID_BYTES,
  MAX_BUCKETS,
  NODES_PER_ANSWER,
  RETRY_MS,
} from './constants.ts';
import {
  commonPrefixBits,
  compareDistance,
  equalIds,
  isIdOfAddress,
  randomIdInBucket,
  randomIdWithPrefix,
} from './node-id.ts';

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
  // By slot.
  #nodes: Uint8Array;
  #seenAt: Float64Array;
  #askedAt: Float64Array;
  #failures: Uint8Array;
  #flags: Uint8Array;
  // By bucket.
  #used: Uint8Array;
  #spares: Uint8Array;
  #changedAt: Float64Array;

  constructor(options: RoutingTableOptions) {
    this.family = options.family;
    this.nodeBytes = nodeLength(options.family);
    this.bucketSize = options.bucketSize ?? NODES_PER_ANSWER;
    this.#ownId = options.ownId.slice();
    const slots = FIRST_BUCKETS * 2 * this.bucketSize;
    this.#nodes = new Uint8Array(slots * this.nodeBytes);
    this.#seenAt = new Float64Array(slots);
    this.#askedAt = new Float64Array(slots);
    this.#failures = new Uint8Array(slots);
    this.#flags = new Uint8Array(slots);
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
      if (this.#hasEndpoint(slot, node)) {
        this.#see(now, slot);
        this.#changedAt[bucket] = now;
        return 'known';
      }
      // Somebody else says that he is a node which is well: the first one stays.
      if (this.#isGood(now, slot)) return 'refused';
      this.#removeNode(bucket, slot);
    }
    return this.#enter(now, node);
  }

  /** Notes that a node of the table has asked us something (BEP 5: that keeps it good). False when it is not in there. */
  handleQuery(now: number, node: Uint8Array): boolean {
    const slot = this.#findNode(node);
    if (slot < 0) return false;
    this.#seenAt[slot] = now;
    return true;
  }

  /** Notes that a query to the node goes out, so that it isn't asked twice at one time. */
  handleAsked(now: number, node: Uint8Array): void {
    const slot = this.#findNode(node);
    if (slot >= 0) this.#askedAt[slot] = now;
  }

  /** Notes that a node has not answered. One that failed twice in a row gives its place to a spare one. */
  handleFailure(node: Uint8Array): void {
    const slot = this.#findNode(node);
    if (slot < 0) return;
    const failures = this.#failures[slot]! + 1;
    this.#failures[slot] = failures;
    this.dueAt = Math.min(this.dueAt, this.#dueAt(slot));
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
    const flags = this.#flagsOf(node);
    if ((flags & PUBLIC) !== 0 && this.#findAddress(bucket, 0, used, node) >= 0) return false;
    if (used < this.bucketSize || this.#mayBeSplit(bucket)) return true;
    const first = this.#rowStart(bucket);
    for (let slot = first; slot < first + used; slot++) {
      if (this.#failures[slot]! >= BAD_AFTER_FAILURES) return true;
      if (flags !== PUBLIC && this.#flags[slot] === PUBLIC) return true;
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
      while (from < end) into[at++] = this.#nodes[from++]!;
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
        if (this.#dueAt(slot) > now) continue;
        if (oldest < 0 || this.#seenAt[slot]! < this.#seenAt[oldest]!) oldest = slot;
      }
    }
    if (oldest < 0) return false;
    this.#copyNode(oldest, into, 0);
    return true;
  }

  /** Computes `dueAt` anew: time has passed, and what was due has been done. */
  updateDueAt(): void {
    let at = Number.POSITIVE_INFINITY;
    for (let bucket = 0; bucket < this.#bucketCount; bucket++) {
      const used = this.#used[bucket]!;
      if (used < this.bucketSize) at = Math.min(at, this.#changedAt[bucket]! + GOOD_FOR_MS);
      const first = this.#rowStart(bucket);
      for (let slot = first; slot < first + used; slot++) at = Math.min(at, this.#dueAt(slot));
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
        if (this.#failures[slot]! < BAD_AFTER_FAILURES) at = this.#copyNode(slot, bytes, at);
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
        this.#copyNode(slot, node, 0);
        table.handleAnswer(this.#seenAt[slot]!, node);
      }
    }
    this.#ownId = table.#ownId;
    this.#bucketCount = table.#bucketCount;
    this.#size = table.#size;
    this.#nodes = table.#nodes;
    this.#seenAt = table.#seenAt;
    this.#askedAt = table.#askedAt;
    this.#failures = table.#failures;
    this.#flags = table.#flags;
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
        if (this.#isGood(now, slot)) good++;
        else if (this.#failures[slot]! >= BAD_AFTER_FAILURES) bad++;
      }
    }
    const buckets = this.#bucketCount;
    return { good, questionable: this.#size - good - bad, bad, spare, buckets };
  }

  /** Finds a place for a node that is not in the table. */
  #enter(now: number, node: Uint8Array): TableOutcome {
    const flags = this.#flagsOf(node);
    for (;;) {
      const bucket = this.#bucketOf(node);
      const used = this.#used[bucket]!;
      const rival = this.#rivalOf(bucket, node, flags);
      if (rival >= 0) {
        const isBetter = (flags & BOUND) !== 0 && (this.#flags[rival]! & BOUND) === 0;
        const isGone = this.#hasEndpoint(rival, node);
        if (!isBetter && !isGone && this.#failures[rival]! < BAD_AFTER_FAILURES) return 'refused';
        return this.#put(now, bucket, rival, node, flags);
      }
      if (used < this.bucketSize) return this.#add(now, bucket, node, flags);
      const bad = this.#findReplaceable(bucket, flags);
      if (bad >= 0) return this.#put(now, bucket, bad, node, flags);
      if (!this.#mayBeSplit(bucket)) return this.#keepSpare(now, bucket, node, flags);
      this.#split();
    }
  }

  /** The node that must go if this one comes: at the same public address (an IPv6 /64 is one), or at the same endpoint. */
  #rivalOf(bucket: number, node: Uint8Array, flags: number): number {
    const used = this.#used[bucket]!;
    if ((flags & PUBLIC) !== 0) return this.#findAddress(bucket, 0, used, node);
    const first = this.#rowStart(bucket);
    for (let slot = first; slot < first + used; slot++) {
      if (this.#hasEndpoint(slot, node)) return slot;
    }
    return -1;
  }

  /** A bad node, the worst of them, or else one whose id isn't bound to its address where the new one's is (BEP 42). */
  #findReplaceable(bucket: number, flags: number): number {
    const first = this.#rowStart(bucket);
    let worst = -1;
    for (let slot = first; slot < first + this.bucketSize; slot++) {
      if (this.#failures[slot]! < BAD_AFTER_FAILURES) continue;
      if (worst < 0 || this.#failures[slot]! > this.#failures[worst]!) worst = slot;
    }
    if (worst >= 0 || flags === PUBLIC) return worst;
    for (let slot = first; slot < first + this.bucketSize; slot++) {
      if (this.#flags[slot] !== PUBLIC) continue;
      if (worst < 0 || this.#seenAt[slot]! < this.#seenAt[worst]!) worst = slot;
    }
    return worst;
  }

  #put(now: number, bucket: number, slot: number, node: Uint8Array, flags: number): 'added' {
    const spare = this.#find(bucket, this.bucketSize, this.#spares[bucket]!, node);
    if (spare >= 0) this.#removeSpare(bucket, spare);
    this.#write(now, slot, node, flags);
    this.#changedAt[bucket] = now;
    this.dueAt = Math.min(this.dueAt, now + GOOD_FOR_MS);
    return 'added';
  }

  #add(now: number, bucket: number, node: Uint8Array, flags: number): 'added' {
    const slot = this.#rowStart(bucket) + this.#used[bucket]!;
    this.#used[bucket]!++;
    this.#size++;
    return this.#put(now, bucket, slot, node, flags);
  }

  #keepSpare(now: number, bucket: number, node: Uint8Array, flags: number): 'spare' {
    const first = this.#rowStart(bucket) + this.bucketSize;
    const spares = this.#spares[bucket]!;
    let slot = this.#find(bucket, this.bucketSize, spares, node);
    if (slot < 0 && (flags & PUBLIC) !== 0) {
      slot = this.#findAddress(bucket, this.bucketSize, spares, node);
    }
    if (slot < 0) {
      if (spares < this.bucketSize) {
        slot = first + spares;
        this.#spares[bucket]!++;
      } else {
        slot = first;
        for (let i = first + 1; i < first + spares; i++) {
          if (this.#seenAt[i]! < this.#seenAt[slot]!) slot = i;
        }
      }
    }
    this.#write(now, slot, node, flags);
    return 'spare';
  }

  /** Gives a free place to the spare that answered last. */
  #promoteSpare(bucket: number): void {
    const first = this.#rowStart(bucket) + this.bucketSize;
    let newest = -1;
    for (let slot = first; slot < first + this.#spares[bucket]!; slot++) {
      if (newest < 0 || this.#seenAt[slot]! > this.#seenAt[newest]!) newest = slot;
    }
    if (newest < 0) return;
    const node = this.#nodes.slice(newest * this.nodeBytes, (newest + 1) * this.nodeBytes);
    const seenAt = this.#seenAt[newest]!;
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
          commonPrefixBits(this.#ownId, 0, this.#nodes, slot * this.nodeBytes) > bucket;
        this.#copySlot(slot, isCloser ? to + move++ : from + stay++);
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
    const slots = buckets * 2 * this.bucketSize;
    this.#nodes = grown(new Uint8Array(slots * this.nodeBytes), this.#nodes);
    this.#seenAt = grown(new Float64Array(slots), this.#seenAt);
    this.#askedAt = grown(new Float64Array(slots), this.#askedAt);
    this.#failures = grown(new Uint8Array(slots), this.#failures);
    this.#flags = grown(new Uint8Array(slots), this.#flags);
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
    const nodes = this.#nodes;
    const first = this.#rowStart(bucket);
    const end = first + this.#used[bucket]!;
    let count = found;
    for (let slot = first; slot < end; slot++) {
      if (this.#failures[slot]! >= BAD_AFTER_FAILURES) continue;
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
    return slot >= 0 && this.#hasEndpoint(slot, node) ? slot : -1;
  }

  /** The slot with this id among `count` of a bucket from its slot `from`, -1 when there is none. */
  #find(bucket: number, from: number, count: number, node: Uint8Array): number {
    const first = this.#rowStart(bucket) + from;
    for (let slot = first; slot < first + count; slot++) {
      if (this.#matches(slot, node, 0, ID_BYTES)) return slot;
    }
    return -1;
  }

  #findAddress(bucket: number, from: number, count: number, node: Uint8Array): number {
    const first = this.#rowStart(bucket) + from;
    const end = ID_BYTES + (this.family === 4 ? 4 : 8);
    for (let slot = first; slot < first + count; slot++) {
      if (this.#matches(slot, node, ID_BYTES, end)) return slot;
    }
    return -1;
  }

  #hasEndpoint(slot: number, node: Uint8Array): boolean {
    return this.#matches(slot, node, ID_BYTES, this.nodeBytes);
  }

  #matches(slot: number, node: Uint8Array, from: number, to: number): boolean {
    const nodes = this.#nodes;
    const at = slot * this.nodeBytes;
    // From behind: ids of one bucket begin alike.
    for (let i = to - 1; i >= from; i--) if (nodes[at + i] !== node[i]) return false;
    return true;
  }

  #flagsOf(node: Uint8Array): number {
    if (addressClassAt(node, ID_BYTES, this.family) !== 'public') return 0;
    return isIdOfAddress(node, 0, node, ID_BYTES, this.family) ? PUBLIC | BOUND : PUBLIC;
  }

  #isGood(now: number, slot: number): boolean {
    return this.#failures[slot] === 0 && this.#seenAt[slot]! + GOOD_FOR_MS > now;
  }

  #isAllGood(now: number, bucket: number): boolean {
    const first = this.#rowStart(bucket);
    for (let slot = first; slot < first + this.#used[bucket]!; slot++) {
      if (!this.#isGood(now, slot)) return false;
    }
    return true;
  }

  /** When a node wants to be pinged. */
  #dueAt(slot: number): number {
    const failures = this.#failures[slot]!;
    const pause = failures === 0 ? RETRY_MS : RETRY_MS * 2 ** (failures - 1);
    const again = this.#askedAt[slot]! + pause;
    return failures > 0 ? again : Math.max(again, this.#seenAt[slot]! + GOOD_FOR_MS);
  }

  #see(now: number, slot: number): void {
    this.#seenAt[slot] = now;
    this.#failures[slot] = 0;
  }

  #write(now: number, slot: number, node: Uint8Array, flags: number): void {
    const at = slot * this.nodeBytes;
    for (let i = 0; i < this.nodeBytes; i++) this.#nodes[at + i] = node[i]!;
    this.#see(now, slot);
    this.#askedAt[slot] = now;
    this.#flags[slot] = flags;
  }

  #copyNode(slot: number, into: Uint8Array, offset: number): number {
    const at = slot * this.nodeBytes;
    for (let i = 0; i < this.nodeBytes; i++) into[offset + i] = this.#nodes[at + i]!;
    return offset + this.nodeBytes;
  }

  #copySlot(from: number, to: number): void {
    if (from === to) return;
    const { nodeBytes } = this;
    this.#nodes.copyWithin(to * nodeBytes, from * nodeBytes, (from + 1) * nodeBytes);
    this.#seenAt[to] = this.#seenAt[from]!;
    this.#askedAt[to] = this.#askedAt[from]!;
    this.#failures[to] = this.#failures[from]!;
    this.#flags[to] = this.#flags[from]!;
  }

  /** The last node of the bucket moves into the gap. */
  #removeNode(bucket: number, slot: number): void {
    const last = this.#rowStart(bucket) + --this.#used[bucket]!;
    this.#size--;
    this.#copySlot(last, slot);
  }

  #removeSpare(bucket: number, slot: number): void {
    const last = this.#rowStart(bucket) + this.bucketSize + --this.#spares[bucket]!;
    this.#copySlot(last, slot);
  }
}

/** Flags of a node. Neither is set for a node at an address that is not public: the rules of BEP 42 don't apply to it. */
const PUBLIC = 1;
const BOUND = 2;

const FIRST_BUCKETS = 4;
const GROW_BUCKETS = 4;

/** Where `closest` sorts slots. Nothing calls back meanwhile, so that a shared one is safe. */
const nearest = new Int32Array(128);

function grown<T extends Uint8Array | Float64Array>(larger: T, array: T): T {
  larger.set(array);
  return larger;
}
