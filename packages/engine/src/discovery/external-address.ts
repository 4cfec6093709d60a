// The address that others see us under. Each of them may be wrong or lie, so they vote: a network has one vote, and an
// address is believed that has more than half of them. Told by peers (BEP 10 `yourip`), trackers (BEP 24), DHT nodes
// (BEP 42) and the gateway that maps our port.

import {
  type AddressFamily,
  addressClass,
  addressFamily,
  isPublic,
  parseAddress,
} from '@bt/endpoint';
import { MAX_ADDRESS_VOTES } from '../limits.ts';

/** What one site is given at least: all addresses in it are one voter (RFC 6177 for IPv6). */
const NETWORK_BYTES = { 4: 3, 16: 6 } as const;

export class ExternalAddress {
  /** The port in the gateway that leads to the one we listen on, where it is another. */
  mappedPort: number | undefined;
  /** The same for the UDP port of our DHT node. */
  mappedDhtPort: number | undefined;
  /** What each network said last, the oldest first. */
  readonly #votes: Readonly<Record<AddressFamily, Map<string, string>>> = {
    4: new Map(),
    6: new Map(),
  };
  readonly #known: string | undefined;
  #version = 0;

  /** @param known the address that all sockets are bound to, which stands where there are no votes */
  constructor(known?: string) {
    this.#known = known === undefined || addressClass(known) === 'unspecified' ? undefined : known;
  }

  /** Grows when an answer of `of` may have changed. */
  get version(): number {
    return this.#version;
  }

  /** The port that others are to dial; 0 where we don't listen. */
  portOf(listenPort: number): number {
    return listenPort === 0 ? 0 : (this.mappedPort ?? listenPort);
  }

  /** The same for the UDP port of our DHT node. */
  dhtPortOf(dhtPort: number): number {
    return this.mappedDhtPort ?? dhtPort;
  }

  /** Somebody (an address, or the host name of a tracker) says that we are `told`. Only public addresses count. */
  vote(voter: string, told: string): void {
    if (!isPublic(told)) return;
    const family = addressFamily(told);
    if (family === undefined) return;
    const votes = this.#votes[family];
    const network = networkOf(voter);
    const isNew = votes.get(network) !== told;
    votes.delete(network);
    votes.set(network, told);
    if (votes.size > MAX_ADDRESS_VOTES) {
      const [oldest] = votes.keys();
      if (oldest !== undefined) votes.delete(oldest);
    }
    if (isNew) this.#version += 1;
  }

  /** Whether an address is ours, as far as that is known. */
  is(address: string): boolean {
    const family = addressFamily(address);
    return family !== undefined && address === this.of(family);
  }

  /** Our address in a family, as far as it is known. */
  of(family: AddressFamily): string | undefined {
    const votes = this.#votes[family];
    const counts = new Map<string, number>();
    for (const told of votes.values()) {
      const count = (counts.get(told) ?? 0) + 1;
      if (count * 2 > votes.size) return told;
      counts.set(told, count);
    }
    const known = this.#known;
    return known !== undefined && addressFamily(known) === family ? known : undefined;
  }
}

function networkOf(voter: string): string {
  const bytes = parseAddress(voter);
  if (bytes === undefined) return voter;
  return bytes.subarray(0, NETWORK_BYTES[bytes.length === 4 ? 4 : 16]).join('.');
}
