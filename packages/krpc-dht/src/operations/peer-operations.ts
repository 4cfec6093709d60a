// Operations that are about the peers of a torrent: get_peers and announce_peer (BEP 5), and the scrape of BEP 33.
import {
  type AddressFamily,
  addressClassAt,
  type Endpoint,
  isMartianAt,
  readCompact,
} from '@bt/endpoint';
import { BloomFilter } from '../bloom-filter.ts';
import { forEachValue } from '../compact.ts';
import { ID_BYTES, MAX_LOOKUP_PEERS } from '../constants.ts';
import type { QueryArguments } from '../encode.ts';
import type { Lookup } from '../lookup.ts';
import type { Message } from '../message.ts';
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
    this.#announcement = announcement;
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
    forEachPeer(message, isLoopback, (at, peerFamily) => {
      if (this.#told.size >= MAX_LOOKUP_PEERS) return;
      const key = String.fromCharCode(...message.view(at, peerFamily === 4 ? 6 : 18));
      if (this.#told.has(key)) return;
      this.#told.add(key);
      peers.push(readCompact(message.bytes, at, peerFamily));
    });
    if (peers.length === 0) return;
    const from = readCompact(node, ID_BYTES, family);
    this.emit({ type: 'peers', operation: this.id, peers, from });
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
      onEnd: (_now, round) => this.done('announce', { ...result, stored: round.stored }),
    });
    this.#round.start(now, this.search);
  }
}

/** Joins the filters of the nodes nearest to an info-hash (BEP 33). */
export class ScrapeOperation extends SearchOperation {
  readonly #seeds = new BloomFilter();
  readonly #downloaders = new BloomFilter();
  #nodes = 0;

  constructor(context: OperationContext, id: number, infoHash: Uint8Array) {
    super(context, id, infoHash, 'get_peers', { scrape: true });
  }

  override onResponse(_now: number, _lookup: Lookup, _slot: number, message: Message): void {
    const { bytes, seedFilterAt, peerFilterAt } = message;
    if (seedFilterAt >= 0) this.#seeds.join(bytes, seedFilterAt);
    if (peerFilterAt >= 0) this.#downloaders.join(bytes, peerFilterAt);
    const hasFilters = seedFilterAt >= 0 || peerFilterAt >= 0;
    if (hasFilters || message.valuesAt >= 0) this.#nodes++;
    if (hasFilters || message.valuesAt < 0) return;
    // BEP 33 "Handling legacy responses".
    forEachPeer(message, true, (at, family) => {
      this.#downloaders.add(message.view(at, family === 4 ? 4 : 16));
    });
  }

  protected onFound(): void {
    this.done('scrape', {
      ...this.search.cost(),
      seeds: Math.round(this.#seeds.estimate()),
      downloaders: Math.round(this.#downloaders.estimate()),
      nodes: this.#nodes,
    });
  }
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
