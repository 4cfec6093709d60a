// FINGERPRINT (RFC 8489 section 14.7): the CRC-32 of ITU V.42 over the message before it, mixed with a constant, by which a STUN message is
// told from other datagrams on its port.

/** RFC 8489 section 14.7: "STUN" in ASCII. */
const FINGERPRINT_XOR = 0x5354554e;

/** The value of FINGERPRINT over the first `end` bytes, whose header has to count it already. */
export function fingerprintOf(bytes: Uint8Array, end: number): number {
  return (crc32(bytes, end) ^ FINGERPRINT_XOR) >>> 0;
}

function crc32(bytes: Uint8Array, end: number): number {
  let crc = 0xffffffff;
  for (let i = 0; i < end; i++) crc = TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
