// Nonces of the long-term credential mechanism (RFC 8489 section 9.2) that need no memory: a time, and a code over it and the client's IP
// address. Whoever sends one back has received it there, and recently.
import { parseAddressInto } from '@bt/endpoint';
import { sha256 } from '@noble/hashes/sha2.js';
import { NONCE_LIFETIME_MS } from './relay-limits.ts';

const SECRET_BYTES = 32;
/** Digits of the time in seconds, to the base of 36: they last 69 years. */
const TIME_DIGITS = 6;
/** Characters of the code, 6 bits each: 60 bits, to be guessed online within 10 minutes. More would make the challenge longer. */
const CODE_CHARACTERS = 10;
const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_';

export class TurnNonces {
  /**
   * What the code is made of: the secret, the time, the address. Its at most 54 bytes are one block of SHA-256, a quarter of what HMAC takes, for
   * anybody may ask for a check. That whoever knows a hash can go on with it, which HMAC is against, needs all of its 256 bits.
   */
  readonly #input = new Uint8Array(SECRET_BYTES + TIME_DIGITS + 16);

  /** @param secret 32 random bytes. A server that begins anew with another one calls all nonces stale. */
  constructor(secret: Uint8Array) {
    this.#input.set(secret.subarray(0, SECRET_BYTES));
  }

  /** A nonce for the client at this IP address: 16 characters. */
  issue(now: number, address: string): string {
    return this.#make(Math.floor(now / 1000), address);
  }

  /** Whether this nonce was issued to that IP address in the last 10 minutes. */
  isValid(now: number, nonce: string, address: string): boolean {
    if (nonce.length !== TIME_DIGITS + CODE_CHARACTERS) return false;
    const seconds = Number.parseInt(nonce.slice(0, TIME_DIGITS), 36);
    const ageMs = now - 1000 * seconds;
    if (!(ageMs >= 0 && ageMs < NONCE_LIFETIME_MS)) return false;
    return isEqualText(nonce, this.#make(seconds, address));
  }

  #make(seconds: number, address: string): string {
    const time = seconds.toString(36).padStart(TIME_DIGITS, '0');
    const input = this.#input;
    for (let i = 0; i < TIME_DIGITS; i++) input[SECRET_BYTES + i] = time.charCodeAt(i);
    const addressAt = SECRET_BYTES + TIME_DIGITS;
    const length = parseAddressInto(address, input, addressAt);
    const code = sha256(input.subarray(0, addressAt + length));
    let text = time;
    for (let i = 0; i < CODE_CHARACTERS; i++) text += ALPHABET[code[i]! & 63];
    return text;
  }
}

/** Compares in a time that doesn't depend on the characters. */
function isEqualText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
