// The one error class of this package.

/**
 * The caller's: `invalid-argument`, `aborted` (by his signal), `closed` (what was called has been closed).
 *
 * The other side's or the network's: `invalid-message` (what it sent breaks the protocol), `stun-error` (it answered with an error,
 * whose number is `stunCode`), `refused` (the server won't have us: see the message), `timeout`, `unreachable` (no connection).
 *
 * The system's: `socket` (see `cause`).
 */
export type NatPunchErrorCode =
  | 'invalid-argument'
  | 'aborted'
  | 'closed'
  | 'invalid-message'
  | 'stun-error'
  | 'refused'
  | 'timeout'
  | 'unreachable'
  | 'socket';

export interface NatPunchErrorFacts {
  readonly cause?: unknown;
  /** The number of the error that a STUN or TURN server answered with (RFC 8489 section 14.8). */
  readonly stunCode?: number | undefined;
}

/** Everything this package throws. Match on `code`. */
export class NatPunchError extends Error {
  readonly code: NatPunchErrorCode;
  readonly stunCode: number | undefined;

  constructor(code: NatPunchErrorCode, message: string, facts: NatPunchErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'NatPunchError';
    this.code = code;
    this.stunCode = facts.stunCode;
  }
}
