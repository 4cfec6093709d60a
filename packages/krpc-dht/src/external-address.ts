// Our address as others see it, by vote (BEP 42 "Bootstrapping"): each answer says in `ip` from where our query came. One
// node can lie, so that it takes many which agree; among public addresses a /24, or an IPv6 /64, has one vote.
import { type AddressFamily, addressClassAt } from '@bt/endpoint';
import { MAX_ADDRESS_VOTES, MIN_ADDRESS_VOTES } from './constants.ts';

interface Vote {
  readonly voter: string;
  readonly address: string;
}

/** The votes of one family. */
export class ExternalAddress {
  readonly #family: AddressFamily;
  /** The last ones, oldest first, one a voter. */
  #votes: Vote[] = [];
  /** 4 or 16 bytes, once enough agree. */
  #elected: Uint8Array | undefined;

  constructor(family: AddressFamily) {
    this.#family = family;
  }

  /** 4 or 16 bytes; undefined before enough nodes agree. */
  get address(): Uint8Array | undefined {
    return this.#elected;
  }

  /**
   * Counts what the node at the compact endpoint `voter` says of us: the address at `at` of `bytes`. True when that makes
   * another address ours.
   */
  handleVote(voter: Uint8Array, bytes: Uint8Array, at: number): boolean {
    const length = this.#family === 4 ? 4 : 16;
    const isPublic = addressClassAt(bytes, at, this.#family) === 'public';
    // A node of the local network sees a local address, which says nothing about the outside, and the other way round.
    if ((addressClassAt(voter, 0, this.#family) === 'public') !== isPublic) return false;
    const address = latin1(bytes, at, length);
    const voterLength = isPublic ? (this.#family === 4 ? 3 : 8) : length + 2;
    const key = latin1(voter, 0, voterLength);
    const known = this.#votes.findIndex((vote) => vote.voter === key);
    if (known >= 0) this.#votes.splice(known, 1);
    else if (this.#votes.length === MAX_ADDRESS_VOTES) this.#votes.shift();
    this.#votes.push({ voter: key, address });
    if (this.#votes.length < MIN_ADDRESS_VOTES) return false;
    const elected = this.#elected;
    if (elected !== undefined && latin1(elected, 0, length) === address) return false;
    let agree = 0;
    for (const vote of this.#votes) if (vote.address === address) agree++;
    if (4 * agree < 3 * this.#votes.length) return false;
    this.#elected = bytes.slice(at, at + length);
    return true;
  }
}

function latin1(bytes: Uint8Array, at: number, length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) text += String.fromCharCode(bytes[at + i]!);
  return text;
}
