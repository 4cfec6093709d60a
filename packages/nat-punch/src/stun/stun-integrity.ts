// MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 sections 14.5 and 14.6), and the keys that they are made with (section 9).
import { hmac } from '@noble/hashes/hmac.js';
import { md5, sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { STUN_ATTRIBUTE } from './stun-attributes.ts';
import type { StunMessage } from './stun-message.ts';

export type IntegrityHash = 'sha1' | 'sha256';

/** RFC 8489 section 9.1.1: the password itself. The strings of a key are normalised by NFC (RFC 8265 section 4.2.2). */
export function shortTermKey(password: string): Uint8Array {
  return encoder.encode(password.normalize('NFC'));
}

/** RFC 8489 section 9.2.2: MD5 of user name, realm and password, 16 bytes. */
export function longTermKey(username: string, realm: string, password: string): Uint8Array {
  return md5(encoder.encode(`${username}:${realm}:${password}`.normalize('NFC')));
}

/** Which integrity a message carries: the stronger one if both. */
export function integrityHash(message: StunMessage): IntegrityHash | undefined {
  if (message.has(STUN_ATTRIBUTE.messageIntegritySha256)) return 'sha256';
  return message.has(STUN_ATTRIBUTE.messageIntegrity) ? 'sha1' : undefined;
}

/** Whether a message carries an integrity made with this key; the stronger one counts. Takes the same time whatever is wrong with it. */
export function hasIntegrity(message: StunMessage, key: Uint8Array): boolean {
  const hash = integrityHash(message);
  if (hash === undefined) return false;
  const isSha1 = hash === 'sha1';
  const type = isSha1 ? STUN_ATTRIBUTE.messageIntegrity : STUN_ATTRIBUTE.messageIntegritySha256;
  const value = message.value(type)!;
  // A shortened SHA-256 is for usages that say so (section 14.6), and none of ours does.
  if (value.length !== (isSha1 ? 20 : 32)) return false;
  const start = message.offsetOf(type) - 4;
  return isEqual(value, integrityOf(hash, key, message.bytes, start));
}

/**
 * The integrity over the first `end` bytes of a message, as if it followed there: the length in the header counts up to its end (section
 * 14.5), whatever stands there.
 */
export function integrityOf(
  hash: IntegrityHash,
  key: Uint8Array,
  bytes: Uint8Array,
  end: number,
): Uint8Array {
  const length = end - 20 + 4 + (hash === 'sha1' ? 20 : 32);
  head[0] = bytes[0]!;
  head[1] = bytes[1]!;
  head[2] = length >>> 8;
  head[3] = length & 0xff;
  const mac = hmac.create(hash === 'sha1' ? sha1 : sha256, key);
  return mac.update(head).update(bytes.subarray(4, end)).digest();
}

/** Compares in a time that doesn't depend on the bytes. */
export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

const head = new Uint8Array(4);
const encoder = new TextEncoder();
