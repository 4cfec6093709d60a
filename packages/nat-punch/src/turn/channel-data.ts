// ChannelData messages (RFC 8656 section 12.4): a channel number, a length, and a peer's datagram.

/**
 * The numbers that a client may bind; their first byte tells ChannelData from all else on a port. RFC 8656 section 12 leaves clients those to
 * 0x4fff. RFC 5766 section 11 had them to 0x7fff, where turnutils_uclient still takes its own.
 */
export const MIN_CHANNEL = 0x4000;
export const MAX_CHANNEL = 0x7fff;
export const CHANNEL_DATA_HEADER_BYTES = 4;

/** Whether a datagram can be ChannelData by its first byte: 64 to 127. */
export function isChannelDataByte(firstByte: number): boolean {
  return firstByte >= MIN_CHANNEL >>> 8 && firstByte <= MAX_CHANNEL >>> 8;
}

/** Writes the 4 bytes before the datagram. */
export function writeChannelDataHeader(
  target: Uint8Array,
  offset: number,
  channel: number,
  lengthBytes: number,
): void {
  target[offset] = channel >>> 8;
  target[offset + 1] = channel & 0xff;
  target[offset + 2] = lengthBytes >>> 8;
  target[offset + 3] = lengthBytes & 0xff;
}

/** A ChannelData message. Over TCP and TLS it is padded to a multiple of 4 bytes (RFC 8656 section 12.5). */
export function encodeChannelData(
  channel: number,
  payload: Uint8Array,
  isPadded = false,
): Uint8Array {
  const end = CHANNEL_DATA_HEADER_BYTES + payload.length;
  const bytes = new Uint8Array(isPadded ? (end + 3) & ~3 : end);
  writeChannelDataHeader(bytes, 0, channel, payload.length);
  bytes.set(payload, CHANNEL_DATA_HEADER_BYTES);
  return bytes;
}

/** The channel's number; `undefined` when `bytes` is no ChannelData, or shorter than it says. */
export function channelOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < CHANNEL_DATA_HEADER_BYTES || !isChannelDataByte(bytes[0]!)) return undefined;
  if (channelDataLength(bytes) > bytes.length - CHANNEL_DATA_HEADER_BYTES) return undefined;
  return (bytes[0]! << 8) | bytes[1]!;
}

/** The length of the datagram in ChannelData: what follows it is padding (RFC 8656 section 12.6). */
export function channelDataLength(bytes: Uint8Array): number {
  return (bytes[2]! << 8) | bytes[3]!;
}
