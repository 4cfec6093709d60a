// What a tracker answers, over HTTP (BEP 3, 7, 23, 48) and UDP (BEP 15): requests and time go in, answers come out.
import { addressFamily, type Endpoint, parseAddress } from '@bt/endpoint';
import type { AnnounceRequest, ScrapeEntry } from './announce.ts';
import {
  encodeHttpAnnounceAnswer,
  encodeHttpFailure,
  encodeHttpScrapeAnswer,
  type ListedPeer,
} from './http-answer.ts';
import { parseAnnounceQuery, parseScrapeQuery } from './http-query.ts';
import {
  CONNECTION_ID_LIFETIME_MS,
  MAX_SCRAPE_HASHES,
  MAX_SERVED_PEERS,
  MAX_UDP_ANSWER_BYTES,
} from './limits.ts';
import { PeerStore, type PeerStoreOptions, type PeerStoreRefusal } from './peer-store.ts';
import {
  decodeUdpRequest,
  encodeAnnounceAnswer,
  encodeConnectAnswer,
  encodeErrorAnswer,
  encodeScrapeAnswer,
  type UdpRequest,
} from './udp.ts';

export interface ResponderOptions extends PeerStoreOptions {
  readonly minIntervalSeconds: number;
  /** Which torrents are served. The info-hash has 20 bytes and is valid during the call. */
  readonly isAllowed: (infoHash: Uint8Array) => boolean;
  /** A keyed hash: the connection id for a text must be unpredictable to those who don't have the key. */
  readonly connectionMac: (text: string) => bigint;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

/** Peers given to a client that does not say how many it wants. */
const DEFAULT_NUM_WANT = 50;

const NOT_ALLOWED = 'torrent is not served here';
const REFUSALS: Readonly<Record<PeerStoreRefusal, string>> = {
  full: 'tracker is full',
  crowded: 'too many peers from this address',
};

export class Responder {
  readonly #options: ResponderOptions;
  readonly #store: PeerStore;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#store = new PeerStore(options);
  }

  get torrentCount(): number {
    return this.#store.torrentCount;
  }

  get peerCount(): number {
    return this.#store.peerCount;
  }

