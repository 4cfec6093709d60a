// How a node on sockets enters the network: by addresses and the saved table at once, by each name as soon as it is resolved. What is
// begun meanwhile waits, but not for a resolver that never answers.
import { MAX_RESOLVE_RETRY_MS, RESOLVE_RETRY_MS, RESOLVE_WAIT_MS } from '../constants.ts';
import type { JoinNode } from '../dht.ts';
import { type Entry, type LookupHost, literalNodes, resolveName } from './bootstrap.ts';
import { Gate } from './gate.ts';

export interface EnteringOptions {
  readonly entries: readonly Entry[];
  readonly isOnLoopback: boolean;
  readonly lookupHost: LookupHost | undefined;
  /** Takes in further ways into the network. */
  readonly join: (nodes: readonly JoinNode[]) => void;
}

export class Entering {
  /** Opens when what is begun then finds somebody to ask, if there is anybody. */
  readonly gate = new Gate();
  readonly #options: EnteringOptions;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: EnteringOptions) {
    this.#options = options;
  }

  start(): void {
    const { entries, isOnLoopback, join } = this.#options;
    const names: Entry[] = [];
    const nodes: JoinNode[] = [];
    for (const entry of entries) {
      const known = literalNodes(entry, isOnLoopback);
      if (known === undefined) names.push(entry);
      else nodes.push(...known);
    }
    join(nodes);
    if (names.length === 0) {
      this.gate.open();
      return;
    }
    this.#resolve(names, nodes.length > 0, RESOLVE_RETRY_MS);
    const timer = setTimeout(() => this.gate.open(), RESOLVE_WAIT_MS);
    timer.unref();
    void this.gate.pass().then(() => clearTimeout(timer));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.gate.open();
  }

  /** Resolves all names, and tries again later when nobody is known then. */
  #resolve(names: readonly Entry[], isAnyKnown: boolean, retryMs: number): void {
    const { lookupHost, join } = this.#options;
    let isAnyFound = isAnyKnown;
    const all = names.map(async (entry) => {
      const nodes = await resolveName(entry, lookupHost);
      if (this.#isClosed || nodes.length === 0) return;
      isAnyFound = true;
      join(nodes);
      this.gate.open();
    });
    void Promise.all(all).then(() => {
      this.gate.open();
      if (isAnyFound || this.#isClosed) return;
      const nextMs = Math.min(2 * retryMs, MAX_RESOLVE_RETRY_MS);
      this.#timer = setTimeout(() => this.#resolve(names, false, nextMs), retryMs);
      this.#timer.unref();
    });
  }
}
