/**
 * Strict, fast bencode: decoding with byte spans, canonical encoding.
 *
 * @module
 */
export {};
