// The one error class of this package, and the error codes that nodes tell each other (BEP 5 "Errors", BEP 44 "Errors").

/**
 * The caller's: `invalid-argument`, `invalid-item`, `busy` (too many operations at a time), `closed` (the node has been closed).
 * On an abort of his signal he gets its own reason.
 *
 * The other nodes' or the network's: `timeout`, `krpc-error` (an error was the answer, whose number is `krpcCode`), `no-nodes`
 * (nobody to ask: no node of the table or of the bootstrap answered), `not-stored` (nobody has kept the item).
 *
 * The socket's: `socket` (see `cause`).
 */
export type DhtErrorCode =
  | 'invalid-argument'
  | 'invalid-item'
  | 'busy'
  | 'closed'
  | 'timeout'
  | 'krpc-error'
  | 'no-nodes'
  | 'not-stored'
  | 'socket';

export interface DhtErrorFacts {
  readonly cause?: unknown;
  /** The number of the error that the other node answered with, see {@link KRPC_ERROR}. */
  readonly krpcCode?: number | undefined;
}

/** Everything this package throws. Match on `code`. */
export class DhtError extends Error {
  readonly code: DhtErrorCode;
  readonly krpcCode: number | undefined;

  constructor(code: DhtErrorCode, message: string, facts: DhtErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'DhtError';
    this.code = code;
    this.krpcCode = facts.krpcCode;
  }
}

/** Error codes on the wire: 201 to 204 of BEP 5, the rest of BEP 44. */
export const KRPC_ERROR = {
  generic: 201,
  server: 202,
  /** A malformed packet, invalid arguments or a bad token. */
  protocol: 203,
  methodUnknown: 204,
  valueTooBig: 205,
  invalidSignature: 206,
  saltTooBig: 207,
  /** `cas` is not the sequence number that is stored. */
  casMismatch: 301,
  sequenceTooLow: 302,
} as const;

export type KrpcErrorCode = (typeof KRPC_ERROR)[keyof typeof KRPC_ERROR];
