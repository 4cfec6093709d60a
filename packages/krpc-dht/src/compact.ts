// Compact nodes (BEP 5 "Contact encoding", BEP 32) and the peers of `values`, read and written in place.
import type { AddressFamily } from '@bt/endpoint';
import { NODE_BYTES, NODE6_BYTES } from './constants.ts';

/** Bytes of a compact node: 26 for IPv4, 38 for IPv6. Its id comes first, its compact endpoint at +20. */
export function nodeLength(family: AddressFamily): 26 | 38 {
  return family === 4 ? NODE_BYTES : NODE6_BYTES;
}

/**
 * Calls `visit` for each peer of `values` (`message.valuesAt`, `message.valuesLength`) with the offset of its compact
 * endpoint and its family. Strings of other lengths than 6 and 18 are passed over.
 */
export function forEachValue(
  bytes: Uint8Array,
  at: number,
  length: number,
  visit: (endpointAt: number, family: AddressFamily) => void,
): void {
  const end = at + length;
  let offset = at;
  while (offset < end) {
    let stringLength = 0;
    while (bytes[offset] !== 0x3a) stringLength = 10 * stringLength + bytes[offset++]! - 0x30;
    offset++;
    if (stringLength === 6) visit(offset, 4);
    else if (stringLength === 18) visit(offset, 6);
    offset += stringLength;
  }
}
