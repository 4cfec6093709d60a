/**
 * Strict, fast bencode (BEP 3): decoding with byte spans, canonical encoding.
 *
 * @module
 */
export { type DecodeOptions, decode, decodeDict, decodePrefix } from './decode.ts';
export { type BencodeInput, encode, type RawBencode, rawBencode } from './encode.ts';
export { BencodeError, type BencodeErrorCode } from './errors.ts';
export {
  DEFAULT_MAX_BYTES,
  DEFAULT_MAX_DEPTH,
  DEFAULT_MAX_ITEMS,
  MAX_INTEGER_DIGITS,
} from './limits.ts';
export { type PlainDict, type PlainValue, toPlain } from './plain.ts';
export { BencodeDict, BencodeList, type BencodeValue, type ByteSpan } from './value.ts';
