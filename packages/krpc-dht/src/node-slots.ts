// The memory of a routing table: nodes in numbered slots, each the bytes of its compact node info and a few numbers beside it.
import { type AddressFamily, addressClassAt } from '@bt/endpoint';
import { nodeLength } from './compact.ts';
import { BAD_AFTER_FAILURES, GOOD_FOR_MS, ID_BYTES, RETRY_MS } from './constants.ts';
import { isIdOfAddress } from './node-id.ts';

/** What BEP 42 says of a node: its rules don't apply to one at an address that is not public. */
export const STANDING = { exempt: 0, bound: 1, unbound: 2 } as const;

export type Standing = (typeof STANDING)[keyof typeof STANDING];

export class NodeSlots {
  readonly family: AddressFamily;
  readonly nodeBytes: number;
  nodes: Uint8Array;
  /** When a node last answered or asked. */
  seenAt: Float64Array;
  /** When it was last asked. */
  askedAt: Float64Array;
  /** Queries that it did not answer, in a row. */
  failures: Uint8Array;
  standings: Uint8Array;

  constructor(family: AddressFamily, count: number) {
    this.family = family;
    this.nodeBytes = nodeLength(family);
    this.nodes = new Uint8Array(count * this.nodeBytes);
    this.seenAt = new Float64Array(count);
    this.askedAt = new Float64Array(count);
    this.failures = new Uint8Array(count);
    this.standings = new Uint8Array(count);
  }

  /** Makes room for `count` slots. */
  grow(count: number): void {
    this.nodes = grown(new Uint8Array(count * this.nodeBytes), this.nodes);
    this.seenAt = grown(new Float64Array(count), this.seenAt);
    this.askedAt = grown(new Float64Array(count), this.askedAt);
    this.failures = grown(new Uint8Array(count), this.failures);
    this.standings = grown(new Uint8Array(count), this.standings);
  }

  /** Puts a node that has just answered into a slot. */
  write(now: number, slot: number, node: Uint8Array, standing: Standing): void {
    const at = slot * this.nodeBytes;
    for (let i = 0; i < this.nodeBytes; i++) this.nodes[at + i] = node[i]!;
    this.see(now, slot);
    this.askedAt[slot] = now;
    this.standings[slot] = standing;
  }

  /** Notes that a node has answered. */
  see(now: number, slot: number): void {
    this.seenAt[slot] = now;
    this.failures[slot] = 0;
  }

  /** Copies the compact node info of a slot, and gives the offset behind it. */
  read(slot: number, into: Uint8Array, offset: number): number {
    let from = slot * this.nodeBytes;
    let at = offset;
    for (const end = from + this.nodeBytes; from < end; from++) into[at++] = this.nodes[from]!;
    return at;
  }

  copy(from: number, to: number): void {
    if (from === to) return;
    const { nodeBytes } = this;
    this.nodes.copyWithin(to * nodeBytes, from * nodeBytes, (from + 1) * nodeBytes);
    this.seenAt[to] = this.seenAt[from]!;
    this.askedAt[to] = this.askedAt[from]!;
    this.failures[to] = this.failures[from]!;
    this.standings[to] = this.standings[from]!;
  }

  /** What BEP 42 says of a node. */
  standingOf(node: Uint8Array): Standing {
    if (addressClassAt(node, ID_BYTES, this.family) !== 'public') return STANDING.exempt;
    const isBound = isIdOfAddress(node, 0, node, ID_BYTES, this.family);
    return isBound ? STANDING.bound : STANDING.unbound;
  }

  hasId(slot: number, node: Uint8Array): boolean {
    return this.#matches(slot, node, 0, ID_BYTES);
  }

  hasEndpoint(slot: number, node: Uint8Array): boolean {
    return this.#matches(slot, node, ID_BYTES, this.nodeBytes);
  }

  /** Whether both are at one address, or in one IPv6 /64. */
  hasAddress(slot: number, node: Uint8Array): boolean {
    return this.#matches(slot, node, ID_BYTES, ID_BYTES + (this.family === 4 ? 4 : 8));
  }

  isGood(now: number, slot: number): boolean {
    return this.failures[slot] === 0 && this.seenAt[slot]! + GOOD_FOR_MS > now;
  }

  isBad(slot: number): boolean {
    return this.failures[slot]! >= BAD_AFTER_FAILURES;
  }

  /** When a node wants to be pinged. */
  dueAt(slot: number): number {
    const failures = this.failures[slot]!;
    const pause = failures === 0 ? RETRY_MS : RETRY_MS * 2 ** (failures - 1);
    const again = this.askedAt[slot]! + pause;
    return failures > 0 ? again : Math.max(again, this.seenAt[slot]! + GOOD_FOR_MS);
  }

  #matches(slot: number, node: Uint8Array, from: number, to: number): boolean {
    const { nodes } = this;
    const at = slot * this.nodeBytes;
    // From behind: ids of one bucket begin alike.
    for (let i = to - 1; i >= from; i--) if (nodes[at + i] !== node[i]) return false;
    return true;
  }
}

export function grown<T extends Uint8Array | Float64Array>(larger: T, array: T): T {
  larger.set(array);
  return larger;
}
