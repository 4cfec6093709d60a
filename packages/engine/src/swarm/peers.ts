// The connected peers of a torrent: a list to walk, an index by the picker's handle, and those with something to send.

import { networkOf } from '@bt/endpoint';
import type { PeerHandle } from '@bt/picker';
import type { Direction, Peer } from '../peer.ts';

export class Peers implements Iterable<Peer> {
  #list: Peer[] = [];
  #byHandle: (Peer | undefined)[] = [];
  #dirty: Peer[] = [];
  #byNetwork = new Map<string, number>();
  readonly #counts: Record<Direction, number> = { in: 0, out: 0 };

  get size(): number {
    return this.#list.length;
  }

  /** Those that were accepted and those that were dialled. */
  get counts(): Readonly<Record<Direction, number>> {
    return this.#counts;
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#list[Symbol.iterator]();
  }

  /** A copy, for loops in which peers are closed. */
  snapshot(): Peer[] {
    return this.#list.slice();
  }

  add(peer: Peer): void {
    this.#list.push(peer);
    this.#counts[peer.direction] += 1;
    const network = networkOf(peer.endpoint.address);
    this.#byNetwork.set(network, this.countFrom(network) + 1);
  }

  remove(peer: Peer): void {
    const index = this.#list.indexOf(peer);
    if (index < 0) return;
    this.#list.splice(index, 1);
    this.#counts[peer.direction] -= 1;
    if (this.byHandle(peer.handle) === peer) this.#byHandle[peer.handle] = undefined;
    const network = networkOf(peer.endpoint.address);
    const count = this.countFrom(network) - 1;
    if (count > 0) this.#byNetwork.set(network, count);
    else this.#byNetwork.delete(network);
  }

  /** The picker knows the peer by this handle from now on. */
  setHandle(peer: Peer, handle: PeerHandle): void {
    peer.handle = handle;
    this.#byHandle[handle] = peer;
  }

  byHandle(handle: PeerHandle): Peer | undefined {
    return this.#byHandle[handle];
  }

  /** Connections from one network (`networkOf`). */
  countFrom(network: string): number {
    return this.#byNetwork.get(network) ?? 0;
  }

  /** The peer's session has written something: `flushDirty` sends it at the end of this turn. */
  markDirty(peer: Peer): void {
    if (peer.isDirty) return;
    peer.isDirty = true;
    this.#dirty.push(peer);
  }

  flushDirty(now: number): void {
    if (this.#dirty.length === 0) return;
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const peer of dirty) peer.flush(now);
  }
}
