// How a node on sockets enters the network: by addresses and the saved table at once, by each name as soon as it is resolved. What is
// begun meanwhile waits, but not for a resolver that never answers.
import { type AddressFamily, addressFamily, printEndpoint } from '@bt/endpoint';
import { MAX_RESOLVE_RETRY_MS, RESOLVE_RETRY_MS, RESOLVE_WAIT_MS } from '../constants.ts';
import type { JoinNode } from '../dht.ts';
import { type Entry, type LookupHost, literalNodes, resolveName } from './bootstrap.ts';
import { Gate } from './gate.ts';

export interface EnteringOptions {
  readonly entries: readonly Entry[];
  /** The entries are the public routers, which nobody has named. */
  readonly hasDefaults: boolean;
  readonly isOnLoopback: boolean;
  /** Those of our sockets. */
  readonly families: readonly AddressFamily[];
  readonly lookupHost: LookupHost | undefined;
  /** Takes in further ways into the network. */
  readonly join: (nodes: readonly JoinNode[]) => void;
  /** An entry can't be used. */
  readonly warn: (message: string) => void;
}

export class Entering {
  /** Opens when what is begun then finds somebody to ask, if there is anybody. */
  readonly gate = new Gate();
  /** There is somebody to ask. */
  hasEntrances = false;
  readonly #options: EnteringOptions;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  readonly #warned = new Set<string>();

  constructor(options: EnteringOptions) {
    this.#options = options;
  }

  start(): void {
    const { entries, isOnLoopback } = this.#options;
    const names: Entry[] = [];
    const nodes: JoinNode[] = [];
    for (const entry of entries) {
      const known = literalNodes(entry, isOnLoopback);
      if (known === undefined) names.push(entry);
      else nodes.push(...this.#usable(entry, known, 'not asked from loopback'));
    }
    this.#join(nodes);
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
    const { lookupHost, hasDefaults } = this.#options;
    let isAnyFound = isAnyKnown;
    const all = names.map(async (entry) => {
      const found = await resolveName(entry, lookupHost);
      if (this.#isClosed) return;
      const nodes = this.#usable(entry, found, 'name not found');
      if (nodes.length === 0) return;
      isAnyFound = true;
      this.#join(nodes);
      this.gate.open();
    });
    void Promise.all(all).then(() => {
      this.gate.open();
      if (isAnyFound || this.#isClosed) return;
      if (hasDefaults) this.#warn('no public router of the DHT: their names are not found');
      const nextMs = Math.min(2 * retryMs, MAX_RESOLVE_RETRY_MS);
      this.#timer = setTimeout(() => this.#resolve(names, false, nextMs), retryMs);
      this.#timer.unref();
    });
  }

  #join(nodes: readonly JoinNode[]): void {
    this.hasEntrances ||= nodes.length > 0;
    this.#options.join(nodes);
  }

  /** Those of an entry that our sockets can send to. @param whyNone said when it has no address at all */
  #usable(entry: Entry, nodes: readonly JoinNode[], whyNone: string): readonly JoinNode[] {
    const { families, hasDefaults } = this.#options;
    const usable = nodes.filter(({ address }) =>
      families.some((f) => f === addressFamily(address)),
    );
    if (usable.length > 0 || hasDefaults) return usable;
    const [ours, other] = families.includes(4) ? ['IPv4', 'IPv6'] : ['IPv6', 'IPv4'];
    const why =
      nodes.length === 0 ? whyNone : `an ${other} address, while this node has ${ours} alone`;
    this.#warn(`DHT node ${printEndpoint({ address: entry.host, port: entry.port })}: ${why}`);
    return usable;
  }

  /** Once, however often names are tried again. */
  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.warn(message);
  }
}