  /** `target` is a request's path with its query, `remote` where it came from. */
  handleHttp(now: number, target: string, remote: Endpoint): HttpAnswer {
    const mark = target.indexOf('?');
    const path = mark < 0 ? target : target.slice(0, mark);
    const query = mark < 0 ? '' : target.slice(mark + 1);
    if (path === '/announce') return { status: 200, body: this.#httpAnnounce(now, query, remote) };
    if (path === '/scrape') return { status: 200, body: this.#httpScrape(now, query) };
    return { status: 404, body: new Uint8Array() };
  }

  /** The reply to a datagram; `undefined` for none. A reply without a valid connection id is shorter than its request. */
  handleDatagram(now: number, datagram: Uint8Array, remote: Endpoint): Uint8Array | undefined {
    const message = decodeUdpRequest(datagram, DEFAULT_NUM_WANT);
    if (message === undefined) return undefined;
    if (message.type === 'connect') {
      return encodeConnectAnswer(message.transactionId, this.#connectionId(now, 0, remote));
    }
    // Ids live for one to two minutes (BEP 15: accepted until two minutes after they were sent).
    const isKnown =
      message.connectionId === this.#connectionId(now, 0, remote) ||
      message.connectionId === this.#connectionId(now, 1, remote);
    if (!isKnown) return encodeErrorAnswer(message.transactionId, 'bad connection id');
    return message.type === 'announce'
      ? this.#udpAnnounce(now, message, remote)
      : this.#udpScrape(now, message);
  }

  /** Forgets peers that did not come again. To be called about once a minute. */
  handleTimeout(now: number): void {
    this.#store.handleTimeout(now);
  }

  #httpAnnounce(now: number, query: string, remote: Endpoint): Uint8Array {
    const parsed = parseAnnounceQuery(query, DEFAULT_NUM_WANT);
    if (typeof parsed === 'string') return encodeHttpFailure(parsed);
    const { request } = parsed;
    const peer: Endpoint = { address: remote.address, port: request.port };
    const refusal = this.#list(now, peer, request);
    if (refusal !== undefined) return encodeHttpFailure(refusal);
    return encodeHttpAnnounceAnswer(
      {
        ...this.#counts(now, request.infoHash),
        intervalSeconds: this.#options.intervalSeconds,
        minIntervalSeconds: this.#options.minIntervalSeconds,
        externalAddress: parseAddress(remote.address) ?? new Uint8Array(4),
        peers: this.#peersOfBothFamilies(request, peer),
      },
      parsed,
    );
  }

  #httpScrape(now: number, query: string): Uint8Array {
    const infoHashes = parseScrapeQuery(query);
    if (typeof infoHashes === 'string') return encodeHttpFailure(infoHashes);
    if (infoHashes.length > MAX_SCRAPE_HASHES) return encodeHttpFailure('too many info_hashes');
    const entries: [Uint8Array, ScrapeEntry][] = [];
    for (const infoHash of infoHashes) {
      if (!this.#options.isAllowed(infoHash)) continue;
      const entry = this.#store.scrape(now, infoHash);
      if (entry !== undefined) entries.push([infoHash, entry]);
    }
    return encodeHttpScrapeAnswer(entries);
  }

  #udpAnnounce(
    now: number,
    { request, transactionId }: UdpRequest & { type: 'announce' },
    remote: Endpoint,
  ): Uint8Array {
    if (request.port === 0) return encodeErrorAnswer(transactionId, 'port is 0');
    const peer: Endpoint = { address: remote.address, port: request.port };
    const refusal = this.#list(now, peer, request);
    if (refusal !== undefined) return encodeErrorAnswer(transactionId, refusal);
    const family = addressFamily(remote.address) ?? 4;
    const fitting = Math.floor((MAX_UDP_ANSWER_BYTES - 20) / (family === 4 ? 6 : 18));
    const count = Math.min(request.numWant, MAX_SERVED_PEERS, fitting);
    const peers = this.#sample(request, peer, family, count).map(({ endpoint }) => endpoint);
    const answer = {
      ...this.#counts(now, request.infoHash),
      intervalSeconds: this.#options.intervalSeconds,
    };
    return encodeAnnounceAnswer(transactionId, family, answer, peers);
  }

  #udpScrape(
    now: number,
    { infoHashes, transactionId }: UdpRequest & { type: 'scrape' },
  ): Uint8Array {
    const entries = infoHashes.map((infoHash) =>
      this.#options.isAllowed(infoHash) ? this.#counts(now, infoHash) : NO_COUNTS,
    );
    return encodeScrapeAnswer(transactionId, entries);
  }

  /** Takes the announce in; a text is the reason why not. */
  #list(now: number, peer: Endpoint, request: AnnounceRequest): string | undefined {
    if (!this.#options.isAllowed(request.infoHash)) return NOT_ALLOWED;
    const refusal = this.#store.announce(now, peer, request);
    return refusal && REFUSALS[refusal];
  }

  /** Half of the room goes to the family that the client did not come over, if there are as many. */
  #peersOfBothFamilies(request: AnnounceRequest, peer: Endpoint): ListedPeer[] {
    const count = Math.min(request.numWant, MAX_SERVED_PEERS);
    const own = addressFamily(peer.address) ?? 4;
    const others = this.#sample(request, peer, own === 4 ? 6 : 4, Math.floor(count / 2));
    return [...this.#sample(request, peer, own, count - others.length), ...others];
  }

  #sample(request: AnnounceRequest, peer: Endpoint, family: 4 | 6, count: number): ListedPeer[] {
    if (request.event === 'stopped') return [];
    // aria2 has nothing left to get as long as it knows only a magnet link (BEP 9), and needs seeds.
    const isSeed = request.leftBytes === 0 && request.event !== 'started';
    const asker = { endpoint: peer, isSeed };
    return this.#store.sample(request.infoHash, asker, family, count);
  }

  #counts(now: number, infoHash: Uint8Array): ScrapeEntry {
    return this.#store.scrape(now, infoHash) ?? NO_COUNTS;
  }

  /** Bound to the address and the minute, so that the server keeps nothing about those who only connect. */
  #connectionId(now: number, minutesAgo: number, remote: Endpoint): bigint {
    const minute = Math.floor(now / CONNECTION_ID_LIFETIME_MS) - minutesAgo;
    return this.#options.connectionMac(`${minute} ${remote.address}`);
  }
}

const NO_COUNTS: ScrapeEntry = { complete: 0, incomplete: 0, downloaded: 0 };
