// The nodes that an answer tells of (BEP 5 `nodes`, BEP 32 `nodes6`): bounded, and only such as may be worth a packet.
import { type AddressFamily, addressClassAt, readCompactPort } from '@bt/endpoint';
import { nodeLength } from './compact.ts';
import { ID_BYTES, MAX_TOLD_NODES } from './constants.ts';
import type { Message } from './message.ts';

/**
 * Calls `visit` with the offset of each node of a family that a message tells of, the first {@link MAX_TOLD_NODES} of them.
 * `teller` is the compact node info of the one it came from, of family `tellerFamily`. Passed over are ports of 0, addresses
 * that nobody has, IPv4 ones among those of IPv6, loopback ones told from outside, and others that are not public told by somebody
 * who is: they are on a network of his, if anywhere.
 */
export function forEachToldNode(
  message: Message,
  family: AddressFamily,
  teller: Uint8Array,
  tellerFamily: AddressFamily,
  visit: (bytes: Uint8Array, at: number) => void,
): void {
  const first = family === 4 ? message.nodesAt : message.nodes6At;
  if (first < 0) return;
  const length = family === 4 ? message.nodesLength : message.nodes6Length;
  const nodeBytes = nodeLength(family);
  const end = first + Math.min(length, MAX_TOLD_NODES * nodeBytes);
  const tellerClass = addressClassAt(teller, ID_BYTES, tellerFamily);
  const { bytes } = message;
  for (let at = first; at < end; at += nodeBytes) {
    if (readCompactPort(bytes, at + ID_BYTES, family) === 0) continue;
    if (family === 6 && isMapped(bytes, at + ID_BYTES)) continue;
    const kind = addressClassAt(bytes, at + ID_BYTES, family);
    if (kind !== 'public') {
      if (kind === 'unspecified' || kind === 'multicast' || kind === 'reserved') continue;
      if (kind === 'loopback' ? tellerClass !== 'loopback' : tellerClass === 'public') continue;
    }
    visit(bytes, at);
  }
}

/** ::ffff:0:0/96 (RFC 4291 section 2.5.5.2): an IPv4 address, which belongs to the other DHT. */
function isMapped(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false;
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}
