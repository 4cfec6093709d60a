// One announce or scrape over the network, whichever scheme the URL has.
import type { AnnounceRequest, AnnounceResponse, ScrapeEntry } from '../announce.ts';
import { TrackerError } from '../errors.ts';

export interface TrackerClientOptions {
  /** Ends the exchange at once; it then fails with code `aborted`. */
  readonly signal?: AbortSignal | undefined;
  /** The address every socket is bound to; trackers of its family only are reached. One on loopback resolves no names. */
  readonly localAddress?: string | undefined;
  /** For the whole exchange; 30 s for HTTP and 60 s for UDP by default. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Announces to one tracker (http, https or udp).
 *
 * @throws {TrackerError}
 */
export async function announce(
  _url: string,
  _request: AnnounceRequest,
  _options: TrackerClientOptions = {},
): Promise<AnnounceResponse> {
  throw new TrackerError('connection', 'not built yet');
}

/**
 * Asks a tracker for its counts of at most 74 torrents; the answer has them in the order asked, `undefined` for those the
 * tracker does not know.
 *
 * @throws {TrackerError}
 */
export async function scrape(
  _url: string,
  _infoHashes: readonly Uint8Array[],
  _options: TrackerClientOptions = {},
): Promise<(ScrapeEntry | undefined)[]> {
  throw new TrackerError('connection', 'not built yet');
}
