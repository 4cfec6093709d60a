// The peers that were announced to this node (BEP 5), by info-hash, as bytes in typed arrays.
import type { AddressFamily } from '@bt/endpoint';

export interface PeerStoreOptions {
  /** Numbers in [0, 1) that nobody can guess. */
  readonly random: () => number;
  readonly maxHashes?: number | undefined;
  readonly maxPeers?: number | undefined;
  readonly maxPeersPerHash?: number | undefined;
}

/** `stored` (or refreshed), `full` (a cap keeps it out), `martian` (port 0, or no address of a peer). */
export type StoreOutcome = 'stored' | 'full' | 'martian';

export class PeerStore {
  readonly #options: PeerStoreOptions;

  constructor(options: PeerStoreOptions) {
    this.#options = options;
  }

  get hashCount(): number {
    return 0;
  }

  get peerCount(): number {
    return 0;
  }

  /** Bytes of memory, as counted by the lengths of the arrays and a fixed sum a hash. */
  get memoryBytes(): number {
    return 0;
  }

  /** Lists or refreshes the peer whose compact endpoint stands at `endpointAt`, under the info-hash at `hashAt`. */
  announce(
    now: number,
    hashes: Uint8Array,
    hashAt: number,
    endpoints: Uint8Array,
    endpointAt: number,
    family: AddressFamily,
    seed: boolean,
  ): StoreOutcome {
    void [now, hashes, hashAt, endpoints, endpointAt, family, seed, this.#options];
    return 'full';
  }

  /**
   * Writes up to `count` peers, a random choice, one compact endpoint behind the other into `target` at `offset`, and returns
   * the offset behind them. `noSeed` leaves out seeds (BEP 33).
   */
  sample(
    now: number,
    hashes: Uint8Array,
    hashAt: number,
    family: AddressFamily,
    noSeed: boolean,
    count: number,
    target: Uint8Array,
    offset: number,
  ): number {
    void [now, hashes, hashAt, family, noSeed, count, target];
    return offset;
  }

  /** BEP 33: filters of the seeds and the downloaders of an info-hash, of both families; undefined when it has no peers. */
  filters(
    now: number,
    hashes: Uint8Array,
    hashAt: number,
  ): { readonly seeds: Uint8Array; readonly downloaders: Uint8Array } | undefined {
    void [now, hashes, hashAt];
    return undefined;
  }

  /** BEP 51: up to 20 info-hashes, one behind the other: the same ones for 5 minutes, and in how many seconds they change. */
  sampleHashes(now: number): { readonly samples: Uint8Array; readonly intervalSeconds: number } {
    void now;
    return { samples: new Uint8Array(), intervalSeconds: 0 };
  }

  /** Forgets what has expired. Worth a call each minute. */
  handleTimeout(now: number): void {
    void now;
  }
}
