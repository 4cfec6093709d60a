// Operations that are about the peers of a torrent: get_peers and announce_peer (BEP 5), and the scrape of BEP 33.
import {
  type AddressFamily,
  addressClassAt,
  compactLength,
  type Endpoint,
  isMartianAt,
  readCompact,
} from '@bt/endpoint';
import { BloomFilter } from '../bloom-filter.ts';
import { forEachValue } from '../compact.ts';
import {
  BLOOM_FILTER_BYTES,
  ID_BYTES,
  MAX_FILTER_ADDRESSES,
  MAX_LOOKUP_PEERS,
  MAX_PEERS_PER_HASH,
} from '../constants.ts';
import type { QueryArguments } from '../encode.ts';
import type { Lookup } from '../lookup.ts';
import type { Message } from '../message.ts';
import type { Scrape } from '../peer-store.ts';
import { StoreRound } from '../store-round.ts';
import { type OperationContext, SearchOperation } from './operation.ts';

/** What we tell of ourselves. */
export interface Announcement {
  /** The TCP port where our peer listens. With `impliedPort` the nodes take the port that the datagram came from. */
  readonly port: number;
  readonly impliedPort?: boolean | undefined;
  /** BEP 33: we have all of it. */
  readonly seed?: boolean | undefined;
}

/** Finds peers, and tells of ourselves to the nodes nearest to the info-hash if there is something to tell. */
export class PeersOperation extends SearchOperation {
  readonly #infoHash: Uint8Array;
  readonly #noSeed: boolean;
  readonly #announcement: Announcement | undefined;
  readonly #told = new Set<string>();
  #round: StoreRound | undefined;

  constructor(
    context: OperationContext,
    id: number,
    infoHash: Uint8Array,
    args: Pick<QueryArguments, 'noSeed'>,
    announcement?: Announcement,
  ) {
    super(context, id, infoHash, 'get_peers', args);
    this.#infoHash = infoHash;
    this.#noSeed = args.noSeed ?? false;
    this.#announcement = announcement;
  }

  override start(now: number): void {
    for (const overlay of [this.context.overlays.ipv4, this.context.overlays.ipv6]) {
      if (overlay !== undefined) this.#tellOwn(now, overlay.family);
    }
    super.start(now);
  }

  override stop(): void {
    super.stop();
    this.#round?.stop();
  }

  override onResponse(_now: number, lookup: Lookup, slot: number, message: Message): void {
    if (message.valuesAt < 0) return;
    const node = lookup.candidates.copyNode(slot);
    const { family } = lookup.overlay;
    const isLoopback = addressClassAt(node, ID_BYTES, family) === 'loopback';
    const peers: Endpoint[] = [];
    forEachPeer(message, isLoopback, (at, peerFamily) =>
      this.#take(message.bytes, at, peerFamily, peers),
    );
    this.#tell(peers, readCompact(node, ID_BYTES, family));
  }

  protected override get hasOwn(): boolean {
    return this.#announcement === undefined && this.#told.size > 0;
  }

  protected onFound(now: number): void {
    const result = { ...this.search.cost(), peerCount: this.#told.size };
    const announcement = this.#announcement;
    if (announcement === undefined) {
      this.done('get-peers', result);
      return;
    }
    const { querier, count } = this.context;
    const args = { ...announcement, infoHash: this.#infoHash };
    this.#round = new StoreRound({
      ...{ querier, count, method: 'announce_peer', argsFor: () => args },
      keep: (at, lookup) => this.#keep(at, lookup, announcement),
      onEnd: (_now, round) => this.done('announce', { ...result, stored: round.stored }),
    });
    this.#round.start(now, this.search);
  }
  /** Peers that we keep ourselves. */
  #tellOwn(now: number, family: AddressFamily): void {
    const store = this.context.stores.peers;
    if (store === undefined) return;
    const endpointBytes = compactLength(family);
    const bytes = new Uint8Array(MAX_PEERS_PER_HASH * endpointBytes);
    const hash = this.#infoHash;
    const end = store.sample(now, hash, 0, family, this.#noSeed, MAX_PEERS_PER_HASH, bytes, 0);
    const peers: Endpoint[] = [];
    for (let at = 0; at < end; at += endpointBytes) this.#take(bytes, at, family, peers);
    this.#tell(peers, undefined);
  }

  /** Adds a peer to `peers` if it is new. */
  #take(bytes: Uint8Array, at: number, family: AddressFamily, peers: Endpoint[]): void {
    if (this.#told.size >= MAX_LOOKUP_PEERS) return;
    const key = String.fromCharCode(...bytes.subarray(at, at + compactLength(family)));
    if (this.#told.has(key)) return;
    this.#told.add(key);
    peers.push(readCompact(bytes, at, family));
  }

  #tell(peers: readonly Endpoint[], from: Endpoint | undefined): void {
    if (peers.length > 0) this.emit({ type: 'peers', operation: this.id, peers, from });
  }

