// What is asked of a tracker and what it answers, whichever way it travels (BEP 3 "trackers", BEP 15, BEP 48).
import type { Endpoint } from '@bt/endpoint';
import { TrackerError } from './errors.ts';
import { MAX_SCRAPE_HASHES } from './limits.ts';

/** BEP 3: absent for an announce at regular intervals. */
export type AnnounceEvent = 'started' | 'completed' | 'stopped';

export interface AnnounceRequest {
  /** 20 bytes; of a v2 torrent the first 20 of its info-hash (BEP 52). */
  readonly infoHash: Uint8Array;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** The TCP port we listen on, 1 to 65535. */
  readonly port: number;
  /** Payload sent and received since `started`, and what is missing. Safe integers, not negative. */
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly leftBytes: number;
  readonly event?: AnnounceEvent | undefined;
  /** How many peers we would like; 0 for none. At most twice as many of an answer are kept. */
  readonly numWant: number;
  /** 32 random bits that stay the same while our address may change; known to the tracker and nobody else. */
  readonly key: number;
  /** What this tracker gave as `trackerId` in an earlier answer; HTTP only. */
  readonly trackerId?: Uint8Array | undefined;
  /** Our other addresses, for a tracker that hears us over one family only (BEP 7); HTTP only. */
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
}

export interface AnnounceResponse {
  /** When to come again, clamped to 60..3600. */
  readonly intervalSeconds: number;
  /** Not to come more often, whatever the need; at most a day. */
  readonly minIntervalSeconds?: number | undefined;
  /** Seeds and leechers that the tracker knows, and finished downloads. */
  readonly complete?: number | undefined;
  readonly incomplete?: number | undefined;
  readonly downloaded?: number | undefined;
  /** Without martians (see `isMartian` of @bt/endpoint), at most twice the number wanted. */
  readonly peers: Endpoint[];
  /** The address we came from, as the tracker saw it (BEP 24). */
  readonly externalAddress?: string | undefined;
  /** To be sent back with later announces. */
  readonly trackerId?: Uint8Array | undefined;
  /** For people to read; control characters are taken out. */
  readonly warning?: string | undefined;
}

/** What a tracker knows about one torrent (BEP 48, BEP 15). */
export interface ScrapeEntry {
  readonly complete: number;
  readonly incomplete: number;
  readonly downloaded: number;
}

/** @throws {TrackerError} `invalid-argument`. */
export function checkAnnounceRequest(request: AnnounceRequest): void {
  checkHash('infoHash', request.infoHash);
  checkHash('peerId', request.peerId);
  checkInteger('port', request.port, 1, 65535);
  checkInteger('uploadedBytes', request.uploadedBytes, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('downloadedBytes', request.downloadedBytes, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('leftBytes', request.leftBytes, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('numWant', request.numWant, 0, 0x7fffffff);
  checkInteger('key', request.key, 0, 0xffffffff);
}

/** @throws {TrackerError} `invalid-argument`. */
export function checkScrapeHashes(infoHashes: readonly Uint8Array[]): void {
  checkInteger('number of info-hashes', infoHashes.length, 1, MAX_SCRAPE_HASHES);
  for (const infoHash of infoHashes) checkHash('infoHash', infoHash);
}

function checkHash(field: string, bytes: Uint8Array): void {
  if (bytes.length === 20) return;
  throw new TrackerError('invalid-argument', `${field} has ${bytes.length} bytes, not 20`);
}

function checkInteger(field: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new TrackerError('invalid-argument', `${field} is ${value}, not ${min} to ${max}`);
}
