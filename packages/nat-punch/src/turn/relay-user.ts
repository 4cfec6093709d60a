// Whom an allocation is for, and what is counted against him: his account, the network that he comes from, and the server as a whole.
import type { ByteRateLimit } from '../rate-limit.ts';

/** What all allocations of an account, or of a client network, share. */
export interface RelayShare {
  /** The account's name, or the network's. */
  readonly key: string;
  /** Relay sockets that are open, reserved, or being opened. */
  sockets: number;
  readonly bytes: ByteRateLimit;
  /** Nothing is to be opened for it any more. */
  isEnded: boolean;
}

/** A user at one client address. */
export class RelayUser {
  readonly username: string;
  readonly account: RelayShare;
  readonly network: RelayShare;
  readonly #total: ByteRateLimit;

  constructor(username: string, account: RelayShare, network: RelayShare, total: ByteRateLimit) {
    this.username = username;
    this.account = account;
    this.network = network;
    this.#total = total;
  }

  /** Whether so many bytes may be relayed for him now; they are taken then. */
  take(now: number, bytes: number): boolean {
    return (
      this.account.bytes.take(now, bytes) &&
      this.network.bytes.take(now, bytes) &&
      this.#total.take(now, bytes)
    );
  }
}
