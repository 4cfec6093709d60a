// What a client of a pool has ready for the next partner: sockets that the server has seen, an allocation on the relay, and what its NAT is
// like. It is gathered while nobody is there yet.

import { FILTER_KINDS, type FilterKind } from '../../path/nat-filter.ts';
import type { NatClass } from '../../stun/nat-class.ts';
import { discoverNat } from './nat-discovery.ts';
import { PairSockets, type TraversalServer } from './pair-sockets.ts';

export interface GathererOptions {
  /** As it is now, with the credentials that hold now. */
  server(): TraversalServer;
  /** The server's second address (RFC 5780). */
  readonly alternateAddress?: string | undefined;
  /** Makes all sockets behave as behind a NAT of this kind. */
  readonly natFilter?: FilterKind | undefined;
  /** The class of our NAT has been found out. */
  onNatClass?(natClass: NatClass): void;
}

/** Pairs that have hundreds of sockets open at one time (see `BIRTHDAY_SOCKETS`): others wait for them. */
const MAX_PAIRS_WITH_MANY_SOCKETS = 2;

export class Gatherer {
  readonly #options: GathererOptions;
  readonly #live = new Set<PairSockets>();
  #spare: PairSockets | undefined;
  #natClass: NatClass | undefined;
  #pairsWithMany = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #closing = new AbortController();
  #isClosed = false;

  constructor(options: GathererOptions) {
    this.#options = options;
    this.rediscover();
  }

  get natClass(): NatClass | undefined {
    return this.#natClass;
  }

  /** Addresses of the server, that need no one's word. */
  get serverAddress(): string {
    return this.#options.server().address;
  }

  /** Gathers for the next partner. */
  prepare(): void {
    if (this.#isClosed) return;
    this.#spare ??= this.#make();
  }

  /** What is ready, or begins to be made. The owner closes it. */
  take(): PairSockets {
    const sockets = this.#spare ?? this.#make();
    this.#spare = undefined;
    sockets.verifyWhenStale();
    return sockets;
  }

  /** Sockets of a pair that is over. */
  giveBack(sockets: PairSockets): void {
    this.#live.delete(sockets);
    sockets.close();
  }

  /** We may be in another network. */
  networkChanged(): void {
    this.#spare?.verify();
    this.rediscover();
  }

  /** Finds out the class of the NAT, again if need be; until then it is what it was. */
  rediscover(): void {
    const { alternateAddress, natFilter } = this.#options;
    const { address, stunPorts } = this.#options.server();
    const [port, otherPort] = stunPorts;
    if (port === undefined) return;
    const server = { address, port };
    const { signal } = this.#closing;
    discoverNat({ server, otherPort, alternateAddress, natFilter, signal }).then(
      (natClass) => {
        // Nothing came back: that is no reason to forget what was known.
        if (this.#isClosed || (!natClass.hasUdp && this.#natClass !== undefined)) return;
        this.#natClass = natClass;
        for (const sockets of this.#live) sockets.handleTraits();
        this.#options.onNatClass?.(natClass);
      },
      () => {},
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#closing.abort();
    if (this.#spare !== undefined) this.giveBack(this.#spare);
    this.#spare = undefined;
  }

  async #leaveForMany(): Promise<() => void> {
    if (this.#pairsWithMany < MAX_PAIRS_WITH_MANY_SOCKETS) this.#pairsWithMany += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let hasEnded = false;
    return () => {
      if (hasEnded) return;
      hasEnded = true;
      const next = this.#waiting.shift();
      if (next === undefined) this.#pairsWithMany -= 1;
      else next();
    };
  }

  #make(): PairSockets {
    const sockets = new PairSockets({
      server: () => this.#options.server(),
      natTraits: () => this.#natClass?.traits,
      natFilter: this.#options.natFilter,
      mayOpenMany: () => this.#leaveForMany(),
    });
    this.#live.add(sockets);
    return sockets;
  }
}

/** The NAT kind of a NATTYPE, 0 to 3; undefined for another number. */
export function filterKindOf(natType: number): FilterKind | undefined {
  return FILTER_KINDS[natType];
}
