// The routing table of one address family (BEP 5 "Routing Table", BEP 32): buckets that split where our own id lies, good,
// questionable and bad nodes, a replacement cache, and the rules that keep one address from filling it (BEP 42).
//
// A node is its compact node info (id, address, port) in one byte array, and three numbers beside it, so that fifty thousand
// tables fit in one process; where it stands is decided by bucket-rows.ts. It enters only after it has answered a query of ours:
// hearsay never does.
import type { AddressFamily } from '@bt/endpoint';
import { BucketRows, nearest } from './bucket-rows.ts';
import {
  BAD_AFTER_FAILURES,
  FORGET_AFTER_FAILURES,
  GOOD_FOR_MS,
  MAX_BUCKETS,
  NODES_PER_ANSWER,
} from './constants.ts';
import { commonPrefixBits, equalIds, randomIdInBucket, randomIdWithPrefix } from './node-id.ts';
import { STANDING, type Standing } from './node-slots.ts';

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
  #rows: BucketRows;

  constructor(options: RoutingTableOptions) {
    this.family = options.family;
    this.bucketSize = options.bucketSize ?? NODES_PER_ANSWER;
    this.#ownId = options.ownId.slice();
    this.#rows = new BucketRows(options.family, this.bucketSize);
    this.nodeBytes = this.#rows.nodeBytes;
  }

  /** Nodes in the table, spare ones left out. */
  get size(): number {
    return this.#rows.size;
  }

  get bucketCount(): number {
    return this.#bucketCount;
  }

  /** Takes in, or refreshes, a node that has just answered a query of ours. */
  handleAnswer(now: number, node: Uint8Array): TableOutcome {
    if (this.#isOwn(node)) return 'refused';
    const bucket = this.#bucketOf(node);
    const slot = this.#rows.find(bucket, 0, this.#rows.used[bucket]!, node);
    if (slot >= 0) {
      if (this.#rows.slots.hasEndpoint(slot, node)) {
        this.#rows.slots.see(now, slot);
        this.#rows.changedAt[bucket] = now;
        return 'known';
      }
      // Somebody else says that he is a node which is well: the first one stays.
      if (this.#rows.slots.isGood(now, slot)) return 'refused';
      this.#rows.removeNode(bucket, slot);
    }
    return this.#enter(now, node);
  }

  /** Notes that a node of the table has asked us something (BEP 5: that keeps it good). False when it is not in there. */
  handleQuery(now: number, node: Uint8Array): boolean {
    const slot = this.#findNode(node);
    if (slot < 0) return false;
    this.#rows.slots.seenAt[slot] = now;
    return true;
  }

  /** Notes that a query to the node goes out, so that it isn't asked twice at one time. */
  handleAsked(now: number, node: Uint8Array): void {
    const slot = this.#findNode(node);
    if (slot >= 0) this.#rows.slots.askedAt[slot] = now;
  }

  /**
   * Notes that a node has not answered. One that failed twice in a row gives its place to a spare one. `isLineUp`: it is not
   * our own line that was down; else only one that is bad already is blamed.
   */
  handleFailure(node: Uint8Array, isLineUp = true): void {
    const slot = this.#findNode(node);
    if (slot < 0 || (!isLineUp && !this.#rows.slots.isBad(slot))) return;
    const failures = this.#rows.slots.failures[slot]! + 1;
    this.#rows.slots.failures[slot] = failures;
    this.dueAt = Math.min(this.dueAt, this.#rows.slots.dueAt(slot));
    if (failures < BAD_AFTER_FAILURES) return;
    const bucket = this.#rows.rowOf(slot);
    if (this.#rows.spares[bucket]! > 0 || failures >= FORGET_AFTER_FAILURES) {
      this.#rows.removeNode(bucket, slot);
      this.#promoteSpare(bucket);
    }
  }

  /** Takes a node out: what lives at its address is another one now. */
  remove(node: Uint8Array): void {
    const slot = this.#findNode(node);
    if (slot < 0) return;
    const bucket = this.#rows.rowOf(slot);
    this.#rows.removeNode(bucket, slot);
    this.#promoteSpare(bucket);
  }

  /** Whether a node that is not in the table would get a place in it if it answered: whether a ping is worth its packet. */
  wants(now: number, node: Uint8Array): boolean {
    if (this.#isOwn(node)) return false;
    const bucket = this.#bucketOf(node);
    const used = this.#rows.used[bucket]!;
    if (this.#rows.find(bucket, 0, used, node) >= 0) return false;
    const standing = this.#rows.slots.standingOf(node);
    if (standing !== STANDING.exempt && this.#rows.findAddress(bucket, 0, used, node) >= 0)
      return false;
    if (used < this.bucketSize || this.#mayBeSplit(bucket)) return true;
    const first = this.#rows.rowStart(bucket);
    for (let slot = first; slot < first + used; slot++) {
      if (this.#rows.slots.isBad(slot)) return true;
      const isUnbound = this.#rows.slots.standings[slot] === STANDING.unbound;
      if (isUnbound && standing !== STANDING.unbound) return true;
    }
    // A bucket with a node in doubt likes to have a replacement at hand.
    return this.#rows.spares[bucket] === 0 && !this.#rows.isAllGood(now, bucket);
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
    const rows = this.#rows;
    let found = rows.gather(bucket, target, targetAt, 0, 0, wanted);
    const group = found;
    for (let next = bucket + 1; next < this.#bucketCount && group < wanted; next++) {
      found = rows.gather(next, target, targetAt, group, found, wanted);
    }
    for (let next = bucket - 1; next >= 0 && found < wanted; next--) {
      found = rows.gather(next, target, targetAt, found, found, wanted);
    }
    const { nodeBytes } = this;
    const { nodes } = rows.slots;
    let at = offset;
    for (let i = 0; i < found; i++) {
      let from = nearest[i]! * nodeBytes;
      const end = from + nodeBytes;
      while (from < end) into[at++] = nodes[from++]!;
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
      const first = this.#rows.rowStart(bucket);
      for (let slot = first; slot < first + this.#rows.used[bucket]!; slot++) {
        if (this.#rows.slots.dueAt(slot) > now) continue;
        if (oldest < 0 || this.#rows.slots.seenAt[slot]! < this.#rows.slots.seenAt[oldest]!)
          oldest = slot;
      }
    }
    if (oldest < 0) return false;
    this.#rows.slots.read(oldest, into, 0);
    return true;
  }

  /** Computes `dueAt` anew: time has passed, and what was due has been done. */
  updateDueAt(): void {
    let at = Number.POSITIVE_INFINITY;
    for (let bucket = 0; bucket < this.#bucketCount; bucket++) {
      const used = this.#rows.used[bucket]!;
      if (used < this.bucketSize) at = Math.min(at, this.#rows.changedAt[bucket]! + GOOD_FOR_MS);
      const first = this.#rows.rowStart(bucket);
      for (let slot = first; slot < first + used; slot++) {
        at = Math.min(at, this.#rows.slots.dueAt(slot));
      }
    }
    this.dueAt = this.#rows.size === 0 ? Number.POSITIVE_INFINITY : at;
  }

  /**
   * A bucket with room in which nothing has changed for 15 minutes (BEP 5: it wants a refresh), the one that waits longest;
   * -1 when there is none. A full one needs no search: its nodes are pinged when they get questionable.
   */
  staleBucket(now: number): number {
    let stale = -1;
    for (let bucket = 0; bucket < this.#bucketCount; bucket++) {
      if (this.#rows.used[bucket]! >= this.bucketSize) continue;
      if (this.#rows.changedAt[bucket]! + GOOD_FOR_MS > now) continue;
      if (stale < 0 || this.#rows.changedAt[bucket]! < this.#rows.changedAt[stale]!) stale = bucket;
    }
    return stale;
  }

  /** Whether a bucket has a free place. */
  hasRoom(bucket: number): boolean {
    return this.#rows.used[bucket]! < this.bucketSize;
  }

  /** Notes that a bucket is being refreshed. */
  handleRefresh(now: number, bucket: number): void {
    this.#rows.changedAt[bucket] = now;
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
    const bytes = new Uint8Array(this.#rows.size * this.nodeBytes);
    let at = 0;
    for (let bucket = this.#bucketCount - 1; bucket >= 0; bucket--) {
      const first = this.#rows.rowStart(bucket);
      for (let slot = first; slot < first + this.#rows.used[bucket]!; slot++) {
        if (!this.#rows.slots.isBad(slot)) at = this.#rows.slots.read(slot, bytes, at);
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
      const first = this.#rows.rowStart(bucket);
      for (let slot = first; slot < first + this.#rows.used[bucket]!; slot++) {
        this.#rows.slots.read(slot, node, 0);
        table.handleAnswer(this.#rows.slots.seenAt[slot]!, node);
      }
    }
    this.#ownId = table.#ownId;
    this.#bucketCount = table.#bucketCount;
    this.#rows = table.#rows;
    this.updateDueAt();
  }

  counts(now: number): TableCounts {
    let good = 0;
    let bad = 0;
    let spare = 0;
    for (let bucket = 0; bucket < this.#bucketCount; bucket++) {
      spare += this.#rows.spares[bucket]!;
      const first = this.#rows.rowStart(bucket);
      for (let slot = first; slot < first + this.#rows.used[bucket]!; slot++) {
        if (this.#rows.slots.isGood(now, slot)) good++;
        else if (this.#rows.slots.isBad(slot)) bad++;
      }
    }
    const buckets = this.#bucketCount;
    return { good, questionable: this.#rows.size - good - bad, bad, spare, buckets };
  }

  /** Finds a place for a node that is not in the table. */
  #enter(now: number, node: Uint8Array): TableOutcome {
    const standing = this.#rows.slots.standingOf(node);
    for (;;) {
      const bucket = this.#bucketOf(node);
      const used = this.#rows.used[bucket]!;
      const rival = this.#rivalOf(bucket, node, standing);
      if (rival >= 0) {
        const isBetter =
          standing === STANDING.bound && this.#rows.slots.standings[rival] === STANDING.unbound;
        const isGone = this.#rows.slots.hasEndpoint(rival, node);
        if (!isBetter && !isGone && !this.#rows.slots.isBad(rival)) return 'refused';
        return this.#put(now, bucket, rival, node, standing);
      }
      if (used < this.bucketSize) return this.#add(now, bucket, node, standing);
      const bad = this.#rows.findBad(bucket);
      if (bad >= 0) return this.#put(now, bucket, bad, node, standing);
      if (this.#mayBeSplit(bucket)) {
        this.#split();
        continue;
      }
      const unbound = standing === STANDING.unbound ? -1 : this.#rows.findUnbound(bucket);
      if (unbound >= 0) return this.#put(now, bucket, unbound, node, standing);
      return this.#keepSpare(now, bucket, node, standing);
    }
  }

  /** The node that must go if this one comes: at the same public address (an IPv6 /64 is one), or at the same endpoint. */
  #rivalOf(bucket: number, node: Uint8Array, standing: Standing): number {
    const used = this.#rows.used[bucket]!;
    if (standing !== STANDING.exempt) return this.#rows.findAddress(bucket, 0, used, node);
    const first = this.#rows.rowStart(bucket);
    for (let slot = first; slot < first + used; slot++) {
      if (this.#rows.slots.hasEndpoint(slot, node)) return slot;
    }
    return -1;
  }

  #put(now: number, bucket: number, slot: number, node: Uint8Array, standing: Standing): 'added' {
    const spare = this.#rows.find(bucket, this.bucketSize, this.#rows.spares[bucket]!, node);
    if (spare >= 0) this.#rows.removeSpare(bucket, spare);
    this.#rows.slots.write(now, slot, node, standing);
    this.#rows.changedAt[bucket] = now;
    this.dueAt = Math.min(this.dueAt, now + GOOD_FOR_MS);
    return 'added';
  }

  #add(now: number, bucket: number, node: Uint8Array, standing: Standing): 'added' {
    const slot = this.#rows.rowStart(bucket) + this.#rows.used[bucket]!;
    this.#rows.used[bucket]!++;
    this.#rows.size++;
    return this.#put(now, bucket, slot, node, standing);
  }

  #keepSpare(now: number, bucket: number, node: Uint8Array, standing: Standing): 'spare' {
    const first = this.#rows.rowStart(bucket) + this.bucketSize;
    const spares = this.#rows.spares[bucket]!;
    let slot = this.#rows.find(bucket, this.bucketSize, spares, node);
    if (slot < 0 && standing !== STANDING.exempt) {
      slot = this.#rows.findAddress(bucket, this.bucketSize, spares, node);
    }
    if (slot < 0) {
      if (spares < this.bucketSize) {
        slot = first + spares;
        this.#rows.spares[bucket]!++;
      } else {
        slot = first;
        for (let i = first + 1; i < first + spares; i++) {
          if (this.#rows.slots.seenAt[i]! < this.#rows.slots.seenAt[slot]!) slot = i;
        }
      }
    }
    this.#rows.slots.write(now, slot, node, standing);
    return 'spare';
  }

  /** Gives a free place to the spare that answered last. */
  #promoteSpare(bucket: number): void {
    const first = this.#rows.rowStart(bucket) + this.bucketSize;
    let newest = -1;
    for (let slot = first; slot < first + this.#rows.spares[bucket]!; slot++) {
      if (newest < 0 || this.#rows.slots.seenAt[slot]! > this.#rows.slots.seenAt[newest]!)
        newest = slot;
    }
    if (newest < 0) return;
    const node = this.#rows.slots.nodes.slice(
      newest * this.nodeBytes,
      (newest + 1) * this.nodeBytes,
    );
    const seenAt = this.#rows.slots.seenAt[newest]!;
    this.#rows.removeSpare(bucket, newest);
    this.#enter(seenAt, node);
  }

  #split(): void {
    const bucket = this.#bucketCount - 1;
    if (this.#bucketCount === this.#rows.used.length) this.#rows.grow();
    this.#bucketCount++;
    this.#rows.changedAt[bucket + 1] = this.#rows.changedAt[bucket]!;
    const first = this.#rows.rowStart(bucket);
    const next = this.#rows.rowStart(bucket + 1);
    for (let part = 0; part < 2; part++) {
      const counts = part === 0 ? this.#rows.used : this.#rows.spares;
      const from = first + part * this.bucketSize;
      const to = next + part * this.bucketSize;
      let stay = 0;
      let move = 0;
      for (let slot = from; slot < from + counts[bucket]!; slot++) {
        const isCloser =
          commonPrefixBits(this.#ownId, 0, this.#rows.slots.nodes, slot * this.nodeBytes) > bucket;
        this.#rows.slots.copy(slot, isCloser ? to + move++ : from + stay++);
      }
      counts[bucket] = stay;
      counts[bucket + 1] = move;
    }
    // A spare may have room now.
    for (let half = bucket; half <= bucket + 1; half++) {
      while (this.#rows.spares[half]! > 0 && this.#rows.used[half]! < this.bucketSize) {
        const before = this.#rows.size;
        this.#promoteSpare(half);
        if (this.#rows.size === before) break;
      }
    }
  }

  #isOwn(node: Uint8Array): boolean {
    return equalIds(this.#ownId, 0, node, 0);
  }

  #bucketOf(node: Uint8Array): number {
    return Math.min(commonPrefixBits(this.#ownId, 0, node, 0), this.#bucketCount - 1);
  }

  #mayBeSplit(bucket: number): boolean {
    return bucket === this.#bucketCount - 1 && this.#bucketCount < MAX_BUCKETS;
  }

  /** The slot of the node with this id and this endpoint, -1 when there is none. */
  #findNode(node: Uint8Array): number {
    const bucket = this.#bucketOf(node);
    const slot = this.#rows.find(bucket, 0, this.#rows.used[bucket]!, node);
    return slot >= 0 && this.#rows.slots.hasEndpoint(slot, node) ? slot : -1;
  }
}
