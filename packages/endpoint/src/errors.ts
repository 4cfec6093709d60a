// The one error class of this package.

/**
 * - `invalid-address`: a text is not an IPv4 or IPv6 address, or bytes are neither 4 nor 16 long.
 * - `invalid-port`: not an integer from 0 to 65535.
 * - `invalid-length`: a compact list is no multiple of its entry's length, or too few bytes are left at an offset.
 */
export type EndpointErrorCode = 'invalid-address' | 'invalid-port' | 'invalid-length';

/** Everything this package throws. Match on `code`. */
export class EndpointError extends Error {
  readonly code: EndpointErrorCode;

  constructor(code: EndpointErrorCode, message: string) {
    super(message);
    this.name = 'EndpointError';
    this.code = code;
  }
}
