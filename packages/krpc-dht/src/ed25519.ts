// The signatures of mutable items (BEP 44), behind a small interface so that node:crypto can take the place of the pure code.
import { ed25519 as noble } from '@noble/curves/ed25519.js';

/** Ed25519 of RFC 8032. Keys and signatures are raw bytes. */
export interface Ed25519 {
  /** The 32-byte public key of a 32-byte seed. */
  publicKey(seed: Uint8Array): Uint8Array;
  /** The 64-byte signature by the key of a 32-byte seed. */
  sign(message: Uint8Array, seed: Uint8Array): Uint8Array;
  /** False, never an error, for whatever is no signature of `message` by `publicKey`. */
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

/** {@link Ed25519} in pure code. */
export const pureEd25519: Ed25519 = {
  publicKey: (seed) => noble.getPublicKey(seed),
  sign: (message, seed) => noble.sign(message, seed),
  verify(signature, message, publicKey) {
    try {
      // The strict rule of RFC 8032, which libsodium, OpenSSL and libtorrent keep, and not that of ZIP 215.
      return noble.verify(signature, message, publicKey, { zip215: false });
    } catch {
      return false;
    }
  },
};
