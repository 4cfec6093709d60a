// The one error class of this package.

/**
 * The caller's: `invalid-argument`, `aborted` (by his signal), `timeout` (his limit ran out; the tracker was too slow).
 *
 * The tracker URL's: `invalid-url` (no URL, or neither http, https nor udp), `scrape-unsupported` (BEP 48 derives no
 * scrape URL from it), `forbidden-address` (it leads where a stranger's URL may not lead, see the README).
 *
 * The tracker's: `tracker-failure` (it said no, in its own words), `invalid-response`, `too-large`, `http-status`,
 * `redirect` (too many, or to nowhere), `connection` (name resolution, TCP, TLS or ICMP; see `cause`).
 */
export type TrackerErrorCode =
  | 'invalid-argument'
  | 'aborted'
  | 'timeout'
  | 'invalid-url'
  | 'scrape-unsupported'
  | 'forbidden-address'
  | 'tracker-failure'
  | 'invalid-response'
  | 'too-large'
  | 'http-status'
  | 'redirect'
  | 'connection';

export interface TrackerErrorFacts {
  readonly cause?: unknown;
  /** BEP 31: when the tracker wants to be asked again; Infinity for never. */
  readonly retryInSeconds?: number | undefined;
  readonly httpStatus?: number | undefined;
}

/** Everything this package throws. Match on `code`. Messages hold no credentials and no more of a URL than its host. */
export class TrackerError extends Error {
  readonly code: TrackerErrorCode;
  /** BEP 31: when the tracker wants to be asked again, in seconds; Infinity for never. */
  readonly retryInSeconds: number | undefined;
  readonly httpStatus: number | undefined;

  constructor(code: TrackerErrorCode, message: string, facts: TrackerErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'TrackerError';
    this.code = code;
    this.retryInSeconds = facts.retryInSeconds;
    this.httpStatus = facts.httpStatus;
  }
}
