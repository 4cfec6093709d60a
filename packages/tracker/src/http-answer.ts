// The body of an answer over HTTP, read and made (BEP 3, 7, 23, 24, 31, 48).
import { BencodeDict, BencodeError, type BencodeValue, decodePrefix, encode } from '@bt/bencode';
import {
  addressFamily,
  type Endpoint,
  encodeCompact,
  makeEndpoint,
  printAddress,
} from '@bt/endpoint';
import type { AnnounceResponse, ScrapeEntry } from './announce.ts';
import { TrackerError } from './errors.ts';
import { clampInterval, clampMinInterval } from './interval.ts';
import { MAX_PAUSE_SECONDS, MAX_TRACKER_ID_BYTES } from './limits.ts';
import { acceptsPeer, appendCompactPeers, type PeerFilter } from './peers.ts';
import { readableText } from './text.ts';

/** A peer list of dictionaries is the deepest honest thing; the rest is a stranger's room for extensions. */
const MAX_DEPTH = 16;

/**
 * Reads the answer to an announce. Clamps its intervals, drops its martians, keeps at most `filter.maxPeers` peers.
 *
 * @throws {TrackerError} `tracker-failure` with the tracker's own words, `invalid-response`.
 */
export function parseAnnounceAnswer(body: Uint8Array, filter: PeerFilter): AnnounceResponse {
  const dict = decodeAnswer(body);
  const trackerId = dict.bytes('tracker id');
  const warning = dict.bytes('warning message');
  return {
    intervalSeconds: clampInterval(dict.integer('interval')),
    minIntervalSeconds: clampMinInterval(dict.integer('min interval')),
    complete: countOf(dict, 'complete'),
    incomplete: countOf(dict, 'incomplete'),
    downloaded: countOf(dict, 'downloaded'),
    peers: readPeers(dict, filter),
    externalAddress: readAddress(dict.bytes('external ip')),
    trackerId:
      trackerId !== undefined && trackerId.length <= MAX_TRACKER_ID_BYTES
        ? trackerId.slice()
        : undefined,
    warning: warning === undefined ? undefined : readableText(warning),
  };
}

/**
 * Reads the answer to a scrape: entries in the order of `infoHashes`, `undefined` for those that are not in it.
 *
 * @throws {TrackerError} `tracker-failure`, `invalid-response`.
 */
export function parseScrapeAnswer(
  body: Uint8Array,
  infoHashes: readonly Uint8Array[],
): (ScrapeEntry | undefined)[] {
  const files = decodeAnswer(body).dict('files');
  if (files === undefined) throw new TrackerError('invalid-response', 'a scrape without files');
  return infoHashes.map((infoHash) => {
    const entry = files.dict(infoHash);
    if (entry === undefined) return undefined;
    return {
      complete: countOf(entry, 'complete') ?? 0,
      incomplete: countOf(entry, 'incomplete') ?? 0,
      downloaded: countOf(entry, 'downloaded') ?? 0,
    };
  });
}

/** A peer as a server lists it. */
export interface ListedPeer {
  readonly endpoint: Endpoint;
  readonly peerId: Uint8Array;
}

export interface HttpAnnounceAnswer {
  readonly intervalSeconds: number;
  readonly minIntervalSeconds: number;
  readonly complete: number;
  readonly incomplete: number;
  readonly downloaded: number;
  readonly externalAddress: Uint8Array;
  readonly peers: readonly ListedPeer[];
}

/** The body of an answer to an announce, peers as bytes (BEP 23, IPv6 in `peers6`, BEP 7) or as dictionaries (BEP 3). */
export function encodeHttpAnnounceAnswer(
  answer: HttpAnnounceAnswer,
  form: { readonly compact: boolean; readonly noPeerId: boolean },
): Uint8Array {
  return encode({
    complete: answer.complete,
    downloaded: answer.downloaded,
    'external ip': answer.externalAddress,
    incomplete: answer.incomplete,
    interval: answer.intervalSeconds,
    'min interval': answer.minIntervalSeconds,
    ...(form.compact
      ? { peers: compactList(answer.peers, 4), peers6: compactList(answer.peers, 6) }
      : {
          peers: answer.peers.map(({ endpoint, peerId }) => ({
            ip: endpoint.address,
            ...(form.noPeerId ? {} : { 'peer id': peerId }),
            port: endpoint.port,
          })),
        }),
  });
}

