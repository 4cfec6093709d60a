// The nodes that an answer tells of (BEP 5 `nodes`, BEP 32 `nodes6`): bounded, and only such as may be worth a packet.
import { type AddressFamily, addressClassAt, readCompactPort } from '@bt/endpoint';
import { nodeLength } from './compact.ts';
import { ID_BYTES, MAX_TOLD_NODES } from './constants.ts';
import type { Message } from './message.ts';

/**
 * Calls `visit` with the offset of each node of a family that a message tells of, the first {@link MAX_TOLD_NODES} of them.
 * `teller` is the compact node info of the one it came from, of family `tellerFamily`. Passed over are ports of 0, addresses
 * that nobody has, loopback ones told from outside, and others that are not public told by somebody who is: they are on a
 * network of his, if anywhere.
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
    const kind = addressClassAt(bytes, at + ID_BYTES, family);
    if (kind !== 'public') {
      if (kind === 'unspecified' || kind === 'multicast' || kind === 'reserved') continue;
      if (kind === 'loopback' ? tellerClass !== 'loopback' : tellerClass === 'public') continue;
    }
    visit(bytes, at);
  }
}
