// One question to the nodes nearest to a target, in every overlay that this node takes part in: a lookup in each, which tell
// each other of nodes of the other family (BEP 32 "Bootstrapping"; in steady state each asks for its own alone).
import { readCompact } from '@bt/endpoint';
import { ID_BYTES } from './constants.ts';
import type { NodeInfo, SearchCost } from './effects.ts';
import type { QueryArguments } from './encode.ts';
import { type Entrance, Lookup, type LookupOwner } from './lookup.ts';
import type { Message, Method } from './message.ts';
import type { Overlay, Overlays } from './overlay.ts';
import type { Querier } from './querier.ts';

export interface SearchOptions {
  readonly querier: Querier;
  readonly overlays: Overlays;
  /** 20 bytes. */
  readonly target: Uint8Array;
  readonly method: Method;
  /** Without `target`, `infoHash`, `wantsIpv4` and `wantsIpv6`. */
  readonly args?: QueryArguments | undefined;
  readonly count: number;
  readonly concurrency: number;
  readonly owner: SearchOwner;
}

export interface SearchOwner {
  /** A node has answered; `message` is gone when the call returns. */
  onResponse?(now: number, lookup: Lookup, slot: number, message: Message): void;
  /** The nearest nodes have answered. */
  onEnd(now: number): void;
}

export class Search implements LookupOwner {
  readonly lookups: readonly Lookup[];
  readonly #owner: SearchOwner;
  #hasEnded = false;

  constructor(options: SearchOptions) {
    const { overlays, target, method, args, querier, count, concurrency } = options;
    this.#owner = options.owner;
    const taken = [overlays.ipv4, overlays.ipv6].filter((overlay) => overlay !== undefined);
    const both = taken.length === 2 && taken.some((overlay) => overlay.table.size < count);
    const about = method === 'get_peers' ? { infoHash: target } : { target };
    const wants = both ? { wantsIpv4: true, wantsIpv6: true } : {};
    this.lookups = taken.map((overlay) => {
      const all = { ...args, ...about, ...wants };
      return new Lookup({
        ...{ querier, overlay, target, method, args: all, count, concurrency, owner: this },
      });
    });
  }

  /** Begins with the tables' nodes, and with entrances for each family. */
  start(now: number, entrances: (overlay: Overlay) => readonly Entrance[] = () => []): void {
    for (const lookup of this.lookups) lookup.start(now, entrances(lookup.overlay));
    this.onProgress(now);
  }

  /** One more way into an overlay. */
  addEntrance(now: number, overlay: Overlay, entrance: Entrance): void {
    this.lookups.find((lookup) => lookup.overlay === overlay)?.addEntrance(now, entrance);
  }

  /** Asks nobody any more and tells its owner nothing. */
  stop(): void {
    this.#hasEnded = true;
    for (const lookup of this.lookups) lookup.stop();
  }

  cost(): SearchCost {
    let queries = 0;
    let answers = 0;
    let hops = 0;
    for (const lookup of this.lookups) {
      queries += lookup.queries;
      answers += lookup.answers;
      for (const slot of lookup.nearest()) hops = Math.max(hops, lookup.candidates.depth(slot));
    }
    return { queries, answers, hops };
  }

  /** The nearest nodes that have answered, by overlay and then by distance. */
  nearest(): NodeInfo[] {
    const nodes: NodeInfo[] = [];
    for (const lookup of this.lookups) {
      for (const slot of lookup.nearest()) {
        const node = lookup.candidates.copyNode(slot);
        const endpoint = readCompact(node, ID_BYTES, lookup.overlay.family);
        nodes.push({ id: node.subarray(0, ID_BYTES), endpoint });
      }
    }
    return nodes;
  }

  onResponse(now: number, lookup: Lookup, slot: number, message: Message): void {
    if (this.#hasEnded) return;
    for (const other of this.lookups) {
      if (other === lookup) continue;
      const { candidates } = lookup;
      const teller = candidates.copyNode(slot);
      other.tell(now, message, teller, candidates.family, candidates.depth(slot) + 1);
    }
    this.#owner.onResponse?.(now, lookup, slot, message);
  }

  onProgress(now: number): void {
    if (this.#hasEnded || !this.lookups.every((lookup) => lookup.isIdle)) return;
    this.stop();
    this.#owner.onEnd(now);
  }
}
