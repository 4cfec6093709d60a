// One announce or scrape over the network, whichever scheme the URL has, over IPv4 and IPv6 (BEP 7) where the tracker has both.
import {
  type AddressClass,
  type AddressFamily,
  addressClass,
  addressFamily,
  endpointKey,
} from '@bt/endpoint';
import {
  type AnnounceRequest,
  type AnnounceResponse,
  checkAnnounceRequest,
  checkScrapeHashes,
  type ScrapeEntry,
} from '../announce.ts';
import { TrackerError } from '../errors.ts';
import { parseAnnounceAnswer, parseScrapeAnswer } from '../http-answer.ts';
import { announceQuery, scrapeQuery } from '../http-query.ts';
import { clampInterval } from '../interval.ts';
import {
  HTTP_TIMEOUT_MS,
  MAX_URL_CHARACTERS,
  SECOND_FAMILY_GRACE_MS,
  UDP_TIMEOUT_MS,
} from '../limits.ts';
import { appendCompactPeers, type PeerFilter } from '../peers.ts';
import { isReachable } from '../reach.ts';
import {
  decodeAnnounceAnswer,
  decodeScrapeAnswer,
  encodeAnnounceRequest,
  encodeScrapeRequest,
} from '../udp.ts';
import { appendQuery, encodeUrl, scrapeUrl } from '../url.ts';
import { type HttpGetResult, httpGet } from './http-client.ts';
import { withLimit } from './limit.ts';
import { type HostAddress, hostOf, type LookupHost, resolveHost } from './resolve.ts';
import { performUdpExchange, type UdpTarget } from './udp-client.ts';

export interface TrackerClientOptions {
  /** Ends the exchange at once; it then fails with code `aborted`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The address every socket is bound to; only trackers of its family are reached. When it is on loopback nothing leaves
   * the host: no names are resolved but `localhost`.
   */
  readonly localAddress?: string | undefined;
  /** For the whole exchange, name resolution and redirects included; 30 s for HTTP and 60 s for UDP by default. */
  readonly timeoutMs?: number | undefined;
  readonly userAgent?: string | undefined;
  /** PEM certificates to trust instead of the system's, for a tracker with an authority of its own. */
  readonly certificateAuthority?: string | undefined;
  /** Resolves host names in place of the system. */
  readonly lookupHost?: LookupHost | undefined;
}

/**
 * Announces to one tracker (http, https or udp). A tracker with IPv4 and IPv6 addresses is told over both at once, so that
 * peers of either family hear of us (BEP 7), and the answers are joined; one family that fails does no harm.
 *
 * @throws {TrackerError}
 */
export function announce(
  url: string,
  request: AnnounceRequest,
  options: TrackerClientOptions = {},
): Promise<AnnounceResponse> {
  return announceAmong(addressClass, url, request, options);
}

/**
 * Asks a tracker, by its announce URL, for its counts of 1 to 74 torrents. The entries stand in the order asked;
 * `undefined` is a torrent that the tracker does not know (over UDP it can't say so, and gives zeros).
 *
 * @throws {TrackerError}
 */
export async function scrape(
  url: string,
  infoHashes: readonly Uint8Array[],
  options: TrackerClientOptions = {},
): Promise<(ScrapeEntry | undefined)[]> {
  checkScrapeHashes(infoHashes);
  const target = parseTarget(url);
  const scraped = scrapeUrl(target.text);
  if (scraped === undefined) {
    throw new TrackerError('scrape-unsupported', 'the tracker URL has no scrape URL (BEP 48)');
  }
  return exchange(target, options, addressClass, (families, context) =>
    firstAnswer(
      families.map((family) =>
        target.isUdp
          ? scrapeUdp(target, family, infoHashes, context)
          : scrapeHttp(scraped, family, infoHashes, context),
      ),
    ),
  );
}

