// The rows of a routing table: of each bucket its nodes, behind them the spare ones that would take a place that falls free. What
// stands where, and how it is found; who may enter is the table's affair (routing-table.ts).
import type { AddressFamily } from '@bt/endpoint';
import { compareDistance } from './node-id.ts';
import { grown, NodeSlots, STANDING } from './node-slots.ts';

const FIRST_BUCKETS = 4;
const GROW_BUCKETS = 4;

export class BucketRows {
  readonly bucketSize: number;
  readonly nodeBytes: number;
  /** A bucket has `bucketSize` slots for nodes and as many for spare ones. */
  readonly slots: NodeSlots;
  /** Nodes in all, spare ones left out. */
  size = 0;
  // By bucket: nodes, spare ones, and when it last changed.
  used: Uint8Array = new Uint8Array(FIRST_BUCKETS);
  spares: Uint8Array = new Uint8Array(FIRST_BUCKETS);
  changedAt: Float64Array = new Float64Array(FIRST_BUCKETS);

  constructor(family: AddressFamily, bucketSize: number) {
    this.bucketSize = bucketSize;
    this.slots = new NodeSlots(family, FIRST_BUCKETS * 2 * bucketSize);
    this.nodeBytes = this.slots.nodeBytes;
  }

  /** Where the slots of a bucket begin; the spares begin `bucketSize` further. */
  rowStart(bucket: number): number {
    return bucket * 2 * this.bucketSize;
  }

  /** The bucket of a slot. */
  rowOf(slot: number): number {
    return Math.floor(slot / (2 * this.bucketSize));
  }

  /** The bad node of a full bucket that failed most often; -1 when there is none. */
  findBad(bucket: number): number {
    const first = this.rowStart(bucket);
    let worst = -1;
    for (let slot = first; slot < first + this.bucketSize; slot++) {
      if (!this.slots.isBad(slot)) continue;
      if (worst < 0 || this.slots.failures[slot]! > this.slots.failures[worst]!) worst = slot;
    }
    return worst;
  }

  /** The node of a full bucket whose id isn't bound to its public address (BEP 42), the longest silent of such. */
  findUnbound(bucket: number): number {
    const first = this.rowStart(bucket);
    let oldest = -1;
    for (let slot = first; slot < first + this.bucketSize; slot++) {
      if (this.slots.standings[slot] !== STANDING.unbound) continue;
      if (oldest < 0 || this.slots.seenAt[slot]! < this.slots.seenAt[oldest]!) oldest = slot;
    }
    return oldest;
  }

  /** The slot with this id among `count` of a bucket from its slot `from`, -1 when there is none. */
  find(bucket: number, from: number, count: number, node: Uint8Array): number {
    const first = this.rowStart(bucket) + from;
    for (let slot = first; slot < first + count; slot++) {
      if (this.slots.hasId(slot, node)) return slot;
    }
    return -1;
  }

  /** The same by address; an IPv6 /64 is one. */
  findAddress(bucket: number, from: number, count: number, node: Uint8Array): number {
    const first = this.rowStart(bucket) + from;
    for (let slot = first; slot < first + count; slot++) {
      if (this.slots.hasAddress(slot, node)) return slot;
    }
    return -1;
  }

  /** Whether all nodes of a bucket are good. */
  isAllGood(now: number, bucket: number): boolean {
    const first = this.rowStart(bucket);
    for (let slot = first; slot < first + this.used[bucket]!; slot++) {
      if (!this.slots.isGood(now, slot)) return false;
    }
    return true;
  }

  /** The last node of the bucket moves into the gap. */
  removeNode(bucket: number, slot: number): void {
    const last = this.rowStart(bucket) + --this.used[bucket]!;
    this.size--;
    this.slots.copy(last, slot);
  }

  /** So does the last spare one. */
  removeSpare(bucket: number, slot: number): void {
    const last = this.rowStart(bucket) + this.bucketSize + --this.spares[bucket]!;
    this.slots.copy(last, slot);
  }

  /** Merges a bucket's nodes into `nearest`, which is in order from `start` and ends at `found`. Returns its new end. */
  gather(
    bucket: number,
    target: Uint8Array,
    targetAt: number,
    start: number,
    found: number,
    wanted: number,
  ): number {
    const { nodeBytes, slots } = this;
    const { nodes } = slots;
    const first = this.rowStart(bucket);
    const end = first + this.used[bucket]!;
    let count = found;
    for (let slot = first; slot < end; slot++) {
      if (slots.isBad(slot)) continue;
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

  /** Makes room for some more buckets. */
  grow(): void {
    const buckets = this.used.length + GROW_BUCKETS;
    this.slots.grow(buckets * 2 * this.bucketSize);
    this.used = grown(new Uint8Array(buckets), this.used);
    this.spares = grown(new Uint8Array(buckets), this.spares);
    this.changedAt = grown(new Float64Array(buckets), this.changedAt);
  }
}

/** Slots of the nodes that `gather` has found, in order. Nothing calls back meanwhile, so that a shared one is safe. */
export const nearest = new Int32Array(128);
