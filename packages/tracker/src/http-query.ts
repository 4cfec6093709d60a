// The query of an announce or scrape over HTTP, made and read (BEP 3, 7, 23, 48).
import type { AnnounceEvent, AnnounceRequest } from './announce.ts';
import { percentDecode, percentEncode } from './percent.ts';
import { appendQuery, encodeUrl, scrapeUrl } from './url.ts';

/** The URL to GET for an announce. The request has to be a checked one. */
export function buildAnnounceUrl(url: string, request: AnnounceRequest): string {
  return appendQuery(encodeUrl(url), announceQuery(request));
}

/** The URL to GET for a scrape; `undefined` when the announce URL has no scrape URL (BEP 48). */
export function buildScrapeUrl(
  announceUrl: string,
  infoHashes: readonly Uint8Array[],
): string | undefined {
  const url = scrapeUrl(encodeUrl(announceUrl));
  return url === undefined ? undefined : appendQuery(url, scrapeQuery(infoHashes));
}

export function announceQuery(request: AnnounceRequest): string {
  let query = `info_hash=${percentEncode(request.infoHash)}&peer_id=${percentEncode(request.peerId)}`;
  query += `&port=${request.port}&uploaded=${request.uploadedBytes}`;
  query += `&downloaded=${request.downloadedBytes}&left=${request.leftBytes}`;
  // BEP 23: peers as bytes; a tracker that can't is at least spared the peer ids.
  query += `&compact=1&no_peer_id=1&numwant=${request.numWant}`;
  query += `&key=${request.key.toString(16).padStart(8, '0')}`;
  if (request.event !== undefined) query += `&event=${request.event}`;
  if (request.trackerId !== undefined) query += `&trackerid=${percentEncode(request.trackerId)}`;
  if (request.ipv4 !== undefined) query += `&ipv4=${encodeText(request.ipv4)}`;
  if (request.ipv6 !== undefined) query += `&ipv6=${encodeText(request.ipv6)}`;
  return query;
}

export function scrapeQuery(infoHashes: readonly Uint8Array[]): string {
  return infoHashes.map((infoHash) => `info_hash=${percentEncode(infoHash)}`).join('&');
}

/** An announce as a server gets it. */
export interface HttpAnnounceQuery {
  readonly request: AnnounceRequest;
  /** Whether peers go out as bytes (BEP 23), the default, or as dictionaries. */
  readonly compact: boolean;
  readonly noPeerId: boolean;
}

/**
 * Reads the query of an announce, without its `?`. A string result says what is wrong, fit for a failure reason. What a
 * client says about its own address is not read: a tracker lists addresses from which it was asked.
 */
export function parseAnnounceQuery(
  query: string,
  defaultNumWant: number,
): HttpAnnounceQuery | string {
  const fields = parseQuery(query);
  const infoHash = bytesOf(fields, 'info_hash');
  if (infoHash?.length !== 20) return 'info_hash is not 20 bytes';
  const peerId = bytesOf(fields, 'peer_id');
  if (peerId?.length !== 20) return 'peer_id is not 20 bytes';
  const port = integerOf(fields, 'port');
  if (port === undefined || port < 1 || port > 65535) return 'port is not 1 to 65535';
  const key = fields.get('key')?.[0];
  const request: AnnounceRequest = {
    infoHash,
    peerId,
    port,
    uploadedBytes: integerOf(fields, 'uploaded') ?? 0,
    downloadedBytes: integerOf(fields, 'downloaded') ?? 0,
    // A client that does not say counts as a leecher.
    leftBytes: integerOf(fields, 'left') ?? 1,
    event: eventOf(fields.get('event')?.[0]),
    numWant: integerOf(fields, 'numwant') ?? defaultNumWant,
    key: key !== undefined && /^[0-9A-Fa-f]{1,8}$/.test(key) ? Number.parseInt(key, 16) : 0,
  };
  return {
    request,
    compact: fields.get('compact')?.[0] !== '0',
    noPeerId: fields.get('no_peer_id')?.[0] === '1',
  };
}

/** The info-hashes of a scrape's query; a string result says what is wrong. */
export function parseScrapeQuery(query: string): Uint8Array[] | string {
  const infoHashes: Uint8Array[] = [];
  for (const value of parseQuery(query).get('info_hash') ?? []) {
    const infoHash = percentDecode(value);
    if (infoHash?.length !== 20) return 'info_hash is not 20 bytes';
    infoHashes.push(infoHash);
  }
  return infoHashes.length > 0 ? infoHashes : 'no info_hash';
}

/** The values by name, still encoded. */
function parseQuery(query: string): Map<string, string[]> {
  const fields = new Map<string, string[]>();
  for (const part of query.split('&')) {
    const equals = part.indexOf('=');
    if (equals <= 0) continue;
    const name = part.slice(0, equals);
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [part.slice(equals + 1)]);
    else values.push(part.slice(equals + 1));
  }
  return fields;
}

function bytesOf(fields: Map<string, string[]>, name: string): Uint8Array | undefined {
  const value = fields.get(name)?.[0];
  return value === undefined ? undefined : percentDecode(value);
}

function integerOf(fields: Map<string, string[]>, name: string): number | undefined {
  const value = fields.get(name)?.[0];
  return value !== undefined && /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
}

function eventOf(value: string | undefined): AnnounceEvent | undefined {
  return value === 'started' || value === 'completed' || value === 'stopped' ? value : undefined;
}

function encodeText(text: string): string {
  return percentEncode(new TextEncoder().encode(text));
}