export function encodeHttpScrapeAnswer(
  entries: readonly (readonly [Uint8Array, ScrapeEntry])[],
): Uint8Array {
  return encode({ files: new Map(entries.map(([infoHash, entry]) => [infoHash, { ...entry }])) });
}

export function encodeHttpFailure(reason: string): Uint8Array {
  return encode({ 'failure reason': reason });
}

function decodeAnswer(body: Uint8Array): BencodeDict {
  let dict: BencodeValue;
  try {
    // Trackers in the wild leave their keys unsorted and put a line break at the end.
    dict = decodePrefix(body, { lenient: true, maxDepth: MAX_DEPTH }).value;
  } catch (cause) {
    if (!(cause instanceof BencodeError)) throw cause;
    throw new TrackerError('invalid-response', 'the tracker does not answer in bencode', { cause });
  }
  if (!(dict instanceof BencodeDict)) {
    throw new TrackerError('invalid-response', 'the tracker does not answer with a dictionary');
  }
  const reason = dict.bytes('failure reason');
  if (reason !== undefined) {
    throw new TrackerError(
      'tracker-failure',
      `the tracker refused: ${readableText(reason) || 'no reason given'}`,
      {
        retryInSeconds: readRetryIn(dict),
      },
    );
  }
  return dict;
}

/** BEP 31: a number of minutes, or `never`. */
function readRetryIn(dict: BencodeDict): number | undefined {
  if (dict.text('retry in') === 'never') return Number.POSITIVE_INFINITY;
  const minutes = countOf(dict, 'retry in');
  return minutes === undefined ? undefined : Math.min(minutes * 60, MAX_PAUSE_SECONDS);
}

function readPeers(dict: BencodeDict, filter: PeerFilter): Endpoint[] {
  const peers: Endpoint[] = [];
  const compact = dict.bytes('peers');
  const compact6 = dict.bytes('peers6');
  // Neither family may crowd out the other.
  const wanted6 = Math.min((compact6?.length ?? 0) / 18, Math.floor(filter.maxPeers / 2));
  const filter4 = { ...filter, maxPeers: filter.maxPeers - Math.floor(wanted6) };
  if (compact !== undefined) {
    if (!appendCompactPeers(peers, compact, 4, filter4)) throw oddList('peers', compact);
  } else {
    appendListedPeers(peers, dict, filter4);
  }
  if (compact6 !== undefined && !appendCompactPeers(peers, compact6, 6, filter)) {
    throw oddList('peers6', compact6);
  }
  return peers;
}

/** BEP 3: a list of dictionaries. Entries that make no sense, host names among them, are passed over. */
function appendListedPeers(peers: Endpoint[], dict: BencodeDict, filter: PeerFilter): void {
  const list = dict.list('peers');
  if (list === undefined) return;
  for (let i = 0; i < list.length && peers.length < filter.maxPeers; i++) {
    const entry = list.dict(i);
    const address = entry?.text('ip');
    const port = entry?.integer('port');
    if (address === undefined || port === undefined) continue;
    const peer = makeEndpoint(address, port);
    if (peer !== undefined && acceptsPeer(peer, filter)) peers.push(peer);
  }
}

function oddList(field: string, bytes: Uint8Array): TrackerError {
  return new TrackerError(
    'invalid-response',
    `${field} of ${bytes.length} bytes is no list of endpoints`,
  );
}

function readAddress(bytes: Uint8Array | undefined): string | undefined {
  return bytes?.length === 4 || bytes?.length === 16 ? printAddress(bytes) : undefined;
}

function countOf(dict: BencodeDict, key: string): number | undefined {
  const value = dict.integer(key);
  return value !== undefined && value >= 0 ? value : undefined;
}

function compactList(peers: readonly ListedPeer[], family: 4 | 6): Uint8Array {
  const entries = peers
    .filter(({ endpoint }) => addressFamily(endpoint.address) === family)
    .map(({ endpoint }) => encodeCompact(endpoint));
  const bytes = new Uint8Array(entries.reduce((total, entry) => total + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    bytes.set(entry, at);
    at += entry.length;
  }
  return bytes;
}
