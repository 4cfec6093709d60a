// Tokens of get_peers and get (BEP 5, BEP 44): a MAC of the asker's address by a secret that changes each five minutes.
import { TOKEN_BYTES, TOKEN_ROTATION_MS } from './constants.ts';
import { SipHash } from './siphash.ts';

/**
 * Makes and checks tokens of {@link TOKEN_BYTES}. `random` gives numbers in [0, 1) that nobody can guess: the secrets come
 * from it.
 */
export class Tokens {
  readonly #random: () => number;
  #secret: SipHash;
  #previous: SipHash;
  /** When `#secret` is replaced: set by the first use. */
  #rotateAt = Number.NEGATIVE_INFINITY;

  constructor(random: () => number) {
    this.#random = random;
    this.#secret = SipHash.create(random);
    this.#previous = this.#secret;
  }

  /** Writes the token of the address of 4 or 16 bytes at `addressAt` into `target` at `offset`. */
  write(
    now: number,
    address: Uint8Array,
    addressAt: number,
    addressLength: number,
    target: Uint8Array,
    offset: number,
  ): void {
    if (now >= this.#rotateAt) this.#rotate(now);
    const { low, high } = mac(this.#secret, address, addressAt, addressLength);
    for (let i = 0; i < 4; i++) {
      target[offset + i] = low >>> (8 * i);
      target[offset + 4 + i] = high >>> (8 * i);
    }
  }

  /**
   * Whether the token was made for this address in the last 5 to 10 minutes. It takes the same time wherever a token of the
   * right length differs.
   */
  check(
    now: number,
    address: Uint8Array,
    addressAt: number,
    addressLength: number,
    token: Uint8Array,
    tokenAt: number,
    tokenLength: number,
  ): boolean {
    if (tokenLength !== TOKEN_BYTES) return false;
    if (now >= this.#rotateAt) this.#rotate(now);
    let low = 0;
    let high = 0;
    for (let i = 3; i >= 0; i--) {
      low = (low << 8) | token[tokenAt + i]!;
      high = (high << 8) | token[tokenAt + 4 + i]!;
    }
    const current = mac(this.#secret, address, addressAt, addressLength);
    const currentDifference = (current.low ^ low) | (current.high ^ high);
    const previous = mac(this.#previous, address, addressAt, addressLength);
    const previousDifference = (previous.low ^ low) | (previous.high ^ high);
    return currentDifference === 0 || previousDifference === 0;
  }

  #rotate(now: number): void {
    const next = SipHash.create(this.#random);
    const isOneBehind = now - this.#rotateAt < TOKEN_ROTATION_MS;
    // After a silence of ten minutes both secrets are too old.
    this.#previous = isOneBehind ? this.#secret : next;
    this.#secret = next;
    this.#rotateAt = (isOneBehind ? this.#rotateAt : now) + TOKEN_ROTATION_MS;
  }
}

function mac(secret: SipHash, address: Uint8Array, at: number, length: number): SipHash {
  secret.hash(address, at, length);
  return secret;
}
