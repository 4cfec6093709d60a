// Addresses that have answered a query of ours: whoever sends from one has not forged it, and a large answer to him is no
// attack on somebody else (threat D3).
import { MAX_VERIFIED_ADDRESSES, VERIFIED_FOR_MS } from './constants.ts';
import type { Source } from './source.ts';

/** The last ones, without their ports; an IPv6 /64 counts as one. */
export class VerifiedAddresses {
  /** By address, oldest first, with the time when it is forgotten. */
  readonly #until = new Map<number, number>();

  add(now: number, source: Source): void {
    const key = keyOf(source);
    const until = this.#until.get(key);
    // Moved to the end only now and then: it need not be exact, and this is called for each answer.
    if (until !== undefined && until - now > VERIFIED_FOR_MS / 2) return;
    this.#until.delete(key);
    if (this.#until.size >= MAX_VERIFIED_ADDRESSES) {
      this.#until.delete(this.#until.keys().next().value as number);
    }
    this.#until.set(key, now + VERIFIED_FOR_MS);
  }

  has(now: number, source: Source): boolean {
    const until = this.#until.get(keyOf(source));
    return until !== undefined && until > now;
  }
}

/** Exact for IPv4. Of an IPv6 /64 53 bits: who searches long finds an address that passes for a verified one, and gains little. */
function keyOf(source: Source): number {
  const { bytes } = source;
  if (source.family === 4) {
    return bytes[0]! * 0x1_00_00_00 + (bytes[1]! << 16) + (bytes[2]! << 8) + bytes[3]!;
  }
  let key = 0;
  for (let i = 0; i < 6; i++) key = key * 256 + bytes[i]!;
  return -1 - key * 16 - ((bytes[6]! ^ bytes[7]!) & 15);
}