  /** Lists us with ourselves, under the address that others see. */
  #keep(
    now: number,
    { overlay }: Lookup,
    { port, seed = false }: Announcement,
  ): 'stored' | undefined {
    const { stores, keeps } = this.context;
    const { address } = overlay.externalAddress;
    if (!keeps || address === undefined || port === 0) return undefined;
    const endpoint = Uint8Array.of(...address, port >>> 8, port & 0xff);
    const outcome = stores.announce(now, this.#infoHash, 0, endpoint, overlay.family, seed);
    return outcome === 'stored' ? outcome : undefined;
  }
}

/**
 * Estimates from the filters of the nodes nearest to an info-hash (BEP 33). One node can lie, so that of three or more a bit counts
 * when two have it, and a filter that is nearly full doesn't count. What we keep ourselves we believe.
 */
export class ScrapeOperation extends SearchOperation {
  readonly #infoHash: Uint8Array;
  readonly #told = new Map<Lookup, Map<number, ToldPeers>>();
  #own: Scrape | undefined;

  constructor(context: OperationContext, id: number, infoHash: Uint8Array) {
    super(context, id, infoHash, 'get_peers', { scrape: true });
    this.#infoHash = infoHash;
  }

  override start(now: number): void {
    this.#own = this.context.stores.peers?.filters(now, this.#infoHash, 0);
    super.start(now);
  }

  override onResponse(_now: number, lookup: Lookup, slot: number, message: Message): void {
    const { seedFilterAt, peerFilterAt, valuesAt } = message;
    const hasFilters = seedFilterAt >= 0 || peerFilterAt >= 0;
    if (!hasFilters && valuesAt < 0) return;
    const addresses: Uint8Array[] = [];
    if (!hasFilters) {
      forEachPeer(message, true, (at, family) => {
        addresses.push(message.copy(at, family === 4 ? 4 : 16));
      });
    }
    const told = {
      seeds: seedFilterAt < 0 ? undefined : message.copy(seedFilterAt, BLOOM_FILTER_BYTES),
      downloaders: peerFilterAt < 0 ? undefined : message.copy(peerFilterAt, BLOOM_FILTER_BYTES),
      addresses,
    };
    const tellers = this.#told.get(lookup);
    if (tellers === undefined) this.#told.set(lookup, new Map([[slot, told]]));
    else tellers.set(slot, told);
  }

  protected override get hasOwn(): boolean {
    return this.#own !== undefined;
  }

  protected onFound(): void {
    const near = this.search.lookups.flatMap((lookup) => {
      const tellers = this.#told.get(lookup);
      return lookup.nearest().flatMap((slot) => tellers?.get(slot) ?? []);
    });
    const own = this.#own;
    const seeds = joinFilters(near.map((told) => told.seeds));
    const downloaders = joinFilters(near.map((told) => told.downloaders));
    if (own !== undefined) {
      seeds.join(own.seeds);
      downloaders.join(own.downloaders);
    }
    // BEP 33 "Handling legacy responses": peers of whom nothing else is known; who is a seed is no downloader.
    for (const address of near.flatMap(({ addresses }) => addresses)) {
      if (!seeds.has(address)) downloaders.add(address);
    }
    this.done('scrape', {
      ...this.search.cost(),
      seeds: Math.round(seeds.estimate()),
      downloaders: Math.round(downloaders.estimate()),
      nodes: near.length + (own === undefined ? 0 : 1),
    });
  }
}

/** What a node tells in answer to a scrape: filters, or some peers (their addresses). */
interface ToldPeers {
  readonly seeds: Uint8Array | undefined;
  readonly downloaders: Uint8Array | undefined;
  readonly addresses: readonly Uint8Array[];
}

function joinFilters(filters: readonly (Uint8Array | undefined)[]): BloomFilter {
  const plausible = filters.filter((bytes) => {
    const filter = new BloomFilter();
    if (bytes !== undefined) filter.join(bytes);
    return bytes !== undefined && filter.estimate() <= MAX_FILTER_ADDRESSES;
  }) as Uint8Array[];
  const once = new BloomFilter();
  const twice = new BloomFilter();
  for (const bytes of plausible) {
    twice.join(bytes.map((byte, i) => byte & once.bytes[i]!));
    once.join(bytes);
  }
  return plausible.length < 3 ? once : twice;
}

function forEachPeer(
  message: Message,
  tellerIsLoopback: boolean,
  visit: (endpointAt: number, family: AddressFamily) => void,
): void {
  if (message.valuesAt < 0) return;
  const { bytes } = message;
  forEachValue(bytes, message.valuesAt, message.valuesLength, (at, family) => {
    if (!isMartianAt(bytes, at, family, tellerIsLoopback)) visit(at, family);
  });
}
