// Our address as others see it, by vote (BEP 42 "Bootstrapping"): each answer says in `ip` from where our query came. One
// node can lie, so that it takes many which agree, and one place on the network (network.ts) has one vote.
import { type AddressFamily, addressClassAt } from '@bt/endpoint';
import { MAX_ADDRESS_VOTES, MIN_ADDRESS_VOTES } from './constants.ts';
import { networkOf } from './network.ts';

/** The votes of one family. */
export class ExternalAddress {
  readonly #family: AddressFamily;
  /** Of the nodes at public addresses, and of the others: who is near sees another address of ours, and may be many. */
  readonly #public: Ballot;
  #local: Ballot | undefined;

  constructor(family: AddressFamily) {
    this.#family = family;
    this.#public = new Ballot(family);
  }

  /** 4 or 16 bytes; undefined before enough nodes agree. A public one if there is such. */
  get address(): Uint8Array | undefined {
    return this.#public.elected ?? this.#local?.elected;
  }

  /**
   * Counts what the node at the compact endpoint `voter` says of us: the address at `at` of `bytes`. True when that makes
   * another address ours.
   */
  handleVote(voter: Uint8Array, bytes: Uint8Array, at: number): boolean {
    const isPublic = addressClassAt(bytes, at, this.#family) === 'public';
    // A node of the local network sees a local address, which says nothing about the outside, and the other way round.
    if ((addressClassAt(voter, 0, this.#family) === 'public') !== isPublic) return false;
    if (isPublic) return this.#public.handleVote(voter, bytes, at);
    this.#local ??= new Ballot(this.#family);
    return this.#local.handleVote(voter, bytes, at) && this.#public.elected === undefined;
  }
}

/** The last votes, one a network. */
class Ballot {
  elected: Uint8Array | undefined;
  readonly #family: AddressFamily;
  readonly #addressBytes: 4 | 16;
  // The oldest at `#oldest` once all places are taken.
  readonly #voters = new Float64Array(MAX_ADDRESS_VOTES);
  readonly #addresses: Uint8Array;
  #count = 0;
  #oldest = 0;

  constructor(family: AddressFamily) {
    this.#family = family;
    this.#addressBytes = family === 4 ? 4 : 16;
    this.#addresses = new Uint8Array(MAX_ADDRESS_VOTES * this.#addressBytes);
  }

  /** True when another address than before is elected. */
  handleVote(voter: Uint8Array, bytes: Uint8Array, at: number): boolean {
    this.#record(networkOf(voter, 0, this.#family), bytes, at);
    if (this.#count < MIN_ADDRESS_VOTES) return false;
    if (this.elected !== undefined && this.#isAt(this.elected, 0, bytes, at)) return false;
    let agree = 0;
    for (let i = 0; i < this.#count; i++) {
      if (this.#isAt(this.#addresses, i * this.#addressBytes, bytes, at)) agree++;
    }
    if (4 * agree < 3 * this.#count) return false;
    this.elected = bytes.slice(at, at + this.#addressBytes);
    return true;
  }

  #record(voter: number, bytes: Uint8Array, at: number): void {
    let place = 0;
    while (place < this.#count && this.#voters[place] !== voter) place++;
    if (place === this.#count) {
      if (this.#count < MAX_ADDRESS_VOTES) this.#count++;
      else {
        place = this.#oldest;
        this.#oldest = (this.#oldest + 1) % MAX_ADDRESS_VOTES;
      }
      this.#voters[place] = voter;
    }
    const start = place * this.#addressBytes;
    for (let i = 0; i < this.#addressBytes; i++) this.#addresses[start + i] = bytes[at + i]!;
  }

  #isAt(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
    for (let i = 0; i < this.#addressBytes; i++) if (a[aAt + i] !== b[bAt + i]) return false;
    return true;
  }
}