/** As {@link announce}, by another table of addresses: tests have no public ones. */
export async function announceAmong(
  classify: (address: string) => AddressClass,
  url: string,
  request: AnnounceRequest,
  options: TrackerClientOptions,
): Promise<AnnounceResponse> {
  checkAnnounceRequest(request);
  const target = parseTarget(url);
  return exchange(target, options, classify, (families, context) => {
    const attempts = families.map((family) =>
      target.isUdp
        ? announceUdp(target, family, request, context)
        : announceHttp(target, family, request, context),
    );
    return joinAnswers(attempts, request);
  });
}

interface Target {
  readonly text: string;
  readonly isUdp: boolean;
  /** With the scheme http when it is udp, whose hosts are written alike. */
  readonly url: URL;
}

/** What every part of an exchange needs to know. */
interface Context {
  readonly addresses: readonly HostAddress[];
  readonly signal: AbortSignal;
  readonly classify: (address: string) => AddressClass;
  readonly options: TrackerClientOptions;
}

function parseTarget(text: string): Target {
  if (text.length > MAX_URL_CHARACTERS) {
    throw new TrackerError(
      'invalid-url',
      `the tracker URL has over ${MAX_URL_CHARACTERS} characters`,
    );
  }
  const encoded = encodeUrl(text);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(encoded)?.[1]?.toLowerCase();
  if (scheme !== 'http' && scheme !== 'https' && scheme !== 'udp') {
    throw new TrackerError('invalid-url', 'a tracker URL begins with http://, https:// or udp://');
  }
  try {
    // The URL standard knows hosts (IPv4 in odd forms, IDNA) for http and not for udp.
    const url = new URL(scheme === 'udp' ? encoded.replace(/^udp/i, 'http') : encoded);
    if (url.port === '0') throw new TypeError('port 0');
    return { text: encoded, isUdp: scheme === 'udp', url };
  } catch {
    // Node's error holds the URL, and so what is secret in it.
    throw new TrackerError('invalid-url', 'the tracker URL is malformed');
  }
}

async function exchange<T>(
  target: Target,
  options: TrackerClientOptions,
  classify: (address: string) => AddressClass,
  perform: (families: AddressFamily[], context: Context) => Promise<T>,
): Promise<T> {
  const { localAddress, lookupHost } = options;
  if (localAddress !== undefined && addressFamily(localAddress) === undefined) {
    throw new TrackerError('invalid-argument', 'localAddress is not an IP address');
  }
  const timeoutMs = options.timeoutMs ?? (target.isUdp ? UDP_TIMEOUT_MS : HTTP_TIMEOUT_MS);
  try {
    return await withLimit(timeoutMs, options.signal, async (signal) => {
      const addresses = await resolveHost(hostOf(target.url), { localAddress, lookupHost });
      signal.throwIfAborted();
      const families = [...new Set(addresses.map(({ family }) => family))];
      return perform(families, { addresses, signal, classify, options });
    });
  } catch (cause) {
    if (cause instanceof TrackerError) throw cause;
    throw new TrackerError('connection', 'the tracker could not be asked', { cause });
  }
}

async function announceHttp(
  target: Target,
  family: AddressFamily,
  request: AnnounceRequest,
  context: Context,
): Promise<AnnounceResponse> {
  const query = announceQuery(request);
  const result = await get(target.text, query, '/announce', family, context);
  return parseAnnounceAnswer(result.body, peerFilter(request, result.addressClass));
}

async function scrapeHttp(
  url: string,
  family: AddressFamily,
  infoHashes: readonly Uint8Array[],
  context: Context,
): Promise<(ScrapeEntry | undefined)[]> {
  const result = await get(url, scrapeQuery(infoHashes), '/scrape', family, context);
  return parseScrapeAnswer(result.body, infoHashes);
}

function get(
  url: string,
  query: string,
  plainPath: string,
  family: AddressFamily,
  { addresses, signal, classify, options }: Context,
): Promise<HttpGetResult> {
  return httpGet(new URL(appendQuery(url, query)), addresses, {
    signal,
    family,
    plainPath,
    plainQuery: query,
    localAddress: options.localAddress,
    userAgent: options.userAgent ?? DEFAULT_USER_AGENT,
    certificateAuthority: options.certificateAuthority,
    lookupHost: options.lookupHost,
    classify,
  });
}

