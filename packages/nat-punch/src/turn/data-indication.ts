// Data indications (RFC 8656 section 11.4), written in place: a peer's datagram for a client that has no channel to it.
import type { Endpoint } from '@bt/endpoint';
import { MAGIC_COOKIE, STUN_ATTRIBUTE, writeAddress } from '../stun/stun-attributes.ts';
import { STUN_HEADER_BYTES } from '../stun/stun-message.ts';

/** Class indication, method Data. */
const DATA_INDICATION_TYPE = 0x0017;
/** The most that it has besides the datagram: header, an IPv6 address, the head of DATA, padding. */
export const DATA_INDICATION_OVERHEAD_BYTES = STUN_HEADER_BYTES + 24 + 4 + 3;

/**
 * Writes one into `target` and returns its length. `target` needs {@link DATA_INDICATION_OVERHEAD_BYTES} more room than the datagram.
 *
 * @param serial makes the transaction id: nobody answers an indication, so that it has to be unguessable for nobody.
 */
export function writeDataIndication(
  target: Uint8Array,
  serial: number,
  peer: Endpoint,
  datagram: Uint8Array,
): number {
  writeUint32(target, 4, MAGIC_COOKIE);
  target.fill(0, 8, 16);
  writeUint32(target, 16, serial);
  const addressLength = writeAddress(target, STUN_HEADER_BYTES + 4, peer, target);
  writeUint32(target, STUN_HEADER_BYTES, (STUN_ATTRIBUTE.xorPeerAddress << 16) | addressLength);
  const dataAt = STUN_HEADER_BYTES + 4 + addressLength;
  writeUint32(target, dataAt, (STUN_ATTRIBUTE.data << 16) | datagram.length);
  target.set(datagram, dataAt + 4);
  const dataEnd = dataAt + 4 + datagram.length;
  const end = (dataEnd + 3) & ~3;
  target.fill(0, dataEnd, end);
  writeUint32(target, 0, (DATA_INDICATION_TYPE << 16) | (end - STUN_HEADER_BYTES));
  return end;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = (value >>> 16) & 0xff;
  bytes[at + 2] = (value >>> 8) & 0xff;
  bytes[at + 3] = value & 0xff;
}
