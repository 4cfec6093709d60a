// The one error class of the package: what every refusal of a document or of a value to encode is.

/**
 * Stable names of what went wrong; match on these, never on the message.
 *
 * Decoding:
 * - `truncated`: the input ends inside a value; more bytes could complete it.
 * - `trailing-data`: bytes follow the value.
 * - `invalid-token`: a byte that begins no value, or an `e` that closes none.
 * - `invalid-integer`, `invalid-length`: `i03e`, `i-0e`, `ie`, `i1.5e`; `03:abc`, `3x`.
 * - `invalid-key`: a dictionary key that is not a string. `missing-value`: a key without its value.
 * - `unsorted-keys`, `duplicate-key`: the dictionary is not canonical.
 * - `too-deep`, `too-many-items`, `too-long`: a limit was reached.
 * - `not-a-dictionary`: `decodeDict` met another type.
 *
 * Encoding: `not-an-integer` (a fraction, NaN, an infinity), `unsafe-integer` (a number beyond 2^53-1: pass a bigint),
 * `unsupported-value` (null, undefined in a list, booleans, class instances ...), `invalid-text` (a lone surrogate),
 * `duplicate-key` (a text and a byte key of the same bytes), `too-deep` (also a cycle), `too-long`.
 */
export type BencodeErrorCode =
  | 'truncated'
  | 'trailing-data'
  | 'invalid-token'
  | 'invalid-integer'
  | 'invalid-length'
  | 'invalid-key'
  | 'missing-value'
  | 'unsorted-keys'
  | 'duplicate-key'
  | 'too-deep'
  | 'too-many-items'
  | 'too-long'
  | 'not-a-dictionary'
  | 'not-an-integer'
  | 'unsafe-integer'
  | 'unsupported-value'
  | 'invalid-text';

/** A document that could not be decoded, or a value that could not be encoded. */
export class BencodeError extends Error {
  override readonly name = 'BencodeError';
  readonly code: BencodeErrorCode;
  /** Decoding: the byte of the input where the offending token begins, or where the input ended. Encoding: bytes written before it. */
  readonly offset: number;

  constructor(code: BencodeErrorCode, offset: number, message: string) {
    super(`${message} (at byte ${offset})`);
    this.code = code;
    this.offset = offset;
  }
}