async function announceUdp(
  target: Target,
  family: AddressFamily,
  request: AnnounceRequest,
  context: Context,
): Promise<AnnounceResponse> {
  const urlData = urlDataOf(target.url);
  const server = udpTarget(target, family, context);
  const answer = await performUdpExchange(
    server,
    {
      encodeRequest: (connectionId, transactionId) =>
        encodeAnnounceRequest(connectionId, transactionId, request, urlData),
      decodeAnswer: (datagram) => decodeAnnounceAnswer(datagram, family),
    },
    { signal: context.signal, localAddress: context.options.localAddress },
  );
  const peers: AnnounceResponse['peers'] = [];
  const kind = context.classify(server.address);
  appendCompactPeers(peers, answer.compactPeers, family, peerFilter(request, kind));
  return {
    intervalSeconds: clampInterval(answer.intervalSeconds),
    complete: answer.complete,
    incomplete: answer.incomplete,
    peers,
  };
}

async function scrapeUdp(
  target: Target,
  family: AddressFamily,
  infoHashes: readonly Uint8Array[],
  context: Context,
): Promise<ScrapeEntry[]> {
  return performUdpExchange(
    udpTarget(target, family, context),
    {
      encodeRequest: (connectionId, transactionId) =>
        encodeScrapeRequest(connectionId, transactionId, infoHashes),
      decodeAnswer: (datagram) => decodeScrapeAnswer(datagram, infoHashes.length),
    },
    { signal: context.signal, localAddress: context.options.localAddress },
  );
}

function udpTarget(
  target: Target,
  family: AddressFamily,
  { addresses, classify }: Context,
): UdpTarget {
  const allowed = addresses.find(
    (candidate) =>
      candidate.family === family &&
      isReachable(classify(candidate.address), { isPlain: true, afterPublic: false }),
  );
  if (allowed === undefined) {
    throw new TrackerError('forbidden-address', 'the tracker URL leads to no server');
  }
  return { ...allowed, port: Number(target.url.port || 80) };
}

/** BEP 41: path and query, when they say more than a plain tracker URL does. */
function urlDataOf(url: URL): Uint8Array {
  const data = url.pathname + url.search;
  return new TextEncoder().encode(data === '/' || data === '/announce' ? '' : data);
}

function peerFilter(request: AnnounceRequest, tracker: AddressClass): PeerFilter {
  return { maxPeers: 2 * request.numWant, trackerIsLoopback: tracker === 'loopback' };
}

/** The first answer, joined with the other family's if it comes soon after. */
async function joinAnswers(
  attempts: readonly Promise<AnnounceResponse>[],
  request: AnnounceRequest,
): Promise<AnnounceResponse> {
  const answers: AnnounceResponse[] = [];
  const collected = attempts.map(async (attempt) => {
    const answer = await attempt;
    answers.push(answer);
    return answer;
  });
  const first = await firstAnswer(collected);
  if (attempts.length === 1) return first;
  await settledOrLate(collected);
  const peers = new Map(
    answers.flatMap((answer) => answer.peers).map((peer) => [endpointKey(peer), peer]),
  );
  return { ...first, peers: [...peers.values()].slice(0, 2 * request.numWant) };
}

/** The first success; if there is none the failure of the family that got furthest. */
async function firstAnswer<T>(attempts: readonly Promise<T>[]): Promise<T> {
  try {
    return await Promise.any(attempts);
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error;
    const isTold = (reason: unknown) =>
      reason instanceof TrackerError && reason.code !== 'connection';
    throw error.errors.find(isTold) ?? error.errors[0];
  }
}

async function settledOrLate(attempts: readonly Promise<unknown>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, SECOND_FAMILY_GRACE_MS);
  });
  await Promise.race([Promise.allSettled(attempts), late]);
  clearTimeout(timer);
}

const DEFAULT_USER_AGENT = '@bt/tracker';
